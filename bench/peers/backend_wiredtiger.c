/* WiredTiger: a row store with update chains, snapshot isolation and a log; no compression. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wiredtiger.h>

#include "bench/peers/backend.h"
#include "bench/peers/run.h"

enum { CONFIG_BYTES = 512 };

static const char *const table_uri = "table:kv";

struct bench_database {
    WT_CONNECTION *connection;
};

struct bench_session {
    WT_SESSION *wt;
    WT_CURSOR *cursor; /* opened by the first transaction: a bulk load wants the table alone */
};

static bench_outcome outcome_of(int code) {
    switch (code) {
    case 0:
        return OUTCOME_DONE;
    case WT_NOTFOUND:
        return OUTCOME_ABSENT;
    case WT_ROLLBACK:
        return OUTCOME_RETRY;
    default:
        complain("wiredtiger", wiredtiger_strerror(code));
        return OUTCOME_FAILED;
    }
}

static WT_ITEM item_of(nq_bytes bytes) {
    return (WT_ITEM){.data = bytes.data, .size = bytes.size};
}

static nq_bytes bytes_of(WT_ITEM item) {
    return nq_bytes_of(item.data, item.size);
}

static bench_outcome wiredtiger_backend_open(const bench_backend_options *options,
                                             bench_database **out_database) {
    char config[CONFIG_BYTES];
    WT_SESSION *session;
    bench_database *self = allocate(sizeof(*self));
    (void)snprintf(config, sizeof(config),
                   "create,cache_size=%llu,session_max=2048,log=(enabled,file_max=32MB,"
                   "prealloc=false),checkpoint=(wait=60),"
                   "transaction_sync=(enabled=true,method=%s)",
                   (unsigned long long)options->cache_bytes,
                   options->is_durable ? "fsync" : "none");
    *out_database = self;
    int code = wiredtiger_open(options->directory, NULL, config, &self->connection);
    if (code == 0) {
        code = self->connection->open_session(self->connection, NULL, NULL, &session);
    }
    if (code == 0) {
        code = session->create(session, table_uri, "key_format=u,value_format=u");
        session->close(session, NULL);
    }
    return outcome_of(code);
}

static bench_outcome wiredtiger_close(bench_database *self) {
    int code = self->connection->close(self->connection, "leak_memory=true");
    free(self);
    return outcome_of(code);
}

static bench_outcome wiredtiger_session_open(bench_database *database,
                                             bench_session **out_session) {
    bench_session *self = allocate(sizeof(*self));
    *out_session = self;
    return outcome_of(database->connection->open_session(database->connection, NULL,
                                                         "isolation=snapshot", &self->wt));
}

static void wiredtiger_session_close(bench_session *self) {
    self->wt->close(self->wt, NULL);
    free(self);
}

static bench_outcome wiredtiger_begin(bench_session *self, bench_access access) {
    (void)access;
    int code = 0;
    if (self->cursor == NULL) {
        code = self->wt->open_cursor(self->wt, table_uri, NULL, "overwrite=true", &self->cursor);
    }
    if (code == 0) {
        code = self->wt->begin_transaction(self->wt, NULL);
    }
    return outcome_of(code);
}

static bench_outcome wiredtiger_put(bench_session *self, nq_bytes key, nq_bytes value) {
    WT_ITEM key_item = item_of(key);
    WT_ITEM value_item = item_of(value);
    self->cursor->set_key(self->cursor, &key_item);
    self->cursor->set_value(self->cursor, &value_item);
    return outcome_of(self->cursor->insert(self->cursor));
}

static bench_outcome wiredtiger_find(bench_session *self, nq_bytes key, nq_bytes *out_value) {
    WT_ITEM key_item = item_of(key);
    WT_ITEM value_item = {0};
    self->cursor->set_key(self->cursor, &key_item);
    int code = self->cursor->search(self->cursor);
    if (code == 0) {
        code = self->cursor->get_value(self->cursor, &value_item);
    }
    *out_value = bytes_of(value_item);
    return outcome_of(code);
}

static bench_outcome wiredtiger_remove(bench_session *self, nq_bytes key) {
    WT_ITEM key_item = item_of(key);
    self->cursor->set_key(self->cursor, &key_item);
    return outcome_of(self->cursor->remove(self->cursor));
}

static int stand_at(bench_session *self, nq_bytes low) {
    int order = 0;
    if (low.size == 0) {
        self->cursor->reset(self->cursor);
        return self->cursor->next(self->cursor);
    }
    WT_ITEM key_item = item_of(low);
    self->cursor->set_key(self->cursor, &key_item);
    int code = self->cursor->search_near(self->cursor, &order);
    return code == 0 && order < 0 ? self->cursor->next(self->cursor) : code;
}

static bench_outcome wiredtiger_scan(bench_session *self, nq_bytes low, uint64_t row_count_max,
                                     bench_row_visitor visit, void *user, uint64_t *out_row_count) {
    *out_row_count = 0;
    int code = stand_at(self, low);
    while (code == 0) {
        WT_ITEM key;
        WT_ITEM value;
        code = self->cursor->get_key(self->cursor, &key);
        if (code == 0) {
            code = self->cursor->get_value(self->cursor, &value);
        }
        if (code != 0) {
            break;
        }
        ++*out_row_count;
        if (!visit(user, bytes_of(key), bytes_of(value)) || *out_row_count == row_count_max) {
            break;
        }
        code = self->cursor->next(self->cursor);
    }
    return code == WT_NOTFOUND ? OUTCOME_DONE : outcome_of(code);
}

static bench_outcome wiredtiger_commit(bench_session *self) {
    self->cursor->reset(self->cursor);
    return outcome_of(self->wt->commit_transaction(self->wt, NULL));
}

static void wiredtiger_rollback(bench_session *self) {
    self->cursor->reset(self->cursor);
    self->wt->rollback_transaction(self->wt, NULL);
}

static bench_outcome wiredtiger_checkpoint(bench_database *self) {
    WT_SESSION *session;
    int code = self->connection->open_session(self->connection, NULL, NULL, &session);
    if (code != 0) {
        return outcome_of(code);
    }
    code = session->checkpoint(session, NULL);
    session->close(session, NULL);
    return outcome_of(code);
}

static bench_outcome wiredtiger_bulk_load(bench_session *self, bench_row_source next, void *user) {
    WT_CURSOR *cursor;
    nq_bytes key;
    nq_bytes value;
    int code = self->wt->open_cursor(self->wt, table_uri, NULL, "bulk", &cursor);
    if (code != 0) {
        return outcome_of(code);
    }
    while (code == 0 && next(user, &key, &value)) {
        WT_ITEM key_item = item_of(key);
        WT_ITEM value_item = item_of(value);
        cursor->set_key(cursor, &key_item);
        cursor->set_value(cursor, &value_item);
        code = cursor->insert(cursor);
    }
    int closed = cursor->close(cursor);
    return outcome_of(code != 0 ? code : closed);
}

static bool wiredtiger_is_data_file(const char *name) {
    return strcmp(name, "kv.wt") == 0;
}

const bench_backend backend_wiredtiger = {
    .name = "wiredtiger",
    .version =
        VERSION_TEXT(WIREDTIGER_VERSION_MAJOR, WIREDTIGER_VERSION_MINOR, WIREDTIGER_VERSION_PATCH),
    .open = wiredtiger_backend_open,
    .close = wiredtiger_close,
    .session_open = wiredtiger_session_open,
    .session_close = wiredtiger_session_close,
    .begin = wiredtiger_begin,
    .put = wiredtiger_put,
    .find = wiredtiger_find,
    .remove = wiredtiger_remove,
    .scan = wiredtiger_scan,
    .commit = wiredtiger_commit,
    .rollback = wiredtiger_rollback,
    .checkpoint = wiredtiger_checkpoint,
    .bulk_load = wiredtiger_bulk_load,
    .is_data_file = wiredtiger_is_data_file,
};
