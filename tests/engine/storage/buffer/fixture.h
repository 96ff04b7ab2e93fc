/* A pool over a pager on a simulated disk, and pages that say who they are. */
#ifndef NQ_TESTS_STORAGE_BUFFER_FIXTURE_H
#define NQ_TESTS_STORAGE_BUFFER_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/ground/base/rng.h"
#include "engine/ground/os/sim_vfs.h"
#include "engine/storage/buffer/pool.h"
#include "engine/storage/page/node.h"
#include "tests/engine/storage/pager/pages.h"

typedef struct fixture {
    nq_ctx ctx;
    nq_sim_vfs *disk;
    nq_pager *pager;
    nq_pool *pool;
} fixture;

static inline void set_up_with(fixture *f, nq_pool_options options) {
    nq_ctx_init(&f->ctx, NULL);
    nq_sim_options sim = {.seed = 1};
    assert_int_equal(nq_sim_vfs_create(&f->ctx, &sim, &f->disk), NQ_OK);
    f->pager = pages_make_pager(&f->ctx, f->disk, 1);
    assert_int_equal(nq_pool_create(&f->ctx, f->pager, &options, &f->pool), NQ_OK);
}

static inline void set_up(fixture *f) {
    set_up_with(f, (nq_pool_options){0});
}

static inline void tear_down(fixture *f) {
    nq_pool_destroy(f->pool);
    nq_pager_close(f->pager);
    nq_sim_vfs_destroy(f->disk);
}

/* Page `id` of generation 1, whose first entry says so. */
static inline void make_page(fixture *f, uint32_t id) {
    nq_pin pin;
    assert_int_equal(nq_pool_pin_new(&f->ctx, f->pool, (nq_page_id){id}, 1, NQ_PAGE_LEAF, &pin),
                     NQ_OK);
    nq_rng rng = {id};
    uint8_t noise[2000]; /* does not compress */
    for (size_t i = 0; i < sizeof noise; i++) {
        noise[i] = (uint8_t)nq_rng_next(&rng);
    }
    assert_true(nq_node_insert(pin.page, 0, nq_bytes_of(&id, sizeof id),
                               nq_bytes_of(noise, sizeof noise), false));
    nq_pool_unpin(f->pool, &pin);
}

static inline bool holds_its_id(const nq_page *page, uint32_t id) {
    return nq_bytes_equal(nq_node_suffix(page, 0), nq_bytes_of(&id, sizeof id));
}

static inline nq_status pin_and_unpin(fixture *f, uint32_t id) {
    nq_pin pin;
    nq_status status = nq_pool_pin(&f->ctx, f->pool, (nq_page_ref){id, 1}, &pin);
    nq_pool_unpin(f->pool, &pin);
    return status;
}

#endif
