/* Frames: which of them hold pages, are spare, or have given their memory back.
 *
 *     never used --> live: a page's, or spare --> retired
 *                      ^                             |
 *                      +-----------------------------+
 *
 * The budget says how many may be live. When it shrinks, frames that lose their page retire until
 * enough have. A frame without a page is EXCLUSIVE, whoever holds it. */
#include "engine/ground/os/memory.h"
#include "engine/storage/buffer/pool_internal.h"

static uint32_t pop(nq_frame_stack *stack) {
    return stack->slots[--stack->count];
}

static void push(nq_frame_stack *stack, uint32_t slot) {
    stack->slots[stack->count++] = slot;
}

/* Under the lock: a frame that is not live becomes so. */
static nq_frame *enliven(nq_pool *pool) {
    pool->live_count++;
    if (pool->retired.count != 0) {
        return &pool->frames[pop(&pool->retired)];
    }
    nq_frame *frame = &pool->frames[atomic_load(&pool->used_count)];
    atomic_fetch_add(&pool->used_count, 1);
    atomic_fetch_add(&frame->state, (uint32_t)NQ__FRAME_EXCLUSIVE);
    return frame;
}

nq_frame *nq__pool_take_spare(nq_pool *pool) {
    nq_frame *frame = NULL;
    nq_mutex_lock(&pool->free_mutex);
    if (pool->spare.count != 0) {
        frame = &pool->frames[pop(&pool->spare)];
    } else if (pool->live_count < pool->live_max) {
        frame = enliven(pool);
    }
    nq_mutex_unlock(&pool->free_mutex);
    return frame;
}

bool nq__pool_retire_excess(nq_pool *pool, nq_frame *frame) {
    nq_mutex_lock(&pool->free_mutex);
    bool is_excess = pool->live_count > pool->live_max;
    if (is_excess) {
        /* Before anybody else can have it. */
        nq_memory_discard(nq__frame_page(pool, frame), NQ_PAGE_BYTES);
        push(&pool->retired, nq__frame_slot(pool, frame));
        pool->live_count--;
    }
    nq_mutex_unlock(&pool->free_mutex);
    return is_excess;
}

bool nq__pool_has_excess(nq_pool *pool) {
    nq_mutex_lock(&pool->free_mutex);
    bool has = pool->live_count > pool->live_max;
    nq_mutex_unlock(&pool->free_mutex);
    return has;
}

void nq__pool_give_frame(nq_pool *pool, nq_frame *frame) {
    if (nq__pool_retire_excess(pool, frame)) {
        return;
    }
    nq_mutex_lock(&pool->free_mutex);
    push(&pool->spare, nq__frame_slot(pool, frame));
    nq_mutex_unlock(&pool->free_mutex);
}
