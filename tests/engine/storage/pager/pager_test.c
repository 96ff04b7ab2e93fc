/* Pager: what was written is read, what a checkpoint made durable survives, and damage is repaired.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "engine/storage/page/node.h"
#include "tests/engine/storage/pager/pages.h"

static const uint32_t lanes[] = {1, 3, 7};

static void expect(nq_pager *pager, const pages_state *state, const bool *is_retired) {
    const char *difference = pages_compare(pager, state, is_retired);
    if (difference != NULL) {
        fail_msg("%s", difference);
    }
}

static void must(pages *p, nq_status status) {
    if (status != NQ_OK) {
        fail_msg("%s", p->ctx.error.message);
    }
}

static void what_was_written_is_read_before_and_after_restarts(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 6; seed++) {
        pages p;
        pages_init(&p, seed, lanes[seed % 3]);
        for (int step = 0; step < 1500; step++) {
            must(&p, pages_step(&p));
            if (step % 100 == 0) {
                expect(p.pager, &p.now, p.is_retired);
            }
            if (step % 500 == 250) {
                pages_reopen(&p);
                expect(p.pager, &p.durable, NULL);
            }
        }
        must(&p, pages_checkpoint(&p));
        pages_reopen(&p);
        expect(p.pager, &p.durable, NULL);
        pages_deinit(&p);
    }
}

static void a_page_that_is_asked_for_wrongly_is_refused(void **state) {
    (void)state;
    pages p;
    pages_init(&p, 1, 1);
    uint32_t id;
    nq_page page;
    must(&p, pages_write(&p, &id));
    nq_page_ref ref = {id, 1};
    assert_int_equal(nq_pager_read(&p.ctx, p.pager, ref, &page), NQ_OK);
    ref.stamp = 2;
    assert_int_equal(nq_pager_read(&p.ctx, p.pager, ref, &page), NQ_PAGE_CORRUPT);
    ref.page = id + 1;
    assert_int_equal(nq_pager_read(&p.ctx, p.pager, ref, &page), NQ_PAGE_CORRUPT);
    ref.page = NQ_MAP_PAGES_MAX;
    assert_int_equal(nq_pager_read(&p.ctx, p.pager, ref, &page), NQ_PAGE_CORRUPT);
    pages_deinit(&p);
}

static uint64_t hinted(pages *p, const nq_page_id *ids, uint32_t count) {
    nq_pager_stats before;
    nq_pager_stats after;
    nq_pager_get_stats(p->pager, &before);
    nq_pager_read_ahead(p->pager, ids, count);
    nq_pager_get_stats(p->pager, &after);
    return after.images_hinted - before.images_hinted;
}

static void the_system_is_told_what_it_cannot_see_coming(void **state) {
    (void)state;
    enum { COUNT = NQ_PAGER_AHEAD_MAX };
    pages p;
    pages_init(&p, 1, 7);
    nq_page_id forwards[COUNT];
    nq_page_id backwards[COUNT];
    for (uint32_t i = 0; i < COUNT; i++) {
        must(&p, pages_write(&p, &forwards[i].value));
        backwards[COUNT - 1 - i] = forwards[i];
    }
    assert_int_equal(hinted(&p, backwards, COUNT), 0); /* still in memory */
    must(&p, pages_checkpoint(&p));
    pages_reopen(&p);
    assert_int_equal(hinted(&p, backwards, COUNT), COUNT);
    assert_int_equal(hinted(&p, forwards, COUNT), 0); /* one after the other */
    assert_int_equal(hinted(&p, backwards, 0), 0);
    const nq_page_id nowhere[] = {{0}, {COUNT * 100}, {UINT32_MAX}};
    assert_int_equal(hinted(&p, nowhere, 3), 0);
    pages_deinit(&p);
}

/* ---- Crashes ---- */

typedef struct crash {
    pages *p;
    pages_state before; /* what the last finished checkpoint held, */
    pages_state during; /* and the one that has begun, if one has */
    char failure[600];
} crash;

static bool is_either(nq_pager *pager, const crash *c) {
    return pages_compare(pager, &c->before, NULL) == NULL ||
           pages_compare(pager, &c->during, NULL) == NULL;
}

/* Spoils one superblock copy of what the crash left. */
static void lose_a_copy(nq_sim_vfs *disk, uint64_t copy, uint32_t lane_blocks) {
    uint64_t offset = nq_superblock_offset((nq_segment_layout){lane_blocks}, (uint32_t)copy);
    for (uint32_t i = 0; i < 16; i++) {
        nq_sim_vfs_flip_bit(disk, "data", offset + i, i % 8);
    }
}

static void crash_here(void *user, uint64_t io) {
    crash *c = user;
    if (c->failure[0] != 0) {
        return;
    }
    for (uint64_t lost = 0; lost <= NQ_SUPERBLOCK_COPIES; lost++) {
        nq_ctx ctx;
        nq_ctx_init(&ctx, NULL);
        nq_sim_vfs *copy;
        assert_int_equal(nq_sim_vfs_clone(&ctx, c->p->disk, io * 5 + lost, &copy), NQ_OK);
        nq_sim_vfs_crash(copy);
        if (lost < NQ_SUPERBLOCK_COPIES) {
            lose_a_copy(copy, lost, 1);
        }
        nq_pager *pager;
        nq_pager_root root;
        if (pages_open(&ctx, copy, &pager, &root) != NQ_OK) {
            snprintf(c->failure, sizeof c->failure, "I/O %llu, copy %llu lost: %s",
                     (unsigned long long)io, (unsigned long long)lost, ctx.error.message);
        } else if (!is_either(pager, c)) {
            snprintf(c->failure, sizeof c->failure, "I/O %llu, copy %llu lost: %s",
                     (unsigned long long)io, (unsigned long long)lost,
                     pages_compare(pager, &c->during, NULL));
        }
        nq_pager_close(pager);
        nq_sim_vfs_destroy(copy);
    }
}

static void no_crash_loses_a_checkpoint_nor_does_a_lost_superblock(void **state) {
    (void)state;
    static crash c;
    for (uint64_t seed = 1; seed <= 3; seed++) {
        pages p;
        pages_init(&p, seed, 1);
        c = (crash){.p = &p};
        nq_sim_vfs_set_observer(p.disk, crash_here, &c);
        for (int round = 0; round < 12 && c.failure[0] == 0; round++) {
            for (int step = 0; step < 20; step++) {
                uint32_t id;
                must(&p, pages_write(&p, &id));
                if (step % 3 != 0) {
                    pages_retire(&p, pages_pick(&p));
                }
            }
            c.during = p.now;
            must(&p, pages_checkpoint(&p));
            c.before = p.durable;
        }
        nq_sim_vfs_set_observer(p.disk, NULL, NULL);
        pages_deinit(&p);
        if (c.failure[0] != 0) {
            fail_msg("seed %llu, %s", (unsigned long long)seed, c.failure);
        }
    }
}

/* ---- Failing I/O ---- */

static void a_failed_write_loses_nothing_and_the_next_checkpoint_holds(void **state) {
    (void)state;
    const nq_sim_fault faults[] = {NQ_SIM_WRITE_ERROR, NQ_SIM_WRITE_FULL, NQ_SIM_READ_ERROR};
    for (size_t f = 0; f < sizeof faults / sizeof faults[0]; f++) {
        for (uint64_t nth = 1; nth < 200; nth += 13) {
            pages p;
            pages_init(&p, nth, 1);
            nq_sim_vfs_fault_at(p.disk, faults[f], nth);
            int failures = 0;
            for (int step = 0; step < 400; step++) {
                failures += pages_step(&p) != NQ_OK;
            }
            expect(p.pager, &p.now, p.is_retired);
            bool is_healthy = nq_pager_health(p.pager) == NQ_OK;
            if (is_healthy) {
                assert_true(failures <= 2);
                must(&p, pages_checkpoint(&p));
            }
            pages_reopen(&p);
            /* After a failed superblock nobody knows which checkpoint the disk holds. */
            if (is_healthy || pages_compare(p.pager, &p.attempted, NULL) != NULL) {
                expect(p.pager, &p.durable, NULL);
            }
            pages_deinit(&p);
        }
    }
}

/* ---- Space ---- */

static nq_pager_stats stats_of(const pages *p) {
    nq_pager_stats stats;
    nq_pager_get_stats(p->pager, &stats);
    return stats;
}

static void what_is_freed_is_given_back_and_taken_again(void **state) {
    (void)state;
    enum { MANY = 400, FEW = 8 };
    pages p;
    pages_init(&p, 1, 1);
    uint32_t ids[MANY];
    for (int i = 0; i < MANY; i++) {
        must(&p, pages_write(&p, &ids[i]));
    }
    must(&p, pages_checkpoint(&p));
    uint64_t bytes_before = stats_of(&p).file_bytes;
    for (int i = 0; i < MANY - FEW; i++) {
        pages_retire(&p, ids[i]);
    }
    must(&p, pages_checkpoint(&p));
    must(&p, pages_checkpoint(&p)); /* moves what is left out of sparse segments */
    nq_pager_trim_all(p.pager);
    nq_pager_stats small = stats_of(&p);
    assert_true(small.segments_used <= 2);
    assert_true(small.segments_free > small.segments_used);
    assert_int_equal(small.hole_bytes,
                     small.segments_free * nq_segment_bytes((nq_segment_layout){1}));
    expect(p.pager, &p.now, NULL);
    pages_reopen(&p);
    expect(p.pager, &p.durable, NULL);
    for (int i = 0; i < MANY; i++) {
        must(&p, pages_write(&p, &ids[i]));
    }
    must(&p, pages_checkpoint(&p));
    assert_true(stats_of(&p).hole_bytes <= small.hole_bytes);
    assert_true(stats_of(&p).file_bytes <= bytes_before + bytes_before / 4);
    pages_reopen(&p);
    expect(p.pager, &p.durable, NULL);
    pages_deinit(&p);
}

enum { DENSE_SEGMENTS = 40, DENSE_PER_SEGMENT = 8, DENSE = DENSE_SEGMENTS * DENSE_PER_SEGMENT };

/* Pages that fill segments of a block a lane one after the other, all but `kept` of each given
 * back. */
static void make_segments_sparse(pages *p, uint32_t kept, uint32_t out_ids[DENSE]) {
    pages_init(p, 1, 1);
    p->generation = PAGES_DENSE;
    for (int i = 0; i < DENSE; i++) {
        must(p, pages_write(p, &out_ids[i]));
    }
    must(p, pages_checkpoint(p));
    for (uint32_t i = 0; i < DENSE; i++) {
        if (i % DENSE_PER_SEGMENT >= kept) {
            pages_retire(p, out_ids[i]);
        }
    }
    must(p, pages_checkpoint(p));
}

static void a_checkpoint_moves_nothing_while_most_of_the_segments_is_live(void **state) {
    (void)state;
    pages p;
    uint32_t ids[DENSE];
    make_segments_sparse(&p, 6, ids);
    must(&p, pages_checkpoint(&p));
    assert_int_equal(stats_of(&p).moved_bytes, 0);
    pages_deinit(&p);
    make_segments_sparse(&p, 5, ids);
    must(&p, pages_checkpoint(&p));
    assert_int_not_equal(stats_of(&p).moved_bytes, 0);
    expect(p.pager, &p.now, NULL);
    pages_deinit(&p);
}

static void a_close_moves_only_what_frees_more_than_it_writes(void **state) {
    (void)state;
    enum { SPARSE_SEGMENTS = 4, LEFT = 3 };
    pages p;
    uint32_t ids[DENSE];
    make_segments_sparse(&p, 6, ids);
    nq_pager_expect_close(p.pager);
    assert_false(nq_pager_wants_checkpoint(p.pager));
    for (uint32_t segment = 0; segment < SPARSE_SEGMENTS; segment++) {
        for (uint32_t i = LEFT; i < 6; i++) {
            pages_retire(&p, ids[segment * DENSE_PER_SEGMENT + i]);
        }
    }
    must(&p, pages_checkpoint(&p));
    assert_true(nq_pager_wants_checkpoint(p.pager));
    must(&p, pages_checkpoint(&p));
    assert_int_equal(stats_of(&p).moved_bytes, SPARSE_SEGMENTS * LEFT * NQ_PAGE_BYTES);
    assert_false(nq_pager_wants_checkpoint(p.pager));
    expect(p.pager, &p.now, NULL);
    pages_deinit(&p);
}

static void a_hole_without_space_does_not_hide_one_that_has(void **state) {
    (void)state;
    pages p;
    pages_init(&p, 1, 1);
    uint32_t ids[100];
    for (int i = 0; i < 100; i++) {
        must(&p, pages_write(&p, &ids[i]));
    }
    must(&p, pages_checkpoint(&p));
    for (int i = 0; i < 100; i++) {
        pages_retire(&p, ids[i]);
    }
    must(&p, pages_checkpoint(&p));
    pages_reopen(&p); /* every free segment is a hole, for all that is known */
    assert_true(stats_of(&p).hole_bytes != 0);
    nq_sim_vfs_fault_at(p.disk, NQ_SIM_WRITE_FULL, 1);
    must(&p, nq_pager_promise(&p.ctx, p.pager, 1, true));
    assert_true(stats_of(&p).hole_bytes <
                stats_of(&p).segments_free * nq_segment_bytes((nq_segment_layout){1}));
    pages_deinit(&p);
}

/* Another file of the disk takes so many bytes. */
static void take_space(pages *p, uint64_t bytes) {
    nq_file *other;
    bool is_reserved;
    must(p, nq_vfs_open(&p->ctx, nq_sim_vfs_as_vfs(p->disk), "other", NQ_OPEN_CREATE, &other));
    must(p, nq_file_allocate(&p->ctx, other, 0, bytes, &is_reserved));
    nq_file_close(other);
}

static void others_may_have_the_space_of_holes_and_not_what_was_promised(void **state) {
    (void)state;
    enum { MANY = 1000, PROMISED = 100, TOO_MANY = 900 };
    static uint32_t ids[MANY];
    pages p;
    pages_init(&p, 1, 1);
    p.generation = PAGES_DENSE;
    for (int i = 0; i < MANY; i++) {
        must(&p, pages_write(&p, &ids[i]));
    }
    must(&p, pages_checkpoint(&p));
    for (int i = 0; i < MANY; i++) {
        pages_retire(&p, ids[i]);
    }
    must(&p, pages_checkpoint(&p));
    must(&p, nq_pager_promise(&p.ctx, p.pager, PROMISED, false));
    nq_pager_trim(p.pager);
    nq_pager_stats stats = stats_of(&p);
    assert_true(stats.hole_bytes != 0);
    nq_sim_vfs_set_capacity(p.disk, stats.file_bytes);
    take_space(&p, stats.hole_bytes);
    assert_int_equal(nq_pager_promise(&p.ctx, p.pager, TOO_MANY, false), NQ_DISK_FULL);
    for (int i = 0; i < PROMISED; i++) {
        must(&p, pages_write(&p, &ids[i]));
    }
    must(&p, pages_checkpoint(&p));
    pages_reopen(&p);
    expect(p.pager, &p.durable, NULL);
    assert_int_equal(nq_pager_promise(&p.ctx, p.pager, TOO_MANY, false), NQ_DISK_FULL);
    must(&p, nq_vfs_unlink(&p.ctx, nq_sim_vfs_as_vfs(p.disk), "other"));
    must(&p, nq_vfs_sync_dir(&p.ctx, nq_sim_vfs_as_vfs(p.disk), "."));
    must(&p, nq_pager_promise(&p.ctx, p.pager, TOO_MANY - PROMISED, true));
    pages_deinit(&p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_written_is_read_before_and_after_restarts),
        cmocka_unit_test(a_page_that_is_asked_for_wrongly_is_refused),
        cmocka_unit_test(the_system_is_told_what_it_cannot_see_coming),
        cmocka_unit_test(no_crash_loses_a_checkpoint_nor_does_a_lost_superblock),
        cmocka_unit_test(a_failed_write_loses_nothing_and_the_next_checkpoint_holds),
        cmocka_unit_test(what_is_freed_is_given_back_and_taken_again),
        cmocka_unit_test(a_checkpoint_moves_nothing_while_most_of_the_segments_is_live),
        cmocka_unit_test(a_close_moves_only_what_frees_more_than_it_writes),
        cmocka_unit_test(others_may_have_the_space_of_holes_and_not_what_was_promised),
        cmocka_unit_test(a_hole_without_space_does_not_hide_one_that_has),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
