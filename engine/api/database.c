/* Opening and closing a database; its health and its numbers. */
#include "engine/api/database.h"

#include "engine/api/api_internal.h"
#include "engine/ground/base/heap.h"
#include "engine/ground/obs/metrics.h"
#include "engine/ground/os/clock.h"
#include "engine/storage/backup/restore.h"
#include "engine/storage/upgrade/upgrade.h"

enum { STATEMENT_BYTES_DEFAULT = 256 << 20 };

static nq_status make_archive(nq_ctx *ctx, nq_vfs *vfs, const nq_database_options *options,
                              nq_database *database) {
    return options->log_archive_directory == NULL
               ? NQ_OK
               : nq_archive_directory_create(ctx, vfs, options->log_archive_directory,
                                             &database->log_archive);
}

static void destroy(nq_database *database) {
    nq_archive_directory_destroy(database->log_archive);
    nq_cond_deinit(&database->requests_changed);
    nq_mutex_deinit(&database->mutex);
    nq_heap_free(database);
}

nq_status nq_database_open(nq_ctx *ctx, nq_vfs *vfs, const char *directory,
                           const nq_database_options *options, nq_database **out_database) {
    *out_database = NULL;
    const nq_database_options defaults = {0};
    const nq_database_options *chosen = options != NULL ? options : &defaults;
    nq_store_options store_options = {
        .cache_bytes = chosen->cache_bytes,
        .checkpoint_log_bytes = chosen->checkpoint_log_bytes,
        .txn_bytes_max = chosen->txn_bytes_max,
        .log_copy_directory = chosen->log_copy_directory,
        .log_archive_bytes_max = chosen->log_archive_bytes_max,
    };
    if (chosen->cache_policy != NULL &&
        !nq_cache_policy_find(chosen->cache_policy, &store_options.cache_policy)) {
        return nq_fail(ctx, NQ_INVALID_ARGUMENT, "\"%s\" is no policy of the page cache",
                       chosen->cache_policy);
    }
    nq_database *database = nq_heap_calloc(1, sizeof *database);
    if (database == NULL) {
        return nq_fail_no_memory(ctx, "a database");
    }
    database->statement_bytes_max =
        chosen->statement_bytes_max > 0 ? chosen->statement_bytes_max : STATEMENT_BYTES_DEFAULT;
    nq_mutex_init(&database->mutex, NQ_LOCK_DATABASE);
    nq_cond_init(&database->requests_changed);
    nq_status status = nq_upgrade_prepare(ctx, vfs, directory);
    if (status == NQ_OK) {
        status = nq_restore_check(ctx, vfs, directory);
    }
    if (status == NQ_OK) {
        status = make_archive(ctx, vfs, chosen, database);
        store_options.log_archive = database->log_archive == NULL
                                        ? NULL
                                        : nq_archive_directory_as_archive(database->log_archive);
    }
    if (status == NQ_OK) {
        status = nq_store_open(ctx, vfs, directory, &store_options, &database->store);
    }
    if (status == NQ_OK) {
        status = nq_catalog_open(ctx, database->store, nq_clock_realtime_us, &database->catalog);
        if (status != NQ_OK) {
            nq_ctx ignored;
            nq_ctx_init(&ignored, NULL);
            (void)(nq_store_close(&ignored, database->store) == NQ_OK);
        }
    }
    if (status != NQ_OK) {
        destroy(database);
        return status;
    }
    *out_database = database;
    return NQ_OK;
}

nq_status nq_database_close(nq_ctx *ctx, nq_database *database) {
    nq_mutex_lock(&database->mutex);
    nq_prepared *prepared = nq__plan_cache_pop(&database->plans);
    while (prepared != NULL) {
        nq_mutex_unlock(&database->mutex);
        nq_prepared_release(prepared);
        nq_mutex_lock(&database->mutex);
        prepared = nq__plan_cache_pop(&database->plans);
    }
    nq_mutex_unlock(&database->mutex);
    nq_status status = nq_catalog_close(ctx, database->catalog);
    nq_ctx close_ctx;
    nq_ctx_init(&close_ctx, NULL);
    nq_status close_status = nq_store_close(&close_ctx, database->store);
    if (status == NQ_OK && close_status != NQ_OK) {
        ctx->error = close_ctx.error;
        status = close_status;
    }
    destroy(database);
    return status;
}

nq_status nq_database_checkpoint(nq_ctx *ctx, nq_database *database, uint64_t *out_lsn,
                                 uint64_t *out_pages_written) {
    *out_lsn = *out_pages_written = 0;
    nq_checkpoint_result result;
    NQ_TRY(nq_store_checkpoint(ctx, database->store, &result));
    *out_lsn = result.lsn.value;
    *out_pages_written = result.pages_written;
    return NQ_OK;
}

nq_status nq_database_health(const nq_database *database) {
    return nq_store_health(database->store);
}

nq_log_state nq_database_log_state(const nq_database *database) {
    nq_store_stats stats;
    nq_store_get_stats(database->store, &stats);
    return (nq_log_state){.is_copy_lost = stats.log_is_copy_lost,
                          .is_archive_refusing = stats.log_archive_is_refusing};
}

nq_status nq__database_lsn(nq_ctx *ctx, nq_database *database, uint64_t *out_lsn) {
    const nq_txn_options options = {.read_only = true};
    nq_txn *txn;
    *out_lsn = 0;
    NQ_TRY(nq_txn_begin(ctx, database->store, &options, &txn));
    *out_lsn = nq_txn_snapshot(txn).value;
    nq_txn_rollback(txn);
    return NQ_OK;
}

typedef struct stats_visitor {
    void (*visit)(void *user, const char *name, double value);
    void *user;
} stats_visitor;

static void visit_metric(void *user, const nq_metric_sample *sample) {
    const stats_visitor *visitor = user;
    /* Rows of one name differ by their labels, which this flat list has no room for. */
    if (sample->labels[0] != '\0' || sample->kind == NQ_METRIC_HISTOGRAM) {
        return;
    }
    visitor->visit(visitor->user, sample->name,
                   sample->kind == NQ_METRIC_COUNTER ? (double)sample->count
                                                     : (double)sample->level);
}

static void visit_store(const nq_store *store, const stats_visitor *visitor) {
    nq_store_stats stats;
    nq_store_get_stats(store, &stats);
    const struct {
        const char *name;
        uint64_t value;
    } rows[] = {
        {"store_cache_hits", stats.cache_hits},
        {"store_cache_misses", stats.cache_misses},
        {"store_cache_evictions", stats.cache_evictions},
        {"store_cache_ghost_hits", stats.cache_ghost_hits},
        {"store_cache_shelf_hits", stats.cache_shelf_hits},
        {"store_cache_shelf_pages", stats.cache_shelf_pages},
        {"store_cache_shelf_bytes", stats.cache_shelf_bytes},
        {"store_cache_bytes", stats.cache_bytes},
        {"store_cache_budget_bytes", stats.cache_budget_bytes},
        {"store_pages_read", stats.pages_read},
        {"store_pages_hinted", stats.pages_hinted},
        {"store_pages_written", stats.pages_written},
        {"store_log_bytes", stats.log_bytes},
        {"store_log_syncs", stats.log_syncs},
        {"store_commits", stats.commits},
        {"store_rollbacks", stats.rollbacks},
        {"store_conflicts", stats.conflicts},
        {"store_deadlocks", stats.deadlocks},
        {"store_checkpoints", stats.checkpoints},
        {"store_data_file_bytes", stats.data_file_bytes},
        {"store_data_live_bytes", stats.data_live_bytes},
        {"store_data_written_bytes", stats.data_written_bytes},
        {"store_images_repaired", stats.data_images_repaired},
        {"store_images_lost", stats.data_images_lost},
        {"store_segments_damaged", stats.data_segments_damaged},
        {"store_segments_scrubbed", stats.data_segments_scrubbed},
        {"store_pages", stats.pages},
        {"store_free_pages", stats.free_pages},
        {"store_open_transactions", stats.open_txns},
        {"store_open_snapshots", stats.open_snapshots},
        {"store_recovered_commits", stats.recovered_commits},
        {"store_log_tail_bytes_cut", stats.log_tail_bytes_cut},
        {"store_log_copies", 1u + (stats.log_has_copy && !stats.log_is_copy_lost)},
        {"store_log_copies_lost", stats.log_is_copy_lost},
        {"store_log_unarchived_bytes", stats.log_unarchived_bytes},
        {"store_log_archive_failures", stats.log_archive_failures},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        visitor->visit(visitor->user, rows[i].name, (double)rows[i].value);
    }
}

void nq_database_visit_stats(const nq_database *database,
                             void (*visit)(void *user, const char *name, double value),
                             void *user) {
    nq_database *shared = (nq_database *)(uintptr_t)database;
    stats_visitor visitor = {visit, user};
    nq_mutex_lock(&shared->mutex);
    double plan_count = shared->plans.count, plan_bytes = (double)shared->plans.bytes;
    double plan_hits = (double)shared->plans.hits, plan_misses = (double)shared->plans.misses;
    nq_mutex_unlock(&shared->mutex);
    visit(user, "plan_cache_entries", plan_count);
    visit(user, "plan_cache_bytes", plan_bytes);
    visit(user, "plan_cache_hits", plan_hits);
    visit(user, "plan_cache_misses", plan_misses);
    visit(user, "statements", (double)atomic_load(&shared->statement_count));
    visit(user, "statement_retries", (double)atomic_load(&shared->statement_retry_count));
    visit(user, "statement_failures", (double)atomic_load(&shared->statement_failure_count));
    visit(user, "rows_returned", (double)atomic_load(&shared->rows_returned));
    visit(user, "rows_affected", (double)atomic_load(&shared->rows_affected));
    visit(user, "open_cursors", (double)atomic_load(&shared->open_cursor_count));
    visit(user, "open_transactions", (double)atomic_load(&shared->open_transaction_count));
    visit_store(database->store, &visitor);
    nq_metrics_visit(visit_metric, &visitor);
}
