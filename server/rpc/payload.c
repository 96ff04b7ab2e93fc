/* Payload: one heap block per payload, header and bytes together; a join holds references. */
#include "server/rpc/payload.h"

#include <stdatomic.h>

#include "engine/ground/base/assert.h"
#include "engine/ground/base/heap.h"

struct nq_payload {
    _Atomic uint32_t references;
    uint32_t part_count; /* 0: the bytes are here */
    bool is_sealed;
    size_t size;
    uint8_t body[]; /* the bytes, or part_count pointers */
};

static nq_payload *payload_new(size_t body_bytes) {
    if (body_bytes > SIZE_MAX - sizeof(nq_payload)) {
        return NULL;
    }
    nq_payload *payload = nq_heap_alloc(sizeof(nq_payload) + body_bytes);
    if (payload == NULL) {
        return NULL;
    }
    atomic_init(&payload->references, 1);
    payload->part_count = 0;
    payload->is_sealed = false;
    payload->size = body_bytes;
    return payload;
}

nq_payload *nq_payload_create(size_t bytes_max) {
    return payload_new(bytes_max);
}

uint8_t *nq_payload_room(nq_payload *payload) {
    NQ_ASSERT(!payload->is_sealed);
    return payload->body;
}

nq_payload *nq_payload_seal(nq_payload *payload, size_t bytes) {
    NQ_ASSERT(!payload->is_sealed && bytes <= payload->size);
    payload->size = bytes;
    payload->is_sealed = true;
    return payload;
}

nq_payload *nq_payload_copy(nq_bytes bytes) {
    nq_payload *payload = payload_new(bytes.size);
    if (payload == NULL) {
        return NULL;
    }
    if (bytes.size > 0) {
        memcpy(payload->body, bytes.data, bytes.size);
    }
    return nq_payload_seal(payload, bytes.size);
}

nq_payload *nq_payload_join(nq_payload *const *parts, size_t count) {
    NQ_ASSERT(count <= NQ_PAYLOAD_PARTS_MAX);
    bool is_whole = count > 0;
    size_t size = 0;
    for (size_t i = 0; i < count; i++) {
        is_whole = is_whole && parts[i] != NULL;
        if (parts[i] != NULL) {
            NQ_ASSERT(parts[i]->is_sealed && parts[i]->part_count == 0);
            size += parts[i]->size;
        }
    }
    nq_payload *joined = is_whole ? payload_new(count * sizeof(nq_payload *)) : NULL;
    if (joined == NULL) {
        for (size_t i = 0; i < count; i++) {
            nq_payload_release(parts[i]);
        }
        return NULL;
    }
    memcpy(joined->body, parts, count * sizeof(nq_payload *));
    joined->part_count = (uint32_t)count;
    joined->size = size;
    joined->is_sealed = true;
    return joined;
}

static const nq_payload *payload_get_part(const nq_payload *payload, size_t index) {
    nq_payload *part = NULL;
    memcpy(&part, payload->body + index * sizeof(part), sizeof(part));
    return part;
}

nq_payload *nq_payload_acquire(nq_payload *payload) {
    atomic_fetch_add_explicit(&payload->references, 1, memory_order_relaxed);
    return payload;
}

void nq_payload_release(nq_payload *payload) {
    if (payload == NULL ||
        atomic_fetch_sub_explicit(&payload->references, 1, memory_order_acq_rel) != 1) {
        return;
    }
    for (uint32_t i = 0; i < payload->part_count; i++) {
        nq_payload_release((nq_payload *)payload_get_part(payload, i));
    }
    nq_heap_free(payload);
}

size_t nq_payload_size(const nq_payload *payload) {
    return payload->size;
}

size_t nq_payload_part_count(const nq_payload *payload) {
    return payload->part_count == 0 ? 1 : payload->part_count;
}

nq_bytes nq_payload_part(const nq_payload *payload, size_t index) {
    if (payload->part_count == 0) {
        NQ_ASSERT(index == 0);
        return nq_bytes_of(payload->body, payload->size);
    }
    NQ_ASSERT(index < payload->part_count);
    const nq_payload *part = payload_get_part(payload, index);
    return nq_bytes_of(part->body, part->size);
}
