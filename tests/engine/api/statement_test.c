/* Statements: parameters, prepared handles, live cursors. */
#include "engine/ground/os/clock.h"
#include "tests/engine/api/fixture.h"

static nq_status run_with(nq_session *s, const char *sql, const nq_parameter *parameters,
                          uint32_t count, rows_text *rows) {
    *rows = (rows_text){0};
    return session_run(s, sql_of(sql), parameters, count, append_row, rows, NULL);
}

static void parameters_take_the_type_of_their_place(void **state) {
    static rows_text rows;
    nq_session *s = *state;
    run(s, "CREATE TABLE t (id INT PRIMARY KEY, at TIMESTAMP, v REAL)");
    const nq_parameter all[] = {
        {.position = 1, .value = NQ_VALUE_INT64(7)},
        {.position = 2, .value = NQ_VALUE_TEXT(NQ_BYTES_LITERAL("2024-02-29T12:00:00Z"))},
        {.position = 3, .value = NQ_VALUE_FLOAT64(0.1)},
    };
    assert_int_equal(run_with(s, "INSERT INTO t VALUES ($1, $2, $3)", all, 3, &rows), NQ_OK);
    assert_rows(s, "SELECT * FROM t", "7|2024-02-29 12:00:00|0.1 ");
    const nq_parameter big = {.position = 1, .value = NQ_VALUE_INT64(INT64_C(1) << 40)};
    assert_int_equal(run_with(s, "INSERT INTO t (id) VALUES ($1)", &big, 1, &rows),
                     NQ_NUMBER_OUT_OF_RANGE);
    const nq_parameter word = {.position = 1, .value = NQ_VALUE_TEXT(NQ_BYTES_LITERAL("seven"))};
    assert_int_equal(run_with(s, "SELECT * FROM t WHERE id = $1", &word, 1, &rows),
                     NQ_INVALID_TEXT_VALUE);
    const nq_parameter invalid = {.position = 1, .value = NQ_VALUE_TEXT(NQ_BYTES_LITERAL("\xff"))};
    assert_int_equal(run_with(s, "SELECT $1", &invalid, 1, &rows), NQ_INVALID_UTF8);
}

static void parameters_are_neither_missing_nor_left_over(void **state) {
    static rows_text rows;
    nq_session *s = *state;
    const nq_parameter one = {.position = 1, .value = NQ_VALUE_INT64(1)};
    const nq_parameter two = {.position = 2, .value = NQ_VALUE_INT64(2)};
    const nq_parameter named = {.name = NQ_BYTES_LITERAL("a"), .value = NQ_VALUE_INT64(3)};
    const nq_parameter both[] = {one, two}, twice[] = {one, one}, swapped[] = {two, one};
    assert_int_equal(run_with(s, "SELECT $1 + $2", &one, 1, &rows), NQ_PARAMETER_MISSING);
    assert_int_equal(run_with(s, "SELECT $1 + 1", both, 2, &rows), NQ_INVALID_ARGUMENT);
    assert_int_equal(run_with(s, "SELECT $1 + 1", twice, 2, &rows), NQ_INVALID_ARGUMENT);
    assert_int_equal(run_with(s, "SELECT $1 + 1", &named, 1, &rows), NQ_PARAMETER_MISSING);
    assert_int_equal(run_with(s, "SELECT $1 - $2 * 10", swapped, 2, &rows), NQ_OK);
    assert_string_equal(rows.text, "-19 ");
    assert_int_equal(run_with(s, "SELECT :a + :a", &named, 1, &rows), NQ_OK);
    assert_string_equal(rows.text, "6 ");
}

static nq_prepared *prepare(nq_session *s, const char *sql) {
    nq_prepared *prepared;
    nq_status status = nq_prepare(&s->ctx, s->database, s->transaction, sql_of(sql), &prepared);
    if (status != NQ_OK) {
        fail_msg("%s: %s", sql, s->ctx.error.message);
    }
    return prepared;
}

static nq_cursor *open_cursor(nq_session *s, nq_prepared *prepared) {
    nq_cursor *cursor;
    nq_status status = nq_cursor_open(&s->ctx, s->database, s->transaction, prepared, NULL, 0,
                                      (nq_bytes){NULL, 0}, &cursor);
    if (status != NQ_OK) {
        fail_msg("%s: %s", nq_status_name(status), s->ctx.error.message);
    }
    return cursor;
}

static void a_prepared_statement_describes_itself(void **state) {
    nq_session *s = *state;
    run(s, "CREATE TABLE t (id BIGINT PRIMARY KEY, name TEXT)");
    nq_prepared *prepared = prepare(s, "SELECT id, name AS n FROM t WHERE name = $1 AND id > $2");
    assert_int_equal(nq_prepared_kind(prepared), NQ_STATEMENT_QUERY);
    assert_int_equal(nq_prepared_column_count(prepared), 2);
    const nq_column_info *columns = nq_prepared_columns(prepared);
    assert_true(nq_bytes_equal(columns[0].name, NQ_BYTES_LITERAL("id")));
    assert_true(columns[0].is_primary_key && !columns[0].is_nullable);
    assert_true(nq_bytes_equal(columns[1].name, NQ_BYTES_LITERAL("n")));
    assert_int_equal(columns[1].type.id, NQ_TYPE_TEXT);
    assert_int_equal(nq_prepared_parameter_count(prepared), 2);
    assert_int_equal(nq_prepared_parameters(prepared)[0].type.id, NQ_TYPE_TEXT);
    assert_int_equal(nq_prepared_parameters(prepared)[1].type.id, NQ_TYPE_INT64);
    nq_prepared_release(prepared);
}

static void a_prepared_statement_follows_the_catalog(void **state) {
    nq_session *s = *state;
    nq_batch batch;
    run(s, "CREATE TABLE t (a INT)");
    run(s, "INSERT INTO t VALUES (1)");
    nq_prepared *prepared = prepare(s, "SELECT * FROM t");
    run(s, "DROP TABLE t");
    nq_cursor *cursor;
    assert_int_equal(
        nq_cursor_open(&s->ctx, s->database, NULL, prepared, NULL, 0, (nq_bytes){NULL, 0}, &cursor),
        NQ_TABLE_NOT_FOUND);
    run(s, "CREATE TABLE t (b TEXT, c INT)");
    run(s, "INSERT INTO t VALUES ('x', 2)");
    cursor = open_cursor(s, prepared);
    assert_int_equal(nq_cursor_column_count(cursor), 2);
    assert_int_equal(nq_cursor_next(&s->ctx, cursor, 0, &batch), NQ_OK);
    assert_int_equal(batch.row_count, 1);
    assert_int_equal(batch.columns[1].integers[0], 2);
    nq_cursor_close(cursor);
    nq_prepared_release(prepared);
}

static void an_idle_cursor_keeps_its_snapshot_while_others_write_and_drop(void **state) {
    nq_session *s = *state;
    nq_batch batch;
    run(s, "CREATE TABLE t (id INT PRIMARY KEY)");
    run(s, "INSERT INTO t SELECT x FROM generate_series(1, 5000) AS g(x)");
    nq_prepared *prepared = prepare(s, "SELECT id FROM t");
    nq_cursor *cursor = open_cursor(s, prepared);
    assert_int_equal(nq_cursor_next(&s->ctx, cursor, 100, &batch), NQ_OK);
    assert_in_range(batch.row_count, 1, 100);
    uint64_t rows = batch.row_count;
    run(s, "DELETE FROM t WHERE id > 10");
    assert_rows(s, "SELECT count(*) FROM t", "10 ");
    run(s, "DROP TABLE t");
    do {
        assert_int_equal(nq_cursor_next(&s->ctx, cursor, 0, &batch), NQ_OK);
        for (uint32_t i = 0; i < batch.row_count; i++) {
            assert_int_equal(batch.columns[0].integers[i], rows + i + 1);
        }
        rows += batch.row_count;
    } while (batch.row_count > 0);
    assert_int_equal(rows, 5000);
    nq_cursor_close(cursor);
    nq_prepared_release(prepared);
}

/* Two rows and a bound on them, one row and none: the end comes with the last row, so that not even
 * a cancel comes between them. */
static void a_result_of_bounded_size_ends_with_its_last_row(void **state) {
    static const struct {
        const char *sql;
        uint32_t rows;
    } cases[] = {
        {"SELECT v FROM t WHERE id = 2", 1},
        {"SELECT 1", 1},
        {"VALUES (1), (2), (3)", 3},
    };
    nq_session *s = *state;
    nq_batch batch;
    run(s, "CREATE TABLE t (id INT PRIMARY KEY, v INT)");
    run(s, "INSERT INTO t VALUES (1, 10), (2, 20)");
    assert_rows(s, "SELECT v FROM t WHERE id = 3", "");
    assert_rows(s, "SELECT 1 WHERE false", "");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        nq_cancel_flag cancel = NQ_OK;
        nq_prepared *prepared = prepare(s, cases[i].sql);
        nq_cursor *cursor = open_cursor(s, prepared);
        s->ctx.cancel = &cancel;
        for (uint32_t row = 0; row < cases[i].rows; row++) {
            assert_int_equal(nq_cursor_next(&s->ctx, cursor, 1, &batch), NQ_OK);
            assert_int_equal(batch.row_count, 1);
        }
        cancel = NQ_CANCELLED_BY_CLIENT;
        assert_int_equal(nq_cursor_next(&s->ctx, cursor, 1, &batch), NQ_OK);
        assert_int_equal(batch.row_count, 0);
        s->ctx.cancel = NULL;
        nq_cursor_close(cursor);
        nq_prepared_release(prepared);
    }
}

static void time_is_measured_for_those_who_ask(void **state) {
    nq_session *s = *state;
    nq_batch batch;
    nq_statement_stats stats;
    nq_prepared *prepared = prepare(s, "SELECT count(*) FROM generate_series(1, 10000)");
    for (int asks = 0; asks < 2; asks++) {
        s->ctx.wants_timing = asks == 1;
        nq_cursor *cursor = open_cursor(s, prepared);
        assert_int_equal(nq_cursor_next(&s->ctx, cursor, 0, &batch), NQ_OK);
        nq_cursor_get_stats(cursor, &stats);
        assert_int_equal(stats.execute_ns > 0, asks == 1);
        nq_cursor_close(cursor);
    }
    s->ctx.wants_timing = false;
    nq_prepared_release(prepared);
}

static void returned_rows_come_in_batches_of_any_size(void **state) {
    nq_session *s = *state;
    nq_batch batch;
    run(s, "CREATE TABLE t (id INT PRIMARY KEY, w TEXT)");
    nq_prepared *prepared = prepare(
        s,
        "INSERT INTO t SELECT x, 'w' || x FROM generate_series(1, 2500) AS g(x) RETURNING w, id");
    nq_cursor *cursor = open_cursor(s, prepared);
    nq_statement_stats stats;
    nq_cursor_get_stats(cursor, &stats);
    assert_int_equal(stats.rows_affected, 2500);
    assert_true(nq_cursor_commit_lsn(cursor) > 0);
    int64_t rows = 0;
    do {
        assert_int_equal(nq_cursor_next(&s->ctx, cursor, 7, &batch), NQ_OK);
        assert_true(batch.row_count <= 7);
        for (uint32_t i = 0; i < batch.row_count; i++) {
            char text[24];
            rows++;
            assert_int_equal(batch.columns[1].integers[i], rows);
            (void)snprintf(text, sizeof text, "w%lld", (long long)rows);
            assert_true(nq_bytes_equal(batch.columns[0].bytes[i], nq_bytes_of_cstr(text)));
        }
    } while (batch.row_count > 0);
    assert_int_equal(rows, 2500);
    nq_cursor_close(cursor);
    nq_prepared_release(prepared);
}

static void find_stat(void *user, const char *name, double value) {
    double *out = user;
    if (strcmp(name, "plan_cache_hits") == 0) {
        *out = value;
    }
}

static void the_same_text_is_planned_once(void **state) {
    nq_session *s = *state;
    double before = -1, after = -1;
    run(s, "CREATE TABLE t (id INT PRIMARY KEY)");
    nq_prepared *first = prepare(s, "SELECT * FROM t WHERE id = 1");
    nq_database_visit_stats(s->database, find_stat, &before);
    nq_prepared *second = prepare(s, "SELECT * FROM t WHERE id = 1");
    nq_database_visit_stats(s->database, find_stat, &after);
    assert_ptr_equal(first, second);
    assert_true(after == before + 1);
    nq_prepared_release(first);
    nq_prepared_release(second);
    for (int i = 0; i < 2000; i++) { /* More than the cache holds. */
        char sql[64];
        (void)snprintf(sql, sizeof sql, "SELECT %d", i);
        run(s, sql);
    }
    assert_rows(s, "SELECT 1999", "1999 ");
}

static void a_cancelled_or_late_statement_stops(void **state) {
    nq_session *s = *state;
    nq_cancel_flag flag = NQ_CANCELLED_BY_CLIENT;
    const char *endless = "SELECT count(*) FROM generate_series(1, 1000000000000)";
    s->ctx.cancel = &flag;
    assert_fails(s, endless, NQ_CANCELLED_BY_CLIENT);
    s->ctx.cancel = NULL;
    s->ctx.now_ns = nq_clock_monotonic_ns;
    s->ctx.deadline_ns = nq_clock_monotonic_ns() + 20000000;
    assert_fails(s, endless, NQ_STATEMENT_TIMEOUT);
    s->ctx.deadline_ns = NQ_NO_DEADLINE;
    assert_rows(s, "SELECT 1", "1 ");
}

static void a_statement_has_a_memory_budget(void **state) {
    nq_session *s = *state;
    const nq_database_options options = {.statement_bytes_max = 4 << 20};
    assert_int_equal(nq_database_close(&s->ctx, s->database), NQ_OK);
    assert_int_equal(
        nq_database_open(&s->ctx, nq_sim_vfs_as_vfs(s->disk), "db", &options, &s->database), NQ_OK);
    assert_fails(s, "SELECT x FROM generate_series(1, 10000000) AS g(x) ORDER BY x DESC",
                 NQ_MEMORY_LIMIT);
    assert_rows(s, "SELECT count(*) FROM generate_series(1, 100000)", "100000 ");
}

static void the_page_cache_has_the_policies_that_settings_name(void **state) {
    nq_session *s = *state;
    static const char *const names[] = {"s3fifo", "clock", "lru", NULL};
    assert_int_equal(nq_database_close(&s->ctx, s->database), NQ_OK);
    nq_database_options options = {.cache_policy = "mru"};
    assert_int_equal(
        nq_database_open(&s->ctx, nq_sim_vfs_as_vfs(s->disk), "db", &options, &s->database),
        NQ_INVALID_ARGUMENT);
    for (int i = 0; i < 4; i++) {
        options.cache_policy = names[i];
        assert_int_equal(
            nq_database_open(&s->ctx, nq_sim_vfs_as_vfs(s->disk), "db", &options, &s->database),
            NQ_OK);
        assert_rows(s, "SELECT 1", "1 ");
        assert_true(names[i] == NULL || nq_database_close(&s->ctx, s->database) == NQ_OK);
    }
}

static void explain_answers_lines_and_nodes(void **state) {
    nq_session *s = *state;
    static rows_text rows;
    nq_plan_node_info *nodes;
    uint32_t count;
    run(s, "CREATE TABLE t (id INT PRIMARY KEY, v INT)");
    run(s, "INSERT INTO t VALUES (1, 10), (2, 20)");
    assert_int_equal(run_with(s, "EXPLAIN SELECT v FROM t WHERE id = 1", NULL, 0, &rows), NQ_OK);
    assert_non_null(strstr(rows.text, "Key Lookup on t"));
    nq_prepared *prepared = prepare(s, "DELETE FROM t WHERE v > 15");
    assert_int_equal(
        nq_explain(&s->ctx, s->database, NULL, prepared, NULL, 0, true, &s->arena, &nodes, &count),
        NQ_OK);
    assert_true(count >= 2);
    assert_int_equal(nodes[0].parent, -1);
    nq_prepared_release(prepared);
    assert_rows(s, "SELECT count(*) FROM t", "2 ");
}

static void trailing_text_is_refused_everywhere(void **state) {
    nq_session *s = *state;
    assert_fails(s, "SELECT 1; SELECT 2", NQ_SQL_SYNTAX);
    assert_fails(s, "SELECT 1 garbage here", NQ_SQL_SYNTAX);
    assert_fails(s, "", NQ_SQL_SYNTAX);
    assert_rows(s, "SELECT 1;", "1 ");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        in_session(parameters_take_the_type_of_their_place),
        in_session(parameters_are_neither_missing_nor_left_over),
        in_session(a_prepared_statement_describes_itself),
        in_session(a_prepared_statement_follows_the_catalog),
        in_session(an_idle_cursor_keeps_its_snapshot_while_others_write_and_drop),
        in_session(a_result_of_bounded_size_ends_with_its_last_row),
        in_session(time_is_measured_for_those_who_ask),
        in_session(returned_rows_come_in_batches_of_any_size),
        in_session(the_same_text_is_planned_once),
        in_session(a_cancelled_or_late_statement_stops),
        in_session(a_statement_has_a_memory_budget),
        in_session(the_page_cache_has_the_policies_that_settings_name),
        in_session(explain_answers_lines_and_nodes),
        in_session(trailing_text_is_refused_everywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
