/* Segment, for the room: the header's bytes and the arithmetic of rows. */
#ifndef NQ_STORAGE_SEGMENT_SEGMENT_INTERNAL_H
#define NQ_STORAGE_SEGMENT_SEGMENT_INTERNAL_H

#include "engine/storage/segment/parity.h"
#include "engine/storage/segment/segment.h"

#include <assert.h>

static_assert((int)NQ_SEGMENT_DATA_LANES == (int)NQ_PARITY_DATA_MAX, "a row is a parity row");
static_assert((int)NQ_SEGMENT_PARITY_LANES == (int)NQ_PARITY_COUNT, "a row is a parity row");
static_assert((int)NQ_SEGMENT_BLOCK_BYTES == (int)NQ_PARITY_BLOCK_BYTES, "of the same blocks");

/* As on disk, little-endian. */
typedef struct nq__segment_header {
    uint8_t magic[8];
    uint32_t format_version;
    uint32_t crc; /* CRC32C of the block with this field zero, seeded by salt and number */
    uint32_t number;
    uint32_t lane_blocks;
    uint32_t data_bytes;
    uint32_t zero;
    uint64_t sequence;
    uint64_t checkpoint;
    uint64_t salt;
    uint64_t zero_too;
    uint32_t block_crcs[NQ_SEGMENT_CHECKED_BLOCKS_MAX]; /* CRC32C; 0 of an absent block */
} nq__segment_header;

static_assert(sizeof(nq__segment_header) == NQ_SEGMENT_HEADER_BYTES, "the header fills its block");

static inline uint32_t nq__data_blocks(uint32_t data_bytes) {
    return (data_bytes + NQ_SEGMENT_BLOCK_BYTES - 1) / NQ_SEGMENT_BLOCK_BYTES;
}

/* Rows that hold data. */
static inline uint32_t nq__rows_used(nq_segment_layout layout, uint32_t data_bytes) {
    uint32_t blocks = nq__data_blocks(data_bytes);
    return blocks < layout.lane_blocks ? blocks : layout.lane_blocks;
}

/* How many lanes have a data block in this row. */
static inline uint32_t nq__lanes_used(nq_segment_layout layout, uint32_t data_bytes, uint32_t row) {
    uint32_t blocks = nq__data_blocks(data_bytes);
    return (blocks + layout.lane_blocks - 1 - row) / layout.lane_blocks;
}

/* The checked block of a lane and row: its index among the checksums; it is block 1 + index. */
static inline uint32_t nq__checked_block(nq_segment_layout layout, uint32_t lane, uint32_t row) {
    return lane * layout.lane_blocks + row;
}

static inline uint8_t *nq__block_at(uint8_t *segment, uint32_t checked_block) {
    return segment + NQ_SEGMENT_HEADER_BYTES + (size_t)checked_block * NQ_SEGMENT_BLOCK_BYTES;
}

static inline const uint8_t *nq__const_block_at(const uint8_t *segment, uint32_t checked_block) {
    return segment + NQ_SEGMENT_HEADER_BYTES + (size_t)checked_block * NQ_SEGMENT_BLOCK_BYTES;
}

/* The lane of a row's block: `lanes` data lanes, then P and Q. */
static inline uint32_t nq__lane_of(uint32_t lanes, uint32_t index) {
    return index < lanes ? index : NQ_SEGMENT_DATA_LANES + index - lanes;
}

/* Bit b of a block is bit b % 8 of its byte b / 8. The one whose flipping made the checksum of a
 * block what was found; NQ__NO_BIT: more is wrong. (flip.c) */
#define NQ__NO_BIT UINT32_MAX
uint32_t nq__flipped_bit(uint32_t crc_found, uint32_t crc_expected);

/* Row `row` of a segment whose first `lanes` lanes hold data there. */
void nq__row_of(nq_segment_layout layout, uint8_t *segment, uint32_t row, uint32_t lanes,
                nq_parity_row *out_row);

#endif
