/* Printer: the same rows in every format. */
#include "sdk/cli/printer.h"

#include <locale.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define TEXT(s) ((nq_datum){.type = NQ_DATA_TEXT, .text = (s), .text_bytes = strlen(s)})
#define INT(n)  ((nq_datum){.type = NQ_DATA_INT64, .integer = (n)})
#define NONE(t) ((nq_datum){.type = (t), .is_null = true})

static const nq_column COLUMNS[] = {{.name = "id", .type = NQ_DATA_INT64},
                                    {.name = "name", .type = NQ_DATA_TEXT}};

/* Prints the rows, two columns each, and returns what was written; the caller frees. */
static char *print(nq_print_options options, const nq_datum (*rows)[2], size_t count) {
    char *text = NULL;
    size_t bytes = 0;
    FILE *file = open_memstream(&text, &bytes);
    nq_printer *printer = nq_printer_create(file, &options, COLUMNS, 2);
    for (size_t i = 0; i < count; i++) {
        nq_printer_row(printer, rows[i]);
    }
    assert_true(nq_printer_finish(printer, true));
    nq_printer_destroy(printer);
    fclose(file);
    return text;
}

static void expect(nq_output_format format, const nq_datum (*rows)[2], size_t count,
                   const char *wanted) {
    char *got = print((nq_print_options){.format = format}, rows, count);
    assert_string_equal(got, wanted);
    free(got);
}

static void tables_are_aligned_as_psql_aligns_them(void **state) {
    (void)state;
    const nq_datum rows[][2] = {{INT(1), TEXT("Ann")}, {INT(1000), NONE(NQ_DATA_TEXT)}};
    expect(NQ_OUTPUT_TABLE, rows, 2,
           "  id  | name\n"
           "------+------\n"
           "    1 | Ann\n"
           " 1000 | NULL\n"
           "(2 rows)\n");
}

static void wide_characters_take_two_cells(void **state) {
    (void)state;
    static const nq_column columns[] = {{.name = "x", .type = NQ_DATA_TEXT},
                                        {.name = "y", .type = NQ_DATA_TEXT}};
    const nq_datum rows[][2] = {{TEXT("日本"), TEXT("a")}, {TEXT("é"), TEXT("b")}};
    char *text = NULL;
    size_t bytes = 0;
    FILE *file = open_memstream(&text, &bytes);
    nq_print_options options = {.format = NQ_OUTPUT_TABLE, .no_footer = true};
    nq_printer *printer = nq_printer_create(file, &options, columns, 2);
    nq_printer_row(printer, rows[0]);
    nq_printer_row(printer, rows[1]);
    nq_printer_finish(printer, true);
    nq_printer_destroy(printer);
    fclose(file);
    assert_string_equal(text, "  x   | y\n------+---\n 日本 | a\n é    | b\n");
    free(text);
}

static void control_characters_cannot_upset_a_terminal(void **state) {
    (void)state;
    const nq_datum rows[][2] = {{INT(1), TEXT("a\nb\t\x1b[2J")}};
    char *got = print((nq_print_options){.format = NQ_OUTPUT_TABLE, .no_header = true}, rows, 1);
    assert_string_equal(got, " 1 | a\\nb\\t\\x1b[2J\n(1 row)\n");
    free(got);
}

static void rows_beyond_the_sample_still_come(void **state) {
    (void)state;
    size_t count = NQ_TABLE_SAMPLE_ROWS + 2;
    nq_datum(*rows)[2] = calloc(count, sizeof *rows);
    for (size_t i = 0; i < count; i++) {
        rows[i][0] = INT((int64_t)i);
        rows[i][1] = TEXT(i + 1 == count ? "a much wider value" : "x");
    }
    char *got =
        print((nq_print_options){.format = NQ_OUTPUT_TABLE}, (const nq_datum(*)[2])rows, count);
    size_t lines = 0;
    for (const char *c = got; *c != '\0'; c++) {
        lines += *c == '\n';
    }
    assert_int_equal(lines, count + 3);
    assert_non_null(strstr(got, " 1001 | a much wider value\n(1002 rows)\n"));
    free(got);
    free(rows);
}

static void expanded_shows_one_value_a_line(void **state) {
    (void)state;
    const nq_datum rows[][2] = {{INT(7), TEXT("Bo")}};
    expect(NQ_OUTPUT_EXPANDED, rows, 1, "-[ RECORD 1 ]-\nid   | 7\nname | Bo\n(1 row)\n");
}

static void csv_tells_null_from_empty(void **state) {
    (void)state;
    const nq_datum rows[][2] = {{INT(1), TEXT("")},
                                {NONE(NQ_DATA_INT64), NONE(NQ_DATA_TEXT)},
                                {INT(2), TEXT("a,\"b\"\nc")}};
    expect(NQ_OUTPUT_CSV, rows, 3, "id,name\n1,\"\"\n,\n2,\"a,\"\"b\"\"\nc\"\n");
}

static void json_is_one_array(void **state) {
    (void)state;
    const nq_datum rows[][2] = {{INT(1), TEXT("q\"\\\n\x01é")}, {INT(2), NONE(NQ_DATA_TEXT)}};
    expect(NQ_OUTPUT_JSON, rows, 2,
           "[{\"id\":1,\"name\":\"q\\\"\\\\\\n\\u0001é\"},\n {\"id\":2,\"name\":null}]\n");
    expect(NQ_OUTPUT_JSON, rows, 0, "[]\n");
}

static void json_lines_are_objects(void **state) {
    (void)state;
    const nq_datum rows[][2] = {{INT(1), TEXT("a")}, {INT(2), TEXT("b")}};
    expect(NQ_OUTPUT_JSON_LINES, rows, 2, "{\"id\":1,\"name\":\"a\"}\n{\"id\":2,\"name\":\"b\"}\n");
}

static void json_has_no_numbers_that_are_none(void **state) {
    (void)state;
    nq_text text = {0};
    nq_datum nan = {.type = NQ_DATA_FLOAT64, .number = (double)NAN};
    nq_datum half = {.type = NQ_DATA_FLOAT64, .number = 0.5};
    nq_datum truth = {.type = NQ_DATA_BOOL, .boolean = true};
    nq_json_append_datum(&text, &nan);
    nq_json_append_datum(&text, &half);
    nq_json_append_datum(&text, &truth);
    assert_string_equal(nq_text_string(&text), "\"NaN\"0.5true");
    nq_text_deinit(&text);
}

static void json_strings_are_always_utf8(void **state) {
    (void)state;
    nq_text text = {0};
    nq_json_append_string(&text, "a\xff\xc0\xaf\xed\xa0\x80z", 8);
    assert_string_equal(
        nq_text_string(&text),
        "\"a\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdz\"");
    nq_text_deinit(&text);
}

int main(void) {
    setlocale(LC_CTYPE, "C.UTF-8");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tables_are_aligned_as_psql_aligns_them),
        cmocka_unit_test(wide_characters_take_two_cells),
        cmocka_unit_test(control_characters_cannot_upset_a_terminal),
        cmocka_unit_test(rows_beyond_the_sample_still_come),
        cmocka_unit_test(expanded_shows_one_value_a_line),
        cmocka_unit_test(csv_tells_null_from_empty),
        cmocka_unit_test(json_is_one_array),
        cmocka_unit_test(json_lines_are_objects),
        cmocka_unit_test(json_has_no_numbers_that_are_none),
        cmocka_unit_test(json_strings_are_always_utf8),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
