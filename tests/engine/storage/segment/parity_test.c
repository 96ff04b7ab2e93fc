/* P and Q are what the definition says, and any two blocks of a row come back from the others. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "engine/ground/base/rng.h"
#include "engine/storage/segment/parity.h"

enum { BLOCK_BYTES = NQ_PARITY_BLOCK_BYTES, BLOCKS_MAX = NQ_PARITY_DATA_MAX + NQ_PARITY_COUNT };

static _Alignas(NQ_PARITY_ALIGNMENT) uint8_t memory[BLOCKS_MAX][BLOCK_BYTES];

static nq_parity_row row_of(uint32_t data_count) {
    nq_parity_row row = {.data_count = data_count};
    nq_rng rng = {data_count};
    for (uint32_t i = 0; i < data_count + NQ_PARITY_COUNT; i++) {
        row.blocks[i] = memory[i];
        for (size_t at = 0; at < BLOCK_BYTES; at++) {
            memory[i][at] = (uint8_t)nq_rng_next(&rng);
        }
    }
    return row;
}

/* GF(2^8) by logarithms to the base 2, made from the polynomial: nothing of ISA-L's. */
static uint8_t powers[255];
static uint8_t logs[256];

static void make_field(void) {
    unsigned value = 1;
    for (unsigned i = 0; i < 255; i++) {
        powers[i] = (uint8_t)value;
        logs[value] = (uint8_t)i;
        value = (value << 1) ^ ((value & 0x80) != 0 ? 0x11d : 0);
    }
}

static uint8_t multiply(uint8_t left, uint8_t right) {
    return left == 0 || right == 0 ? 0 : powers[(logs[left] + logs[right]) % 255];
}

static void parity_is_the_sum_and_the_sum_by_powers_of_two(void **state) {
    (void)state;
    make_field();
    for (uint32_t data_count = 1; data_count <= NQ_PARITY_DATA_MAX; data_count++) {
        nq_parity_row row = row_of(data_count);
        nq_parity_encode(&row);
        for (size_t at = 0; at < BLOCK_BYTES; at++) {
            uint8_t p = 0;
            uint8_t q = 0;
            for (uint32_t i = 0; i < data_count; i++) {
                p ^= memory[i][at];
                q ^= multiply(powers[i], memory[i][at]);
            }
            assert_int_equal(memory[data_count][at], p);
            assert_int_equal(memory[data_count + 1][at], q);
        }
    }
}

/* Damages `first` and `second`, which may be the same, and restores both. */
static void lose_and_restore(const nq_parity_row *row, uint32_t first, uint32_t second) {
    static uint8_t written[BLOCKS_MAX][BLOCK_BYTES];
    memcpy(written, memory, sizeof memory);
    for (size_t at = 0; at < BLOCK_BYTES; at++) {
        memory[first][at] ^= (uint8_t)(at % 251 + 1);
        memory[second][at] = second == first ? memory[second][at] : 0;
    }
    nq_parity_syndrome syndrome;
    nq_parity_syndrome_of(row, &syndrome);
    uint32_t other = second == first ? (first + 1) % (row->data_count + 2) : second;
    uint8_t restored[BLOCK_BYTES];
    nq_parity_restore(row, &syndrome, first, other, restored);
    assert_memory_equal(restored, written[first], BLOCK_BYTES);
    nq_parity_restore(row, &syndrome, other, first, restored);
    assert_memory_equal(restored, written[other], BLOCK_BYTES);
    memcpy(memory, written, sizeof memory);
}

static void one_or_two_lost_blocks_come_back_in_rows_of_every_width(void **state) {
    (void)state;
    for (uint32_t data_count = 1; data_count <= NQ_PARITY_DATA_MAX; data_count++) {
        nq_parity_row row = row_of(data_count);
        nq_parity_encode(&row);
        for (uint32_t first = 0; first < data_count + NQ_PARITY_COUNT; first++) {
            for (uint32_t second = first; second < data_count + NQ_PARITY_COUNT; second++) {
                lose_and_restore(&row, first, second);
            }
        }
    }
}

static void an_undamaged_row_has_no_syndrome(void **state) {
    (void)state;
    nq_parity_row row = row_of(NQ_PARITY_DATA_MAX);
    nq_parity_syndrome syndrome;
    const nq_parity_syndrome none = {.p = {0}};
    nq_parity_encode(&row);
    nq_parity_syndrome_of(&row, &syndrome);
    assert_memory_equal(&syndrome, &none, sizeof none);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parity_is_the_sum_and_the_sum_by_powers_of_two),
        cmocka_unit_test(an_undamaged_row_has_no_syndrome),
        cmocka_unit_test(one_or_two_lost_blocks_come_back_in_rows_of_every_width),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
