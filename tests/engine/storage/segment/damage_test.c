/* A sealed segment survives what it promises to survive, and says what it does not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "engine/ground/base/rng.h"
#include "tests/engine/storage/segment/sealed.h"

enum {
    BLOCK = NQ_SEGMENT_BLOCK_BYTES,
    SMALL_LANE_BLOCKS = 3,
    SMALL_BLOCKS = NQ_SEGMENT_DATA_LANES * SMALL_LANE_BLOCKS,
};

static sealed full_small(void) {
    return sealed_of(SMALL_LANE_BLOCKS, SMALL_BLOCKS * BLOCK);
}

static sealed full_product(void) {
    nq_segment_layout product = {NQ_SEGMENT_LANE_BLOCKS_MAX};
    return sealed_of(product.lane_blocks, nq_segment_data_bytes_max(product));
}

static void assert_repairs(sealed *s) {
    assert_true(nq_segment_repair(s->layout, &s->damage, s->read));
    assert_true(sealed_is_restored(s));
    assert_int_equal(s->damage.state, NQ_SEGMENT_WHOLE);
    assert_int_equal(s->damage.bad_block_count, 0);
    assert_int_equal(sealed_check(s), NQ_SEGMENT_WHOLE);
}

static bool is_noted(const nq_segment_damage *damage, uint32_t block) {
    return (damage->bad_blocks[block / 64] >> (block % 64) & 1) != 0;
}

static void a_sealed_segment_is_whole(void **state) {
    (void)state;
    sealed s = full_product();
    assert_int_equal(sealed_check(&s), NQ_SEGMENT_WHOLE);
    assert_int_equal(s.damage.info.sequence, SEALED_SEQUENCE);
    assert_int_equal(s.damage.bad_block_count, 0);
    assert_true(nq_segment_repair(s.layout, &s.damage, s.read));
    sealed_drop(&s);
}

static void every_single_block_is_found_and_restored(void **state) {
    (void)state;
    sealed s = full_small();
    for (uint32_t block = 0; block < nq_segment_checked_blocks(s.layout); block++) {
        s.read[BLOCK + block * BLOCK + 77 * (block % 50)] ^= 1;
        assert_int_equal(sealed_check(&s), NQ_SEGMENT_DAMAGED);
        assert_int_equal(s.damage.bad_block_count, 1);
        assert_true(is_noted(&s.damage, block));
        assert_repairs(&s);
    }
    sealed_drop(&s);
}

static void any_two_blocks_of_any_row_are_restored(void **state) {
    (void)state;
    sealed s = full_small();
    for (uint32_t row = 0; row < SMALL_LANE_BLOCKS; row++) {
        for (uint32_t first = 0; first < NQ_SEGMENT_LANES; first++) {
            for (uint32_t second = first + 1; second < NQ_SEGMENT_LANES; second++) {
                memset(s.read + sealed_offset(&s, first, row), 0, BLOCK);
                fill_noise(s.read + sealed_offset(&s, second, row), BLOCK, second);
                assert_int_equal(sealed_check(&s), NQ_SEGMENT_DAMAGED);
                assert_int_equal(s.damage.bad_block_count, 2);
                assert_repairs(&s);
            }
        }
    }
    sealed_drop(&s);
}

/* Two blocks of a row are garbage and `flips` more have one wrong bit each. */
static void spoil_row(sealed *s, nq_rng *rng, uint32_t row, uint32_t flips, uint32_t garbage) {
    uint32_t lane = (uint32_t)nq_rng_below(rng, NQ_SEGMENT_LANES);
    for (uint32_t i = 0; i < flips + garbage; i++) {
        uint8_t *block = s->read + sealed_offset(s, (lane + i * 5) % NQ_SEGMENT_LANES, row);
        if (i < garbage) {
            fill_noise(block, BLOCK, nq_rng_next(rng));
        } else {
            block[nq_rng_below(rng, BLOCK)] ^= (uint8_t)(1u << nq_rng_below(rng, 8));
        }
    }
}

static void single_flipped_bits_are_restored_in_any_number_of_blocks(void **state) {
    (void)state;
    sealed s = full_small();
    nq_rng rng = {21};
    for (uint32_t garbage = 0; garbage <= 2; garbage++) {
        for (uint32_t flips = 0; flips + garbage <= NQ_SEGMENT_LANES; flips++) {
            spoil_row(&s, &rng, 1, flips, garbage);
            nq_segment_state expected = flips + garbage > 2   ? NQ_SEGMENT_BROKEN
                                        : flips + garbage > 0 ? NQ_SEGMENT_DAMAGED
                                                              : NQ_SEGMENT_WHOLE;
            assert_int_equal(sealed_check(&s), expected);
            assert_int_equal(s.damage.bad_block_count, flips + garbage);
            assert_repairs(&s);
        }
    }
    sealed_drop(&s);
}

static void a_row_with_three_garbled_blocks_is_left_as_it_is(void **state) {
    (void)state;
    sealed s = full_small();
    nq_rng rng = {22};
    for (uint32_t flips = 0; flips <= 3; flips++) {
        sealed_reset(&s);
        spoil_row(&s, &rng, 2, flips, 3);
        uint32_t bytes = nq_segment_bytes(s.layout);
        uint8_t *before = malloc(bytes);
        assert_non_null(before);
        memcpy(before, s.read, bytes);
        assert_int_equal(sealed_check(&s), NQ_SEGMENT_BROKEN);
        assert_false(nq_segment_repair(s.layout, &s.damage, s.read));
        assert_int_equal(s.damage.lost_row_count, 1);
        assert_int_equal(s.damage.first_lost_row, 2);
        assert_memory_equal(s.read, before, bytes);
        free(before);
    }
    sealed_drop(&s);
}

static void any_run_of_up_to_two_lanes_is_restored(void **state) {
    (void)state;
    sealed s = full_product();
    nq_rng rng = {11};
    uint32_t bytes = nq_segment_bytes(s.layout);
    /* Wherever a run begins, one byte less than two lanes and a block cannot take three of a row.
     */
    uint32_t run_max = (2 * NQ_SEGMENT_LANE_BLOCKS_MAX - 1) * BLOCK + 1;
    for (int round = 0; round < 20; round++) {
        uint32_t run = round == 0 ? run_max : 1 + (uint32_t)nq_rng_below(&rng, run_max);
        uint32_t at = (uint32_t)nq_rng_below(&rng, bytes - run + 1);
        fill_noise(s.read + at, run, (uint64_t)round);
        assert_int_not_equal(sealed_check(&s), NQ_SEGMENT_BROKEN);
        assert_repairs(&s);
    }
    sealed_drop(&s);
}

static void two_whole_lanes_are_restored_wherever_they_begin(void **state) {
    (void)state;
    sealed s = full_product();
    for (uint32_t block = 0; block + 112 <= nq_segment_blocks(s.layout); block += 101) {
        memset(s.read + block * BLOCK, 0, 112 * BLOCK);
        (void)sealed_check(&s);
        assert_repairs(&s);
    }
    sealed_drop(&s);
}

static void a_quarter_mib_of_zeros_anywhere_is_restored(void **state) {
    (void)state;
    enum { ZEROS = 256 << 10 };
    sealed s = full_product();
    nq_rng rng = {12};
    uint32_t last = nq_segment_bytes(s.layout) - ZEROS;
    for (uint32_t round = 0; round < 20; round++) {
        uint32_t at = round == 0 ? 0 : round == 1 ? last : (uint32_t)nq_rng_below(&rng, last);
        memset(s.read + at, 0, ZEROS);
        assert_int_equal(sealed_check(&s), NQ_SEGMENT_DAMAGED);
        assert_repairs(&s);
    }
    sealed_drop(&s);
}

static void partly_filled_segments_of_every_size_are_whole_and_restored(void **state) {
    (void)state;
    for (uint32_t blocks = 1; blocks <= SMALL_BLOCKS; blocks++) {
        const uint32_t sizes[] = {blocks * BLOCK, (blocks - 1) * BLOCK + 1, blocks * BLOCK - 64};
        for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
            sealed s = sealed_of(SMALL_LANE_BLOCKS, sizes[i]);
            assert_int_equal(sealed_check(&s), NQ_SEGMENT_WHOLE);
            uint32_t lane = blocks % NQ_SEGMENT_LANES;
            for (uint32_t row = 0; row < SMALL_LANE_BLOCKS; row++) {
                memset(s.read + sealed_offset(&s, lane, row), 0, BLOCK);
                memset(s.read + sealed_offset(&s, (lane + 1) % NQ_SEGMENT_LANES, row), 0, BLOCK);
            }
            memset(s.read, 0, BLOCK);
            assert_int_equal(sealed_check(&s), NQ_SEGMENT_DAMAGED);
            assert_repairs(&s);
            sealed_drop(&s);
        }
    }
}

static void damage_outside_of_what_was_written_is_none(void **state) {
    (void)state;
    sealed s = sealed_of(SMALL_LANE_BLOCKS, 4 * BLOCK);
    memset(s.read + sealed_offset(&s, 1, 1), 0, (13 * SMALL_LANE_BLOCKS) * BLOCK);
    assert_int_equal(sealed_check(&s), NQ_SEGMENT_WHOLE);
    sealed_drop(&s);
}

static void either_copy_of_the_header_will_do(void **state) {
    (void)state;
    sealed s = full_small();
    const uint32_t offsets[] = {0, nq_segment_last_block_offset(s.layout)};
    for (size_t copy = 0; copy < 2; copy++) {
        memset(s.read + offsets[copy], 0, BLOCK);
        s.read[sealed_offset(&s, 4, 2)] ^= 1;
        assert_int_equal(sealed_check(&s), NQ_SEGMENT_DAMAGED);
        assert_int_equal(s.damage.headers[copy], NQ_SEGMENT_HEADER_FOREIGN);
        assert_int_equal(s.damage.headers[1 - copy], NQ_SEGMENT_HEADER_VALID);
        assert_repairs(&s);
    }
    sealed_drop(&s);
}

static void without_a_header_nothing_is_known_and_nothing_changed(void **state) {
    (void)state;
    sealed s = full_small();
    s.read[99] ^= 1;
    s.read[nq_segment_last_block_offset(s.layout) + 99] ^= 1;
    assert_int_equal(sealed_check(&s), NQ_SEGMENT_HEADLESS);
    assert_int_equal(s.damage.headers[0], NQ_SEGMENT_HEADER_DAMAGED);
    assert_int_equal(s.damage.info.data_bytes, 0);
    assert_false(nq_segment_repair(s.layout, &s.damage, s.read));
    assert_int_not_equal(memcmp(s.read, s.written, BLOCK), 0);
    sealed_drop(&s);
}

static void a_segment_of_another_store_or_place_is_headless(void **state) {
    (void)state;
    sealed s = full_small();
    assert_int_equal(nq_segment_check(s.layout, SEALED_SALT + 1, SEALED_NUMBER, s.read, &s.damage),
                     NQ_SEGMENT_HEADLESS);
    assert_int_equal(s.damage.headers[0], NQ_SEGMENT_HEADER_OTHER);
    assert_int_equal(nq_segment_check(s.layout, SEALED_SALT, SEALED_NUMBER + 1, s.read, &s.damage),
                     NQ_SEGMENT_HEADLESS);
    assert_int_equal(s.damage.headers[1], NQ_SEGMENT_HEADER_OTHER);
    sealed_drop(&s);
}

/* A write that was torn after its first lanes: the rest of the place is from its earlier life. */
static void blocks_of_an_older_write_are_bad_by_the_newer_header(void **state) {
    (void)state;
    sealed older = full_small();
    sealed s = full_small();
    uint32_t torn_at = sealed_offset(&s, 16, 0);
    nq_segment_info info = sealed_info(s.data_bytes);
    info.sequence++;
    fill_noise(nq_segment_data(s.written), s.data_bytes, 99);
    nq_segment_seal(s.layout, &info, s.written);
    sealed_reset(&s);
    memcpy(s.read + torn_at, older.written + torn_at, nq_segment_bytes(s.layout) - torn_at);

    assert_int_equal(sealed_check(&s), NQ_SEGMENT_DAMAGED);
    assert_int_equal(s.damage.info.sequence, SEALED_SEQUENCE + 1);
    assert_int_equal(s.damage.headers[1], NQ_SEGMENT_HEADER_VALID);
    assert_int_equal(s.damage.bad_block_count, 2 * SMALL_LANE_BLOCKS);
    assert_repairs(&s);

    /* The newer copy is believed wherever it is. */
    sealed_reset(&s);
    memcpy(s.read, older.written, BLOCK);
    assert_int_equal(sealed_check(&s), NQ_SEGMENT_DAMAGED);
    assert_int_equal(s.damage.info.sequence, SEALED_SEQUENCE + 1);
    assert_repairs(&s);
    sealed_drop(&older);
    sealed_drop(&s);
}

static void a_row_that_lost_three_blocks_is_named_and_left_as_it_is(void **state) {
    (void)state;
    sealed s = full_small();
    memset(s.read + sealed_offset(&s, 0, 1), 0, BLOCK);
    memset(s.read + sealed_offset(&s, 7, 1), 0, BLOCK);
    memset(s.read + sealed_offset(&s, 17, 1), 0, BLOCK);
    uint8_t before[64 * BLOCK];
    memcpy(before, s.read, sizeof before);
    assert_int_equal(sealed_check(&s), NQ_SEGMENT_BROKEN);
    assert_int_equal(s.damage.lost_row_count, 1);
    assert_int_equal(s.damage.first_lost_row, 1);
    assert_false(nq_segment_repair(s.layout, &s.damage, s.read));
    assert_memory_equal(s.read, before, sizeof before);
    assert_int_equal(s.damage.state, NQ_SEGMENT_BROKEN);
    assert_int_equal(s.damage.first_lost_row, 1);
    assert_int_equal(s.damage.bad_block_count, 3);
    sealed_drop(&s);
}

static void the_rows_beside_a_lost_one_are_restored_all_the_same(void **state) {
    (void)state;
    sealed s = full_small();
    for (uint32_t lane = 3; lane < 6; lane++) {
        memset(s.read + sealed_offset(&s, lane, 2), 0, BLOCK);
    }
    memset(s.read + sealed_offset(&s, 3, 0), 0, BLOCK);
    memset(s.read + sealed_offset(&s, 16, 0), 0, BLOCK);
    assert_int_equal(sealed_check(&s), NQ_SEGMENT_BROKEN);
    assert_int_equal(s.damage.bad_block_count, 5);
    assert_false(nq_segment_repair(s.layout, &s.damage, s.read));
    assert_int_equal(s.damage.bad_block_count, 3);
    assert_int_equal(s.damage.first_lost_row, 2);
    assert_memory_equal(s.read + sealed_offset(&s, 3, 0), s.written + sealed_offset(&s, 3, 0),
                        BLOCK);
    assert_memory_equal(s.read + sealed_offset(&s, 16, 0), s.written + sealed_offset(&s, 16, 0),
                        BLOCK);
    sealed_drop(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sealed_segment_is_whole),
        cmocka_unit_test(every_single_block_is_found_and_restored),
        cmocka_unit_test(any_two_blocks_of_any_row_are_restored),
        cmocka_unit_test(single_flipped_bits_are_restored_in_any_number_of_blocks),
        cmocka_unit_test(a_row_with_three_garbled_blocks_is_left_as_it_is),
        cmocka_unit_test(any_run_of_up_to_two_lanes_is_restored),
        cmocka_unit_test(two_whole_lanes_are_restored_wherever_they_begin),
        cmocka_unit_test(a_quarter_mib_of_zeros_anywhere_is_restored),
        cmocka_unit_test(partly_filled_segments_of_every_size_are_whole_and_restored),
        cmocka_unit_test(damage_outside_of_what_was_written_is_none),
        cmocka_unit_test(either_copy_of_the_header_will_do),
        cmocka_unit_test(without_a_header_nothing_is_known_and_nothing_changed),
        cmocka_unit_test(a_segment_of_another_store_or_place_is_headless),
        cmocka_unit_test(blocks_of_an_older_write_are_bad_by_the_newer_header),
        cmocka_unit_test(a_row_that_lost_three_blocks_is_named_and_left_as_it_is),
        cmocka_unit_test(the_rows_beside_a_lost_one_are_restored_all_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
