/* Pool: the pages of the data file, cached in a fixed number of frames.
 *
 * A page is read once, checked (storage/pager) and then shared:
 * published pages never change, so readers need a pin and no latch. The only pages that change are
 * those of the running commit, which nobody else can reach. A dirty page may be written at any
 * time: nothing on disk points to it before the next superblock.
 *
 * A hit takes no lock: it follows the page table with atomic loads, raises the frame's pin count
 * and looks again whose frame it is. Misses, eviction (storage/cache says which page goes) and disk
 * I/O hold no lock over another page. README.md states the invariants. */
#ifndef NQ_STORAGE_BUFFER_POOL_H
#define NQ_STORAGE_BUFFER_POOL_H

#include "engine/ground/base/ctx.h"
#include "engine/storage/cache/cache.h"
#include "engine/storage/pager/pager.h"

typedef struct nq_pool nq_pool;

/* A page held in memory, until unpinned. `page` NULL: none. */
typedef struct nq_pin {
    nq_page *page;
    uint32_t frame;
} nq_pin;

/* Frames there are at least, whatever the budget. */
enum { NQ_POOL_FRAMES_MIN = 64 };

typedef struct nq_pool_options {
    uint64_t cache_bytes; /* for frames, the pool's tables, and what is charged to it */
    nq_cache_policy policy;
} nq_pool_options;

/* Nothing that grows is allocated later. */
nq_status nq_pool_create(nq_ctx *ctx, nq_pager *pager, const nq_pool_options *options,
                         nq_pool **out_pool);

/* Others of the store hold so many bytes more (or, negative, less) within the pool's budget. Frames
 * make room for them at once as far as they are clean and nobody's; the rest follows. False: the
 * budget is less than that and the least frames. */
bool nq_pool_charge(nq_pool *pool, int64_t bytes);

/* Does not write anything. No page is pinned any more. */
void nq_pool_destroy(nq_pool *pool);

/* Pins the page, reading it if need be. Fails with NQ_PAGE_CORRUPT, NQ_IO_ERROR, or NQ_MEMORY_LIMIT
 * when every frame is pinned. */
nq_status nq_pool_pin(nq_ctx *ctx, nq_pool *pool, nq_page_ref ref, nq_pin *out_pin);

/* A new page, pinned, initialised and dirty; the caller alone may change it while it is of the
 * running generation. */
nq_status nq_pool_pin_new(nq_ctx *ctx, nq_pool *pool, nq_page_id id, uint64_t generation,
                          nq_page_kind kind, nq_pin *out_pin);

/* A new page likewise, whose content is that of `source`, an older generation of it. */
nq_status nq_pool_pin_copy(nq_ctx *ctx, nq_pool *pool, nq_page_id id, uint64_t generation,
                           const nq_page *source, nq_pin *out_pin);

/* A new page likewise, in the frame of an older generation of it that hardly anybody will read
 * again: nothing is copied, and the older page is only where it is stored. False, and nothing has
 * changed: it is dirty, or pinned by others than the caller. */
bool nq_pool_rename(nq_pool *pool, nq_pin pin, nq_page_id id, uint64_t generation);

/* Before changing a page of the running generation: whatever was written of it is out of date. */
void nq_pool_mark_dirty(nq_pool *pool, nq_pin pin);

/* Clears *pin; a pin of nothing is allowed. */
void nq_pool_unpin(nq_pool *pool, nq_pin *pin);

/* ---- Views ----
 *
 * A view shows a page that is in memory without a pin: it writes nothing, so threads that read one
 * page do not disturb each other. In exchange the frame may be given to another page at any moment.
 * Whatever is read may then be nonsense, and nq_pool_view_end says so: until it has said that the
 * view was good, what was seen may be copied and computed with, but not believed. For a few hundred
 * instructions that end and stay inside the page whatever they read (page/node.h, "Search").
 *
 *     bool has_failed = false;
 *     do {
 *         NQ_TRY(nq_pool_view_begin(ctx, pool, ref, has_failed, &view));
 *         answer = f(view.page);
 *         has_failed = !nq_pool_view_end(pool, &view);
 *     } while (has_failed); */
typedef struct nq_view {
    const nq_page *page;
    uint32_t frame;
    uint32_t version; /* of the frame, when the view began */
    bool is_pinned;   /* then it cannot fail */
} nq_view;

/* Shows the page; pins it if it must be read first, or if a view of it `has_failed` just before.
 * Fails like nq_pool_pin. A view counts as a hit only if it is pinned (nq_pool_count_hits). */
nq_status nq_pool_view_begin(nq_ctx *ctx, nq_pool *pool, nq_page_ref ref, bool has_failed,
                             nq_view *out_view);

/* Whether what was seen is what the page holds. */
bool nq_pool_view_end(nq_pool *pool, nq_view *view);

/* Pages seen through views that were not pinned. */
void nq_pool_count_hits(nq_pool *pool, uint32_t count);

/* These pages, at most NQ_PAGER_AHEAD_MAX, will be asked for soon: those that are on disk are asked
 * of it, so that it can fetch them meanwhile. Reads nothing, waits for nothing, promises nothing.
 */
void nq_pool_read_ahead(nq_pool *pool, const nq_page_ref *refs, uint32_t count);

/* The page's place in memory, to be prefetched and nothing else; NULL: it is not there. */
const nq_page *nq_pool_prefetch_address(nq_pool *pool, nq_page_ref ref);

/* The page is free: its frame is dropped, unwritten, and its image. Nobody pins it. */
void nq_pool_forget(nq_pool *pool, nq_page_id id);

/* The page stays where it is stored, but hardly anybody will read it: its frame is dropped if it is
 * idle, and its image; a dirty page's when nq_pool_write_dirty has written it. */
void nq_pool_drop(nq_pool *pool, nq_page_id id);

/* Whether fewer frames than a commit may take are at hand, memory and all. A small pool, which
 * keeps to small pages of the system, never wants any. */
bool nq_pool_wants_frames(nq_pool *pool);

/* Has the system back frames that were never used with memory until enough are at hand, within the
 * budget: what the first touch of memory costs is paid by who calls this, not by commits. */
void nq_pool_add_frames(nq_pool *pool);

/* Hands every dirty page of a generation <= `generation` to the pager, by ascending id. */
nq_status nq_pool_write_dirty(nq_ctx *ctx, nq_pool *pool, uint64_t generation,
                              uint64_t *out_pages_written);

/* Hands a page that no frame has, and that was never pinned, to the pager: a page that is complete
 * when it is made and need not be in memory. Fails as nq_pager_write does. */
nq_status nq_pool_write_past(nq_ctx *ctx, nq_pool *pool, const nq_page *page);

/* Checks the page as it is stored, unless a newer one waits in memory. `scratch` is a page of room.
 */
nq_status nq_pool_check_disk(nq_ctx *ctx, nq_pool *pool, nq_page_ref ref, nq_page *scratch);

/* Pages newer than what the pager has of them. */
uint32_t nq_pool_dirty_count(const nq_pool *pool);

typedef struct nq_pool_stats {
    uint64_t hits;      /* pins of pages that were in memory */
    uint64_t misses;    /* pins that read, or waited for another's reading */
    uint64_t evictions; /* pages that went to make room */
    uint64_t
        ghost_hits; /* pages read that had gone not long ago: a somewhat larger cache had them */
    uint64_t shelf_hits; /* of the misses, pages unpacked from memory */
    uint64_t shelf_pages, shelf_bytes;
    uint64_t pages_read, pages_written;
    uint64_t bytes_used, bytes_budget;
} nq_pool_stats;
void nq_pool_get_stats(nq_pool *pool, nq_pool_stats *out_stats);

#endif
