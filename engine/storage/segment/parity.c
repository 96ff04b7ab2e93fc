/* Parity: P and Q by ISA-L's generator, and the one equation that every repair is.
 *
 * Block i takes part in P with factor p_i and in Q with q_i: (1, gⁱ) for data, (1, 0) for P itself,
 * (0, 1) for Q. If the blocks a and b have changed by e_a and e_b, the syndrome is
 *
 *     S_P = p_a e_a + p_b e_b        S_Q = q_a e_a + q_b e_b
 *
 * whence e_a = (q_b S_P + p_b S_Q) / (p_a q_b + p_b q_a); no two blocks make that divisor zero. */
#include "engine/storage/segment/parity.h"

#include "engine/ground/base/assert.h"

#include <isa-l.h>
#include <stdbool.h>
#include <string.h>

enum {
    GENERATOR = 2,
    GENERATED_DATA_MIN = 2, /* pq_gen takes no less */
    TERMS = 3,
    TABLE_BYTES = 32, /* ISA-L's, of one factor */
};

static void generate(const nq_parity_row *row, uint8_t *out_p, uint8_t *out_q) {
    NQ_ASSERT(row->data_count >= 1 && row->data_count <= NQ_PARITY_DATA_MAX);
    if (row->data_count < GENERATED_DATA_MIN) { /* g⁰ is 1 */
        memcpy(out_p, row->blocks[0], NQ_PARITY_BLOCK_BYTES);
        memcpy(out_q, row->blocks[0], NQ_PARITY_BLOCK_BYTES);
        return;
    }
    void *vectors[NQ_PARITY_DATA_MAX + NQ_PARITY_COUNT];
    for (uint32_t i = 0; i < row->data_count; i++) {
        vectors[i] = row->blocks[i];
    }
    vectors[row->data_count] = out_p;
    vectors[row->data_count + 1] = out_q;
    int code = pq_gen((int)row->data_count + NQ_PARITY_COUNT, NQ_PARITY_BLOCK_BYTES, vectors);
    NQ_ASSERT(code == 0); /* it refuses only what is not aligned */
}

void nq_parity_encode(const nq_parity_row *row) {
    generate(row, row->blocks[row->data_count], row->blocks[row->data_count + 1]);
}

static void subtract(uint8_t *target, const uint8_t *source) {
    for (size_t i = 0; i < NQ_PARITY_BLOCK_BYTES; i++) {
        target[i] ^= source[i];
    }
}

void nq_parity_syndrome_of(const nq_parity_row *row, nq_parity_syndrome *out_syndrome) {
    generate(row, out_syndrome->p, out_syndrome->q);
    subtract(out_syndrome->p, row->blocks[row->data_count]);
    subtract(out_syndrome->q, row->blocks[row->data_count + 1]);
}

typedef struct factors {
    uint8_t p;
    uint8_t q;
} factors;

static factors factors_of(const nq_parity_row *row, uint32_t block) {
    NQ_ASSERT(block < row->data_count + NQ_PARITY_COUNT);
    if (block >= row->data_count) {
        bool is_p = block == row->data_count;
        return (factors){is_p, !is_p};
    }
    factors f = {1, 1};
    for (uint32_t i = 0; i < block; i++) {
        f.q = gf_mul(f.q, GENERATOR);
    }
    return f;
}

void nq_parity_restore(const nq_parity_row *row, const nq_parity_syndrome *syndrome, uint32_t lost,
                       uint32_t other, uint8_t *out_block) {
    NQ_ASSERT(lost != other);
    factors a = factors_of(row, lost);
    factors b = factors_of(row, other);
    uint8_t over = gf_inv(gf_mul(a.p, b.q) ^ gf_mul(b.p, a.q));
    uint8_t coefficients[TERMS] = {1, gf_mul(b.q, over), gf_mul(b.p, over)};
    uint8_t tables[TERMS * TABLE_BYTES];
    ec_init_tables(TERMS, 1, coefficients, tables);
    /* ISA-L only reads what it takes without const. */
    uint8_t *terms[TERMS] = {row->blocks[lost], (uint8_t *)syndrome->p, (uint8_t *)syndrome->q};
    ec_encode_data(NQ_PARITY_BLOCK_BYTES, TERMS, 1, tables, terms, &out_block);
}
