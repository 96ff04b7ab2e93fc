/* Superblock: the first thing read and the last thing written — which checkpoint the file holds.
 *
 * Segment 0 holds four copies, one at the start of each of its quarters. A checkpoint writes two of
 * them, one after the other; the next one writes the other two. The valid copy of the highest
 * sequence counts, so whichever one copy is lost, at any moment, another leads to a whole
 * checkpoint. docs/format/superblock.md names every byte. Pure bytes: pager.h reads and writes the
 * file. */
#ifndef NQ_STORAGE_PAGER_SUPERBLOCK_H
#define NQ_STORAGE_PAGER_SUPERBLOCK_H

#include "engine/storage/pager/map.h"

enum {
    NQ_FORMAT_VERSION = 2,
    NQ_SUPERBLOCK_BYTES = 8192,
    NQ_SUPERBLOCK_HEAD_BYTES = 128, /* the rest is places of the map's roots */
    NQ_SUPERBLOCK_COPIES = 4,
    NQ_SUPERBLOCK_PAIR = 2, /* copies of one checkpoint */
};

static_assert(NQ_SUPERBLOCK_HEAD_BYTES + NQ_MAP_ROOTS_MAX * sizeof(nq_place) == NQ_SUPERBLOCK_BYTES,
              "the roots of the map fill a superblock");

/* What a checkpoint says about the store. The pager keeps it and looks at two fields only: the salt
 * and the number of pages. */
typedef struct nq_pager_root {
    uint64_t generation;   /* of the newest commit in it */
    uint64_t lsn;          /* where the log goes on */
    uint64_t log_salt;     /* of this store: another store's log or segment never verifies */
    nq_page_ref directory; /* root of the tree of trees; none when there is no tree */
    uint64_t directory_entry_count;
    uint64_t directory_page_count;
    uint32_t directory_level; /* of its root */
    uint32_t page_count;      /* page ids below were given out */
    uint32_t next_tree;       /* tree ids below were given out */
    uint32_t log_segment_bytes;
    uint32_t log_run; /* counts the log's starts */
} nq_pager_root;

typedef struct nq_superblock {
    nq_pager_root root;
    uint64_t sequence;                    /* of checkpoints, from 1 */
    uint64_t segment_sequence;            /* segment writes so far */
    nq_segment_layout layout;             /* of every segment of the file */
    uint32_t segment_count;               /* of the file, this one included; it may be longer */
    nq_place map_roots[NQ_MAP_ROOTS_MAX]; /* the first nq_map_roots_for(root.page_count) */
} nq_superblock;

/* Which copy the checkpoint's first (0) and second (1) writing goes to: 0 and 2, then 1 and 3. */
static inline uint32_t nq_superblock_copy(uint64_t sequence, uint32_t turn) {
    return (uint32_t)((sequence + 1) % NQ_SUPERBLOCK_PAIR) + turn * NQ_SUPERBLOCK_PAIR;
}

/* Where a copy stands in the file. */
static inline uint64_t nq_superblock_offset(nq_segment_layout layout, uint32_t copy) {
    return (uint64_t)nq_segment_bytes(layout) / NQ_SUPERBLOCK_COPIES * copy;
}

/* Writes NQ_SUPERBLOCK_BYTES. */
void nq_superblock_encode(const nq_superblock *superblock, uint8_t *out_bytes);

typedef enum nq_superblock_verdict {
    NQ_SUPERBLOCK_VALID,
    NQ_SUPERBLOCK_DAMAGED,   /* ours, but torn or rotten: another copy may be whole */
    NQ_SUPERBLOCK_FOREIGN,   /* no superblock */
    NQ_SUPERBLOCK_VERSION,   /* a whole one of another format */
    NQ_SUPERBLOCK_PAGE_SIZE, /* a whole one of pages of another size */
} nq_superblock_verdict;

/* What the NQ_SUPERBLOCK_BYTES of one copy are. When they are valid *out_superblock is set, and
 * every place in it safe to follow; otherwise it is undefined. */
nq_superblock_verdict nq_superblock_decode(const uint8_t *bytes, nq_superblock *out_superblock);

#endif
