/* An arena hands out aligned memory within its budget, and gives all of it back. */
#include "engine/ground/base/arena.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/ground/base/heap.h"
#include "engine/ground/base/rng.h"

static void allocations_are_aligned_apart_and_writable(void **state) {
    (void)state;
    enum { COUNT = 2000 };
    nq_arena arena;
    nq_arena_init(&arena, 64 << 20);
    uint8_t *blocks[COUNT];
    size_t sizes[COUNT];
    nq_rng rng = {1};
    for (size_t i = 0; i < COUNT; i++) {
        sizes[i] = (size_t)nq_rng_below(&rng, i % 50 == 0 ? 100000 : 100);
        blocks[i] = nq_arena_alloc(&arena, sizes[i]);
        assert_non_null(blocks[i]);
        assert_int_equal((uintptr_t)blocks[i] % 16, 0);
        memset(blocks[i], (int)i, sizes[i]);
    }
    for (size_t i = 0; i < COUNT; i++) {
        for (size_t at = 0; at < sizes[i]; at++) {
            assert_int_equal(blocks[i][at], (uint8_t)i);
        }
    }
    nq_arena_deinit(&arena);
    assert_int_equal(arena.taken_bytes, 0);
}

static void the_budget_is_never_exceeded_and_nearly_all_of_it_is_usable(void **state) {
    (void)state;
    enum { BUDGET = 100000 };
    nq_arena arena;
    nq_arena_init(&arena, BUDGET);
    size_t got = 0;
    while (nq_arena_alloc(&arena, 160) != NULL) {
        got += 160;
        assert_true(arena.taken_bytes <= BUDGET);
    }
    assert_in_range(got, BUDGET * 9 / 10, BUDGET);
    assert_null(nq_arena_alloc(&arena, BUDGET));
    volatile size_t huge = SIZE_MAX; /* the compiler would warn of a constant */
    assert_null(nq_arena_alloc(&arena, huge));
    assert_null(nq_arena_alloc(&arena, huge / 2));
    assert_null(nq_arena_calloc(&arena, SIZE_MAX / 2, 3));
    nq_arena_deinit(&arena);

    nq_arena_init(&arena, 0);
    assert_null(nq_arena_alloc(&arena, 1));
    nq_arena_deinit(&arena);
}

static void a_failed_allocation_leaves_the_arena_usable(void **state) {
    (void)state;
    nq_arena arena;
    nq_arena_init(&arena, 1 << 20);
    nq_heap_fail_at(1, false);
    assert_null(nq_arena_alloc(&arena, 10));
    assert_non_null(nq_arena_alloc(&arena, 10));
    assert_int_equal(nq_heap_fail_never(), 2);
    nq_arena_deinit(&arena);
}

static void resetting_to_a_mark_gives_back_what_came_after_it(void **state) {
    (void)state;
    nq_arena arena;
    nq_arena_init(&arena, 64 << 20);
    nq_arena_mark start = nq_arena_get_mark(&arena);
    char *kept = nq_arena_alloc(&arena, 100);
    memset(kept, 'k', 100);
    nq_arena_mark mark = nq_arena_get_mark(&arena);
    size_t before = arena.taken_bytes;
    void *first = nq_arena_alloc(&arena, 50);
    for (int i = 0; i < 1000; i++) {
        assert_non_null(nq_arena_alloc(&arena, 1000));
    }
    assert_true(arena.taken_bytes > before);
    nq_arena_reset_to(&arena, mark);
    assert_int_equal(arena.taken_bytes, before);
    assert_int_equal(kept[99], 'k');
    assert_ptr_equal(nq_arena_alloc(&arena, 50), first);
    nq_arena_reset_to(&arena, start);
    assert_int_equal(arena.taken_bytes, 0);
    assert_true(arena.taken_bytes_max > 1000000);
    nq_arena_deinit(&arena);
}

static void reset_keeps_one_chunk_and_needs_the_heap_no_more(void **state) {
    (void)state;
    nq_arena arena;
    nq_arena_init(&arena, 64 << 20);
    for (int i = 0; i < 100; i++) {
        assert_non_null(nq_arena_alloc(&arena, 1000));
    }
    assert_non_null(nq_arena_alloc(&arena, 5 << 20)); /* too large to be kept */
    nq_arena_reset(&arena);
    assert_in_range(arena.taken_bytes, 4096, 1 << 20);
    nq_heap_fail_at(1, true);
    for (int round = 0; round < 10; round++) {
        assert_non_null(nq_arena_alloc(&arena, 1000));
        assert_non_null(nq_arena_alloc(&arena, 1000));
        nq_arena_reset(&arena);
    }
    assert_int_equal(nq_heap_fail_never(), 0);
    nq_arena_deinit(&arena);
    nq_arena_reset(&arena);
}

static void a_copy_ends_with_a_nul_that_does_not_count(void **state) {
    (void)state;
    nq_arena arena;
    nq_arena_init(&arena, 1 << 20);
    nq_bytes copy = nq_arena_copy(&arena, NQ_BYTES_LITERAL("abc"));
    assert_int_equal(copy.size, 3);
    assert_string_equal((const char *)copy.data, "abc");
    copy = nq_arena_copy(&arena, nq_bytes_of(NULL, 0));
    assert_int_equal(copy.size, 0);
    assert_string_equal((const char *)copy.data, "");
    uint8_t *zeros = nq_arena_calloc(&arena, 100, 3);
    for (int i = 0; i < 300; i++) {
        assert_int_equal(zeros[i], 0);
    }
    nq_arena_deinit(&arena);
    nq_arena_init(&arena, 0);
    assert_null(nq_arena_copy(&arena, NQ_BYTES_LITERAL("abc")).data);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(allocations_are_aligned_apart_and_writable),
        cmocka_unit_test(the_budget_is_never_exceeded_and_nearly_all_of_it_is_usable),
        cmocka_unit_test(a_failed_allocation_leaves_the_arena_usable),
        cmocka_unit_test(resetting_to_a_mark_gives_back_what_came_after_it),
        cmocka_unit_test(reset_keeps_one_chunk_and_needs_the_heap_no_more),
        cmocka_unit_test(a_copy_ends_with_a_nul_that_does_not_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
