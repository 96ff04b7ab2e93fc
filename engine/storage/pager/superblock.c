/* Superblock: its bytes. The magic, the version and the place and reach of the head's checksum
 * never move, so that every future version can say which version it has met. */
#include "engine/storage/pager/superblock.h"

#include "engine/ground/simd/crc32c.h"

#include <assert.h>

/* As on disk, little-endian. */
typedef struct superblock_head {
    uint8_t magic[8];
    uint32_t format_version;
    uint32_t page_bytes;
    uint64_t sequence;
    uint64_t generation;
    uint64_t lsn;
    uint64_t log_salt;
    uint64_t segment_sequence;
    nq_page_ref directory;
    uint64_t directory_entry_count;
    uint64_t directory_page_count;
    uint32_t directory_level;
    uint32_t page_count;
    uint32_t next_tree;
    uint32_t log_segment_bytes;
    uint32_t lane_blocks;
    uint32_t segment_count;
    uint32_t map_roots_crc; /* CRC32C of the places behind the head that are in use */
    uint32_t log_run;
    uint8_t zero[12];
    uint32_t crc; /* CRC32C of everything before it */
} superblock_head;

static_assert(sizeof(superblock_head) == NQ_SUPERBLOCK_HEAD_BYTES, "the format has no padding");
static_assert(offsetof(superblock_head, crc) == NQ_SUPERBLOCK_HEAD_BYTES - 4,
              "the end never moves");

/* Like PNG's: catches text-mode transfers and is no valid UTF-8. */
static const uint8_t superblock_magic[8] = {0x8e, 'N', 'Q', 'D', 'B', '\r', '\n', 0x1a};

void nq_superblock_encode(const nq_superblock *superblock, uint8_t *out_bytes) {
    const nq_pager_root *root = &superblock->root;
    size_t places_bytes = nq_map_roots_for(root->page_count) * sizeof(nq_place);
    superblock_head head = {
        .format_version = NQ_FORMAT_VERSION,
        .page_bytes = NQ_PAGE_BYTES,
        .sequence = superblock->sequence,
        .generation = root->generation,
        .lsn = root->lsn,
        .log_salt = root->log_salt,
        .segment_sequence = superblock->segment_sequence,
        .directory = root->directory,
        .directory_entry_count = root->directory_entry_count,
        .directory_page_count = root->directory_page_count,
        .directory_level = root->directory_level,
        .page_count = root->page_count,
        .next_tree = root->next_tree,
        .log_segment_bytes = root->log_segment_bytes,
        .lane_blocks = superblock->layout.lane_blocks,
        .segment_count = superblock->segment_count,
        .map_roots_crc = nq_crc32c(0, superblock->map_roots, places_bytes),
        .log_run = root->log_run,
    };
    memcpy(head.magic, superblock_magic, sizeof head.magic);
    head.crc = nq_crc32c(0, &head, offsetof(superblock_head, crc));
    memset(out_bytes, 0, NQ_SUPERBLOCK_BYTES);
    memcpy(out_bytes, &head, sizeof head);
    memcpy(out_bytes + sizeof head, superblock->map_roots, places_bytes);
}

/* The numbers fit each other; the places may be looked at. */
static bool is_sound(const superblock_head *head) {
    return head->lane_blocks >= 1 && head->lane_blocks <= NQ_SEGMENT_LANE_BLOCKS_MAX &&
           head->sequence != 0 && head->segment_count >= 1 && head->log_segment_bytes != 0 &&
           head->page_count >= NQ_PAGE_ID_FIRST && head->page_count <= NQ_MAP_PAGES_MAX &&
           head->directory.page < head->page_count;
}

nq_superblock_verdict nq_superblock_decode(const uint8_t *bytes, nq_superblock *out_superblock) {
    memset(out_superblock, 0, sizeof *out_superblock);
    superblock_head head;
    memcpy(&head, bytes, sizeof head);
    if (memcmp(head.magic, superblock_magic, sizeof head.magic) != 0) {
        return NQ_SUPERBLOCK_FOREIGN;
    }
    if (head.crc != nq_crc32c(0, &head, offsetof(superblock_head, crc))) {
        return NQ_SUPERBLOCK_DAMAGED;
    }
    if (head.format_version != NQ_FORMAT_VERSION) {
        return NQ_SUPERBLOCK_VERSION;
    }
    if (head.page_bytes != NQ_PAGE_BYTES) {
        return NQ_SUPERBLOCK_PAGE_SIZE;
    }
    if (!is_sound(&head)) {
        return NQ_SUPERBLOCK_DAMAGED;
    }
    uint32_t place_count = nq_map_roots_for(head.page_count);
    const uint8_t *places = bytes + sizeof head;
    if (head.map_roots_crc != nq_crc32c(0, places, place_count * sizeof(nq_place))) {
        return NQ_SUPERBLOCK_DAMAGED;
    }
    *out_superblock = (nq_superblock){
        .root = {.generation = head.generation,
                 .lsn = head.lsn,
                 .log_salt = head.log_salt,
                 .directory = head.directory,
                 .directory_entry_count = head.directory_entry_count,
                 .directory_page_count = head.directory_page_count,
                 .directory_level = head.directory_level,
                 .page_count = head.page_count,
                 .next_tree = head.next_tree,
                 .log_segment_bytes = head.log_segment_bytes,
                 .log_run = head.log_run},
        .sequence = head.sequence,
        .segment_sequence = head.segment_sequence,
        .layout = {head.lane_blocks},
        .segment_count = head.segment_count,
    };
    memcpy(out_superblock->map_roots, places, place_count * sizeof(nq_place));
    for (uint32_t i = 0; i < place_count; i++) {
        if (!nq_place_is_valid(out_superblock->map_roots[i], out_superblock->layout,
                               head.segment_count)) {
            return NQ_SUPERBLOCK_DAMAGED;
        }
    }
    return NQ_SUPERBLOCK_VALID;
}
