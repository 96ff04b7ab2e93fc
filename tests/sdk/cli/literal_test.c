/* Literals: strict reading, exactness, and the shortest way to write. */
#include "sdk/cli/literal.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static bool int_is(const char *text, int64_t wanted, bool wanted_exact) {
    int64_t value;
    bool is_exact;
    return nq_literal_read_int(text, strlen(text), &value, &is_exact) && value == wanted &&
           is_exact == wanted_exact;
}

static bool is_int(const char *text) {
    int64_t value;
    bool is_exact;
    return nq_literal_read_int(text, strlen(text), &value, &is_exact);
}

static void integers_cover_64_bits_and_no_more(void **state) {
    (void)state;
    assert_true(int_is("0", 0, true));
    assert_true(int_is("-9223372036854775808", INT64_MIN, true));
    assert_true(int_is("9223372036854775807", INT64_MAX, true));
    assert_false(is_int("9223372036854775808"));
    assert_false(is_int("-9223372036854775809"));
    assert_false(is_int(""));
    assert_false(is_int("-"));
    assert_false(is_int(" 1"));
    assert_false(is_int("1.0"));
}

static void integers_that_would_lose_their_spelling_are_not_exact(void **state) {
    (void)state;
    assert_true(int_is("007", 7, false));
    assert_true(int_is("+5", 5, false));
    assert_true(int_is("-0", 0, false));
}

static bool is_exact_double(const char *text) {
    double value;
    bool is_exact;
    return nq_literal_read_double(text, strlen(text), &value, &is_exact) && is_exact;
}

static bool is_double(const char *text) {
    double value;
    bool is_exact;
    return nq_literal_read_double(text, strlen(text), &value, &is_exact);
}

static void doubles_are_exact_only_when_nothing_is_lost(void **state) {
    (void)state;
    assert_true(is_exact_double("0.1"));
    assert_true(is_exact_double("-1.5e-10"));
    assert_true(is_exact_double("1e308"));
    assert_true(is_exact_double(".5"));
    assert_true(is_exact_double("0.12345678901234567"));
    assert_true(is_exact_double("9007199254740992"));
    assert_false(is_exact_double("9007199254740993"));     /* 2^53 + 1 */
    assert_false(is_exact_double("0.123456789012345678")); /* 18 digits */
    assert_false(is_exact_double("1e-400"));
    assert_false(is_exact_double("00.5"));
    assert_false(is_double("1e400"));
    assert_false(is_double("0x10"));
    assert_false(is_double("1e"));
    assert_false(is_double("."));
    assert_false(is_double("nano"));
    assert_true(is_exact_double("NaN"));
    assert_true(is_exact_double("-Infinity"));
}

static void dates_follow_the_calendar(void **state) {
    (void)state;
    int64_t days;
    assert_true(nq_literal_read_date("1970-01-01", 10, &days));
    assert_int_equal(days, 0);
    assert_true(nq_literal_read_date("2000-02-29", 10, &days));
    assert_int_equal(days, 11016);
    assert_true(nq_literal_read_date("0001-01-01", 10, &days));
    assert_int_equal(days, -719162);
    assert_false(nq_literal_read_date("1900-02-29", 10, &days));
    assert_false(nq_literal_read_date("2024-13-01", 10, &days));
    assert_false(nq_literal_read_date("2024-04-31", 10, &days));
    assert_false(nq_literal_read_date("2024-4-3", 8, &days));
}

static void timestamps_keep_microseconds_and_know_their_zone(void **state) {
    (void)state;
    int64_t us;
    nq_literal_zone zone;
    assert_true(nq_literal_read_timestamp("2014-02-14 14:30:00", 19, &us, &zone));
    assert_int_equal(us, INT64_C(1392388200000000));
    assert_int_equal(zone, NQ_ZONE_NONE);
    assert_true(nq_literal_read_timestamp("1969-12-31T23:59:59.999999Z", 27, &us, &zone));
    assert_int_equal(us, -1);
    assert_int_equal(zone, NQ_ZONE_UTC);
    assert_true(nq_literal_read_timestamp("2024-01-01T02:00:00+02:00", 25, &us, &zone));
    assert_int_equal(us, INT64_C(1704067200000000));
    assert_int_equal(zone, NQ_ZONE_OFFSET);
    assert_true(nq_literal_read_timestamp("2024-01-01 00:00", 16, &us, &zone));
    assert_false(nq_literal_read_timestamp("2024-01-01 24:00:00", 19, &us, &zone));
    assert_false(nq_literal_read_timestamp("2024-01-01 00:00:00.1234567", 27, &us, &zone));
    assert_false(nq_literal_read_timestamp("2024-01-01 00:00:00 x", 21, &us, &zone));
}

static void writes(nq_datum datum, const char *wanted) {
    nq_text text = {0};
    nq_literal_write(&text, &datum);
    assert_string_equal(nq_text_string(&text), wanted);
    nq_text_deinit(&text);
}

static void writes_double(double number, const char *wanted) {
    writes((nq_datum){.type = NQ_DATA_FLOAT64, .number = number}, wanted);
}

/* Expected texts are PostgreSQL 15's. */
static void doubles_are_written_as_postgresql_writes_them(void **state) {
    (void)state;
    writes_double(0.1, "0.1");
    writes_double(1.0, "1");
    writes_double(-0.0, "-0");
    writes_double(100000000000000.0, "100000000000000");
    writes_double(1e15, "1e+15");
    writes_double(1234567890123456.0, "1.234567890123456e+15");
    writes_double(0.0001, "0.0001");
    writes_double(0.00001, "1e-05");
    writes_double(0.30000000000000004, "0.30000000000000004");
    writes_double(5e-324, "5e-324");
    writes_double((double)NAN, "NaN");
    writes_double(-(double)INFINITY, "-Infinity");
    writes((nq_datum){.type = NQ_DATA_FLOAT32, .number = (double)0.1f}, "0.1");
    writes((nq_datum){.type = NQ_DATA_FLOAT32, .number = 1e6}, "1e+06");
}

static void what_is_written_reads_back_to_the_same_double(void **state) {
    (void)state;
    uint64_t bits = 0x9e3779b97f4a7c15u;
    for (int i = 0; i < 20000; i++) {
        bits = bits * 6364136223846793005u + 1442695040888963407u;
        double number;
        memcpy(&number, &bits, sizeof number);
        if (!isfinite(number)) {
            continue;
        }
        nq_text text = {0};
        nq_datum datum = {.type = NQ_DATA_FLOAT64, .number = number};
        nq_literal_write(&text, &datum);
        assert_true(strtod(text.data, NULL) == number);
        nq_text_deinit(&text);
    }
}

static void times_are_written_without_trailing_zeros(void **state) {
    (void)state;
    writes((nq_datum){.type = NQ_DATA_TIMESTAMP, .integer = -1}, "1969-12-31 23:59:59.999999");
    writes((nq_datum){.type = NQ_DATA_TIMESTAMP, .integer = 1500000}, "1970-01-01 00:00:01.5");
    writes((nq_datum){.type = NQ_DATA_DATE, .integer = 11016}, "2000-02-29");
    writes((nq_datum){.type = NQ_DATA_TIME, .integer = INT64_C(86399000001)}, "23:59:59.000001");
}

static void bytes_and_uuids_are_written_in_hexadecimal(void **state) {
    (void)state;
    static const char data[] = "\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\xff";
    writes((nq_datum){.type = NQ_DATA_BYTES, .text = data, .text_bytes = 3}, "\\x000102");
    writes((nq_datum){.type = NQ_DATA_UUID, .text = data, .text_bytes = 16},
           "00010203-0405-0607-0809-0a0b0c0d0eff");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integers_cover_64_bits_and_no_more),
        cmocka_unit_test(integers_that_would_lose_their_spelling_are_not_exact),
        cmocka_unit_test(doubles_are_exact_only_when_nothing_is_lost),
        cmocka_unit_test(dates_follow_the_calendar),
        cmocka_unit_test(timestamps_keep_microseconds_and_know_their_zone),
        cmocka_unit_test(doubles_are_written_as_postgresql_writes_them),
        cmocka_unit_test(what_is_written_reads_back_to_the_same_double),
        cmocka_unit_test(times_are_written_without_trailing_zeros),
        cmocka_unit_test(bytes_and_uuids_are_written_in_hexadecimal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
