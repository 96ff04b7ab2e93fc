/* The generator is splitmix64, reproducible, and its bounded forms stay in bounds. */
#include "engine/ground/base/rng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void it_gives_the_published_sequence(void **state) {
    (void)state;
    /* splitmix64.c by S. Vigna, seed 1234567. */
    nq_rng rng = {1234567};
    assert_true(nq_rng_next(&rng) == UINT64_C(6457827717110365317));
    assert_true(nq_rng_next(&rng) == UINT64_C(3203168211198807973));
    assert_true(nq_rng_next(&rng) == UINT64_C(9817491932198370423));
}

static void bounded_numbers_stay_in_bounds_and_reach_all_of_them(void **state) {
    (void)state;
    nq_rng rng = {1};
    unsigned counts[7] = {0};
    for (int i = 0; i < 7000; i++) {
        uint64_t number = nq_rng_below(&rng, 7);
        assert_true(number < 7);
        counts[number]++;
        double unit = nq_rng_unit(&rng);
        assert_true(unit >= 0 && unit < 1);
    }
    for (int i = 0; i < 7; i++) {
        assert_in_range(counts[i], 800, 1200);
    }
    assert_true(nq_rng_below(&rng, 1) == 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_gives_the_published_sequence),
        cmocka_unit_test(bounded_numbers_stay_in_bounds_and_reach_all_of_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
