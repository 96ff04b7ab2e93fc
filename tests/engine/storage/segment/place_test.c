/* An entry of the page map keeps what it is given, and leads nowhere it must not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "engine/storage/segment/place.h"

enum { SEGMENT_COUNT = 10 };

static const nq_segment_layout product = {NQ_SEGMENT_LANE_BLOCKS_MAX};
static const nq_segment_layout small = {3};

static bool is_valid(nq_place place) {
    return nq_place_is_valid(place, product, SEGMENT_COUNT);
}

static void a_place_keeps_what_it_is_given(void **state) {
    (void)state;
    uint32_t end = nq_segment_data_bytes_max(product);
    for (uint32_t bytes = 1; bytes <= NQ_PLACE_BYTES_MAX; bytes++) {
        uint32_t start = (end - bytes) / NQ_IMAGE_ALIGNMENT * NQ_IMAGE_ALIGNMENT;
        nq_image_codec codec = bytes % 3;
        nq_place place = nq_place_of(UINT32_MAX, start, bytes, codec, 0x12345678, 0x9abcdef0);
        assert_false(nq_place_is_none(place));
        assert_int_equal(nq_place_data_byte(place), start);
        assert_int_equal(nq_place_bytes(place), bytes);
        assert_int_equal(nq_place_codec(place), codec);
        assert_int_equal(place.crc, 0x12345678);
        assert_int_equal(place.stamp, 0x9abcdef0);
        assert_int_equal(nq_place_aligned_bytes(place) % NQ_IMAGE_ALIGNMENT, 0);
        assert_in_range(nq_place_aligned_bytes(place) - bytes, 0, NQ_IMAGE_ALIGNMENT - 1);
    }
}

static void zeros_are_no_place(void **state) {
    (void)state;
    nq_place place;
    memset(&place, 0, sizeof place);
    assert_true(nq_place_is_none(place));
    assert_true(is_valid(place));
}

static void a_place_behind_the_last_segment_is_refused(void **state) {
    (void)state;
    assert_true(is_valid(nq_place_of(SEGMENT_COUNT - 1, 0, 100, NQ_IMAGE_LZ4, 0, 0)));
    assert_false(is_valid(nq_place_of(SEGMENT_COUNT, 0, 100, NQ_IMAGE_LZ4, 0, 0)));
    assert_false(is_valid(nq_place_of(UINT32_MAX, 0, 100, NQ_IMAGE_LZ4, 0, 0)));
}

static void a_place_across_the_end_of_the_data_is_refused(void **state) {
    (void)state;
    uint32_t end = nq_segment_data_bytes_max(small);
    nq_place last = nq_place_of(1, end - 128, 128, NQ_IMAGE_ZSTD, 0, 0);
    nq_place across = nq_place_of(1, end - 128, 129, NQ_IMAGE_ZSTD, 0, 0);
    nq_place outside = {1, UINT16_MAX, 0, 0, 0};
    assert_true(nq_place_is_valid(last, small, SEGMENT_COUNT));
    assert_false(nq_place_is_valid(across, small, SEGMENT_COUNT));
    assert_false(nq_place_is_valid(outside, small, SEGMENT_COUNT));
    assert_false(is_valid(outside));
}

static void an_image_that_no_page_has_is_refused(void **state) {
    (void)state;
    assert_true(is_valid(nq_place_of(1, 0, NQ_PAGE_BYTES, NQ_IMAGE_RAW, 0, 0)));
    assert_false(is_valid(nq_place_of(1, 0, NQ_PAGE_BYTES - 1, NQ_IMAGE_RAW, 0, 0)));
    assert_false(is_valid(nq_place_of(1, 0, NQ_PAGE_BYTES + 1, NQ_IMAGE_RAW, 0, 0)));
    assert_true(is_valid(nq_place_of(1, 0, NQ_PAGE_BYTES / 10 * 9, NQ_IMAGE_LZ4, 0, 0)));
    assert_false(is_valid(nq_place_of(1, 0, NQ_PAGE_BYTES, NQ_IMAGE_LZ4, 0, 0)));
    assert_false(is_valid(nq_place_of(1, 0, 100, 3, 0, 0)));
}

static void the_same_image_of_another_page_has_another_checksum(void **state) {
    (void)state;
    assert_int_not_equal(nq_image_crc(7, "image", 5), nq_image_crc(8, "image", 5));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_place_keeps_what_it_is_given),
        cmocka_unit_test(zeros_are_no_place),
        cmocka_unit_test(a_place_behind_the_last_segment_is_refused),
        cmocka_unit_test(a_place_across_the_end_of_the_data_is_refused),
        cmocka_unit_test(an_image_that_no_page_has_is_refused),
        cmocka_unit_test(the_same_image_of_another_page_has_another_checksum),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
