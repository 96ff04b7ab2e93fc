/* Berkeley DB 5.3: the classic design — page locks, a write-ahead log, pages changed in place.
 * Without is_durable commits write the log but do not sync it. */
#include <db.h>
#include <stdlib.h>
#include <string.h>

#include "bench/peers/backend.h"
#include "bench/peers/run.h"

enum {
    LOCKS_MAX = 100000,
    LOG_FILE_BYTES = 64 << 20,
    LOG_BUFFER_BYTES = 1 << 20,
    PAGE_BYTES = 4096,
    BULK_BYTES = 65536, /* what a cursor reads at once */
};

struct bench_database {
    DB_ENV *env;
    DB *db;
};

struct bench_session {
    bench_database *database;
    DB_TXN *txn;
    uint8_t key[BULK_BYTES];
    uint8_t value[BULK_BYTES];
};

static bench_outcome outcome_of(int code) {
    switch (code) {
    case 0:
        return OUTCOME_DONE;
    case DB_NOTFOUND:
        return OUTCOME_ABSENT;
    case DB_LOCK_DEADLOCK:
    case DB_LOCK_NOTGRANTED:
        return OUTCOME_RETRY;
    default:
        complain("berkeley", db_strerror(code));
        return OUTCOME_FAILED;
    }
}

static DBT dbt_of(nq_bytes bytes) {
    return (DBT){.data = (void *)(uintptr_t)bytes.data, .size = (u_int32_t)bytes.size};
}

static void configure(DB_ENV *env, const bench_backend_options *options) {
    const uint64_t gigabyte = 1 << 30;
    env->set_cachesize(env, (u_int32_t)(options->cache_bytes / gigabyte),
                       (u_int32_t)(options->cache_bytes % gigabyte), 1);
    env->set_lk_max_locks(env, LOCKS_MAX);
    env->set_lk_max_objects(env, LOCKS_MAX);
    env->set_lk_max_lockers(env, LOCKS_MAX);
    env->set_lk_detect(env, DB_LOCK_DEFAULT);
    env->set_lg_max(env, LOG_FILE_BYTES);
    env->set_lg_bsize(env, LOG_BUFFER_BYTES);
    env->log_set_config(env, DB_LOG_AUTO_REMOVE, 1);
    if (!options->is_durable) {
        env->set_flags(env, DB_TXN_WRITE_NOSYNC, 1);
    }
}

static bench_outcome berkeley_open(const bench_backend_options *options,
                                   bench_database **out_database) {
    bench_database *self = allocate(sizeof(*self));
    *out_database = self;
    int code = db_env_create(&self->env, 0);
    if (code != 0) {
        return outcome_of(code);
    }
    configure(self->env, options);
    code = self->env->open(self->env, options->directory,
                           DB_CREATE | DB_RECOVER | DB_INIT_LOCK | DB_INIT_LOG | DB_INIT_MPOOL |
                               DB_INIT_TXN | DB_THREAD | DB_PRIVATE,
                           0644);
    if (code == 0) {
        code = db_create(&self->db, self->env, 0);
    }
    if (code == 0) {
        self->db->set_pagesize(self->db, PAGE_BYTES);
        code = self->db->open(self->db, NULL, "kv.db", NULL, DB_BTREE,
                              DB_CREATE | DB_AUTO_COMMIT | DB_THREAD, 0644);
    }
    return outcome_of(code);
}

static bench_outcome berkeley_close(bench_database *self) {
    int code = self->env->txn_checkpoint(self->env, 0, 0, 0);
    self->db->close(self->db, 0);
    self->env->close(self->env, 0);
    free(self);
    return outcome_of(code);
}

static bench_outcome berkeley_session_open(bench_database *database, bench_session **out_session) {
    bench_session *self = allocate(sizeof(*self));
    self->database = database;
    *out_session = self;
    return OUTCOME_DONE;
}

static void berkeley_session_close(bench_session *self) {
    free(self);
}

static bench_outcome berkeley_begin(bench_session *self, bench_access access) {
    DB_ENV *env = self->database->env;
    return outcome_of(
        env->txn_begin(env, NULL, &self->txn, access == BACKEND_READ ? DB_READ_COMMITTED : 0));
}

static bench_outcome berkeley_put(bench_session *self, nq_bytes key, nq_bytes value) {
    DBT key_dbt = dbt_of(key);
    DBT value_dbt = dbt_of(value);
    DB *db = self->database->db;
    return outcome_of(db->put(db, self->txn, &key_dbt, &value_dbt, 0));
}

static bench_outcome berkeley_find(bench_session *self, nq_bytes key, nq_bytes *out_value) {
    DB *db = self->database->db;
    DBT key_dbt = dbt_of(key);
    DBT value_dbt = {.data = self->value, .ulen = sizeof(self->value), .flags = DB_DBT_USERMEM};
    int code = db->get(db, self->txn, &key_dbt, &value_dbt, 0);
    *out_value = nq_bytes_of(self->value, value_dbt.size);
    return outcome_of(code);
}

static bench_outcome berkeley_remove(bench_session *self, nq_bytes key) {
    DB *db = self->database->db;
    DBT key_dbt = dbt_of(key);
    return outcome_of(db->del(db, self->txn, &key_dbt, 0));
}

/* The rows of one bulk read; false when the visitor or the limit ended the scan. */
static bool visit_bulk(DBT *bulk, uint64_t row_count_max, bench_row_visitor visit, void *user,
                       uint64_t *row_count) {
    void *position;
    DB_MULTIPLE_INIT(position, bulk);
    while (*row_count < row_count_max) {
        uint8_t *key;
        uint8_t *value;
        size_t key_bytes;
        size_t value_bytes;
        DB_MULTIPLE_KEY_NEXT(position, bulk, key, key_bytes, value, value_bytes);
        if (position == NULL) {
            return true;
        }
        ++*row_count;
        if (!visit(user, nq_bytes_of(key, key_bytes), nq_bytes_of(value, value_bytes))) {
            return false;
        }
    }
    return false;
}

static bench_outcome berkeley_scan(bench_session *self, nq_bytes low, uint64_t row_count_max,
                                   bench_row_visitor visit, void *user, uint64_t *out_row_count) {
    DB *db = self->database->db;
    DBC *cursor;
    *out_row_count = 0;
    int code = db->cursor(db, self->txn, &cursor, 0);
    if (code != 0) {
        return outcome_of(code);
    }
    DBT key = {.data = self->key,
               .ulen = sizeof(self->key),
               .flags = DB_DBT_USERMEM,
               .size = (u_int32_t)low.size};
    DBT bulk = {.data = self->value, .ulen = sizeof(self->value), .flags = DB_DBT_USERMEM};
    if (low.size > 0) {
        memcpy(self->key, low.data, low.size);
    }
    u_int32_t move = low.size > 0 ? DB_SET_RANGE : DB_FIRST;
    while ((code = cursor->get(cursor, &key, &bulk, DB_MULTIPLE_KEY | move)) == 0 &&
           visit_bulk(&bulk, row_count_max, visit, user, out_row_count)) {
        move = DB_NEXT;
    }
    cursor->close(cursor);
    return code == DB_NOTFOUND ? OUTCOME_DONE : outcome_of(code);
}

static bench_outcome berkeley_commit(bench_session *self) {
    return outcome_of(self->txn->commit(self->txn, 0));
}

static void berkeley_rollback(bench_session *self) {
    self->txn->abort(self->txn);
}

static bench_outcome berkeley_checkpoint(bench_database *self) {
    return outcome_of(self->env->txn_checkpoint(self->env, 0, 0, 0));
}

static bool berkeley_is_data_file(const char *name) {
    return strcmp(name, "kv.db") == 0;
}

const bench_backend backend_berkeley = {
    .name = "berkeley",
    .version = VERSION_TEXT(DB_VERSION_MAJOR, DB_VERSION_MINOR, DB_VERSION_PATCH),
    .open = berkeley_open,
    .close = berkeley_close,
    .session_open = berkeley_session_open,
    .session_close = berkeley_session_close,
    .begin = berkeley_begin,
    .put = berkeley_put,
    .find = berkeley_find,
    .remove = berkeley_remove,
    .scan = berkeley_scan,
    .commit = berkeley_commit,
    .rollback = berkeley_rollback,
    .checkpoint = berkeley_checkpoint,
    .is_data_file = berkeley_is_data_file,
};
