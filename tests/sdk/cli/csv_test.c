/* CSV: what RFC 4180 says, what it leaves open, and what must be refused. */
#include "sdk/cli/csv.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Reads everything into "field|field;" with quoted fields in brackets; "!" and the words of an
 * error. */
static char *read_all(const char *input, size_t bytes, char delimiter) {
    FILE *file = fmemopen((void *)(uintptr_t)input, bytes, "r");
    nq_csv_reader reader;
    nq_text out = {0};
    nq_csv_step step;
    nq_csv_reader_init(&reader, file, delimiter);
    while ((step = nq_csv_reader_next(&reader)) == NQ_CSV_RECORD) {
        for (size_t i = 0; i < reader.field_count; i++) {
            const nq_csv_field *field = &reader.fields[i];
            nq_text_append_string(&out, i > 0 ? "|" : "");
            nq_text_append_string(&out, field->is_quoted ? "[" : "");
            nq_text_append(&out, field->text, field->bytes);
            nq_text_append_string(&out, field->is_quoted ? "]" : "");
        }
        nq_text_append_char(&out, ';');
    }
    if (step == NQ_CSV_ERROR) {
        nq_text_append_format(&out, "!%llu", (unsigned long long)reader.line);
    }
    nq_csv_reader_deinit(&reader);
    fclose(file);
    return out.data != NULL ? out.data : nq_must_copy("", 0);
}

static void expect(const char *input, const char *wanted) {
    char *got = read_all(input, strlen(input), ',');
    assert_string_equal(got, wanted);
    free(got);
}

static void records_end_with_lf_crlf_or_the_file(void **state) {
    (void)state;
    expect("a,b\nc,d\n", "a|b;c|d;");
    expect("a,b\r\nc,d", "a|b;c|d;");
    expect("a,\n,b", "a|;|b;");
    expect("a,", "a|;");
}

static void quoted_fields_hold_anything(void **state) {
    (void)state;
    expect("\"a,b\",c\n", "[a,b]|c;");
    expect("\"say \"\"hi\"\"\",x\n", "[say \"hi\"]|x;");
    expect("\"two\nlines\",x\r\n", "[two\nlines]|x;");
    expect("\"a\r\nb\"\r\nc\n", "[a\r\nb];c;");
}

static void a_quoted_empty_field_is_not_an_empty_one(void **state) {
    (void)state;
    expect(",\"\"\n", "|[];");
    expect("\"\"\n", "[];");
}

static void empty_lines_are_skipped(void **state) {
    (void)state;
    expect("\n\na\n\r\nb\n\n", "a;b;");
    expect("", "");
}

static void a_byte_order_mark_is_no_data(void **state) {
    (void)state;
    expect("\xef\xbb\xbfname,x\n", "name|x;");
}

static void what_would_be_a_guess_is_refused_with_its_line(void **state) {
    (void)state;
    expect("a\nb\"c,d\n", "a;!2");
    expect("\"a\"b\n", "!1");
    expect("x\n\"open\nstill open", "x;!2");
    expect("\"a\"\rb\n", "!1");
}

static void the_line_counts_line_breaks_inside_fields(void **state) {
    (void)state;
    expect("\"1\n2\n3\"\n\"4\"x\n", "[1\n2\n3];!4");
}

static void another_delimiter_leaves_commas_alone(void **state) {
    (void)state;
    char *got = read_all("a,b\tc\n", 6, '\t');
    assert_string_equal(got, "a,b|c;");
    free(got);
}

static void fields_survive_the_end_of_the_reading_buffer(void **state) {
    (void)state;
    /* A record that begins just before 256 KiB and ends behind it. */
    nq_text input = {0};
    while (input.bytes < 256 * 1024 - 3) {
        nq_text_append_string(&input, "12345,678\n");
    }
    nq_text_append_string(&input, "\"quo\"\"ted\",tail\n");
    FILE *file = fmemopen(input.data, input.bytes, "r");
    nq_csv_reader reader;
    nq_csv_reader_init(&reader, file, ',');
    uint64_t count = 0;
    nq_csv_step step;
    while ((step = nq_csv_reader_next(&reader)) == NQ_CSV_RECORD) {
        count++;
        assert_int_equal(reader.field_count, 2);
    }
    assert_int_equal(step, NQ_CSV_END);
    assert_int_equal(reader.bytes_read, input.bytes);
    assert_int_equal(count, (input.bytes - 16) / 10 + 1);
    assert_int_equal(reader.fields[0].bytes, 7);
    assert_memory_equal(reader.fields[0].text, "quo\"ted", 7);
    nq_csv_reader_deinit(&reader);
    fclose(file);
    nq_text_deinit(&input);
}

static void a_record_that_never_ends_is_refused(void **state) {
    (void)state;
    size_t bytes = NQ_CSV_RECORD_BYTES_MAX + 1024 * 1024;
    char *input = malloc(bytes);
    memset(input, 'x', bytes);
    input[0] = '"';
    char *got = read_all(input, bytes, ',');
    assert_string_equal(got, "!1");
    free(got);
    free(input);
}

static void what_is_written_reads_back(void **state) {
    (void)state;
    static const char *const fields[] = {
        "plain", "with,comma", "with \"quotes\"", "two\nlines", "", " blank", "r\rn", "tail "};
    size_t count = sizeof fields / sizeof fields[0];
    nq_text line = {0};
    for (size_t i = 0; i < count; i++) {
        nq_text_append_string(&line, i > 0 ? "," : "");
        nq_csv_write_field(&line, fields[i], strlen(fields[i]), ',', true);
    }
    nq_text_append_char(&line, '\n');
    FILE *file = fmemopen(line.data, line.bytes, "r");
    nq_csv_reader reader;
    nq_csv_reader_init(&reader, file, ',');
    assert_int_equal(nq_csv_reader_next(&reader), NQ_CSV_RECORD);
    assert_int_equal(reader.field_count, count);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(reader.fields[i].bytes, strlen(fields[i]));
        assert_memory_equal(reader.fields[i].text, fields[i], strlen(fields[i]));
    }
    nq_csv_reader_deinit(&reader);
    fclose(file);
    nq_text_deinit(&line);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_end_with_lf_crlf_or_the_file),
        cmocka_unit_test(quoted_fields_hold_anything),
        cmocka_unit_test(a_quoted_empty_field_is_not_an_empty_one),
        cmocka_unit_test(empty_lines_are_skipped),
        cmocka_unit_test(a_byte_order_mark_is_no_data),
        cmocka_unit_test(what_would_be_a_guess_is_refused_with_its_line),
        cmocka_unit_test(the_line_counts_line_breaks_inside_fields),
        cmocka_unit_test(another_delimiter_leaves_commas_alone),
        cmocka_unit_test(fields_survive_the_end_of_the_reading_buffer),
        cmocka_unit_test(a_record_that_never_ends_is_refused),
        cmocka_unit_test(what_is_written_reads_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
