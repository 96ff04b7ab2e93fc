/* Simulate: a cache of empty slots, driven as the pool drives it. */
#include "tests/engine/storage/cache/simulate.h"

#include <stdlib.h>

typedef struct simulation {
    nq_cache *cache;
    nq_cache_mark *marks;
    uint32_t *slot_of; /* by id: slot + 1; 0: not there */
    uint32_t *id_of;   /* by slot */
    uint32_t filled;
    uint32_t capacity;
} simulation;

static void *zeroed(size_t count, size_t bytes) {
    void *memory = calloc(count, bytes);
    if (memory == NULL) {
        abort();
    }
    return memory;
}

static void begin(simulation *s, nq_cache_policy policy, const trace *t, uint32_t capacity) {
    *s = (simulation){.capacity = capacity};
    s->marks = zeroed(capacity, sizeof *s->marks);
    s->slot_of = zeroed(t->id_count + 1, sizeof *s->slot_of);
    s->id_of = zeroed(capacity, sizeof *s->id_of);
    nq_ctx ctx;
    nq_ctx_init(&ctx, NULL);
    if (nq_cache_create(&ctx, policy, capacity, s->marks, sizeof *s->marks, &s->cache) != NQ_OK) {
        abort();
    }
}

static void end(simulation *s) {
    nq_cache_destroy(s->cache);
    free(s->marks);
    free(s->slot_of);
    free(s->id_of);
}

static bool always(void *user, uint32_t slot) {
    (void)user;
    (void)slot;
    return true;
}

/* True: it was there. */
static bool ask(simulation *s, uint32_t id) {
    if (s->slot_of[id] != 0) {
        uint32_t slot = s->slot_of[id] - 1;
        if (nq_cache_touch(s->cache, &s->marks[slot])) {
            nq_cache_promote(s->cache, slot);
        }
        return true;
    }
    uint32_t slot = s->filled;
    if (s->filled < s->capacity) {
        s->filled++;
    } else {
        slot = nq_cache_choose(s->cache, always, NULL);
        nq_cache_evict(s->cache, slot, s->id_of[slot]);
        s->slot_of[s->id_of[slot]] = 0;
    }
    nq_cache_insert(s->cache, slot, id);
    s->id_of[slot] = id;
    s->slot_of[id] = slot + 1;
    return false;
}

uint64_t simulate(nq_cache_policy policy, const trace *t, uint32_t capacity) {
    simulation s;
    begin(&s, policy, t, capacity);
    uint64_t hits = 0;
    for (size_t i = 0; i < t->count; i++) {
        hits += ask(&s, t->ids[i]);
    }
    end(&s);
    return hits;
}

void simulate_each(nq_cache_policy policy, const trace *t, uint32_t capacity, bool *out_hits) {
    simulation s;
    begin(&s, policy, t, capacity);
    for (size_t i = 0; i < t->count; i++) {
        out_hits[i] = ask(&s, t->ids[i]);
    }
    end(&s);
}
