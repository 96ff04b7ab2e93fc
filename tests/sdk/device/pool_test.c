/* The pool hands memory out once, takes it back, and says when there is none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "sdk/device/device_internal.h"

static nq_device_pool pool;

static int empty_pool(void **state) {
    (void)state;
    nq__device_pool_init(&pool);
    return 0;
}

static void what_is_given_back_is_had_again_whole(void **state) {
    (void)state;
    void *blocks[8];
    for (int turn = 0; turn < 3; turn++) {
        for (int i = 0; i < 8; i++) {
            blocks[i] = nq__device_pool_alloc(&pool, 2000);
            assert_non_null(blocks[i]);
        }
        for (int i = 0; i < 8; i++) {
            nq__device_pool_free(&pool, blocks[(i * 5) % 8]);
        }
        assert_int_equal(pool.used_bytes, 0);
        void *all = nq__device_pool_alloc(&pool, sizeof pool.memory - 64);
        assert_non_null(all);
        nq__device_pool_free(&pool, all);
    }
}

static void there_is_no_more_than_there_is(void **state) {
    (void)state;
    assert_null(nq__device_pool_alloc(&pool, sizeof pool.memory));
    assert_null(nq__device_pool_alloc(&pool, SIZE_MAX));
    void *half = nq__device_pool_alloc(&pool, sizeof pool.memory / 2);
    assert_non_null(half);
    assert_null(nq__device_pool_alloc(&pool, sizeof pool.memory / 2));
    assert_null(nq__device_pool_resize(&pool, half, sizeof pool.memory));
    assert_in_range(pool.used_bytes_max, sizeof pool.memory / 2, sizeof pool.memory / 2 + 64);
}

static void resizing_keeps_what_was_there(void **state) {
    (void)state;
    char *text = nq__device_pool_resize(&pool, NULL, 10);
    strcpy(text, "sensor");
    void *wall = nq__device_pool_alloc(&pool, 10);
    text = nq__device_pool_resize(&pool, text, 5000);
    assert_string_equal(text, "sensor");
    assert_ptr_equal(nq__device_pool_resize(&pool, text, 20), text);
    nq__device_pool_free(&pool, text);
    nq__device_pool_free(&pool, wall);
    nq__device_pool_free(&pool, NULL);
    assert_int_equal(pool.used_bytes, 0);
}

/* Blocks of changing sizes, each filled with its own byte: none ever overlaps another. */
static void no_two_blocks_overlap(void **state) {
    enum { BLOCKS = 20, TURNS = 20000 };
    static uint8_t *blocks[BLOCKS];
    static size_t sizes[BLOCKS];
    uint32_t random = 7;
    (void)state;
    for (int turn = 0; turn < TURNS; turn++) {
        random = random * 1664525U + 1013904223U;
        size_t which = random >> 8 & 0xff;
        which %= BLOCKS;
        for (size_t i = 0; i < sizes[which]; i++) {
            assert_int_equal(blocks[which][i], which);
        }
        nq__device_pool_free(&pool, blocks[which]);
        sizes[which] = random >> 16 & 0xfff;
        blocks[which] = nq__device_pool_alloc(&pool, sizes[which]);
        if (blocks[which] == NULL) {
            sizes[which] = 0; /* full for once */
            continue;
        }
        assert_int_equal((uintptr_t)blocks[which] % _Alignof(max_align_t), 0);
        memset(blocks[which], (int)which, sizes[which]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(what_is_given_back_is_had_again_whole, empty_pool),
        cmocka_unit_test_setup(there_is_no_more_than_there_is, empty_pool),
        cmocka_unit_test_setup(resizing_keeps_what_was_there, empty_pool),
        cmocka_unit_test_setup(no_two_blocks_overlap, empty_pool),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
