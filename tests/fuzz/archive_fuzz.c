/* Fuzz: an archived segment of the log, cut off or not, whose checksums are right or as they come,
 * and its name. What is read without complaint is what the file holds. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/ground/simd/crc32c.h"
#include "engine/storage/backup/archive_file_internal.h"
#include "tests/fuzz/one_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* docs/format/archive.md */
enum {
    BLOCK_BYTES = 4096,
    SEGMENT_BYTES = 2 * BLOCK_BYTES,
    TABLE_BYTES = SEGMENT_BYTES / BLOCK_BYTES * 4,
    FOOTER_AT = SEGMENT_BYTES + TABLE_BYTES,
    FOOTER_BYTES = 64,
    MAGIC_BYTES = 8,
    TABLE_CRC_AT = FOOTER_AT + 40,
    CRC_AT = FOOTER_AT + 60,
    FILE_BYTES = FOOTER_AT + FOOTER_BYTES,
};

/* The first byte of the input: what is put right in the file that the others are the end of. */
enum { RIGHT_BLOCKS = 1, RIGHT_TABLE = 2, RIGHT_MAGIC = 4, RIGHT_FOOTER = 8, CUT_OFF = 16 };

static uint8_t image[FILE_BYTES];
static size_t image_bytes;

/* ---- The file ---- */

static void put_crc(size_t at, const uint8_t *bytes, size_t size) {
    uint32_t crc = nq_crc32c(0, bytes, size);
    memcpy(image + at, &crc, sizeof crc);
}

static void make_image(uint8_t right, const uint8_t *data, size_t size) {
    static const uint8_t magic[MAGIC_BYTES] = {0x8e, 'N', 'Q', 'A', 'R', 'C', 'H', 0x0a};
    memset(image, 0, sizeof image);
    size_t used = size < FILE_BYTES ? size : FILE_BYTES;
    memcpy(image + FILE_BYTES - used, data, used);
    for (size_t at = 0; at < SEGMENT_BYTES && (right & RIGHT_BLOCKS) != 0; at += BLOCK_BYTES) {
        put_crc(SEGMENT_BYTES + at / BLOCK_BYTES * 4, image + at, BLOCK_BYTES);
    }
    if ((right & RIGHT_TABLE) != 0) {
        put_crc(TABLE_CRC_AT, image + SEGMENT_BYTES, TABLE_BYTES);
    }
    if ((right & RIGHT_MAGIC) != 0) {
        memcpy(image + FOOTER_AT, magic, sizeof magic);
    }
    if ((right & RIGHT_FOOTER) != 0) {
        put_crc(CRC_AT, image + FOOTER_AT, CRC_AT - FOOTER_AT);
    }
    image_bytes = (right & CUT_OFF) != 0 ? used : FILE_BYTES;
}

/* ---- Reading ---- */

static void read_file(void) {
    static uint8_t bytes[SEGMENT_BYTES];
    const nq__archive archive = {.vfs = one_file_vfs(image, image_bytes),
                                 .directory = "fuzz",
                                 .salt = 1,
                                 .segment_bytes = SEGMENT_BYTES};
    nq__archive_file file;
    nq_ctx ctx;
    nq_ctx_init(&ctx, NULL);
    if (nq__archive_open(&ctx, &archive, 2, &file) != NQ_OK) {
        return;
    }
    if (nq__archive_read(&ctx, &file, 0, bytes, sizeof bytes) == NQ_OK &&
        memcmp(bytes, image, sizeof bytes) != 0) {
        abort();
    }
    nq__archive_close(&file);
}

/* A name that is taken for a segment's is the one that it would be given. */
static void read_name(const uint8_t *data, size_t size) {
    const nq__archive archive = {.directory = "d"};
    char name[64];
    char path[NQ__ARCHIVE_PATH_BYTES];
    uint64_t number;
    nq_ctx ctx;
    nq_ctx_init(&ctx, NULL);
    snprintf(name, sizeof name, "%.*s", (int)(size < sizeof name ? size : sizeof name),
             (const char *)data);
    if (nq__archive_parse_name(name, &number) &&
        (nq__archive_path(&ctx, &archive, number, path) != NQ_OK || strcmp(path + 2, name) != 0)) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0) {
        return 0;
    }
    read_name(data, size);
    make_image(data[0], data + 1, size - 1);
    read_file();
    return 0;
}
