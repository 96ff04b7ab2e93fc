/* Space: which pages of the data file are free to be written now — one bit a page.
 *
 * Only pages that neither a checkpoint nor a snapshot can reach are in it; whoever frees a page
 * that somebody may still read keeps it back until then (store/version.h). One thread at a time:
 * the caller's lock. */
#ifndef NQ_STORAGE_BUFFER_SPACE_H
#define NQ_STORAGE_BUFFER_SPACE_H

#include "engine/ground/base/ctx.h"
#include "engine/storage/page/page.h"

typedef struct nq_space {
    uint64_t *words;     /* bit set: the page is free */
    uint32_t word_count; /* allocated */
    uint32_t page_count; /* of the file, free ones included */
    uint32_t free_count;
    uint32_t next_word; /* where the search goes on */
} nq_space;

/* A run of free pages, as a freelist page stores it. */
typedef struct nq_page_run {
    uint32_t first;
    uint32_t count;
} nq_page_run;

nq_status nq_space_init(nq_ctx *ctx, nq_space *space, uint32_t page_count);
void nq_space_deinit(nq_space *space);

/* A copy for a checkpoint to write down. */
nq_status nq_space_copy(nq_ctx *ctx, const nq_space *space, nq_space *out_copy);

/* A free page, or a new one at the end of the file. Fails with NQ_DISK_FULL when page ids run out,
 * NQ_MEMORY_LIMIT. */
nq_status nq_space_take(nq_ctx *ctx, nq_space *space, nq_page_id *out_page);

/* Gives a page back; cannot fail. */
void nq_space_give(nq_space *space, nq_page_id page);
/* Takes this free page. */
void nq_space_remove(nq_space *space, nq_page_id page);
bool nq_space_is_free(const nq_space *space, nq_page_id page);

/* The first run of free pages at or after `from`; count 0 when there is none. */
nq_page_run nq_space_find_run(const nq_space *space, uint32_t from);

/* How many runs there are. */
uint32_t nq_space_count_runs(const nq_space *space);

#endif
