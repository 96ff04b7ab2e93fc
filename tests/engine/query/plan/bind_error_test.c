/* Bind errors: every way names and types can be wrong, with code, place and words. */
#include "tests/engine/query/plan/fixture.h"

typedef struct refusal {
    const char *sql;
    nq_status code;
    uint32_t column;
    const char *words;
} refusal;

static void make_tables(nq_session *s) {
    run(s, "CREATE TABLE t (id INT PRIMARY KEY, a INT, b TEXT, c BOOLEAN)");
    run(s, "CREATE TABLE u (id INT PRIMARY KEY, a INT)");
    run(s, "CREATE TABLE g (id INT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, x INT)");
}

static void assert_all_refused(nq_session *s, const refusal *refusals, size_t count) {
    make_tables(s);
    for (size_t i = 0; i < count; i++) {
        assert_refused(s, refusals[i].sql, refusals[i].code, refusals[i].column, refusals[i].words);
    }
}

#define ASSERT_REFUSED(s, refusals) \
    assert_all_refused(s, refusals, sizeof(refusals) / sizeof((refusals)[0]))

static void names_must_mean_one_thing(void **state) {
    static const refusal refusals[] = {
        {"SELECT * FROM nope", NQ_TABLE_NOT_FOUND, 15, "\"nope\""},
        {"SELECT nope FROM t", NQ_UNKNOWN_COLUMN, 8, "\"nope\""},
        {"SELECT x.a FROM t", NQ_TABLE_NOT_FOUND, 8, "\"x\""},
        {"SELECT t.a FROM t AS x", NQ_TABLE_NOT_FOUND, 8, "\"t\""},
        {"SELECT a FROM t, u", NQ_AMBIGUOUS_COLUMN, 8, "ambiguous"},
        {"SELECT 1 FROM t, t", NQ_DUPLICATE_ALIAS, 18, "twice"},
        {"SELECT 1 FROM t x JOIN u x ON TRUE", NQ_DUPLICATE_ALIAS, 19, "twice"},
        {"SELECT a", NQ_UNKNOWN_COLUMN, 8, "no columns"},
        {"SELECT *", NQ_SQL_SYNTAX, 8, "FROM"},
        {"SELECT x.* FROM t", NQ_TABLE_NOT_FOUND, 8, "\"x\""},
        {"SELECT * FROM t JOIN u USING (b)", NQ_UNKNOWN_COLUMN, 31, "right"},
        {"SELECT * FROM t JOIN u ON v.a = 1", NQ_TABLE_NOT_FOUND, 27, "\"v\""},
        {"SELECT * FROM (SELECT 1)", NQ_SQL_SYNTAX, 16, "needs a name"},
        {"SELECT * FROM (SELECT 1) x (a, b)", NQ_INVALID_COLUMN_REFERENCE, 26, "1 columns"},
        {"SELECT a FROM t WHERE t.id = (SELECT max(u.id) FROM u WHERE u.a = t.nope)",
         NQ_UNKNOWN_COLUMN, 67, "\"nope\""},
        {"SELECT * FROM now()", NQ_UNKNOWN_FUNCTION, 15, "generate_series"},
        {"SELECT a AS x, b AS x FROM t ORDER BY x", NQ_AMBIGUOUS_COLUMN, 39, "ambiguous"},
        {"WITH x AS (SELECT 1), x AS (SELECT 2) SELECT * FROM x", NQ_DUPLICATE_ALIAS, 23, "twice"},
        {"DROP TABLE nope", NQ_TABLE_NOT_FOUND, 12, "\"nope\""},
        {"TRUNCATE nope", NQ_TABLE_NOT_FOUND, 10, "\"nope\""},
    };
    ASSERT_REFUSED(*state, refusals);
}

static void types_must_fit_their_places(void **state) {
    static const refusal refusals[] = {
        {"SELECT a FROM t WHERE a", NQ_TYPE_MISMATCH, 23, "boolean"},
        {"SELECT a FROM t WHERE a = b", NQ_UNKNOWN_FUNCTION, 25, "integer = text"},
        {"SELECT a FROM t WHERE a = 'x'", NQ_INVALID_TEXT_VALUE, 27, "\"x\""},
        {"SELECT lower(a) FROM t", NQ_UNKNOWN_FUNCTION, 8, "lower(integer)"},
        {"SELECT nope(1)", NQ_UNKNOWN_FUNCTION, 8, "nope"},
        {"SELECT CASE WHEN c THEN 1 ELSE b END FROM t", NQ_TYPE_MISMATCH, 8, "CASE"},
        {"SELECT 1 UNION SELECT TRUE", NQ_TYPE_MISMATCH, 16, "UNION"},
        {"SELECT 1, 2 UNION SELECT 3", NQ_SQL_SYNTAX, 19, "number of columns"},
        {"SELECT a IN (1, TRUE) FROM t", NQ_TYPE_MISMATCH, 10, "IN"},
        {"SELECT 1 LIMIT 'x'", NQ_INVALID_TEXT_VALUE, 16, "\"x\""},
        {"SELECT 1 LIMIT -1", NQ_INVALID_LIMIT, 16, "negative"},
        {"SELECT a FROM t LIMIT a", NQ_UNKNOWN_COLUMN, 23, "LIMIT"},
        {"SELECT CAST(TRUE AS date)", NQ_TYPE_MISMATCH, 8, "cannot be cast"},
        {"SELECT (SELECT 1, 2)", NQ_SQL_SYNTAX, 9, "one column"},
        {"SELECT a IN (SELECT 1, 2) FROM t", NQ_SQL_SYNTAX, 10, "one column"},
        {"SELECT date '2024-02-30'", NQ_DATETIME_OUT_OF_RANGE, 13, "2024-02-30"},
        {"SELECT a FROM t ORDER BY 2", NQ_INVALID_COLUMN_REFERENCE, 26, "position 2"},
        {"SELECT a FROM t ORDER BY 'x'", NQ_SQL_SYNTAX, 26, "orders nothing"},
        {"SELECT a FROM t GROUP BY 3", NQ_INVALID_COLUMN_REFERENCE, 26, "position 3"},
        {"VALUES (1) ORDER BY column1 + 1", NQ_FEATURE_UNSUPPORTED, 29, "ORDER BY"},
    };
    ASSERT_REFUSED(*state, refusals);
}

static void aggregates_stand_where_groups_are(void **state) {
    static const refusal refusals[] = {
        {"SELECT a, count(*) FROM t", NQ_GROUPING_ERROR, 8, "\"a\""},
        {"SELECT * FROM t GROUP BY a", NQ_GROUPING_ERROR, 8, "\"id\""},
        {"SELECT a FROM t GROUP BY b", NQ_GROUPING_ERROR, 8, "\"a\""},
        {"SELECT a + 1 FROM t GROUP BY a + 2", NQ_GROUPING_ERROR, 8, "\"a\""},
        {"SELECT a FROM t GROUP BY a HAVING b = 'x'", NQ_GROUPING_ERROR, 35, "\"b\""},
        {"SELECT a FROM t GROUP BY a ORDER BY b", NQ_GROUPING_ERROR, 37, "\"b\""},
        {"SELECT a FROM t HAVING a > 1", NQ_GROUPING_ERROR, 8, "\"a\""},
        {"SELECT a FROM t WHERE count(*) > 1", NQ_GROUPING_ERROR, 23, "WHERE"},
        {"SELECT 1 FROM t JOIN u ON count(*) > 1", NQ_GROUPING_ERROR, 27, "JOIN"},
        {"SELECT a FROM t GROUP BY count(*)", NQ_GROUPING_ERROR, 26, "GROUP BY"},
        {"SELECT count(*) AS x FROM t GROUP BY x", NQ_GROUPING_ERROR, 38, "GROUP BY"},
        {"SELECT sum(count(*)) FROM t", NQ_GROUPING_ERROR, 12, "another"},
        {"SELECT sum(*) FROM t", NQ_UNKNOWN_FUNCTION, 8, "only count"},
        {"SELECT count() FROM t", NQ_UNKNOWN_FUNCTION, 8, "count(*)"},
        {"SELECT lower(DISTINCT b) FROM t", NQ_UNKNOWN_FUNCTION, 8, "DISTINCT"},
        {"SELECT lower(b) FILTER (WHERE c) FROM t", NQ_UNKNOWN_FUNCTION, 8, "FILTER"},
        {"SELECT DISTINCT a FROM t ORDER BY b", NQ_INVALID_COLUMN_REFERENCE, 35, "DISTINCT"},
        {"UPDATE t SET a = count(*)", NQ_GROUPING_ERROR, 18, "UPDATE"},
        {"INSERT INTO t (id) VALUES (count(*))", NQ_GROUPING_ERROR, 28, "VALUES"},
    };
    ASSERT_REFUSED(*state, refusals);
}

static void writes_must_fit_their_table(void **state) {
    static const refusal refusals[] = {
        {"INSERT INTO t (id, nope) VALUES (1, 2)", NQ_UNKNOWN_COLUMN, 20, "\"nope\""},
        {"INSERT INTO t (id, id) VALUES (1, 2)", NQ_DUPLICATE_COLUMN, 20, "twice"},
        {"INSERT INTO t (id) VALUES (1, 2)", NQ_SQL_SYNTAX, 27, "more values"},
        {"INSERT INTO t (id, a) VALUES (1)", NQ_SQL_SYNTAX, 30, "fewer values"},
        {"INSERT INTO t VALUES (1, 2, 'x', TRUE, 5)", NQ_SQL_SYNTAX, 22, "more values"},
        {"INSERT INTO t (id, a) VALUES (1, TRUE)", NQ_TYPE_MISMATCH, 34, "column \"a\""},
        {"INSERT INTO t (id, a) VALUES (1, 'x')", NQ_INVALID_TEXT_VALUE, 34, "\"x\""},
        {"INSERT INTO t (id, c) SELECT 1, 2", NQ_TYPE_MISMATCH, 23, "column \"c\""},
        {"INSERT INTO g (id) VALUES (1)", NQ_INVALID_COLUMN_REFERENCE, 28, "GENERATED ALWAYS"},
        {"INSERT INTO t VALUES (1) ON CONFLICT (a) DO NOTHING", NQ_INVALID_COLUMN_REFERENCE, 26,
         "primary key"},
        {"INSERT INTO t VALUES (1) ON CONFLICT (id) DO UPDATE SET a = x.a", NQ_TABLE_NOT_FOUND, 61,
         "\"x\""},
        {"INSERT INTO t VALUES (1) RETURNING nope", NQ_UNKNOWN_COLUMN, 36, "\"nope\""},
        {"UPDATE t SET nope = 1", NQ_UNKNOWN_COLUMN, 14, "\"nope\""},
        {"UPDATE t SET a = 1, a = 2", NQ_DUPLICATE_COLUMN, 21, "twice"},
        {"UPDATE t SET a = b", NQ_TYPE_MISMATCH, 18, "column \"a\""},
        {"UPDATE g SET id = 5", NQ_INVALID_COLUMN_REFERENCE, 19, "GENERATED ALWAYS"},
        {"SELECT DEFAULT", NQ_SQL_SYNTAX, 8, "DEFAULT"},
        {"VALUES (DEFAULT)", NQ_SQL_SYNTAX, 9, "DEFAULT"},
    };
    ASSERT_REFUSED(*state, refusals);
}

static void definitions_must_make_sense(void **state) {
    static const refusal refusals[] = {
        {"CREATE TABLE x (a INT, a INT)", NQ_DUPLICATE_COLUMN, 24, "twice"},
        {"CREATE TABLE x (a INT PRIMARY KEY, b INT PRIMARY KEY)", NQ_INVALID_DEFINITION, 42,
         "one primary key"},
        {"CREATE TABLE x (a INT, PRIMARY KEY (b))", NQ_UNKNOWN_COLUMN, 37, "\"b\""},
        {"CREATE TABLE x (a INT, PRIMARY KEY (a, a))", NQ_DUPLICATE_COLUMN, 40, "twice"},
        {"CREATE TABLE x (a INT NULL PRIMARY KEY)", NQ_INVALID_DEFINITION, 17, "NULL"},
        {"CREATE TABLE x (a TEXT AUTO_INCREMENT)", NQ_INVALID_DEFINITION, 24, "integer"},
        {"CREATE TABLE x (a SERIAL DEFAULT 1)", NQ_INVALID_DEFINITION, 19, "DEFAULT"},
        {"CREATE TABLE x (a INT DEFAULT 'x')", NQ_INVALID_TEXT_VALUE, 31, "\"x\""},
        {"CREATE TABLE x (a INT DEFAULT b)", NQ_UNKNOWN_COLUMN, 31, "DEFAULT"},
        {"CREATE TABLE x (a INT DEFAULT (SELECT 1))", NQ_FEATURE_UNSUPPORTED, 32, "DEFAULT"},
        {"CREATE TABLE x (a INT CHECK (b > 1))", NQ_UNKNOWN_COLUMN, 30, "\"b\""},
        {"CREATE TABLE x (a INT CHECK (a))", NQ_TYPE_MISMATCH, 30, "boolean"},
        {"CREATE TABLE x (a INT CHECK (count(*) > 1))", NQ_GROUPING_ERROR, 30, "CHECK"},
        {"CREATE TABLE x (a INT CHECK (EXISTS (SELECT 1)))", NQ_FEATURE_UNSUPPORTED, 30, "CHECK"},
        {"CREATE TABLE x (a INT, CONSTRAINT c CHECK (a > 1), CONSTRAINT c CHECK (a > 2))",
         NQ_INVALID_DEFINITION, 63, "twice"},
    };
    ASSERT_REFUSED(*state, refusals);
}

/* before, then `count` times each (its %d replaced by the number), then after. */
static nq_status run_repeated(nq_session *s, const char *before, const char *each, int count,
                              const char *after) {
    static char sql[1 << 20];
    size_t size = (size_t)snprintf(sql, sizeof(sql), "%s", before);
    for (int i = 0; i < count; i++) {
        size += (size_t)snprintf(sql + size, sizeof(sql) - size, each, i, i);
    }
    size += (size_t)snprintf(sql + size, sizeof(sql) - size, "%s", after);
    return session_run(s, nq_bytes_of(sql, size), NULL, 0, NULL, NULL, NULL);
}

static void what_would_explode_is_bounded(void **state) {
    nq_session *s = *state;
    make_tables(s);
    assert_int_equal(run_repeated(s, "SELECT count(*) FROM t t0", ", t x%d", 63, ""), NQ_OK);
    assert_int_equal(run_repeated(s, "SELECT count(*) FROM t t0", ", t x%d", 64, ""),
                     NQ_LIMIT_EXCEEDED);
    assert_int_equal(run_repeated(s, "SELECT 1 FROM t GROUP BY id", ", a + %d", 2000, ""),
                     NQ_LIMIT_EXCEEDED);
    assert_int_equal(run_repeated(s, "SELECT 1 FROM t ORDER BY id", ", a + %d", 2000, ""),
                     NQ_LIMIT_EXCEEDED);
    assert_int_equal(
        run_repeated(s, "SELECT 1 FROM t HAVING TRUE", " AND sum(a + %d) > 0", 2000, ""),
        NQ_LIMIT_EXCEEDED);
    assert_int_equal(run_repeated(s, "SELECT TRUE", " OR %d IN (SELECT 1)", 20000, ""),
                     NQ_STATEMENT_TOO_COMPLEX);
    /* Each WITH query uses the one before it twice. */
    assert_int_equal(run_repeated(s, "WITH w AS (SELECT 1)", ", w AS (SELECT 1)", 1, " SELECT 1"),
                     NQ_DUPLICATE_ALIAS);
    char sql[4000];
    size_t size = (size_t)snprintf(sql, sizeof(sql), "WITH w0 AS (SELECT 1 AS a)");
    for (int i = 1; i < 40; i++) {
        size += (size_t)snprintf(sql + size, sizeof(sql) - size,
                                 ", w%d AS (SELECT x.a FROM w%d x, w%d y)", i, i - 1, i - 1);
    }
    size += (size_t)snprintf(sql + size, sizeof(sql) - size, " SELECT count(*) FROM w39");
    assert_int_equal(session_run(s, nq_bytes_of(sql, size), NULL, 0, NULL, NULL, NULL),
                     NQ_STATEMENT_TOO_COMPLEX);
    assert_int_equal(run_repeated(s, "SELECT 1", " IN (SELECT 1", 10, "))))))))))"),
                     NQ_STATEMENT_TOO_COMPLEX);
    /* Many conditions over many tables are slow in no dimension. */
    assert_int_equal(
        run_repeated(s, "SELECT count(*) FROM t t0, t t1, t t2, t t3, t t4, t t5 WHERE TRUE",
                     " AND t0.a + t1.a + t2.a < t3.a + t4.a + t5.a + %d", 5000, ""),
        NQ_OK);
}

static void hints_say_what_to_do(void **state) {
    nq_session *s = *state;
    make_tables(s);
    run(s, "CREATE TABLE sensor (temperature INT)");
    assert_refused(s, "SELECT temprature FROM sensor", NQ_UNKNOWN_COLUMN, 8, "temprature");
    assert_non_null(strstr(s->ctx.error.hint, "\"temperature\""));
    assert_string_equal(s->ctx.error.object, "temprature");
    assert_refused(s, "SELECT a FROM t WHERE a", NQ_TYPE_MISMATCH, 23, "");
    assert_non_null(strstr(s->ctx.error.hint, "CAST"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        in_session(names_must_mean_one_thing),
        in_session(types_must_fit_their_places),
        in_session(aggregates_stand_where_groups_are),
        in_session(writes_must_fit_their_table),
        in_session(definitions_must_make_sense),
        in_session(what_would_explode_is_bounded),
        in_session(hints_say_what_to_do),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
