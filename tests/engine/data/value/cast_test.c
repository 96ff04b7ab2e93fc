/* Casts: PostgreSQL's rules, value by value. */
#include <math.h>

#include "engine/data/value/value.h"
#include "tests/engine/data/value/fixture.h"

typedef struct row {
    nq_value source;
    nq_type target;
    bool is_assignment;
    const char *text; /* of the result; NULL: fails */
    nq_status status;
} row;

#define LITERAL(s) \
    ((nq_value){.type = NQ_TYPE_UNKNOWN, .bytes = {(const uint8_t *)(s), sizeof(s) - 1}})
#define TEXT(s)    ((nq_value){.type = NQ_TYPE_TEXT, .bytes = {(const uint8_t *)(s), sizeof(s) - 1}})
#define TYPE(id)   NQ_TYPE(NQ_TYPE_##id)
#define VARCHAR(n) ((nq_type){.id = NQ_TYPE_TEXT, .length_max = (n)})
#define CHAR(n)    ((nq_type){.id = NQ_TYPE_TEXT, .length_max = (n), .is_padded = true})
#define DAY(n)     ((nq_value){.type = NQ_TYPE_DATE, .integer = (n)})
#define MOMENT(n)  ((nq_value){.type = NQ_TYPE_TIMESTAMP, .integer = (n)})

static void casts_follow_the_table(void **state) {
    (void)state;
    const row rows[] = {
        /* Numbers. */
        {NQ_VALUE_FLOAT64(2.5), TYPE(INT32), false, "2", NQ_OK},
        {NQ_VALUE_FLOAT64(3.5), TYPE(INT32), true, "4", NQ_OK},
        {NQ_VALUE_FLOAT64(-2.5), TYPE(INT64), false, "-2", NQ_OK},
        {NQ_VALUE_FLOAT64(1e10), TYPE(INT32), false, NULL, NQ_NUMBER_OUT_OF_RANGE},
        {NQ_VALUE_FLOAT64(9223372036854775808.0), TYPE(INT64), false, NULL, NQ_NUMBER_OUT_OF_RANGE},
        {NQ_VALUE_FLOAT64(-9223372036854775808.0), TYPE(INT64), false, "-9223372036854775808",
         NQ_OK},
        {NQ_VALUE_FLOAT64((double)NAN), TYPE(INT64), false, NULL, NQ_NUMBER_OUT_OF_RANGE},
        {NQ_VALUE_INT64(32768), TYPE(INT16), true, NULL, NQ_NUMBER_OUT_OF_RANGE},
        {NQ_VALUE_INT64(-32768), TYPE(INT16), true, "-32768", NQ_OK},
        {NQ_VALUE_INT64(16777217), TYPE(FLOAT32), false, "1.6777216e+07", NQ_OK},
        {NQ_VALUE_FLOAT64(1e39), TYPE(FLOAT32), false, NULL, NQ_NUMBER_OUT_OF_RANGE},
        {NQ_VALUE_FLOAT64((double)INFINITY), TYPE(FLOAT32), false, "Infinity", NQ_OK},
        {NQ_VALUE_FLOAT64(0.1), TYPE(FLOAT32), false, "0.1", NQ_OK},
        /* Booleans. */
        {NQ_VALUE_INT64(7), TYPE(BOOL), false, "true", NQ_OK},
        {NQ_VALUE_INT64(7), TYPE(BOOL), true, NULL, NQ_TYPE_MISMATCH},
        {NQ_VALUE_BOOL(true), TYPE(INT32), false, "1", NQ_OK},
        {NQ_VALUE_BOOL(true), TYPE(INT32), true, NULL, NQ_TYPE_MISMATCH},
        {NQ_VALUE_BOOL(true), TYPE(FLOAT64), false, NULL, NQ_TYPE_MISMATCH},
        {LITERAL(" yes "), TYPE(BOOL), true, "true", NQ_OK},
        {LITERAL("maybe"), TYPE(BOOL), true, NULL, NQ_INVALID_TEXT_VALUE},
        /* Text is read when asked to be, a literal always. */
        {TEXT(" 42 "), TYPE(INT32), false, "42", NQ_OK},
        {TEXT("42"), TYPE(INT32), true, NULL, NQ_TYPE_MISMATCH},
        {LITERAL("42"), TYPE(INT32), true, "42", NQ_OK},
        {LITERAL("4 2"), TYPE(INT32), true, NULL, NQ_INVALID_TEXT_VALUE},
        {LITERAL("2147483648"), TYPE(INT32), true, NULL, NQ_NUMBER_OUT_OF_RANGE},
        {LITERAL("1e400"), TYPE(FLOAT64), true, NULL, NQ_NUMBER_OUT_OF_RANGE},
        {LITERAL("1e39"), TYPE(FLOAT32), true, NULL, NQ_NUMBER_OUT_OF_RANGE},
        {LITERAL("1.5x"), TYPE(FLOAT64), true, NULL, NQ_INVALID_TEXT_VALUE},
        {LITERAL("\\xDEad"), TYPE(BYTES), true, "\\xdead", NQ_OK},
        {LITERAL("\\xDEa"), TYPE(BYTES), true, NULL, NQ_INVALID_TEXT_VALUE},
        {LITERAL("A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11"), TYPE(UUID), true,
         "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", NQ_OK},
        {LITERAL("A0EE"), TYPE(UUID), true, NULL, NQ_INVALID_TEXT_VALUE},
        /* Everything prints. */
        {NQ_VALUE_INT64(-5), TYPE(TEXT), true, "-5", NQ_OK},
        {NQ_VALUE_BOOL(false), TYPE(TEXT), true, "false", NQ_OK},
        {NQ_VALUE_FLOAT64(0.5), TYPE(TEXT), true, "0.5", NQ_OK},
        /* Lengths are in characters. */
        {TEXT("h\xc3\xa9llo"), VARCHAR(5), true, "h\xc3\xa9llo", NQ_OK},
        {TEXT("h\xc3\xa9llo!"), VARCHAR(5), true, NULL, NQ_STRING_TOO_LONG},
        {TEXT("h\xc3\xa9llo!"), VARCHAR(2), false, "h\xc3\xa9", NQ_OK},
        {TEXT("ab   "), VARCHAR(3), true, "ab ", NQ_OK},
        {TEXT("ab  c"), VARCHAR(3), true, NULL, NQ_STRING_TOO_LONG},
        {TEXT("ab "), CHAR(5), true, "ab", NQ_OK},
        {NQ_VALUE_INT64(12345), VARCHAR(3), false, "123", NQ_OK},
        /* Dates and times. */
        {DAY(1), TYPE(TIMESTAMP), true, "1970-01-02 00:00:00", NQ_OK},
        {MOMENT(-1), TYPE(DATE), true, "1969-12-31", NQ_OK},
        {MOMENT(-1), TYPE(TIME), true, "23:59:59.999999", NQ_OK},
        {DAY(1), TYPE(TIME), false, NULL, NQ_TYPE_MISMATCH},
        {DAY(1), TYPE(INT64), false, NULL, NQ_TYPE_MISMATCH},
        {LITERAL("2024-02-30"), TYPE(DATE), true, NULL, NQ_DATETIME_OUT_OF_RANGE},
        {LITERAL("yesterday"), TYPE(DATE), true, NULL, NQ_INVALID_DATETIME},
        {LITERAL("2014-04-10 07:15"), TYPE(TIMESTAMP), true, "2014-04-10 07:15:00", NQ_OK},
        {NQ_VALUE_INT64(1), TYPE(DECIMAL), false, NULL, NQ_TYPE_MISMATCH},
    };
    fixture f;
    fixture_init(&f);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        nq_value result;
        nq_bytes text;
        nq_status status = nq_value_cast(&f.ctx, &f.arena, rows[i].source, rows[i].target,
                                         rows[i].is_assignment, &result);
        if (status != rows[i].status) {
            fail_msg("row %zu: %s, not %s", i, nq_status_name(status),
                     nq_status_name(rows[i].status));
        }
        if (status == NQ_OK) {
            assert_int_equal(result.type, rows[i].target.id);
            assert_int_equal(nq_value_print(&f.ctx, &f.arena, result, &text), NQ_OK);
            assert_text(text, rows[i].text);
        }
    }
    fixture_deinit(&f);
}

static void null_casts_to_null_of_any_type(void **state) {
    (void)state;
    fixture f;
    fixture_init(&f);
    nq_value result;
    assert_int_equal(
        nq_value_cast(&f.ctx, &f.arena, NQ_VALUE_NULL(NQ_TYPE_BOOL), TYPE(DATE), true, &result),
        NQ_OK);
    assert_true(result.is_null);
    assert_int_equal(result.type, NQ_TYPE_DATE);
    fixture_deinit(&f);
}

static void a_refused_text_is_shown_cut_at_a_character(void **state) {
    (void)state;
    fixture f;
    fixture_init(&f);
    char text[400];
    for (size_t i = 0; i < sizeof text; i += 2) {
        memcpy(text + i, "\xc3\xa9", 2);
    }
    nq_value result;
    const nq_value source = NQ_VALUE_TEXT(nq_bytes_of(text, sizeof text));
    assert_int_equal(nq_value_cast(&f.ctx, &f.arena, source, TYPE(INT32), false, &result),
                     NQ_INVALID_TEXT_VALUE);
    assert_non_null(strstr(f.ctx.error.message, "...\""));
    fixture_deinit(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(casts_follow_the_table),
        cmocka_unit_test(null_casts_to_null_of_any_type),
        cmocka_unit_test(a_refused_text_is_shown_cut_at_a_character),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
