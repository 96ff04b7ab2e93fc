/* Lines of the log: well formed, whatever they are told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine/ground/base/utf8.h"
#include "server/observe/event.h"
#include "server/observe/slow_query_log.h"

/* What the last event wrote: standard error, caught in a file. */
static char line[8192];

static FILE *caught;

static void catch_begin(void) {
    fflush(stderr);
    caught = tmpfile();
    assert_non_null(caught);
    stderr = caught;
}

static void catch_end(FILE *saved) {
    stderr = saved;
    rewind(caught);
    size_t bytes = fread(line, 1, sizeof line - 1, caught);
    line[bytes] = '\0';
    fclose(caught);
}

static void write_sample(const char *level, const char *format, nq_bytes value) {
    FILE *saved = stderr;
    nq_event event;
    nq_event_configure(level, format);
    catch_begin();
    nq_event_begin(&event, NQ_EVENT_WARN, "something happened");
    nq_event_put_count(&event, "count", 7);
    nq_event_put_ms(&event, "duration_ms", 1500000);
    nq_event_put_text(&event, "value", value);
    nq_event_end(&event);
    catch_end(saved);
}

static void text_is_for_people(void **state) {
    (void)state;
    write_sample("info", "text", NQ_BYTES_LITERAL("plain"));
    assert_non_null(
        strstr(line, "Z WARN something happened count=7 duration_ms=1.500 value=plain\n"));
    write_sample("info", "text", NQ_BYTES_LITERAL("two words"));
    assert_non_null(strstr(line, "value=\"two words\"\n"));
    assert_int_equal(line[4], '-');
    assert_int_equal(line[10], 'T');
}

static void json_is_one_object_a_line(void **state) {
    (void)state;
    write_sample("info", "json", NQ_BYTES_LITERAL("say \"hi\"\n\\"));
    assert_int_equal(line[0], '{');
    assert_non_null(
        strstr(line, "\"level\":\"warn\",\"event\":\"something happened\",\"count\":7"));
    assert_non_null(strstr(line, "\"value\":\"say \\\"hi\\\"\\u000a\\\\\"}\n"));
}

static void what_is_below_the_level_is_not_written(void **state) {
    (void)state;
    write_sample("error", "text", NQ_BYTES_LITERAL("x"));
    assert_string_equal(line, "");
    write_sample("warn", "text", NQ_BYTES_LITERAL("x"));
    assert_string_not_equal(line, "");
}

static void a_value_of_any_length_leaves_one_whole_line(void **state) {
    (void)state;
    static const char *const pieces[] = {"x", "ü", "\n", "\"", "世"};
    static char value[6000];
    for (size_t p = 0; p < sizeof pieces / sizeof pieces[0]; p++) {
        size_t used = 0;
        while (used + 4 < sizeof value) {
            memcpy(value + used, pieces[p], strlen(pieces[p]));
            used += strlen(pieces[p]);
        }
        write_sample("info", "json", nq_bytes_of(value, used));
        size_t bytes = strlen(line);
        assert_true(bytes <= NQ_EVENT_BYTES);
        assert_memory_equal(line + bytes - 3, "\"}\n", 3);
        assert_true(nq_utf8_is_text(nq_bytes_of(line, bytes)));
        assert_ptr_equal(strchr(line, '\n'), line + bytes - 1);
    }
}

static void a_slow_statement_is_told_and_a_fast_one_is_not(void **state) {
    (void)state;
    FILE *saved = stderr;
    nq_query_record record = {.query_id = "q-1",
                              .sql = NQ_BYTES_LITERAL("SELECT 1"),
                              .outcome = NQ_OK,
                              .duration_ns = 2000000000,
                              .rows_returned = 1};
    nq_event_configure("info", "text");
    catch_begin();
    nq_slow_query_log_write(2000001, &record);
    nq_slow_query_log_write(0, &record);
    catch_end(saved);
    assert_string_equal(line, "");
    catch_begin();
    nq_slow_query_log_write(2000000, &record);
    catch_end(saved);
    assert_non_null(strstr(
        line, "slow statement query_id=q-1 duration_ms=2000.000 outcome=OK rows_returned=1"));
    assert_non_null(strstr(line, "sql=\"SELECT 1\""));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_is_for_people),
        cmocka_unit_test(json_is_one_object_a_line),
        cmocka_unit_test(what_is_below_the_level_is_not_written),
        cmocka_unit_test(a_value_of_any_length_leaves_one_whole_line),
        cmocka_unit_test(a_slow_statement_is_told_and_a_fast_one_is_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
