/* Superblock: its bytes. The magic, the version and the place of the checksum never move, so that
 * every future version can say which version it has met. */
#include "engine/storage/page/superblock.h"

#include "engine/ground/simd/crc32c.h"

#include <assert.h>

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

static_assert(sizeof(superblock_bytes) == NQ_SUPERBLOCK_BYTES, "the format has no padding");
static_assert(offsetof(superblock_bytes, crc) == NQ_SUPERBLOCK_BYTES - 4, "the checksum is last");

/* Like PNG's: catches text-mode transfers and is no valid UTF-8. */
static const uint8_t superblock_magic[8] = {0x8e, 'N', 'Q', 'D', 'B', '\r', '\n', 0x1a};

void nq_superblock_encode(const nq_superblock *superblock, nq_page *out_page) {
    superblock_bytes bytes = {
        .format_version = NQ_FORMAT_VERSION,
        .page_bytes = NQ_PAGE_BYTES,
        .sequence = superblock->sequence,
        .generation = superblock->generation,
        .lsn = superblock->lsn,
        .log_salt = superblock->log_salt,
        .freelist_count = superblock->freelist_count,
        .directory = superblock->directory,
        .directory_entry_count = superblock->directory_entry_count,
        .directory_page_count = superblock->directory_page_count,
        .directory_level = superblock->directory_level,
        .freelist = superblock->freelist,
        .page_count = superblock->page_count,
        .next_tree = superblock->next_tree,
        .log_segment_bytes = superblock->log_segment_bytes,
    };
    memcpy(bytes.magic, superblock_magic, sizeof bytes.magic);
    bytes.crc = nq_crc32c(0, &bytes, offsetof(superblock_bytes, crc));
    memset(out_page, 0, sizeof *out_page);
    memcpy(out_page, &bytes, sizeof bytes);
}

nq_superblock_verdict nq_superblock_decode(const uint8_t *bytes, nq_superblock *out_superblock) {
    memset(out_superblock, 0, sizeof *out_superblock);
    superblock_bytes s;
    memcpy(&s, bytes, sizeof s);
    if (memcmp(s.magic, superblock_magic, sizeof s.magic) != 0) {
        return NQ_SUPERBLOCK_FOREIGN;
    }
    bool is_whole = s.crc == nq_crc32c(0, &s, offsetof(superblock_bytes, crc));
    if (!is_whole) {
        return NQ_SUPERBLOCK_DAMAGED;
    }
    if (s.format_version != NQ_FORMAT_VERSION) {
        return NQ_SUPERBLOCK_VERSION;
    }
    if (s.page_bytes != NQ_PAGE_BYTES) {
        return NQ_SUPERBLOCK_PAGE_SIZE;
    }
    if (s.page_count < NQ_SUPERBLOCK_COUNT || s.directory.page >= s.page_count ||
        s.freelist.page >= s.page_count || s.log_segment_bytes == 0) {
        return NQ_SUPERBLOCK_DAMAGED;
    }
    *out_superblock = (nq_superblock){
        .sequence = s.sequence,
        .generation = s.generation,
        .lsn = s.lsn,
        .log_salt = s.log_salt,
        .freelist_count = s.freelist_count,
        .directory = s.directory,
        .directory_entry_count = s.directory_entry_count,
        .directory_page_count = s.directory_page_count,
        .directory_level = s.directory_level,
        .freelist = s.freelist,
        .page_count = s.page_count,
        .next_tree = s.next_tree,
        .log_segment_bytes = s.log_segment_bytes,
    };
    return NQ_SUPERBLOCK_VALID;
}
