/* Balance: the border goes where the next byte saves more, and stays where nothing is regretted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/storage/cache/balance.h"

enum { MIB = 1 << 20, ENOUGH = 200000 };

static nq_balance of(uint64_t mib) {
    nq_balance balance;
    nq_balance_init(&balance, mib * MIB, MIB);
    return balance;
}

/* Regrets of which one in `period` is of a page on the shelf; 0: none is. */
static void regret(nq_balance *balance, uint32_t times, uint32_t period) {
    for (uint32_t i = 0; i < times; i++) {
        (void)nq_balance_regret(balance, period != 0 && i % period == 0);
    }
}

static void it_begins_with_pages_only(void **state) {
    (void)state;
    nq_balance balance = of(64);
    assert_int_equal(balance.shelf_bytes, 0);
}

static void reads_of_what_has_just_gone_make_the_shelf_grow_to_its_most(void **state) {
    (void)state;
    nq_balance balance = of(64);
    regret(&balance, 2048, 0);                      /* a quarter of 8192 pages, */
    assert_int_equal(balance.shelf_bytes, 4 * MIB); /* a sixteenth of the total */
    regret(&balance, ENOUGH, 0);
    assert_int_equal(balance.shelf_bytes, 48 * MIB);
    /* Even when as many pages come from the shelf. */
    regret(&balance, ENOUGH, 2);
    assert_int_equal(balance.shelf_bytes, 48 * MIB);
}

static void unpacking_without_reading_gives_the_room_back(void **state) {
    (void)state;
    nq_balance balance = of(64);
    regret(&balance, ENOUGH, 0);
    regret(&balance, ENOUGH, 1);
    assert_int_equal(balance.shelf_bytes, 0);
}

static void it_rests_where_both_save_alike(void **state) {
    (void)state;
    nq_balance balance = of(64);
    regret(&balance, ENOUGH, 0);
    for (uint32_t i = 0; i < ENOUGH; i++) { /* one read for every 100 images unpacked */
        (void)nq_balance_regret(&balance, i % 100 != 0);
    }
    uint64_t rest = balance.shelf_bytes;
    assert_true(rest > 0 && rest < 48 * MIB);
    for (uint32_t i = 0; i < ENOUGH; i++) {
        (void)nq_balance_regret(&balance, i % 100 != 0);
    }
    assert_int_equal(balance.shelf_bytes, rest);
}

static void before_it_knows_better_it_goes_towards_the_middle(void **state) {
    (void)state;
    nq_balance balance = of(64);
    for (uint32_t i = 0; i < 127; i++) { /* a step's pages but one */
        assert_false(nq_balance_overflow(&balance));
    }
    assert_true(nq_balance_overflow(&balance));
    assert_int_equal(balance.shelf_bytes, MIB);
    for (uint32_t i = 0; i < ENOUGH; i++) {
        (void)nq_balance_overflow(&balance);
    }
    assert_int_equal(balance.shelf_bytes, 32 * MIB);
    regret(&balance, ENOUGH, 1);
    assert_int_equal(balance.shelf_bytes, 0);
    for (uint32_t i = 0; i < ENOUGH; i++) { /* a scan, later */
        assert_false(nq_balance_overflow(&balance));
    }
}

static void a_smaller_total_takes_the_shelf_along(void **state) {
    (void)state;
    nq_balance balance = of(64);
    regret(&balance, ENOUGH, 0);
    nq_balance_set_total(&balance, 10 * MIB);
    assert_int_equal(balance.shelf_bytes, 7 * MIB);
    nq_balance_set_total(&balance, 1000);
    assert_int_equal(balance.shelf_bytes, 0);
}

static void a_budget_too_small_to_share_stays_whole(void **state) {
    (void)state;
    nq_balance balance = of(1);
    regret(&balance, ENOUGH, 0);
    assert_int_equal(balance.shelf_bytes, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_begins_with_pages_only),
        cmocka_unit_test(reads_of_what_has_just_gone_make_the_shelf_grow_to_its_most),
        cmocka_unit_test(unpacking_without_reading_gives_the_room_back),
        cmocka_unit_test(it_rests_where_both_save_alike),
        cmocka_unit_test(before_it_knows_better_it_goes_towards_the_middle),
        cmocka_unit_test(a_smaller_total_takes_the_shelf_along),
        cmocka_unit_test(a_budget_too_small_to_share_stays_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
