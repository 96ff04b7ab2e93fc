/* What every function and operator answers, as SQL: value tables by subject. */
#include "tests/engine/query/support/sql.h"

typedef struct example {
    const char *expression;
    const char *expected; /* a five-letter SQLSTATE after "!" is an error */
} example;

static void check(void **state, const example *examples, size_t count) {
    sql_fixture *f = *state;
    for (size_t i = 0; i < count; i++) {
        const char *sql = sql_format(f, "SELECT %s", examples[i].expression);
        if (examples[i].expected[0] == '!') {
            sql_expect_error(f, sql, examples[i].expected + 1);
        } else {
            sql_expect(f, sql, examples[i].expected);
        }
    }
}

#define CHECK(state, examples) check((state), (examples), sizeof(examples) / sizeof((examples)[0]))

static void integers_are_checked_at_their_width(void **state) {
    static const example examples[] = {
        {"32767::smallint + 1::smallint", "!22003"},
        {"32766::smallint + 1::smallint", "32767"},
        {"(-32768)::smallint - 1::smallint", "!22003"},
        {"200::smallint * 200::smallint", "!22003"},
        {"2147483647 + 1", "!22003"},
        {"2147483647 + 1::bigint", "2147483648"},
        {"-2147483647 - 2", "!22003"},
        {"65536 * 65536", "!22003"},
        {"9223372036854775807 + 1", "!22003"},
        {"9223372036854775807 * 2", "!22003"},
        {"(-9223372036854775807 - 1) / -1", "!22003"},
        {"(-9223372036854775807 - 1) % -1", "0"},
        {"(-2147483647 - 1) / -1", "!22003"},
        {"-(-2147483647 - 1)", "!22003"},
        {"abs(-2147483647 - 1)", "!22003"},
        {"abs(-5)", "5"},
        {"2147483648::integer", "!22003"},
        {"32768::smallint", "!22003"},
        {"2.5::integer", "2"},
        {"3.5::integer", "4"},
        {"-2.5::integer", "-2"},
        {"9223372036854775807::double precision::bigint", "!22003"},
        {"'NaN'::double precision::integer", "!22003"},
    };
    CHECK(state, examples);
}

static void integer_division_truncates_and_never_divides_by_zero(void **state) {
    static const example examples[] = {
        {"7 / 2", "3"},        {"-7 / 2", "-3"},      {"7 / -2", "-3"},     {"7 % 2", "1"},
        {"-7 % 2", "-1"},      {"7 % -2", "1"},       {"mod(-7, 3)", "-1"}, {"1 / 0", "!22012"},
        {"1 % 0", "!22012"},   {"1.0 / 0", "!22012"}, {"div(7, 2)", "3"},   {"NULL / 0", "NULL"},
        {"0.0 / 0", "!22012"},
    };
    CHECK(state, examples);
}

static void reals_overflow_loudly_and_keep_infinities(void **state) {
    static const example examples[] = {
        {"1e308 * 10", "!22003"},
        {"1e308 + 1e308", "!22003"},
        {"'Infinity'::double precision + 1", "Infinity"},
        {"'Infinity'::double precision - 'Infinity'::double precision", "NaN"},
        {"'NaN'::double precision = 'NaN'::double precision", "true"},
        {"'NaN'::double precision > 'Infinity'::double precision", "true"},
        {"'NaN'::double precision < 1", "false"},
        {"-0.0 = 0.0", "true"},
        {"0.1 + 0.2", "0.30000000000000004"},
        {"1e39::real", "!22003"},
        {"1.1::real + 1.1::real", "2.2"},
        {"2 ^ 10", "1024"},
    };
    CHECK(state, examples);
}

static void bits(void **state) {
    static const example examples[] = {
        {"6 & 3", "2"},
        {"6 | 3", "7"},
        {"6 # 3", "5"},
        {"~6", "-7"},
        {"1 << 4", "16"},
        {"-8 >> 1", "-4"},
        {"1 << 31", "-2147483648"},
        {"1::bigint << 40", "1099511627776"},
    };
    CHECK(state, examples);
}

static void mathematics(void **state) {
    static const example examples[] = {
        {"round(2.5)", "3"},
        {"round(-2.5)", "-3"},
        {"round(2.4)", "2"},
        {"round(1234.567, 2)", "1234.57"},
        {"round(1234.567, -2)", "1200"},
        {"round(1, 400)", "1"},
        {"trunc(-2.7)", "-2"},
        {"trunc(2.789, 1)", "2.7"},
        {"ceil(1.2)", "2"},
        {"ceiling(-1.2)", "-1"},
        {"floor(-1.2)", "-2"},
        {"sign(-3)", "-1"},
        {"sign(0.0)", "0"},
        {"power(2, 0.5) = sqrt(2)", "true"},
        {"power(0, -1)", "!22023"},
        {"power(-8, 1.0/3)", "!22023"},
        {"power(10, 400)", "!22003"},
        {"sqrt(-1)", "!22023"},
        {"sqrt(16)", "4"},
        {"cbrt(27)", "3"},
        {"exp(0)", "1"},
        {"exp(1000)", "!22003"},
        {"ln(0)", "!22023"},
        {"log(1000)", "3"},
        {"log(2, 8)", "3"},
        {"log2(8)", "3"},
        {"log10(0.01)", "-2"},
        {"pi()", "3.141592653589793"},
        {"degrees(pi())", "180"},
        {"radians(180) = pi()", "true"},
        {"sin(0)", "0"},
        {"cos(0)", "1"},
        {"atan2(1, 1) * 4 = pi()", "true"},
        {"asin(2)", "!22023"},
        {"gcd(12, -18)", "6"},
        {"lcm(4, 6)", "12"},
        {"random() >= 0 AND random() < 1", "true"},
    };
    CHECK(state, examples);
}

static void text_is_counted_in_characters(void **state) {
    static const example examples[] = {
        {"length('größe')", "5"},
        {"octet_length('größe')", "7"},
        {"upper('größe')", "GRÖßE"},
        {"lower('ÄÖÜ Abc')", "äöü abc"},
        {"initcap('hello wORLD x2y')", "Hello World X2y"},
        {"reverse('añb')", "bña"},
        {"left('größe', 3)", "grö"},
        {"left('größe', -2)", "grö"},
        {"left('ab', -5)", ""},
        {"right('größe', 2)", "ße"},
        {"right('größe', -4)", "e"},
        {"substr('größe', 3, 2)", "öß"},
        {"substr('abc', 0, 2)", "a"},
        {"substr('abc', -5, 7)", "a"},
        {"substr('abc', 2)", "bc"},
        {"substr('abc', 9)", ""},
        {"substr('abc', 1, -1)", "!22023"},
        {"substring('abc' FROM 2 FOR 1)", "b"},
        {"lpad('7', 3, '0')", "007"},
        {"lpad('abc', 2)", "ab"},
        {"rpad('é', 4, 'xy')", "éxyx"},
        {"lpad('a', 5, '')", "a"},
        {"repeat('ab', 3)", "ababab"},
        {"repeat('ab', -1)", ""},
        {"repeat('abcdefgh', 1000000000)", "!54000"},
        {"ascii('é')", "233"},
        {"ascii('')", "0"},
        {"chr(8364)", "€"},
        {"chr(0)", "!22023"},
        {"chr(55296)", "!22023"},
        {"to_hex(255)", "ff"},
        {"to_hex(-1)", "ffffffff"},
    };
    CHECK(state, examples);
}

static void text_is_trimmed_searched_and_joined(void **state) {
    static const example examples[] = {
        {"trim('  a b ')", "a b"},
        {"ltrim('xxyax', 'xy')", "ax"},
        {"rtrim('añññ', 'ñ')", "a"},
        {"trim(BOTH 'x' FROM 'xxaxx')", "a"},
        {"trim('')", ""},
        {"strpos('größe', 'ße')", "4"},
        {"strpos('abc', 'z')", "0"},
        {"strpos('abc', '')", "1"},
        {"replace('aXbXc', 'X', '--')", "a--b--c"},
        {"replace('abc', '', 'x')", "abc"},
        {"replace('aaa', 'a', '')", ""},
        {"split_part('a,b,c', ',', 2)", "b"},
        {"split_part('a,b,c', ',', -1)", "c"},
        {"split_part('a,b,c', ',', 9)", ""},
        {"split_part('a,b,c', ',', 0)", "!22023"},
        {"starts_with('größe', 'grö')", "true"},
        {"ends_with('größe', 'ß')", "false"},
        {"'a' || 1", "a1"},
        {"1.5 || 'x'", "1.5x"},
        {"'a' || NULL", "NULL"},
        {"concat('a', NULL, 1, TRUE)", "a1true"},
        {"concat_ws('-', 'a', NULL, 'b')", "a-b"},
        {"concat_ws(NULL, 'a')", "NULL"},
    };
    CHECK(state, examples);
}

static void nulls_are_handled_by_name(void **state) {
    static const example examples[] = {
        {"coalesce(NULL, NULL, 3)", "3"},
        {"coalesce(1, 1/0)", "1"},
        {"nullif(1, 1)", "NULL"},
        {"nullif(1, 2)", "1"},
        {"nullif(NULL, 1)", "NULL"},
        {"greatest(1, NULL, 3, 2.5)", "3"},
        {"least('b', 'a', NULL)", "a"},
        {"greatest(NULL, NULL)", "NULL"},
        {"ifnull(NULL, 5)", "5"},
        {"NULL IS NULL", "true"},
        {"1 IS DISTINCT FROM NULL", "true"},
        {"NULL IS NOT DISTINCT FROM NULL", "true"},
    };
    CHECK(state, examples);
}

static void dates_follow_the_calendar(void **state) {
    static const example examples[] = {
        {"DATE '2024-02-28' + 2", "2024-03-01"},
        {"DATE '2024-03-01' - DATE '2024-02-01'", "29"},
        {"1 + DATE '2023-12-31'", "2024-01-01"},
        {"DATE '9999-12-31' + 1", "!22008"},
        {"extract(year FROM DATE '2024-02-29')", "2024"},
        {"extract(week FROM DATE '2021-01-03')", "53"},
        {"extract(isoyear FROM DATE '2021-01-03')", "2020"},
        {"extract(dow FROM DATE '2024-06-02')", "0"},
        {"extract(isodow FROM DATE '2024-06-02')", "7"},
        {"extract(doy FROM DATE '2024-12-31')", "366"},
        {"extract(quarter FROM DATE '2024-07-01')", "3"},
        {"extract(century FROM DATE '2000-12-31')", "20"},
        {"extract(epoch FROM TIMESTAMP '1970-01-02 00:00:00.5')", "86400.5"},
        {"extract(second FROM TIMESTAMP '2024-01-01 10:20:30.25')", "30.25"},
        {"extract(hour FROM TIME '10:20:30')", "10"},
        {"extract(year FROM TIME '10:20:30')", "!22023"},
        {"date_part('minute', TIMESTAMP '2024-01-01 10:20:30')", "20"},
        {"date_part('fortnight', TIMESTAMP '2024-01-01')", "!22023"},
        {"date_trunc('hour', TIMESTAMP '2024-05-06 07:08:09')", "2024-05-06 07:00:00"},
        {"date_trunc('week', TIMESTAMP '2024-06-02 07:08:09')", "2024-05-27 00:00:00"},
        {"date_trunc('quarter', TIMESTAMP '2024-06-02')", "2024-04-01 00:00:00"},
        {"date_trunc('century', TIMESTAMP '2000-06-02')", "1901-01-01 00:00:00"},
        {"date_trunc('day', DATE '1969-12-31')", "1969-12-31 00:00:00"},
        {"year(TIMESTAMP '2024-05-06 07:08:09')", "2024"},
        {"dayofweek(DATE '2024-06-02')", "1"},
        {"make_date(2024, 2, 29)", "2024-02-29"},
        {"make_date(2023, 2, 29)", "!22008"},
        {"to_timestamp(86400.25)", "1970-01-02 00:00:00.25"},
        {"DATE '2024-01-01' + TIME '01:02:03'", "2024-01-01 01:02:03"},
        {"DATE '2024-01-01' = TIMESTAMP '2024-01-01 00:00:00'", "true"},
        {"now() = current_timestamp", "true"},
        {"current_date = now()::date", "true"},
    };
    CHECK(state, examples);
}

static void patterns_match_whole_texts(void **state) {
    static const example examples[] = {
        {"'abc' LIKE 'abc'", "true"},
        {"'abc' LIKE 'a%'", "true"},
        {"'abc' LIKE '%c'", "true"},
        {"'abc' LIKE '_b_'", "true"},
        {"'abc' LIKE 'b'", "false"},
        {"'äbc' LIKE '_bc'", "true"},
        {"'a%c' LIKE 'a\\%c'", "true"},
        {"'abc' LIKE 'a\\%c'", "false"},
        {"'a%c' LIKE 'a!%c' ESCAPE '!'", "true"},
        {"'abc' LIKE 'abc!' ESCAPE '!'", "!22025"},
        {"'abc' LIKE 'a' ESCAPE 'xy'", "!22025"},
        {"'ABC' ILIKE 'a_c'", "true"},
        {"'ÄX' ILIKE 'äx'", "true"},
        {"'abc' NOT LIKE '%b%'", "false"},
        {"NULL LIKE 'a'", "NULL"},
        {"'' LIKE '%'", "true"},
        {"'' LIKE '_'", "false"},
        {"'aaab' LIKE '%a%b'", "true"},
        {"'abcbcd' LIKE '%bc%d'", "true"},
        {"'abcbc' LIKE '%bcd%'", "false"},
    };
    CHECK(state, examples);
}

static void types_have_names(void **state) {
    static const example examples[] = {
        {"typeof(1)", "integer"},
        {"typeof(1.5)", "double precision"},
        {"typeof(1::bigint)", "bigint"},
        {"pg_typeof('a'::text)", "text"},
        {"typeof(NULL::date)", "date"},
        {"length(gen_random_uuid()::text)", "36"},
        {"typeof(1 + 1.0)", "double precision"},
        {"typeof(1 + 1::bigint)", "bigint"},
        {"typeof(round(1))", "double precision"},
        {"typeof(1::real * 2::real)", "real"},
    };
    CHECK(state, examples);
}

static void unknown_calls_are_named_as_written(void **state) {
    sql_fixture *f = *state;
    const char *text;
    assert_int_equal(sql_try(f, "SELECT lower(1, 'a')", &text), NQ_UNKNOWN_FUNCTION);
    assert_string_equal(f->ctx.error.message, "function lower(integer, unknown) does not exist");
    assert_int_equal(sql_try(f, "SELECT uper('a')", &text), NQ_UNKNOWN_FUNCTION);
    assert_string_equal(f->ctx.error.hint, "Perhaps upper() was meant.");
    assert_int_equal(sql_try(f, "SELECT 1 + 'a'::text", &text), NQ_UNKNOWN_FUNCTION);
    assert_string_equal(f->ctx.error.message, "operator integer + text does not exist");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integers_are_checked_at_their_width),
        cmocka_unit_test(integer_division_truncates_and_never_divides_by_zero),
        cmocka_unit_test(reals_overflow_loudly_and_keep_infinities),
        cmocka_unit_test(bits),
        cmocka_unit_test(mathematics),
        cmocka_unit_test(text_is_counted_in_characters),
        cmocka_unit_test(text_is_trimmed_searched_and_joined),
        cmocka_unit_test(nulls_are_handled_by_name),
        cmocka_unit_test(dates_follow_the_calendar),
        cmocka_unit_test(patterns_match_whole_texts),
        cmocka_unit_test(types_have_names),
        cmocka_unit_test(unknown_calls_are_named_as_written),
    };
    return cmocka_run_group_tests(tests, sql_setup, sql_teardown);
}
