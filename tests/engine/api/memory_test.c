/* Memory runs out at every allocation in turn: each time the call fails with NQ_MEMORY_LIMIT or
 * succeeds, nothing leaks, nothing is half done, and the next call works. */
#include "engine/ground/base/heap.h"
#include "tests/engine/api/fixture.h"

/* Runs every statement that is not refused for want of memory; anything else is a failure. */
static void attempt(nq_session *s, const char *sql) {
    nq_status status = session_run(s, sql_of(sql), NULL, 0, NULL, NULL, NULL);
    if (status != NQ_OK && status != NQ_MEMORY_LIMIT && status != NQ_TRANSACTION_FAILED &&
        status != NQ_TRANSACTION_NOT_FOUND && status != NQ_TABLE_NOT_FOUND &&
        status != NQ_TABLE_EXISTS && status != NQ_SAVEPOINT_NOT_FOUND) {
        uint64_t tried = nq_heap_fail_never();
        fail_msg("%s: %s: %s (after %llu allocations)", sql, nq_status_name(status),
                 s->ctx.error.message, (unsigned long long)tried);
    }
}

static void load(nq_session *s) {
    nq_ingest *ingest;
    uint64_t lsn;
    const int64_t numbers[] = {1, 2, 3};
    const nq_vector column = {.type = NQ_TYPE(NQ_TYPE_INT64), .integers = numbers};
    const nq_batch batch = {3, 1, &column};
    const nq_bytes columns[] = {NQ_BYTES_LITERAL("v")};
    if (nq_ingest_open(&s->ctx, s->database, NQ_BYTES_LITERAL("kept"), columns, 1,
                       NQ_BYTES_LITERAL("load"), false, &ingest) != NQ_OK) {
        return;
    }
    if (nq_ingest_append(&s->ctx, ingest, &batch) == NQ_OK) {
        (void)(nq_ingest_commit(&s->ctx, ingest, &lsn) == NQ_OK);
    }
    nq_ingest_close(ingest);
}

static void everything(nq_session *s) {
    attempt(s, "CREATE TABLE t (id SERIAL PRIMARY KEY, w TEXT DEFAULT 'x', CHECK (id > 0))");
    attempt(s, "INSERT INTO t (w) VALUES ('a'), ('b') RETURNING id, w");
    attempt(s, "SELECT w, count(*) FROM t GROUP BY w ORDER BY w");
    attempt(s, "BEGIN");
    attempt(s, "SAVEPOINT p");
    attempt(s, "UPDATE kept SET w = w || 'z'");
    attempt(s, "ROLLBACK TO p");
    attempt(s, "COMMIT");
    if (s->transaction != NULL) {
        nq_transaction_rollback(s->transaction);
        s->transaction = NULL;
    }
    attempt(s, "EXPLAIN ANALYZE SELECT * FROM kept k JOIN kept l ON k.v = l.v");
    load(s);
    attempt(s, "TRUNCATE kept");
    attempt(s, "DROP TABLE IF EXISTS t");
}

static void every_allocation_may_fail(void **state) {
    nq_session *s = *state;
    run(s, "CREATE TABLE kept (v INT, w TEXT DEFAULT 'd', CHECK (v > 0))");
    for (uint64_t nth = 1;; nth++) {
        nq_heap_fail_at(nth, false);
        everything(s);
        uint64_t tried = nq_heap_fail_never();
        run(s, "DROP TABLE IF EXISTS t");
        assert_rows(s, "SELECT 1", "1 ");
        if (nth > tried) {
            break;
        }
    }
    run(s, "TRUNCATE kept");
    load(s);
    reopen(s);
    assert_rows(s, "SELECT * FROM kept", "1|d 2|d 3|d ");
}

static void opening_and_closing_may_fail_at_every_allocation(void **state) {
    nq_session *s = *state;
    run(s, "CREATE TABLE t (id SERIAL, v INT)");
    run(s, "INSERT INTO t (v) VALUES (1)");
    assert_int_equal(nq_database_close(&s->ctx, s->database), NQ_OK);
    for (uint64_t nth = 1;; nth++) {
        nq_heap_fail_at(nth, false);
        nq_status status =
            nq_database_open(&s->ctx, nq_sim_vfs_as_vfs(s->disk), "db", NULL, &s->database);
        uint64_t tried = nq_heap_fail_never();
        assert_true(status == NQ_OK || status == NQ_MEMORY_LIMIT);
        if (status == NQ_OK && nth > tried) {
            break;
        }
        if (status == NQ_OK) {
            assert_int_equal(nq_database_close(&s->ctx, s->database), NQ_OK);
        }
    }
    assert_rows(s, "SELECT v FROM t", "1 ");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        in_session(every_allocation_may_fail),
        in_session(opening_and_closing_may_fail_at_every_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
