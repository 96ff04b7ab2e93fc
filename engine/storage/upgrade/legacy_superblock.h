/* Legacy superblock: which checkpoint a data file of format 1 holds, as bytes.
 *
 * Pages 0 to 3 each hold one copy; the valid one of the highest sequence counts.
 * docs/format/format1.md names every byte. Only read: nothing writes this format any more. */
#ifndef NQ_STORAGE_UPGRADE_LEGACY_SUPERBLOCK_H
#define NQ_STORAGE_UPGRADE_LEGACY_SUPERBLOCK_H

#include "engine/storage/page/page.h"

enum {
    NQ_LEGACY_VERSION = 1,
    NQ_LEGACY_VERSION_NEXT = 2, /* today's */
    NQ_LEGACY_SUPERBLOCK_BYTES = 128,
    NQ_LEGACY_SUPERBLOCK_COUNT = 4,
    /* Trees of every store, today's as well. */
    NQ_LEGACY_TREE_REQUESTS = 2,      /* request id: time of its commit, result */
    NQ_LEGACY_TREE_REQUEST_TIMES = 3, /* time, request id: nothing */
    NQ_LEGACY_TREE_USER_FIRST = 16,   /* trees below exist from creation on */
};

typedef struct nq_legacy_superblock {
    uint64_t sequence;   /* of checkpoints */
    uint64_t generation; /* of the newest commit in the checkpoint */
    uint64_t lsn;        /* where the log goes on */
    uint64_t log_salt;
    uint64_t freelist_count; /* pages that the freelist names */
    nq_page_ref directory;   /* root of the tree of trees */
    nq_page_ref freelist;    /* its first page */
    uint32_t page_count;     /* of the file */
    uint32_t next_tree;      /* smallest tree id never given out */
    uint32_t log_segment_bytes;
    uint32_t directory_level;
    uint64_t directory_entry_count;
} nq_legacy_superblock;

typedef enum nq_legacy_verdict {
    NQ_LEGACY_VALID,
    NQ_LEGACY_DAMAGED, /* ours, but torn, rotten or at odds with itself */
    NQ_LEGACY_FOREIGN, /* no superblock */
    NQ_LEGACY_OTHER,   /* a whole one of another version, or of pages of another size */
} nq_legacy_verdict;

/* What NQ_LEGACY_SUPERBLOCK_BYTES are. *out_superblock is set when they are valid, *out_version
 * when they are valid or another's. */
nq_legacy_verdict nq_legacy_superblock_decode(const uint8_t *bytes,
                                              nq_legacy_superblock *out_superblock,
                                              uint32_t *out_version);

#endif
