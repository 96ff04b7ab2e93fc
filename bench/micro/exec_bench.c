/* The executor inside the process, beside SQLite on the same rows: one line per goal.
 *
 *     exec_bench EMPTY_DIRECTORY
 *
 * Both read a table of 1,000,000 rows (bigint key, short text, double) and hand every value of
 * every result row to the caller. Rates are rows of input a second on one core, or statements a
 * second; medians of alternating rounds. SQLite's database is in memory; ours is on disk, its pages
 * cached. */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/api/database.h"
#include "engine/ground/os/clock.h"
#include "engine/ground/os/vfs.h"

enum { ROUNDS = 5, TABLE_ROWS = 1000000, LOAD_ROWS = 50000, POINT_QUERIES = 50000 };

typedef struct goal {
    const char *name;
    const char *ours;
    const char *theirs; /* NULL: the gate is a rate, in rows a second */
    double rows;
    double gate; /* least ratio, or least rate */
} goal;

static const goal goals[] = {
    {"exec-series-arithmetic",
     "SELECT g * 2 + 1, g % 7, g::double precision / 3 FROM generate_series(1, 10000000) g", NULL,
     1e7, 5e6},
    {"exec-scan-3-columns", "SELECT id, s, v FROM m", "SELECT id, s, v FROM m", TABLE_ROWS, 1.0},
    {"exec-scan-rate", "SELECT id, s, v FROM m", NULL, TABLE_ROWS, 5e6},
    {"exec-filter", "SELECT count(*) FROM m WHERE v * 2 + 1 > 900000 AND s <> 'series-7'",
     "SELECT count(*) FROM m WHERE v * 2 + 1 > 900000 AND s <> 'series-7'", TABLE_ROWS, 1.0},
    {"exec-group", "SELECT s, count(*), avg(v), max(v) FROM m GROUP BY s",
     "SELECT s, count(*), avg(v), max(v) FROM m GROUP BY s", TABLE_ROWS, 1.0},
    {"exec-sum", "SELECT count(*), sum(id), avg(v), min(v), max(v) FROM m",
     "SELECT count(*), sum(id), avg(v), min(v), max(v) FROM m", TABLE_ROWS, 1.0},
    {"exec-sort", "SELECT id, v FROM m ORDER BY id * 7919 % 1000003",
     "SELECT id, v FROM m ORDER BY id * 7919 % 1000003", TABLE_ROWS, 1.0},
    {"exec-top-10", "SELECT id, v FROM m ORDER BY id * 7919 % 1000003 LIMIT 10",
     "SELECT id, v FROM m ORDER BY id * 7919 % 1000003 LIMIT 10", TABLE_ROWS, 1.0},
    {"exec-hash-join", "SELECT count(*) FROM m a JOIN m b ON a.v = b.v",
     "SELECT count(*) FROM m a JOIN m b ON a.v = b.v", TABLE_ROWS, 1.0},
    {"exec-like", "SELECT count(*) FROM m WHERE s LIKE '%ies-4_'",
     "SELECT count(*) FROM m WHERE s LIKE '%ies-4_'", TABLE_ROWS, 1.0},
};

static nq_ctx ctx;
static nq_arena scratch;
static nq_database *database;
static sqlite3 *lite;
static volatile uint64_t sink; /* what was read, so that reading it cannot be left out */

static void die(const char *what, const char *why) {
    fprintf(stderr, "%s: %s\n", what, why);
    exit(1);
}

static void check(nq_status status, const char *what) {
    if (status != NQ_OK) {
        die(what, ctx.error.message);
    }
}

static double seconds_now(void) {
    return (double)nq_clock_monotonic_ns() / 1e9;
}

static void take_batch(const nq_batch *batch) {
    uint64_t sum = 0;
    for (uint32_t column = 0; batch->row_count > 0 && column < batch->column_count; column++) {
        const nq_vector *vector = &batch->columns[column];
        bool is_bytes = nq_type_form(vector->type.id) == NQ_FORM_BYTES;
        for (uint32_t row = 0; row < batch->row_count; row++) {
            sum += is_bytes ? vector->bytes[row].size : (uint64_t)vector->integers[row];
        }
    }
    sink += sum;
}

static void run_ours(nq_prepared *prepared, const nq_parameter *parameter) {
    nq_cursor *cursor;
    nq_batch batch;
    check(nq_cursor_open(&ctx, database, NULL, prepared, parameter, parameter != NULL,
                         nq_bytes_of(NULL, 0), &cursor),
          "open");
    do {
        check(nq_cursor_next(&ctx, cursor, 0, &batch), "next");
        take_batch(&batch);
    } while (batch.row_count > 0);
    nq_cursor_close(cursor);
}

static nq_prepared *prepare_ours(const char *sql) {
    nq_prepared *prepared;
    check(nq_prepare(&ctx, database, NULL, nq_bytes_of_cstr(sql), &prepared), sql);
    return prepared;
}

static void run_theirs(sqlite3_stmt *statement) {
    uint64_t sum = 0;
    int columns = sqlite3_column_count(statement);
    while (sqlite3_step(statement) == SQLITE_ROW) {
        for (int c = 0; c < columns; c++) {
            switch (sqlite3_column_type(statement, c)) {
            case SQLITE_TEXT:
                (void)sqlite3_column_text(statement, c);
                sum += (uint64_t)sqlite3_column_bytes(statement, c);
                break;
            case SQLITE_FLOAT:
                sum += (uint64_t)sqlite3_column_double(statement, c);
                break;
            default:
                sum += (uint64_t)sqlite3_column_int64(statement, c);
                break;
            }
        }
    }
    sink += sum;
    sqlite3_reset(statement);
}

static sqlite3_stmt *prepare_theirs(const char *sql) {
    sqlite3_stmt *statement;
    if (sqlite3_prepare_v2(lite, sql, -1, &statement, NULL) != SQLITE_OK) {
        die(sql, sqlite3_errmsg(lite));
    }
    return statement;
}

static int compare_doubles(const void *left, const void *right) {
    double l = *(const double *)left;
    double r = *(const double *)right;
    return (l > r) - (l < r);
}

static double median(double *values) {
    qsort(values, ROUNDS, sizeof values[0], compare_doubles);
    return values[ROUNDS / 2];
}

static void print_line(const char *name, double ours, double theirs, double gate) {
    bool is_rate = theirs == 0;
    double ratio = is_rate ? ours / gate : ours / theirs;
    bool is_ok = is_rate ? ours >= gate : ratio >= gate;
    printf("BENCH %s ours=%.0f/s peer=%.0f/s ratio=%.2f gate=%s%.2f %s\n", name, ours,
           is_rate ? gate : theirs, ratio, ">=", is_rate ? 1.0 : gate, is_ok ? "ok" : "short");
}

static void load(void) {
    nq_prepared *create =
        prepare_ours("CREATE TABLE m (id BIGINT PRIMARY KEY, s TEXT, v DOUBLE PRECISION)");
    run_ours(create, NULL);
    nq_prepared_release(create);
    for (int first = 1; first <= TABLE_ROWS; first += LOAD_ROWS) {
        char sql[200];
        (void)snprintf(sql, sizeof sql,
                       "INSERT INTO m SELECT g, 'series-' || (g %% 50), g * 0.5 "
                       "FROM generate_series(%d, %d) g",
                       first, first + LOAD_ROWS - 1);
        nq_prepared *insert = prepare_ours(sql);
        run_ours(insert, NULL);
        nq_prepared_release(insert);
        nq_arena_reset(&scratch);
    }
    char *error = NULL;
    if (sqlite3_exec(
            lite,
            "CREATE TABLE m (id INTEGER PRIMARY KEY, s TEXT, v REAL);"
            "INSERT INTO m WITH RECURSIVE g (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM g "
            "WHERE n < 1000000) SELECT n, 'series-' || (n % 50), n * 0.5 FROM g",
            NULL, NULL, &error) != SQLITE_OK) {
        die("sqlite", error);
    }
}

static void measure_goal(const goal *g) {
    double ours[ROUNDS];
    double theirs[ROUNDS] = {0};
    nq_prepared *prepared = prepare_ours(g->ours);
    sqlite3_stmt *statement = g->theirs == NULL ? NULL : prepare_theirs(g->theirs);
    for (int round = 0; round < ROUNDS; round++) {
        double start = seconds_now();
        run_ours(prepared, NULL);
        ours[round] = g->rows / (seconds_now() - start);
        if (statement != NULL) {
            start = seconds_now();
            run_theirs(statement);
            theirs[round] = g->rows / (seconds_now() - start);
        }
        nq_arena_reset(&scratch);
    }
    nq_prepared_release(prepared);
    sqlite3_finalize(statement);
    print_line(g->name, median(ours), g->theirs == NULL ? 0 : median(theirs), g->gate);
}

/* Prepared once, run with another key each time: the plan of an application's commonest query. */
static void measure_points(void) {
    double ours[ROUNDS];
    double theirs[ROUNDS];
    nq_prepared *prepared = prepare_ours("SELECT id, s, v FROM m WHERE id = $1");
    sqlite3_stmt *statement = prepare_theirs("SELECT id, s, v FROM m WHERE id = ?1");
    for (int round = 0; round < ROUNDS; round++) {
        double start = seconds_now();
        for (int64_t i = 0; i < POINT_QUERIES; i++) {
            nq_parameter key = {.position = 1, .value = NQ_VALUE_INT64(i * 7919 % TABLE_ROWS + 1)};
            run_ours(prepared, &key);
            nq_arena_reset(&scratch);
        }
        ours[round] = POINT_QUERIES / (seconds_now() - start);
        start = seconds_now();
        for (int64_t i = 0; i < POINT_QUERIES; i++) {
            sqlite3_bind_int64(statement, 1, i * 7919 % TABLE_ROWS + 1);
            run_theirs(statement);
        }
        theirs[round] = POINT_QUERIES / (seconds_now() - start);
    }
    nq_prepared_release(prepared);
    sqlite3_finalize(statement);
    print_line("exec-point-select", median(ours), median(theirs), 1.0 / 3);
}

int main(int argument_count, char **arguments) {
    if (argument_count != 2) {
        die("usage", "exec_bench EMPTY_DIRECTORY");
    }
    nq_arena_init(&scratch, 64 << 20);
    nq_ctx_init(&ctx, &scratch);
    nq_database_options options = {.cache_bytes = 256 << 20};
    check(nq_database_open(&ctx, nq_vfs_posix(), arguments[1], &options, &database), arguments[1]);
    if (sqlite3_open(":memory:", &lite) != SQLITE_OK) {
        die("sqlite", "cannot open");
    }
    load();
    for (size_t i = 0; i < sizeof goals / sizeof goals[0]; i++) {
        measure_goal(&goals[i]);
    }
    measure_points();
    sqlite3_close(lite);
    check(nq_database_close(&ctx, database), "close");
    return 0;
}
