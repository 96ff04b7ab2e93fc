/* Cache: queues of slots, marks and counters; the policies say what to do with them. */
#include "engine/storage/cache/cache.h"

#include "engine/ground/base/assert.h"
#include "engine/ground/base/heap.h"
#include "engine/storage/cache/cache_internal.h"

enum {
    SMALL_SHARE = 10,       /* one slot in ten is on probation */
    REFRACTORY_SHARE = 100, /* hits within the time that turns over one slot in a hundred are one */
};

static const nq__cache_rules *const rules_of[NQ_CACHE_POLICY_COUNT] = {
    [NQ_CACHE_S3FIFO] = &nq__cache_s3fifo,
    [NQ_CACHE_CLOCK] = &nq__cache_clock,
    [NQ_CACHE_LRU] = &nq__cache_lru,
    [NQ_CACHE_S3FIFO_PLAIN] = &nq__cache_s3fifo_plain,
};

static nq__cache *body_of(nq_cache *cache) {
    return (nq__cache *)(void *)cache;
}

const char *nq_cache_policy_name(nq_cache_policy policy) {
    return rules_of[policy]->name;
}

bool nq_cache_policy_find(const char *name, nq_cache_policy *out_policy) {
    for (nq_cache_policy policy = 0; policy < NQ_CACHE_POLICY_COUNT; policy++) {
        if (strcmp(name, rules_of[policy]->name) == 0) {
            *out_policy = policy;
            return true;
        }
    }
    return false;
}

/* ---- Life ---- */

/* The ghost remembers as many as the main queue holds. */
static uint32_t ghost_room(uint32_t slot_count) {
    return slot_count - slot_count / SMALL_SHARE;
}

size_t nq_cache_bytes(nq_cache_policy policy, uint32_t slot_count) {
    size_t bytes = sizeof(nq__cache) + slot_count * (sizeof(nq__link) + sizeof(uint8_t));
    return bytes + (rules_of[policy]->has_ghost ? nq__ghost_bytes(ghost_room(slot_count)) : 0);
}

nq_status nq_cache_create(nq_ctx *ctx, nq_cache_policy policy, uint32_t slot_count,
                          nq_cache_mark *marks, size_t mark_stride, nq_cache **out_cache) {
    NQ_ASSERT(slot_count != 0 && slot_count < NQ_CACHE_NO_SLOT);
    *out_cache = NULL;
    const nq__cache_rules *rules = rules_of[policy];
    nq__cache *cache = nq_heap_alloc_aligned(NQ__CACHE_LINE_BYTES, sizeof *cache);
    if (cache == NULL) {
        return nq_fail_no_memory(ctx, "the order of the page cache");
    }
    *cache = (nq__cache){.head = {.count_max = rules->count_max},
                         .rules = rules,
                         .marks = (uint8_t *)marks,
                         .mark_stride = mark_stride,
                         .slot_count = slot_count};
    void *ghost = NULL;
    cache->links = nq_heap_calloc(slot_count, sizeof *cache->links);
    cache->queue_of = nq_heap_calloc(slot_count, sizeof *cache->queue_of);
    if (rules->has_ghost) {
        ghost = nq_heap_calloc(nq__ghost_bytes(ghost_room(slot_count)), 1);
        nq__ghost_init(&cache->ghost, ghost, ghost_room(slot_count));
    }
    if (cache->links == NULL || cache->queue_of == NULL || (rules->has_ghost && ghost == NULL)) {
        nq_cache_destroy(&cache->head);
        return nq_fail_no_memory(ctx, "the order of the page cache");
    }
    nq_cache_set_capacity(&cache->head, slot_count);
    *out_cache = &cache->head;
    return NQ_OK;
}

void nq_cache_destroy(nq_cache *cache) {
    if (cache == NULL) {
        return;
    }
    nq__cache *body = body_of(cache);
    nq_heap_free(body->links);
    nq_heap_free(body->queue_of);
    nq_heap_free(body->ghost.entries);
    nq_heap_free(body);
}

void nq_cache_set_capacity(nq_cache *cache, uint32_t slot_count) {
    nq__cache *body = body_of(cache);
    NQ_ASSERT(slot_count <= body->slot_count);
    body->small_max = slot_count < SMALL_SHARE ? 1 : slot_count / SMALL_SHARE;
    uint32_t period = body->rules->has_refractory_period ? slot_count / REFRACTORY_SHARE : 0;
    atomic_store_explicit(&body->refractory_period, period, memory_order_relaxed);
    body->ghost.room = ghost_room(slot_count);
}

/* ---- Marks ---- */

bool nq__cache_count_hit(nq_cache *cache, nq_cache_mark *mark) {
    nq__cache *body = body_of(cache);
    if (body->rules->is_ordered_by_hits) {
        return true;
    }
    uint32_t word = atomic_load_explicit(&mark->word, memory_order_relaxed);
    uint32_t period = atomic_load_explicit(&body->refractory_period, memory_order_relaxed);
    uint32_t now = 0;
    if (period != 0) {
        now = atomic_load_explicit(&body->clock, memory_order_relaxed) << NQ__CACHE_COUNT_BITS;
        uint32_t age = (now - (word & ~(uint32_t)NQ__CACHE_COUNT_MASK)) >> NQ__CACHE_COUNT_BITS;
        if (age < period) {
            return false;
        }
    }
    uint32_t count = (word & NQ__CACHE_COUNT_MASK) + 1;
    if (count <= cache->count_max) {
        atomic_store_explicit(&mark->word, now | count, memory_order_relaxed);
    }
    return false;
}

void nq__cache_discount(nq__cache *cache, uint32_t slot, uint32_t count) {
    nq_cache_mark *mark = nq__cache_mark(cache, slot);
    uint32_t word = atomic_load_explicit(&mark->word, memory_order_relaxed);
    uint32_t counted = word & NQ__CACHE_COUNT_MASK;
    word -= count < counted ? count : counted;
    atomic_store_explicit(&mark->word, word, memory_order_relaxed);
}

/* ---- Queues ---- */

void nq__cache_enqueue(nq__cache *cache, uint32_t queue, uint32_t slot) {
    NQ_ASSERT(cache->queue_of[slot] == NQ__QUEUE_NONE); /* C1 */
    nq__queue *q = &cache->queues[queue];
    cache->links[slot] = (nq__link){.older = q->head};
    if (q->head != 0) {
        cache->links[q->head - 1].newer = slot + 1;
    } else {
        q->tail = slot + 1;
    }
    q->head = slot + 1;
    q->count++;
    cache->queue_of[slot] = (uint8_t)queue;
}

void nq__cache_dequeue(nq__cache *cache, uint32_t slot) {
    NQ_ASSERT(cache->queue_of[slot] != NQ__QUEUE_NONE); /* C1 */
    nq__queue *q = &cache->queues[cache->queue_of[slot]];
    nq__link link = cache->links[slot];
    *(link.newer != 0 ? &cache->links[link.newer - 1].older : &q->head) = link.older;
    *(link.older != 0 ? &cache->links[link.older - 1].newer : &q->tail) = link.newer;
    q->count--;
    cache->queue_of[slot] = NQ__QUEUE_NONE;
}

void nq__cache_requeue(nq__cache *cache, uint32_t queue, uint32_t slot) {
    nq__cache_dequeue(cache, slot);
    nq__cache_enqueue(cache, queue, slot);
}

/* ---- What the owner says ---- */

bool nq_cache_insert(nq_cache *cache, uint32_t slot, uint32_t id) {
    nq__cache *body = body_of(cache);
    bool is_known = body->rules->has_ghost && nq__ghost_take(&body->ghost, id);
    body->ghost_hits += is_known;
    uint32_t now = (uint32_t)++body->insertions;
    atomic_store_explicit(&body->clock, now, memory_order_relaxed);
    /* As if the last hit were long ago: the first to come counts. */
    uint32_t period = atomic_load_explicit(&body->refractory_period, memory_order_relaxed);
    uint32_t rested = (now - period) << NQ__CACHE_COUNT_BITS;
    atomic_store_explicit(&nq__cache_mark(body, slot)->word, rested, memory_order_relaxed);
    /* What comes back so soon has proved itself. */
    nq__cache_enqueue(body, is_known ? NQ__QUEUE_MAIN : body->rules->first_queue, slot);
    return is_known;
}

void nq_cache_insert_like(nq_cache *cache, uint32_t slot, uint32_t model) {
    nq__cache *body = body_of(cache);
    NQ_ASSERT(body->queue_of[model] != NQ__QUEUE_NONE);
    uint32_t word = atomic_load_explicit(&nq__cache_mark(body, model)->word, memory_order_relaxed);
    atomic_store_explicit(&nq__cache_mark(body, slot)->word, word, memory_order_relaxed);
    nq__cache_enqueue(body, body->queue_of[model], slot);
}

void nq_cache_move(nq_cache *cache, uint32_t from, uint32_t to) {
    nq__cache *body = body_of(cache);
    nq__queue *q = &body->queues[body->queue_of[from]];
    nq__link link = body->links[from];
    NQ_ASSERT(body->queue_of[from] != NQ__QUEUE_NONE && body->queue_of[to] == NQ__QUEUE_NONE);
    uint32_t word = atomic_load_explicit(&nq__cache_mark(body, from)->word, memory_order_relaxed);
    atomic_store_explicit(&nq__cache_mark(body, to)->word, word, memory_order_relaxed);
    body->links[to] = link;
    *(link.newer != 0 ? &body->links[link.newer - 1].older : &q->head) = to + 1;
    *(link.older != 0 ? &body->links[link.older - 1].newer : &q->tail) = to + 1;
    body->queue_of[to] = body->queue_of[from];
    body->queue_of[from] = NQ__QUEUE_NONE;
}

void nq_cache_promote(nq_cache *cache, uint32_t slot) {
    nq__cache *body = body_of(cache);
    if (body->queue_of[slot] != NQ__QUEUE_NONE) {
        nq__cache_requeue(body, body->queue_of[slot], slot);
    }
}

uint32_t nq_cache_choose(nq_cache *cache, nq_cache_may_go may_go, void *user) {
    return body_of(cache)->rules->choose(body_of(cache), may_go, user);
}

void nq_cache_evict(nq_cache *cache, uint32_t slot, uint32_t id) {
    nq__cache *body = body_of(cache);
    if (body->rules->leave != NULL) {
        body->rules->leave(body, slot, id);
    }
    nq__cache_dequeue(body, slot);
    body->evictions++;
}

void nq_cache_turn_away(nq_cache *cache, uint32_t id) {
    nq__cache *body = body_of(cache);
    if (body->rules->has_ghost) {
        nq__ghost_add(&body->ghost, id);
    }
}

void nq_cache_lend(nq_cache *cache, uint32_t slot, uint32_t id) {
    nq_cache_turn_away(cache, id);
    nq__cache_dequeue(body_of(cache), slot);
}

bool nq_cache_remembers(const nq_cache *cache, uint32_t id) {
    const nq__cache *body = (const nq__cache *)(const void *)cache;
    return body->rules->has_ghost && nq__ghost_has(&body->ghost, id);
}

void nq_cache_remove(nq_cache *cache, uint32_t slot) {
    nq__cache_dequeue(body_of(cache), slot);
}

void nq_cache_peek(nq_cache *cache, uint32_t count, void (*visit)(void *user, uint32_t slot),
                   void *user) {
    nq__cache *body = body_of(cache);
    for (uint32_t queue = NQ__QUEUE_COUNT - 1; queue > NQ__QUEUE_NONE; queue--) {
        uint32_t slot = body->queues[queue].tail;
        for (; slot != 0 && count != 0; count--) {
            visit(user, slot - 1);
            slot = body->links[slot - 1].newer;
        }
    }
}

nq_cache_stats nq_cache_get_stats(const nq_cache *cache) {
    const nq__cache *body = (const nq__cache *)(const void *)cache;
    return (nq_cache_stats){body->insertions, body->evictions, body->ghost_hits};
}
