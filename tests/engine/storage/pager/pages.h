/* Pages: a pager driven by the rules of the store, and what it must hold.
 *
 * Every page id in use has a generation, from which its content follows. Pages are replaced by new
 * ones under other ids; the old ids are given back when the next checkpoint is durable, or at once
 * when no checkpoint has reached them. Functions fail the cmocka test that calls them. */
#ifndef NQ_TESTS_STORAGE_PAGER_PAGES_H
#define NQ_TESTS_STORAGE_PAGER_PAGES_H

#include "engine/ground/base/rng.h"
#include "engine/ground/os/sim_vfs.h"
#include "engine/storage/pager/pager.h"

enum { PAGES_MAX = 2048 };

typedef struct pages_state {
    uint64_t generation[PAGES_MAX]; /* by id; 0: not in use */
} pages_state;

typedef struct pages {
    nq_ctx ctx;
    nq_sim_vfs *disk;
    nq_pager *pager;
    nq_pager_root root;
    nq_space space;
    nq_rng rng;
    uint64_t generation; /* of the last page written */
    pages_state now;
    pages_state durable;        /* at the last checkpoint */
    pages_state attempted;      /* at the last that was begun */
    bool is_retired[PAGES_MAX]; /* reached by the durable checkpoint, not by now */
} pages;

/* The pager of an empty file "data" on the disk. */
nq_pager *pages_make_pager(nq_ctx *ctx, nq_sim_vfs *disk, uint32_t lane_blocks);

/* A checkpoint of every page that the pager has, all with ids below `page_count`. */
nq_status pages_checkpoint_all(nq_ctx *ctx, nq_pager *pager, uint32_t page_count);

/* An empty file "data" of segments of so many blocks a lane, on a disk of its own; the seed is the
 * disk's. */
void pages_init(pages *p, uint64_t seed, uint32_t lane_blocks);
void pages_init_on(pages *p, const nq_sim_options *sim, uint32_t lane_blocks);
void pages_deinit(pages *p);

/* Pages of a generation with this bit are full of noise. */
#define PAGES_DENSE (UINT64_C(1) << 32)

/* The content of a page of this id and generation: sometimes compressible, sometimes not. */
void pages_make(uint32_t id, uint64_t generation, nq_page *out_page);

/* Writes a new page; its id. Other statuses than NQ_OK leave everything as it was. */
nq_status pages_write(pages *p, uint32_t *out_id);
/* A random id in use; 0: none. */
uint32_t pages_pick(pages *p);
/* The page is no longer reached. */
void pages_retire(pages *p, uint32_t id);
nq_status pages_checkpoint(pages *p);

/* Changes something; a checkpoint now and then. */
nq_status pages_step(pages *p);

/* NULL when the pager has exactly the pages of the state, right; otherwise what is wrong. Pages in
 * `is_retired` (may be NULL) may be there or not. */
const char *pages_compare(nq_pager *pager, const pages_state *state, const bool *is_retired);

/* Opens the file on a disk. */
nq_status pages_open(nq_ctx *ctx, nq_sim_vfs *disk, nq_pager **out_pager, nq_pager_root *out_root);

/* Closes without a checkpoint and opens again: what the last one left. */
void pages_reopen(pages *p);

#endif
