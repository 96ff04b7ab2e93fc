/* The calendar and ISO 8601. */
#include "engine/data/value/datetime.h"
#include "tests/engine/data/value/fixture.h"

static void every_day_of_the_calendar_converts_both_ways(void **state) {
    (void)state;
    nq_civil civil = nq_date_to_civil(NQ_DATE_MIN);
    assert_int_equal(civil.year, -4712);
    assert_int_equal(civil.month, 1);
    assert_int_equal(civil.day, 1);
    for (int64_t day = NQ_DATE_MIN; day <= NQ_DATE_MAX; day++) {
        nq_civil next = nq_date_to_civil(day);
        if (nq_date_from_civil(next) != day) {
            fail_msg("day %lld is not itself", (long long)day);
        }
        /* Days follow one another: the same month and the day after, or a first. */
        bool follows = (next.month == civil.month && next.day == civil.day + 1) ||
                       (next.day == 1 && civil.day == nq_month_days(civil.year, civil.month));
        assert_true(day == NQ_DATE_MIN || follows);
        civil = next;
    }
    assert_int_equal(civil.year, 9999);
    assert_int_equal(civil.month, 12);
    assert_int_equal(civil.day, 31);
}

static void dates_read_and_print(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int64_t days;
        const char *printed;
    } rows[] = {
        {"1970-01-01", 0, "1970-01-01"},
        {"2024-02-29", 19782, "2024-02-29"},
        {"20240229", 19782, "2024-02-29"},
        {"1969-12-31", -1, "1969-12-31"},
        {"9999-12-31", NQ_DATE_MAX, "9999-12-31"},
        {"4713-01-01 BC", NQ_DATE_MIN, "4713-01-01 BC"},
        {"0001-12-31 BC", -719163, "0001-12-31 BC"},
        {"2024-2-9", 19762, "2024-02-09"},
        {"2024-02-29 23:59:59", 19782, "2024-02-29"},
    };
    char text[48];
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int64_t days;
        assert_int_equal(nq_date_parse(text_of(rows[i].text), &days), NQ_DATETIME_OK);
        assert_int_equal(days, rows[i].days);
        assert_text(nq_bytes_of(text, nq_date_print(days, text)), rows[i].printed);
    }
}

static void dates_that_do_not_exist_are_outside(void **state) {
    (void)state;
    static const char *const outside[] = {"2023-02-29", "2024-13-01", "2024-00-01",
                                          "2024-01-32", "2024-04-31", "10000-01-01",
                                          "0000-01-01", "1900-02-29", "4714-12-31 BC"};
    static const char *const malformed[] = {
        "",    "2024",           "2024-01", "24-01-01", "2024/01/01", "2024-01-01x", "2024-01-011",
        "abc", "2024-01-01 25h", "2024011"};
    int64_t days;
    for (size_t i = 0; i < sizeof outside / sizeof outside[0]; i++) {
        assert_int_equal(nq_date_parse(text_of(outside[i]), &days), NQ_DATETIME_OUTSIDE);
    }
    for (size_t i = 0; i < sizeof malformed / sizeof malformed[0]; i++) {
        assert_int_equal(nq_date_parse(text_of(malformed[i]), &days), NQ_DATETIME_MALFORMED);
    }
}

static void times_read_and_print(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int64_t usec;
        const char *printed;
    } rows[] = {
        {"00:00", 0, "00:00:00"},
        {"12:30:15", INT64_C(45015000000), "12:30:15"},
        {"12:30:15.5", INT64_C(45015500000), "12:30:15.5"},
        {"12:30:15.1234565", INT64_C(45015123457), "12:30:15.123457"},
        {"12:30:15.99999949999", INT64_C(45015999999), "12:30:15.999999"},
        {"23:59:59.9999999", NQ_USEC_PER_DAY, "24:00:00"},
        {"24:00:00", NQ_USEC_PER_DAY, "24:00:00"},
        {"23:59:60", NQ_USEC_PER_DAY, "24:00:00"},
    };
    char text[48];
    int64_t usec;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(nq_time_parse(text_of(rows[i].text), &usec), NQ_DATETIME_OK);
        assert_int_equal(usec, rows[i].usec);
        assert_text(nq_bytes_of(text, nq_time_print(usec, text)), rows[i].printed);
    }
    assert_int_equal(nq_time_parse(text_of("24:00:01"), &usec), NQ_DATETIME_OUTSIDE);
    assert_int_equal(nq_time_parse(text_of("12:60"), &usec), NQ_DATETIME_OUTSIDE);
    assert_int_equal(nq_time_parse(text_of("12"), &usec), NQ_DATETIME_MALFORMED);
    assert_int_equal(nq_time_parse(text_of("12:30:15."), &usec), NQ_DATETIME_MALFORMED);
    assert_int_equal(nq_time_parse(text_of("12:30 pm"), &usec), NQ_DATETIME_MALFORMED);
}

static void timestamps_read_in_every_iso_form(void **state) {
    (void)state;
    static const struct {
        const char *text;
        const char *printed;
    } rows[] = {
        {"2014-04-10 07:15:00", "2014-04-10 07:15:00"},
        {"2014-04-10T07:15:00Z", "2014-04-10 07:15:00"},
        {"2014-04-10", "2014-04-10 00:00:00"},
        {"2014-04-10 07:15:00.250", "2014-04-10 07:15:00.25"},
        {"2014-04-10 00:15+02", "2014-04-09 22:15:00"},
        {"2014-04-10 00:15:00-0530", "2014-04-10 05:45:00"},
        {"2014-04-10 00:15:00 +05:30", "2014-04-09 18:45:00"},
        {"1969-12-31 23:59:59.999999", "1969-12-31 23:59:59.999999"},
        {"2016-12-31 23:59:60", "2017-01-01 00:00:00"},
        {"0044-03-15 12:00:00 BC", "0044-03-15 12:00:00 BC"},
        {"9999-12-31 23:59:59.999999", "9999-12-31 23:59:59.999999"},
    };
    char text[48];
    int64_t timestamp;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(nq_timestamp_parse(text_of(rows[i].text), &timestamp), NQ_DATETIME_OK);
        assert_text(nq_bytes_of(text, nq_timestamp_print(timestamp, text)), rows[i].printed);
    }
    assert_int_equal(nq_timestamp_parse(text_of("9999-12-31 24:00"), &timestamp),
                     NQ_DATETIME_OUTSIDE);
    assert_int_equal(nq_timestamp_parse(text_of("2014-04-10 07:15:00 CET"), &timestamp),
                     NQ_DATETIME_MALFORMED);
    assert_int_equal(nq_timestamp_parse(text_of("2014-04-10 "), &timestamp), NQ_DATETIME_MALFORMED);
}

static void random_timestamps_read_back(void **state) {
    (void)state;
    nq_rng rng = {7};
    uint64_t span = (uint64_t)(NQ_TIMESTAMP_MAX - NQ_TIMESTAMP_MIN) + 1;
    for (int i = 0; i < 100000; i++) {
        int64_t timestamp = NQ_TIMESTAMP_MIN + (int64_t)nq_rng_below(&rng, span), read;
        char text[48];
        nq_bytes printed = nq_bytes_of(text, nq_timestamp_print(timestamp, text));
        assert_int_equal(nq_timestamp_parse(printed, &read), NQ_DATETIME_OK);
        assert_int_equal(read, timestamp);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_day_of_the_calendar_converts_both_ways),
        cmocka_unit_test(dates_read_and_print),
        cmocka_unit_test(dates_that_do_not_exist_are_outside),
        cmocka_unit_test(times_read_and_print),
        cmocka_unit_test(timestamps_read_in_every_iso_form),
        cmocka_unit_test(random_timestamps_read_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
