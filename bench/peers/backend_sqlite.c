/* SQLite: a WITHOUT ROWID table in WAL mode, statements prepared once, one connection a session.
 * synchronous=FULL with is_durable, NORMAL without. Writers queue on a mutex, which is kinder to
 * it than its busy handler. */
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/peers/backend.h"
#include "bench/peers/run.h"

enum { PATH_BYTES = 600, SQL_BYTES = 512, BUSY_WAIT_MS = 20000 };

struct bench_database {
    char path[PATH_BYTES];
    bench_backend_options options;
    pthread_mutex_t writer;
    sqlite3 *main;
};

typedef enum statement_kind {
    STATEMENT_PUT,
    STATEMENT_FIND,
    STATEMENT_REMOVE,
    STATEMENT_SCAN_FROM,
    STATEMENT_SCAN,
    STATEMENT_BEGIN_READ,
    STATEMENT_BEGIN_WRITE,
    STATEMENT_COMMIT,
    STATEMENT_ROLLBACK,
    STATEMENT_COUNT,
} statement_kind;

static const char *const texts[STATEMENT_COUNT] = {
    [STATEMENT_PUT] = "INSERT INTO kv VALUES (?1, ?2) ON CONFLICT (k) DO UPDATE SET v = excluded.v",
    [STATEMENT_FIND] = "SELECT v FROM kv WHERE k = ?1",
    [STATEMENT_REMOVE] = "DELETE FROM kv WHERE k = ?1",
    [STATEMENT_SCAN_FROM] = "SELECT k, v FROM kv WHERE k >= ?1 ORDER BY k",
    [STATEMENT_SCAN] = "SELECT k, v FROM kv ORDER BY k",
    [STATEMENT_BEGIN_READ] = "BEGIN",
    [STATEMENT_BEGIN_WRITE] = "BEGIN IMMEDIATE",
    [STATEMENT_COMMIT] = "COMMIT",
    [STATEMENT_ROLLBACK] = "ROLLBACK",
};

struct bench_session {
    bench_database *database;
    sqlite3 *connection;
    sqlite3_stmt *statements[STATEMENT_COUNT];
    bench_access access;
};

static bench_outcome outcome_of(sqlite3 *connection, int code) {
    if (code == SQLITE_OK || code == SQLITE_DONE || code == SQLITE_ROW) {
        return OUTCOME_DONE;
    }
    if (code == SQLITE_BUSY) {
        return OUTCOME_RETRY;
    }
    complain("sqlite", sqlite3_errmsg(connection));
    return OUTCOME_FAILED;
}

static int connect_to(const bench_database *self, sqlite3 **out_connection) {
    char sql[SQL_BYTES];
    int code =
        sqlite3_open_v2(self->path, out_connection,
                        SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL);
    if (code != SQLITE_OK) {
        return code;
    }
    sqlite3_busy_timeout(*out_connection, BUSY_WAIT_MS);
    (void)snprintf(sql, sizeof(sql),
                   "PRAGMA page_size=4096; PRAGMA journal_mode=WAL; PRAGMA synchronous=%s;"
                   "PRAGMA cache_size=-%llu; PRAGMA temp_store=MEMORY;"
                   "CREATE TABLE IF NOT EXISTS kv (k BLOB PRIMARY KEY, v BLOB) WITHOUT ROWID;",
                   self->options.is_durable ? "FULL" : "NORMAL",
                   (unsigned long long)(self->options.cache_bytes >> 10));
    return sqlite3_exec(*out_connection, sql, NULL, NULL, NULL);
}

static bench_outcome sqlite_open(const bench_backend_options *options,
                                 bench_database **out_database) {
    bench_database *self = allocate(sizeof(*self));
    self->options = *options;
    pthread_mutex_init(&self->writer, NULL);
    (void)snprintf(self->path, sizeof(self->path), "%s/kv.sqlite", options->directory);
    *out_database = self;
    int code = connect_to(self, &self->main);
    if (code == SQLITE_OK) {
        /* The first read recovers a left-over WAL: it belongs to opening. */
        code = sqlite3_exec(self->main, "SELECT k FROM kv LIMIT 1", NULL, NULL, NULL);
    }
    return outcome_of(self->main, code);
}

static bench_outcome sqlite_close(bench_database *self) {
    int code = sqlite3_close(self->main);
    pthread_mutex_destroy(&self->writer);
    free(self);
    return code == SQLITE_OK ? OUTCOME_DONE : OUTCOME_FAILED;
}

static bench_outcome sqlite_session_open(bench_database *database, bench_session **out_session) {
    bench_session *self = allocate(sizeof(*self));
    self->database = database;
    *out_session = self;
    int code = connect_to(database, &self->connection);
    for (int i = 0; code == SQLITE_OK && i < STATEMENT_COUNT; i++) {
        code = sqlite3_prepare_v3(self->connection, texts[i], -1, SQLITE_PREPARE_PERSISTENT,
                                  &self->statements[i], NULL);
    }
    return outcome_of(self->connection, code);
}

static void sqlite_session_close(bench_session *self) {
    for (int i = 0; i < STATEMENT_COUNT; i++) {
        sqlite3_finalize(self->statements[i]);
    }
    sqlite3_close(self->connection);
    free(self);
}

static bench_outcome run_once(bench_session *self, statement_kind which) {
    int code = sqlite3_step(self->statements[which]);
    sqlite3_reset(self->statements[which]);
    return outcome_of(self->connection, code);
}

static void bind(sqlite3_stmt *statement, int index, nq_bytes bytes) {
    sqlite3_bind_blob(statement, index, bytes.data, (int)bytes.size, SQLITE_STATIC);
}

static nq_bytes column(sqlite3_stmt *statement, int index) {
    const void *data = sqlite3_column_blob(statement, index);
    return nq_bytes_of(data, (size_t)sqlite3_column_bytes(statement, index));
}

static bench_outcome sqlite_begin(bench_session *self, bench_access access) {
    self->access = access;
    if (access == BACKEND_READ) {
        return run_once(self, STATEMENT_BEGIN_READ);
    }
    pthread_mutex_lock(&self->database->writer);
    bench_outcome begun = run_once(self, STATEMENT_BEGIN_WRITE);
    if (begun != OUTCOME_DONE) {
        pthread_mutex_unlock(&self->database->writer);
    }
    return begun;
}

static bench_outcome sqlite_put(bench_session *self, nq_bytes key, nq_bytes value) {
    bind(self->statements[STATEMENT_PUT], 1, key);
    bind(self->statements[STATEMENT_PUT], 2, value);
    return run_once(self, STATEMENT_PUT);
}

static bench_outcome sqlite_find(bench_session *self, nq_bytes key, nq_bytes *out_value) {
    sqlite3_stmt *find = self->statements[STATEMENT_FIND];
    sqlite3_reset(find);
    bind(find, 1, key);
    int code = sqlite3_step(find);
    if (code == SQLITE_ROW) {
        *out_value = column(find, 0);
        return OUTCOME_DONE;
    }
    sqlite3_reset(find);
    return code == SQLITE_DONE ? OUTCOME_ABSENT : outcome_of(self->connection, code);
}

static bench_outcome sqlite_remove(bench_session *self, nq_bytes key) {
    bind(self->statements[STATEMENT_REMOVE], 1, key);
    bench_outcome removed = run_once(self, STATEMENT_REMOVE);
    if (removed == OUTCOME_DONE && sqlite3_changes(self->connection) == 0) {
        return OUTCOME_ABSENT;
    }
    return removed;
}

static bench_outcome sqlite_scan(bench_session *self, nq_bytes low, uint64_t row_count_max,
                                 bench_row_visitor visit, void *user, uint64_t *out_row_count) {
    sqlite3_stmt *scan = self->statements[low.size > 0 ? STATEMENT_SCAN_FROM : STATEMENT_SCAN];
    int code = SQLITE_DONE;
    *out_row_count = 0;
    if (low.size > 0) {
        bind(scan, 1, low);
    }
    while (*out_row_count < row_count_max && (code = sqlite3_step(scan)) == SQLITE_ROW) {
        ++*out_row_count;
        if (!visit(user, column(scan, 0), column(scan, 1))) {
            break;
        }
    }
    sqlite3_reset(scan);
    return outcome_of(self->connection, code);
}

static void end_turn(bench_session *self) {
    if (self->access == BACKEND_WRITE) {
        pthread_mutex_unlock(&self->database->writer);
    }
}

static bench_outcome sqlite_commit(bench_session *self) {
    sqlite3_reset(self->statements[STATEMENT_FIND]);
    bench_outcome committed = run_once(self, STATEMENT_COMMIT);
    end_turn(self);
    return committed;
}

static void sqlite_rollback(bench_session *self) {
    sqlite3_reset(self->statements[STATEMENT_FIND]);
    (void)run_once(self, STATEMENT_ROLLBACK);
    end_turn(self);
}

static bench_outcome sqlite_checkpoint(bench_database *self) {
    return outcome_of(self->main, sqlite3_wal_checkpoint_v2(
                                      self->main, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL));
}

static bool sqlite_is_data_file(const char *name) {
    return strcmp(name, "kv.sqlite") == 0;
}

const bench_backend backend_sqlite = {
    .name = "sqlite",
    .version = SQLITE_VERSION,
    .open = sqlite_open,
    .close = sqlite_close,
    .session_open = sqlite_session_open,
    .session_close = sqlite_session_close,
    .begin = sqlite_begin,
    .put = sqlite_put,
    .find = sqlite_find,
    .remove = sqlite_remove,
    .scan = sqlite_scan,
    .commit = sqlite_commit,
    .rollback = sqlite_rollback,
    .checkpoint = sqlite_checkpoint,
    .is_data_file = sqlite_is_data_file,
};
