/* Writes: what they change, what they return, and that they never meet their own rows. */
#include "tests/engine/query/support/sql.h"

static void insert_select_does_not_see_its_own_rows(void **state) {
    sql_fixture *f = *state;
    sql_run(f, "CREATE TABLE h (id INT PRIMARY KEY, n INT)");
    sql_run(f, "INSERT INTO h SELECT g, 0 FROM generate_series(1, 3000) g");
    sql_run(f, "INSERT INTO h SELECT id + 3000, n + 1 FROM h");
    sql_expect(f, "SELECT count(*), max(id), sum(n), max(n) FROM h", "6000|6000|3000|1");
    sql_run(f, "INSERT INTO h SELECT a.id + 6000, 7 FROM h a JOIN h b ON a.id = b.id");
    sql_expect(f, "SELECT count(*), max(id) FROM h", "12000|12000");
}

static void update_meets_each_row_once_even_when_keys_move(void **state) {
    sql_fixture *f = *state;
    sql_run(f, "CREATE TABLE u (id INT PRIMARY KEY, n INT)");
    sql_run(f, "INSERT INTO u SELECT g, 0 FROM generate_series(1, 2500) g");
    sql_run(f, "UPDATE u SET id = id + 100000, n = n + 1");
    sql_expect(f, "SELECT count(*), min(id), max(id), max(n) FROM u", "2500|100001|102500|1");
    sql_expect_error(f, "UPDATE u SET id = 100001 WHERE id = 100002", "23505");
    sql_expect(f, "SELECT count(*) FROM u WHERE id = 100002", "1");
}

static void returning_shows_rows_as_stored_or_as_they_were(void **state) {
    sql_fixture *f = *state;
    sql_run(f, "CREATE TABLE r (id SERIAL PRIMARY KEY, a INT DEFAULT 7, b TEXT)");
    sql_expect(f, "INSERT INTO r (b) VALUES ('x'), ('y') RETURNING id, a, b || '!'",
               "1|7|x!\n2|7|y!");
    sql_expect(f, "INSERT INTO r (id, b) VALUES (10, 'z') RETURNING *", "10|7|z");
    sql_expect(f, "UPDATE r SET a = a * 2, b = upper(b) WHERE id < 10 RETURNING id, a, b",
               "1|14|X\n2|14|Y");
    sql_expect(f, "UPDATE r SET a = id, id = a + 100 WHERE id = 1 RETURNING id, a", "114|1");
    sql_expect(f, "DELETE FROM r WHERE id >= 10 RETURNING id", "10\n114");
    sql_expect(f, "SELECT * FROM r", "2|14|Y");
    const char *numbers = sql_result(f, "SELECT g FROM generate_series(3, 3002) g");
    sql_expect(f, "INSERT INTO r (b) SELECT 'n' FROM generate_series(1, 3000) RETURNING id",
               numbers);
}

static void checks_and_not_null_refuse_the_whole_statement(void **state) {
    sql_fixture *f = *state;
    sql_run(f, "CREATE TABLE c (id INT PRIMARY KEY, n INT CHECK (n > 0), m INT NOT NULL)");
    sql_expect_error(f, "INSERT INTO c VALUES (1, 5, 1), (2, 0, 1)", "23514");
    sql_expect_error(f, "INSERT INTO c VALUES (1, 5, 1), (2, 5, NULL)", "23502");
    sql_expect(f, "SELECT count(*) FROM c", "0");
    sql_run(f, "INSERT INTO c VALUES (1, NULL, 1), (2, 5, 2)"); /* unknown is not false */
    sql_expect_error(f, "UPDATE c SET n = -n WHERE n IS NOT NULL", "23514");
    sql_expect_error(f, "UPDATE c SET m = NULL", "23502");
    sql_expect(f, "SELECT * FROM c", "1|NULL|1\n2|5|2");
}

static void conflicts_do_what_was_said(void **state) {
    sql_fixture *f = *state;
    sql_run(f, "CREATE TABLE k (id INT PRIMARY KEY, n INT, s TEXT)");
    sql_run(f, "INSERT INTO k VALUES (1, 1, 'a'), (2, 2, 'b')");
    sql_expect_error(f, "INSERT INTO k VALUES (3, 3, 'c'), (1, 9, 'z')", "23505");
    sql_expect(f, "SELECT count(*) FROM k", "2");
    sql_expect(f,
               "INSERT INTO k VALUES (1, 9, 'z'), (3, 3, 'c'), (3, 4, 'd'), (2, 9, 'z') "
               "ON CONFLICT DO NOTHING RETURNING id",
               "3");
    sql_expect(f,
               "INSERT INTO k VALUES (1, 10, 'x'), (4, 4, 'd') ON CONFLICT (id) DO UPDATE "
               "SET n = k.n + excluded.n, s = excluded.s || k.s RETURNING *",
               "1|11|xa\n4|4|d");
    sql_expect(f,
               "INSERT INTO k VALUES (1, 1, 'q'), (2, 1, 'q') ON CONFLICT (id) DO UPDATE "
               "SET s = 'changed' WHERE k.n > 5 RETURNING id",
               "1");
    sql_expect_error(f,
                     "INSERT INTO k VALUES (7, 1, 'a'), (7, 2, 'b') "
                     "ON CONFLICT (id) DO UPDATE SET n = 0",
                     "21000");
    sql_expect(f, "SELECT id, n, s FROM k", "1|11|changed\n2|2|b\n3|3|c\n4|4|d");
}

static void tables_come_and_go(void **state) {
    sql_fixture *f = *state;
    sql_run(f, "CREATE TABLE d (id SERIAL PRIMARY KEY, n INT)");
    sql_expect_error(f, "CREATE TABLE d (x INT)", "42P07");
    sql_run(f, "CREATE TABLE IF NOT EXISTS d (x INT)");
    sql_run(f, "INSERT INTO d (n) VALUES (1), (2)");
    sql_run(f, "TRUNCATE d");
    sql_expect(f, "INSERT INTO d (n) VALUES (1) RETURNING id", "3");
    sql_run(f, "TRUNCATE d RESTART IDENTITY");
    sql_expect(f, "INSERT INTO d (n) VALUES (1) RETURNING id", "1");
    sql_run(f, "DROP TABLE d");
    sql_expect_error(f, "SELECT * FROM d", "42P01");
    sql_expect_error(f, "DROP TABLE d", "42P01");
    sql_run(f, "DROP TABLE IF EXISTS d");
}

static void keys_are_found_by_value_and_by_range(void **state) {
    sql_fixture *f = *state;
    sql_run(f, "CREATE TABLE p (a TEXT, b INT, v INT, PRIMARY KEY (a, b))");
    sql_run(f, "INSERT INTO p SELECT chr((97 + g % 5)::int), g, g FROM generate_series(1, 100) g");
    sql_expect(f, "SELECT v FROM p WHERE a = 'c' AND b = 7", "7");
    sql_expect(f, "SELECT v FROM p WHERE a = 'c' AND b = 8", "");
    sql_expect(f, "SELECT v FROM p WHERE a = 'c' AND b = NULL", "");
    sql_expect(f, "SELECT count(*), min(b), max(b) FROM p WHERE a = 'c'", "20|2|97");
    sql_expect(f, "SELECT b FROM p WHERE a = 'c' AND b > 87 AND b <= 97", "92\n97");
    sql_expect(f, "SELECT b FROM p WHERE a = 'c' AND b < 12 AND v <> 7", "2");
    sql_expect(f, "SELECT count(*) FROM p WHERE a >= 'd'", "40");
    sql_expect(f, "SELECT a, b FROM p ORDER BY a DESC, b DESC LIMIT 2", "e|99\ne|94");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(insert_select_does_not_see_its_own_rows),
        cmocka_unit_test(update_meets_each_row_once_even_when_keys_move),
        cmocka_unit_test(returning_shows_rows_as_stored_or_as_they_were),
        cmocka_unit_test(checks_and_not_null_refuse_the_whole_statement),
        cmocka_unit_test(conflicts_do_what_was_said),
        cmocka_unit_test(tables_come_and_go),
        cmocka_unit_test(keys_are_found_by_value_and_by_range),
    };
    return cmocka_run_group_tests(tests, sql_setup, sql_teardown);
}
