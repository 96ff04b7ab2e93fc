/* Fuzz: a segment, an image and an entry of the page map from a hostile file. The first byte
 * chooses the codec and what the rest is: a header whose checksum was forged to match, the
 * segment's bytes from its start, or damage to a sound segment. Whatever it is, what repair calls
 * restored is whole. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "engine/ground/simd/crc32c.h"
#include "engine/storage/segment/damage.h"
#include "engine/storage/segment/rescue.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    SALT = 77,
    NUMBER = 3,
    SEGMENT_COUNT = 9,
    BLOCK = NQ_SEGMENT_BLOCK_BYTES,
    SEGMENT_BYTES = 32 * BLOCK, /* of one block a lane */
    CRC_OFFSET = 12,
    SALT_OFFSET = 48,
};

static const nq_segment_layout layout = {1};
static _Alignas(NQ_SEGMENT_BLOCK_BYTES) uint8_t segment[SEGMENT_BYTES];

static bool check_and_repair(void) {
    nq_segment_damage damage;
    nq_segment_state state = nq_segment_check(layout, SALT, NUMBER, segment, &damage);
    bool is_repaired = nq_segment_repair(layout, &damage, segment);
    if (is_repaired && state == NQ_SEGMENT_HEADLESS) {
        abort();
    }
    if (is_repaired &&
        nq_segment_check(layout, SALT, NUMBER, segment, &damage) != NQ_SEGMENT_WHOLE) {
        abort();
    }
    return is_repaired;
}

static void fill(const uint8_t *data, size_t size) {
    memset(segment, 0, sizeof segment);
    memcpy(segment, data, size < sizeof segment ? size : sizeof segment);
}

static void try_header(const uint8_t *data, size_t size) {
    fill(data, size);
    uint32_t number = NUMBER;
    uint64_t salt = SALT;
    memcpy(segment + 16, &number, sizeof number);
    memcpy(segment + SALT_OFFSET, &salt, sizeof salt);
    memset(segment + CRC_OFFSET, 0, 4);
    uint32_t crc = nq_crc32c(nq_crc32c(number, &salt, sizeof salt), segment, BLOCK);
    memcpy(segment + CRC_OFFSET, &crc, sizeof crc);
    nq_segment_info info;
    if (nq_segment_header_decode(layout, SALT, NUMBER, segment, &info) == NQ_SEGMENT_HEADER_VALID &&
        (info.data_bytes == 0 || info.data_bytes > nq_segment_data_bytes_max(layout))) {
        abort();
    }
    (void)check_and_repair();
}

/* Flips a bit per three bytes of input. Damage to at most two blocks must be undone, and what
 * counts as undone must be what was written. */
static void try_damage(const uint8_t *data, size_t size) {
    static uint8_t written[SEGMENT_BYTES];
    nq_segment_info info = {.number = NUMBER, .data_bytes = 16 * BLOCK, .salt = SALT};
    fill(data, size);
    nq_segment_seal(layout, &info, segment);
    memcpy(written, segment, sizeof written);
    uint32_t damaged_blocks = 0;
    for (; size >= 3; data += 3, size -= 3) {
        uint32_t bit = (data[0] | (uint32_t)data[1] << 8 | (uint32_t)data[2] << 16) %
                       (nq_segment_bytes(layout) * 8);
        segment[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        damaged_blocks |= UINT32_C(1) << (bit / 8 / BLOCK);
    }
    bool is_repaired = check_and_repair();
    uint32_t headers = damaged_blocks & 0x80000001u;
    uint32_t checked = damaged_blocks & 0x7fffeu;
    bool must_be_repaired = headers != 0x80000001u && __builtin_popcount(checked) <= 2;
    if ((is_repaired || must_be_repaired) && memcmp(segment, written, 19 * (size_t)BLOCK) != 0) {
        abort();
    }
}

static void try_image(nq_image_codec codec, const uint8_t *data, size_t size) {
    static nq_image_decoder *decoder;
    nq_ctx ctx;
    nq_ctx_init(&ctx, NULL);
    if (decoder == NULL && nq_image_decoder_create(&ctx, &decoder) != NQ_OK) {
        abort();
    }
    uint8_t page[NQ_PAGE_BYTES];
    bool is_image = nq_image_decode(decoder, nq_bytes_of(data, size), codec, page);
    if (is_image && !nq_image_is_possible(codec, (uint32_t)size)) {
        abort();
    }
}

static void try_place(const uint8_t *data, size_t size) {
    nq_place place;
    if (size < sizeof place) {
        return;
    }
    memcpy(&place, data, sizeof place);
    fill(data + sizeof place, size - sizeof place);
    if (!nq_place_is_none(place) && nq_place_is_valid(place, layout, SEGMENT_COUNT)) {
        (void)nq_segment_rescue_image(layout, NUMBER, place, segment);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0) {
        return 0;
    }
    uint8_t choice = data[0];
    data++;
    size--;
    switch (choice % 8) {
    case 0:
        try_header(data, size);
        break;
    case 1:
        fill(data, size);
        (void)check_and_repair();
        break;
    case 2:
        try_damage(data, size);
        break;
    case 3:
        try_place(data, size);
        break;
    default:
        try_image((nq_image_codec)(choice % 4), data, size);
        break;
    }
    return 0;
}
