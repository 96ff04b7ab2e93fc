/* Numbers, booleans, UUIDs and byte strings as text: what is printed reads back to the same bits,
 * and nothing but a whole value is read. */
#include <locale.h>
#include <math.h>
#include <stdlib.h>

#include "engine/data/value/text.h"
#include "tests/engine/data/value/fixture.h"

static nq_bytes print_float64(double value, char *text) {
    return nq_bytes_of(text, nq_float64_print(value, text));
}

static void floats_print_as_postgresql_prints_them(void **state) {
    (void)state;
    static const struct {
        double value;
        const char *text;
    } rows[] = {
        {0, "0"},
        {-0.0, "-0"},
        {1, "1"},
        {-1.5, "-1.5"},
        {0.1, "0.1"},
        {0.30000000000000004, "0.30000000000000004"},
        {1e15, "1e+15"},
        {123456789012345.0, "123456789012345"},
        {1e14, "100000000000000"},
        {0.0001, "0.0001"},
        {0.00001, "1e-05"},
        {1.0 / 3, "0.3333333333333333"},
        {5e-324, "5e-324"},
        {1.7976931348623157e308, "1.7976931348623157e+308"},
        {2.2250738585072014e-308, "2.2250738585072014e-308"},
        {69.880834999999998, "69.880835"},
        {9007199254740993.0, "9.007199254740992e+15"},
        {1234567.125, "1234567.125"},
        {1e22, "1e+22"},
        {-1e-7, "-1e-07"},
    };
    char text[NQ_TEXT_BYTES_MAX];
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_text(print_float64(rows[i].value, text), rows[i].text);
    }
    assert_text(print_float64((double)NAN, text), "NaN");
    assert_text(print_float64(-(double)INFINITY, text), "-Infinity");
}

static void reals_print_as_the_shortest_that_is_the_same_float(void **state) {
    (void)state;
    char text[NQ_TEXT_BYTES_MAX];
    assert_text(nq_bytes_of(text, nq_float32_print((double)0.1F, text)), "0.1");
    assert_text(nq_bytes_of(text, nq_float32_print((double)16777216.0F, text)), "1.6777216e+07");
    assert_text(nq_bytes_of(text, nq_float32_print((double)3.4028235e38F, text)), "3.4028235e+38");
    assert_text(nq_bytes_of(text, nq_float32_print((double)1e-45F, text)), "1e-45");
    assert_text(nq_bytes_of(text, nq_float32_print(100000, text)), "100000");
    assert_text(nq_bytes_of(text, nq_float32_print(1000000, text)), "1e+06");
}

static void every_float_reads_back_to_the_same_bits(void **state) {
    (void)state;
    nq_rng rng = {20240229};
    for (int i = 0; i < 200000; i++) {
        uint64_t bits = nq_rng_next(&rng);
        double value, read;
        bool is_range;
        char text[NQ_TEXT_BYTES_MAX];
        if (i % 4 == 1) { /* Decimals, as sensors send them. */
            value = (double)(int64_t)(bits % 2000000000) / 1000 - 1000000;
        } else if (i % 4 == 2) { /* Powers of two: the gap below is half the gap above. */
            value = ldexp(1, (int)(bits % 2000) - 1000);
        } else if (i % 4 == 3) { /* Subnormals. */
            bits &= UINT64_C(0x800fffffffffffff);
            memcpy(&value, &bits, sizeof value);
        } else {
            memcpy(&value, &bits, sizeof value);
        }
        if (isnan(value) || isinf(value)) {
            continue;
        }
        nq_bytes printed = print_float64(value, text);
        if (!nq_float64_parse(printed, &read, &is_range)) {
            fail_msg("%.*s does not read", (int)printed.size, text);
        }
        assert_memory_equal(&read, &value, sizeof value);
        float real = (float)value;
        printed = nq_bytes_of(text, nq_float32_print((double)real, text));
        if (!isinf(real) && real != 0) {
            assert_true(nq_float64_parse(printed, &read, &is_range));
            assert_true((float)read == real);
        }
    }
}

static void float_text_is_read_as_strtod_reads_it(void **state) {
    (void)state;
    static const char *const texts[] = {
        "1",
        "-1",
        "+1",
        ".5",
        "5.",
        "1e5",
        "1E-5",
        "123456789012345678901234567890",
        "0.1e1",
        "2.2250738585072011e-308",
        "9007199254740993",
        "1.00000000000000011102230246251565",
        "0000000000000000000000000000000000000000000000000001e-10",
        "4.9e-324",
        "8.5e15",
        "179769313486231580793728971405301e276",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        double value;
        bool is_range;
        assert_true(nq_float64_parse(text_of(texts[i]), &value, &is_range));
        double expected = strtod(texts[i], NULL);
        assert_memory_equal(&value, &expected, sizeof value);
    }
}

static void float_text_beyond_range_is_told_from_no_number(void **state) {
    (void)state;
    static const char *const beyond[] = {"1e309", "-1e400", "1e-400", "1e99999999999"};
    static const char *const malformed[] = {"",    "-",   ".",    "e5",  "1e",   "1e+", "0x10",
                                            "1 2", "1,5", "1..2", "--1", "inf1", "1f",  "na"};
    double value;
    bool is_range;
    for (size_t i = 0; i < sizeof beyond / sizeof beyond[0]; i++) {
        assert_false(nq_float64_parse(text_of(beyond[i]), &value, &is_range));
        assert_true(is_range);
    }
    for (size_t i = 0; i < sizeof malformed / sizeof malformed[0]; i++) {
        assert_false(nq_float64_parse(text_of(malformed[i]), &value, &is_range));
        assert_false(is_range);
    }
    assert_true(nq_float64_parse(text_of("-Infinity"), &value, &is_range));
    assert_true(isinf(value) && value < 0);
    assert_true(nq_float64_parse(text_of("nAn"), &value, &is_range));
    assert_true(isnan(value));
}

static void a_thousand_digits_are_read_exactly(void **state) {
    (void)state;
    char text[1200];
    memset(text, '0', sizeof text);
    memcpy(text, "9007199254740992.", 17); /* 2^53, a tie with 2^53 + 1 once more digits follow */
    memcpy(text + 15, "3.", 2);            /* 9007199254740993.000…1 is above the tie */
    text[1100] = '1';
    double value;
    bool is_range;
    assert_true(nq_float64_parse(nq_bytes_of(text, 1101), &value, &is_range));
    assert_true(value == 9007199254740994.0);
}

static void floats_do_not_follow_the_locale(void **state) {
    (void)state;
    if (setlocale(LC_ALL, "de_DE.UTF-8") == NULL) {
        skip();
    }
    char text[NQ_TEXT_BYTES_MAX];
    double value;
    bool is_range;
    assert_text(print_float64(0.30000000000000004, text), "0.30000000000000004");
    assert_true(nq_float64_parse(text_of("2.2250738585072011e-308"), &value, &is_range));
    assert_true(value > 0);
    (void)setlocale(LC_ALL, "C");
}

static void integers_read_and_print_to_their_ends(void **state) {
    (void)state;
    static const int64_t values[] = {0, 1, -1, INT64_MAX, INT64_MIN, 1000000, -42};
    char text[NQ_TEXT_BYTES_MAX];
    int64_t value;
    bool is_range;
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        nq_bytes printed = nq_bytes_of(text, nq_int64_print(values[i], text));
        assert_true(nq_int64_parse(printed, &value, &is_range));
        assert_int_equal(value, values[i]);
    }
    assert_true(nq_int64_parse(text_of("+007"), &value, &is_range) && value == 7);
    assert_false(nq_int64_parse(text_of("9223372036854775808"), &value, &is_range));
    assert_true(is_range);
    assert_false(nq_int64_parse(text_of("-9223372036854775809"), &value, &is_range));
    assert_true(is_range);
    assert_false(nq_int64_parse(text_of("99999999999999999999x"), &value, &is_range));
    assert_false(is_range);
    assert_false(nq_int64_parse(text_of(""), &value, &is_range));
    assert_false(nq_int64_parse(text_of("1.0"), &value, &is_range));
}

static void booleans_are_read_from_any_unambiguous_beginning(void **state) {
    (void)state;
    static const char *const yes[] = {"t", "TRUE", "tr", "y", "Yes", "on", "1"};
    static const char *const no[] = {"f", "false", "FAL", "n", "no", "off", "of", "0"};
    static const char *const neither[] = {"", "o", "2", "truee", "nope", "01"};
    bool value;
    for (size_t i = 0; i < sizeof yes / sizeof yes[0]; i++) {
        assert_true(nq_bool_parse(text_of(yes[i]), &value) && value);
    }
    for (size_t i = 0; i < sizeof no / sizeof no[0]; i++) {
        assert_true(nq_bool_parse(text_of(no[i]), &value) && !value);
    }
    for (size_t i = 0; i < sizeof neither / sizeof neither[0]; i++) {
        assert_false(nq_bool_parse(text_of(neither[i]), &value));
    }
}

static void uuids_are_read_with_and_without_hyphens(void **state) {
    (void)state;
    static const char *const forms[] = {
        "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11",
        "{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}", "a0eebc999c0b4ef8bb6d6bb9bd380a11",
        "a0ee-bc99-9c0b-4ef8-bb6d-6bb9-bd38-0a11"};
    static const char *const malformed[] = {"",
                                            "a0eebc999c0b4ef8bb6d6bb9bd380a1",
                                            "a0eebc999c0b4ef8bb6d6bb9bd380a112",
                                            "a0eebc999c0b4ef8bb6d6bb9bd380a1-",
                                            "g0eebc999c0b4ef8bb6d6bb9bd380a11",
                                            "a0e-ebc999c0b4ef8bb6d6bb9bd380a11"};
    uint8_t uuid[16];
    char text[NQ_TEXT_BYTES_MAX];
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        assert_true(nq_uuid_parse(text_of(forms[i]), uuid));
        assert_text(nq_bytes_of(text, nq_uuid_print(uuid, text)), forms[0]);
    }
    for (size_t i = 0; i < sizeof malformed / sizeof malformed[0]; i++) {
        assert_false(nq_uuid_parse(text_of(malformed[i]), uuid));
    }
}

static void byte_strings_are_read_in_both_forms(void **state) {
    (void)state;
    uint8_t bytes[32];
    char text[64];
    size_t size;
    assert_true(nq_bytes_parse(text_of("\\x00fFa0"), bytes, &size));
    assert_text(nq_bytes_of(text, nq_bytes_print(nq_bytes_of(bytes, size), text)), "\\x00ffa0");
    assert_true(nq_bytes_parse(text_of("a\\\\b\\000\\377"), bytes, &size));
    assert_int_equal(size, 5);
    assert_memory_equal(bytes, "a\\b\0\377", 5);
    assert_false(nq_bytes_parse(text_of("\\x0"), bytes, &size));
    assert_false(nq_bytes_parse(text_of("\\x0g"), bytes, &size));
    assert_false(nq_bytes_parse(text_of("a\\"), bytes, &size));
    assert_false(nq_bytes_parse(text_of("\\400"), bytes, &size));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(floats_print_as_postgresql_prints_them),
        cmocka_unit_test(reals_print_as_the_shortest_that_is_the_same_float),
        cmocka_unit_test(every_float_reads_back_to_the_same_bits),
        cmocka_unit_test(float_text_is_read_as_strtod_reads_it),
        cmocka_unit_test(float_text_beyond_range_is_told_from_no_number),
        cmocka_unit_test(a_thousand_digits_are_read_exactly),
        cmocka_unit_test(floats_do_not_follow_the_locale),
        cmocka_unit_test(integers_read_and_print_to_their_ends),
        cmocka_unit_test(booleans_are_read_from_any_unambiguous_beginning),
        cmocka_unit_test(uuids_are_read_with_and_without_hyphens),
        cmocka_unit_test(byte_strings_are_read_in_both_forms),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
