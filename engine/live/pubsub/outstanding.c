/* Outstanding: a growing ring. */
#include "engine/live/pubsub/outstanding.h"

#include "engine/ground/base/heap.h"

enum { CAPACITY_FIRST = 64 };

static uint32_t *slot(const nq_outstanding *self, uint64_t id) {
    return &self->open_bytes[id & (self->capacity - 1)];
}

static bool reserve(nq_outstanding *self) {
    if (self->end_id - self->first_id < self->capacity) {
        return true;
    }
    nq_outstanding grown = *self;
    grown.capacity = self->capacity == 0 ? CAPACITY_FIRST : 2 * self->capacity;
    grown.open_bytes = nq_heap_calloc(grown.capacity, sizeof(uint32_t));
    if (grown.open_bytes == NULL) {
        return false;
    }
    for (uint64_t id = self->first_id; id < self->end_id; id++) {
        *slot(&grown, id) = *slot(self, id);
    }
    nq_heap_free(self->open_bytes);
    *self = grown;
    return true;
}

bool nq_outstanding_add(nq_outstanding *self, uint64_t id, uint32_t bytes) {
    if (self->message_count == 0) {
        self->first_id = id;
        self->end_id = id;
    }
    if (!reserve(self)) {
        return false;
    }
    *slot(self, id) = bytes;
    self->end_id = id + 1;
    self->message_count++;
    self->bytes += bytes;
    return true;
}

bool nq_outstanding_remove(nq_outstanding *self, uint64_t id) {
    if (id < self->first_id || id >= self->end_id || *slot(self, id) == 0) {
        return false;
    }
    self->bytes -= *slot(self, id);
    self->message_count--;
    *slot(self, id) = 0;
    while (self->first_id < self->end_id && *slot(self, self->first_id) == 0) {
        self->first_id++;
    }
    return true;
}

void nq_outstanding_remove_through(nq_outstanding *self, uint64_t id) {
    while (self->first_id < self->end_id && self->first_id <= id) {
        (void)nq_outstanding_remove(self, self->first_id);
    }
}

void nq_outstanding_deinit(nq_outstanding *self) {
    nq_heap_free(self->open_bytes);
    *self = (nq_outstanding){0};
}
