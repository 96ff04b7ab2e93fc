/* Superblock: the first thing read and the last thing written — which checkpoint the file holds.
 *
 * Four copies stand in pages 0 to 3 and are written in turn, so the previous ones survive a torn or
 * failed write; the valid copy of the highest sequence counts. docs/format/superblock.md names
 * every byte. Pure bytes: reading and writing the file is the store's. */
#ifndef NQ_STORAGE_PAGE_SUPERBLOCK_H
#define NQ_STORAGE_PAGE_SUPERBLOCK_H

#include "engine/storage/page/page.h"

enum {
    NQ_SUPERBLOCK_COUNT = 4,
    NQ_SUPERBLOCK_BYTES = 128, /* of its page; the rest is zero */
    NQ_FORMAT_VERSION = 1,
};

typedef struct nq_superblock {
    uint64_t sequence;       /* of checkpoints, from 1 */
    uint64_t generation;     /* of the newest commit in it */
    uint64_t lsn;            /* where the log goes on */
    uint64_t log_salt;       /* of this store: another store's log never verifies */
    uint64_t freelist_count; /* free pages, as the freelist says */
    nq_page_ref directory;   /* root of the tree of trees; none when there is no tree */
    uint64_t directory_entry_count;
    uint64_t directory_page_count;
    uint32_t directory_level; /* of its root */
    nq_page_ref freelist;     /* first page of the freelist; none when no page is free */
    uint32_t page_count;      /* of the data file, superblocks included */
    uint32_t next_tree;       /* tree ids below were given out */
    uint32_t log_segment_bytes;
} nq_superblock;

/* Writes the whole page. */
void nq_superblock_encode(const nq_superblock *superblock, nq_page *out_page);

typedef enum nq_superblock_verdict {
    NQ_SUPERBLOCK_VALID,
    NQ_SUPERBLOCK_DAMAGED,   /* ours, but torn or rotten: another copy may be whole */
    NQ_SUPERBLOCK_FOREIGN,   /* not a file of this product */
    NQ_SUPERBLOCK_VERSION,   /* ours, of a format this program does not know */
    NQ_SUPERBLOCK_PAGE_SIZE, /* ours, with pages of another size */
} nq_superblock_verdict;

/* What the bytes of one copy are; *out_superblock is set when they are valid. Reads
 * NQ_SUPERBLOCK_BYTES. */
nq_superblock_verdict nq_superblock_decode(const uint8_t *bytes, nq_superblock *out_superblock);

#endif
