/* Segment: sealing a full buffer, and telling a header from everything else. */
#include "engine/storage/segment/segment.h"

#include "engine/ground/base/assert.h"
#include "engine/ground/simd/crc32c.h"
#include "engine/storage/page/bug.h"
#include "engine/storage/segment/segment_internal.h"

#include <string.h>

enum { FORMAT_VERSION = 1 };

/* Like PNG's: catches text-mode transfers and is no valid UTF-8. */
static const uint8_t header_magic[8] = {0x8e, 'N', 'Q', 'S', 'G', '\r', '\n', 0x1a};

/* The seed makes a header of another place or store wrong here even where its fields were changed
 * to fit. */
static uint32_t header_crc(const nq__segment_header *header) {
    static const uint32_t zero = 0;
    const uint8_t *bytes = (const uint8_t *)header;
    uint32_t crc = nq_crc32c(header->number, &header->salt, sizeof header->salt);
    crc = nq_crc32c(crc, bytes, offsetof(nq__segment_header, crc));
    crc = nq_crc32c(crc, &zero, sizeof zero);
    return nq_crc32c(crc, bytes + offsetof(nq__segment_header, number),
                     sizeof *header - offsetof(nq__segment_header, number));
}

void nq__row_of(nq_segment_layout layout, uint8_t *segment, uint32_t row, uint32_t lanes,
                nq_parity_row *out_row) {
    out_row->data_count = lanes;
    for (uint32_t i = 0; i < lanes + NQ_PARITY_COUNT; i++) {
        uint32_t block = nq__checked_block(layout, nq__lane_of(lanes, i), row);
        out_row->blocks[i] = nq__block_at(segment, block);
    }
}

static void seal_row(nq_segment_layout layout, uint8_t *segment, uint32_t row, uint32_t lanes,
                     nq__segment_header *header) {
    nq_parity_row blocks;
    nq__row_of(layout, segment, row, lanes, &blocks);
    bool is_last = row + 1 == nq__rows_used(layout, header->data_bytes);
    if (!(NQ_HAS_BUG(PARITY_ROW_LEFT_OUT) && is_last)) {
        nq_parity_encode(&blocks);
    }
    for (uint32_t i = 0; i < lanes + NQ_PARITY_COUNT; i++) {
        uint32_t block = nq__checked_block(layout, nq__lane_of(lanes, i), row);
        header->block_crcs[block] = nq_crc32c(0, blocks.blocks[i], NQ_SEGMENT_BLOCK_BYTES);
    }
}

void nq_segment_seal(nq_segment_layout layout, const nq_segment_info *info, uint8_t *segment) {
    uint32_t data_bytes = info->data_bytes;
    NQ_ASSERT(data_bytes > 0 && data_bytes <= nq_segment_data_bytes_max(layout));
    uint32_t block_end = nq__data_blocks(data_bytes) * NQ_SEGMENT_BLOCK_BYTES;
    memset(nq_segment_data(segment) + data_bytes, 0, block_end - data_bytes);

    nq__segment_header *header = (nq__segment_header *)(void *)segment;
    *header = (nq__segment_header){
        .format_version = FORMAT_VERSION,
        .number = info->number,
        .lane_blocks = layout.lane_blocks,
        .data_bytes = data_bytes,
        .sequence = info->sequence,
        .checkpoint = info->checkpoint,
        .salt = info->salt,
    };
    memcpy(header->magic, header_magic, sizeof header->magic);
    for (uint32_t row = 0; row < nq__rows_used(layout, data_bytes); row++) {
        seal_row(layout, segment, row, nq__lanes_used(layout, data_bytes, row), header);
    }
    header->crc = header_crc(header);
    memcpy(segment + nq_segment_last_block_offset(layout), header, sizeof *header);
}

size_t nq_segment_extents(nq_segment_layout layout, uint32_t data_bytes,
                          nq_segment_extent out_extents[NQ_SEGMENT_EXTENTS_MAX]) {
    uint32_t parity_bytes = nq__rows_used(layout, data_bytes) * NQ_SEGMENT_BLOCK_BYTES;
    uint32_t lane_bytes = layout.lane_blocks * NQ_SEGMENT_BLOCK_BYTES;
    uint32_t p_offset = NQ_SEGMENT_HEADER_BYTES + NQ_SEGMENT_DATA_LANES * lane_bytes;
    const nq_segment_extent parts[NQ_SEGMENT_EXTENTS_MAX] = {
        {0, NQ_SEGMENT_HEADER_BYTES + nq__data_blocks(data_bytes) * NQ_SEGMENT_BLOCK_BYTES},
        {p_offset, parity_bytes},
        {p_offset + lane_bytes, parity_bytes},
        {nq_segment_last_block_offset(layout), NQ_SEGMENT_HEADER_BYTES},
    };
    size_t count = 0;
    for (size_t i = 0; i < NQ_SEGMENT_EXTENTS_MAX; i++) {
        nq_segment_extent *last = count > 0 ? &out_extents[count - 1] : NULL;
        if (last != NULL && last->offset + last->bytes == parts[i].offset) {
            last->bytes += parts[i].bytes;
        } else {
            out_extents[count++] = parts[i];
        }
    }
    return count;
}

nq_segment_verdict nq_segment_header_decode(nq_segment_layout layout, uint64_t salt,
                                            uint32_t number, const uint8_t *block,
                                            nq_segment_info *out_info) {
    memset(out_info, 0, sizeof *out_info);
    nq__segment_header header;
    memcpy(&header, block, sizeof header);
    if (memcmp(header.magic, header_magic, sizeof header.magic) != 0) {
        return NQ_SEGMENT_HEADER_FOREIGN;
    }
    if (header.crc != header_crc(&header)) {
        return NQ_SEGMENT_HEADER_DAMAGED;
    }
    if (header.format_version != FORMAT_VERSION || header.lane_blocks != layout.lane_blocks ||
        header.number != number || header.salt != salt) {
        return NQ_SEGMENT_HEADER_OTHER;
    }
    if (header.data_bytes == 0 || header.data_bytes > nq_segment_data_bytes_max(layout)) {
        return NQ_SEGMENT_HEADER_DAMAGED;
    }
    *out_info = (nq_segment_info){
        .number = header.number,
        .data_bytes = header.data_bytes,
        .sequence = header.sequence,
        .checkpoint = header.checkpoint,
        .salt = header.salt,
    };
    return NQ_SEGMENT_HEADER_VALID;
}
