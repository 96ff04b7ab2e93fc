/* Plan: which operators a statement becomes, read off EXPLAIN. */
#include "tests/engine/query/plan/fixture.h"

static void make_tables(nq_session *s) {
    run(s, "CREATE TABLE big (id INT PRIMARY KEY, small_id INT, v INT, note TEXT)");
    run(s, "CREATE TABLE small (id INT PRIMARY KEY, name TEXT)");
    run(s, "CREATE TABLE pair (a INT, b TEXT, v INT, PRIMARY KEY (a, b))");
    run(s, "INSERT INTO big SELECT g, g % 10, g, 'n' || g FROM generate_series(1, 1000) g");
    run(s, "INSERT INTO small SELECT g, 's' || g FROM generate_series(0, 9) g");
    run(s, "INSERT INTO pair SELECT g % 10, 'b' || g, g FROM generate_series(1, 100) g");
}

static void key_equality_is_a_lookup(void **state) {
    nq_session *s = *state;
    make_tables(s);
    assert_plan(s, "SELECT v FROM big WHERE id = 7",
                "Project [output: v]\n"
                " Key Lookup big [key: id = 7]\n");
    assert_plan(s, "SELECT * FROM big WHERE 7 = id AND v > 3",
                "Key Lookup big [key: id = 7] [filter: v > 3]\n");
    assert_plan(s, "SELECT * FROM big WHERE id = $1", "Key Lookup big [key: id = $1]\n");
    assert_plan(s, "SELECT * FROM pair WHERE b = 'x' AND a = 1",
                "Key Lookup pair [key: a = 1 AND b = 'x']\n");
    assert_plan(s, "SELECT * FROM big WHERE id = 5 OR v = 1",
                "Seq Scan big [filter: (id = 5) OR (v = 1)]\n");
    assert_plan(s, "DELETE FROM big WHERE id = 3", "Delete big\n Key Lookup big [key: id = 3]\n");
    assert_plan(s, "UPDATE big SET v = 1 WHERE id = 3",
                "Update big\n Key Lookup big [key: id = 3]\n");
}

static void key_comparisons_are_a_range(void **state) {
    nq_session *s = *state;
    make_tables(s);
    assert_plan(s, "SELECT * FROM big WHERE id BETWEEN 3 AND 9",
                "Key Range Scan big [key: id >= 3 AND id <= 9]\n");
    assert_plan(s, "SELECT * FROM big WHERE 5 < id AND id < 9 AND id < 8",
                "Key Range Scan big [key: id > 5 AND id < 9] [filter: id < 8]\n");
    assert_plan(s, "SELECT * FROM pair WHERE a = 1 AND b > 'x'",
                "Key Range Scan pair [key: a = 1 AND b > 'x']\n");
    assert_plan(s, "SELECT * FROM pair WHERE b > 'x'", "Seq Scan pair [filter: b > 'x']\n");
    assert_rows(s, "SELECT count(*), min(id), max(id) FROM big WHERE id > 10 AND id <= 20",
                "10|11|20;");
    assert_rows(s, "SELECT id FROM big WHERE id > 998 ORDER BY id DESC", "1000;999;");
    assert_rows(s, "SELECT id FROM big WHERE id > 5 AND id < 3", "");
    assert_rows(s, "SELECT id FROM big WHERE id = NULL", "");
}

static void narrow_key_columns_meet_wider_literals(void **state) {
    nq_session *s = *state;
    run(s, "CREATE TABLE n (k SMALLINT PRIMARY KEY)");
    run(s, "INSERT INTO n VALUES (1), (2)");
    assert_plan(s, "SELECT * FROM n WHERE k = 2", "Key Lookup n [key: k = 2]\n");
    assert_rows(s, "SELECT * FROM n WHERE k = 2", "2;");
    assert_rows(s, "SELECT * FROM n WHERE k = 70000", "");
    assert_rows(s, "SELECT * FROM n WHERE k < 70000", "1;2;");
    assert_rows(s, "SELECT * FROM n WHERE k = 1.0", "1;");
}

static void key_order_needs_no_sort(void **state) {
    nq_session *s = *state;
    make_tables(s);
    assert_plan(s, "SELECT * FROM big ORDER BY id LIMIT 3", "Limit [limit: 3]\n Seq Scan big\n");
    assert_plan(s, "SELECT * FROM pair ORDER BY a DESC, b DESC",
                "Seq Scan pair [order: descending]\n");
    assert_plan(s, "SELECT * FROM pair ORDER BY a, b DESC",
                "Sort [order by: a, b DESC]\n Seq Scan pair\n");
    assert_plan(s, "SELECT * FROM big ORDER BY v LIMIT 3",
                "Top N [order by: v] [limit: 3]\n Seq Scan big\n");
    assert_plan(s, "SELECT id FROM big ORDER BY v + 1",
                "Sort [order by: v + 1]\n Project [output: id, v + 1]\n  Seq Scan big\n");
}

static void conditions_sink_to_the_scans(void **state) {
    nq_session *s = *state;
    make_tables(s);
    assert_plan(s,
                "SELECT big.v FROM big, small WHERE big.small_id = small.id AND small.name = 's1' "
                "AND big.v > 5",
                "Project [output: v]\n"
                " Hash Join [keys: big.small_id = small.id]\n"
                "  Seq Scan big [filter: v > 5]\n"
                "  Seq Scan small [filter: name = 's1']\n");
}

static void comma_joins_with_equalities_are_hash_joins_in_a_sensible_order(void **state) {
    nq_session *s = *state;
    make_tables(s);
    assert_plan(s,
                "SELECT count(*) FROM big x, big y, small z WHERE x.small_id = z.id AND "
                "y.v = x.v AND z.name = 's3'",
                "Aggregate [aggregate: count(*)]\n"
                " Hash Join [keys: big.v = big.v]\n"
                "  Seq Scan big\n"
                "  Hash Join [keys: big.small_id = small.id]\n"
                "   Seq Scan big\n"
                "   Seq Scan small [filter: name = 's3']\n");
    assert_rows(s,
                "SELECT count(*) FROM big x, big y, small z WHERE x.small_id = z.id AND "
                "y.v = x.v AND z.name = 's3'",
                "100;");
}

static void a_few_rows_are_joined_by_key(void **state) {
    nq_session *s = *state;
    make_tables(s);
    assert_plan(s, "SELECT * FROM small, big WHERE big.id = small.id",
                "Key Join big [key: id = small.id]\n Seq Scan small\n");
    assert_plan(s, "SELECT small.name FROM small LEFT JOIN big ON big.id = small.id AND big.v > 3",
                "Project [output: name]\n"
                " Left Key Join big [key: id = small.id] [condition: big.v > 3]\n"
                "  Seq Scan small\n");
    assert_rows(
        s,
        "SELECT small.id, big.v FROM small LEFT JOIN big ON big.id = small.id AND big.v > 8 "
        "WHERE small.id > 6",
        "7|null;8|null;9|9;");
}

static void outer_joins_keep_what_they_must(void **state) {
    nq_session *s = *state;
    make_tables(s);
    assert_plan(
        s, "SELECT * FROM big LEFT JOIN small ON big.small_id = small.id WHERE small.name = 'x'",
        "Hash Join [keys: big.small_id = small.id]\n"
        " Seq Scan big\n"
        " Seq Scan small [filter: name = 'x']\n");
    assert_plan(s,
                "SELECT * FROM big LEFT JOIN small ON big.small_id = small.id AND big.v > 1 "
                "AND small.name = 'x' WHERE small.id IS NULL AND big.id < 5",
                "Filter [filter: id IS NULL]\n"
                " Left Hash Join [keys: big.small_id = small.id] [condition: big.v > 1]\n"
                "  Key Range Scan big [key: id < 5]\n"
                "  Seq Scan small [filter: name = 'x']\n");
    assert_rows(s, "SELECT count(*) FROM small LEFT JOIN big ON small.id = big.id + 5", "10;");
    assert_rows(s, "SELECT count(*), count(big.id) FROM big RIGHT JOIN small ON small.id = big.id",
                "10|9;");
    assert_rows(s, "SELECT count(*) FROM small a FULL JOIN (VALUES (9), (10)) v(id) ON a.id = v.id",
                "11;");
}

static void subqueries_become_joins_or_run_once(void **state) {
    nq_session *s = *state;
    make_tables(s);
    assert_plan(s, "SELECT id FROM big WHERE small_id IN (SELECT id FROM small WHERE name = 's1')",
                "Project [output: id]\n"
                " Semi Hash Join [keys: big.small_id = small.id]\n"
                "  Seq Scan big\n"
                "  Project [output: id]\n"
                "   Seq Scan small [filter: name = 's1']\n");
    assert_rows(
        s, "SELECT count(*) FROM big WHERE small_id NOT IN (SELECT id FROM small WHERE id > 1)",
        "200;");
    assert_rows(s, "SELECT id FROM small WHERE id = (SELECT max(id) FROM small)", "9;");
    assert_rows(s, "SELECT id FROM small WHERE id > 8 OR id IN (SELECT a FROM pair WHERE v < 3)",
                "1;2;9;");
    assert_rows(s,
                "SELECT id, id IN (SELECT a FROM pair WHERE v < 3), 5 IN (SELECT id FROM small) "
                "FROM small WHERE id < 3",
                "0|false|true;1|true|true;2|true|true;");
    assert_affects(s, "DELETE FROM small WHERE id IN (SELECT a FROM pair WHERE v = 4) OR id = 0",
                   2);
}

static void a_subquery_that_refers_to_the_row_around_it_is_a_join(void **state) {
    nq_session *s = *state;
    make_tables(s);
    assert_plan(
        s,
        "SELECT name FROM small s WHERE EXISTS (SELECT 1 FROM pair p WHERE p.v = s.id AND p.a > 7)",
        "Project [output: name]\n"
        " Semi Hash Join [keys: small.id = pair.v]\n"
        "  Seq Scan small\n"
        "  Key Range Scan pair [key: a > 7]\n");
    assert_rows(
        s,
        "SELECT id FROM small s WHERE EXISTS (SELECT * FROM pair p WHERE p.v < s.id AND p.a = 7)",
        "8;9;");
    assert_rows(
        s, "SELECT id FROM small s WHERE NOT EXISTS (SELECT 1 FROM pair p WHERE p.v = s.id)", "0;");
    assert_rows(s,
                "SELECT id FROM small s WHERE id IN (SELECT p.a FROM pair p WHERE p.v = s.id + 10)",
                "0;1;2;3;4;5;6;7;8;9;");
    assert_rows(s,
                "SELECT id FROM small s WHERE id IN (SELECT p.a FROM pair p WHERE p.v > s.id + 96)",
                "0;");
    assert_rows(
        s,
        "SELECT id FROM small s WHERE EXISTS (SELECT 1 FROM pair p WHERE p.v = s.id AND NOT EXISTS "
        "(SELECT 1 FROM big WHERE big.id = p.v + 995))",
        "6;7;8;9;");
    assert_affects(
        s, "DELETE FROM small s WHERE EXISTS (SELECT 1 FROM pair p WHERE p.v = s.id AND p.v > 7)",
        2);
    assert_refused(s, "SELECT (SELECT max(v) FROM pair p WHERE p.a = small.id) FROM small",
                   NQ_FEATURE_UNSUPPORTED, 47, "enclosing query");
    assert_refused(
        s, "SELECT 1 FROM small s WHERE EXISTS (SELECT 1 FROM pair p WHERE p.v = s.id LIMIT 1)",
        NQ_FEATURE_UNSUPPORTED, 29, "without GROUP BY");
    assert_refused(
        s,
        "SELECT 1 FROM small s WHERE EXISTS (SELECT 1 FROM pair p WHERE EXISTS (SELECT 1 FROM big "
        "WHERE big.id = s.id))",
        NQ_FEATURE_UNSUPPORTED, 103, "directly around");
}

static void in_a_query_knows_its_nulls(void **state) {
    nq_session *s = *state;
    assert_rows(s,
                "SELECT x, x IN (SELECT y FROM (VALUES (1), (NULL)) v(y)) FROM (VALUES (1), (2), "
                "(NULL)) u(x)",
                "1|true;2|null;null|null;");
    assert_rows(s,
                "SELECT x, x NOT IN (SELECT y FROM (VALUES (1), (3)) v(y)) FROM (VALUES (1), (2), "
                "(NULL)) u(x)",
                "1|false;2|true;null|null;");
    assert_rows(s,
                "SELECT x IN (SELECT y FROM (VALUES (1)) v(y) WHERE FALSE) FROM (VALUES (1), "
                "(NULL)) u(x)",
                "false;false;");
    assert_rows(s,
                "SELECT 1 IN (SELECT 2), NULL IN (SELECT 1), 1 IN (SELECT NULL::int), "
                "NULL NOT IN (SELECT 1 WHERE FALSE)",
                "false|null|null|true;");
    assert_rows(
        s,
        "SELECT x FROM (VALUES (1), (2), (NULL)) u(x) WHERE x NOT IN (SELECT y FROM (VALUES "
        "(1)) v(y))",
        "2;");
    assert_rows(s, "SELECT x FROM (VALUES (1), (NULL)) u(x) WHERE x NOT IN (SELECT 1 WHERE FALSE)",
                "1;null;");
}

static void constants_are_folded_when_that_cannot_fail(void **state) {
    nq_session *s = *state;
    make_tables(s);
    assert_plan(s, "SELECT * FROM big WHERE id = 2 + 3 * 4", "Key Lookup big [key: id = 14]\n");
    assert_plan(s, "SELECT * FROM big WHERE TRUE AND id = 1", "Key Lookup big [key: id = 1]\n");
    assert_plan(s, "SELECT * FROM big WHERE note = upper('a') || 'b'",
                "Seq Scan big [filter: note = 'Ab']\n");
    assert_plan(s, "SELECT * FROM big WHERE v > 1 / 0", "Seq Scan big [filter: v > (1 / 0)]\n");
}

static void only_what_is_used_is_read(void **state) {
    nq_session *s = *state;
    make_tables(s);
    assert_plan(
        s, "SELECT small_id, count(*) FROM big WHERE v > 0 GROUP BY small_id HAVING count(*) > 1",
        "Filter [filter: count > 1]\n"
        " Aggregate [group by: small_id] [aggregate: count(*)]\n"
        "  Seq Scan big [filter: v > 0]\n");
    assert_rows(s, "SELECT sum(v) FROM big", "500500;");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        in_session(key_equality_is_a_lookup),
        in_session(key_comparisons_are_a_range),
        in_session(narrow_key_columns_meet_wider_literals),
        in_session(key_order_needs_no_sort),
        in_session(conditions_sink_to_the_scans),
        in_session(comma_joins_with_equalities_are_hash_joins_in_a_sensible_order),
        in_session(a_few_rows_are_joined_by_key),
        in_session(outer_joins_keep_what_they_must),
        in_session(subqueries_become_joins_or_run_once),
        in_session(a_subquery_that_refers_to_the_row_around_it_is_a_join),
        in_session(in_a_query_knows_its_nulls),
        in_session(constants_are_folded_when_that_cannot_fail),
        in_session(only_what_is_used_is_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
