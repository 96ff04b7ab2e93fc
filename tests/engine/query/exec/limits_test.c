/* Limits: every operator stops when it is told to, and none takes more memory than it may. */
#include "engine/ground/base/heap.h"
#include "tests/engine/query/support/sql.h"

/* A clock that only moves when it is looked at: the deadline is a number of polls. */
static int64_t ticks;

static int64_t tick(void) {
    return ++ticks;
}

static const char *const endless[] = {
    "SELECT g FROM generate_series(1, 9000000000000) g",
    "SELECT g FROM generate_series(1, 9000000000000) g WHERE g < 0",
    "SELECT count(*) FROM generate_series(1, 9000000000000) g",
    "SELECT g % 10, count(*) FROM generate_series(1, 9000000000000) g GROUP BY 1",
    "SELECT DISTINCT g % 10 FROM generate_series(1, 9000000000000) g",
    "SELECT g FROM generate_series(1, 9000000000000) g ORDER BY g DESC LIMIT 5",
    "SELECT g FROM generate_series(1, 9000000000000) g OFFSET 8000000000000",
    "SELECT a FROM generate_series(1, 9000000) a JOIN generate_series(1, 9000) b ON a < -b",
    "SELECT a FROM generate_series(1, 9000000000000) a JOIN generate_series(1, 9) b ON a = -b",
    "SELECT a FROM generate_series(1, 9) a LEFT JOIN generate_series(1, 9000000000000) b ON a = b "
    "% 7 "
    "WHERE FALSE OR b < 0",
    "SELECT g FROM generate_series(1, 9000000000000) g EXCEPT SELECT 1",
    "SELECT 1 WHERE EXISTS (SELECT 1 FROM generate_series(1, 9000000000000) g WHERE g < 0)",
    "INSERT INTO t SELECT g FROM generate_series(1, 9000000000000) g WHERE g < 0",
};

static void every_operator_stops_at_the_deadline(void **state) {
    sql_fixture *f = *state;
    sql_run(f, "CREATE TABLE t (id BIGINT PRIMARY KEY)");
    for (size_t i = 0; i < sizeof endless / sizeof endless[0]; i++) {
        const char *text;
        ticks = 0;
        f->ctx.now_ns = tick;
        f->ctx.deadline_ns = 200;
        nq_status status = sql_try(f, endless[i], &text);
        f->ctx.now_ns = NULL;
        f->ctx.deadline_ns = NQ_NO_DEADLINE;
        if (status != NQ_STATEMENT_TIMEOUT) {
            fail_msg("%s\n  ended with %s", endless[i], nq_status_name(status));
        }
        assert_true(ticks < 220); /* and soon: nothing went on polling for long */
    }
    sql_expect(f, "SELECT count(*) FROM t", "0");
}

static void a_cancelled_cursor_says_who_cancelled_it(void **state) {
    sql_fixture *f = *state;
    nq_cancel_flag flag = NQ_OK;
    nq_prepared *prepared;
    nq_cursor *cursor;
    nq_batch batch;
    f->ctx.cancel = &flag;
    assert_int_equal(nq_prepare(&f->ctx, f->database, NULL,
                                NQ_BYTES_LITERAL("SELECT g FROM generate_series(1, 1000000) g"),
                                &prepared),
                     NQ_OK);
    assert_int_equal(nq_cursor_open(&f->ctx, f->database, NULL, prepared, NULL, 0,
                                    nq_bytes_of(NULL, 0), &cursor),
                     NQ_OK);
    assert_int_equal(nq_cursor_next(&f->ctx, cursor, 0, &batch), NQ_OK);
    assert_true(batch.row_count > 0);
    flag = NQ_CANCELLED_BY_ADMIN;
    assert_int_equal(nq_cursor_next(&f->ctx, cursor, 0, &batch), NQ_CANCELLED_BY_ADMIN);
    nq_cursor_close(cursor);
    nq_prepared_release(prepared);
    f->ctx.cancel = NULL;
}

static void a_long_sort_can_be_stopped_while_it_compares(void **state) {
    sql_fixture *f = *state;
    const char *text;
    const char *sql =
        "SELECT g FROM (SELECT g * 7919 % 100003 AS g FROM generate_series(1, 100000) g) x "
        "ORDER BY g";
    ticks = 0;
    f->ctx.now_ns = tick;
    f->ctx.deadline_ns = INT64_MAX - 1;
    assert_int_equal(sql_try(f, sql, &text), NQ_OK);
    int64_t all = ticks;
    ticks = 0;
    /* Reading takes about 300 polls and handing out about 100: stop between. */
    f->ctx.deadline_ns = all / 2;
    nq_status status = sql_try(f, sql, &text);
    f->ctx.now_ns = NULL;
    f->ctx.deadline_ns = NQ_NO_DEADLINE;
    assert_int_equal(status, NQ_STATEMENT_TIMEOUT);
    assert_true(all > 1000);
}

static const struct {
    const char *sql;
    const char *operator_name;
} greedy[] = {
    {"SELECT g FROM generate_series(1, 2000000) g ORDER BY -g", "Sort"},
    {"SELECT g, count(*) FROM generate_series(1, 2000000) g GROUP BY g", "Aggregate"},
    {"SELECT DISTINCT g FROM generate_series(1, 2000000) g", "Distinct"},
    {"SELECT count(DISTINCT g) FROM generate_series(1, 2000000) g", "Aggregate"},
    {"SELECT a FROM generate_series(1, 2000000) a JOIN generate_series(1, 2000000) b ON a > b + 1",
     "Nested Loop"},
    {"SELECT a FROM generate_series(1, 2000000) a JOIN generate_series(1, 2000000) b ON a = b",
     "Hash Join"},
    {"SELECT g FROM generate_series(1, 5) g EXCEPT SELECT g FROM generate_series(1, 2000000) g",
     "Set Operation"},
    {"SELECT repeat('x', g::int * 50000000) FROM generate_series(1, 1) g",
     "out of memory for the text"},
    {"SELECT string_agg('0123456789', '') FROM generate_series(1, 2000000) g", "aggregate"},
};

static void a_statement_keeps_to_its_memory(void **state) {
    (void)state;
    static sql_fixture f;
    sql_open(&f, 8 << 20);
    for (size_t i = 0; i < sizeof greedy / sizeof greedy[0]; i++) {
        const char *text;
        nq_status status = sql_try(&f, greedy[i].sql, &text);
        if (status != NQ_MEMORY_LIMIT ||
            strstr(f.ctx.error.message, greedy[i].operator_name) == NULL) {
            fail_msg("%s\n  ended with %s: %s", greedy[i].sql, nq_status_name(status),
                     status == NQ_OK ? "" : f.ctx.error.message);
        }
    }
    /* What streams, or keeps little, passes however much goes through. */
    sql_expect(&f, "SELECT count(*), sum(g) FROM generate_series(1, 2000000) g",
               "2000000|2000001000000");
    sql_expect(&f, "SELECT g FROM generate_series(1, 2000000) g ORDER BY -g LIMIT 2",
               "2000000\n1999999");
    sql_expect(&f,
               "SELECT max(s) FROM (SELECT repeat('x', (g % 1000)::int) AS s "
               "FROM generate_series(1, 200000) g) x WHERE length(s) < 3",
               "xx");
    sql_close(&f);
}

static nq_status run_prepared(sql_fixture *f, nq_prepared *prepared) {
    nq_cursor *cursor = NULL;
    nq_batch batch = {0};
    nq_status status = nq_cursor_open(&f->ctx, f->database, NULL, prepared, NULL, 0,
                                      nq_bytes_of(NULL, 0), &cursor);
    do {
        status = status == NQ_OK ? nq_cursor_next(&f->ctx, cursor, 0, &batch) : status;
    } while (status == NQ_OK && batch.row_count > 0);
    if (cursor != NULL) {
        nq_cursor_close(cursor);
    }
    return status;
}

/* Each allocation fails once in turn: the statement must end with a failure or not need it. */
static void no_allocation_is_taken_for_granted(void **state) {
    sql_fixture *f = *state;
    static const char *const queries[] = {
        "SELECT upper('a' || g) FROM generate_series(1, 2000) g WHERE g % 2 = 0 OR g / 3 > 5",
        "SELECT g % 7, count(*), string_agg(g::text, ','), count(DISTINCT g % 3) "
        "FROM generate_series(1, 3000) g GROUP BY 1",
        "SELECT g FROM generate_series(1, 3000) g ORDER BY -g",
        "SELECT g::text FROM generate_series(1, 9000) g ORDER BY g % 100, g LIMIT 20",
        "SELECT a FROM generate_series(1, 2000) a FULL JOIN generate_series(500, 2500) b ON a = b",
        "SELECT a FROM generate_series(1, 50) a LEFT JOIN generate_series(1, 50) b ON a < b",
        "SELECT DISTINCT g % 500 FROM generate_series(1, 3000) g EXCEPT SELECT 7",
        "SELECT (SELECT max(g) FROM generate_series(1, 10) g), CASE WHEN g IN (1, 5, 9) THEN 'x' "
        "END "
        "FROM generate_series(1, 40) g",
    };
    for (size_t i = 0; i < sizeof queries / sizeof queries[0]; i++) {
        nq_prepared *prepared;
        assert_int_equal(
            nq_prepare(&f->ctx, f->database, NULL, nq_bytes_of_cstr(queries[i]), &prepared), NQ_OK);
        uint64_t failed = 0;
        for (uint64_t nth = 1;; nth++) {
            nq_heap_fail_at(nth, false);
            nq_status status = run_prepared(f, prepared);
            bool is_through = nq_heap_fail_never() < nth;
            assert_true(status == NQ_OK || status == NQ_MEMORY_LIMIT);
            failed += status != NQ_OK;
            if (is_through) {
                assert_int_equal(status, NQ_OK);
                break;
            }
        }
        assert_true(failed > 0);
        nq_prepared_release(prepared);
        nq_arena_reset(&f->scratch);
    }
}

static void a_batch_is_never_larger_than_asked_for(void **state) {
    sql_fixture *f = *state;
    static const char *const queries[] = {
        "SELECT g FROM generate_series(1, 3000) g",
        "SELECT a.g FROM generate_series(1, 300) a (g) JOIN generate_series(1, 10) b (g) ON TRUE",
        "SELECT a.g FROM generate_series(1, 3000) a (g) JOIN generate_series(1, 3000) b (g) ON a.g "
        "= b.g",
        "SELECT g FROM generate_series(1, 3000) g ORDER BY g DESC",
        "SELECT g FROM generate_series(1, 3000) g GROUP BY g",
        "SELECT DISTINCT g FROM generate_series(1, 3000) g",
        "SELECT g FROM generate_series(1, 1500) g UNION ALL SELECT g FROM generate_series(1, 1500) "
        "g",
    };
    for (size_t i = 0; i < sizeof queries / sizeof queries[0]; i++) {
        for (uint32_t rows_max = 1; rows_max <= 1000; rows_max = rows_max * 10 - 3) {
            nq_prepared *prepared;
            nq_cursor *cursor;
            nq_batch batch;
            uint64_t total = 0;
            assert_int_equal(
                nq_prepare(&f->ctx, f->database, NULL, nq_bytes_of_cstr(queries[i]), &prepared),
                NQ_OK);
            assert_int_equal(nq_cursor_open(&f->ctx, f->database, NULL, prepared, NULL, 0,
                                            nq_bytes_of(NULL, 0), &cursor),
                             NQ_OK);
            do {
                assert_int_equal(nq_cursor_next(&f->ctx, cursor, rows_max, &batch), NQ_OK);
                assert_true(batch.row_count <= rows_max);
                total += batch.row_count;
            } while (batch.row_count > 0);
            assert_int_equal(total, 3000);
            nq_cursor_close(cursor);
            nq_prepared_release(prepared);
            nq_arena_reset(&f->scratch);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_operator_stops_at_the_deadline),
        cmocka_unit_test(a_cancelled_cursor_says_who_cancelled_it),
        cmocka_unit_test(a_long_sort_can_be_stopped_while_it_compares),
        cmocka_unit_test(a_statement_keeps_to_its_memory),
        cmocka_unit_test(no_allocation_is_taken_for_granted),
        cmocka_unit_test(a_batch_is_never_larger_than_asked_for),
    };
    return cmocka_run_group_tests(tests, sql_setup, sql_teardown);
}
