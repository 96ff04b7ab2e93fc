/* Values: one order, a hash that agrees with it, names of types. */
#include "engine/data/value/batch.h"
#include "tests/engine/data/value/random_values.h"

static void the_order_is_total_and_the_hash_agrees(void **state) {
    (void)state;
    fixture f;
    fixture_init(&f);
    nq_rng rng = {31};
    for (int round = 0; round < 60000; round++) {
        nq_arena_reset(&f.arena);
        nq_type_id type = storable_types[nq_rng_below(&rng, STORABLE_TYPE_COUNT)];
        nq_value a = random_value(&rng, &f.arena, type);
        nq_value b = random_value(&rng, &f.arena, type);
        nq_value c = random_value(&rng, &f.arena, type);
        int ab = nq_value_compare(a, b), bc = nq_value_compare(b, c);
        assert_int_equal(nq_value_compare(a, a), 0);
        assert_int_equal(ab > 0, nq_value_compare(b, a) < 0);
        if (ab <= 0 && bc <= 0) {
            assert_true(nq_value_compare(a, c) <= 0);
        }
        if (ab == 0) {
            assert_int_equal(nq_value_hash(a), nq_value_hash(b));
        }
    }
    fixture_deinit(&f);
}

static void nan_is_above_everything_and_negative_zero_is_zero(void **state) {
    (void)state;
    const nq_value nan = NQ_VALUE_FLOAT64((double)NAN);
    assert_true(nq_value_compare(nan, NQ_VALUE_FLOAT64((double)INFINITY)) > 0);
    assert_true(nq_value_compare(NQ_VALUE_FLOAT64((double)INFINITY), nan) < 0);
    assert_int_equal(nq_value_compare(nan, nan), 0);
    assert_int_equal(nq_value_compare(NQ_VALUE_FLOAT64(-0.0), NQ_VALUE_FLOAT64(0.0)), 0);
    assert_int_equal(nq_value_hash(NQ_VALUE_FLOAT64(-0.0)), nq_value_hash(NQ_VALUE_FLOAT64(0.0)));
}

static void types_are_found_by_every_name(void **state) {
    (void)state;
    assert_int_equal(nq_type_find(text_of("int4")), NQ_TYPE_INT32);
    assert_int_equal(nq_type_find(text_of("double precision")), NQ_TYPE_FLOAT64);
    assert_int_equal(nq_type_find(text_of("blob")), NQ_TYPE_BYTES);
    assert_int_equal(nq_type_find(text_of("geometry")), NQ_TYPE_UNKNOWN);
    for (uint32_t id = 1; id < NQ_TYPE_ID_COUNT; id++) {
        const char *name = nq_type_name((nq_type_id)id);
        if (strcmp(name, "unknown") != 0) {
            assert_int_equal(nq_type_find(text_of(name)), id);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_order_is_total_and_the_hash_agrees),
        cmocka_unit_test(nan_is_above_everything_and_negative_zero_is_zero),
        cmocka_unit_test(types_are_found_by_every_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
