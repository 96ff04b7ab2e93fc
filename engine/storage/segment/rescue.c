/* Rescue: a depth-first search over what the blocks of an image may have been. */
#include "engine/storage/segment/rescue.h"

#include "engine/ground/base/assert.h"
#include "engine/ground/simd/crc32c.h"
#include "engine/storage/segment/segment_internal.h"

#include <string.h>

enum { BLOCK_WORDS = NQ_SEGMENT_BLOCK_BYTES / sizeof(uint64_t) };

/* ---- How many lanes a row had ---- */

static const uint64_t *words_of(const uint8_t *segment, uint32_t block) {
    return (const uint64_t *)(const void *)nq__const_block_at(segment, block);
}

static bool is_zero(const uint64_t *words) {
    uint64_t any = 0;
    for (size_t i = 0; i < BLOCK_WORDS; i++) {
        any |= words[i];
    }
    return any == 0;
}

/* The number of lanes whose sum is the row's P; 0: none, or a row of zeros, which says nothing. */
static uint32_t lanes_by_parity(nq_segment_layout layout, const uint8_t *segment, uint32_t row) {
    const uint64_t *p = words_of(segment, nq__checked_block(layout, NQ_SEGMENT_DATA_LANES, row));
    uint64_t sum[BLOCK_WORDS] = {0};
    for (uint32_t lane = 0; lane < NQ_SEGMENT_DATA_LANES; lane++) {
        const uint64_t *words = words_of(segment, nq__checked_block(layout, lane, row));
        for (size_t i = 0; i < BLOCK_WORDS; i++) {
            sum[i] ^= words[i];
        }
        if (memcmp(sum, p, sizeof sum) == 0) {
            return is_zero(sum) ? 0 : lane + 1;
        }
    }
    return 0;
}

/* Guesses at the number of lanes of a damaged row. */
typedef struct lanes_guess {
    uint32_t lanes[3];
    uint32_t count;
} lanes_guess;

static void add_guess(lanes_guess *guess, uint32_t lanes) {
    for (uint32_t i = 0; i < guess->count; i++) {
        if (guess->lanes[i] == lanes) {
            return;
        }
    }
    if (lanes >= 1 && lanes <= NQ_SEGMENT_DATA_LANES) {
        guess->lanes[guess->count++] = lanes;
    }
}

/* From the nearest undamaged rows: the count falls by one where the data ends. One lane is possible
 * whatever they say, since rows behind so little data are left from an earlier life. */
static lanes_guess guess_lanes(nq_segment_layout layout, const uint8_t *segment, uint32_t row) {
    uint32_t before = 0;
    uint32_t after = 0;
    for (uint32_t r = row + 1; r > 0 && before == 0; r--) {
        before = lanes_by_parity(layout, segment, r - 1);
    }
    for (uint32_t r = row; r < layout.lane_blocks && after == 0; r++) {
        after = lanes_by_parity(layout, segment, r);
    }
    lanes_guess guess = {.count = 0};
    if (before == 0 && after == 0) { /* most segments are full */
        add_guess(&guess, NQ_SEGMENT_DATA_LANES);
    } else {
        add_guess(&guess, before > 0 ? before : after + 1);
        add_guess(&guess, after > 0 ? after : before - 1);
    }
    add_guess(&guess, 1);
    return guess;
}

/* ---- The search ---- */

/* An image of a page, aligned as images are, touches no more. */
enum { IMAGE_BLOCKS_MAX = NQ_IMAGE_BYTES_MAX / NQ_SEGMENT_BLOCK_BYTES + 1 };

typedef struct search {
    nq_segment_layout layout;
    uint8_t *segment;
    uint32_t image_start; /* in the segment's data */
    uint32_t image_end;
    uint32_t first_block;
    uint32_t crc;                        /* that the image has to have */
    lanes_guess guess[IMAGE_BLOCKS_MAX]; /* of the rows of its blocks */
} search;

static bool try_blocks(const search *s, uint32_t block, uint32_t crc_before);

/* The rest of the image, with this block as it is in the buffer now. */
static bool try_rest(const search *s, uint32_t block, uint32_t crc_before) {
    uint32_t block_start = block * NQ_SEGMENT_BLOCK_BYTES;
    uint32_t block_end = block_start + NQ_SEGMENT_BLOCK_BYTES;
    uint32_t start = s->image_start > block_start ? s->image_start : block_start;
    uint32_t end = s->image_end < block_end ? s->image_end : block_end;
    uint32_t crc = nq_crc32c(crc_before, nq_segment_data(s->segment) + start, end - start);
    return try_blocks(s, block + 1, crc);
}

/* The block as the parity of a row of `lanes` makes it, with each other block as a second bad one.
 */
static bool try_restored(const search *s, uint32_t block, uint32_t lanes, uint32_t crc_before) {
    uint32_t lane = block / s->layout.lane_blocks;
    if (lane >= lanes) {
        return false;
    }
    uint8_t as_read[NQ_SEGMENT_BLOCK_BYTES];
    uint8_t restored[NQ_SEGMENT_BLOCK_BYTES];
    nq_parity_row row;
    nq_parity_syndrome syndrome;
    nq__row_of(s->layout, s->segment, block % s->layout.lane_blocks, lanes, &row);
    nq_parity_syndrome_of(&row, &syndrome);
    memcpy(as_read, row.blocks[lane], sizeof as_read);
    for (uint32_t other = 0; other < lanes + NQ_PARITY_COUNT; other++) {
        if (other == lane) {
            continue;
        }
        nq_parity_restore(&row, &syndrome, lane, other, restored);
        memcpy(row.blocks[lane], restored, sizeof restored);
        if (try_rest(s, block, crc_before)) {
            return true;
        }
        memcpy(row.blocks[lane], as_read, sizeof as_read);
    }
    return false;
}

/* The blocks of the image from `block` on, when those before have the checksum `crc_before`. True:
 * the buffer has them all. Otherwise they are as they were. No deeper than an image has blocks. */
static bool try_blocks(const search *s, uint32_t block, uint32_t crc_before) {
    if (block * NQ_SEGMENT_BLOCK_BYTES >= s->image_end) {
        return crc_before == s->crc;
    }
    if (try_rest(s, block, crc_before)) {
        return true;
    }
    const lanes_guess *guess = &s->guess[block - s->first_block];
    for (uint32_t i = 0; i < guess->count; i++) {
        if (try_restored(s, block, guess->lanes[i], crc_before)) {
            return true;
        }
    }
    return false;
}

bool nq_segment_rescue_image(nq_segment_layout layout, uint32_t page_id, nq_place place,
                             uint8_t *segment) {
    search s = {
        .layout = layout,
        .segment = segment,
        .image_start = nq_place_data_byte(place),
        .image_end = nq_place_data_byte(place) + nq_place_bytes(place),
        .first_block = nq_place_data_byte(place) / NQ_SEGMENT_BLOCK_BYTES,
        .crc = place.crc,
    };
    NQ_ASSERT(nq_place_bytes(place) <= NQ_IMAGE_BYTES_MAX);
    NQ_ASSERT(s.image_end <= nq_segment_data_bytes_max(layout));
    uint32_t block_end = (s.image_end - 1) / NQ_SEGMENT_BLOCK_BYTES + 1;
    for (uint32_t block = s.first_block; block < block_end; block++) {
        s.guess[block - s.first_block] = guess_lanes(layout, segment, block % layout.lane_blocks);
    }
    return try_blocks(&s, s.first_block, page_id); /* as nq_image_crc begins */
}
