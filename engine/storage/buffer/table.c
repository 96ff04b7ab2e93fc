/* Table: which frame holds a page — chains of frames, hashed by page id.
 *
 * A chain's head says which page is first, so that a search that ends there touches no frame.
 * Changed under the stripe's lock, followed without one (nq__pool_find_unlocked). */
#include "engine/ground/base/assert.h"
#include "engine/storage/buffer/pool_internal.h"

static uint64_t head_word(const nq_pool *pool, const nq_frame *frame, uint32_t page) {
    return (uint64_t)page << 32 | (nq__frame_slot(pool, frame) + 1);
}

nq_frame *nq__pool_find(nq_pool *pool, uint32_t page) {
    uint32_t index = (uint32_t)atomic_load(&pool->buckets[nq__pool_bucket(pool, page)]);
    while (index != 0) {
        nq_frame *frame = &pool->frames[index - 1];
        if (atomic_load(&frame->page) == page) {
            return frame;
        }
        index = atomic_load(&frame->next);
    }
    return NULL;
}

void nq__pool_link(nq_pool *pool, nq_frame *frame, uint32_t page) {
    _Atomic uint64_t *bucket = &pool->buckets[nq__pool_bucket(pool, page)];
    atomic_store(&frame->page, page);
    atomic_store(&frame->next, (uint32_t)atomic_load(bucket));
    atomic_store(bucket, head_word(pool, frame, page));
}

static void unlink_head(nq_pool *pool, _Atomic uint64_t *bucket, const nq_frame *frame) {
    uint32_t next = atomic_load(&frame->next);
    const nq_frame *heir = next == 0 ? NULL : &pool->frames[next - 1];
    atomic_store(bucket, heir == NULL ? 0 : head_word(pool, heir, atomic_load(&heir->page)));
}

static void unlink_behind(nq_pool *pool, nq_frame *before, const nq_frame *frame) {
    uint32_t own = nq__frame_slot(pool, frame) + 1;
    while (atomic_load(&before->next) != own) {
        NQ_ASSERT(atomic_load(&before->next) != 0);
        before = &pool->frames[atomic_load(&before->next) - 1];
    }
    atomic_store(&before->next, atomic_load(&frame->next));
}

void nq__pool_unlink(nq_pool *pool, nq_frame *frame) {
    uint32_t page = atomic_load(&frame->page);
    _Atomic uint64_t *bucket = &pool->buckets[nq__pool_bucket(pool, page)];
    uint32_t first = (uint32_t)atomic_load(bucket);
    NQ_ASSERT(first != 0);
    if (first == nq__frame_slot(pool, frame) + 1) {
        unlink_head(pool, bucket, frame);
    } else {
        unlink_behind(pool, &pool->frames[first - 1], frame);
    }
    atomic_store(&frame->page, 0);
    nq__frame_renew(frame); /* P9 */
}

void nq__pool_unlist(nq_pool *pool, nq_frame *frame) {
    uint32_t page = atomic_load(&frame->page);
    nq_mutex_lock(nq__pool_stripe(pool, page));
    nq__pool_unlink(pool, frame); /* P1 */
    nq_mutex_unlock(nq__pool_stripe(pool, page));
}
