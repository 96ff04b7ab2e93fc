/* Campaign: crashes. A clone of the disk is taken before each I/O of one run, its power cut, and
 * the store recovered from it. */
#include <stdio.h>

#include "engine/ground/os/sim_vfs.h"
#include "engine/ground/os/thread.h"
#include "engine/storage/pager/superblock.h"
#include "tests/engine/storage/support/campaign.h"
#include "tests/engine/storage/support/workload.h"

enum { COMMITS = 40 };

typedef struct crash_run {
    nq_sim_vfs *disk;
    workload work;
    uint64_t seed;
    campaign_counts *counts;
    char failure[700]; /* the first */
} crash_run;

/* One crash to recover from. Runs on a thread of its own: the run it interrupts holds locks. */
typedef struct recovery {
    crash_run *run;
    nq_sim_vfs *disk;
    uint64_t io;
    bool is_cut; /* the power fails once more, inside */
} recovery;

static bool fail_recovery(recovery *r, const char *what) {
    snprintf(r->run->failure, sizeof r->run->failure, "seed %llu, crash before I/O %llu%s: %s",
             (unsigned long long)r->run->seed, (unsigned long long)r->io,
             r->is_cut ? ", and inside recovery" : "", what);
    return false;
}

/* Opens what a crash left and holds it against the workload. */
static bool recover_and_check(recovery *r) {
    nq_ctx ctx;
    nq_ctx_init(&ctx, NULL);
    nq_store_options options = workload_store_options();
    nq_store *store;
    if (nq_store_open(&ctx, nq_sim_vfs_as_vfs(r->disk), "db", &options, &store) != NQ_OK) {
        return fail_recovery(r, ctx.error.message);
    }
    size_t found;
    const char *difference = workload_check(store, &r->run->work, &found);
    if (nq_store_close(&ctx, store) != NQ_OK && difference == NULL) {
        difference = ctx.error.message;
    }
    return difference == NULL || fail_recovery(r, difference);
}

/* Every other time one superblock is unreadable, as a bad sector makes it. */
static void lose_a_superblock(recovery *r) {
    if (r->io % 2 != 0) {
        return;
    }
    nq_segment_layout layout = {workload_store_options().lane_blocks};
    uint32_t copy = (uint32_t)(r->io / 2 % NQ_SUPERBLOCK_COPIES);
    for (uint32_t i = 0; i < 16; i++) {
        nq_sim_vfs_flip_bit(r->disk, "db/data.nqdb", nq_superblock_offset(layout, copy) + i, i % 8);
    }
}

/* Cuts the power in the middle of the recovery. */
static bool recover_until_cut(recovery *r) {
    nq_ctx ctx;
    nq_ctx_init(&ctx, NULL);
    nq_store_options options = workload_store_options();
    nq_rng rng = {r->run->seed * 1000003 + r->io};
    nq_sim_vfs_fault_at(r->disk, NQ_SIM_POWER_CUT, 1 + nq_rng_below(&rng, 24));
    nq_store *store;
    nq_status status = nq_store_open(&ctx, nq_sim_vfs_as_vfs(r->disk), "db", &options, &store);
    if (status == NQ_OK) {
        status = nq_store_close(&ctx, store);
    }
    bool is_on = nq_sim_vfs_is_on(r->disk);
    if (status != NQ_OK && is_on) {
        return fail_recovery(r, ctx.error.message);
    }
    r->run->counts->cuts_in_recovery += is_on ? 0 : 1;
    nq_sim_vfs_fault_at(r->disk, NQ_SIM_POWER_CUT, 0);
    nq_sim_vfs_crash(r->disk);
    return true;
}

static void run_recovery(void *argument) {
    recovery *r = argument;
    if (!r->is_cut || recover_until_cut(r)) {
        lose_a_superblock(r);
        recover_and_check(r);
    }
}

static void crash_here(void *user, uint64_t io) {
    crash_run *run = user;
    for (int round = 0; round < 2 && run->failure[0] == 0; round++) {
        nq_ctx ctx;
        nq_ctx_init(&ctx, NULL);
        recovery r = {.run = run, .io = io, .is_cut = round == 1};
        nq_thread thread;
        if (nq_sim_vfs_clone(&ctx, run->disk, io * 2 + (uint64_t)round, &r.disk) != NQ_OK) {
            fail_recovery(&r, ctx.error.message);
            return;
        }
        nq_sim_vfs_crash(r.disk);
        if (nq_thread_start(&ctx, &thread, "recovery", run_recovery, &r) == NQ_OK) {
            nq_thread_join(&thread);
        } else {
            fail_recovery(&r, ctx.error.message);
        }
        nq_sim_vfs_destroy(r.disk);
    }
    run->counts->crashes++;
}

const char *campaign_crashes(uint64_t seed, campaign_counts *counts) {
    static crash_run run;
    run = (crash_run){.seed = seed, .counts = counts};
    nq_ctx ctx;
    nq_ctx_init(&ctx, NULL);
    nq_sim_options sim = {.seed = seed, .writeback_ppm = 100000};
    if (nq_sim_vfs_create(&ctx, &sim, &run.disk) != NQ_OK) {
        return "no disk";
    }
    workload_init(&run.work, seed);
    nq_sim_vfs_set_observer(run.disk, crash_here, &run);
    nq_store_options options = workload_store_options();
    nq_store *store = NULL;
    nq_status status = nq_store_open(&ctx, nq_sim_vfs_as_vfs(run.disk), "db", &options, &store);
    if (status == NQ_OK) {
        status = workload_run(&ctx, &run.work, store, COMMITS);
    }
    nq_error error = ctx.error;
    if (store != NULL) {
        nq_status close_status = nq_store_close(&ctx, store);
        error = status == NQ_OK ? ctx.error : error;
        status = status == NQ_OK ? close_status : status;
    }
    if (status != NQ_OK && run.failure[0] == 0) {
        snprintf(run.failure, sizeof run.failure, "seed %llu: %s", (unsigned long long)seed,
                 error.message);
    }
    workload_deinit(&run.work);
    nq_sim_vfs_destroy(run.disk);
    return run.failure[0] == 0 ? NULL : run.failure;
}
