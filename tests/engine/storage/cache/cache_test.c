/* Cache: the order in which each policy lets go, by hand-worked examples, and what holds for all.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/ground/base/heap.h"
#include "engine/ground/base/rng.h"
#include "engine/storage/cache/cache.h"

enum { SLOTS_MAX = 400 };

/* The cache that a test is given. */
typedef struct shape {
    nq_cache_policy policy;
    uint32_t slots;
} shape;

typedef struct fixture {
    shape shape;
    nq_cache *cache;
    nq_cache_mark marks[SLOTS_MAX];
    bool is_busy[SLOTS_MAX];
} fixture;

static void make(fixture *f, nq_cache_policy policy, uint32_t slots) {
    *f = (fixture){.shape = {policy, slots}};
    nq_ctx ctx;
    nq_ctx_init(&ctx, NULL);
    assert_int_equal(nq_cache_create(&ctx, policy, slots, f->marks, sizeof f->marks[0], &f->cache),
                     NQ_OK);
}

/* From the shape that the test's line in main says. */
static int set_up(void **state) {
    static fixture f;
    const shape *wanted = *state;
    make(&f, wanted->policy, wanted->slots);
    *state = &f;
    return 0;
}

static int tear_down(void **state) {
    nq_cache_destroy(((fixture *)*state)->cache);
    return 0;
}

/* The same shape with the next policy, from the first (`before` NULL) to the last; then NULL. */
static fixture *next_policy(fixture *before, uint32_t slots) {
    static fixture f;
    nq_cache_policy policy = 0;
    if (before != NULL) {
        policy = before->shape.policy + 1;
        nq_cache_destroy(before->cache);
    }
    if (policy == NQ_CACHE_POLICY_COUNT) {
        return NULL;
    }
    make(&f, policy, slots);
    return &f;
}

/* Slot i holds id i + 1. */
static void fill(fixture *f, uint32_t slots) {
    for (uint32_t slot = 0; slot < slots; slot++) {
        nq_cache_insert(f->cache, slot, slot + 1);
    }
}

static void hit(fixture *f, uint32_t slot) {
    if (nq_cache_touch(f->cache, &f->marks[slot])) {
        nq_cache_promote(f->cache, slot);
    }
}

static bool may_go(void *user, uint32_t slot) {
    return !((const fixture *)user)->is_busy[slot];
}

static uint32_t choose(fixture *f) {
    return nq_cache_choose(f->cache, may_go, f);
}

/* Evicts `id` from the chosen slot, which holds `next` then; returns the slot. */
static uint32_t replace(fixture *f, uint32_t id, uint32_t next) {
    uint32_t slot = choose(f);
    assert_int_not_equal(slot, NQ_CACHE_NO_SLOT);
    nq_cache_evict(f->cache, slot, id);
    nq_cache_insert(f->cache, slot, next);
    return slot;
}

/* ---- LRU ---- */

static void lru_lets_go_of_what_was_used_longest_ago(void **state) {
    fixture *f = *state;
    fill(f, 4);
    hit(f, 0);
    hit(f, 2);
    hit(f, 0);
    /* Oldest use first: 1, 3, 2, 0. */
    assert_int_equal(replace(f, 2, 5), 1);
    assert_int_equal(replace(f, 4, 6), 3);
    assert_int_equal(replace(f, 3, 7), 2);
    assert_int_equal(replace(f, 1, 8), 0);
    assert_int_equal(replace(f, 5, 9), 1);
}

/* ---- CLOCK ---- */

static void clock_gives_a_used_page_one_more_round(void **state) {
    fixture *f = *state;
    fill(f, 4);
    hit(f, 0);
    hit(f, 1);
    hit(f, 1);
    /* The hand clears 0 and 1 and takes 2; then 3, and only then the two it had spared. */
    assert_int_equal(replace(f, 3, 5), 2);
    assert_int_equal(replace(f, 4, 6), 3);
    assert_int_equal(replace(f, 1, 7), 0);
    assert_int_equal(replace(f, 2, 8), 1);
}

/* ---- S3-FIFO ---- */

static void s3fifo_lets_pages_on_probation_go_first_in_first_out(void **state) {
    fixture *f = *state;
    fill(f, 20); /* two are on probation when it is full of used ones */
    hit(f, 0);   /* once is not enough */
    assert_int_equal(replace(f, 1, 21), 0);
    assert_int_equal(replace(f, 2, 22), 1);
}

static void s3fifo_keeps_what_was_used_twice(void **state) {
    fixture *f = *state;
    fill(f, 20);
    hit(f, 0);
    hit(f, 0);
    for (uint32_t i = 1; i < 20; i++) {
        assert_int_equal(replace(f, i + 1, 100 + i), i);
    }
    /* Everybody else has gone; it has been in the main queue since. */
    assert_int_equal(replace(f, 101, 200), 1);
}

/* All but the last were used twice. */
static void fill_with_used(fixture *f, uint32_t slots) {
    fill(f, slots);
    for (uint32_t slot = 0; slot < slots - 1; slot++) {
        hit(f, slot);
        hit(f, slot);
    }
}

static void s3fifo_takes_from_the_main_queue_when_probation_is_short(void **state) {
    fixture *f = *state;
    fill_with_used(f, 20);
    /* All but 19 move to the main queue, whose oldest goes. The newcomer and 19 then are two. */
    assert_int_equal(replace(f, 1, 21), 0);
    assert_int_equal(replace(f, 20, 1), 19);
    /* The ghost does not remember what went from the main queue. */
    assert_int_equal(nq_cache_get_stats(f->cache).ghost_hits, 0);
}

static void s3fifo_spares_main_pages_as_often_as_they_were_used(void **state) {
    fixture *f = *state;
    fill_with_used(f, 20);
    assert_int_equal(replace(f, 1, 21), 0); /* 1 … 18 are in the main queue now */
    for (uint32_t slot = 4; slot < 20; slot++) {
        nq_cache_remove(f->cache, slot);
    }
    nq_cache_remove(f->cache, 0);
    static const int hits[] = {0, 4, 2, 3}; /* more than three are three */
    for (uint32_t slot = 1; slot <= 3; slot++) {
        for (int i = 0; i < hits[slot]; i++) {
            hit(f, slot);
        }
    }
    static const uint32_t order[] = {2, 1, 3};
    for (int i = 0; i < 3; i++) {
        assert_int_equal(choose(f), order[i]);
        nq_cache_evict(f->cache, order[i], order[i] + 1);
    }
    assert_int_equal(choose(f), NQ_CACHE_NO_SLOT);
}

static void s3fifo_welcomes_back_what_it_let_go_not_long_ago(void **state) {
    fixture *f = *state;
    fill(f, 20);
    assert_int_equal(replace(f, 1, 21), 0);
    nq_cache_evict(f->cache, choose(f), 2);
    assert_true(
        nq_cache_insert(f->cache, 1, 1)); /* 1 is back, and goes straight to the main queue */
    assert_int_equal(nq_cache_get_stats(f->cache).ghost_hits, 1);
    for (uint32_t i = 2; i < 20; i++) {
        assert_int_equal(replace(f, i + 1, 100 + i), i);
    }
    assert_int_equal(replace(f, 21, 200), 0); /* slot 1 is passed over */
}

/* 1 goes, so many others go, 1 comes back. */
static uint64_t ghost_hits_after(uint32_t others) {
    fixture f;
    make(&f, NQ_CACHE_S3FIFO, 20);
    fill(&f, 20);
    (void)replace(&f, 1, 1000);
    for (uint32_t i = 1; i <= others; i++) {
        (void)replace(&f, 2000 + i, i == others ? 1 : 1000 + i);
    }
    uint64_t hits = nq_cache_get_stats(f.cache).ghost_hits;
    nq_cache_destroy(f.cache);
    return hits;
}

static void what_is_lent_is_remembered_when_it_comes_back(void **state) {
    fixture *f = *state;
    fill(f, 20);
    nq_cache_lend(f->cache, 7, 8);
    assert_true(nq_cache_remembers(f->cache, 8));
    assert_false(nq_cache_remembers(f->cache, 9));
    assert_int_equal(nq_cache_get_stats(f->cache).evictions, 0);
    assert_true(nq_cache_insert(f->cache, 7, 8));
    assert_false(nq_cache_remembers(f->cache, 8));
}

static void s3fifo_remembers_as_many_as_the_main_queue_holds(void **state) {
    (void)state;
    assert_int_equal(ghost_hits_after(17), 1); /* 1 is the last of eighteen */
    assert_int_equal(ghost_hits_after(18), 0);
}

/* Hits slot 0 of a full cache `hits` times, with `between` insertions before each but the first;
 * true: it then counts as used twice. */
static bool is_kept(nq_cache_policy policy, uint32_t slots, int hits, int between) {
    fixture f;
    make(&f, policy, slots);
    fill(&f, slots / 2);
    uint32_t last = slots / 2;
    for (int i = 0; i < hits; i++) {
        for (int j = 0; i != 0 && j < between; j++) {
            nq_cache_insert(f.cache, last, last + 1);
            last++;
        }
        hit(&f, 0);
    }
    uint32_t slot = choose(&f);
    nq_cache_destroy(f.cache);
    return slot != 0;
}

static void hits_within_the_refractory_period_are_one(void **state) {
    (void)state;
    /* A hundredth of 400: four insertions. */
    assert_false(is_kept(NQ_CACHE_S3FIFO, 400, 5, 0));
    assert_false(is_kept(NQ_CACHE_S3FIFO, 400, 2, 3));
    assert_true(is_kept(NQ_CACHE_S3FIFO, 400, 2, 4));
    assert_true(is_kept(NQ_CACHE_S3FIFO_PLAIN, 400, 2, 0));
}

static void the_first_hit_counts_at_once(void **state) {
    fixture *f = *state;
    nq_cache_insert(f->cache, 0, 1);
    hit(f, 0); /* no insertion since it came */
    for (uint32_t slot = 1; slot < 100; slot++) {
        nq_cache_insert(f->cache, slot, slot + 1);
    }
    hit(f, 0);
    assert_int_equal(choose(f), 1);
}

static void a_capacity_that_shrinks_takes_the_refractory_period_along(void **state) {
    fixture *f = *state;
    nq_cache_set_capacity(f->cache, 99); /* less than a hundred: no period */
    fill(f, 50);
    hit(f, 0);
    hit(f, 0);
    assert_int_equal(choose(f), 1);
}

/* ---- All of them ---- */

static void a_page_takes_over_the_standing_of_the_one_it_replaces(void **state) {
    (void)state;
    for (fixture *f = next_policy(NULL, 20); f != NULL; f = next_policy(f, 20)) {
        for (uint32_t slot = 0; slot < 19; slot++) {
            nq_cache_insert(f->cache, slot, slot + 1);
        }
        hit(f, 0);
        hit(f, 0);
        nq_cache_insert_like(f->cache, 19, 0);
        nq_cache_remove(f->cache, 0);
        for (uint32_t i = 1; i < 19; i++) {
            assert_int_equal(replace(f, i + 1, 100 + i), i);
        }
    }
}

static void who_replaces_a_page_without_standing_has_none(void **state) {
    (void)state;
    for (fixture *f = next_policy(NULL, 20); f != NULL; f = next_policy(f, 20)) {
        for (uint32_t slot = 0; slot < 19; slot++) {
            nq_cache_insert(f->cache, slot, slot + 1);
        }
        nq_cache_insert_like(f->cache, 19, 0);
        nq_cache_remove(f->cache, 0);
        for (uint32_t i = 1; i < 20; i++) {
            assert_int_equal(replace(f, i + 1, 100 + i), i);
        }
    }
}

static void what_moves_to_another_slot_keeps_its_place(void **state) {
    (void)state;
    for (fixture *f = next_policy(NULL, 21); f != NULL; f = next_policy(f, 21)) {
        fill(f, 20);
        nq_cache_move(f->cache, 0, 20); /* the first in the queue, */
        nq_cache_move(f->cache, 7, 0);  /* one in the middle, */
        nq_cache_move(f->cache, 19, 7); /* and the last */
        uint32_t id = 1;
        for (uint32_t slot = 0; slot < 20; slot++, id++) {
            uint32_t moved = slot == 0 ? 20 : slot == 7 ? 0 : slot == 19 ? 7 : slot;
            assert_int_equal(choose(f), moved);
            nq_cache_evict(f->cache, moved, id);
        }
        assert_int_equal(choose(f), NQ_CACHE_NO_SLOT);
    }
}

static void what_moves_keeps_its_standing(void **state) {
    fixture *f = *state;
    fill(f, 20);
    hit(f, 0);
    hit(f, 0);
    nq_cache_move(f->cache, 0, 20);
    assert_int_equal(replace(f, 2, 100), 1);
}

static void what_may_not_go_is_passed_over(void **state) {
    (void)state;
    for (fixture *f = next_policy(NULL, 20); f != NULL; f = next_policy(f, 20)) {
        fill(f, 20);
        for (uint32_t slot = 0; slot < 10; slot++) { /* half of them move to the main queue */
            hit(f, slot);
            hit(f, slot);
        }
        for (uint32_t only = 0; only < 20; only++) {
            for (uint32_t slot = 0; slot < 20; slot++) {
                f->is_busy[slot] = slot != only;
            }
            assert_int_equal(choose(f), only);
        }
        f->is_busy[19] = true;
        assert_int_equal(choose(f), NQ_CACHE_NO_SLOT);
    }
}

static void a_full_mark_is_not_written(void **state) {
    (void)state;
    for (fixture *f = next_policy(NULL, 20); f != NULL; f = next_policy(f, 20)) {
        fill(f, 1);
        for (int i = 0; i < 3; i++) {
            hit(f, 0);
        }
        uint32_t full = atomic_load(&f->marks[0].word);
        for (uint32_t slot = 1; slot < 10; slot++) {
            nq_cache_insert(f->cache, slot, slot + 1);
            hit(f, 0);
            assert_int_equal(atomic_load(&f->marks[0].word), full);
        }
    }
}

static void count_visit(void *user, uint32_t slot) {
    uint32_t *seen = user;
    seen[slot]++;
}

static void a_peek_shows_the_next_to_go(void **state) {
    (void)state;
    for (fixture *f = next_policy(NULL, 20); f != NULL; f = next_policy(f, 20)) {
        fill(f, 20);
        uint32_t seen[20] = {0};
        nq_cache_peek(f->cache, 5, count_visit, seen);
        for (uint32_t slot = 0; slot < 20; slot++) {
            assert_int_equal(seen[slot], slot < 5 ? 1 : 0);
        }
        nq_cache_peek(f->cache, 100, count_visit, seen);
        for (uint32_t slot = 0; slot < 20; slot++) {
            assert_int_equal(seen[slot], slot < 5 ? 2 : 1);
        }
    }
}

static void slots_come_and_go_in_any_order(void **state) {
    (void)state;
    enum { SLOTS = 64, STEPS = 20000, IDS = 300 };
    for (fixture *f = next_policy(NULL, SLOTS); f != NULL; f = next_policy(f, SLOTS)) {
        uint32_t id_of[SLOTS] = {0};
        nq_rng rng = {f->shape.policy + 1};
        for (int step = 0; step < STEPS; step++) {
            uint32_t slot = (uint32_t)nq_rng_below(&rng, SLOTS);
            uint32_t id = 1 + (uint32_t)nq_rng_below(&rng, IDS);
            f->is_busy[nq_rng_below(&rng, SLOTS)] = nq_rng_below(&rng, 2) == 0;
            if (id_of[slot] == 0) {
                nq_cache_insert(f->cache, slot, id_of[slot] = id);
            } else if (nq_rng_below(&rng, 10) == 0) {
                nq_cache_remove(f->cache, slot);
                id_of[slot] = 0;
            } else if (nq_rng_below(&rng, 3) == 0) {
                uint32_t victim = choose(f);
                if (victim != NQ_CACHE_NO_SLOT) {
                    assert_true(id_of[victim] != 0 && !f->is_busy[victim]);
                    nq_cache_evict(f->cache, victim, id_of[victim]);
                    id_of[victim] = 0;
                }
            } else {
                hit(f, slot);
            }
        }
        uint32_t seen[SLOTS] = {0};
        nq_cache_peek(f->cache, SLOTS, count_visit, seen);
        for (uint32_t slot = 0; slot < SLOTS; slot++) {
            assert_int_equal(seen[slot], id_of[slot] != 0);
        }
    }
}

static void policies_are_found_by_name(void **state) {
    (void)state;
    for (nq_cache_policy policy = 0; policy < NQ_CACHE_POLICY_COUNT; policy++) {
        nq_cache_policy found = NQ_CACHE_POLICY_COUNT;
        assert_true(nq_cache_policy_find(nq_cache_policy_name(policy), &found));
        assert_int_equal(found, policy);
    }
    nq_cache_policy found;
    assert_false(nq_cache_policy_find("mru", &found));
}

static void running_out_of_memory_is_told(void **state) {
    (void)state;
    for (nq_cache_policy policy = 0; policy < NQ_CACHE_POLICY_COUNT; policy++) {
        nq_status status = NQ_MEMORY_LIMIT;
        for (uint64_t nth = 1; status != NQ_OK; nth++) {
            nq_cache_mark marks[8] = {0};
            nq_cache *cache;
            nq_ctx ctx;
            nq_ctx_init(&ctx, NULL);
            nq_heap_fail_at(nth, false);
            status = nq_cache_create(&ctx, policy, 8, marks, sizeof marks[0], &cache);
            nq_heap_fail_never();
            assert_true(status == NQ_OK || (status == NQ_MEMORY_LIMIT && cache == NULL));
            nq_cache_destroy(cache);
        }
    }
}

#define CACHE_TEST(name, policy, slots) \
    cmocka_unit_test_prestate_setup_teardown(name, set_up, tear_down, &((shape){policy, slots}))

int main(void) {
    const struct CMUnitTest tests[] = {
        CACHE_TEST(lru_lets_go_of_what_was_used_longest_ago, NQ_CACHE_LRU, 4),
        CACHE_TEST(clock_gives_a_used_page_one_more_round, NQ_CACHE_CLOCK, 4),
        CACHE_TEST(s3fifo_lets_pages_on_probation_go_first_in_first_out, NQ_CACHE_S3FIFO, 20),
        CACHE_TEST(s3fifo_keeps_what_was_used_twice, NQ_CACHE_S3FIFO, 20),
        CACHE_TEST(s3fifo_takes_from_the_main_queue_when_probation_is_short, NQ_CACHE_S3FIFO, 20),
        CACHE_TEST(s3fifo_spares_main_pages_as_often_as_they_were_used, NQ_CACHE_S3FIFO, 20),
        CACHE_TEST(s3fifo_welcomes_back_what_it_let_go_not_long_ago, NQ_CACHE_S3FIFO, 20),
        CACHE_TEST(what_is_lent_is_remembered_when_it_comes_back, NQ_CACHE_S3FIFO, 20),
        cmocka_unit_test(s3fifo_remembers_as_many_as_the_main_queue_holds),
        cmocka_unit_test(hits_within_the_refractory_period_are_one),
        CACHE_TEST(the_first_hit_counts_at_once, NQ_CACHE_S3FIFO, 400),
        CACHE_TEST(a_capacity_that_shrinks_takes_the_refractory_period_along, NQ_CACHE_S3FIFO, 400),
        cmocka_unit_test(a_page_takes_over_the_standing_of_the_one_it_replaces),
        cmocka_unit_test(who_replaces_a_page_without_standing_has_none),
        cmocka_unit_test(what_moves_to_another_slot_keeps_its_place),
        CACHE_TEST(what_moves_keeps_its_standing, NQ_CACHE_S3FIFO, 21),
        cmocka_unit_test(what_may_not_go_is_passed_over),
        cmocka_unit_test(a_full_mark_is_not_written),
        cmocka_unit_test(a_peek_shows_the_next_to_go),
        cmocka_unit_test(slots_come_and_go_in_any_order),
        cmocka_unit_test(policies_are_found_by_name),
        cmocka_unit_test(running_out_of_memory_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
