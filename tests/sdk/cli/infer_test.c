/* Infer: a type is only believed when every value of the column fits it without loss. */
#include "sdk/cli/infer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static nq_csv_field field(const char *text) {
    return (nq_csv_field){.text = text, .bytes = strlen(text)};
}

static nq_inference infer(const char *const *values) {
    nq_inference inference;
    nq_inference_init(&inference);
    for (; *values != NULL; values++) {
        nq_csv_field value = field(*values);
        nq_inference_observe(&inference, &value);
    }
    return inference;
}

#define TYPE_OF(...) \
    nq_inference_type(&(nq_inference[]){infer((const char *const[]){__VA_ARGS__, NULL})}[0])

static void columns_take_the_narrowest_type_that_holds_all(void **state) {
    (void)state;
    assert_int_equal(TYPE_OF("1", "-20", "9223372036854775807"), NQ_DATA_INT64);
    assert_int_equal(TYPE_OF("1", "2.5"), NQ_DATA_FLOAT64);
    assert_int_equal(TYPE_OF("true", "FALSE"), NQ_DATA_BOOL);
    assert_int_equal(TYPE_OF("2024-01-31", "1999-12-01"), NQ_DATA_DATE);
    assert_int_equal(TYPE_OF("2024-01-31", "2024-01-31 10:00:00"), NQ_DATA_TIMESTAMP);
    assert_int_equal(TYPE_OF("2014-02-14 14:30:00", "2014-02-14T14:35:00.5"), NQ_DATA_TIMESTAMP);
    assert_int_equal(TYPE_OF("a", "1"), NQ_DATA_TEXT);
}

static void one_odd_value_at_the_end_widens_the_column(void **state) {
    (void)state;
    assert_int_equal(TYPE_OF("1", "2", "3", "4", "n/a"), NQ_DATA_TEXT);
    assert_int_equal(TYPE_OF("1", "2", "3", "4", "1e3"), NQ_DATA_FLOAT64);
}

static void values_that_a_number_would_change_stay_text(void **state) {
    (void)state;
    assert_int_equal(TYPE_OF("00501", "02134"), NQ_DATA_TEXT);
    assert_int_equal(TYPE_OF("18446744073709551615"), NQ_DATA_TEXT);
    assert_int_equal(TYPE_OF("9007199254740993", "0.5"), NQ_DATA_TEXT);
    assert_int_equal(TYPE_OF("3.14159265358979323846"), NQ_DATA_TEXT);
    assert_int_equal(TYPE_OF("2024-01-01T00:00:00+02:00"), NQ_DATA_TEXT);
    assert_int_equal(TYPE_OF("2024-01-01T00:00:00Z", "2024-01-01T00:00:00"), NQ_DATA_TEXT);
}

static void empty_values_say_nothing(void **state) {
    (void)state;
    assert_int_equal(TYPE_OF("", "7", ""), NQ_DATA_INT64);
    assert_int_equal(TYPE_OF("", ""), NQ_DATA_TEXT);
}

static void a_quoted_empty_value_is_text(void **state) {
    (void)state;
    nq_inference inference = infer((const char *const[]){"1", NULL});
    nq_csv_field quoted = {.text = "", .is_quoted = true};
    nq_inference_observe(&inference, &quoted);
    assert_int_equal(nq_inference_type(&inference), NQ_DATA_TEXT);
}

static void a_header_has_names_where_the_rest_has_values(void **state) {
    (void)state;
    nq_inference rest[] = {infer((const char *const[]){"x", NULL}),
                           infer((const char *const[]){"1.5", NULL})};
    assert_true(nq_record_is_header((nq_csv_field[]){field("Größe"), field("value")}, rest, 2));
    assert_false(nq_record_is_header((nq_csv_field[]){field("a"), field("2.5")}, rest, 2));
    assert_false(nq_record_is_header((nq_csv_field[]){field("a"), field("")}, rest, 2));
    assert_false(nq_record_is_header((nq_csv_field[]){field("a"), field("a")}, rest, 2));
}

static void a_file_of_texts_has_a_header_only_of_identifiers(void **state) {
    (void)state;
    nq_inference rest[] = {infer((const char *const[]){"x", NULL}),
                           infer((const char *const[]){"y", NULL})};
    assert_true(nq_record_is_header((nq_csv_field[]){field("name"), field("home town")}, rest, 2));
    assert_false(nq_record_is_header((nq_csv_field[]){field("Ann"), field("5th Ave.")}, rest, 2));
}

static void column_names_need_no_quotes(void **state) {
    (void)state;
    nq_text name = {0};
    nq_csv_field wild = field("Sepal Length (cm)");
    nq_column_name_from_field(&name, &wild);
    assert_string_equal(nq_text_string(&name), "sepal_length__cm_");
    nq_text_clear(&name);
    nq_csv_field year = field("2024");
    nq_column_name_from_field(&name, &year);
    assert_string_equal(nq_text_string(&name), "_2024");
    nq_text_deinit(&name);
}

static void fields_become_values_or_are_refused(void **state) {
    (void)state;
    nq_datum datum;
    nq_csv_field empty = field(""), quoted = {.text = "", .is_quoted = true};
    nq_csv_field na = field("NA"), number = field("70000"), yes = field("yes");
    assert_true(nq_datum_from_field(&empty, NQ_DATA_INT64, NULL, &datum) && datum.is_null);
    assert_true(nq_datum_from_field(&quoted, NQ_DATA_TEXT, NULL, &datum) && !datum.is_null);
    assert_false(nq_datum_from_field(&quoted, NQ_DATA_INT64, NULL, &datum));
    assert_true(nq_datum_from_field(&na, NQ_DATA_FLOAT64, "NA", &datum) && datum.is_null);
    assert_false(nq_datum_from_field(&number, NQ_DATA_INT16, NULL, &datum));
    assert_true(nq_datum_from_field(&number, NQ_DATA_INT32, NULL, &datum));
    assert_int_equal(datum.integer, 70000);
    assert_true(nq_datum_from_field(&yes, NQ_DATA_BOOL, NULL, &datum) && datum.boolean);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(columns_take_the_narrowest_type_that_holds_all),
        cmocka_unit_test(one_odd_value_at_the_end_widens_the_column),
        cmocka_unit_test(values_that_a_number_would_change_stay_text),
        cmocka_unit_test(empty_values_say_nothing),
        cmocka_unit_test(a_quoted_empty_value_is_text),
        cmocka_unit_test(a_header_has_names_where_the_rest_has_values),
        cmocka_unit_test(a_file_of_texts_has_a_header_only_of_identifiers),
        cmocka_unit_test(column_names_need_no_quotes),
        cmocka_unit_test(fields_become_values_or_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
