/* A line is one line of valid text whatever it is made of, and repetition is counted. */
#include "engine/ground/base/logger.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "engine/ground/base/rng.h"
#include "engine/ground/base/utf8.h"

static char lines[1 << 16];
static size_t line_count;
static int64_t now_us;
static const bool yes = true;
static const bool no = false;

static int64_t read_clock(void) {
    return now_us;
}

static void keep(void *user, const char *line, size_t bytes) {
    assert_ptr_equal(user, lines);
    assert_true(bytes < sizeof(lines));
    assert_int_equal(line[bytes - 1], '\n');
    memcpy(lines, line, bytes - 1);
    lines[bytes - 1] = '\0';
    line_count++;
}

static void configure(bool is_json, bool has_clock) {
    now_us = INT64_C(1769860800123456); /* 2026-01-31 12:00 */
    line_count = 0;
    lines[0] = '\0';
    nq_logger_configure(&(nq_logger_options){
        .level_min = NQ_LEVEL_INFO,
        .is_json = is_json,
        .now_us = has_clock ? read_clock : NULL,
        .sink = keep,
        .sink_user = lines,
    });
}

static void logfmt_shows_each_type_and_quotes_only_what_needs_it(void **state) {
    (void)state;
    configure(false, true);
    NQ_LOG(NQ_LEVEL_WARN, "store recovered", NQ_FIELD("records", 812), NQ_FIELD("ok", yes),
           NQ_FIELD("ratio", 0.5), NQ_FIELD("lsn", UINT64_MAX), NQ_FIELD("delta", INT64_MIN),
           NQ_FIELD("path", "data/log"), NQ_FIELD("text", NQ_BYTES_LITERAL("a b\"\\\n\t\x1B[0m")),
           NQ_FIELD("none", (const char *)NULL), NQ_FIELD("odd", NAN));
    assert_string_equal(lines,
                        "2026-01-31T12:00:00.123456Z warn \"store recovered\" records=812 ok=true "
                        "ratio=0.5 lsn=18446744073709551615 delta=-9223372036854775808 "
                        "path=data/log text=\"a b\\\"\\\\\\n\\u0009\\u001b[0m\" none=\"\" odd=NaN");
}

static void json_is_an_object_of_typed_values(void **state) {
    (void)state;
    configure(true, true);
    NQ_LOG(NQ_LEVEL_ERROR, "sync", NQ_FIELD("n", -1), NQ_FIELD("ok", no),
           NQ_FIELD("what", "\xC3\xA9 \"x\" \xFF"), NQ_FIELD("inf", -INFINITY));
    assert_string_equal(lines,
                        "{\"time\":\"2026-01-31T12:00:00.123456Z\",\"level\":\"error\","
                        "\"event\":\"sync\",\"n\":-1,\"ok\":false,"
                        "\"what\":\"\xC3\xA9 \\\"x\\\" \xEF\xBF\xBD\",\"inf\":\"-Infinity\"}");
}

static void without_a_clock_there_is_no_time_and_without_fields_no_comma(void **state) {
    (void)state;
    configure(false, false);
    nq_logger_write(NQ_LEVEL_INFO, "started", NULL, 0);
    assert_string_equal(lines, "info started");
    configure(true, false);
    nq_logger_write(NQ_LEVEL_INFO, "started", NULL, 0);
    assert_string_equal(lines, "{\"level\":\"info\",\"event\":\"started\"}");
}

static void below_the_level_nothing_is_written_nor_evaluated(void **state) {
    (void)state;
    configure(false, true);
    int evaluated = 0;
    NQ_LOG(NQ_LEVEL_DEBUG, "quiet", NQ_FIELD("n", ++evaluated));
    assert_int_equal(line_count, 0);
    assert_int_equal(evaluated, 0);
    nq_log_level level;
    assert_true(nq_log_level_parse("debug", &level));
    assert_int_equal(level, NQ_LEVEL_DEBUG);
    assert_true(nq_log_level_parse("off", &level));
    assert_int_equal(level, NQ_LEVEL_OFF);
    assert_false(nq_log_level_parse("loud", &level));
}

static void repetition_within_a_second_is_counted_and_told(void **state) {
    (void)state;
    configure(false, true);
    for (int i = 0; i < 100; i++) {
        nq_logger_write(NQ_LEVEL_INFO, "again", NULL, 0);
        nq_logger_write(NQ_LEVEL_INFO, i % 2 == 0 ? "even" : "odd", NULL, 0);
        now_us += 1000;
    }
    assert_int_equal(line_count, 3 * NQ_LOG_REPEATS_MAX);
    now_us += 1000000;
    nq_logger_write(NQ_LEVEL_INFO, "again", NULL, 0);
    assert_non_null(strstr(lines, "info again suppressed=80"));
    nq_logger_write(NQ_LEVEL_INFO, "again", NULL, 0);
    assert_null(strstr(lines, "suppressed"));
}

static void a_line_too_long_loses_whole_fields_and_says_so(void **state) {
    (void)state;
    static char huge[3 * NQ_LOG_LINE_BYTES];
    for (int json = 0; json < 2; json++) {
        for (size_t size = NQ_LOG_LINE_BYTES - 300; size < NQ_LOG_LINE_BYTES + 100; size++) {
            configure(json == 1, true);
            memset(huge, 'x', size);
            huge[size] = '\0';
            NQ_LOG(NQ_LEVEL_INFO, "big", NQ_FIELD("a", 1), NQ_FIELD("big", huge), NQ_FIELD("z", 2));
            assert_true(strlen(lines) < NQ_LOG_LINE_BYTES);
            bool is_cut = strstr(lines, json == 1 ? "\"cut\":true}" : " cut=true") != NULL;
            bool has_last = strstr(lines, json == 1 ? "\"z\":2" : " z=2") != NULL;
            bool has_big = strstr(lines, "xxx") != NULL;
            assert_int_equal(is_cut, !has_last);
            assert_true(!has_big || strstr(lines, huge) != NULL);
            assert_non_null(strstr(lines, json == 1 ? "\"a\":1" : " a=1"));
        }
    }
}

static void random_bytes_never_break_the_line(void **state) {
    (void)state;
    nq_rng rng = {4};
    for (int round = 0; round < 2000; round++) {
        uint8_t data[200];
        size_t size = (size_t)nq_rng_below(&rng, sizeof(data));
        for (size_t i = 0; i < size; i++) {
            data[i] = (uint8_t)nq_rng_next(&rng);
        }
        configure(round % 2 == 0, true);
        NQ_LOG(NQ_LEVEL_INFO, "e", NQ_FIELD("v", nq_bytes_of(data, size)));
        nq_bytes line = nq_bytes_of_cstr(lines);
        assert_true(nq_utf8_is_text(line));
        for (size_t i = 0; i < line.size; i++) {
            assert_true(line.data[i] >= 0x20 && line.data[i] != 0x7F);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(logfmt_shows_each_type_and_quotes_only_what_needs_it),
        cmocka_unit_test(json_is_an_object_of_typed_values),
        cmocka_unit_test(without_a_clock_there_is_no_time_and_without_fields_no_comma),
        cmocka_unit_test(below_the_level_nothing_is_written_nor_evaluated),
        cmocka_unit_test(repetition_within_a_second_is_counted_and_told),
        cmocka_unit_test(a_line_too_long_loses_whole_fields_and_says_so),
        cmocka_unit_test(random_bytes_never_break_the_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
