/* LMDB: copy-on-write pages in a mapped file, one writer. Default mode (pwrite and fdatasync);
 * MDB_NOSYNC without is_durable. Read transactions are renewed, not made anew, as its manual
 * advises. */
#include <lmdb.h>
#include <stdlib.h>
#include <string.h>

#include "bench/peers/backend.h"
#include "bench/peers/run.h"

enum { READERS_MAX = 2048 };

struct bench_database {
    MDB_env *env;
    MDB_dbi rows;
};

struct bench_session {
    bench_database *database;
    MDB_txn *reader;
    MDB_txn *writer;
    MDB_cursor *cursor; /* the reader's */
    bench_access access;
};

static bench_outcome outcome_of(int code) {
    if (code == MDB_SUCCESS) {
        return OUTCOME_DONE;
    }
    if (code == MDB_NOTFOUND) {
        return OUTCOME_ABSENT;
    }
    complain("lmdb", mdb_strerror(code));
    return OUTCOME_FAILED;
}

static MDB_val val_of(nq_bytes bytes) {
    return (MDB_val){.mv_size = bytes.size, .mv_data = (void *)(uintptr_t)bytes.data};
}

static nq_bytes bytes_of(MDB_val val) {
    return nq_bytes_of(val.mv_data, val.mv_size);
}

static int open_rows(bench_database *self) {
    MDB_txn *txn;
    int code = mdb_txn_begin(self->env, NULL, 0, &txn);
    if (code != MDB_SUCCESS) {
        return code;
    }
    code = mdb_dbi_open(txn, NULL, 0, &self->rows);
    if (code != MDB_SUCCESS) {
        mdb_txn_abort(txn);
        return code;
    }
    return mdb_txn_commit(txn);
}

static bench_outcome lmdb_open(const bench_backend_options *options,
                               bench_database **out_database) {
    unsigned flags = MDB_NOTLS | MDB_NORDAHEAD | (options->is_durable ? 0 : MDB_NOSYNC);
    bench_database *self = allocate(sizeof(*self));
    int code = mdb_env_create(&self->env);
    if (code == MDB_SUCCESS) {
        code = mdb_env_set_mapsize(self->env, options->map_bytes);
    }
    if (code == MDB_SUCCESS) {
        code = mdb_env_set_maxreaders(self->env, READERS_MAX);
    }
    if (code == MDB_SUCCESS) {
        code = mdb_env_open(self->env, options->directory, flags, 0644);
    }
    if (code == MDB_SUCCESS) {
        code = open_rows(self);
    }
    *out_database = self;
    return outcome_of(code);
}

static bench_outcome lmdb_close(bench_database *self) {
    mdb_env_close(self->env);
    free(self);
    return OUTCOME_DONE;
}

static bench_outcome lmdb_session_open(bench_database *database, bench_session **out_session) {
    bench_session *self = allocate(sizeof(*self));
    self->database = database;
    int code = mdb_txn_begin(database->env, NULL, MDB_RDONLY, &self->reader);
    if (code == MDB_SUCCESS) {
        code = mdb_cursor_open(self->reader, database->rows, &self->cursor);
    }
    if (code == MDB_SUCCESS) {
        mdb_txn_reset(self->reader);
    }
    *out_session = self;
    return outcome_of(code);
}

static void lmdb_session_close(bench_session *self) {
    mdb_cursor_close(self->cursor);
    mdb_txn_abort(self->reader);
    free(self);
}

static bench_outcome lmdb_begin(bench_session *self, bench_access access) {
    self->access = access;
    return outcome_of(access == BACKEND_WRITE
                          ? mdb_txn_begin(self->database->env, NULL, 0, &self->writer)
                          : mdb_txn_renew(self->reader));
}

static bench_outcome lmdb_put(bench_session *self, nq_bytes key, nq_bytes value) {
    MDB_val lmdb_key = val_of(key);
    MDB_val lmdb_value = val_of(value);
    return outcome_of(mdb_put(self->writer, self->database->rows, &lmdb_key, &lmdb_value, 0));
}

static bench_outcome lmdb_find(bench_session *self, nq_bytes key, nq_bytes *out_value) {
    MDB_val lmdb_key = val_of(key);
    MDB_val lmdb_value = {0};
    MDB_txn *txn = self->access == BACKEND_WRITE ? self->writer : self->reader;
    bench_outcome found = outcome_of(mdb_get(txn, self->database->rows, &lmdb_key, &lmdb_value));
    *out_value = bytes_of(lmdb_value);
    return found;
}

static bench_outcome lmdb_remove(bench_session *self, nq_bytes key) {
    MDB_val lmdb_key = val_of(key);
    return outcome_of(mdb_del(self->writer, self->database->rows, &lmdb_key, NULL));
}

static bench_outcome lmdb_scan(bench_session *self, nq_bytes low, uint64_t row_count_max,
                               bench_row_visitor visit, void *user, uint64_t *out_row_count) {
    MDB_val key = val_of(low);
    MDB_val value;
    *out_row_count = 0;
    int code = mdb_cursor_renew(self->reader, self->cursor);
    if (code == MDB_SUCCESS) {
        code = mdb_cursor_get(self->cursor, &key, &value, low.size > 0 ? MDB_SET_RANGE : MDB_FIRST);
    }
    while (code == MDB_SUCCESS) {
        ++*out_row_count;
        if (!visit(user, bytes_of(key), bytes_of(value)) || *out_row_count == row_count_max) {
            return OUTCOME_DONE;
        }
        code = mdb_cursor_get(self->cursor, &key, &value, MDB_NEXT);
    }
    return code == MDB_NOTFOUND ? OUTCOME_DONE : outcome_of(code);
}

static bench_outcome lmdb_commit(bench_session *self) {
    if (self->access == BACKEND_WRITE) {
        return outcome_of(mdb_txn_commit(self->writer));
    }
    mdb_txn_reset(self->reader);
    return OUTCOME_DONE;
}

static void lmdb_rollback(bench_session *self) {
    if (self->access == BACKEND_WRITE) {
        mdb_txn_abort(self->writer);
    } else {
        mdb_txn_reset(self->reader);
    }
}

static bench_outcome lmdb_checkpoint(bench_database *self) {
    return outcome_of(mdb_env_sync(self->env, 1));
}

static int append_rows(bench_session *self, MDB_txn *txn, bench_row_source next, void *user) {
    MDB_cursor *cursor;
    nq_bytes key;
    nq_bytes value;
    int code = mdb_cursor_open(txn, self->database->rows, &cursor);
    if (code != MDB_SUCCESS) {
        return code;
    }
    while (code == MDB_SUCCESS && next(user, &key, &value)) {
        MDB_val lmdb_key = val_of(key);
        MDB_val lmdb_value = val_of(value);
        code = mdb_cursor_put(cursor, &lmdb_key, &lmdb_value, MDB_APPEND);
    }
    mdb_cursor_close(cursor);
    return code;
}

static bench_outcome lmdb_bulk_load(bench_session *self, bench_row_source next, void *user) {
    MDB_txn *txn;
    int code = mdb_txn_begin(self->database->env, NULL, 0, &txn);
    if (code != MDB_SUCCESS) {
        return outcome_of(code);
    }
    code = append_rows(self, txn, next, user);
    if (code != MDB_SUCCESS) {
        mdb_txn_abort(txn);
        return outcome_of(code);
    }
    return outcome_of(mdb_txn_commit(txn));
}

static bool lmdb_is_data_file(const char *name) {
    return strcmp(name, "data.mdb") == 0;
}

const bench_backend backend_lmdb = {
    .name = "lmdb",
    .version = VERSION_TEXT(MDB_VERSION_MAJOR, MDB_VERSION_MINOR, MDB_VERSION_PATCH),
    .open = lmdb_open,
    .close = lmdb_close,
    .session_open = lmdb_session_open,
    .session_close = lmdb_session_close,
    .begin = lmdb_begin,
    .put = lmdb_put,
    .find = lmdb_find,
    .remove = lmdb_remove,
    .scan = lmdb_scan,
    .commit = lmdb_commit,
    .rollback = lmdb_rollback,
    .checkpoint = lmdb_checkpoint,
    .bulk_load = lmdb_bulk_load,
    .is_data_file = lmdb_is_data_file,
};
