/* Ours: the storage wing's front door, with the options it has by default but the cache. Lazy
 * commits stand for "no sync". The rows' tree is found again through one entry of the catalog's. */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/peers/backend.h"
#include "bench/peers/run.h"
#include "engine/ground/base/logger.h"
#include "engine/storage/store/store.h"

enum { SCAN_BATCH = 64 };

struct bench_database {
    nq_store *store;
    nq_tree_id tree;
    nq_durability durability;
};

struct bench_session {
    bench_database *database;
    nq_ctx ctx;
    nq_txn *txn;
};

/* Lines from the level of warnings upwards. */
static _Atomic uint64_t warnings;

static void take_warning(void *user, const char *line, size_t bytes) {
    (void)user;
    atomic_fetch_add(&warnings, 1);
    (void)fwrite(line, 1, bytes, stderr);
}

static bench_outcome outcome_of(nq_ctx *ctx, nq_status status) {
    if (status == NQ_OK) {
        return OUTCOME_DONE;
    }
    if (status == NQ_WRITE_CONFLICT || status == NQ_DEADLOCK) {
        return OUTCOME_RETRY;
    }
    complain("ours", ctx->error.message);
    return OUTCOME_FAILED;
}

static nq_status find_or_create_tree(nq_ctx *ctx, nq_store *store, nq_tree_id *out_tree) {
    const nq_bytes tree_key = NQ_BYTES_LITERAL("rows");
    nq_txn *txn;
    nq_bytes value;
    nq_status status = nq_txn_begin(ctx, store, &(nq_txn_options){0}, &txn);
    if (status != NQ_OK) {
        return status;
    }
    status = nq_txn_find(ctx, txn, NQ_TREE_CATALOG, tree_key, &value);
    if (status == NQ_OK && value.data != NULL) {
        memcpy(&out_tree->value, value.data, sizeof(out_tree->value));
        nq_txn_rollback(txn);
        return NQ_OK;
    }
    if (status == NQ_OK) {
        status = nq_txn_tree_create(ctx, txn, out_tree);
    }
    if (status == NQ_OK) {
        status = nq_txn_put(ctx, txn, NQ_TREE_CATALOG, tree_key,
                            nq_bytes_of(&out_tree->value, sizeof(out_tree->value)));
    }
    if (status != NQ_OK) {
        nq_txn_rollback(txn);
        return status;
    }
    return nq_txn_commit(ctx, txn, &(nq_commit_options){.durability = NQ_DURABLE}, NULL);
}

static bench_outcome ours_open(const bench_backend_options *options,
                               bench_database **out_database) {
    nq_ctx ctx;
    nq_ctx_init(&ctx, NULL);
    nq_logger_configure(&(nq_logger_options){.level_min = NQ_LEVEL_WARN, .sink = take_warning});
    bench_database *self = allocate(sizeof(*self));
    self->durability = options->is_durable ? NQ_DURABLE : NQ_LAZY;
    nq_store_options store_options = {.cache_bytes = options->cache_bytes};
    nq_status status =
        nq_store_open(&ctx, nq_vfs_posix(), options->directory, &store_options, &self->store);
    if (status != NQ_OK) {
        free(self);
        return outcome_of(&ctx, status);
    }
    *out_database = self;
    return outcome_of(&ctx, find_or_create_tree(&ctx, self->store, &self->tree));
}

static bench_outcome ours_close(bench_database *self) {
    nq_ctx ctx;
    nq_ctx_init(&ctx, NULL);
    nq_status status = nq_store_close(&ctx, self->store);
    free(self);
    return outcome_of(&ctx, status);
}

static bench_outcome ours_session_open(bench_database *database, bench_session **out_session) {
    bench_session *self = allocate(sizeof(*self));
    self->database = database;
    nq_ctx_init(&self->ctx, NULL);
    *out_session = self;
    return OUTCOME_DONE;
}

static void ours_session_close(bench_session *self) {
    free(self);
}

static bench_outcome ours_begin(bench_session *self, bench_access access) {
    const nq_txn_options options = {.isolation = NQ_REPEATABLE_READ,
                                    .read_only = access == BACKEND_READ};
    return outcome_of(&self->ctx,
                      nq_txn_begin(&self->ctx, self->database->store, &options, &self->txn));
}

static bench_outcome ours_put(bench_session *self, nq_bytes key, nq_bytes value) {
    return outcome_of(&self->ctx,
                      nq_txn_put(&self->ctx, self->txn, self->database->tree, key, value));
}

static bench_outcome ours_find(bench_session *self, nq_bytes key, nq_bytes *out_value) {
    nq_status status = nq_txn_find(&self->ctx, self->txn, self->database->tree, key, out_value);
    if (status == NQ_OK && out_value->data == NULL) {
        return OUTCOME_ABSENT;
    }
    return outcome_of(&self->ctx, status);
}

static bench_outcome ours_remove(bench_session *self, nq_bytes key) {
    bool was_present;
    nq_status status =
        nq_txn_remove(&self->ctx, self->txn, self->database->tree, key, &was_present);
    if (status == NQ_OK && !was_present) {
        return OUTCOME_ABSENT;
    }
    return outcome_of(&self->ctx, status);
}

static bench_outcome ours_scan(bench_session *self, nq_bytes low, uint64_t row_count_max,
                               bench_row_visitor visit, void *user, uint64_t *out_row_count) {
    nq_scan *scan;
    const nq_scan_range range = {.low = low};
    *out_row_count = 0;
    nq_status status = nq_scan_open(&self->ctx, self->txn, self->database->tree, &range, &scan);
    if (status != NQ_OK) {
        return outcome_of(&self->ctx, status);
    }
    nq_entry rows[SCAN_BATCH];
    uint32_t count = 1;
    while (status == NQ_OK && count != 0 && *out_row_count < row_count_max) {
        uint64_t left = row_count_max - *out_row_count;
        uint32_t count_max = left < SCAN_BATCH ? (uint32_t)left : SCAN_BATCH;
        status = nq_scan_next_batch(&self->ctx, scan, rows, count_max, &count);
        *out_row_count += count;
        for (uint32_t i = 0; i < count; i++) {
            if (!visit(user, rows[i].key, rows[i].value)) {
                *out_row_count -= count - 1 - i;
                count = 0;
            }
        }
    }
    nq_scan_close(scan);
    return outcome_of(&self->ctx, status);
}

static bench_outcome ours_commit(bench_session *self) {
    const nq_commit_options options = {.durability = self->database->durability};
    return outcome_of(&self->ctx, nq_txn_commit(&self->ctx, self->txn, &options, NULL));
}

static void ours_rollback(bench_session *self) {
    nq_txn_rollback(self->txn);
}

static bench_outcome ours_checkpoint(bench_database *self) {
    nq_ctx ctx;
    nq_ctx_init(&ctx, NULL);
    return outcome_of(&ctx, nq_store_checkpoint(&ctx, self->store, NULL));
}

static nq_status load_rows(nq_ctx *ctx, nq_bulk *bulk, bench_row_source next, void *user) {
    nq_bytes key;
    nq_bytes value;
    nq_status status = NQ_OK;
    while (status == NQ_OK && next(user, &key, &value)) {
        status = nq_bulk_add(ctx, bulk, key, value);
    }
    return status == NQ_OK ? nq_bulk_finish(ctx, bulk) : status;
}

static bench_outcome ours_bulk_load(bench_session *self, bench_row_source next, void *user) {
    nq_bulk *bulk;
    const bench_outcome begun = ours_begin(self, BACKEND_WRITE);
    if (begun != OUTCOME_DONE) {
        return begun;
    }
    nq_status status = nq_bulk_begin(&self->ctx, self->txn, self->database->tree, &bulk);
    if (status == NQ_OK) {
        status = load_rows(&self->ctx, bulk, next, user);
    }
    if (status != NQ_OK) {
        nq_txn_rollback(self->txn);
        return outcome_of(&self->ctx, status);
    }
    return ours_commit(self);
}

static void ours_count_damage(bench_database *self, bench_damage *out_damage) {
    nq_store_stats stats;
    nq_store_get_stats(self->store, &stats);
    *out_damage = (bench_damage){
        .places = stats.data_segments_damaged,
        .log_lines = atomic_load(&warnings),
        .restored = stats.data_images_repaired,
    };
}

static bool ours_is_data_file(const char *name) {
    return strcmp(name, "data.nqdb") == 0;
}

const bench_backend backend_ours = {
    .name = "ours",
    .version = "this tree",
    .open = ours_open,
    .close = ours_close,
    .session_open = ours_session_open,
    .session_close = ours_session_close,
    .begin = ours_begin,
    .put = ours_put,
    .find = ours_find,
    .remove = ours_remove,
    .scan = ours_scan,
    .commit = ours_commit,
    .rollback = ours_rollback,
    .checkpoint = ours_checkpoint,
    .bulk_load = ours_bulk_load,
    .count_damage = ours_count_damage,
    .is_data_file = ours_is_data_file,
};
