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

typedef struct bad_block {
    uint32_t index;   /* in its row */
    uint32_t checked; /* block of the segment */
    uint32_t crc;     /* that it must have */
    uint32_t bit;     /* that alone explains what it has; NQ__NO_BIT: none does */
} bad_block;

typedef struct bad_row {
    nq_parity_row blocks;
    bad_block bad[NQ_SEGMENT_LANES];
    uint32_t count;
} bad_row;

static void find_bad(nq_segment_layout layout, const nq_segment_damage *damage, uint32_t row,
                     uint8_t *segment, bad_row *out_row) {
    const nq__segment_header *header = header_at(segment, damage->header_offset);
    uint32_t lanes = nq__lanes_used(layout, damage->info.data_bytes, row);
    out_row->count = 0;
    nq__row_of(layout, segment, row, lanes, &out_row->blocks);
    for (uint32_t i = 0; i < lanes + NQ_PARITY_COUNT; i++) {
        uint32_t block = nq__checked_block(layout, nq__lane_of(lanes, i), row);
        if (is_bad(damage, block)) {
            out_row->bad[out_row->count++] =
                (bad_block){i, block, header->block_crcs[block], NQ__NO_BIT};
        }
    }
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

/* Restores the bad blocks from number `first` on, one or two, from parity. Returns how many cannot
 * be. */
static uint32_t restore_from(bad_row *row, uint32_t first, nq_segment_damage *damage) {
    nq_parity_syndrome syndrome;
    nq_parity_syndrome_of(&row->blocks, &syndrome);
    uint32_t left = row->count - first;
    for (uint32_t i = first; i < row->count; i++) {
        const bad_block *bad = &row->bad[i];
        /* Where one is bad any other block will do as the second. */
        uint32_t other = (bad->index + 1) % (row->blocks.data_count + NQ_PARITY_COUNT);
        if (row->count - first == NQ_PARITY_COUNT) {
            other = row->bad[i == first ? first + 1 : first].index;
        }
        if (restore_block(&row->blocks, &syndrome, bad->index, other, bad->crc)) {
            set_good(damage, bad->checked);
            left--;
        }
    }
    return left;
}

/* Those with a single wrong bit come first. Returns how many there are. */
static uint32_t find_flips(bad_row *row) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < row->count; i++) {
        bad_block bad = row->bad[i];
        uint32_t crc = nq_crc32c(0, row->blocks.blocks[bad.index], NQ_SEGMENT_BLOCK_BYTES);
        bad.bit = nq__flipped_bit(crc, bad.crc);
        row->bad[i] = bad;
        if (bad.bit != NQ__NO_BIT) {
            row->bad[i] = row->bad[count];
            row->bad[count++] = bad;
        }
    }
    return count;
}

static void flip_first(const bad_row *row, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        uint8_t *block = row->blocks.blocks[row->bad[i].index];
        block[row->bad[i].bit / 8] ^= (uint8_t)(1u << row->bad[i].bit % 8);
    }
}

/* More blocks are bad than parity restores. All but two get their flipped bit back, if they have
 * one; that the two then come out of parity with their checksums proves the others right. Otherwise
 * they get it back again. */
static uint32_t repair_flips(bad_row *row, nq_segment_damage *damage) {
    uint32_t mended = row->count - NQ_PARITY_COUNT;
    if (find_flips(row) < mended) {
        return row->count;
    }
    flip_first(row, mended);
    if (restore_from(row, mended, damage) != 0) {
        flip_first(row, mended);
        return row->count;
    }
    for (uint32_t i = 0; i < mended; i++) {
        set_good(damage, row->bad[i].checked);
    }
    return 0;
}

/* Returns how many blocks of the row are still bad. */
static uint32_t repair_row(nq_segment_layout layout, uint32_t row, nq_segment_damage *damage,
                           uint8_t *segment) {
    bad_row bad;
    find_bad(layout, damage, row, segment, &bad);
    if (bad.count == 0) {
        return 0;
    }
    return bad.count <= NQ_PARITY_COUNT ? restore_from(&bad, 0, damage)
                                        : repair_flips(&bad, damage);
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
