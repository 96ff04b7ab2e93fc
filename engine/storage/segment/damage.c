/* Damage: checking blocks against the header, restoring those that parity can restore. */
#include "engine/storage/segment/damage.h"

#include "engine/ground/simd/crc32c.h"
#include "engine/storage/segment/segment_internal.h"

#include <string.h>

enum { BITMAP_WORD_BITS = 64 };

/* ---- Which blocks are bad ---- */

static bool is_bad(const nq_segment_damage *damage, uint32_t block) {
    return (damage->bad_blocks[block / BITMAP_WORD_BITS] >> (block % BITMAP_WORD_BITS) & 1) != 0;
}

static void set_bad(nq_segment_damage *damage, uint32_t block) {
    damage->bad_blocks[block / BITMAP_WORD_BITS] |= UINT64_C(1) << (block % BITMAP_WORD_BITS);
    damage->bad_block_count++;
}

static void set_good(nq_segment_damage *damage, uint32_t block) {
    damage->bad_blocks[block / BITMAP_WORD_BITS] &= ~(UINT64_C(1) << (block % BITMAP_WORD_BITS));
    damage->bad_block_count--;
}

static const nq__segment_header *header_at(const uint8_t *segment, uint32_t offset) {
    return (const nq__segment_header *)(const void *)(segment + offset);
}

/* The copy to believe: of two valid ones the newer, since a torn write may have left an older one.
 */
static bool choose_header(nq_segment_layout layout, uint64_t salt, uint32_t number,
                          const uint8_t *segment, nq_segment_damage *damage) {
    const uint32_t offsets[2] = {0, nq_segment_last_block_offset(layout)};
    bool has_header = false;
    for (size_t i = 0; i < 2; i++) {
        nq_segment_info info;
        damage->headers[i] =
            nq_segment_header_decode(layout, salt, number, segment + offsets[i], &info);
        if (damage->headers[i] == NQ_SEGMENT_HEADER_VALID &&
            (!has_header || info.sequence > damage->info.sequence)) {
            damage->info = info;
            damage->header_offset = offsets[i];
            has_header = true;
        }
    }
    return has_header;
}

static uint32_t other_header_offset(nq_segment_layout layout, const nq_segment_damage *damage) {
    return damage->header_offset == 0 ? nq_segment_last_block_offset(layout) : 0;
}

static void set_row_lost(nq_segment_damage *damage, uint32_t row) {
    damage->first_lost_row = damage->lost_row_count == 0 ? row : damage->first_lost_row;
    damage->lost_row_count++;
}

static void check_row(nq_segment_layout layout, const uint8_t *segment, uint32_t row,
                      nq_segment_damage *damage) {
    const nq__segment_header *header = header_at(segment, damage->header_offset);
    uint32_t lanes = nq__lanes_used(layout, damage->info.data_bytes, row);
    uint32_t bad_in_row = 0;
    for (uint32_t i = 0; i < lanes + NQ_PARITY_COUNT; i++) {
        uint32_t block = nq__checked_block(layout, nq__lane_of(lanes, i), row);
        uint32_t crc = nq_crc32c(0, nq__const_block_at(segment, block), NQ_SEGMENT_BLOCK_BYTES);
        if (crc != header->block_crcs[block]) {
            set_bad(damage, block);
            bad_in_row++;
        }
    }
    if (bad_in_row > NQ_PARITY_COUNT) {
        set_row_lost(damage, row);
    }
}

static nq_segment_state state_of(nq_segment_layout layout, const uint8_t *segment,
                                 const nq_segment_damage *damage) {
    if (damage->lost_row_count > 0) {
        return NQ_SEGMENT_BROKEN;
    }
    bool headers_agree = memcmp(segment, segment + nq_segment_last_block_offset(layout),
                                NQ_SEGMENT_HEADER_BYTES) == 0;
    return damage->bad_block_count == 0 && headers_agree ? NQ_SEGMENT_WHOLE : NQ_SEGMENT_DAMAGED;
}

nq_segment_state nq_segment_check(nq_segment_layout layout, uint64_t salt, uint32_t number,
                                  const uint8_t *segment, nq_segment_damage *out_damage) {
    *out_damage = (nq_segment_damage){.state = NQ_SEGMENT_HEADLESS};
    if (!choose_header(layout, salt, number, segment, out_damage)) {
        return NQ_SEGMENT_HEADLESS;
    }
    uint32_t rows = nq__rows_used(layout, out_damage->info.data_bytes);
    for (uint32_t row = 0; row < rows; row++) {
        check_row(layout, segment, row, out_damage);
    }
    out_damage->state = state_of(layout, segment, out_damage);
    return out_damage->state;
}

/* ---- Repair ---- */

/* The row's bad blocks, as indices into it. Returns how many; writes at most NQ_PARITY_COUNT. */
static uint32_t find_lost(nq_segment_layout layout, const nq_segment_damage *damage, uint32_t row,
                          uint32_t lanes, uint32_t out_lost[NQ_PARITY_COUNT]) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < lanes + NQ_PARITY_COUNT; i++) {
        if (is_bad(damage, nq__checked_block(layout, nq__lane_of(lanes, i), row))) {
            if (count < NQ_PARITY_COUNT) {
                out_lost[count] = i;
            }
            count++;
        }
    }
    return count;
}

/* False: parity makes something else of it than its checksum says, so it is left as it is. */
static bool restore_block(const nq_parity_row *row, const nq_parity_syndrome *syndrome,
                          uint32_t lost, uint32_t other, uint32_t crc) {
    uint8_t restored[NQ_SEGMENT_BLOCK_BYTES];
    nq_parity_restore(row, syndrome, lost, other, restored);
    if (nq_crc32c(0, restored, sizeof restored) != crc) {
        return false;
    }
    memcpy(row->blocks[lost], restored, sizeof restored);
    return true;
}

/* Returns how many blocks of the row are still bad. */
static uint32_t repair_row(nq_segment_layout layout, uint32_t row, nq_segment_damage *damage,
                           uint8_t *segment) {
    uint32_t lanes = nq__lanes_used(layout, damage->info.data_bytes, row);
    uint32_t lost[NQ_PARITY_COUNT];
    uint32_t lost_count = find_lost(layout, damage, row, lanes, lost);
    if (lost_count == 0 || lost_count > NQ_PARITY_COUNT) {
        return lost_count;
    }
    nq_parity_row blocks;
    nq_parity_syndrome syndrome;
    nq__row_of(layout, segment, row, lanes, &blocks);
    nq_parity_syndrome_of(&blocks, &syndrome);
    if (lost_count == 1) { /* any other block will do as the second */
        lost[1] = (lost[0] + 1) % (lanes + NQ_PARITY_COUNT);
    }
    uint32_t left = lost_count;
    for (uint32_t i = 0; i < lost_count; i++) {
        uint32_t block = nq__checked_block(layout, nq__lane_of(lanes, lost[i]), row);
        uint32_t crc = header_at(segment, damage->header_offset)->block_crcs[block];
        if (restore_block(&blocks, &syndrome, lost[i], lost[1 - i], crc)) {
            set_good(damage, block);
            left--;
        }
    }
    return left;
}

bool nq_segment_repair(nq_segment_layout layout, nq_segment_damage *damage, uint8_t *segment) {
    if (damage->state == NQ_SEGMENT_WHOLE || damage->state == NQ_SEGMENT_HEADLESS) {
        return damage->state == NQ_SEGMENT_WHOLE;
    }
    damage->lost_row_count = 0;
    uint32_t rows = nq__rows_used(layout, damage->info.data_bytes);
    for (uint32_t row = 0; row < rows; row++) {
        if (repair_row(layout, row, damage, segment) > 0) {
            set_row_lost(damage, row);
        }
    }
    memcpy(segment + other_header_offset(layout, damage), segment + damage->header_offset,
           NQ_SEGMENT_HEADER_BYTES);
    damage->headers[0] = damage->headers[1] = NQ_SEGMENT_HEADER_VALID;
    damage->state = state_of(layout, segment, damage);
    return damage->state == NQ_SEGMENT_WHOLE;
}
