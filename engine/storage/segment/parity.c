/* Parity: P and Q by ISA-L's generator; a lost block as the combination of the survivors that the
 * inverse of their coefficients gives, which is the same for every pair of lost blocks. */
#include "engine/storage/segment/parity.h"

#include "engine/ground/base/assert.h"

#include <isa-l.h>
#include <string.h>

enum {
    GENERATOR = 2,
    TABLE_BYTES = 32, /* ISA-L's, of one coefficient */
    GENERATED_DATA_MIN = 2,
};

void nq_parity_encode(const nq_parity_row *row) {
    NQ_ASSERT(row->data_count >= 1 && row->data_count <= NQ_PARITY_DATA_MAX);
    NQ_ASSERT(row->block_bytes % NQ_PARITY_ALIGNMENT == 0);
    if (row->data_count < GENERATED_DATA_MIN) { /* fewer than the generator takes: g⁰ is 1 */
        memcpy(row->blocks[1], row->blocks[0], row->block_bytes);
        memcpy(row->blocks[2], row->blocks[0], row->block_bytes);
        return;
    }
    void *vectors[NQ_PARITY_DATA_MAX + NQ_PARITY_COUNT];
    int count = (int)(row->data_count + NQ_PARITY_COUNT);
    for (int i = 0; i < count; i++) {
        vectors[i] = row->blocks[i];
    }
    int code = pq_gen(count, (int)row->block_bytes, vectors);
    NQ_ASSERT(code == 0); /* it refuses only what is not aligned */
}

/* Block `index` as a combination of the data: its coefficients. */
static void coefficients_of(uint32_t data_count, uint32_t index, uint8_t *out_coefficients) {
    memset(out_coefficients, 0, data_count);
    if (index < data_count) {
        out_coefficients[index] = 1;
        return;
    }
    uint8_t factor = index == data_count ? 1 : GENERATOR;
    uint8_t power = 1;
    for (uint32_t i = 0; i < data_count; i++) {
        out_coefficients[i] = power;
        power = gf_mul(power, factor);
    }
}

/* The same over the survivors: `of_data` times the inverse of what the survivors are. */
static void combine(uint32_t data_count, const uint8_t *of_data, const uint8_t *inverse,
                    uint8_t *out_coefficients) {
    for (uint32_t survivor = 0; survivor < data_count; survivor++) {
        uint8_t sum = 0;
        for (uint32_t i = 0; i < data_count; i++) {
            sum ^= gf_mul(of_data[i], inverse[i * data_count + survivor]);
        }
        out_coefficients[survivor] = sum;
    }
}

void nq_parity_restore(const nq_parity_row *row, const uint32_t *lost, uint32_t lost_count,
                       uint8_t *const *out_blocks) {
    uint32_t data_count = row->data_count;
    NQ_ASSERT(data_count >= 1 && data_count <= NQ_PARITY_DATA_MAX);
    NQ_ASSERT(lost_count >= 1 && lost_count <= NQ_PARITY_COUNT);
    uint8_t matrix[NQ_PARITY_DATA_MAX * NQ_PARITY_DATA_MAX];
    uint8_t inverse[NQ_PARITY_DATA_MAX * NQ_PARITY_DATA_MAX];
    uint8_t *survivors[NQ_PARITY_DATA_MAX];
    uint32_t survivor_count = 0;
    for (uint32_t i = 0; survivor_count < data_count; i++) {
        if (i != lost[0] && i != lost[lost_count - 1]) {
            coefficients_of(data_count, i, matrix + survivor_count * data_count);
            survivors[survivor_count++] = row->blocks[i];
        }
    }
    int code = gf_invert_matrix(matrix, inverse, (int)data_count);
    NQ_ASSERT(code == 0); /* any two may be lost: that is the code's theorem */

    uint8_t coefficients[NQ_PARITY_COUNT * NQ_PARITY_DATA_MAX];
    uint8_t tables[NQ_PARITY_COUNT * NQ_PARITY_DATA_MAX * TABLE_BYTES];
    uint8_t *targets[NQ_PARITY_COUNT];
    for (uint32_t i = 0; i < lost_count; i++) {
        uint8_t of_data[NQ_PARITY_DATA_MAX];
        coefficients_of(data_count, lost[i], of_data);
        combine(data_count, of_data, inverse, coefficients + i * data_count);
        targets[i] = out_blocks[i];
    }
    ec_init_tables((int)data_count, (int)lost_count, coefficients, tables);
    ec_encode_data((int)row->block_bytes, (int)data_count, (int)lost_count, tables, survivors,
                   targets);
}
