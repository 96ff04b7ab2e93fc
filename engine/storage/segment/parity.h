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
    NQ_PARITY_BLOCK_BYTES = 4096,
    NQ_PARITY_ALIGNMENT = 64, /* of every block */
};

typedef struct nq_parity_row {
    uint8_t *blocks[NQ_PARITY_DATA_MAX + NQ_PARITY_COUNT]; /* the data, then P and Q */
    uint32_t data_count;                                   /* 1 to NQ_PARITY_DATA_MAX */
} nq_parity_row;

/* Writes P and Q from the data. */
void nq_parity_encode(const nq_parity_row *row);

/* By how much P and Q are not those of the data: zero when all blocks are as they were. */
typedef struct nq_parity_syndrome {
    _Alignas(NQ_PARITY_ALIGNMENT) uint8_t p[NQ_PARITY_BLOCK_BYTES];
    _Alignas(NQ_PARITY_ALIGNMENT) uint8_t q[NQ_PARITY_BLOCK_BYTES];
} nq_parity_syndrome;

void nq_parity_syndrome_of(const nq_parity_row *row, nq_parity_syndrome *out_syndrome);

/* What block `lost` (an index into row->blocks) was, if no block but it and `other` has changed;
 * `other` may be unchanged too. `syndrome` is the row's; `out_block` is outside of the row. */
void nq_parity_restore(const nq_parity_row *row, const nq_parity_syndrome *syndrome, uint32_t lost,
                       uint32_t other, uint8_t *out_block);

#endif
