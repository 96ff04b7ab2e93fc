/* An image is rescued from a segment that has lost both headers, by its own checksum. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "engine/storage/segment/rescue.h"
#include "tests/engine/storage/segment/sealed.h"

enum { BLOCK = NQ_SEGMENT_BLOCK_BYTES, PAGE_ID = 4711, LANE_BLOCKS = 7 };

static sealed headless(uint32_t data_bytes) {
    sealed s = sealed_of(LANE_BLOCKS, data_bytes);
    memset(s.written, 0, BLOCK);
    memset(s.written + nq_segment_last_block_offset(s.layout), 0, BLOCK);
    sealed_reset(&s);
    return s;
}

static nq_place place_of(const sealed *s, uint32_t data_byte, uint32_t bytes) {
    uint32_t crc = nq_image_crc(PAGE_ID, nq_segment_data(s->written) + data_byte, bytes);
    return nq_place_of(SEALED_NUMBER, data_byte, bytes, NQ_IMAGE_LZ4, crc, 1);
}

static bool rescue(const sealed *s, nq_place place) {
    return nq_segment_rescue_image(s->layout, PAGE_ID, place, s->read);
}

static bool is_rescued(const sealed *s, nq_place place) {
    return memcmp(nq_segment_data(s->read) + nq_place_data_byte(place),
                  nq_segment_data(s->written) + nq_place_data_byte(place),
                  nq_place_bytes(place)) == 0;
}

static void an_undamaged_image_needs_no_header(void **state) {
    (void)state;
    sealed s = headless(16 * LANE_BLOCKS * BLOCK);
    nq_place place = place_of(&s, 64 * 99, 8000);
    assert_true(rescue(&s, place));
    assert_memory_equal(s.read, s.written, nq_segment_bytes(s.layout));
    sealed_drop(&s);
}

static void an_image_across_three_blocks_survives_two_lost_lanes(void **state) {
    (void)state;
    sealed s = headless(16 * LANE_BLOCKS * BLOCK);
    uint32_t first_block = 3 * LANE_BLOCKS + 1;
    nq_place place = place_of(&s, (first_block + 1) * BLOCK - 64, NQ_PAGE_BYTES);
    for (uint32_t other = 0; other < NQ_SEGMENT_LANES; other++) {
        memset(s.read + sealed_offset(&s, 3, 0), 0, LANE_BLOCKS * BLOCK);
        memset(s.read + sealed_offset(&s, other, 0), 0xff, LANE_BLOCKS * BLOCK);
        assert_true(rescue(&s, place));
        assert_true(is_rescued(&s, place));
        sealed_reset(&s);
    }
    sealed_drop(&s);
}

static void an_image_of_a_partly_filled_segment_is_rescued_whatever_was_there_before(void **state) {
    (void)state;
    for (uint32_t blocks = 1; blocks <= 3 * LANE_BLOCKS; blocks++) {
        sealed s = headless(blocks * BLOCK);
        nq_place place = place_of(&s, (blocks - 1) * BLOCK, BLOCK);
        uint32_t lane = (blocks - 1) / LANE_BLOCKS;
        memset(s.read + sealed_offset(&s, lane, (blocks - 1) % LANE_BLOCKS), 0, BLOCK);
        assert_true(rescue(&s, place));
        assert_true(is_rescued(&s, place));
        sealed_drop(&s);
    }
}

static void what_cannot_be_rescued_is_left_as_it_is(void **state) {
    (void)state;
    sealed s = headless(16 * LANE_BLOCKS * BLOCK);
    nq_place place = place_of(&s, 5 * BLOCK, 2 * BLOCK);
    for (uint32_t lane = 0; lane < 3; lane++) {
        memset(s.read + sealed_offset(&s, lane, 5), 0, BLOCK);
    }
    static uint8_t before[128 * BLOCK];
    memcpy(before, s.read, sizeof before);
    assert_false(rescue(&s, place));
    assert_memory_equal(s.read, before, sizeof before);
    sealed_drop(&s);
}

static void another_page_s_image_is_never_taken_for_it(void **state) {
    (void)state;
    sealed s = headless(16 * LANE_BLOCKS * BLOCK);
    nq_place place = place_of(&s, 0, BLOCK);
    assert_false(nq_segment_rescue_image(s.layout, PAGE_ID + 1, place, s.read));
    sealed_drop(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_undamaged_image_needs_no_header),
        cmocka_unit_test(an_image_across_three_blocks_survives_two_lost_lanes),
        cmocka_unit_test(an_image_of_a_partly_filled_segment_is_rescued_whatever_was_there_before),
        cmocka_unit_test(what_cannot_be_rescued_is_left_as_it_is),
        cmocka_unit_test(another_page_s_image_is_never_taken_for_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
