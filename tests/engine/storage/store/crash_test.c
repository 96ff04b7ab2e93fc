/* Crash: the power fails at every I/O of a seeded run, and again inside the recovery from it.
 *
 * NQ_CRASH_SEEDS=n runs n seeds instead of the few that fit an ordinary test run. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "engine/ground/os/sim_vfs.h"
#include "engine/ground/os/thread.h"
#include "tests/engine/storage/support/workload.h"

enum { COMMITS = 40, SEEDS_DEFAULT = 3 };

typedef struct campaign {
    nq_sim_vfs *disk;
    workload work;
    uint64_t seed;
    uint64_t crash_count;
    uint64_t cut_in_recovery_count;
} campaign;

/* One crash to recover from. Runs on a thread of its own: the run it interrupts holds locks. */
typedef struct recovery {
    campaign *c;
    nq_sim_vfs *disk;
    uint64_t io;
    bool is_cut; /* the power fails once more, inside */
    char failure[700];
} recovery;

static bool fail_recovery(recovery *r, const char *what) {
    snprintf(r->failure, sizeof r->failure, "seed %llu, crash before I/O %llu%s: %s",
             (unsigned long long)r->c->seed, (unsigned long long)r->io,
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
    const char *difference = workload_check(store, &r->c->work, &found);
    if (nq_store_close(&ctx, store) != NQ_OK && difference == NULL) {
        difference = ctx.error.message;
    }
    return difference == NULL || fail_recovery(r, difference);
}

/* Cuts the power in the middle of the recovery. */
static bool recover_until_cut(recovery *r) {
    nq_ctx ctx;
    nq_ctx_init(&ctx, NULL);
    nq_store_options options = workload_store_options();
    nq_rng rng = {r->c->seed * 1000003 + r->io};
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
    r->c->cut_in_recovery_count += is_on ? 0 : 1;
    nq_sim_vfs_fault_at(r->disk, NQ_SIM_POWER_CUT, 0);
    nq_sim_vfs_crash(r->disk);
    return true;
}

static void run_recovery(void *argument) {
    recovery *r = argument;
    if (!r->is_cut || recover_until_cut(r)) {
        recover_and_check(r);
    }
}

static void crash_here(void *user, uint64_t io) {
    campaign *c = user;
    for (int round = 0; round < 2; round++) {
        nq_ctx ctx;
        nq_ctx_init(&ctx, NULL);
        recovery r = {.c = c, .io = io, .is_cut = round == 1};
        assert_int_equal(nq_sim_vfs_clone(&ctx, c->disk, io * 2 + (uint64_t)round, &r.disk), NQ_OK);
        nq_sim_vfs_crash(r.disk);
        nq_thread thread;
        assert_int_equal(nq_thread_start(&ctx, &thread, "recovery", run_recovery, &r), NQ_OK);
        nq_thread_join(&thread);
        if (r.failure[0] != 0) {
            fail_msg("%s", r.failure);
        }
        nq_sim_vfs_destroy(r.disk);
    }
    c->crash_count++;
}

static void run_seed(uint64_t seed, uint64_t *crash_count, uint64_t *recovery_count) {
    nq_ctx ctx;
    nq_ctx_init(&ctx, NULL);
    campaign c = {.seed = seed};
    nq_sim_options sim = {.seed = seed, .writeback_ppm = 100000};
    assert_int_equal(nq_sim_vfs_create(&ctx, &sim, &c.disk), NQ_OK);
    workload_init(&c.work, seed);
    nq_sim_vfs_set_observer(c.disk, crash_here, &c);
    nq_store_options options = workload_store_options();
    nq_store *store;
    assert_int_equal(nq_store_open(&ctx, nq_sim_vfs_as_vfs(c.disk), "db", &options, &store), NQ_OK);
    nq_status status = workload_run(&ctx, &c.work, store, COMMITS);
    if (status != NQ_OK) {
        fail_msg("seed %llu: %s", (unsigned long long)seed, ctx.error.message);
    }
    assert_int_equal(nq_store_close(&ctx, store), NQ_OK);
    *crash_count += c.crash_count;
    *recovery_count += c.cut_in_recovery_count;
    workload_deinit(&c.work);
    nq_sim_vfs_destroy(c.disk);
}

static void no_crash_loses_an_acknowledged_commit(void **state) {
    (void)state;
    const char *wanted = getenv("NQ_CRASH_SEEDS");
    uint64_t seed_count = wanted == NULL ? SEEDS_DEFAULT : strtoull(wanted, NULL, 10);
    uint64_t crash_count = 0;
    uint64_t recovery_count = 0;
    for (uint64_t seed = 1; seed <= seed_count; seed++) {
        run_seed(seed, &crash_count, &recovery_count);
    }
    print_message("%llu crashes, %llu again inside recovery\n", (unsigned long long)crash_count,
                  (unsigned long long)recovery_count);
    assert_true(crash_count > 100 * seed_count);
    assert_true(recovery_count > 50 * seed_count);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_crash_loses_an_acknowledged_commit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
