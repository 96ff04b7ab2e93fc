/* UTF-8 is judged as Unicode's table 3-7 has it, wherever in the text it stands. */
#include "engine/ground/base/utf8.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/ground/base/rng.h"

/* The definition, spelled out: decode, and demand the shortest form of a scalar value. */
static size_t reference_size(const uint8_t *data, size_t size) {
    if (size == 0) {
        return 0;
    }
    size_t want = data[0] < 0x80       ? 1
                  : data[0] >> 5 == 6  ? 2
                  : data[0] >> 4 == 14 ? 3
                  : data[0] >> 3 == 30 ? 4
                                       : 0;
    if (want == 0 || want > size) {
        return 0;
    }
    uint32_t value = want == 1 ? data[0] : data[0] & (0x7Fu >> want);
    for (size_t i = 1; i < want; i++) {
        if (data[i] >> 6 != 2) {
            return 0;
        }
        value = value << 6 | (data[i] & 0x3F);
    }
    static const uint32_t SMALLEST[] = {0, 0, 0x80, 0x800, 0x10000};
    bool is_scalar = value <= 0x10FFFF && (value < 0xD800 || value > 0xDFFF);
    return is_scalar && value >= SMALLEST[want] ? want : 0;
}

static void every_pair_and_every_lead_with_two_more_bytes_is_judged_right(void **state) {
    (void)state;
    /* All first three bytes, with a few fourth ones on both sides of the ranges. */
    static const uint8_t FOURTH[] = {0x00, 0x7F, 0x80, 0xBF, 0xC0, 0xFF};
    for (uint32_t i = 0; i < 1u << 24; i++) {
        uint8_t data[4] = {(uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i, 0};
        if (data[0] < 0x80 && (i & 0xFFFF) != 0) {
            continue; /* ASCII does not look further */
        }
        bool looks_at_fourth = data[0] >= 0xF0 && data[0] <= 0xF4;
        for (size_t k = 0; k < (looks_at_fourth ? sizeof(FOURTH) : 1); k++) {
            data[3] = FOURTH[k];
            for (size_t size = 0; size <= 4; size++) {
                if (nq_utf8_size(data, size) != reference_size(data, size)) {
                    fail_msg("%02x %02x %02x %02x of %zu", data[0], data[1], data[2], data[3],
                             size);
                }
            }
        }
    }
}

static void every_character_survives_encoding_and_decoding(void **state) {
    (void)state;
    for (uint32_t character = 0; character <= 0x110000; character++) {
        uint8_t data[NQ_UTF8_BYTES_MAX];
        size_t bytes = nq_utf8_encode(character, data);
        bool is_scalar = character <= 0x10FFFF && (character < 0xD800 || character > 0xDFFF);
        if (!is_scalar) {
            assert_int_equal(bytes, 0);
            continue;
        }
        uint32_t back;
        if (nq_utf8_decode(data, bytes, &back) != bytes || back != character || bytes == 0) {
            fail_msg("U+%04X", character);
        }
    }
}

static void an_error_is_found_at_every_offset_behind_the_ascii_path(void **state) {
    (void)state;
    uint8_t text[64];
    for (size_t size = 1; size <= sizeof(text); size++) {
        for (size_t at = 0; at < size; at++) {
            memset(text, 'a', size);
            assert_true(nq_utf8_is_valid(nq_bytes_of(text, size)));
            text[at] = 0xFF;
            assert_false(nq_utf8_is_valid(nq_bytes_of(text, size)));
            assert_int_equal(nq_utf8_valid_prefix(nq_bytes_of(text, size)), at);
            text[at] = 0;
            assert_true(nq_utf8_is_valid(nq_bytes_of(text, size)));
            assert_false(nq_utf8_is_text(nq_bytes_of(text, size)));
        }
    }
    assert_true(nq_utf8_is_text(nq_bytes_of(NULL, 0)));
}

static void counting_and_cutting_agree_with_walking(void **state) {
    (void)state;
    static const uint32_t KINDS[] = {'a', 0xE9, 0x20AC, 0x1F418};
    nq_rng rng = {5};
    for (int round = 0; round < 500; round++) {
        uint8_t text[400];
        size_t offsets[101];
        size_t size = 0;
        size_t count = (size_t)nq_rng_below(&rng, 100);
        for (size_t i = 0; i < count; i++) {
            offsets[i] = size;
            size += nq_utf8_encode(KINDS[nq_rng_below(&rng, 4)], text + size);
        }
        offsets[count] = size;
        nq_bytes bytes = nq_bytes_of(text, size);
        assert_int_equal(nq_utf8_count(bytes), count);
        for (size_t i = 0; i <= count; i++) {
            assert_int_equal(nq_utf8_offset(bytes, i), offsets[i]);
        }
        assert_int_equal(nq_utf8_offset(bytes, count + 5), size);
        for (size_t most = 0; most <= size + 3; most++) {
            nq_bytes cut = nq_utf8_truncate(bytes, most);
            assert_true(cut.size <= most && nq_utf8_is_valid(cut));
            assert_true(cut.size == size || most - cut.size < 4);
        }
    }
}

static void repair_touches_only_the_broken_bytes(void **state) {
    (void)state;
    char text[] = "ok \xC3\xA9 \xC3 \xED\xA0\x80 \xF4\x90\x80\x80 end\xE2\x82";
    nq_utf8_repair(text, sizeof(text) - 1);
    assert_string_equal(text, "ok \xC3\xA9 ? ??? ???? end??");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_pair_and_every_lead_with_two_more_bytes_is_judged_right),
        cmocka_unit_test(every_character_survives_encoding_and_decoding),
        cmocka_unit_test(an_error_is_found_at_every_offset_behind_the_ascii_path),
        cmocka_unit_test(counting_and_cutting_agree_with_walking),
        cmocka_unit_test(repair_touches_only_the_broken_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
