/* Frames: which of them hold pages, are spare, or have given their memory back.
 *
 *     never used --> live: a page's, or spare --> retired
 *                      ^                             |
 *                      +-----------------------------+
 *
 * The budget says how many may be live. When that shrinks, frames retire until few enough are left:
 * the uppermost first, whose pages move to where others have gone, so that the memory that stays is
 * whole (huge pages of the system stay huge). A frame without a page is EXCLUSIVE, whoever holds
 * it. */
#include "engine/storage/buffer/pool_internal.h"

static uint32_t pop(nq_frame_stack *stack) {
    return stack->slots[--stack->count];
}

static void push(nq_frame_stack *stack, uint32_t slot) {
    stack->slots[stack->count++] = slot;
}

/* ---- Taking and giving ---- */

/* Under the lock: a frame that is not live becomes so. */
static nq_frame *enliven(nq_pool *pool) {
    uint32_t slot;
    if (pool->retired.count != 0) {
        slot = pop(&pool->retired);
    } else {
        slot = atomic_fetch_add(&pool->used_count, 1);
        atomic_fetch_add(&pool->frames[slot].state, (uint32_t)NQ__FRAME_EXCLUSIVE);
    }
    pool->live_count++;
    pool->live_end = pool->live_end > slot ? pool->live_end : slot + 1;
    return &pool->frames[slot];
}

nq_frame *nq__pool_take_spare(nq_pool *pool) {
    nq_frame *frame = NULL;
    nq_mutex_lock(&pool->free_mutex);
    if (pool->spare.count != 0) {
        frame = &pool->frames[pop(&pool->spare)];
    } else if (pool->live_count < atomic_load(&pool->live_max)) {
        frame = enliven(pool);
    }
    nq_mutex_unlock(&pool->free_mutex);
    return frame;
}

static bool has_excess(const nq_pool *pool) {
    return pool->live_count - pool->retiring_count > atomic_load(&pool->live_max);
}

bool nq__pool_has_excess(nq_pool *pool) {
    nq_mutex_lock(&pool->free_mutex);
    bool has = has_excess(pool);
    nq_mutex_unlock(&pool->free_mutex);
    return has;
}

bool nq__pool_is_full(nq_pool *pool) {
    nq_mutex_lock(&pool->free_mutex);
    bool is_full = pool->spare.count == 0 && pool->live_count >= atomic_load(&pool->live_max);
    nq_mutex_unlock(&pool->free_mutex);
    return is_full;
}

/* Makes the frame spare. False: more are live than may be. */
static bool keep(nq_pool *pool, nq_frame *frame) {
    nq_mutex_lock(&pool->free_mutex);
    bool is_kept = !has_excess(pool);
    if (is_kept) {
        push(&pool->spare, nq__frame_slot(pool, frame));
    }
    nq_mutex_unlock(&pool->free_mutex);
    return is_kept;
}

void nq__pool_give_frame(nq_pool *pool, nq_frame *frame) {
    while (!keep(pool, frame) && !nq__pool_retire_excess(pool, frame)) {
    }
}

/* ---- The stock ---- */

/* Under the lock: memory for more frames may be asked for. What has retired comes back as it is
 * wanted: the cache has been full then. */
static bool may_stock(const nq_pool *pool) {
    return pool->retired.count == 0 && pool->live_count < atomic_load(&pool->live_max);
}

bool nq_pool_wants_frames(nq_pool *pool) {
    if (pool->stock_count == 0) {
        return false;
    }
    nq_mutex_lock(&pool->free_mutex);
    bool wants = pool->spare.count < pool->stock_count / 2 && may_stock(pool);
    nq_mutex_unlock(&pool->free_mutex);
    return wants;
}

/* Takes the never used frames of the next huge page, as far as they are wanted; returns the first,
 * and how many. */
static uint32_t take_unused(nq_pool *pool, uint32_t *out_count) {
    *out_count = 0;
    nq_mutex_lock(&pool->free_mutex);
    uint32_t first = atomic_load(&pool->used_count);
    uint32_t count_max = NQ__POOL_HUGE_FRAMES - first % NQ__POOL_HUGE_FRAMES;
    while (*out_count < count_max && pool->spare.count < pool->stock_count && may_stock(pool)) {
        (void)enliven(pool);
        ++*out_count;
    }
    nq_mutex_unlock(&pool->free_mutex);
    return first;
}

void nq_pool_add_frames(nq_pool *pool) {
    uint32_t count;
    do {
        uint32_t first = take_unused(pool, &count);
        nq_memory_populate(pool->pages + first, (size_t)count * NQ_PAGE_BYTES);
        for (uint32_t i = count; i > 0; i--) {
            nq__pool_give_frame(pool, &pool->frames[first + i - 1]); /* the lowest is next */
        }
    } while (count != 0);
}

/* ---- Retiring ---- */

/* Under the lock: the uppermost frame above `slot` whose page is clean and nobody's, EXCLUSIVE now.
 * NULL: there is none among the first few. */
static nq_frame *claim_uppermost(nq_pool *pool, uint32_t slot) {
    enum { TRIES = 64 };
    for (uint32_t i = pool->live_end, tries = 0; i > slot + 1 && tries < TRIES; i--) {
        nq_frame *frame = &pool->frames[i - 1];
        uint32_t idle = 0;
        if (atomic_load(&frame->page) == 0) {
            continue; /* spare, retired, or on its way to a page */
        }
        tries++;
        if (!atomic_compare_exchange_strong(&frame->state, &idle, NQ__FRAME_EXCLUSIVE)) {
            continue;
        }
        if (!atomic_load(&frame->is_dirty)) {
            return frame;
        }
        /* A checkpoint may have listed it. */
        atomic_fetch_sub(&frame->state, (uint32_t)NQ__FRAME_EXCLUSIVE);
    }
    return NULL;
}

/* The page of `from` is in `to` now, which anybody may pin. Both were EXCLUSIVE. */
static void move_page(nq_pool *pool, nq_frame *from, nq_frame *to) {
    uint32_t page = atomic_load(&from->page);
    memcpy(nq__frame_page(pool, to), nq__frame_page(pool, from), NQ_PAGE_BYTES);
    atomic_store(&to->generation, atomic_load(&from->generation));
    atomic_store(&to->is_dirty, false);
    atomic_store(&to->is_stored, atomic_load(&from->is_stored));
    atomic_store(&to->is_unwanted, atomic_load(&from->is_unwanted));
    nq_mutex_lock(nq__pool_stripe(pool, page));
    nq__pool_unlink(pool, from);
    nq_mutex_lock(&pool->order_mutex);
    nq_cache_move(pool->order, nq__frame_slot(pool, from), nq__frame_slot(pool, to));
    nq_mutex_unlock(&pool->order_mutex);
    nq__pool_link(pool, to, page);
    atomic_fetch_sub(&to->state, (uint32_t)NQ__FRAME_EXCLUSIVE);
    nq_mutex_unlock(nq__pool_stripe(pool, page));
}

bool nq__pool_retire_excess(nq_pool *pool, nq_frame *frame) {
    nq_mutex_lock(&pool->free_mutex);
    bool is_excess = has_excess(pool);
    nq_frame *upper = is_excess ? claim_uppermost(pool, nq__frame_slot(pool, frame)) : NULL;
    pool->retiring_count += is_excess;
    nq_mutex_unlock(&pool->free_mutex);
    if (!is_excess) {
        return false;
    }
    if (upper != NULL) {
        move_page(pool, upper, frame);
        frame = upper;
    }
    nq_memory_discard(nq__frame_page(pool, frame), NQ_PAGE_BYTES);
    uint32_t slot = nq__frame_slot(pool, frame);
    nq_mutex_lock(&pool->free_mutex);
    push(&pool->retired, slot);
    pool->retiring_count--;
    pool->live_count--;
    if (slot + 1 == pool->live_end) {
        pool->live_end--;
    }
    nq_mutex_unlock(&pool->free_mutex);
    return true;
}
