/* Regressions: what the predecessor got silently wrong, each by name. Here every one is either
 * right or refused; nothing is ever dropped without a word. */
#include "tests/engine/query/plan/fixture.h"

static void make_rows(nq_session *s) {
    run(s, "CREATE TABLE t (id INT PRIMARY KEY, a INT, b TEXT, c BOOLEAN)");
    run(s, "INSERT INTO t VALUES (1, 10, 'b', true), (2, 20, 'xylo', false), (3, 30, 'x%', NULL), "
           "(4, NULL, 'foxy', true), (5, 20, 'b', false)");
}

static void a_where_with_and_or_or_not_selects_only_its_rows(void **state) {
    nq_session *s = *state;
    make_rows(s);
    assert_rows(s, "SELECT id FROM t WHERE a = 20 AND b = 'b'", "5;");
    assert_rows(s, "SELECT id FROM t WHERE a = 10 OR b = 'foxy'", "1;4;");
    assert_rows(s, "SELECT id FROM t WHERE NOT a = 20", "1;3;");
    assert_rows(s, "SELECT id FROM t WHERE NOT (a = 20 AND b = 'b') AND id > 1", "2;3;4;");
    assert_rows(s, "SELECT id FROM t WHERE length(b) = 4", "2;4;");
    assert_rows(s, "SELECT id FROM t WHERE a BETWEEN 15 AND 25", "2;5;");
    assert_rows(s, "SELECT id FROM t WHERE b NOT LIKE 'x%'", "1;4;5;");
}

static void an_update_or_delete_touches_only_the_rows_of_its_where(void **state) {
    nq_session *s = *state;
    make_rows(s);
    assert_affects(s, "UPDATE t SET b = 'hit' WHERE a = 20 AND id > 2", 1);
    assert_rows(s, "SELECT id FROM t WHERE b = 'hit'", "5;");
    assert_affects(s, "DELETE FROM t WHERE a = 20 AND id > 2", 1);
    assert_affects(s, "DELETE FROM t WHERE a = 1 OR length(b) = 99", 0);
    assert_rows(s, "SELECT count(*) FROM t", "4;");
}

static void a_column_is_compared_with_a_column_and_not_with_its_name(void **state) {
    nq_session *s = *state;
    run(s, "CREATE TABLE p (id INT PRIMARY KEY, x TEXT, y TEXT)");
    run(s, "INSERT INTO p VALUES (1, 'y', 'q'), (2, 'same', 'same')");
    assert_rows(s, "SELECT id FROM p WHERE x = y", "2;");
}

static void an_update_may_compute_from_the_row(void **state) {
    nq_session *s = *state;
    make_rows(s);
    run(s, "UPDATE t SET a = a - 1, b = b || '!' WHERE id <= 2");
    assert_rows(s, "SELECT a, b FROM t WHERE id <= 2", "9|b!;19|xylo!;");
}

static void order_by_takes_directions_limits_and_every_key(void **state) {
    nq_session *s = *state;
    make_rows(s);
    assert_rows(s, "SELECT id FROM t ORDER BY id DESC LIMIT 2", "5;4;");
    assert_rows(s, "SELECT id FROM t ORDER BY a ASC LIMIT 1", "1;");
    assert_rows(s, "SELECT id FROM t ORDER BY a DESC NULLS LAST, id DESC", "3;5;2;1;4;");
    assert_rows(s, "SELECT id FROM t ORDER BY a, id DESC", "1;5;2;3;4;");
    assert_rows(s, "SELECT id FROM t ORDER BY id LIMIT 2 OFFSET 3", "4;5;");
    assert_refused(s, "SELECT id FROM t ORDER BY id DESC LIMIT 2 garbage", NQ_SQL_SYNTAX, 43,
                   "garbage");
}

static void distinct_offset_union_and_comma_joins_mean_what_they_say(void **state) {
    nq_session *s = *state;
    make_rows(s);
    assert_rows(s, "SELECT DISTINCT a FROM t ORDER BY a", "10;20;30;null;");
    assert_rows(s, "SELECT id FROM t ORDER BY id OFFSET 4", "5;");
    assert_rows(s, "SELECT a FROM t WHERE id < 3 UNION SELECT a FROM t WHERE id > 4 ORDER BY 1",
                "10;20;");
    assert_rows(s, "SELECT x.id, y.id FROM t x, t y WHERE x.a = y.a AND x.id < y.id", "2|5;");
    assert_rows(s, "SELECT count(*) FROM t x, t y", "25;");
}

static void like_is_a_pattern_and_not_a_substring(void **state) {
    nq_session *s = *state;
    make_rows(s);
    assert_rows(s, "SELECT id FROM t WHERE b LIKE 'x%' ORDER BY id", "2;3;");
    assert_rows(s, "SELECT id FROM t WHERE b LIKE 'x!%' ESCAPE '!'", "3;");
    assert_rows(s, "SELECT id FROM t WHERE b LIKE '%x%' ORDER BY id", "2;3;4;");
    assert_rows(s, "SELECT id FROM t WHERE b LIKE '_'", "1;5;");
}

static void a_select_needs_no_from(void **state) {
    nq_session *s = *state;
    assert_rows(s, "SELECT 1", "1;");
    assert_rows(s, "SELECT 1 + 1 AS two, 'it''s', TRUE AND NULL", "2|it's|null;");
    assert_rows(s, "SELECT 1 WHERE FALSE", "");
    assert_rows(s, "SELECT CURRENT_DATE = CURRENT_DATE", "true;");
}

static void windows_and_indexes_are_refused_rather_than_faked(void **state) {
    nq_session *s = *state;
    make_rows(s);
    assert_refused(s, "SELECT SUM(a) OVER (ORDER BY id) FROM t", NQ_FEATURE_UNSUPPORTED, 15,
                   "OVER");
    assert_refused(s, "CREATE INDEX i ON t (a)", NQ_FEATURE_UNSUPPORTED, 8, "INDEX");
    assert_refused(s, "CREATE TABLE u (a INT UNIQUE)", NQ_FEATURE_UNSUPPORTED, 23, "UNIQUE");
    assert_refused(s, "CREATE TABLE u (a INT REFERENCES t)", NQ_FEATURE_UNSUPPORTED, 23,
                   "REFERENCES");
    assert_refused(s, "CREATE TABLE u (a DECIMAL(10, 2))", NQ_FEATURE_UNSUPPORTED, 19, "decimal");
}

static void columns_keep_their_order_and_their_duplicates(void **state) {
    nq_session *s = *state;
    make_rows(s);
    assert_rows(s, "SELECT b, a, a, id AS a FROM t WHERE id = 1", "b|10|10|1;");
    assert_rows(s, "SELECT x.*, y.id FROM t x JOIN t y ON y.id = x.id + 1 WHERE x.id = 1",
                "1|10|b|true|2;");
}

static void unknown_is_not_true_and_not_false(void **state) {
    nq_session *s = *state;
    make_rows(s);
    assert_rows(s, "SELECT id FROM t WHERE c", "1;4;");
    assert_rows(s, "SELECT id FROM t WHERE NOT c", "2;5;");
    assert_rows(s, "SELECT id FROM t WHERE c IS UNKNOWN", "3;");
    assert_rows(s, "SELECT id FROM t WHERE a NOT IN (10, NULL)", "");
    assert_rows(s, "SELECT id FROM t WHERE a NOT IN (SELECT a FROM t WHERE id = 4)", "");
    assert_rows(s, "SELECT id FROM t WHERE a = NULL", "");
    assert_rows(s, "SELECT NULL OR TRUE, NULL AND FALSE, NOT NULL, NULL IS NULL",
                "true|false|null|true;");
}

static void division_by_zero_is_an_error_only_where_it_happens(void **state) {
    nq_session *s = *state;
    make_rows(s);
    assert_rows(s, "SELECT 7 / 2, -7 / 2, 7 % -2", "3|-3|1;");
    assert_rows(s, "SELECT CASE WHEN id > 0 THEN 1 ELSE 1 / 0 END FROM t WHERE id = 1", "1;");
    assert_rows(s, "SELECT id FROM t WHERE id = 1 AND (id = 1 OR 1 / (id - id) > 0)", "1;");
    assert_rows(s, "SELECT 1 / 0 FROM t WHERE FALSE", "");
    nq_status status =
        session_run(s, NQ_BYTES_LITERAL("SELECT 1 / (id - 1) FROM t"), NULL, 0, NULL, NULL, NULL);
    assert_int_equal(status, NQ_DIVISION_BY_ZERO);
}

static void a_missing_primary_key_invents_no_column(void **state) {
    nq_session *s = *state;
    run(s, "CREATE TABLE bare (x INT)");
    run(s, "INSERT INTO bare VALUES (1), (1)");
    assert_rows(s, "SELECT * FROM bare", "1;1;");
    assert_refused(s, "SELECT id FROM bare", NQ_UNKNOWN_COLUMN, 8, "\"id\"");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        in_session(a_where_with_and_or_or_not_selects_only_its_rows),
        in_session(an_update_or_delete_touches_only_the_rows_of_its_where),
        in_session(a_column_is_compared_with_a_column_and_not_with_its_name),
        in_session(an_update_may_compute_from_the_row),
        in_session(order_by_takes_directions_limits_and_every_key),
        in_session(distinct_offset_union_and_comma_joins_mean_what_they_say),
        in_session(like_is_a_pattern_and_not_a_substring),
        in_session(a_select_needs_no_from),
        in_session(windows_and_indexes_are_refused_rather_than_faked),
        in_session(columns_keep_their_order_and_their_duplicates),
        in_session(unknown_is_not_true_and_not_false),
        in_session(division_by_zero_is_an_error_only_where_it_happens),
        in_session(a_missing_primary_key_invents_no_column),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
