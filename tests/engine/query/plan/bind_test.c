/* Bind: types, names and parameters as callers see them. */
#include "tests/engine/query/plan/fixture.h"

static void describe(const nq_column_info *columns, uint32_t count, text_buffer *out) {
    out->size = 0;
    out->text[0] = '\0';
    for (uint32_t i = 0; i < count; i++) {
        add_text(out, "%s%.*s %s%s%s", i > 0 ? ", " : "", NQ_BYTES_FORMAT(columns[i].name),
                 nq_type_name(columns[i].type.id), columns[i].is_nullable ? "" : " not null",
                 columns[i].is_primary_key ? " key" : "");
    }
}

static void assert_described(nq_session *s, const char *sql, const char *columns,
                             const char *parameters) {
    static text_buffer have;
    nq_prepared *prepared = NULL;
    nq_arena_reset(&s->arena);
    if (nq_prepare(&s->ctx, s->database, NULL, nq_bytes_of_cstr(sql), &prepared) != NQ_OK) {
        fail_msg("%s: %s", sql, s->ctx.error.message);
    }
    describe(nq_prepared_columns(prepared), nq_prepared_column_count(prepared), &have);
    if (strcmp(have.text, columns) != 0) {
        fail_msg("%s\n  have: %s\n  want: %s", sql, have.text, columns);
    }
    describe(nq_prepared_parameters(prepared), nq_prepared_parameter_count(prepared), &have);
    if (strcmp(have.text, parameters) != 0) {
        fail_msg("%s\n  have: %s\n  want: %s", sql, have.text, parameters);
    }
    nq_prepared_release(prepared);
}

static void literals_take_the_narrowest_type_that_fits(void **state) {
    nq_session *s = *state;
    assert_described(s, "SELECT 1, 3000000000, 1.5, 'x', NULL, TRUE, X'00', date '2024-01-01'",
                     "?column? integer not null, ?column? bigint not null, "
                     "?column? double precision not null, ?column? text not null, ?column? text, "
                     "bool boolean not null, ?column? bytea not null, date date not null",
                     "");
    assert_described(s, "SELECT 1 + 1, 1 + 3000000000, 1 + 1.5, 7 / 2, 'a' || 1, -(1)",
                     "?column? integer not null, ?column? bigint not null, "
                     "?column? double precision not null, ?column? integer not null, "
                     "?column? text not null, ?column? integer not null",
                     "");
}

static void columns_are_named_as_postgresql_names_them(void **state) {
    nq_session *s = *state;
    run(s, "CREATE TABLE t (id INT PRIMARY KEY, a SMALLINT NOT NULL, b TEXT)");
    assert_described(s,
                     "SELECT id, t.a, b AS x, lower(b), CAST(a AS text), '1'::int, count(*) FROM t "
                     "GROUP BY id",
                     "id integer not null key, a smallint not null, x text, lower text, a text, "
                     "integer integer not null, count bigint",
                     "");
    assert_described(
        s,
        "SELECT CASE WHEN a > 1 THEN b END, (SELECT max(id) FROM t), EXISTS (SELECT 1), "
        "coalesce(b, '') FROM t",
        "case text, max integer, exists boolean, coalesce text", "");
    assert_described(s, "VALUES (1, 'x')", "column1 integer, column2 text", "");
    assert_described(s, "SELECT * FROM t x LEFT JOIN t y ON x.id = y.id",
                     "id integer not null key, a smallint not null, b text, id integer key, "
                     "a smallint, b text",
                     "");
    assert_described(s, "INSERT INTO t VALUES (1, 2) RETURNING b, id * 2 AS d", "b text, d integer",
                     "");
    assert_described(s, "DELETE FROM t", "", "");
}

static void parameters_take_their_types_from_their_places(void **state) {
    nq_session *s = *state;
    run(s, "CREATE TABLE t (id BIGINT PRIMARY KEY, a SMALLINT, b VARCHAR(5), c TIMESTAMP)");
    assert_described(s, "SELECT id FROM t WHERE id = $1 AND a > $2 AND b LIKE $3 AND c < $4",
                     "id bigint not null key", " bigint,  smallint,  text,  timestamp");
    assert_described(s, "INSERT INTO t VALUES ($1, $2, $3, $4)", "",
                     " bigint,  smallint,  text,  timestamp");
    assert_described(s, "UPDATE t SET a = :a, b = :b WHERE id IN (:x, :y)", "",
                     "a smallint, b text, x bigint, y bigint");
    assert_described(s, "SELECT $1, $2::int, coalesce($3, 1), $4 || 'x' LIMIT $5",
                     "?column? text, integer integer, coalesce integer, ?column? text",
                     " text,  integer,  integer,  text,  bigint");
    assert_described(s, "SELECT 1 WHERE $2 = 5", "?column? integer not null", " text,  integer");
}

static void a_parameter_used_twice_has_one_type(void **state) {
    nq_session *s = *state;
    run(s, "CREATE TABLE t (id INT PRIMARY KEY, d DOUBLE PRECISION)");
    assert_described(s, "SELECT 1 FROM t WHERE id = $1 AND d > $1", "?column? integer not null",
                     " integer");
    assert_refused(s, "SELECT 1 FROM t WHERE id = $1 AND $1 LIKE 'x'", NQ_UNKNOWN_FUNCTION, 38,
                   "like");
}

static void using_merges_columns_and_star_shows_them_once(void **state) {
    nq_session *s = *state;
    assert_described(s,
                     "SELECT * FROM (VALUES (1, 2)) a(x, y) JOIN (VALUES (1, 3)) b(x, z) USING (x)",
                     "x integer, y integer, z integer", "");
    assert_rows(s, "SELECT * FROM (VALUES (1, 2)) a(x, y) NATURAL JOIN (VALUES (1, 3)) b(x, z)",
                "1|2|3;");
    assert_rows(s,
                "SELECT x, a.x, b.x FROM (VALUES (1), (2)) a(x) FULL JOIN (VALUES (2), (3)) b(x) "
                "USING (x) ORDER BY 1",
                "1|1|null;2|2|2;3|null|3;");
    assert_rows(s,
                "SELECT x FROM (VALUES (1), (2)) a(x) RIGHT JOIN (VALUES (2), (3)) b(x) USING (x) "
                "ORDER BY x",
                "2;3;");
}

static void groups_may_be_named_numbered_or_keyed(void **state) {
    nq_session *s = *state;
    run(s, "CREATE TABLE t (id INT PRIMARY KEY, a INT, b TEXT)");
    run(s, "INSERT INTO t VALUES (1, 5, 'x'), (2, 5, 'y'), (3, 6, 'x')");
    assert_rows(s, "SELECT a % 2 AS odd, count(*) FROM t GROUP BY odd ORDER BY odd", "0|1;1|2;");
    assert_rows(s, "SELECT a, count(*) FROM t GROUP BY 1 ORDER BY 2 DESC", "5|2;6|1;");
    assert_rows(s, "SELECT a + 1, (a + 1) * 2 FROM t GROUP BY a + 1 ORDER BY a + 1", "6|12;7|14;");
    assert_rows(s, "SELECT id, b, count(*) FROM t GROUP BY id ORDER BY id DESC LIMIT 1", "3|x|1;");
    assert_rows(s, "SELECT max(a) - min(a) FROM t HAVING count(*) > 2", "1;");
    assert_rows(s, "SELECT count(*) FROM t WHERE FALSE", "0;");
    assert_rows(s, "SELECT a FROM t WHERE FALSE GROUP BY a", "");
    assert_rows(s, "SELECT b FROM t GROUP BY b ORDER BY max(id) DESC", "x;y;");
    assert_rows(s, "SELECT count(*) FILTER (WHERE a = 5), count(DISTINCT b), sum(a) FROM t",
                "2|2|16;");
}

static void with_names_a_query_and_hides_a_table(void **state) {
    nq_session *s = *state;
    run(s, "CREATE TABLE t (a INT)");
    assert_rows(s,
                "WITH t AS (SELECT 7 AS a), u (b) AS (SELECT a + 1 FROM t) SELECT a, b FROM t, u",
                "7|8;");
    assert_rows(s, "SELECT (WITH x AS (SELECT 1 AS a) SELECT a FROM x) + 1", "2;");
    assert_refused(s, "SELECT * FROM (WITH x AS (SELECT 1) SELECT 1) y, x", NQ_TABLE_NOT_FOUND, 50,
                   "\"x\"");
}

static void defaults_and_generated_numbers_fill_what_is_left_open(void **state) {
    nq_session *s = *state;
    run(s, "CREATE TABLE t (id SERIAL PRIMARY KEY, a INT DEFAULT 2 * 3, b TEXT DEFAULT 'it''s')");
    run(s, "INSERT INTO t (a) VALUES (1), (DEFAULT)");
    run(s, "INSERT INTO t DEFAULT VALUES");
    run(s, "INSERT INTO t (b) SELECT 'q'");
    run(s, "INSERT INTO t VALUES (10, 0, DEFAULT)");
    assert_rows(s, "SELECT * FROM t", "1|1|it's;2|6|it's;3|6|it's;4|6|q;10|0|it's;");
    run(s, "UPDATE t SET a = DEFAULT WHERE id = 1");
    assert_rows(s, "SELECT a FROM t WHERE id = 1", "6;");
}

static void conflicts_update_from_what_was_refused(void **state) {
    nq_session *s = *state;
    run(s, "CREATE TABLE t (id INT PRIMARY KEY, n INT, b TEXT)");
    run(s, "INSERT INTO t VALUES (1, 1, 'a')");
    run(s, "INSERT INTO t VALUES (1, 5, 'x'), (2, 2, 'y') ON CONFLICT DO NOTHING");
    run(s, "INSERT INTO t AS old VALUES (1, 5, 'x') ON CONFLICT (id) DO UPDATE SET n = old.n + "
           "excluded.n, b = excluded.b");
    run(s, "INSERT INTO t VALUES (2, 9, 'z') ON CONFLICT (id) DO UPDATE SET n = 0 WHERE t.n > 100");
    assert_rows(s, "SELECT * FROM t", "1|6|x;2|2|y;");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        in_session(literals_take_the_narrowest_type_that_fits),
        in_session(columns_are_named_as_postgresql_names_them),
        in_session(parameters_take_their_types_from_their_places),
        in_session(a_parameter_used_twice_has_one_type),
        in_session(using_merges_columns_and_star_shows_them_once),
        in_session(groups_may_be_named_numbered_or_keyed),
        in_session(with_names_a_query_and_hides_a_table),
        in_session(defaults_and_generated_numbers_fill_what_is_left_open),
        in_session(conflicts_update_from_what_was_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
