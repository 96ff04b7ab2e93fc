/* Transactions: what is seen, what fails, what is retried. */
#include "engine/ground/os/clock.h"
#include "engine/ground/os/thread.h"
#include "tests/engine/api/fixture.h"

static void a_failed_statement_aborts_the_transaction_until_rollback(void **state) {
    nq_session *s = *state;
    run(s, "CREATE TABLE t (id INT PRIMARY KEY)");
    run(s, "BEGIN");
    run(s, "INSERT INTO t VALUES (1)");
    assert_fails(s, "INSERT INTO t VALUES (1)", NQ_UNIQUE_VIOLATION);
    assert_fails(s, "SELECT 1", NQ_TRANSACTION_FAILED);
    assert_fails(s, "INSERT INTO t VALUES (2)", NQ_TRANSACTION_FAILED);
    assert_fails(s, "SAVEPOINT a", NQ_TRANSACTION_FAILED);
    run(s, "ROLLBACK");
    assert_rows(s, "SELECT count(*) FROM t", "0 ");
}

static void commit_of_a_failed_transaction_fails_and_keeps_nothing(void **state) {
    nq_session *s = *state;
    run(s, "CREATE TABLE t (id INT PRIMARY KEY)");
    run(s, "BEGIN");
    run(s, "INSERT INTO t VALUES (1)");
    assert_fails(s, "SELECT nonsense", NQ_UNKNOWN_COLUMN);
    assert_fails(s, "COMMIT", NQ_TRANSACTION_FAILED);
    assert_rows(s, "SELECT count(*) FROM t", "0 ");
}

static void a_savepoint_brings_a_failed_transaction_back(void **state) {
    nq_session *s = *state;
    run(s, "CREATE TABLE t (id INT PRIMARY KEY)");
    run(s, "BEGIN");
    run(s, "INSERT INTO t VALUES (1)");
    run(s, "SAVEPOINT a");
    run(s, "INSERT INTO t VALUES (2)");
    assert_fails(s, "INSERT INTO t VALUES (2)", NQ_UNIQUE_VIOLATION);
    assert_fails(s, "RELEASE a", NQ_TRANSACTION_FAILED);
    run(s, "ROLLBACK TO a");
    assert_rows(s, "SELECT id FROM t", "1 ");
    run(s, "INSERT INTO t VALUES (3)");
    run(s, "COMMIT");
    assert_rows(s, "SELECT id FROM t", "1 3 ");
}

static void savepoints_nest_and_repeat_names(void **state) {
    nq_session *s = *state;
    run(s, "CREATE TABLE t (id INT PRIMARY KEY)");
    run(s, "BEGIN");
    run(s, "SAVEPOINT a");
    run(s, "INSERT INTO t VALUES (1)");
    run(s, "SAVEPOINT a");
    run(s, "INSERT INTO t VALUES (2)");
    run(s, "ROLLBACK TO a");
    run(s, "ROLLBACK TO a");
    assert_rows(s, "SELECT id FROM t", "1 ");
    run(s, "RELEASE a");
    run(s, "ROLLBACK TO a");
    assert_rows(s, "SELECT id FROM t", "");
    run(s, "RELEASE a");
    assert_fails(s, "ROLLBACK TO a", NQ_SAVEPOINT_NOT_FOUND);
    run(s, "ROLLBACK");
}

static void others_see_nothing_before_commit_and_everything_after(void **state) {
    nq_session *s = *state, other;
    session_join(&other, s);
    run(s, "CREATE TABLE t (id INT PRIMARY KEY)");
    run(s, "BEGIN");
    run(s, "INSERT INTO t VALUES (1), (2)");
    assert_rows(&other, "SELECT count(*) FROM t", "0 ");
    run(&other, "BEGIN");
    assert_rows(&other, "SELECT count(*) FROM t", "0 ");
    run(s, "COMMIT");
    assert_rows(&other, "SELECT count(*) FROM t", "2 ");
    run(&other, "COMMIT");
    session_leave(&other);
}

static void repeatable_read_repeats_its_reads_and_refuses_lost_updates(void **state) {
    nq_session *s = *state, other;
    session_join(&other, s);
    run(s, "CREATE TABLE t (id INT PRIMARY KEY, v INT)");
    run(s, "INSERT INTO t VALUES (1, 0)");
    run(&other, "BEGIN ISOLATION LEVEL REPEATABLE READ");
    assert_rows(&other, "SELECT v FROM t", "0 ");
    run(s, "UPDATE t SET v = 1");
    assert_rows(&other, "SELECT v FROM t", "0 ");
    assert_fails(&other, "UPDATE t SET v = v + 10", NQ_WRITE_CONFLICT);
    run(&other, "ROLLBACK");
    assert_rows(&other, "SELECT v FROM t", "1 ");
    session_leave(&other);
}

static void ddl_is_seen_inside_at_once_and_outside_at_commit(void **state) {
    nq_session *s = *state, other;
    session_join(&other, s);
    run(s, "BEGIN");
    run(s, "CREATE TABLE t (id INT PRIMARY KEY)");
    run(s, "INSERT INTO t VALUES (1)");
    assert_rows(s, "SELECT id FROM t", "1 ");
    assert_fails(&other, "SELECT * FROM t", NQ_TABLE_NOT_FOUND);
    run(s, "COMMIT");
    assert_rows(&other, "SELECT id FROM t", "1 ");
    run(s, "BEGIN");
    run(s, "DROP TABLE t");
    assert_fails(s, "SELECT * FROM t", NQ_TABLE_NOT_FOUND);
    assert_rows(&other, "SELECT id FROM t", "1 ");
    run(s, "ROLLBACK");
    assert_rows(s, "SELECT id FROM t", "1 ");
    session_leave(&other);
}

static void ddl_is_undone_to_a_savepoint(void **state) {
    nq_session *s = *state;
    run(s, "BEGIN");
    run(s, "CREATE TABLE a (x INT)");
    run(s, "SAVEPOINT p");
    run(s, "CREATE TABLE b (x INT)");
    run(s, "DROP TABLE a");
    run(s, "ROLLBACK TO p");
    assert_rows(s, "SELECT * FROM a", "");
    assert_fails(s, "SELECT * FROM b", NQ_TABLE_NOT_FOUND);
    run(s, "ROLLBACK TO p");
    run(s, "INSERT INTO a VALUES (1)");
    run(s, "COMMIT");
    assert_rows(s, "SELECT * FROM a", "1 ");
    reopen(s);
    assert_rows(s, "SELECT * FROM a", "1 ");
    assert_fails(s, "SELECT * FROM b", NQ_TABLE_NOT_FOUND);
}

static void a_read_only_transaction_writes_nothing(void **state) {
    nq_session *s = *state;
    run(s, "CREATE TABLE t (id INT PRIMARY KEY)");
    run(s, "BEGIN READ ONLY");
    assert_rows(s, "SELECT count(*) FROM t", "0 ");
    assert_fails(s, "INSERT INTO t VALUES (1)", NQ_READ_ONLY_TRANSACTION);
    run(s, "ROLLBACK");
    run(s, "BEGIN READ ONLY");
    assert_fails(s, "DROP TABLE t", NQ_READ_ONLY_TRANSACTION);
    run(s, "ROLLBACK");
}

static void one_statement_runs_at_a_time(void **state) {
    nq_session *s = *state;
    nq_prepared *prepared;
    nq_cursor *first, *second;
    run(s, "BEGIN");
    assert_int_equal(
        nq_prepare(&s->ctx, s->database, s->transaction, sql_of("SELECT 1"), &prepared), NQ_OK);
    assert_int_equal(nq_cursor_open(&s->ctx, s->database, s->transaction, prepared, NULL, 0,
                                    (nq_bytes){NULL, 0}, &first),
                     NQ_OK);
    assert_int_equal(nq_cursor_open(&s->ctx, s->database, s->transaction, prepared, NULL, 0,
                                    (nq_bytes){NULL, 0}, &second),
                     NQ_TRANSACTION_BUSY);
    nq_cursor_close(first);
    nq_prepared_release(prepared);
    assert_rows(s, "SELECT 2", "2 ");
    run(s, "COMMIT");
}

enum { THREAD_COUNT = 4, INCREMENT_COUNT = 60 };

static void increment(void *argument) {
    nq_session s;
    session_join(&s, argument);
    for (int i = 0; i < INCREMENT_COUNT; i++) {
        nq_status status = session_run(&s, sql_of("UPDATE t SET v = v + 1 WHERE id = 1"), NULL, 0,
                                       NULL, NULL, NULL);
        if (status != NQ_OK) {
            (void)fprintf(stderr, "%s\n", s.ctx.error.message);
            abort();
        }
    }
    session_leave(&s);
}

static void concurrent_increments_are_all_counted(void **state) {
    nq_session *s = *state;
    nq_thread threads[THREAD_COUNT];
    run(s, "CREATE TABLE t (id INT PRIMARY KEY, v INT)");
    run(s, "INSERT INTO t VALUES (1, 0)");
    for (int i = 0; i < THREAD_COUNT; i++) {
        assert_int_equal(nq_thread_start(&s->ctx, &threads[i], "increment", increment, s), NQ_OK);
    }
    for (int i = 0; i < THREAD_COUNT; i++) {
        nq_thread_join(&threads[i]);
    }
    assert_rows(s, "SELECT v FROM t", "240 ");
}

static void create_and_drop(void *argument) {
    nq_session s;
    session_join(&s, argument);
    for (int i = 0; i < 20; i++) {
        nq_status created = session_run(&s, sql_of("CREATE TABLE IF NOT EXISTS c (id INT)"), NULL,
                                        0, NULL, NULL, NULL);
        nq_status inserted =
            session_run(&s, sql_of("INSERT INTO c VALUES (1)"), NULL, 0, NULL, NULL, NULL);
        nq_error refusal = s.ctx.error;
        nq_status dropped =
            session_run(&s, sql_of("DROP TABLE IF EXISTS c"), NULL, 0, NULL, NULL, NULL);
        if (created != NQ_OK || dropped != NQ_OK ||
            (inserted != NQ_OK && inserted != NQ_TABLE_NOT_FOUND)) {
            (void)fprintf(stderr, "%s %s %s: %s; %s\n", nq_status_name(created),
                          nq_status_name(inserted), nq_status_name(dropped), refusal.message,
                          s.ctx.error.message);
            abort();
        }
    }
    session_leave(&s);
}

static void tables_come_and_go_under_concurrent_writers(void **state) {
    nq_session *s = *state;
    nq_thread threads[THREAD_COUNT];
    for (int i = 0; i < THREAD_COUNT; i++) {
        assert_int_equal(nq_thread_start(&s->ctx, &threads[i], "ddl", create_and_drop, s), NQ_OK);
    }
    for (int i = 0; i < THREAD_COUNT; i++) {
        nq_thread_join(&threads[i]);
    }
    assert_fails(s, "SELECT * FROM c", NQ_TABLE_NOT_FOUND);
    reopen(s);
    assert_fails(s, "SELECT * FROM c", NQ_TABLE_NOT_FOUND);
}

static void a_table_waits_for_its_writers_before_it_goes(void **state) {
    nq_session *s = *state, other;
    session_join(&other, s);
    run(s, "CREATE TABLE t (id INT)");
    run(s, "BEGIN");
    run(s, "INSERT INTO t VALUES (1)");
    other.ctx.now_ns = nq_clock_monotonic_ns;
    other.ctx.deadline_ns = nq_clock_monotonic_ns() + 50000000;
    assert_fails(&other, "DROP TABLE t", NQ_STATEMENT_TIMEOUT);
    other.ctx.deadline_ns = NQ_NO_DEADLINE;
    run(s, "COMMIT");
    assert_rows(&other, "SELECT * FROM t", "1 ");
    run(&other, "DROP TABLE t");
    session_leave(&other);
}

typedef struct crossing {
    nq_session *session;
    const char *sql;
    nq_status status;
} crossing;

static void cross(void *argument) {
    crossing *c = argument;
    c->status = session_run(c->session, sql_of(c->sql), NULL, 0, NULL, NULL, NULL);
    run(c->session, c->status == NQ_OK ? "COMMIT" : "ROLLBACK");
}

static void writers_that_drop_each_others_tables_have_one_victim(void **state) {
    nq_session *s = *state, other;
    nq_thread thread;
    session_join(&other, s);
    run(s, "CREATE TABLE t (id INT)");
    run(s, "CREATE TABLE u (id INT)");
    run(s, "BEGIN");
    run(s, "INSERT INTO t VALUES (1)");
    run(&other, "BEGIN");
    run(&other, "INSERT INTO u VALUES (1)");
    crossing here = {s, "DROP TABLE u", NQ_OK};
    crossing there = {&other, "DROP TABLE t", NQ_OK};
    assert_int_equal(nq_thread_start(&s->ctx, &thread, "there", cross, &there), NQ_OK);
    cross(&here);
    nq_thread_join(&thread);
    assert_true(here.status == NQ_DEADLOCK || there.status == NQ_DEADLOCK);
    assert_true(here.status == NQ_OK || there.status == NQ_OK);
    session_leave(&other);
}

static void sequences_are_not_given_back(void **state) {
    nq_session *s = *state;
    run(s, "CREATE TABLE t (id SERIAL PRIMARY KEY, v INT)");
    assert_rows(s, "INSERT INTO t (v) VALUES (1), (2) RETURNING id", "1 2 ");
    run(s, "BEGIN");
    assert_rows(s, "INSERT INTO t (v) VALUES (3) RETURNING id", "3 ");
    run(s, "ROLLBACK");
    assert_rows(s, "INSERT INTO t (v) VALUES (4) RETURNING id", "4 ");
    reopen(s);
    assert_rows(s, "INSERT INTO t (v) VALUES (5) RETURNING id", "5 ");
    run(s, "TRUNCATE t");
    assert_rows(s, "INSERT INTO t (v) VALUES (6) RETURNING id", "6 ");
    run(s, "TRUNCATE t RESTART IDENTITY");
    assert_rows(s, "INSERT INTO t (v) VALUES (7) RETURNING id", "1 ");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        in_session(a_failed_statement_aborts_the_transaction_until_rollback),
        in_session(commit_of_a_failed_transaction_fails_and_keeps_nothing),
        in_session(a_savepoint_brings_a_failed_transaction_back),
        in_session(savepoints_nest_and_repeat_names),
        in_session(others_see_nothing_before_commit_and_everything_after),
        in_session(repeatable_read_repeats_its_reads_and_refuses_lost_updates),
        in_session(ddl_is_seen_inside_at_once_and_outside_at_commit),
        in_session(ddl_is_undone_to_a_savepoint),
        in_session(a_read_only_transaction_writes_nothing),
        in_session(one_statement_runs_at_a_time),
        in_session(concurrent_increments_are_all_counted),
        in_session(tables_come_and_go_under_concurrent_writers),
        in_session(a_table_waits_for_its_writers_before_it_goes),
        in_session(writers_that_drop_each_others_tables_have_one_victim),
        in_session(sequences_are_not_given_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
