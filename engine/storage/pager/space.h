/* Space: which page ids are free to be given out — one bit an id.
 *
 * Only pages that neither a checkpoint nor a snapshot can reach are in it; whoever frees a page
 * that somebody may still read keeps it back until then (store/version.h). One thread at a time:
 * the caller's lock. */
#ifndef NQ_STORAGE_PAGER_SPACE_H
#define NQ_STORAGE_PAGER_SPACE_H

#include "engine/ground/base/ctx.h"
#include "engine/storage/page/page.h"

typedef struct nq_space {
    uint64_t *words;     /* bit set: the id is free */
    uint32_t word_count; /* allocated */
    uint32_t page_count; /* ids below were given out, and may be free again */
    uint32_t free_count;
    uint32_t next_word; /* where the search goes on */
} nq_space;

nq_status nq_space_init(nq_ctx *ctx, nq_space *space, uint32_t page_count);
void nq_space_deinit(nq_space *space);

/* A copy for a checkpoint. */
nq_status nq_space_copy(nq_ctx *ctx, const nq_space *space, nq_space *out_copy);

/* A free id, or a new one. Fails with NQ_DISK_FULL when page ids run out,
 * NQ_MEMORY_LIMIT. */
nq_status nq_space_take(nq_ctx *ctx, nq_space *space, nq_page_id *out_page);

/* Gives an id back; cannot fail. */
void nq_space_give(nq_space *space, nq_page_id page);
bool nq_space_is_free(const nq_space *space, nq_page_id page);

#endif
