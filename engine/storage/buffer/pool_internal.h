/* What the pool's files share: frames, their states, and who may do what to them.
 *
 *             claim (no pins)              insert              read and checked
 *   resident ----------------> EXCLUSIVE ----------> LOADING ------------------> resident
 *      |  ^                        ^
 *      |  | written                | still nobody else's
 *      v  |                        |
 *     WRITING ---------------------+
 *
 * P1 A frame's page id changes only while it is EXCLUSIVE, under its bucket's lock.
 * P2 A pin taken on a frame that is EXCLUSIVE, or that has another page, is taken back at once;
 * flags are therefore added and subtracted, never stored. P3 The bytes of a resident page change
 * only under the pin of the running commit's writer, which waits for WRITING to end and marks the
 * page dirty first. P4 `is_dirty` is cleared before the write begins, so a change made after it is
 * not lost. P5 No lock is held during I/O. P6 A frame is in the order exactly while it is in the
 * page table, but for moments when it is EXCLUSIVE. P9 A frame's version changes after its page has
 * left the table and before its bytes do. */
#ifndef NQ_STORAGE_BUFFER_POOL_INTERNAL_H
#define NQ_STORAGE_BUFFER_POOL_INTERNAL_H

#include <stdatomic.h>

#include "engine/ground/os/memory.h"
#include "engine/ground/os/mutex.h"
#include "engine/storage/buffer/pool.h"
#include "engine/storage/cache/balance.h"
#include "engine/storage/cache/cache.h"
#include "engine/storage/cache/shelf.h"

enum {
    NQ__FRAME_PINS = 0x00ffffff,
    NQ__FRAME_WRITING = 1 << 24,
    NQ__FRAME_LOADING = 1 << 25,
    NQ__FRAME_EXCLUSIVE = 1 << 26,
    NQ__POOL_STRIPES = 64,
    NQ__POOL_COUNTERS = 16,
    NQ__POOL_HUGE_FRAMES = NQ_MEMORY_HUGE_BYTES / NQ_PAGE_BYTES,
};

typedef struct nq_frame {
    _Atomic uint32_t state; /* pins and flags */
    _Atomic uint32_t page;  /* id; 0: none */
    _Atomic uint32_t next;  /* in its bucket: frame index + 1; 0: last */
    nq_cache_mark mark;
    _Atomic uint64_t generation;
    _Atomic uint32_t version; /* how many pages have left the frame */
    _Atomic bool is_dirty;
    _Atomic bool is_stored;   /* the pager has, or may have, an image of the page */
    _Atomic bool is_unwanted; /* the page was to be dropped, but is dirty */
} nq_frame;

static_assert(sizeof(nq_frame) == 32, "two frames to a cache line");

/* One cache line, so that threads count without sharing. */
typedef struct nq_pool_counters {
    _Atomic uint64_t hits;
    _Atomic uint64_t misses;
    _Atomic uint64_t pages_read;
    _Atomic uint64_t pages_written;
    uint8_t padding[32];
} nq_pool_counters;

/* Frames without a page, which are EXCLUSIVE; room for all there are. */
typedef struct nq_frame_stack {
    uint32_t *slots;
    uint32_t count;
} nq_frame_stack;

typedef struct nq_pool_stripe {
    nq_mutex mutex;
} nq_pool_stripe;

struct nq_pool {
    nq_pager *pager;
    nq_page *pages; /* frame_count of them */
    nq_frame *frames;
    uint32_t frame_count;
    uint32_t stock_count; /* frames that should be at hand; 0: memory comes in small pages */
    uint64_t budget_bytes;
    uint64_t grant_bytes;           /* a step of what is granted to others */
    _Atomic uint64_t granted_bytes; /* changed under the shelf's lock */
    _Atomic uint64_t pager_bytes;   /* of what is charged, the pager's */
    uint64_t table_bytes;           /* what the pool takes beside frames */
    _Atomic uint64_t charged_bytes; /* by others; written often */
    uint32_t bucket_mask;
    _Atomic uint64_t *buckets;   /* the chain's first: page id << 32 | frame index + 1 */
    _Atomic uint32_t used_count; /* frames ever used */
    _Atomic uint32_t dirty_count;
    nq_pool_stripe stripes[NQ__POOL_STRIPES];
    nq_mutex load_mutex;
    nq_cond loaded;
    _Atomic bool is_shelf_open; /* changed under the lock, as the next */
    _Atomic bool has_weighed;   /* the balance's */
    nq_mutex shelf_mutex;       /* guards what follows */
    nq_shelf *shelf;            /* NULL: the budget is too small for one */
    nq_balance balance;         /* of what is left for pages and images */
    nq_mutex free_mutex;        /* guards what follows */
    nq_frame_stack spare;
    nq_frame_stack retired;
    uint32_t live_count;       /* frames that have memory, */
    uint32_t retiring_count;   /* of these, about to lose it */
    uint32_t live_end;         /* no frame from here on has */
    _Atomic uint32_t live_max; /* changed under the lock */
    nq_mutex order_mutex;
    nq_cache *order; /* slot i is frame i */
    nq_pool_counters counters[NQ__POOL_COUNTERS];
};

nq_pool_counters *nq__pool_counters(nq_pool *pool);

/* Whether the frame's page is newer than what the pager has. */
static inline void nq__frame_set_dirty(nq_pool *pool, nq_frame *frame, bool is_dirty) {
    bool was_dirty = atomic_exchange(&frame->is_dirty, is_dirty);
    if (was_dirty != is_dirty) {
        atomic_fetch_add_explicit(&pool->dirty_count, is_dirty ? 1u : UINT32_MAX,
                                  memory_order_relaxed);
    }
}

nq_mutex *nq__pool_stripe(nq_pool *pool, uint32_t page);

/* Ids are dense, so neighbours share a line of the table and seldom a bucket. */
static inline uint32_t nq__pool_bucket(const nq_pool *pool, uint32_t page) {
    return page & pool->bucket_mask;
}

/* Under the page's stripe lock. */
nq_frame *nq__pool_find(nq_pool *pool, uint32_t page);
void nq__pool_link(nq_pool *pool, nq_frame *frame, uint32_t page);
void nq__pool_unlink(nq_pool *pool, nq_frame *frame);

/* Takes an EXCLUSIVE frame's page out of the table. */
void nq__pool_unlist(nq_pool *pool, nq_frame *frame);

static inline uint32_t nq__frame_slot(const nq_pool *pool, const nq_frame *frame) {
    return (uint32_t)(frame - pool->frames);
}

static inline nq_page *nq__frame_page(const nq_pool *pool, const nq_frame *frame) {
    return pool->pages + (frame - pool->frames);
}

/* Under ThreadSanitizer, which cannot know that what a failed view has read is thrown away, every
 * view is a pin. */
#if defined(__SANITIZE_THREAD__)
enum { NQ__VIEWS_PIN = 1 };
#else
enum { NQ__VIEWS_PIN = 0 };
#endif

/* P9: orders the new version behind what was done to the frame before, and ahead of every byte
 * stored to its page after. (ThreadSanitizer knows no fences, and needs none here.) */
static inline void nq__frame_renew(nq_frame *frame) {
    atomic_fetch_add_explicit(&frame->version, 1, memory_order_release);
#if !defined(__SANITIZE_THREAD__)
    atomic_thread_fence(memory_order_release);
#endif
}

/* Whether everything read from the page until now was the page of this version. */
static inline bool nq__frame_is_of_version(nq_frame *frame, uint32_t version) {
#if !defined(__SANITIZE_THREAD__)
    atomic_thread_fence(memory_order_acquire);
#endif
    return atomic_load_explicit(&frame->version, memory_order_relaxed) == version;
}

/* The frame that the table names for the page. Unlocked: the chain may change under our feet, which
 * at worst looks like a miss; that the frame is still the page's is for the caller to find out. */
static inline nq_frame *nq__pool_find_unlocked(const nq_pool *pool, uint32_t page) {
    enum { STEPS_MAX = 32 };
    uint64_t head =
        atomic_load_explicit(&pool->buckets[nq__pool_bucket(pool, page)], memory_order_acquire);
    uint32_t index = (uint32_t)head;
    if (index == 0 || (uint32_t)(head >> 32) == page) {
        return index == 0 ? NULL : &pool->frames[index - 1];
    }
    for (uint32_t step = 0; step < STEPS_MAX; step++) {
        index = atomic_load_explicit(&pool->frames[index - 1].next, memory_order_acquire);
        if (index == 0) {
            return NULL;
        }
        nq_frame *frame = &pool->frames[index - 1];
        if (atomic_load_explicit(&frame->page, memory_order_relaxed) == page) {
            return frame;
        }
    }
    return NULL;
}

/* The page asked for again is worth more, unless that is known. */
static inline void nq__pool_touch(nq_pool *pool, nq_frame *frame) {
    if (nq_cache_touch(pool->order, &frame->mark) && nq_mutex_try_lock(&pool->order_mutex)) {
        nq_cache_promote(pool->order, nq__frame_slot(pool, frame));
        nq_mutex_unlock(&pool->order_mutex);
    }
}

/* ---- evict.c ---- */

/* A frame without a page, EXCLUSIVE to the caller; writes out and evicts if it must. */
nq_status nq__pool_take_frame(nq_ctx *ctx, nq_pool *pool, nq_frame **out_frame);

/* Spare frames retire, then clean pages go, as long as more frames are live than may be. */
void nq__pool_trim(nq_pool *pool);

/* ---- frames.c: frames without a page, EXCLUSIVE to the caller ---- */

/* NULL: a page must go first. */
nq_frame *nq__pool_take_spare(nq_pool *pool);

/* The frame may be used by anybody, or retires. */
void nq__pool_give_frame(nq_pool *pool, nq_frame *frame);

/* False: no more frames are live than may be; the frame stays the caller's. */
bool nq__pool_retire_excess(nq_pool *pool, nq_frame *frame);
bool nq__pool_has_excess(nq_pool *pool);
/* A page must go before another one comes. */
bool nq__pool_is_full(nq_pool *pool);

/* ---- budget.c ---- */

/* Decides how many frames there are, and makes the shelf. */
nq_status nq__budget_init(nq_ctx *ctx, nq_pool *pool, const nq_pool_options *options);
void nq__budget_get_stats(nq_pool *pool, nq_pool_stats *out_stats);

/* Frames and shelf get what the balance says of what is left for them. */
void nq__budget_share(nq_pool *pool);
/* Charges what the pager has come to hold. */
void nq__budget_follow_pager(nq_pool *pool);

/* ---- shelve.c: compressed images; the caller has the page to itself (H2) ---- */

/* Unpacks the page. False: the shelf has no image of it. `was_ghost`: it left its frame not long
 * ago. */
bool nq__shelf_fetch(nq_pool *pool, uint32_t page, bool was_ghost, nq_page *out_page);
/* The page was read from the file. */
void nq__shelf_note_read(nq_pool *pool, uint32_t page, bool was_ghost);
/* The page was written as this image; NULL: and keeps its frame. */
void nq__shelf_note_write(nq_pool *pool, uint32_t page, const nq_pager_image *image);
/* The frame's clean page is about to leave it. */
void nq__shelf_keep(nq_pool *pool, const nq_frame *frame);
void nq__shelf_forget(nq_pool *pool, uint32_t page);
/* Anybody may ask; it may change at any moment. */
bool nq__shelf_has(nq_pool *pool, uint32_t page);

/* ---- pool.c ---- */

/* Pins the page if it is in memory and whole; NULL otherwise. Takes no lock. */
nq_frame *nq__pool_pin_resident(nq_pool *pool, uint32_t page);

/* Waits for a moment, in a loop that waits for another thread's few steps; *round counts them. */
void nq__pool_pause(uint32_t *round);

#endif
