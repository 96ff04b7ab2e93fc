/* Campaigns: flipped bits, and a disk that fails. */
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

/* ---- Flipped bits ---- */

typedef struct flip {
    char path[64];
    uint64_t offset;
    unsigned bit;
} flip;

/* What the store says about a flipped bit: NULL when it is right or refuses. `lost_max`: how many
 * of the newest commits may be missing without a word. */
static const char *judge_flip(nq_sim_vfs *disk, const workload *w, size_t lost_max,
                              bool *out_is_noticed) {
    *out_is_noticed = true;
    static nq_ctx ctx; /* its message outlives the call */
    nq_ctx_init(&ctx, NULL);
    nq_store_options options = workload_store_options();
    nq_store *store;
    nq_status status = nq_store_open(&ctx, nq_sim_vfs_as_vfs(disk), "db", &options, &store);
    if (status != NQ_OK) {
        return is_corruption(status) ? NULL : ctx.error.message;
    }
    workload lenient = *w;
    lenient.acknowledged -= lost_max < lenient.acknowledged ? lost_max : lenient.acknowledged;
    size_t found;
    const char *difference = workload_check(store, &lenient, &found);
    if (difference != NULL && is_corruption(workload_check_status)) {
        difference = NULL;
    } else {
        *out_is_noticed = difference != NULL || found != w->committed;
    }
    if (nq_store_close(&ctx, store) != NQ_OK && difference == NULL &&
        !is_corruption(ctx.error.code)) {
        difference = ctx.error.message;
    }
    return difference;
}

static const char *try_flip(nq_sim_vfs *disk, const workload *w, const flip *f, size_t lost_max,
                            campaign_counts *counts, uint64_t seed) {
    nq_ctx ctx;
    nq_ctx_init(&ctx, NULL);
    nq_sim_vfs *copy;
    if (nq_sim_vfs_clone(&ctx, disk, seed, &copy) != NQ_OK) {
        return "no clone";
    }
    const char *difference = NULL;
    if (nq_sim_vfs_flip_bit(copy, f->path, f->offset, f->bit)) {
        bool is_noticed;
        difference = judge_flip(copy, w, lost_max, &is_noticed);
        counts->flips++;
        counts->flips_noticed += is_noticed ? 1 : 0;
    }
    nq_sim_vfs_destroy(copy);
    if (difference != NULL) {
        char where[128];
        snprintf(where, sizeof where, "%s offset %llu bit %u", f->path,
                 (unsigned long long)f->offset, f->bit);
        return fail_with(seed, where, difference);
    }
    return NULL;
}

static nq_status file_bytes(nq_sim_vfs *disk, const char *path, uint64_t *out_bytes) {
    nq_ctx ctx;
    nq_ctx_init(&ctx, NULL);
    nq_file *file;
    *out_bytes = 0;
    NQ_TRY(nq_vfs_open(&ctx, nq_sim_vfs_as_vfs(disk), path, NQ_OPEN_READ_ONLY, &file));
    nq_status status = nq_file_size(&ctx, file, out_bytes);
    nq_file_close(file);
    return status;
}

static const char *flip_many(nq_sim_vfs *disk, const workload *w, uint64_t seed,
                             uint64_t flip_count, size_t lost_max, campaign_counts *counts) {
    nq_rng rng = {seed};
    const char *difference = NULL;
    uint64_t data_bytes;
    file_bytes(disk, "db/data.nqdb", &data_bytes);
    for (uint64_t i = 0; i < flip_count && difference == NULL; i++) {
        flip f = {.bit = (unsigned)nq_rng_below(&rng, 8)};
        uint64_t bytes = data_bytes;
        if (i % 2 == 0) {
            snprintf(f.path, sizeof f.path, "db/data.nqdb");
        } else {
            snprintf(f.path, sizeof f.path, "db/log/%016llx.log",
                     (unsigned long long)nq_rng_below(&rng, 12));
            if (file_bytes(disk, f.path, &bytes) != NQ_OK) {
                continue;
            }
        }
        f.offset = nq_rng_below(&rng, bytes);
        if (i % 8 == 0) {
            /* The few bytes of the superblocks in use. */
            f.offset = f.offset % 4 * 8192 + nq_rng_below(&rng, 128);
        }
        difference = try_flip(disk, w, &f, lost_max, counts, seed);
    }
    return difference;
}

const char *campaign_bit_flips(uint64_t seed, uint64_t flip_count, campaign_counts *counts) {
    nq_ctx ctx;
    nq_ctx_init(&ctx, NULL);
    nq_sim_options sim = {.seed = seed};
    nq_sim_vfs *disk;
    if (nq_sim_vfs_create(&ctx, &sim, &disk) != NQ_OK) {
        return "no disk";
    }
    workload w;
    workload_init(&w, seed);
    nq_store_options options = workload_store_options();
    nq_store *store;
    const char *difference = NULL;
    if (nq_store_open(&ctx, nq_sim_vfs_as_vfs(disk), "db", &options, &store) != NQ_OK ||
        workload_run(&ctx, &w, store, COMMITS) != NQ_OK) {
        return fail_with(seed, "bit flips", ctx.error.message);
    }
    w.is_durable_only = true;
    if (workload_run(&ctx, &w, store, 2) != NQ_OK) {
        return fail_with(seed, "bit flips", ctx.error.message);
    }
    /* While the log is needed: the newest group, which holds the newest commit alone, cannot be
     * told from an unfinished write. */
    difference = flip_many(disk, &w, seed, flip_count, 1, counts);
    if (nq_store_close(&ctx, store) != NQ_OK && difference == NULL) {
        difference = fail_with(seed, "close", ctx.error.message);
    }
    /* After an orderly end nothing may be missing. */
    w.acknowledged = w.committed;
    if (difference == NULL) {
        difference = flip_many(disk, &w, seed + 1, flip_count, 0, counts);
    }
    workload_deinit(&w);
    nq_sim_vfs_destroy(disk);
    return difference;
}

/* ---- Failing I/O ---- */

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
