/* The heap hands out memory, and fails when it is told to. */
#include "engine/ground/base/heap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "engine/ground/base/rng.h"

static void the_nth_allocation_fails_alone_or_with_all_that_follow(void **state) {
    (void)state;
    for (uint64_t nth = 1; nth <= 4; nth++) {
        for (int all = 0; all < 2; all++) {
            void *memory[4];
            nq_heap_fail_at(nth, all == 1);
            memory[0] = nq_heap_alloc(10);
            memory[1] = nq_heap_calloc(2, 5);
            memory[2] = nq_heap_alloc_aligned(4096, 10);
            memory[3] = nq_heap_realloc(NULL, 10);
            assert_int_equal(nq_heap_fail_never(), 4);
            for (uint64_t i = 0; i < 4; i++) {
                bool fails = i + 1 == nth || (all == 1 && i + 1 > nth);
                assert_int_equal(memory[i] == NULL, fails);
                nq_heap_free(memory[i]);
            }
        }
    }
}

static void an_exempt_thread_neither_counts_nor_fails(void **state) {
    (void)state;
    nq_heap_fail_at(1, true);
    assert_false(nq_heap_set_exempt(true));
    void *memory = nq_heap_alloc(10);
    assert_non_null(memory);
    assert_true(nq_heap_set_exempt(false));
    assert_null(nq_heap_alloc(10));
    assert_int_equal(nq_heap_fail_never(), 1);
    nq_heap_free(memory);
}

static void memory_is_aligned_zeroed_and_refused_when_the_size_overflows(void **state) {
    (void)state;
    uint8_t *page = nq_heap_alloc_aligned(4096, 5000);
    assert_int_equal((uintptr_t)page % 4096, 0);
    memset(page, 1, 5000);
    nq_heap_free(page);
    uint8_t *zeros = nq_heap_calloc(100, 7);
    for (int i = 0; i < 700; i++) {
        assert_int_equal(zeros[i], 0);
    }
    nq_heap_free(zeros);
    volatile size_t huge = SIZE_MAX;
    assert_null(nq_heap_calloc(huge / 2, 3));
    assert_null(nq_heap_alloc_aligned(4096, huge - 10));
    assert_null(nq_heap_copy_text("x", huge));
    void *nothing = nq_heap_alloc(0);
    assert_non_null(nothing);
    nothing = nq_heap_realloc(nothing, 0);
    assert_non_null(nothing);
    nq_heap_free(nothing);
    nq_heap_free(NULL);
}

/* The sizes around those that a thread keeps for itself. */
static void no_block_is_handed_out_twice(void **state) {
    enum { LIVE = 24, TURNS = 20000, BYTES_MAX = 9000 };
    static uint8_t *blocks[LIVE];
    static size_t sizes[LIVE];
    nq_rng rng = {7};
    (void)state;
    for (int turn = 0; turn < TURNS; turn++) {
        size_t which = nq_rng_below(&rng, LIVE);
        for (size_t i = 0; i < sizes[which]; i += 97) {
            assert_int_equal(blocks[which][i], which);
        }
        nq_heap_free(blocks[which]);
        sizes[which] = nq_rng_below(&rng, BYTES_MAX);
        if (turn % 2 == 0) {
            blocks[which] = nq_heap_alloc(sizes[which]);
        } else {
            blocks[which] = nq_heap_calloc(sizes[which], 1);
            for (size_t i = 0; i < sizes[which]; i++) {
                assert_int_equal(blocks[which][i], 0);
            }
        }
        assert_int_equal((uintptr_t)blocks[which] % 16, 0);
        memset(blocks[which], (int)which, sizes[which]);
        if (turn % 1000 == 0) {
            nq_heap_thread_end();
        }
    }
    for (size_t i = 0; i < LIVE; i++) {
        nq_heap_free(blocks[i]);
    }
    nq_heap_thread_end();
}

static void a_copied_text_ends_with_a_nul(void **state) {
    (void)state;
    char *copy = nq_heap_copy_text("abcdef", 3);
    assert_string_equal(copy, "abc");
    nq_heap_free(copy);
    copy = nq_heap_copy_text(NULL, 0);
    assert_string_equal(copy, "");
    nq_heap_free(copy);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_nth_allocation_fails_alone_or_with_all_that_follow),
        cmocka_unit_test(an_exempt_thread_neither_counts_nor_fails),
        cmocka_unit_test(memory_is_aligned_zeroed_and_refused_when_the_size_overflows),
        cmocka_unit_test(no_block_is_handed_out_twice),
        cmocka_unit_test(a_copied_text_ends_with_a_nul),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
