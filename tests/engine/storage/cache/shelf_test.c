/* Shelf: what is taken is what was put, never more memory than allowed, and what is used stays. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine/ground/base/heap.h"
#include "engine/ground/base/rng.h"
#include "engine/storage/cache/shelf.h"

enum { MIB = 1 << 20 };

static nq_shelf *create(uint64_t bytes) {
    nq_ctx ctx;
    nq_ctx_init(&ctx, NULL);
    nq_shelf *shelf;
    assert_int_equal(nq_shelf_create(&ctx, bytes, &shelf), NQ_OK);
    nq_shelf_set_capacity(shelf, bytes);
    return shelf;
}

/* The image that version `version` of `id` has; sizes differ with both. */
static uint32_t make_image(uint32_t id, uint32_t version, uint8_t *out_image) {
    nq_rng rng = {(uint64_t)id << 32 | version};
    uint32_t bytes = 1 + (uint32_t)nq_rng_below(&rng, NQ_SHELF_IMAGE_BYTES_MAX);
    for (uint32_t i = 0; i < bytes; i++) {
        out_image[i] = (uint8_t)nq_rng_next(&rng);
    }
    return bytes;
}

static void put(nq_shelf *shelf, uint32_t id, uint32_t version) {
    uint8_t image[NQ_SHELF_IMAGE_BYTES_MAX];
    uint32_t bytes = make_image(id, version, image);
    nq_shelf_put(shelf, id, image, (nq_shelf_label){bytes, (uint8_t)version});
}

/* Taken, it must be this version. */
static bool take(nq_shelf *shelf, uint32_t id, uint32_t version) {
    static uint8_t taken[NQ_SHELF_IMAGE_BYTES_MAX];
    nq_shelf_label label;
    bool was_there = nq_shelf_has(shelf, id);
    assert_int_equal(nq_shelf_take(shelf, id, taken, &label), was_there);
    assert_false(nq_shelf_has(shelf, id));
    if (was_there) {
        uint8_t image[NQ_SHELF_IMAGE_BYTES_MAX];
        uint32_t bytes = make_image(id, version, image);
        assert_int_equal(label.bytes, bytes);
        assert_int_equal(label.tag, (uint8_t)version);
        assert_memory_equal(taken, image, bytes);
    }
    return was_there;
}

static void an_image_is_taken_as_it_was_put_last(void **state) {
    (void)state;
    nq_shelf *shelf = create(MIB);
    assert_false(take(shelf, 7, 1));
    put(shelf, 7, 1);
    put(shelf, 8, 1);
    put(shelf, 7, 2);
    assert_true(take(shelf, 7, 2));
    assert_false(take(shelf, 7, 2));
    put(shelf, 7, 3);
    nq_shelf_remove(shelf, 7);
    nq_shelf_remove(shelf, 7);
    assert_false(take(shelf, 7, 3));
    assert_true(take(shelf, 8, 1));
    assert_int_equal(nq_shelf_get_stats(shelf).hits, 2);
    nq_shelf_destroy(shelf);
}

static void a_shelf_without_capacity_keeps_nothing(void **state) {
    (void)state;
    nq_shelf *shelf = create(4 * MIB);
    nq_shelf_set_capacity(shelf, 0);
    put(shelf, 1, 1);
    assert_false(nq_shelf_has(shelf, 1));
    assert_int_equal(nq_shelf_get_stats(shelf).bytes_held, 0);
    nq_shelf_destroy(shelf);
    shelf = create(1000); /* less than one block */
    put(shelf, 1, 1);
    assert_false(nq_shelf_has(shelf, 1));
    assert_int_equal(nq_shelf_capacity(shelf), 0);
    nq_shelf_destroy(shelf);
}

static void memory_is_used_to_the_last_cells(void **state) {
    (void)state;
    nq_shelf *shelf = create(2 * MIB);
    static uint8_t image[4000];
    for (uint32_t id = 1; id <= 2000; id++) {
        nq_shelf_put(shelf, id, image, (nq_shelf_label){sizeof image, 0});
        assert_true(nq_shelf_get_stats(shelf).bytes_held <= 2 * MIB);
    }
    /* 4000 bytes are eight cells of 512. */
    assert_int_equal(nq_shelf_get_stats(shelf).image_count, 2 * MIB / 4096);
    nq_shelf_destroy(shelf);
}

static void put_cold(nq_shelf *shelf, uint32_t id) {
    static const uint8_t image[4096];
    nq_shelf_put(shelf, id, image, (nq_shelf_label){sizeof image, 0});
}

static void images_that_come_back_outlive_a_stream_of_others(void **state) {
    (void)state;
    nq_shelf *shelf = create(2 * MIB);
    enum { HOT = 100, COLD = 5000 };
    for (uint32_t id = 1; id <= HOT; id++) {
        put_cold(shelf, id);
    }
    uint32_t missing = 0;
    for (uint32_t i = 0; i < COLD; i++) {
        put_cold(shelf, 1000 + i);
        missing += !nq_shelf_has(shelf, 1 + i % HOT);
        static uint8_t image[NQ_SHELF_IMAGE_BYTES_MAX];
        nq_shelf_label label;
        (void)nq_shelf_take(shelf, 1 + i % HOT, image, &label);
        put_cold(shelf, 1 + i % HOT); /* used, and let go again */
    }
    assert_int_equal(missing, 0);
    nq_shelf_destroy(shelf);
}

static void a_shelf_with_room_admits_whatever_comes(void **state) {
    (void)state;
    nq_shelf *shelf = create(MIB);
    for (uint32_t id = 1; id <= 200; id++) {
        assert_true(nq_shelf_admits(shelf, id));
        put_cold(shelf, id);
    }
    nq_shelf_destroy(shelf);
}

static void a_full_shelf_admits_what_has_asked_before(void **state) {
    (void)state;
    enum { FULL = 256, NEWCOMER = 1000, MANY = 2000 };
    nq_shelf *shelf = create(MIB);
    for (uint32_t id = 1; id <= FULL; id++) {
        put_cold(shelf, id);
    }
    assert_false(nq_shelf_admits(shelf, NEWCOMER));
    assert_true(nq_shelf_admits(shelf, NEWCOMER));
    assert_true(nq_shelf_admits(shelf, NEWCOMER)); /* until it is put */
    for (uint32_t id = NEWCOMER + 1; id < NEWCOMER + MANY; id++) {
        assert_false(nq_shelf_admits(shelf, id));
    }
    assert_false(nq_shelf_admits(shelf, NEWCOMER)); /* that was long ago */
    assert_int_equal(nq_shelf_get_stats(shelf).image_count, FULL);
    nq_shelf_destroy(shelf);
}

static void what_was_taken_is_admitted_again(void **state) {
    (void)state;
    enum { FULL = 256, TAKEN = 7, ANOTHER = 1000 };
    static uint8_t image[NQ_SHELF_IMAGE_BYTES_MAX];
    nq_shelf *shelf = create(MIB);
    nq_shelf_label label;
    for (uint32_t id = 1; id <= FULL; id++) {
        put_cold(shelf, id);
    }
    assert_true(nq_shelf_take(shelf, TAKEN, image, &label));
    put_cold(shelf, ANOTHER);
    assert_true(nq_shelf_admits(shelf, TAKEN));
    nq_shelf_destroy(shelf);
}

static void what_went_not_long_ago_is_remembered(void **state) {
    (void)state;
    nq_shelf *shelf = create(MIB);
    for (uint32_t id = 1; id <= 257; id++) {
        assert_false(nq_shelf_remembers(shelf, id));
        put_cold(shelf, id);
    }
    assert_int_equal(nq_shelf_get_stats(shelf).evictions, 1);
    assert_true(nq_shelf_remembers(shelf, 1));
    put_cold(shelf, 1);
    assert_false(nq_shelf_remembers(shelf, 1));
    nq_shelf_destroy(shelf);
}

static void a_shelf_that_shrinks_gives_memory_back_and_keeps_what_fits(void **state) {
    (void)state;
    nq_shelf *shelf = create(8 * MIB);
    enum { IDS = 1500 };
    for (uint32_t id = 1; id <= IDS; id++) {
        put(shelf, id, 1);
    }
    for (uint32_t id = 1; id <= IDS; id += 2) {
        nq_shelf_remove(shelf, id);
    }
    nq_shelf_stats before = nq_shelf_get_stats(shelf);
    nq_shelf_set_capacity(shelf, 5 * MIB);
    nq_shelf_stats after = nq_shelf_get_stats(shelf);
    assert_true(before.bytes_held > 5 * MIB && after.bytes_held <= 5 * MIB);
    assert_int_equal(after.image_count, before.image_count); /* the rest had room */
    for (uint32_t id = 2; id <= IDS; id += 2) {
        assert_true(take(shelf, id, 1));
        put(shelf, id, 1);
    }
    nq_shelf_set_capacity(shelf, MIB);
    assert_true(nq_shelf_get_stats(shelf).image_count > 100);
    nq_shelf_set_capacity(shelf, 0);
    assert_int_equal(nq_shelf_get_stats(shelf).image_count, 0);
    assert_int_equal(nq_shelf_get_stats(shelf).bytes_held, 0);
    nq_shelf_destroy(shelf);
}

static void any_use_leaves_only_true_images(void **state) {
    (void)state;
    enum { IDS = 1200, STEPS = 30000 };
    nq_shelf *shelf = create(4 * MIB);
    uint32_t *versions = calloc(IDS + 1, sizeof *versions);
    assert_non_null(versions);
    nq_rng rng = {1};
    uint64_t capacity = 4 * MIB;
    for (uint32_t step = 1; step <= STEPS; step++) {
        uint32_t id = 1 + (uint32_t)nq_rng_below(&rng, IDS);
        switch (nq_rng_below(&rng, 100)) {
        case 0:
            capacity = nq_rng_below(&rng, 5) * MIB;
            nq_shelf_set_capacity(shelf, capacity);
            break;
        case 1 ... 10:
            nq_shelf_remove(shelf, id);
            assert_false(nq_shelf_has(shelf, id));
            break;
        case 11 ... 40:
            take(shelf, id, versions[id]);
            break;
        default:
            put(shelf, id, versions[id] = step);
        }
        assert_true(nq_shelf_get_stats(shelf).bytes_held <= capacity);
    }
    free(versions);
    nq_shelf_destroy(shelf);
}

static void a_heap_that_is_empty_costs_images_only(void **state) {
    (void)state;
    for (uint64_t nth = 1;; nth++) {
        nq_ctx ctx;
        nq_ctx_init(&ctx, NULL);
        nq_shelf *shelf;
        nq_heap_fail_at(nth, false);
        nq_status status = nq_shelf_create(&ctx, 2 * MIB, &shelf);
        if (status == NQ_OK) {
            nq_shelf_set_capacity(shelf, 2 * MIB);
            for (uint32_t id = 1; id < 600; id++) {
                put(shelf, id, 1);
                take(shelf, id - 1, 1);
            }
        }
        uint64_t tried = nq_heap_fail_never();
        assert_true(status == NQ_OK || (status == NQ_MEMORY_LIMIT && shelf == NULL));
        nq_shelf_destroy(shelf);
        if (tried < nth) {
            return;
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_image_is_taken_as_it_was_put_last),
        cmocka_unit_test(a_shelf_without_capacity_keeps_nothing),
        cmocka_unit_test(memory_is_used_to_the_last_cells),
        cmocka_unit_test(images_that_come_back_outlive_a_stream_of_others),
        cmocka_unit_test(a_shelf_with_room_admits_whatever_comes),
        cmocka_unit_test(a_full_shelf_admits_what_has_asked_before),
        cmocka_unit_test(what_was_taken_is_admitted_again),
        cmocka_unit_test(what_went_not_long_ago_is_remembered),
        cmocka_unit_test(a_shelf_that_shrinks_gives_memory_back_and_keeps_what_fits),
        cmocka_unit_test(any_use_leaves_only_true_images),
        cmocka_unit_test(a_heap_that_is_empty_costs_images_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
