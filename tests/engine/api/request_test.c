/* Request ids: the same request is carried out once, however often it is sent. */
#include "engine/ground/os/thread.h"
#include "tests/engine/api/fixture.h"

/* Runs a write under a request id; its returned rows as text. */
static nq_status run_once(nq_session *s, const char *sql, const char *id, rows_text *rows,
                          uint64_t *out_affected) {
    nq_prepared *prepared;
    nq_cursor *cursor;
    nq_batch batch;
    *rows = (rows_text){0};
    *out_affected = 0;
    nq_status status = nq_prepare(&s->ctx, s->database, NULL, sql_of(sql), &prepared);
    if (status != NQ_OK) {
        return status;
    }
    status = nq_cursor_open(&s->ctx, s->database, NULL, prepared, NULL, 0, nq_bytes_of_cstr(id),
                            &cursor);
    nq_prepared_release(prepared);
    if (status != NQ_OK) {
        return status;
    }
    assert_true(nq_cursor_commit_lsn(cursor) > 0);
    do {
        assert_int_equal(nq_cursor_next(&s->ctx, cursor, 0, &batch), NQ_OK);
        for (uint32_t i = 0; i < batch.row_count; i++) {
            append_row(rows, &batch, i);
        }
    } while (batch.row_count > 0);
    nq_statement_stats stats;
    nq_cursor_get_stats(cursor, &stats);
    *out_affected = stats.rows_affected;
    nq_cursor_close(cursor);
    return NQ_OK;
}

static void a_repeated_write_answers_again_and_writes_once(void **state) {
    static rows_text rows;
    nq_session *s = *state;
    uint64_t affected;
    const char *sql = "INSERT INTO t (name) VALUES ('a'), (NULL) RETURNING id, name, 1.5 AS x";
    run(s, "CREATE TABLE t (id SERIAL PRIMARY KEY, name TEXT)");
    for (int i = 0; i < 3; i++) {
        assert_int_equal(run_once(s, sql, "request-1", &rows, &affected), NQ_OK);
        assert_string_equal(rows.text, "1|a|1.5 2|null|1.5 ");
        assert_int_equal(affected, 2);
        if (i == 1) {
            reopen(s);
        }
    }
    assert_rows(s, "SELECT count(*) FROM t", "2 ");
    assert_int_equal(run_once(s, sql, "request-2", &rows, &affected), NQ_OK);
    assert_rows(s, "SELECT count(*) FROM t", "4 ");
}

static void an_id_used_for_another_request_is_refused(void **state) {
    static rows_text rows;
    nq_session *s = *state;
    uint64_t affected;
    run(s, "CREATE TABLE t (id INT PRIMARY KEY)");
    assert_int_equal(run_once(s, "INSERT INTO t VALUES (1)", "r", &rows, &affected), NQ_OK);
    assert_int_equal(run_once(s, "INSERT INTO t VALUES (2)", "r", &rows, &affected),
                     NQ_REQUEST_ID_REUSED);
    assert_rows(s, "SELECT * FROM t", "1 ");
}

static void a_failed_write_leaves_its_id_unused(void **state) {
    static rows_text rows;
    nq_session *s = *state;
    uint64_t affected;
    run(s, "CREATE TABLE t (id INT PRIMARY KEY)");
    run(s, "INSERT INTO t VALUES (1)");
    assert_int_equal(run_once(s, "INSERT INTO t VALUES (1)", "r", &rows, &affected),
                     NQ_UNIQUE_VIOLATION);
    run(s, "DELETE FROM t");
    assert_int_equal(run_once(s, "INSERT INTO t VALUES (1)", "r", &rows, &affected), NQ_OK);
    assert_rows(s, "SELECT * FROM t", "1 ");
}

static void more_rows_than_can_be_remembered_are_refused_before_the_commit(void **state) {
    static rows_text rows;
    nq_session *s = *state;
    uint64_t affected;
    run(s, "CREATE TABLE t (id INT PRIMARY KEY)");
    assert_int_equal(run_once(s,
                              "INSERT INTO t SELECT x FROM generate_series(1, 500) AS g(x) "
                              "RETURNING id",
                              "r", &rows, &affected),
                     NQ_RESULT_TOO_LARGE);
    assert_rows(s, "SELECT count(*) FROM t", "0 ");
}

static void a_commit_is_made_once(void **state) {
    nq_session *s = *state;
    uint64_t lsn, found_lsn;
    bool is_found;
    const nq_bytes id = NQ_BYTES_LITERAL("commit-1");
    run(s, "CREATE TABLE t (id INT)");
    for (int i = 0; i < 2; i++) {
        run(s, "BEGIN");
        run(s, "INSERT INTO t VALUES (1)");
        nq_transaction *transaction = s->transaction;
        s->transaction = NULL;
        assert_int_equal(nq_transaction_commit(&s->ctx, transaction, id, &lsn), NQ_OK);
        assert_true(lsn > 0);
        assert_rows(s, "SELECT count(*) FROM t", "1 ");
    }
    reopen(s);
    assert_int_equal(nq_transaction_find_commit(&s->ctx, s->database, id, &is_found, &found_lsn),
                     NQ_OK);
    assert_true(is_found && found_lsn >= lsn);
    assert_int_equal(nq_transaction_find_commit(&s->ctx, s->database, NQ_BYTES_LITERAL("other"),
                                                &is_found, &found_lsn),
                     NQ_OK);
    assert_false(is_found);
    run(s, "BEGIN");
    run(s, "INSERT INTO t VALUES (2)");
    nq_transaction *other = s->transaction;
    s->transaction = NULL;
    assert_int_equal(nq_transaction_commit(&s->ctx, other, id, &lsn), NQ_REQUEST_ID_REUSED);
    assert_rows(s, "SELECT count(*) FROM t", "1 ");
}

enum { SENDER_COUNT = 4 };

static void send(void *argument) {
    static _Thread_local rows_text rows;
    nq_session s;
    uint64_t affected;
    session_join(&s, argument);
    for (int i = 0; i < 20; i++) {
        char id[16];
        (void)snprintf(id, sizeof id, "r%d", i);
        if (run_once(&s, "INSERT INTO t (v) VALUES (1)", id, &rows, &affected) != NQ_OK) {
            abort();
        }
    }
    session_leave(&s);
}

static void requests_sent_at_the_same_time_are_carried_out_once(void **state) {
    nq_session *s = *state;
    nq_thread threads[SENDER_COUNT];
    run(s, "CREATE TABLE t (v INT)");
    for (int i = 0; i < SENDER_COUNT; i++) {
        assert_int_equal(nq_thread_start(&s->ctx, &threads[i], "send", send, s), NQ_OK);
    }
    for (int i = 0; i < SENDER_COUNT; i++) {
        nq_thread_join(&threads[i]);
    }
    assert_rows(s, "SELECT count(*) FROM t", "20 ");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        in_session(a_repeated_write_answers_again_and_writes_once),
        in_session(an_id_used_for_another_request_is_refused),
        in_session(a_failed_write_leaves_its_id_unused),
        in_session(more_rows_than_can_be_remembered_are_refused_before_the_commit),
        in_session(a_commit_is_made_once),
        in_session(requests_sent_at_the_same_time_are_carried_out_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
