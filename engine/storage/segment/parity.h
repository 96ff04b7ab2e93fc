/* Parity: two blocks that can stand in for any two lost ones of a row.
 *
 * A row is 1 to 16 data blocks D0, D1, … and P = ΣDi, Q = Σgⁱ·Di over GF(2⁸) with the polynomial
 * 0x11d and g = 2: RAID-6's code (H. P. Anvin, "The mathematics of RAID-6"), a Reed–Solomon code.
 * Which blocks are lost has to be known (their checksums tell). Sole user of ISA-L. */
#ifndef NQ_STORAGE_SEGMENT_PARITY_H
#define NQ_STORAGE_SEGMENT_PARITY_H

#include <stddef.h>
#include <stdint.h>

enum {
    NQ_PARITY_DATA_MAX = 16,
    NQ_PARITY_COUNT = 2, /* P, then Q */
    NQ_PARITY_ALIGNMENT = 64,
};

/* The blocks of a row: `data_count` of data, then P and Q, each of `block_bytes`, a multiple of
 * NQ_PARITY_ALIGNMENT, and so aligned. */
typedef struct nq_parity_row {
    uint8_t *blocks[NQ_PARITY_DATA_MAX + NQ_PARITY_COUNT];
    uint32_t data_count; /* 1 to NQ_PARITY_DATA_MAX */
    uint32_t block_bytes;
} nq_parity_row;

/* Writes P and Q from the data. */
void nq_parity_encode(const nq_parity_row *row);

/* What block `lost[i]` (an index into row->blocks) must have been, to `out_blocks[i]`; reads none
 * of the `lost_count` (1 or 2) lost blocks. `out_blocks` are outside of the row. */
void nq_parity_restore(const nq_parity_row *row, const uint32_t *lost, uint32_t lost_count,
                       uint8_t *const *out_blocks);

#endif
