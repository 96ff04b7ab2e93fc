/* Shelf: compressed images of things that have left memory, kept in memory while there is room.
 *
 * An image is kept in cells of 512 bytes, wherever some are free, so nothing fragments. Cells have
 * memory from their first use on until the shelf shrinks. Which image goes when room is needed is
 * S3-FIFO's choice (cache.h), and so is which newcomer is worth another's room: one that was here,
 * or wanted to be, not long ago.
 *
 * The shelf does not know what the bytes mean and is not thread-safe: everything under the owner's
 * lock. It takes no memory for images before the first is put. */
#ifndef NQ_STORAGE_CACHE_SHELF_H
#define NQ_STORAGE_CACHE_SHELF_H

#include "engine/ground/base/bytes.h"
#include "engine/ground/base/ctx.h"

typedef struct nq_shelf nq_shelf;

enum {
    NQ_SHELF_IMAGE_BYTES_MAX = 8192,
    NQ_SHELF_STEP_BYTES = 64 << 10, /* sizes are rounded down to whole steps */
};

/* What there is to say of an image: its size, and whatever its owner wants to know. */
typedef struct nq_shelf_label {
    uint32_t bytes;
    uint8_t tag;
} nq_shelf_label;

/* Of room for no images yet, and for `bytes_max` at most. Fails with NQ_MEMORY_LIMIT. */
nq_status nq_shelf_create(nq_ctx *ctx, uint64_t bytes_max, nq_shelf **out_shelf);
/* NULL is allowed. */
void nq_shelf_destroy(nq_shelf *shelf);

/* The memory that a shelf of this size takes beside its cells. */
uint64_t nq_shelf_bytes_beside(uint64_t bytes_max);

/* From now on its cells are at most so many bytes, of the size it was made for. Lets go of what no
 * longer fits, and of the memory. */
void nq_shelf_set_capacity(nq_shelf *shelf, uint64_t bytes);
uint64_t nq_shelf_capacity(const nq_shelf *shelf);

/* Whether an image of `id` is worth putting: there is room for any, or it would be remembered. If
 * not, it will be. */
bool nq_shelf_admits(nq_shelf *shelf, uint32_t id);

/* Keeps an image of `id`, which is not 0, in place of the one there was; when the shelf is too
 * small, only forgets that one. */
void nq_shelf_put(nq_shelf *shelf, uint32_t id, const void *image, nq_shelf_label label);

/* Moves the image out (room for NQ_SHELF_IMAGE_BYTES_MAX). False: there is none. */
bool nq_shelf_take(nq_shelf *shelf, uint32_t id, void *out_image, nq_shelf_label *out_label);

bool nq_shelf_has(const nq_shelf *shelf, uint32_t id);

/* An image of it was let go of, or not admitted, not long ago. */
bool nq_shelf_remembers(const nq_shelf *shelf, uint32_t id);

/* An id without an image is allowed. */
void nq_shelf_remove(nq_shelf *shelf, uint32_t id);

typedef struct nq_shelf_stats {
    uint64_t hits;
    uint64_t evictions;
    uint64_t image_count;
    uint64_t bytes_held; /* of cells that have memory */
} nq_shelf_stats;
nq_shelf_stats nq_shelf_get_stats(const nq_shelf *shelf);

#endif
