/* Legacy superblock: its bytes. */
#include "engine/storage/upgrade/legacy_superblock.h"

#include <stddef.h>

#include "engine/ground/simd/crc32c.h"
#include "engine/storage/btree/btree.h"
#include "engine/storage/wal/record.h"

/* As on disk, little-endian. */
typedef struct superblock_bytes {
    uint8_t magic[8];
    uint32_t format_version;
    uint32_t page_bytes;
    uint64_t sequence;
    uint64_t generation;
    uint64_t lsn;
    uint64_t log_salt;
    uint64_t freelist_count;
    nq_page_ref directory;
    nq_page_ref freelist;
    uint32_t page_count;
    uint32_t next_tree;
    uint32_t log_segment_bytes;
    uint32_t directory_level;
    uint64_t directory_entry_count;
    uint64_t directory_page_count;
    uint8_t zero[20];
    uint32_t crc; /* CRC32C of everything before it */
} superblock_bytes;

static_assert(sizeof(superblock_bytes) == NQ_LEGACY_SUPERBLOCK_BYTES, "the format has no padding");

static const uint8_t superblock_magic[8] = {0x8e, 'N', 'Q', 'D', 'B', '\r', '\n', 0x1a};

/* A log further on than this was never written, and would make positions overflow. */
static const uint64_t lsn_max = UINT64_C(1) << 60;

static bool is_consistent(const superblock_bytes *s) {
    return s->page_count >= NQ_LEGACY_SUPERBLOCK_COUNT && s->directory.page < s->page_count &&
           s->freelist.page < s->page_count && s->directory_level < NQ_BTREE_LEVELS_MAX &&
           s->log_segment_bytes != 0 && s->log_segment_bytes % NQ_LOG_BLOCK_BYTES == 0 &&
           s->lsn % NQ_LOG_BLOCK_BYTES == 0 && s->lsn < lsn_max;
}

nq_legacy_verdict nq_legacy_superblock_decode(const uint8_t *bytes,
                                              nq_legacy_superblock *out_superblock,
                                              uint32_t *out_version) {
    superblock_bytes s;
    memcpy(&s, bytes, sizeof s);
    *out_superblock = (nq_legacy_superblock){0};
    *out_version = 0;
    if (memcmp(s.magic, superblock_magic, sizeof s.magic) != 0) {
        return NQ_LEGACY_FOREIGN;
    }
    if (s.crc != nq_crc32c(0, &s, offsetof(superblock_bytes, crc))) {
        return NQ_LEGACY_DAMAGED;
    }
    *out_version = s.format_version;
    if (s.format_version != NQ_LEGACY_VERSION || s.page_bytes != NQ_PAGE_BYTES) {
        return NQ_LEGACY_OTHER;
    }
    if (!is_consistent(&s)) {
        return NQ_LEGACY_DAMAGED;
    }
    *out_superblock = (nq_legacy_superblock){
        .sequence = s.sequence,
        .generation = s.generation,
        .lsn = s.lsn,
        .log_salt = s.log_salt,
        .freelist_count = s.freelist_count,
        .directory = s.directory,
        .freelist = s.freelist,
        .page_count = s.page_count,
        .next_tree = s.next_tree,
        .log_segment_bytes = s.log_segment_bytes,
        .directory_level = s.directory_level,
        .directory_entry_count = s.directory_entry_count,
    };
    return NQ_LEGACY_VALID;
}
