/* Segment: the unit in which the data file is written, and in which it can be repaired.
 *
 *     block 0 | 16 data lanes | P lane | Q lane | spare | last block
 *     header  | lane_blocks each                |       | header
 *
 * Row r is block r of every lane: its data, and the parity (parity.h) of its data. The header has a
 * checksum of every block, so what is damaged is known, and any two blocks of a row can be
 * restored: any damaged run up to two lanes. A segment holds data_bytes of data from its first data
 * block on; data blocks behind them are absent: they count as zeros, and neither they nor the
 * parity of rows without data are written. Bytes in docs/format/segment.md.
 *
 * Pure functions on a buffer of a whole segment, aligned to NQ_SEGMENT_BLOCK_BYTES. Nothing here
 * allocates, locks or reads a file. damage.h finds and repairs. */
#ifndef NQ_STORAGE_SEGMENT_SEGMENT_H
#define NQ_STORAGE_SEGMENT_SEGMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    NQ_SEGMENT_BLOCK_BYTES = 4096,
    NQ_SEGMENT_HEADER_BYTES = NQ_SEGMENT_BLOCK_BYTES,
    NQ_SEGMENT_DATA_LANES = 16,
    NQ_SEGMENT_PARITY_LANES = 2,
    NQ_SEGMENT_LANES = NQ_SEGMENT_DATA_LANES + NQ_SEGMENT_PARITY_LANES,
    NQ_SEGMENT_LANE_BLOCKS_MAX = 56, /* whose checksums fill the header block: 1024 blocks, 4 MiB */
    NQ_SEGMENT_CHECKED_BLOCKS_MAX = NQ_SEGMENT_LANES * NQ_SEGMENT_LANE_BLOCKS_MAX,
    NQ_SEGMENT_EXTENTS_MAX = 4,
};

/* The shape of all segments of a file. */
typedef struct nq_segment_layout {
    uint32_t lane_blocks; /* 1 to NQ_SEGMENT_LANE_BLOCKS_MAX */
} nq_segment_layout;

/* Data and parity blocks, each with a checksum in the header: data first, then P, then Q. */
static inline uint32_t nq_segment_checked_blocks(nq_segment_layout layout) {
    return NQ_SEGMENT_LANES * layout.lane_blocks;
}

/* The smallest power of two that holds them and two headers. */
static inline uint32_t nq_segment_blocks(nq_segment_layout layout) {
    uint32_t least = nq_segment_checked_blocks(layout) + 2;
    return UINT32_C(1) << (32 - __builtin_clz(least - 1));
}

static inline uint32_t nq_segment_bytes(nq_segment_layout layout) {
    return nq_segment_blocks(layout) * NQ_SEGMENT_BLOCK_BYTES;
}

static inline uint32_t nq_segment_data_bytes_max(nq_segment_layout layout) {
    return NQ_SEGMENT_DATA_LANES * layout.lane_blocks * NQ_SEGMENT_BLOCK_BYTES;
}

/* Data byte d of a segment is nq_segment_data(segment)[d]. */
static inline uint8_t *nq_segment_data(uint8_t *segment) {
    return segment + NQ_SEGMENT_HEADER_BYTES;
}

static inline uint32_t nq_segment_data_offset(uint32_t data_byte) {
    return NQ_SEGMENT_HEADER_BYTES + data_byte;
}

/* Offset of the second copy of the header. */
static inline uint32_t nq_segment_last_block_offset(nq_segment_layout layout) {
    return nq_segment_bytes(layout) - NQ_SEGMENT_BLOCK_BYTES;
}

/* What a header says besides the checksums. */
typedef struct nq_segment_info {
    uint32_t number;     /* of the segment in its file; its place there */
    uint32_t data_bytes; /* 1 to nq_segment_data_bytes_max */
    uint64_t sequence; /* of segment writes: of two headers in one place the higher is the newer */
    uint64_t checkpoint; /* sequence of the checkpoint it was written for */
    uint64_t salt;       /* of the store */
} nq_segment_info;

/* Makes a buffer whose data is in place ready to be written: zeroes the rest of the last data
 * block, writes the parity of the rows in use and both headers. Leaves everything else as it is. */
void nq_segment_seal(nq_segment_layout layout, const nq_segment_info *info, uint8_t *segment);

typedef struct nq_segment_extent {
    uint32_t offset; /* in the segment */
    uint32_t bytes;
} nq_segment_extent;

/* The runs of blocks to write for `data_bytes` of data, ascending, those that touch made one.
 * Returns how many. */
size_t nq_segment_extents(nq_segment_layout layout, uint32_t data_bytes,
                          nq_segment_extent out_extents[NQ_SEGMENT_EXTENTS_MAX]);

typedef enum nq_segment_verdict {
    NQ_SEGMENT_HEADER_VALID,
    NQ_SEGMENT_HEADER_DAMAGED, /* ours, but torn or rotten */
    NQ_SEGMENT_HEADER_FOREIGN, /* no header: zeros, other data */
    NQ_SEGMENT_HEADER_OTHER,   /* a whole header of another segment, store, layout or format */
} nq_segment_verdict;

/* What one copy of a header is; reads NQ_SEGMENT_HEADER_BYTES. *out_info is set when it is valid.
 */
nq_segment_verdict nq_segment_header_decode(nq_segment_layout layout, uint64_t salt,
                                            uint32_t number, const uint8_t *block,
                                            nq_segment_info *out_info);

#endif
