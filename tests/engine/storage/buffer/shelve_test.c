/* Shelve: pages that leave their frames come back from memory, as they were left, within the
 * budget. */
#include <stdatomic.h>

#include "engine/ground/os/thread.h"
#include "tests/engine/storage/buffer/fixture.h"

/* The pages are a third of the budget as images, and twice as much as that unpacked. */
enum { BUDGET = 12 << 20, PAGES = 3000, FIRST = 4 };

static nq_pool_stats stats_of(fixture *f) {
    nq_pool_stats stats;
    nq_pool_get_stats(f->pool, &stats);
    assert_true(stats.bytes_used <= stats.bytes_budget);
    return stats;
}

static void set_up_written(fixture *f, nq_cache_policy policy) {
    set_up_with(f, (nq_pool_options){.cache_bytes = BUDGET, .policy = policy});
    for (uint32_t id = FIRST; id < FIRST + PAGES; id++) {
        make_page(f, id);
    }
    uint64_t written;
    assert_int_equal(nq_pool_write_dirty(&f->ctx, f->pool, 1, &written), NQ_OK);
}

static uint32_t any_id(nq_rng *rng) {
    return FIRST + (uint32_t)nq_rng_below(rng, PAGES);
}

static void pin_often(fixture *f, nq_rng *rng, int times) {
    for (int i = 0; i < times; i++) {
        uint32_t id = any_id(rng);
        nq_pin pin;
        assert_int_equal(nq_pool_pin(&f->ctx, f->pool, (nq_page_ref){id, 1}, &pin), NQ_OK);
        assert_true(holds_its_id(pin.page, id));
        nq_pool_unpin(f->pool, &pin);
    }
}

static void more_pages_than_the_budget_holds_stay_in_it_compressed(void **state) {
    (void)state;
    fixture f;
    set_up_written(&f, NQ_CACHE_S3FIFO);
    nq_rng rng = {1};
    pin_often(&f, &rng, 20 * PAGES);
    nq_pool_stats before = stats_of(&f);
    pin_often(&f, &rng, PAGES);
    nq_pool_stats after = stats_of(&f);
    uint64_t reads = after.pages_read - before.pages_read;
    assert_true(reads <= PAGES / 20); /* where reading them costs what unpacking the others does */
    assert_int_equal(after.misses - before.misses, after.shelf_hits - before.shelf_hits + reads);
    assert_true(after.shelf_pages > PAGES / 2);
    tear_down(&f);
}

static void pages_that_fit_are_not_unpacked_again_and_again(void **state) {
    (void)state;
    enum { FITTING = 600 }; /* of some 1,200 that there is room for */
    fixture f;
    set_up_written(&f, NQ_CACHE_S3FIFO);
    nq_rng rng = {1};
    pin_often(&f, &rng, 20 * PAGES); /* the shelf has most of the budget, */
    nq_pool_stats before;
    for (int round = 0; round < 100; round++) {
        before = stats_of(&f);
        for (uint32_t id = FIRST; id < FIRST + FITTING; id++) {
            assert_int_equal(pin_and_unpin(&f, id), NQ_OK);
        }
    }
    nq_pool_stats after = stats_of(&f); /* and has given it back. */
    assert_int_equal(after.misses, before.misses);
    tear_down(&f);
}

static void a_policy_that_remembers_nothing_has_a_shelf_too(void **state) {
    (void)state;
    fixture f;
    set_up_written(&f, NQ_CACHE_LRU);
    nq_rng rng = {1};
    pin_often(&f, &rng, 5 * PAGES);
    assert_true(stats_of(&f).shelf_hits > 0);
    tear_down(&f);
}

static void what_others_take_the_shelf_gives_up(void **state) {
    (void)state;
    fixture f;
    set_up_written(&f, NQ_CACHE_S3FIFO);
    nq_rng rng = {1};
    pin_often(&f, &rng, 20 * PAGES);
    nq_pool_stats before = stats_of(&f);
    nq_pool_charge(f.pool, BUDGET / 2);
    nq_pool_stats after = stats_of(&f);
    assert_true(after.shelf_bytes < before.shelf_bytes);
    pin_often(&f, &rng, PAGES);
    (void)stats_of(&f);
    nq_pool_charge(f.pool, -BUDGET / 2);
    pin_often(&f, &rng, 20 * PAGES);
    before = stats_of(&f);
    pin_often(&f, &rng, PAGES);
    assert_true(stats_of(&f).pages_read <= before.pages_read + PAGES / 20);
    tear_down(&f);
}

/* ---- Against a model ---- */

typedef struct model {
    fixture f;
    uint32_t versions[PAGES]; /* 0: there is no such page */
    bool is_charged;
} model;

static uint32_t *version_in(nq_page *page) {
    bool is_overflow;
    nq_bytes payload = nq_node_payload(page, 0, &is_overflow);
    return (uint32_t *)(void *)(uintptr_t)payload.data;
}

static void look(model *m, uint32_t id) {
    nq_pin pin;
    nq_status status = nq_pool_pin(&m->f.ctx, m->f.pool, (nq_page_ref){id, 1}, &pin);
    uint32_t version = m->versions[id - FIRST];
    assert_int_equal(status, version == 0 ? NQ_PAGE_CORRUPT : NQ_OK);
    if (version != 0) {
        assert_true(holds_its_id(pin.page, id));
        assert_memory_equal(version_in(pin.page), &version, sizeof version);
        nq_pool_unpin(m->f.pool, &pin);
    }
}

static void change(model *m, uint32_t id, uint32_t version) {
    nq_pin pin;
    if (m->versions[id - FIRST] == 0) {
        make_page(&m->f, id);
    }
    assert_int_equal(nq_pool_pin(&m->f.ctx, m->f.pool, (nq_page_ref){id, 1}, &pin), NQ_OK);
    nq_pool_mark_dirty(m->f.pool, pin);
    memcpy(version_in(pin.page), &version, sizeof version);
    nq_pool_unpin(m->f.pool, &pin);
    m->versions[id - FIRST] = version;
}

static void step(model *m, nq_rng *rng, uint32_t number) {
    uint32_t id = any_id(rng);
    uint64_t written;
    switch (nq_rng_below(rng, 1000)) {
    case 0:
        assert_int_equal(nq_pool_write_dirty(&m->f.ctx, m->f.pool, 1, &written), NQ_OK);
        break;
    case 1:
        m->is_charged = !m->is_charged;
        nq_pool_charge(m->f.pool, m->is_charged ? BUDGET / 3 : -BUDGET / 3);
        break;
    case 2 ... 30:
        nq_pool_forget(m->f.pool, (nq_page_id){id});
        m->versions[id - FIRST] = 0;
        break;
    case 31 ... 200:
        change(m, id, number);
        break;
    default:
        look(m, id);
    }
}

static void any_use_shows_pages_as_they_were_left(void **state) {
    (void)state;
    enum { STEPS = 60000 };
    static model m;
    set_up_with(&m.f, (nq_pool_options){.cache_bytes = BUDGET});
    for (uint32_t id = FIRST; id < FIRST + PAGES; id++) {
        change(&m, id, 1);
    }
    nq_rng rng = {1};
    for (uint32_t number = 2; number < STEPS; number++) {
        step(&m, &rng, number);
    }
    nq_pool_stats stats;
    nq_pool_get_stats(m.f.pool, &stats);
    assert_true(stats.shelf_hits > 1000);
    tear_down(&m.f);
}

/* ---- Many at once ---- */

enum { THREADS = 4, PINS = 8000 };

typedef struct readers {
    fixture *f;
    _Atomic uint32_t next_seed;
    _Atomic int failures;
} readers;

static void run_reader(void *argument) {
    readers *r = argument;
    nq_ctx ctx;
    nq_ctx_init(&ctx, NULL);
    nq_rng rng = {atomic_fetch_add(&r->next_seed, 1)};
    for (int i = 0; i < PINS; i++) {
        uint32_t id = any_id(&rng);
        nq_pin pin;
        if (nq_pool_pin(&ctx, r->f->pool, (nq_page_ref){id, 1}, &pin) != NQ_OK ||
            !holds_its_id(pin.page, id)) {
            atomic_fetch_add(&r->failures, 1);
            return;
        }
        nq_pool_unpin(r->f->pool, &pin);
    }
}

static void many_threads_share_frames_and_shelf(void **state) {
    (void)state;
    fixture f;
    set_up_written(&f, NQ_CACHE_S3FIFO);
    readers r = {.f = &f, .next_seed = 1};
    nq_thread threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(nq_thread_start(&f.ctx, &threads[i], "reader", run_reader, &r), NQ_OK);
    }
    for (int i = 0; i < 100; i++) {
        nq_pool_charge(f.pool, i % 2 == 0 ? BUDGET / 3 : -BUDGET / 3);
        nq_thread_sleep_ns(100000);
    }
    for (int i = 0; i < THREADS; i++) {
        nq_thread_join(&threads[i]);
    }
    assert_int_equal(atomic_load(&r.failures), 0);
    nq_pool_stats stats = stats_of(&f);
    assert_int_equal(stats.hits + stats.misses, THREADS * PINS);
    assert_true(stats.shelf_hits > 0);
    tear_down(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(more_pages_than_the_budget_holds_stay_in_it_compressed),
        cmocka_unit_test(pages_that_fit_are_not_unpacked_again_and_again),
        cmocka_unit_test(a_policy_that_remembers_nothing_has_a_shelf_too),
        cmocka_unit_test(what_others_take_the_shelf_gives_up),
        cmocka_unit_test(any_use_shows_pages_as_they_were_left),
        cmocka_unit_test(many_threads_share_frames_and_shelf),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
