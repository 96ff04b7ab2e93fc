/* Large inserts into an empty table: loaded in bulk when that can be, and the same to every reader
 * when it cannot. */
#include "tests/engine/api/fixture.h"

/* Some 10 MB: twice what an insert gathers before it loads. */
#define TEXT_100 \
    "'a text of a hundred bytes, which is what many rows have, more or less, and some have more'"
#define MANY      "100000"
#define SERIES    "generate_series(1, " MANY ") AS s(g)"
#define MANY_ROWS "SELECT g, " TEXT_100 " || g FROM " SERIES

typedef struct figures {
    double log_bytes, checkpoints, retries;
} figures;

static void note_figure(void *user, const char *name, double value) {
    figures *f = user;
    const struct {
        const char *name;
        double *target;
    } wanted[] = {{"store_log_bytes", &f->log_bytes},
                  {"store_checkpoints", &f->checkpoints},
                  {"statement_retries", &f->retries}};
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        if (strcmp(name, wanted[i].name) == 0) {
            *wanted[i].target = value;
        }
    }
}

static figures figures_of(const nq_session *s) {
    figures f = {0};
    nq_database_visit_stats(s->database, note_figure, &f);
    return f;
}

/* Runs it; whether its rows went past the log. */
static bool is_loaded_by(nq_session *s, const char *sql) {
    enum { LOG_BYTES_OF_ROWS = 4 << 20 };
    figures before = figures_of(s);
    run(s, sql);
    return figures_of(s).log_bytes - before.log_bytes < LOG_BYTES_OF_ROWS;
}

static void many_rows_for_an_empty_table_are_loaded(void **state) {
    nq_session *s = *state;
    run(s, "CREATE TABLE t (id BIGINT PRIMARY KEY, v TEXT NOT NULL)");
    assert_true(is_loaded_by(s, "INSERT INTO t " MANY_ROWS));
    for (int i = 0; i < 2; i++) {
        assert_rows(s, "SELECT count(*), min(id), max(id), sum(id) FROM t",
                    MANY "|1|" MANY "|5000050000 ");
        assert_rows(
            s, "SELECT v FROM t WHERE id = 77777",
            "a text of a hundred bytes, which is what many rows have, more or less, and some "
            "have more77777 ");
        reopen(s);
    }
    run(s, "UPDATE t SET v = 'x' WHERE id <= 10");
    run(s, "DELETE FROM t WHERE id > 20");
    assert_rows(s, "SELECT count(*), max(id) FROM t", "20|20 ");
}

static void rows_without_a_key_keep_their_order(void **state) {
    nq_session *s = *state;
    run(s, "CREATE TABLE t (id BIGINT, v TEXT)");
    assert_true(is_loaded_by(s, "INSERT INTO t SELECT " MANY " - g, " TEXT_100 " FROM " SERIES));
    run(s, "INSERT INTO t VALUES (-1, 'the last')");
    assert_rows(s, "SELECT id FROM t LIMIT 2", "99999 99998 ");
    assert_rows(s, "SELECT id FROM t LIMIT 2 OFFSET 99999", "0 -1 ");
}

static void rows_out_of_order_are_inserted_all_the_same(void **state) {
    nq_session *s = *state;
    run(s, "CREATE TABLE t (id BIGINT PRIMARY KEY, v TEXT)");
    figures before = figures_of(s);
    assert_false(is_loaded_by(s, "INSERT INTO t SELECT " MANY " - g, " TEXT_100 " FROM " SERIES));
    assert_true(figures_of(s).retries > before.retries);
    assert_rows(s, "SELECT count(*), min(id), max(id) FROM t", MANY "|0|99999 ");
    run(s, "CREATE TABLE u (id BIGINT PRIMARY KEY, v TEXT)");
    run(s, "INSERT INTO u SELECT g % 99999, " TEXT_100 " FROM generate_series(1, 99999) AS s(g)");
    assert_rows(s, "SELECT count(*), min(id), max(id) FROM u", "99999|0|99998 ");
}

static void a_row_that_may_not_be_leaves_the_table_empty(void **state) {
    nq_session *s = *state;
    run(s, "CREATE TABLE t (id BIGINT PRIMARY KEY, v TEXT, CHECK (id <> 90000))");
    assert_fails(s, "INSERT INTO t SELECT (g + 1) / 2, " TEXT_100 " FROM " SERIES,
                 NQ_UNIQUE_VIOLATION);
    assert_non_null(strstr(s->ctx.error.message, "key (id)=(1) already exists"));
    assert_fails(s, "INSERT INTO t " MANY_ROWS, NQ_CHECK_VIOLATION);
    assert_fails(s, "INSERT INTO t SELECT 100 / (80000 - g) * 0 + g, " TEXT_100 " FROM " SERIES,
                 NQ_DIVISION_BY_ZERO);
    assert_rows(s, "SELECT count(*) FROM t", "0 ");
    assert_true(is_loaded_by(s, "INSERT INTO t SELECT g + 90000, " TEXT_100 " FROM " SERIES));
    assert_rows(s, "SELECT count(*) FROM t", MANY " ");
}

static void few_rows_are_inserted_without_a_checkpoint(void **state) {
    nq_session *s = *state;
    run(s, "CREATE TABLE t (id BIGINT PRIMARY KEY, v TEXT)");
    figures before = figures_of(s);
    run(s, "INSERT INTO t SELECT g, 'few' FROM generate_series(1, 1000) AS s(g)");
    assert_true(figures_of(s).checkpoints - before.checkpoints < 1);
    assert_rows(s, "SELECT count(*), sum(id) FROM t", "1000|500500 ");
}

static void a_table_with_rows_is_not_loaded(void **state) {
    nq_session *s = *state;
    run(s, "CREATE TABLE t (id BIGINT PRIMARY KEY, v TEXT)");
    run(s, "INSERT INTO t VALUES (0, 'there')");
    assert_false(is_loaded_by(s, "INSERT INTO t " MANY_ROWS));
    assert_rows(s, "SELECT count(*) FROM t", "100001 ");
}

static void inside_a_transaction_the_rows_are_seen_at_once(void **state) {
    nq_session *s = *state;
    run(s, "CREATE TABLE t (id BIGINT PRIMARY KEY, v TEXT)");
    run(s, "BEGIN");
    run(s, "INSERT INTO t " MANY_ROWS);
    assert_rows(s, "SELECT count(*) FROM t", MANY " ");
    run(s, "ROLLBACK");
    assert_rows(s, "SELECT count(*) FROM t", "0 ");
}

static void a_table_that_others_write_to_is_not_waited_for(void **state) {
    nq_session *s = *state;
    nq_session other;
    run(s, "CREATE TABLE t (id BIGINT PRIMARY KEY, v TEXT)");
    session_join(&other, s);
    run(&other, "BEGIN");
    run(&other, "INSERT INTO t VALUES (-1, 'other')");
    assert_false(is_loaded_by(s, "INSERT INTO t SELECT g, " TEXT_100
                                 " FROM generate_series(1, 60000) AS s(g)"));
    run(&other, "COMMIT");
    session_leave(&other);
    assert_rows(s, "SELECT count(*) FROM t", "60001 ");
}

static void what_is_returned_and_numbered_is_the_same(void **state) {
    nq_session *s = *state;
    run(s, "CREATE TABLE t (id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, v TEXT)");
    static rows_text rows;
    rows = (rows_text){0};
    assert_int_equal(session_run(s,
                                 sql_of("INSERT INTO t (v) SELECT " TEXT_100 " || g FROM " SERIES
                                        " RETURNING id"),
                                 NULL, 0, append_row, &rows, NULL),
                     NQ_OK);
    assert_int_equal(rows.count, 100000);
    assert_memory_equal(rows.text, "1 2 3 4 5 ", 10);
    run(s, "INSERT INTO t (v) VALUES ('next')");
    assert_rows(s, "SELECT id FROM t WHERE v = 'next'", "100001 ");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        in_session(many_rows_for_an_empty_table_are_loaded),
        in_session(rows_without_a_key_keep_their_order),
        in_session(rows_out_of_order_are_inserted_all_the_same),
        in_session(a_row_that_may_not_be_leaves_the_table_empty),
        in_session(few_rows_are_inserted_without_a_checkpoint),
        in_session(a_table_with_rows_is_not_loaded),
        in_session(inside_a_transaction_the_rows_are_seen_at_once),
        in_session(a_table_that_others_write_to_is_not_waited_for),
        in_session(what_is_returned_and_numbered_is_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
