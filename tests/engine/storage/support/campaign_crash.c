/* Campaign: crashes. A clone of the disk is taken before each I/O of one run, its power cut, and
 * the store recovered from it. */
#include <stdio.h>

#include "engine/ground/os/sim_clock.h"
#include "engine/ground/os/sim_vfs.h"
#include "engine/ground/os/thread.h"
#include "engine/storage/pager/superblock.h"
#include "tests/engine/storage/support/campaign.h"
#include "tests/engine/storage/support/workload.h"

#define DATA_FILE "db/data.nqdb"

enum {
    PROCESS_END_EVERY = 3,
    SEED_STRIDE = 1000003,
    CREATION_IOS = 60, /* during which the process ends before every one */
};
static const int64_t clock_start_ns = INT64_C(1000000000);

/* What store is interrupted on what disk, and where. */
typedef struct crash_plan {
    size_t commits;
    uint32_t lane_blocks;
    bool has_damage; /* a power cut reaches what lies near the writes; the log is kept twice */
    uint32_t collateral_bytes;
    bool is_sparing; /* only at I/Os since which something else awaits a sync of the data file */
} crash_plan;

static const crash_plan plain = {.commits = 40, .lane_blocks = 1};
/* As much damage as parity restores in segments so small. */
static const crash_plan damaging = {
    .commits = 40, .lane_blocks = 1, .has_damage = true, .collateral_bytes = 4096};
static const crash_plan full_size = {.commits = 24,
                                     .lane_blocks = NQ_SEGMENT_LANE_BLOCKS_MAX,
                                     .has_damage = true,
                                     .collateral_bytes = NQ_SIM_COLLATERAL_BYTES,
                                     .is_sparing = true};

typedef struct crash_run {
    const crash_plan *plan;
    nq_sim_vfs *disk;
    workload work;
    uint64_t seed;
    uint64_t writes; /* that the disk had seen at the last I/O that was looked at */
    campaign_counts *counts;
    char failure[700]; /* the first */
} crash_run;

typedef enum interruption {
    POWER_CUT,
    POWER_CUT_TWICE, /* and again inside the recovery */
    PROCESS_END,     /* what the kernel has been given stays */
    INTERRUPTION_COUNT
} interruption;

static const char *const interruption_names[] = {"power cut", "power cut and again inside recovery",
                                                 "end of the process"};

/* One interruption to recover from. Runs on a thread of its own: the run it interrupts holds locks.
 */
typedef struct recovery {
    crash_run *run;
    nq_sim_vfs *disk;
    uint64_t io;
    interruption kind;
} recovery;

static bool fail_recovery(recovery *r, const char *when, const char *what) {
    snprintf(r->run->failure, sizeof r->run->failure, "seed %llu, %s before I/O %llu%s: %s",
             (unsigned long long)r->run->seed, interruption_names[r->kind],
             (unsigned long long)r->io, when, what);
    return false;
}

static nq_store_options store_options(const crash_run *run) {
    nq_store_options options = workload_store_options();
    options.lane_blocks = run->plan->lane_blocks;
    options.log_copy = run->plan->has_damage;
    return options;
}

static nq_status open_store(nq_ctx *ctx, recovery *r, nq_store **out_store) {
    nq_store_options options = store_options(r->run);
    return nq_store_open(ctx, nq_sim_vfs_as_vfs(r->disk), "db", &options, out_store);
}

/* Opens what is there and holds it against a workload; *out_found is the state it holds. The store
 * stays open. */
static bool open_and_check(recovery *r, const char *when, const workload *w, nq_store **out_store,
                           size_t *out_found) {
    nq_ctx ctx;
    nq_ctx_init(&ctx, NULL);
    if (open_store(&ctx, r, out_store) != NQ_OK) {
        return fail_recovery(r, when, ctx.error.message);
    }
    const char *difference = workload_check(*out_store, w, out_found);
    if (difference != NULL) {
        (void)nq_store_close(&ctx, *out_store);
        return fail_recovery(r, when, difference);
    }
    return true;
}

static bool close_store(recovery *r, const char *when, nq_store *store) {
    nq_ctx ctx;
    nq_ctx_init(&ctx, NULL);
    return nq_store_close(&ctx, store) == NQ_OK || fail_recovery(r, when, ctx.error.message);
}

/* Life goes on after the recovery, until the power fails once more: nothing of what the first
 * recovery cut off may come back. */
static bool live_on(recovery *r, nq_store *store, size_t state) {
    static const char when[] = ", and after some more commits";
    nq_ctx ctx;
    nq_ctx_init(&ctx, NULL);
    workload w;
    size_t found;
    workload_fork(&r->run->work, state, r->io, &w);
    nq_status status = workload_run(&ctx, &w, store, 1 + r->io % 3);
    nq_sim_vfs_cut_power(r->disk);
    r->run->counts->power_cuts++;
    nq_error error = ctx.error;
    (void)nq_store_close(&ctx, store);
    nq_sim_vfs_restart(r->disk);
    bool is_right = status == NQ_OK ? open_and_check(r, when, &w, &store, &found)
                                    : fail_recovery(r, when, error.message);
    workload_deinit(&w);
    return is_right && close_store(r, when, store);
}

static bool recover_and_check(recovery *r) {
    workload expected = r->run->work;
    if (r->kind == PROCESS_END) {
        expected.acknowledged = expected.committed;
    }
    nq_store *store;
    size_t found;
    if (!open_and_check(r, "", &expected, &store, &found)) {
        return false;
    }
    bool is_over = r->kind == POWER_CUT_TWICE || (r->kind == POWER_CUT && r->io % 2 != 0);
    return is_over ? close_store(r, "", store) : live_on(r, store, found);
}

/* Every other time one superblock is unreadable, as a bad sector makes it. One that damage may have
 * reached as well is one too many. */
static void lose_a_superblock(recovery *r) {
    if (r->io % 2 != 0 || r->run->plan->has_damage) {
        return;
    }
    nq_segment_layout layout = {r->run->plan->lane_blocks};
    uint32_t copy = (uint32_t)(r->io / 2 % NQ_SUPERBLOCK_COPIES);
    for (uint32_t i = 0; i < 16; i++) {
        nq_sim_vfs_flip_bit(r->disk, DATA_FILE, nq_superblock_offset(layout, copy) + i, i % 8);
    }
}

/* Cuts the power in the middle of the recovery. */
static bool recover_until_cut(recovery *r) {
    nq_ctx ctx;
    nq_ctx_init(&ctx, NULL);
    nq_rng rng = {r->run->seed * SEED_STRIDE + r->io};
    nq_sim_vfs_fault_at(r->disk, NQ_SIM_POWER_CUT, 1 + nq_rng_below(&rng, 24));
    nq_store *store;
    nq_status status = open_store(&ctx, r, &store);
    if (status == NQ_OK) {
        status = nq_store_close(&ctx, store);
    }
    bool is_on = nq_sim_vfs_is_on(r->disk);
    if (status != NQ_OK && is_on) {
        return fail_recovery(r, "", ctx.error.message);
    }
    r->run->counts->cuts_in_recovery += is_on ? 0 : 1;
    r->run->counts->power_cuts++;
    nq_sim_vfs_fault_at(r->disk, NQ_SIM_POWER_CUT, 0);
    nq_sim_vfs_crash(r->disk);
    return true;
}

static void run_recovery(void *argument) {
    recovery *r = argument;
    if (r->kind != POWER_CUT_TWICE || recover_until_cut(r)) {
        lose_a_superblock(r);
        recover_and_check(r);
    }
}

static void interrupt(crash_run *run, interruption kind, uint64_t io) {
    nq_ctx ctx;
    nq_ctx_init(&ctx, NULL);
    recovery r = {.run = run, .io = io, .kind = kind};
    nq_thread thread;
    /* Of the run's seed too, or every run would meet the same fate at the same I/O. */
    uint64_t seed = run->seed * SEED_STRIDE + io * INTERRUPTION_COUNT + kind;
    if (nq_sim_vfs_clone(&ctx, run->disk, seed, &r.disk) != NQ_OK) {
        fail_recovery(&r, "", ctx.error.message);
        return;
    }
    if (kind != PROCESS_END) {
        nq_sim_vfs_crash(r.disk);
        run->counts->power_cuts++;
    }
    if (nq_thread_start(&ctx, &thread, "recovery", run_recovery, &r) == NQ_OK) {
        nq_thread_join(&thread);
    } else {
        fail_recovery(&r, "", ctx.error.message);
    }
    nq_sim_vfs_destroy(r.disk);
}

/* A cut before a read finds what the cut before it has found. */
static bool is_worth_it(crash_run *run) {
    uint64_t before = run->writes;
    run->writes = nq_sim_vfs_get_stats(run->disk).writes;
    return !run->plan->is_sparing ||
           (run->writes != before && !nq_sim_vfs_is_durable(run->disk, DATA_FILE));
}

static void crash_here(void *user, uint64_t io) {
    crash_run *run = user;
    if (!is_worth_it(run)) {
        return;
    }
    for (int kind = 0; kind < INTERRUPTION_COUNT && run->failure[0] == 0; kind++) {
        bool is_due = io % PROCESS_END_EVERY == 0 || io <= CREATION_IOS;
        if (kind != PROCESS_END || is_due) {
            interrupt(run, (interruption)kind, io);
        }
    }
    run->counts->crashes++;
}

static const char *run_campaign(uint64_t seed, const crash_plan *plan, campaign_counts *counts) {
    static crash_run run;
    run = (crash_run){.plan = plan, .seed = seed, .counts = counts};
    nq_ctx ctx;
    nq_ctx_init(&ctx, NULL);
    nq_sim_options sim = {.seed = seed,
                          .writeback_ppm = 100000,
                          .collateral_damage = plan->has_damage,
                          .collateral_bytes = plan->collateral_bytes};
    if (nq_sim_vfs_create(&ctx, &sim, &run.disk) != NQ_OK) {
        return "no disk";
    }
    nq_sim_clock_start(clock_start_ns, clock_start_ns);
    workload_init(&run.work, seed);
    nq_sim_vfs_set_observer(run.disk, crash_here, &run);
    nq_store_options options = store_options(&run);
    nq_store *store = NULL;
    nq_status status = nq_store_open(&ctx, nq_sim_vfs_as_vfs(run.disk), "db", &options, &store);
    if (status == NQ_OK) {
        status = workload_run(&ctx, &run.work, store, plan->commits);
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
    nq_sim_clock_stop();
    workload_deinit(&run.work);
    nq_sim_vfs_destroy(run.disk);
    return run.failure[0] == 0 ? NULL : run.failure;
}

const char *campaign_crashes(uint64_t seed, campaign_counts *counts) {
    return run_campaign(seed, &plain, counts);
}

const char *campaign_damage(uint64_t seed, campaign_counts *counts) {
    return run_campaign(seed, &damaging, counts);
}

const char *campaign_neighbours(uint64_t seed, campaign_counts *counts) {
    return run_campaign(seed, &full_size, counts);
}
