/* Neighbours: full segments of the product's size, on a disk on which a power cut also destroys
 * what was synced long ago within 64 KiB of any write in flight — segments beside the one being
 * written, other copies of the superblock. The pages of the last checkpoint are there all the same,
 * restored from parity, also after the power has failed again while the damage was being moved away
 * from.
 *
 * NQ_CRASH_SEEDS=n runs n seeds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/engine/storage/pager/pages.h"

enum {
    SEEDS_DEFAULT = 1,
    SEEDS_MAX = 50, /* of a long campaign: a seed takes seconds */
    SEED_STRIDE = 1000003,
    PAGES = 1100, /* two segments and a part of a third */
    ROUNDS = 4,
    REPLACED = 60, /* in a round; in every other one so many that a segment is filled: */
    REPLACED_MANY = 600,
};

typedef struct neighbours {
    pages *p;
    uint64_t seed;
    pages_state before; /* what the last finished checkpoint held, */
    pages_state during; /* and the one that has begun, if one has */
    uint64_t generation_before;
    uint64_t generation_during;
    uint64_t changes; /* writes and syncs that the disk had seen at the last cut */
    uint64_t cuts;
    uint64_t repaired; /* images */
    char failure[700];
} neighbours;

static void fail_cut(neighbours *n, uint64_t io, const char *when, const char *what) {
    snprintf(n->failure, sizeof n->failure, "I/O %llu%s: %s", (unsigned long long)io, when, what);
}

static void must(pages *p, nq_status status) {
    if (status != NQ_OK) {
        fail_msg("%s", p->ctx.error.message);
    }
}

/* What a cut has left must be the one checkpoint or the other. The pager stays open; NULL: it could
 * not be opened. */
static nq_pager *open_and_compare(neighbours *n, nq_sim_vfs *disk, uint64_t io, const char *when,
                                  nq_pager_root *out_root) {
    nq_ctx ctx;
    nq_ctx_init(&ctx, NULL);
    nq_pager *pager = NULL;
    if (pages_open(&ctx, disk, &pager, out_root) != NQ_OK) {
        fail_cut(n, io, when, ctx.error.message);
        return NULL;
    }
    bool is_before = out_root->generation == n->generation_before;
    if (!is_before && out_root->generation != n->generation_during) {
        fail_cut(n, io, when, "an older checkpoint");
    }
    const char *difference = pages_compare(pager, is_before ? &n->before : &n->during, NULL);
    if (difference != NULL) {
        fail_cut(n, io, when, difference);
    }
    nq_pager_stats stats;
    nq_pager_get_stats(pager, &stats);
    n->repaired += stats.images_repaired;
    return pager;
}

/* A checkpoint of what was found, as it was found. */
static nq_status checkpoint_again(nq_ctx *ctx, nq_pager *pager, const nq_pager_root *root) {
    nq_space not_reached;
    nq_pager_checkpoint_result result;
    NQ_TRY(nq_space_init(ctx, &not_reached, root->page_count));
    nq_pager_list_free(pager, &not_reached);
    nq_status status = nq_pager_checkpoint(ctx, pager, root, &not_reached, &result);
    nq_space_deinit(&not_reached);
    return status;
}

static void cut_again(neighbours *n, nq_sim_vfs *disk, uint64_t io, nq_pager *pager,
                      const nq_pager_root *root) {
    enum { WITHIN = 16 };
    nq_ctx ctx;
    nq_ctx_init(&ctx, NULL);
    nq_sim_vfs_fault_at(disk, NQ_SIM_POWER_CUT, 1 + io % WITHIN);
    (void)checkpoint_again(&ctx, pager, root);
    nq_pager_close(pager);
    nq_sim_vfs_fault_at(disk, NQ_SIM_POWER_CUT, 0);
    nq_sim_vfs_crash(disk);
    n->cuts++;
    nq_pager_root unused;
    nq_pager_close(open_and_compare(n, disk, io, ", and again in the next checkpoint", &unused));
}

/* A cut before a read finds what the cut before it has found. */
static bool has_changed(neighbours *n) {
    nq_sim_stats stats = nq_sim_vfs_get_stats(n->p->disk);
    uint64_t before = n->changes;
    n->changes = stats.writes + stats.syncs;
    return n->changes != before;
}

static void cut_here(void *user, uint64_t io) {
    neighbours *n = user;
    if (n->failure[0] != 0 || !has_changed(n)) {
        return;
    }
    nq_ctx ctx;
    nq_ctx_init(&ctx, NULL);
    nq_sim_vfs *copy;
    assert_int_equal(nq_sim_vfs_clone(&ctx, n->p->disk, n->seed * SEED_STRIDE + io, &copy), NQ_OK);
    nq_sim_vfs_crash(copy);
    n->cuts++;
    nq_pager_root root;
    nq_pager *pager = open_and_compare(n, copy, io, "", &root);
    if (pager != NULL) {
        cut_again(n, copy, io, pager, &root);
    }
    nq_sim_vfs_destroy(copy);
}

static void replace_pages(pages *p, int count) {
    for (int i = 0; i < count; i++) {
        uint32_t id;
        pages_retire(p, pages_pick(p));
        must(p, pages_write(p, &id));
    }
}

static void run_seed(uint64_t seed, neighbours *n) {
    static pages p;
    nq_sim_options sim = {.seed = seed, .writeback_ppm = 100000, .collateral_damage = true};
    pages_init_on(&p, &sim, NQ_SEGMENT_LANE_BLOCKS_MAX);
    p.generation = PAGES_DENSE;
    for (int i = 0; i < PAGES; i++) {
        uint32_t id;
        must(&p, pages_write(&p, &id));
    }
    must(&p, pages_checkpoint(&p));
    n->p = &p;
    n->seed = seed;
    for (int round = 0; round < ROUNDS && n->failure[0] == 0; round++) {
        n->before = p.now;
        n->generation_before = p.generation;
        n->generation_during = p.generation;
        nq_sim_vfs_set_observer(p.disk, cut_here, n);
        replace_pages(&p, round % 2 == 0 ? REPLACED : REPLACED_MANY);
        n->during = p.now;
        n->generation_during = p.generation;
        must(&p, pages_checkpoint(&p));
        nq_sim_vfs_set_observer(p.disk, NULL, NULL);
    }
    pages_deinit(&p);
    if (n->failure[0] != 0) {
        fail_msg("seed %llu, %s", (unsigned long long)seed, n->failure);
    }
}

static void what_lies_beside_a_write_is_restored(void **state) {
    (void)state;
    const char *wanted = getenv("NQ_CRASH_SEEDS");
    uint64_t seeds = wanted == NULL ? SEEDS_DEFAULT : strtoull(wanted, NULL, 10);
    static neighbours n;
    for (uint64_t seed = 1; seed <= seeds && seed <= SEEDS_MAX; seed++) {
        run_seed(seed, &n);
    }
    print_message("%llu power cuts, %llu images restored\n", (unsigned long long)n.cuts,
                  (unsigned long long)n.repaired);
    assert_true(n.cuts > 50 && n.repaired > 50);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_lies_beside_a_write_is_restored),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
