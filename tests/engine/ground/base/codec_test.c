/* Integers survive their bytes; malformed varints are refused. */
#include "engine/ground/base/codec.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/ground/base/rng.h"

static void fixed_widths_have_the_bytes_their_name_says(void **state) {
    (void)state;
    uint8_t data[9] = {0};
    nq_store_le32(data + 1, 0x01020304);
    assert_memory_equal(data + 1, "\x04\x03\x02\x01", 4);
    assert_int_equal(nq_load_le32(data + 1), 0x01020304);
    nq_store_be32(data + 1, 0x01020304);
    assert_memory_equal(data + 1, "\x01\x02\x03\x04", 4);
    assert_int_equal(nq_load_be32(data + 1), 0x01020304);
    nq_store_be64(data + 1, UINT64_C(0x0102030405060708));
    assert_memory_equal(data + 1, "\1\2\3\4\5\6\7\10", 8);
    assert_true(nq_load_be64(data + 1) == UINT64_C(0x0102030405060708));
    nq_store_le16(data, 0xABCD);
    assert_int_equal(nq_load_be16(data), 0xCDAB);
}

static void varints_survive_and_take_as_many_bytes_as_they_need(void **state) {
    (void)state;
    nq_rng rng = {3};
    for (unsigned bits = 0; bits <= 64; bits++) {
        for (int round = 0; round < 50; round++) {
            uint64_t value =
                bits == 0 ? 0 : nq_rng_next(&rng) >> (64 - bits) | UINT64_C(1) << (bits - 1);
            uint8_t data[NQ_VARINT_BYTES_MAX];
            size_t size = nq_store_varint(data, value);
            assert_int_equal(size, bits == 0 ? 1 : (bits + 6) / 7);
            uint64_t back;
            assert_int_equal(nq_load_varint(nq_bytes_of(data, size), &back), size);
            assert_true(back == value);
            for (size_t cut = 0; cut < size; cut++) {
                assert_int_equal(nq_load_varint(nq_bytes_of(data, cut), &back), 0);
                assert_true(back == 0);
            }
        }
    }
}

static void a_varint_of_more_than_64_bits_is_refused(void **state) {
    (void)state;
    uint64_t value;
    uint8_t largest[] = {0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x01, 0x00};
    assert_int_equal(nq_load_varint(nq_bytes_of(largest, 11), &value), 10);
    assert_true(value == UINT64_MAX);
    largest[9] = 0x02;
    assert_int_equal(nq_load_varint(nq_bytes_of(largest, 11), &value), 0);
    largest[9] = 0x81;
    assert_int_equal(nq_load_varint(nq_bytes_of(largest, 11), &value), 0);
    uint8_t padded[] = {0x80, 0x80, 0x00};
    assert_int_equal(nq_load_varint(nq_bytes_of(padded, 3), &value), 3);
    assert_true(value == 0);
}

static void zigzag_makes_small_magnitudes_small(void **state) {
    (void)state;
    static const int64_t VALUES[] = {0, -1, 1, -2, 2, INT64_MAX, INT64_MIN};
    static const uint64_t CODES[] = {0, 1, 2, 3, 4, UINT64_MAX - 1, UINT64_MAX};
    for (int i = 0; i < 7; i++) {
        assert_true(nq_zigzag_encode(VALUES[i]) == CODES[i]);
        assert_true(nq_zigzag_decode(CODES[i]) == VALUES[i]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fixed_widths_have_the_bytes_their_name_says),
        cmocka_unit_test(varints_survive_and_take_as_many_bytes_as_they_need),
        cmocka_unit_test(a_varint_of_more_than_64_bits_is_refused),
        cmocka_unit_test(zigzag_makes_small_magnitudes_small),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
