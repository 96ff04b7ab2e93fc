/* Error: every way a text can be refused, with its code, its place and the words of the message. */
#include "tests/engine/query/sql/fixture.h"

typedef struct refusal {
    const char *sql;
    nq_status code;
    uint32_t line, column;
    const char *message;
} refusal;

#define ASSERT_REFUSED(refusals)                                                  \
    for (size_t i = 0; i < sizeof(refusals) / sizeof((refusals)[0]); i++) {       \
        assert_refused((refusals)[i].sql, (refusals)[i].code, (refusals)[i].line, \
                       (refusals)[i].column, (refusals)[i].message);              \
    }

static void syntax_errors_name_the_token_and_what_was_expected(void **state) {
    (void)state;
    static const refusal refusals[] = {
        {"", NQ_SQL_SYNTAX, 1, 1, "empty"},
        {"  -- nothing", NQ_SQL_SYNTAX, 1, 1, "empty"},
        {";", NQ_SQL_SYNTAX, 1, 1, "at \";\""},
        {"SELECT * FORM t", NQ_SQL_SYNTAX, 1, 10, "at \"FORM\""},
        {"SELECT a FROM t WHERE", NQ_SQL_SYNTAX, 1, 22,
         "end of the statement; expected an expression"},
        {"SELECT a AS", NQ_SQL_SYNTAX, 1, 12, "expected a name"},
        {"SELECT\n  a,\n  FROM t", NQ_SQL_SYNTAX, 3, 3, "at \"FROM\""},
        {"SELECT a FROM t GROUP a", NQ_SQL_SYNTAX, 1, 23, "expected BY"},
        {"SELECT (1", NQ_SQL_SYNTAX, 1, 10, "end of the statement"},
        {"SELECT 1)", NQ_SQL_SYNTAX, 1, 9, "at \")\""},
        {"SELECT a < b < c", NQ_SQL_SYNTAX, 1, 14, "comparisons do not chain"},
        {"SELECT a = b = c", NQ_SQL_SYNTAX, 1, 14, "comparisons do not chain"},
        {"INSERT INTO t (a, b VALUES (1)", NQ_SQL_SYNTAX, 1, 21,
         "at \"VALUES\"; expected \")\" or \",\""},
        {"INSERT INTO t VALUES (1, 2), (3)", NQ_SQL_SYNTAX, 1, 30, "all must be of one length"},
        {"INSERT OR REPLACE INTO t VALUES (1)", NQ_SQL_SYNTAX, 1, 8, "expected INTO"},
        {"UPDATE t a = 1", NQ_SQL_SYNTAX, 1, 12, "expected SET"},
        {"DELETE t", NQ_SQL_SYNTAX, 1, 8, "expected FROM"},
        {"CREATE TABLE t (a)", NQ_SQL_SYNTAX, 1, 18, "at \")\""},
        {"CREATE TABLE t ()", NQ_SQL_SYNTAX, 1, 17, "expected a name"},
        {"DROP t", NQ_SQL_SYNTAX, 1, 6, "expected TABLE"},
        {"BEGIN IMMEDIATE", NQ_SQL_SYNTAX, 1, 7, "at \"IMMEDIATE\""},
        {"BEGIN READ ONLY READ WRITE", NQ_SQL_SYNTAX, 1, 1, "twice"},
        {"SELECT *  AS x FROM t", NQ_SQL_SYNTAX, 1, 11, "at \"AS\""},
        {"SELECT t.* x FROM t", NQ_SQL_SYNTAX, 1, 12, "takes no alias"},
        {"SELECT \303\244\303\266 \303\274 \342\202\254 FROM t", NQ_SQL_SYNTAX, 1, 13, "at \""},
        {"FOO", NQ_SQL_SYNTAX, 1, 1, "at \"FOO\""},
        {"INSERT INTO t VALUES (1) ON CONFLICT DO UPDATE SET a = 1", NQ_SQL_SYNTAX, 1, 26,
         "ON CONFLICT (columns)"},
    };
    ASSERT_REFUSED(refusals);
}

static void nothing_may_follow_a_statement(void **state) {
    (void)state;
    static const refusal refusals[] = {
        {"SELECT 1; SELECT 2", NQ_SQL_SYNTAX, 1, 11, "at \"SELECT\"; expected the end"},
        {"SELECT 1;;", NQ_SQL_SYNTAX, 1, 10, "at \";\""},
        {"SELECT a FROM t ORDER BY a DESC LIMIT 5 nonsense", NQ_SQL_SYNTAX, 1, 41, "nonsense"},
        {"DELETE FROM t WHERE a = 1 b = 2", NQ_SQL_SYNTAX, 1, 27, "at \"b\""},
        {"COMMIT AND CHAIN", NQ_SQL_SYNTAX, 1, 8, "at \"AND\""},
        {"TRUNCATE t now", NQ_SQL_SYNTAX, 1, 12, "at \"now\""},
    };
    ASSERT_REFUSED(refusals);
}

static void what_is_not_supported_is_refused_by_name(void **state) {
    (void)state;
    static const refusal refusals[] = {
        {"ALTER TABLE t ADD a int", NQ_FEATURE_UNSUPPORTED, 1, 1, "ALTER"},
        {"CREATE INDEX i ON t (a)", NQ_FEATURE_UNSUPPORTED, 1, 8, "INDEX"},
        {"CREATE UNIQUE INDEX i ON t (a)", NQ_FEATURE_UNSUPPORTED, 1, 8, "UNIQUE"},
        {"CREATE VIEW v AS SELECT 1", NQ_FEATURE_UNSUPPORTED, 1, 8, "VIEW"},
        {"CREATE TEMP TABLE t (a int)", NQ_FEATURE_UNSUPPORTED, 1, 8, "TEMP"},
        {"CREATE TABLE t AS SELECT 1", NQ_FEATURE_UNSUPPORTED, 1, 16, "CREATE TABLE AS"},
        {"CREATE TABLE t (a int UNIQUE)", NQ_FEATURE_UNSUPPORTED, 1, 23, "UNIQUE"},
        {"CREATE TABLE t (a int, UNIQUE (a))", NQ_FEATURE_UNSUPPORTED, 1, 24, "UNIQUE"},
        {"CREATE TABLE t (a int REFERENCES u)", NQ_FEATURE_UNSUPPORTED, 1, 23, "REFERENCES"},
        {"CREATE TABLE t (a int, FOREIGN KEY (a) REFERENCES u)", NQ_FEATURE_UNSUPPORTED, 1, 24,
         "FOREIGN"},
        {"CREATE TABLE t (a int GENERATED ALWAYS AS (1 + 2) STORED)", NQ_FEATURE_UNSUPPORTED, 1, 40,
         "a generated column"},
        {"CREATE TABLE t (a decimal(10, 2))", NQ_FEATURE_UNSUPPORTED, 1, 19, "decimal"},
        {"CREATE TABLE t (a numeric)", NQ_FEATURE_UNSUPPORTED, 1, 19, "numeric"},
        {"CREATE TABLE t (a timestamp with time zone)", NQ_FEATURE_UNSUPPORTED, 1, 29, "TIME ZONE"},
        {"CREATE TABLE t (a timestamp(3))", NQ_FEATURE_UNSUPPORTED, 1, 19, "precision"},
        {"CREATE TABLE t (a jsonb)", NQ_FEATURE_UNSUPPORTED, 1, 19, "jsonb"},
        {"SELECT INTERVAL '1 day'", NQ_FEATURE_UNSUPPORTED, 1, 8, "interval"},
        {"SELECT sum(a) OVER (PARTITION BY b) FROM t", NQ_FEATURE_UNSUPPORTED, 1, 15, "OVER"},
        {"SELECT string_agg(a ORDER BY b) FROM t", NQ_FEATURE_UNSUPPORTED, 1, 21,
         "ORDER BY inside"},
        {"SELECT DISTINCT ON (a) b FROM t", NQ_FEATURE_UNSUPPORTED, 1, 17, "DISTINCT ON"},
        {"SELECT a FROM t FOR UPDATE", NQ_FEATURE_UNSUPPORTED, 1, 17, "FOR"},
        {"SELECT a COLLATE \"C\" FROM t", NQ_FEATURE_UNSUPPORTED, 1, 10, "COLLATE"},
        {"SELECT a ~ 'x' FROM t", NQ_FEATURE_UNSUPPORTED, 1, 10, "~"},
        {"SELECT a -> 'x' FROM t", NQ_FEATURE_UNSUPPORTED, 1, 10, "->"},
        {"SELECT a[1] FROM t", NQ_FEATURE_UNSUPPORTED, 1, 9, "["},
        {"SELECT ARRAY[1]", NQ_FEATURE_UNSUPPORTED, 1, 8, "ARRAY"},
        {"SELECT a = ANY (SELECT 1)", NQ_FEATURE_UNSUPPORTED, 1, 12, "ANY"},
        {"SELECT (1, 2) = (3, 4)", NQ_FEATURE_UNSUPPORTED, 1, 8, "a row of values"},
        {"SELECT * FROM t, LATERAL (SELECT 1) x", NQ_FEATURE_UNSUPPORTED, 1, 18, "LATERAL"},
        {"SELECT * FROM s.t", NQ_FEATURE_UNSUPPORTED, 1, 16, "a schema name"},
        {"SELECT * FROM t TABLESAMPLE SYSTEM (1)", NQ_FEATURE_UNSUPPORTED, 1, 17, "TABLESAMPLE"},
        {"WITH RECURSIVE a AS (SELECT 1) SELECT 1", NQ_FEATURE_UNSUPPORTED, 1, 6, "RECURSIVE"},
        {"UPDATE t SET a = 1 FROM u", NQ_FEATURE_UNSUPPORTED, 1, 20, "UPDATE .. FROM"},
        {"UPDATE t SET (a, b) = (1, 2)", NQ_FEATURE_UNSUPPORTED, 1, 23, "a row of values"},
        {"DELETE FROM t USING u", NQ_FEATURE_UNSUPPORTED, 1, 15, "DELETE .. USING"},
        {"MERGE INTO t USING u ON TRUE", NQ_FEATURE_UNSUPPORTED, 1, 1, "MERGE"},
        {"GRANT SELECT ON t TO u", NQ_FEATURE_UNSUPPORTED, 1, 1, "GRANT"},
        {"PREPARE p AS SELECT 1", NQ_FEATURE_UNSUPPORTED, 1, 1, "PREPARE"},
        {"COPY t FROM STDIN", NQ_FEATURE_UNSUPPORTED, 1, 1, "COPY"},
        {"VACUUM", NQ_FEATURE_UNSUPPORTED, 1, 1, "VACUUM"},
        {"SHOW tables", NQ_FEATURE_UNSUPPORTED, 1, 1, "SHOW"},
        {"EXPLAIN DROP TABLE t", NQ_FEATURE_UNSUPPORTED, 1, 9, "EXPLAIN is for"},
        {"SELECT U&'x'", NQ_FEATURE_UNSUPPORTED, 1, 8, "U&"},
    };
    ASSERT_REFUSED(refusals);
}

static void malformed_tokens_are_refused_where_they_start(void **state) {
    (void)state;
    static const refusal refusals[] = {
        {"SELECT 'abc", NQ_SQL_SYNTAX, 1, 8, "string is never closed"},
        {"SELECT \"abc", NQ_SQL_SYNTAX, 1, 8, "name is never closed"},
        {"SELECT \"\"", NQ_SQL_SYNTAX, 1, 8, "empty"},
        {"SELECT E'abc\\'", NQ_SQL_SYNTAX, 1, 8, "never closed"},
        {"SELECT $a$ b $b$", NQ_SQL_SYNTAX, 1, 8, "never closed"},
        {"SELECT /* a /* b */", NQ_SQL_SYNTAX, 1, 8, "comment is never closed"},
        {"SELECT 1a", NQ_SQL_SYNTAX, 1, 8, "letters follow"},
        {"SELECT 1.5e", NQ_SQL_SYNTAX, 1, 8, "exponent"},
        {"SELECT 0x", NQ_SQL_SYNTAX, 1, 8, "0x"},
        {"SELECT 0xZZ", NQ_SQL_SYNTAX, 1, 8, "0x"},
        {"SELECT $1a", NQ_SQL_SYNTAX, 1, 8, "letters follow"},
        {"SELECT $0", NQ_SQL_SYNTAX, 1, 8, "numbered from $1"},
        {"SELECT ?", NQ_SQL_SYNTAX, 1, 8, "unexpected character"},
        {"SELECT a @ b", NQ_SQL_SYNTAX, 1, 10, "unexpected character"},
        {"SELECT X'0'", NQ_INVALID_TEXT_VALUE, 1, 8, "even number"},
        {"SELECT X'zz'", NQ_INVALID_TEXT_VALUE, 1, 8, "hexadecimal"},
        {"SELECT E'ab\\u12'", NQ_INVALID_ESCAPE, 1, 12, "\\u"},
        {"SELECT E'\\x00'", NQ_INVALID_ESCAPE, 1, 10, "U+0000"},
        {"SELECT E'\\xff'", NQ_INVALID_ESCAPE, 1, 10, "\\x"},
        {"SELECT E'\\ud800'", NQ_INVALID_ESCAPE, 1, 10, "\\u"},
        {"SELECT 1::nothing", NQ_UNKNOWN_TYPE, 1, 11, "nothing"},
        {"SELECT 1::serial", NQ_UNKNOWN_TYPE, 1, 11, "serial"},
        {"SELECT 'x'::varchar(0)", NQ_INVALID_ARGUMENT, 1, 13, "length"},
        {"SELECT 1::int(4)", NQ_SQL_SYNTAX, 1, 11, "takes no such argument"},
        {"SELECT $1, :a", NQ_SQL_SYNTAX, 1, 12, "not both"},
    };
    ASSERT_REFUSED(refusals);
}

static void numbers_that_fit_no_type_are_refused(void **state) {
    (void)state;
    static const refusal refusals[] = {
        {"SELECT 9223372036854775808", NQ_NUMBER_OUT_OF_RANGE, 1, 8, "bigint"},
        {"SELECT -9223372036854775809", NQ_NUMBER_OUT_OF_RANGE, 1, 9, "bigint"},
        {"SELECT 1 - 9223372036854775808", NQ_NUMBER_OUT_OF_RANGE, 1, 12, "bigint"},
        {"SELECT -(9223372036854775808)", NQ_NUMBER_OUT_OF_RANGE, 1, 10, "bigint"},
        {"SELECT 99999999999999999999999", NQ_NUMBER_OUT_OF_RANGE, 1, 8, "bigint"},
        {"SELECT 1e400", NQ_NUMBER_OUT_OF_RANGE, 1, 8, "double"},
        {"SELECT $65536", NQ_LIMIT_EXCEEDED, 1, 8, "65535"},
    };
    ASSERT_REFUSED(refusals);
}

static void definitions_that_contradict_themselves_are_refused(void **state) {
    (void)state;
    static const refusal refusals[] = {
        {"CREATE TABLE t (a int NULL NOT NULL)", NQ_INVALID_DEFINITION, 1, 32, "both"},
        {"CREATE TABLE t (a int DEFAULT 1 DEFAULT 2)", NQ_SQL_SYNTAX, 1, 33,
         "DEFAULT is given twice"},
        {"CREATE TABLE t (a int PRIMARY KEY PRIMARY KEY)", NQ_SQL_SYNTAX, 1, 35, "twice"},
        {"CREATE TABLE t (a serial AUTO_INCREMENT)", NQ_SQL_SYNTAX, 1, 26, "twice"},
        {"CREATE TABLE t (a int, PRIMARY KEY (a), PRIMARY KEY (a))", NQ_INVALID_DEFINITION, 1, 41,
         "one primary key"},
    };
    ASSERT_REFUSED(refusals);
}

static void text_must_be_utf8_without_zeros(void **state) {
    (void)state;
    fixture f;
    fixture_init(&f);
    nq_ast_statement *statement;
    static const char zero[] = "SELECT 'a\0b'";
    assert_int_equal(nq_parse(&f.ctx, &f.arena, nq_bytes_of(zero, sizeof(zero) - 1), &statement),
                     NQ_INVALID_UTF8);
    assert_int_equal(f.ctx.error.position.column, 10);
    static const char *const broken[] = {"SELECT '\xff'", "SELECT '\xc0\x80'",
                                         "SELECT '\xed\xa0\x80'", "SELECT '\xf5\x80\x80\x80'",
                                         "SELECT '\xe2\x82"};
    for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
        assert_int_equal(nq_parse(&f.ctx, &f.arena, nq_bytes_of_cstr(broken[i]), &statement),
                         NQ_INVALID_UTF8);
        assert_int_equal(f.ctx.error.position.offset, 8);
    }
    fixture_deinit(&f);
}

/* ---- Limits ---- */

static nq_status parse_repeated(const char *before, const char *each, uint32_t count,
                                const char *after, uint32_t after_count) {
    static char sql[NQ_SQL_BYTES_MAX];
    size_t size = 0;
    size += (size_t)snprintf(sql, sizeof(sql), "%s", before);
    size_t each_size = strlen(each), after_size = strlen(after);
    for (uint32_t i = 0; i < count; i++, size += each_size) {
        memcpy(sql + size, each, each_size);
    }
    for (uint32_t i = 0; i < after_count; i++, size += after_size) {
        memcpy(sql + size, after, after_size);
    }
    fixture f;
    fixture_init(&f);
    nq_ast_statement *statement;
    nq_status status = nq_parse(&f.ctx, &f.arena, nq_bytes_of(sql, size), &statement);
    fixture_deinit(&f);
    return status;
}

static void nesting_is_bounded_however_it_is_written(void **state) {
    (void)state;
    static const struct {
        const char *before, *each, *after;
        uint32_t after_count;
    } shapes[] = {
        {"SELECT ", "(", "", 0},
        {"SELECT ", "- ", "a", 1},
        {"SELECT ", "NOT ", "a", 1},
        {"SELECT a", " + a", "", 0},
        {"SELECT a", " || a", "", 0},
        {"SELECT ", "CASE WHEN ", "", 0},
        {"SELECT ", "f(", "", 0},
        {"SELECT ", "(SELECT ", "", 0},
        {"SELECT 1 FROM ", "(SELECT 1 FROM ", "", 0},
        {"SELECT a", "::int", "", 0},
        {"SELECT 1", " UNION SELECT 1", "", 0},
        {"SELECT * FROM a", " CROSS JOIN a", "", 0},
        {"SELECT 1 WHERE a IN ", "(SELECT 1 WHERE a IN ", "", 0},
    };
    for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
        nq_status status = parse_repeated(shapes[i].before, shapes[i].each, 40000, shapes[i].after,
                                          shapes[i].after_count);
        if (status != NQ_STATEMENT_TOO_COMPLEX) {
            fail_msg("%s%s..: %s", shapes[i].before, shapes[i].each, nq_status_name(status));
        }
    }
    assert_int_equal(parse_repeated("SELECT a", " + a", 900, "", 0), NQ_OK);
    assert_int_equal(parse_repeated("SELECT a", " AND a", 40000, "", 0), NQ_OK);
}

static void sizes_are_bounded(void **state) {
    (void)state;
    assert_int_equal(parse_repeated("SELECT 1", ", 1", 1599, "", 0), NQ_OK);
    assert_int_equal(parse_repeated("SELECT 1", ", 1", 1600, "", 0), NQ_LIMIT_EXCEEDED);
    assert_int_equal(parse_repeated("VALUES (1", ", 1", 1600, ")", 1), NQ_LIMIT_EXCEEDED);
    assert_int_equal(parse_repeated("CREATE TABLE t (a int", ", a int", 1600, ")", 1),
                     NQ_LIMIT_EXCEEDED);
    assert_int_equal(parse_repeated("SELECT ", "a", 63, "", 0), NQ_OK);
    assert_int_equal(parse_repeated("SELECT ", "a", 64, "", 0), NQ_NAME_TOO_LONG);
    assert_int_equal(parse_repeated("VALUES (1)", ", (1)", 100000, "", 0), NQ_OK);
    fixture f;
    fixture_init(&f);
    static char big[NQ_SQL_BYTES_MAX + 1];
    memset(big, ' ', sizeof(big));
    nq_ast_statement *statement;
    assert_int_equal(nq_parse(&f.ctx, &f.arena, nq_bytes_of(big, sizeof(big)), &statement),
                     NQ_LIMIT_EXCEEDED);
    fixture_deinit(&f);
}

static void memory_is_bounded_by_the_arena(void **state) {
    (void)state;
    for (size_t budget = 1; budget < 40000; budget = budget * 3 / 2 + 1) {
        fixture f;
        nq_arena_init(&f.arena, budget);
        nq_ctx_init(&f.ctx, &f.arena);
        nq_ast_statement *statement;
        nq_bytes text;
        nq_status status =
            nq_parse(&f.ctx, &f.arena,
                     NQ_BYTES_LITERAL(
                         "INSERT INTO t (A, b) SELECT E'a\\n', $1 + count(DISTINCT x) FROM u JOIN "
                         "(VALUES (1, X'00')) v (c, d) USING (c) WHERE x IN (1, 2) RETURNING *"),
                     &statement);
        if (status == NQ_OK) {
            status = nq_ast_print(&f.ctx, &f.arena, statement, &text);
        }
        assert_true(status == NQ_OK || status == NQ_MEMORY_LIMIT);
        fixture_deinit(&f);
    }
}

/* ---- The caret ---- */

static void assert_caret(const char *sql, uint32_t offset, const char *want) {
    char text[300];
    nq_bytes bytes = nq_bytes_of_cstr(sql);
    size_t size = nq_sql_caret(bytes, nq_sql_position(bytes, offset), text, sizeof(text));
    assert_string_equal(text, want);
    assert_int_equal(size, strlen(want));
}

static void the_caret_stands_under_the_place(void **state) {
    (void)state;
    assert_caret("SELECT a FORM t", 9, "LINE 1: SELECT a FORM t\n                 ^");
    assert_caret("SELECT\n\ta\nFROM t", 8, "LINE 2:  a\n         ^");
    assert_caret("x\ny", 3, "LINE 2: y\n         ^");
    assert_caret("", 0, "LINE 1: \n        ^");
    assert_caret("\303\244\303\266\303\274 x", 7,
                 "LINE 1: \303\244\303\266\303\274 x\n            ^");
    char sql[301], text[200];
    memset(sql, 'a', 300);
    sql[300] = '\0';
    nq_bytes bytes = nq_bytes_of_cstr(sql);
    size_t size = nq_sql_caret(bytes, nq_sql_position(bytes, 150), text, sizeof(text));
    assert_in_range(size, 100, sizeof(text));
    assert_non_null(strstr(text, "LINE 1: ...aaa"));
    assert_non_null(strstr(text, "aaa...\n"));
    size = nq_sql_caret(nq_bytes_of_cstr("\303\244\303\244\303\244"), (nq_position){0, 1, 1}, text,
                        12);
    assert_int_equal(size, 10); /* whole characters only */
    assert_int_equal(nq_sql_caret(bytes, (nq_position){0, 1, 1}, text, 0), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(syntax_errors_name_the_token_and_what_was_expected),
        cmocka_unit_test(nothing_may_follow_a_statement),
        cmocka_unit_test(what_is_not_supported_is_refused_by_name),
        cmocka_unit_test(malformed_tokens_are_refused_where_they_start),
        cmocka_unit_test(numbers_that_fit_no_type_are_refused),
        cmocka_unit_test(definitions_that_contradict_themselves_are_refused),
        cmocka_unit_test(text_must_be_utf8_without_zeros),
        cmocka_unit_test(nesting_is_bounded_however_it_is_written),
        cmocka_unit_test(sizes_are_bounded),
        cmocka_unit_test(memory_is_bounded_by_the_arena),
        cmocka_unit_test(the_caret_stands_under_the_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
