/* A segment's layout, what is written of it, and its header among other bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "engine/ground/simd/crc32c.h"
#include "tests/engine/storage/segment/sealed.h"

enum { BLOCK = NQ_SEGMENT_BLOCK_BYTES, SMALL_LANE_BLOCKS = 3 };

static nq_segment_verdict decode(const sealed *s, nq_segment_info *out_info) {
    return nq_segment_header_decode(s->layout, SEALED_SALT, SEALED_NUMBER, s->read, out_info);
}

/* Makes a changed header whole again, as whoever knows the format can. */
static void forge_crc(uint8_t *header) {
    uint32_t crc = nq_crc32c(SEALED_NUMBER, header + 48, 8);
    memset(header + 12, 0, 4);
    crc = nq_crc32c(crc, header, NQ_SEGMENT_HEADER_BYTES);
    memcpy(header + 12, &crc, 4);
}

static void the_product_s_segment_is_4_mib(void **state) {
    (void)state;
    nq_segment_layout product = {NQ_SEGMENT_LANE_BLOCKS_MAX};
    assert_int_equal(nq_segment_bytes(product), 4 << 20);
    assert_int_equal(nq_segment_data_bytes_max(product), 16 * 56 * BLOCK);
    assert_int_equal(nq_segment_blocks((nq_segment_layout){7}), 128);
    assert_int_equal(nq_segment_blocks((nq_segment_layout){3}), 64);
    assert_int_equal(nq_segment_blocks((nq_segment_layout){1}), 32);
}

static void a_header_says_what_was_sealed_in_both_copies(void **state) {
    (void)state;
    sealed s = sealed_of(SMALL_LANE_BLOCKS, 5 * BLOCK + 100);
    nq_segment_info info;
    assert_int_equal(decode(&s, &info), NQ_SEGMENT_HEADER_VALID);
    assert_int_equal(info.number, SEALED_NUMBER);
    assert_int_equal(info.data_bytes, 5 * BLOCK + 100);
    assert_int_equal(info.sequence, SEALED_SEQUENCE);
    assert_int_equal(info.checkpoint, SEALED_CHECKPOINT);
    assert_int_equal(info.salt, SEALED_SALT);
    assert_memory_equal(s.read, s.read + nq_segment_last_block_offset(s.layout), BLOCK);
    sealed_drop(&s);
}

static void every_flipped_bit_of_a_header_is_noticed(void **state) {
    (void)state;
    sealed s = sealed_of(SMALL_LANE_BLOCKS, 48 * BLOCK);
    nq_segment_info info;
    for (unsigned bit = 0; bit < BLOCK * 8; bit++) {
        s.read[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        assert_int_equal(decode(&s, &info),
                         bit < 64 ? NQ_SEGMENT_HEADER_FOREIGN : NQ_SEGMENT_HEADER_DAMAGED);
        assert_int_equal(info.data_bytes, 0);
        s.read[bit / 8] ^= (uint8_t)(1u << (bit % 8));
    }
    sealed_drop(&s);
}

static void a_header_of_elsewhere_is_told_apart(void **state) {
    (void)state;
    sealed s = sealed_of(SMALL_LANE_BLOCKS, BLOCK);
    nq_segment_info info;
    nq_segment_layout wider = {SMALL_LANE_BLOCKS + 1};
    assert_int_equal(
        nq_segment_header_decode(s.layout, SEALED_SALT + 1, SEALED_NUMBER, s.read, &info),
        NQ_SEGMENT_HEADER_OTHER);
    assert_int_equal(
        nq_segment_header_decode(s.layout, SEALED_SALT, SEALED_NUMBER + 1, s.read, &info),
        NQ_SEGMENT_HEADER_OTHER);
    assert_int_equal(nq_segment_header_decode(wider, SEALED_SALT, SEALED_NUMBER, s.read, &info),
                     NQ_SEGMENT_HEADER_OTHER);
    s.read[8]++; /* the format's version */
    forge_crc(s.read);
    assert_int_equal(decode(&s, &info), NQ_SEGMENT_HEADER_OTHER);
    memset(s.read, 0, BLOCK);
    assert_int_equal(decode(&s, &info), NQ_SEGMENT_HEADER_FOREIGN);
    sealed_drop(&s);
}

static void a_forged_header_cannot_claim_more_data_than_fits(void **state) {
    (void)state;
    sealed s = sealed_of(SMALL_LANE_BLOCKS, BLOCK);
    nq_segment_info info;
    const uint32_t claims[] = {0, nq_segment_data_bytes_max(s.layout) + 1, UINT32_MAX};
    for (size_t i = 0; i < sizeof claims / sizeof claims[0]; i++) {
        memcpy(s.read + 24, &claims[i], 4);
        forge_crc(s.read);
        assert_int_equal(decode(&s, &info), NQ_SEGMENT_HEADER_DAMAGED);
    }
    const uint32_t possible = 7 * BLOCK;
    memcpy(s.read + 24, &possible, 4);
    forge_crc(s.read);
    assert_int_equal(decode(&s, &info), NQ_SEGMENT_HEADER_VALID);
    sealed_drop(&s);
}

static void sealing_zeroes_the_rest_of_the_last_block_and_nothing_else(void **state) {
    (void)state;
    nq_segment_layout layout = {SMALL_LANE_BLOCKS};
    static _Alignas(NQ_SEGMENT_BLOCK_BYTES) uint8_t segment[64 * BLOCK];
    fill_noise(segment, sizeof segment, 4);
    uint8_t noise[2 * BLOCK];
    memcpy(noise, nq_segment_data(segment), sizeof noise);
    nq_segment_info info = sealed_info(100);
    nq_segment_seal(layout, &info, segment);
    const uint8_t *data = nq_segment_data(segment);
    assert_memory_equal(data, noise, 100);
    assert_memory_equal(data + BLOCK, noise + BLOCK, BLOCK);
    for (unsigned i = 100; i < BLOCK; i++) {
        assert_int_equal(data[i], 0);
    }
}

static void little_data_is_three_blocks_and_two_headers_in_few_runs(void **state) {
    (void)state;
    nq_segment_layout product = {NQ_SEGMENT_LANE_BLOCKS_MAX};
    nq_segment_extent extents[NQ_SEGMENT_EXTENTS_MAX];
    assert_int_equal(nq_segment_extents(product, 1, extents), 4);
    const nq_segment_extent wanted[] = {
        {0, 2 * BLOCK}, {897 * BLOCK, BLOCK}, {953 * BLOCK, BLOCK}, {1023 * BLOCK, BLOCK}};
    assert_memory_equal(extents, wanted, sizeof wanted);
}

static void a_full_segment_is_two_runs(void **state) {
    (void)state;
    nq_segment_layout product = {NQ_SEGMENT_LANE_BLOCKS_MAX};
    nq_segment_extent extents[NQ_SEGMENT_EXTENTS_MAX];
    assert_int_equal(nq_segment_extents(product, nq_segment_data_bytes_max(product), extents), 2);
    const nq_segment_extent wanted[] = {{0, 1009 * BLOCK}, {1023 * BLOCK, BLOCK}};
    assert_memory_equal(extents, wanted, sizeof wanted);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_product_s_segment_is_4_mib),
        cmocka_unit_test(a_header_says_what_was_sealed_in_both_copies),
        cmocka_unit_test(every_flipped_bit_of_a_header_is_noticed),
        cmocka_unit_test(a_header_of_elsewhere_is_told_apart),
        cmocka_unit_test(a_forged_header_cannot_claim_more_data_than_fits),
        cmocka_unit_test(sealing_zeroes_the_rest_of_the_last_block_and_nothing_else),
        cmocka_unit_test(little_data_is_three_blocks_and_two_headers_in_few_runs),
        cmocka_unit_test(a_full_segment_is_two_runs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
