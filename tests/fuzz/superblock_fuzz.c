/* Fuzz: a superblock from a hostile file, with and without matching checksums. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "engine/ground/simd/crc32c.h"
#include "engine/storage/pager/superblock.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Where the head says how many places follow, and the two checksums: docs/format/superblock.md. */
enum { PAGE_COUNT_AT = 84, MAP_ROOTS_CRC_AT = 104, CRC_AT = 124 };

static void reseal(uint8_t *bytes) {
    uint32_t page_count;
    memcpy(&page_count, bytes + PAGE_COUNT_AT, sizeof page_count);
    uint32_t roots = page_count <= NQ_MAP_PAGES_MAX ? nq_map_roots_for(page_count) : 0;
    uint32_t crc = nq_crc32c(0, bytes + NQ_SUPERBLOCK_HEAD_BYTES, roots * sizeof(nq_place));
    memcpy(bytes + MAP_ROOTS_CRC_AT, &crc, sizeof crc);
    crc = nq_crc32c(0, bytes, CRC_AT);
    memcpy(bytes + CRC_AT, &crc, sizeof crc);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static uint8_t bytes[NQ_SUPERBLOCK_BYTES];
    static nq_superblock superblock;
    static nq_superblock again;
    memset(bytes, 0, sizeof bytes);
    memcpy(bytes, data, size < sizeof bytes ? size : sizeof bytes);
    (void)nq_superblock_decode(bytes, &superblock);
    reseal(bytes);
    if (nq_superblock_decode(bytes, &superblock) != NQ_SUPERBLOCK_VALID) {
        return 0;
    }
    /* What is valid leads nowhere outside, and is read the same after being written. */
    for (uint32_t i = 0; i < nq_map_roots_for(superblock.root.page_count); i++) {
        if (!nq_place_is_valid(superblock.map_roots[i], superblock.layout,
                               superblock.segment_count)) {
            abort();
        }
    }
    nq_superblock_encode(&superblock, bytes);
    if (nq_superblock_decode(bytes, &again) != NQ_SUPERBLOCK_VALID ||
        memcmp(&again, &superblock, sizeof again) != 0) {
        abort();
    }
    return 0;
}
