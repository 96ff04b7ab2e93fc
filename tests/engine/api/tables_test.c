/* What exists, as callers are told. */
#include "tests/engine/api/fixture.h"

static void tables_are_listed_by_name_in_pages(void **state) {
    nq_session *s = *state;
    nq_table_info *tables;
    uint32_t count;
    run(s, "CREATE TABLE sensors_b (v INT)");
    run(s, "CREATE TABLE sensors_a (v INT)");
    run(s, "CREATE TABLE \"Other\" (v INT)");
    run(s, "INSERT INTO sensors_a VALUES (1), (2)");
    assert_int_equal(nq_database_list_tables(&s->ctx, s->database, (nq_bytes){NULL, 0},
                                             (nq_bytes){NULL, 0}, 10, &s->arena, &tables, &count),
                     NQ_OK);
    assert_int_equal(count, 3);
    assert_true(nq_bytes_equal(tables[0].name, NQ_BYTES_LITERAL("Other")));
    assert_true(nq_bytes_equal(tables[1].name, NQ_BYTES_LITERAL("sensors_a")));
    assert_int_equal(tables[1].row_estimate, 2);
    assert_true(tables[1].bytes > 0 && tables[1].create_time_us > 0);
    assert_int_equal(nq_database_list_tables(&s->ctx, s->database, NQ_BYTES_LITERAL("sensors_a"),
                                             NQ_BYTES_LITERAL("s%\x5f_"), 10, &s->arena, &tables,
                                             &count),
                     NQ_OK);
    assert_int_equal(count, 1);
    assert_true(nq_bytes_equal(tables[0].name, NQ_BYTES_LITERAL("sensors_b")));
    assert_int_equal(nq_database_list_tables(&s->ctx, s->database, (nq_bytes){NULL, 0},
                                             NQ_BYTES_LITERAL("%_a"), 10, &s->arena, &tables,
                                             &count),
                     NQ_OK);
    assert_int_equal(count, 1);
}

static void a_table_describes_its_columns_key_and_constraints(void **state) {
    nq_session *s = *state;
    nq_table_detail detail;
    run(s, "CREATE TABLE t (b TEXT NOT NULL, a INT, n SERIAL, v REAL DEFAULT 1 + 1, w VARCHAR(7), "
           "PRIMARY KEY (b, a), CONSTRAINT positive CHECK (v > 0))");
    assert_int_equal(
        nq_database_get_table(&s->ctx, s->database, NQ_BYTES_LITERAL("t"), &s->arena, &detail),
        NQ_OK);
    assert_int_equal(detail.column_count, 5);
    assert_int_equal(detail.key_column_count, 2);
    assert_int_equal(detail.key_columns[0], 0);
    assert_int_equal(detail.key_columns[1], 1);
    assert_true(detail.columns[1].is_primary_key && !detail.columns[1].is_nullable);
    assert_false(detail.columns[2].is_nullable);
    assert_true(detail.columns[3].is_nullable);
    assert_int_equal(detail.columns[4].type.length_max, 7);
    assert_true(detail.column_defaults[2].size > 0 && detail.column_defaults[3].size > 0);
    assert_int_equal(detail.column_defaults[4].size, 0);
    assert_int_equal(detail.constraint_count, 2);
    assert_true(nq_bytes_equal(detail.constraints[0],
                               NQ_BYTES_LITERAL("CONSTRAINT t_pkey PRIMARY KEY (b, a)")));
    assert_non_null(strstr((const char *)detail.constraints[1].data, "CONSTRAINT positive CHECK"));
    assert_int_equal(
        nq_database_get_table(&s->ctx, s->database, NQ_BYTES_LITERAL("u"), &s->arena, &detail),
        NQ_TABLE_NOT_FOUND);
}

static void definitions_survive_reopening(void **state) {
    nq_session *s = *state;
    run(s, "CREATE TABLE t (id SERIAL PRIMARY KEY, v REAL DEFAULT 2.5 CHECK (v < 10), w CHAR(3))");
    reopen(s);
    assert_rows(s, "INSERT INTO t (w) VALUES ('ab ') RETURNING id, v, w || '|'", "1|2.5|ab| ");
    assert_fails(s, "INSERT INTO t (v) VALUES (11)", NQ_CHECK_VIOLATION);
    assert_fails(s, "INSERT INTO t (w) VALUES ('abcd')", NQ_STRING_TOO_LONG);
    assert_fails(s, "CREATE TABLE t (x INT)", NQ_TABLE_EXISTS);
}

static void hundreds_of_tables_survive(void **state) {
    nq_session *s = *state;
    char sql[96];
    for (int i = 0; i < 300; i++) {
        (void)snprintf(sql, sizeof sql, "CREATE TABLE t%d (id INT PRIMARY KEY, v INT)", i);
        run(s, sql);
        (void)snprintf(sql, sizeof sql, "INSERT INTO t%d VALUES (%d, 1)", i, i);
        run(s, sql);
    }
    reopen(s);
    for (int i = 0; i < 300; i += 2) {
        (void)snprintf(sql, sizeof sql, "DROP TABLE t%d", i);
        run(s, sql);
    }
    reopen(s);
    assert_rows(s, "SELECT id FROM t299", "299 ");
    assert_fails(s, "SELECT id FROM t298", NQ_TABLE_NOT_FOUND);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        in_session(tables_are_listed_by_name_in_pages),
        in_session(a_table_describes_its_columns_key_and_constraints),
        in_session(definitions_survive_reopening),
        in_session(hundreds_of_tables_survive),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
