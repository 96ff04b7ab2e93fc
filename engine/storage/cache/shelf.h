/* Shelf: compressed images of things that have left memory, kept in memory while there is room.
 *
 * An image is kept in cells of 512 bytes, wherever some are free, so nothing is ever moved or
 * fragmented; blocks of cells are taken from the heap as they are needed and given back when the
 * shelf shrinks. Which image goes when room is needed is S3-FIFO's choice (cache.h).
 *
 * The shelf does not know what the bytes mean and is not thread-safe: everything under the owner's
 * lock. It takes no memory for images before the first is put. */
#ifndef NQ_STORAGE_CACHE_SHELF_H
#define NQ_STORAGE_CACHE_SHELF_H

#include "engine/ground/base/bytes.h"
#include "engine/ground/base/ctx.h"

typedef struct nq_shelf nq_shelf;

/* An image and what its owner wants to know of it besides. */
enum { NQ_SHELF_IMAGE_BYTES_MAX = 8192 };
typedef struct nq_shelf_image {
    uint32_t bytes;
    uint8_t tag;
    uint8_t data[NQ_SHELF_IMAGE_BYTES_MAX];
} nq_shelf_image;

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

/* Keeps an image of `id`, which is not 0, in place of the one there was; when the shelf is too
 * small or the heap has nothing to give, only forgets the one there was. True: it had let go of one
 * not long ago. */
bool nq_shelf_put(nq_shelf *shelf, uint32_t id, const void *image, uint32_t bytes, uint8_t tag);

/* Copies the image out; it stays. False: there is none. */
bool nq_shelf_find(nq_shelf *shelf, uint32_t id, nq_shelf_image *out_image);

/* The image of `id` counts as just put. False: there is none. */
bool nq_shelf_renew(nq_shelf *shelf, uint32_t id);

/* An id without an image is allowed. */
void nq_shelf_remove(nq_shelf *shelf, uint32_t id);

typedef struct nq_shelf_stats {
    uint64_t hits;
    uint64_t evictions;
    uint64_t image_count;
    uint64_t bytes_held; /* blocks of cells taken from the heap */
} nq_shelf_stats;
nq_shelf_stats nq_shelf_get_stats(const nq_shelf *shelf);

#endif
