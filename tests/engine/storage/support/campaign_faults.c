/* Campaign: a disk that fails. */
#include <stdio.h>

#include "engine/ground/os/sim_vfs.h"
#include "tests/engine/storage/support/campaign.h"
#include "tests/engine/storage/support/workload.h"

enum { COMMITS = 40 };

static char failure[900];

static const char *fail_with(uint64_t seed, const char *where, const char *what) {
    snprintf(failure, sizeof failure, "seed %llu, %s: %s", (unsigned long long)seed, where, what);
    return failure;
}

static bool is_corruption(nq_status status) {
    return status == NQ_PAGE_CORRUPT || status == NQ_LOG_CORRUPT || status == NQ_FILE_FOREIGN;
}

/* One run in which the nth applicable I/O fails, then a power cut and a restart. */
static const char *run_with_fault(uint64_t seed, nq_sim_fault fault, uint64_t nth,
                                  bool *out_is_hit) {
    static nq_ctx ctx; /* its message outlives the call */
    nq_ctx_init(&ctx, NULL);
    nq_sim_options sim = {.seed = seed};
    nq_sim_vfs *disk;
    if (nq_sim_vfs_create(&ctx, &sim, &disk) != NQ_OK) {
        return "no disk";
    }
    workload w;
    workload_init(&w, seed);
    nq_store_options options = workload_store_options();
    nq_store *store = NULL;
    const char *difference = NULL;
    nq_sim_vfs_fault_at(disk, fault, nth);
    nq_status status = nq_store_open(&ctx, nq_sim_vfs_as_vfs(disk), "db", &options, &store);
    if (status == NQ_OK) {
        status = workload_run(&ctx, &w, store, COMMITS / 2);
        nq_sim_vfs_fault_at(disk, fault, 0);
        /* Reads go on, and see what was committed. */
        size_t found;
        workload readable = w;
        readable.acknowledged = w.committed;
        difference = workload_check(store, &readable, &found);
        if (difference != NULL && nq_store_health(store) != NQ_OK &&
            is_corruption(workload_check_status)) {
            /* A failed sync may have taken evicted pages with it; that is said, not hidden. */
            difference = NULL;
        }
        if (status != NQ_OK && nq_store_health(store) != NQ_OK) {
            nq_txn *txn;
            nq_txn_options txn_options = {0};
            if (nq_txn_begin(&ctx, store, &txn_options, &txn) != NQ_OK ||
                nq_txn_put(&ctx, txn, NQ_TREE_CATALOG, NQ_BYTES_LITERAL("x"), (nq_bytes){0}) !=
                    NQ_READ_ONLY_DATABASE) {
                difference = "an unhealthy store took a write";
            }
            nq_txn_rollback(txn);
        } else if (status != NQ_OK && difference == NULL) {
            /* A failure that was survived: the run goes on. */
            w.acknowledged = w.acknowledged < w.committed ? w.acknowledged : w.committed;
            while (w.state_count - 1 > w.committed) {
                reference_deinit(&w.states[--w.state_count]);
            }
            status = workload_run(&ctx, &w, store, COMMITS / 2);
            difference = status == NQ_OK ? NULL : ctx.error.message;
        }
        (void)nq_store_close(&ctx, store);
    }
    *out_is_hit = nq_sim_vfs_get_stats(disk).faults[fault] != 0;
    nq_sim_vfs_fault_at(disk, fault, 0);
    nq_sim_vfs_crash(disk);
    if (difference == NULL) {
        size_t found;
        if (nq_store_open(&ctx, nq_sim_vfs_as_vfs(disk), "db", &options, &store) != NQ_OK) {
            difference = ctx.error.message;
        } else {
            difference = workload_check(store, &w, &found);
            (void)nq_store_close(&ctx, store);
        }
    }
    workload_deinit(&w);
    nq_sim_vfs_destroy(disk);
    return difference;
}

const char *campaign_faults(uint64_t seed) {
    static const nq_sim_fault faults[] = {NQ_SIM_READ_ERROR, NQ_SIM_WRITE_ERROR, NQ_SIM_WRITE_FULL,
                                          NQ_SIM_SYNC_ERROR, NQ_SIM_NAME_ERROR};
    static const char *const names[] = {"read error", "write error", "disk full", "sync error",
                                        "name error"};
    for (size_t f = 0; f < sizeof faults / sizeof faults[0]; f++) {
        bool is_hit = true;
        /* Every place, in steps that no two faults share. */
        for (uint64_t nth = 1 + seed % 3; is_hit; nth += 3 + f) {
            const char *difference = run_with_fault(seed, faults[f], nth, &is_hit);
            if (difference != NULL) {
                char where[64];
                snprintf(where, sizeof where, "%s at I/O %llu", names[f], (unsigned long long)nth);
                return fail_with(seed, where, difference);
            }
        }
    }
    return NULL;
}
