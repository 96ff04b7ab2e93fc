/* Rows: import, aggregate and stream one data set, beside SQLite (WAL, synchronous=FULL). */
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

#include "bench/workload/measure.h"

enum { STREAM_ROWS = 10000000 };

/* ---- Ours ---- */

static void run(nq_client *client, const char *sql) {
    nq_rows *rows;
    nq_failure failure;
    nq_query query = {.sql = sql, .mode = NQ_DELIVERY_WHOLE};
    check(nq_client_query(client, &query, &rows, &failure), sql, &failure);
    nq_rows_close(rows);
}

static double import_ours(nq_client *client, const data_set *data) {
    static const char *const names[] = {"series", "at", "value"};
    static const nq_data_type types[] = {NQ_DATA_TEXT, NQ_DATA_TIMESTAMP, NQ_DATA_FLOAT64};
    const nq_load load = {
        .table = "readings", .column_names = names, .column_types = types, .column_count = 3};
    nq_failure failure;
    nq_loader *loader;
    nq_load_result result;
    run(client, "DROP TABLE IF EXISTS readings");
    run(client, "CREATE TABLE readings (series TEXT, at TIMESTAMP, value DOUBLE PRECISION)");
    double started = seconds_now();
    check(nq_client_load(client, &load, 0, &loader, &failure), "load", &failure);
    for (size_t i = 0; i < data->count; i++) {
        const reading *r = &data->rows[i];
        const nq_datum row[] = {
            {.type = NQ_DATA_TEXT, .text = r->series, .text_bytes = strlen(r->series)},
            {.type = NQ_DATA_TIMESTAMP, .integer = r->time_us},
            {.type = NQ_DATA_FLOAT64, .number = r->value},
        };
        check(nq_loader_append(loader, row, &failure), "append", &failure);
    }
    check(nq_loader_finish(loader, &result, &failure), "finish", &failure);
    nq_loader_close(loader);
    return (double)data->count / (seconds_now() - started);
}

/* Rows per second of a query whose every cell of the first column is touched; how many in
 * *out_rows. */
static double stream_ours(nq_client *client, const char *sql, size_t *out_rows) {
    nq_rows *rows;
    nq_failure failure;
    const nq_row_batch *batch;
    nq_query query = {.sql = sql, .mode = NQ_DELIVERY_STREAM};
    volatile uint64_t sum = 0;
    nq_step step;
    *out_rows = 0;
    double started = seconds_now();
    check(nq_client_query(client, &query, &rows, &failure), sql, &failure);
    while ((step = nq_rows_next(rows, &batch, &failure)) == NQ_STEP_ITEM) {
        uint32_t count = nq_row_batch_count(batch);
        sum += nq_row_batch_get(batch, 0, count - 1).text_bytes;
        *out_rows += count;
    }
    double elapsed = seconds_now() - started;
    if (step != NQ_STEP_END) {
        die(sql, failure.message);
    }
    nq_rows_close(rows);
    (void)sum;
    return (double)*out_rows / elapsed;
}

/* ---- SQLite ---- */

static void lite(sqlite3 *db, const char *sql) {
    char *words = NULL;
    if (sqlite3_exec(db, sql, NULL, NULL, &words) != SQLITE_OK) {
        die(sql, words);
    }
}

static double import_lite(sqlite3 *db, const data_set *data) {
    lite(db, "DROP TABLE IF EXISTS readings");
    lite(db, "CREATE TABLE readings (series TEXT, at INTEGER, value REAL)");
    sqlite3_stmt *insert;
    double started = seconds_now();
    lite(db, "BEGIN");
    sqlite3_prepare_v2(db, "INSERT INTO readings VALUES (?, ?, ?)", -1, &insert, NULL);
    for (size_t i = 0; i < data->count; i++) {
        const reading *r = &data->rows[i];
        sqlite3_bind_text(insert, 1, r->series, -1, SQLITE_STATIC);
        sqlite3_bind_int64(insert, 2, r->time_us);
        sqlite3_bind_double(insert, 3, r->value);
        if (sqlite3_step(insert) != SQLITE_DONE) {
            die("insert", sqlite3_errmsg(db));
        }
        sqlite3_reset(insert);
    }
    sqlite3_finalize(insert);
    lite(db, "COMMIT");
    return (double)data->count / (seconds_now() - started);
}

static double stream_lite(sqlite3 *db, const char *sql, size_t *out_rows) {
    sqlite3_stmt *select;
    volatile uint64_t sum = 0;
    *out_rows = 0;
    double started = seconds_now();
    if (sqlite3_prepare_v2(db, sql, -1, &select, NULL) != SQLITE_OK) {
        die(sql, sqlite3_errmsg(db));
    }
    int columns = sqlite3_column_count(select);
    while (sqlite3_step(select) == SQLITE_ROW) {
        for (int i = 0; i < columns; i++) {
            sum += (uint64_t)sqlite3_column_type(select, i);
        }
        ++*out_rows;
    }
    double elapsed = seconds_now() - started;
    sqlite3_finalize(select);
    (void)sum;
    return (double)*out_rows / elapsed;
}

/* ---- The goals ---- */

static void compare_streams(const char *name, nq_client *client, sqlite3 *db, const char *ours,
                            const char *theirs, double rows_scanned, double gate) {
    double our_rates[ROUNDS];
    double peer_rates[ROUNDS];
    for (int i = 0; i < ROUNDS; i++) {
        size_t our_rows;
        size_t peer_rows;
        our_rates[i] = stream_ours(client, ours, &our_rows);
        peer_rates[i] = stream_lite(db, theirs, &peer_rows);
        if (our_rows != peer_rows) {
            die(name, "the two disagree about the number of rows");
        }
        /* An aggregate's speed is that of what it reads. */
        our_rates[i] *= rows_scanned > 0 ? rows_scanned / (double)our_rows : 1;
        peer_rates[i] *= rows_scanned > 0 ? rows_scanned / (double)peer_rows : 1;
    }
    bench_line(name, median(our_rates, ROUNDS), median(peer_rates, ROUNDS), gate);
}

static void stream_ten_million(nq_client *client) {
    double rates[ROUNDS];
    size_t rows;
    for (int i = 0; i < ROUNDS; i++) {
        rates[i] = stream_ours(client,
                               "SELECT g, g * 0.5::double precision, 'row ' || g "
                               "FROM generate_series(1, 10000000) AS s(g)",
                               &rows);
    }
    if (rows != STREAM_ROWS) {
        die("stream", "not ten million rows");
    }
    bench_line("stream_10m_rows_3_columns_per_s", median(rates, ROUNDS), 2e6, 1.0);
}

void bench_rows(nq_client *client, const data_set *data, const char *sqlite_path) {
    sqlite3 *db;
    double our_rates[ROUNDS];
    double peer_rates[ROUNDS];
    if (sqlite3_open(sqlite_path, &db) != SQLITE_OK) {
        die("sqlite", sqlite_path);
    }
    lite(db, "PRAGMA journal_mode=WAL");
    lite(db, "PRAGMA synchronous=FULL");
    for (int i = 0; i < ROUNDS; i++) {
        our_rates[i] = import_ours(client, data);
        peer_rates[i] = import_lite(db, data);
    }
    bench_line("import_rows_per_s_vs_sqlite", median(our_rates, ROUNDS), median(peer_rates, ROUNDS),
               0.5);
    const char *group =
        "SELECT series, count(*), avg(value), max(value) FROM readings GROUP BY series";
    compare_streams("group_by_rows_per_s_vs_sqlite", client, db, group, group, (double)data->count,
                    1.0);
    const char *scan = "SELECT series, at, value FROM readings";
    compare_streams("stream_table_rows_per_s_vs_sqlite", client, db, scan, scan, 0, 0.5);
    stream_ten_million(client);
    sqlite3_close(db);
}
