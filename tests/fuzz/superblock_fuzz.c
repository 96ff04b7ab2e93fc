/* Fuzz: a superblock from a hostile file, with and without a matching checksum. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "engine/ground/simd/crc32c.h"
#include "engine/storage/page/superblock.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    uint8_t bytes[NQ_SUPERBLOCK_BYTES] = {0};
    memcpy(bytes, data, size < sizeof bytes ? size : sizeof bytes);
    nq_superblock superblock;
    (void)nq_superblock_decode(bytes, &superblock);
    uint32_t crc = nq_crc32c(0, bytes, sizeof bytes - 4);
    memcpy(bytes + sizeof bytes - 4, &crc, sizeof crc);
    if (nq_superblock_decode(bytes, &superblock) != NQ_SUPERBLOCK_VALID) {
        return 0;
    }
    /* What is valid is read the same after being written. */
    nq_page page;
    nq_superblock again;
    nq_superblock_encode(&superblock, &page);
    if (nq_superblock_decode((const uint8_t *)&page, &again) != NQ_SUPERBLOCK_VALID ||
        again.sequence != superblock.sequence || again.lsn != superblock.lsn ||
        again.page_count != superblock.page_count || again.directory.page >= again.page_count) {
        abort();
    }
    return 0;
}
