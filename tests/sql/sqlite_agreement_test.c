/* Agreement with SQLite: the same data, the same queries, the same digits.
 *
 * The data looks like the public sensor archives that people load first: series of unlike size,
 * decimal readings, some huge, some null. Numbers are printed at 15 significant digits on both
 * sides: SQLite sums in long double or with compensation, depending on its version. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "engine/ground/base/rng.h"
#include "tests/sql/session.h"

enum { ROW_COUNT = 50000, ANSWER_BYTES_MAX = 1 << 20, SERIES_COUNT = 58 };

typedef struct text {
    char *data;
    size_t size;
} text;

static void add(text *out, const char *piece) {
    size_t size = strlen(piece);
    assert_true(out->size + size < ANSWER_BYTES_MAX);
    memcpy(out->data + out->size, piece, size + 1);
    out->size += size;
}

static void add_number(text *out, double value) {
    char digits[40];
    (void)snprintf(digits, sizeof digits, "%.15g", value == 0 ? 0.0 : value);
    add(out, digits);
}

static void add_row(void *user, const nq_batch *batch, uint32_t row) {
    text *out = user;
    char cell[256];
    for (uint32_t i = 0; i < batch->column_count; i++) {
        nq_value value = nq_batch_value(batch, i, row);
        if (value.is_null) {
            add(out, "null");
        } else if (nq_type_form(value.type) == NQ_FORM_FLOAT64) {
            add_number(out, value.number);
        } else if (nq_type_form(value.type) == NQ_FORM_BYTES) {
            (void)snprintf(cell, sizeof cell, "%.*s", NQ_BYTES_FORMAT(value.bytes));
            add(out, cell);
        } else {
            (void)snprintf(cell, sizeof cell, "%lld",
                           value.type == NQ_TYPE_BOOL ? (long long)value.boolean
                                                      : (long long)value.integer);
            add(out, cell);
        }
        add(out, i + 1 < batch->column_count ? "|" : "\n");
    }
}

static void add_sqlite_row(text *out, sqlite3_stmt *statement) {
    int count = sqlite3_column_count(statement);
    for (int i = 0; i < count; i++) {
        switch (sqlite3_column_type(statement, i)) {
        case SQLITE_NULL:
            add(out, "null");
            break;
        case SQLITE_FLOAT:
            add_number(out, sqlite3_column_double(statement, i));
            break;
        default:
            add(out, (const char *)sqlite3_column_text(statement, i));
            break;
        }
        add(out, i + 1 < count ? "|" : "\n");
    }
}

typedef struct pair {
    nq_session ours;
    sqlite3 *theirs;
    text our_answer, their_answer;
} pair;

static void run_both(pair *p, const char *sql) {
    nq_status status = session_run(&p->ours, nq_bytes_of_cstr(sql), NULL, 0, NULL, NULL, NULL);
    if (status != NQ_OK) {
        fail_msg("%s: %s", sql, p->ours.ctx.error.message);
    }
    assert_int_equal(sqlite3_exec(p->theirs, sql, NULL, NULL, NULL), SQLITE_OK);
}

static void assert_agree(pair *p, const char *sql) {
    p->our_answer.size = p->their_answer.size = 0;
    p->our_answer.data[0] = p->their_answer.data[0] = '\0';
    nq_status status =
        session_run(&p->ours, nq_bytes_of_cstr(sql), NULL, 0, add_row, &p->our_answer, NULL);
    if (status != NQ_OK) {
        fail_msg("%s: %s", sql, p->ours.ctx.error.message);
    }
    sqlite3_stmt *statement;
    if (sqlite3_prepare_v2(p->theirs, sql, -1, &statement, NULL) != SQLITE_OK) {
        fail_msg("%s: %s", sql, sqlite3_errmsg(p->theirs));
    }
    while (sqlite3_step(statement) == SQLITE_ROW) {
        add_sqlite_row(&p->their_answer, statement);
    }
    sqlite3_finalize(statement);
    assert_true(p->their_answer.size > 0);
    if (strcmp(p->our_answer.data, p->their_answer.data) != 0) {
        size_t at = 0;
        while (p->our_answer.data[at] == p->their_answer.data[at]) {
            at++;
        }
        at = at < 60 ? 0 : at - 60;
        fail_msg("%s\nours:   %.120s\ntheirs: %.120s", sql, p->our_answer.data + at,
                 p->their_answer.data + at);
    }
}

/* A reading as it stands in a file: decimals, now and then huge or missing. */
static void print_reading(nq_rng *rng, uint64_t series, char *out) {
    switch (nq_rng_below(rng, 20)) {
    case 0:
        (void)strcpy(out, "NULL");
        return;
    case 1:
        (void)sprintf(out, "%llu", (unsigned long long)nq_rng_below(rng, 1000000000));
        return;
    default:
        (void)sprintf(out, "%.*f", (int)(series % 12), (nq_rng_unit(rng) - 0.3) * 150);
        return;
    }
}

static void fill(pair *p) {
    nq_rng rng = {20240229};
    static char sql[64 << 10];
    run_both(p, "CREATE TABLE reading (series TEXT, at BIGINT, value DOUBLE PRECISION, n INTEGER)");
    run_both(p, "BEGIN");
    for (int row = 0; row < ROW_COUNT;) {
        size_t size = (size_t)sprintf(sql, "INSERT INTO reading VALUES ");
        for (int i = 0; i < 500; i++, row++) {
            char value[64];
            uint64_t series = nq_rng_below(&rng, SERIES_COUNT);
            series = nq_rng_below(&rng, series + 1); /* Unlike sizes. */
            print_reading(&rng, series, value);
            size += (size_t)sprintf(sql + size, "%s('series/%02llu', %d, %s, %lld)",
                                    i > 0 ? ", " : "", (unsigned long long)series, row, value,
                                    (long long)nq_rng_below(&rng, 2000) - 1000);
        }
        run_both(p, sql);
    }
    run_both(p, "COMMIT");
}

static const char *const queries[] = {
    "SELECT series, count(*), avg(value), max(value), min(value), sum(value) FROM reading "
    "GROUP BY series ORDER BY series",
    "SELECT series, count(value), sum(n), min(n), max(n) FROM reading GROUP BY series "
    "HAVING count(*) > 300 ORDER BY count(*) DESC, series",
    "SELECT n % 7, count(*), avg(value) FROM reading WHERE value > 10.5 AND n <> 3 GROUP BY n % 7 "
    "ORDER BY 1",
    "SELECT series, n, count(*) FROM reading WHERE n BETWEEN -3 AND 3 GROUP BY series, n "
    "ORDER BY series, n",
    "SELECT count(DISTINCT series), count(DISTINCT n), sum(n), avg(n * 1.0) FROM reading",
    "SELECT at, series, value FROM reading WHERE value IS NOT NULL ORDER BY value DESC, at "
    "LIMIT 50 OFFSET 5",
    "SELECT DISTINCT series FROM reading WHERE value IS NULL ORDER BY series",
    "SELECT CASE WHEN value < 0 THEN 'cold' WHEN value < 50 THEN 'mild' ELSE 'hot' END AS k, "
    "count(*), sum(value) FROM reading WHERE value IS NOT NULL GROUP BY k ORDER BY k",
    "SELECT a.series, count(*), sum(a.value * b.n) FROM reading a JOIN reading b ON a.at = b.at + "
    "1 "
    "WHERE b.series LIKE 'series/1%' GROUP BY a.series ORDER BY a.series",
    "SELECT x.series, x.c, count(r.at) FROM (SELECT series, count(*) AS c FROM reading "
    "GROUP BY series) x LEFT JOIN reading r ON r.series = x.series AND r.value > 100 "
    "GROUP BY x.series, x.c ORDER BY x.series",
    "SELECT count(*) FROM reading WHERE series IN (SELECT series FROM reading WHERE value > 1e8) "
    "AND n > 0",
};

static void groups_joins_and_orders_agree_to_fifteen_digits(void **state) {
    (void)state;
    static pair p;
    assert_int_equal(session_open(&p.ours), NQ_OK);
    assert_int_equal(sqlite3_open(":memory:", &p.theirs), SQLITE_OK);
    p.our_answer.data = malloc(ANSWER_BYTES_MAX);
    p.their_answer.data = malloc(ANSWER_BYTES_MAX);
    fill(&p);
    for (size_t i = 0; i < sizeof queries / sizeof queries[0]; i++) {
        assert_agree(&p, queries[i]);
    }
    run_both(&p, "UPDATE reading SET value = value * 2, n = n + 1 WHERE n % 3 = 0");
    run_both(&p, "DELETE FROM reading WHERE value < 0 AND series > 'series/05'");
    for (size_t i = 0; i < 4; i++) {
        assert_agree(&p, queries[i]);
    }
    free(p.our_answer.data);
    free(p.their_answer.data);
    sqlite3_close(p.theirs);
    session_close(&p.ours);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(groups_joins_and_orders_agree_to_fifteen_digits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
