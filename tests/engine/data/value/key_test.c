/* Keys: their byte order is the order of the values, and what went in comes out. */
#include "engine/data/value/key.h"
#include "tests/engine/data/value/random_values.h"

enum { COLUMN_COUNT_MAX = 3 };

static int sign(int order) {
    return (order > 0) - (order < 0);
}

/* The order of two rows of values, nulls last. */
static int compare_rows(const nq_value *left, const nq_value *right, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        int order = left[i].is_null || right[i].is_null
                        ? (int)left[i].is_null - (int)right[i].is_null
                        : nq_value_compare(left[i], right[i]);
        if (order != 0) {
            return sign(order);
        }
    }
    return 0;
}

static void encode(fixture *f, nq_key_buffer *key, const nq_key_column *columns,
                   const nq_value *values, uint32_t count) {
    key->size = 0;
    for (uint32_t i = 0; i < count; i++) {
        assert_int_equal(nq_key_append(&f->ctx, key, columns[i], values[i]), NQ_OK);
    }
}

static void byte_order_is_value_order_for_every_type_and_combination(void **state) {
    (void)state;
    fixture f;
    fixture_init(&f);
    nq_rng rng = {11};
    for (int round = 0; round < 100000; round++) {
        nq_key_column columns[COLUMN_COUNT_MAX];
        nq_value rows[2][COLUMN_COUNT_MAX];
        nq_key_buffer keys[2];
        uint32_t count = 1 + (uint32_t)nq_rng_below(&rng, COLUMN_COUNT_MAX);
        nq_arena_reset(&f.arena);
        for (uint32_t i = 0; i < count; i++) {
            columns[i].type = storable_types[nq_rng_below(&rng, STORABLE_TYPE_COUNT)];
            columns[i].is_nullable = nq_rng_below(&rng, 2) == 0;
            for (int side = 0; side < 2; side++) {
                bool is_null = columns[i].is_nullable && nq_rng_below(&rng, 4) == 0;
                rows[side][i] = is_null ? NQ_VALUE_NULL(columns[i].type)
                                        : random_value(&rng, &f.arena, columns[i].type);
            }
            if (nq_rng_below(&rng, 3) == 0) {
                rows[1][i] = rows[0][i];
            }
        }
        encode(&f, &keys[0], columns, rows[0], count);
        encode(&f, &keys[1], columns, rows[1], count);
        int order = nq_bytes_compare(nq_key_bytes(&keys[0]), nq_key_bytes(&keys[1]));
        assert_int_equal(sign(order), compare_rows(rows[0], rows[1], count));
    }
    fixture_deinit(&f);
}

static void every_value_comes_back_out_of_its_key(void **state) {
    (void)state;
    fixture f;
    fixture_init(&f);
    nq_rng rng = {12};
    for (int round = 0; round < 100000; round++) {
        nq_key_column columns[COLUMN_COUNT_MAX];
        nq_value values[COLUMN_COUNT_MAX];
        nq_key_buffer key;
        nq_arena_reset(&f.arena);
        for (uint32_t i = 0; i < COLUMN_COUNT_MAX; i++) {
            columns[i].type = storable_types[nq_rng_below(&rng, STORABLE_TYPE_COUNT)];
            columns[i].is_nullable = nq_rng_below(&rng, 2) == 0;
            values[i] = random_value(&rng, &f.arena, columns[i].type);
        }
        encode(&f, &key, columns, values, COLUMN_COUNT_MAX);
        nq_bytes rest = nq_key_bytes(&key), skipped = rest;
        for (uint32_t i = 0; i < COLUMN_COUNT_MAX; i++) {
            nq_value value;
            assert_int_equal(nq_key_take(&f.ctx, &f.arena, &rest, columns[i], &value), NQ_OK);
            assert_int_equal(nq_key_skip(&f.ctx, &skipped, columns[i]), NQ_OK);
            assert_int_equal(rest.size, skipped.size);
            assert_false(value.is_null);
            assert_int_equal(nq_value_compare(value, values[i]), 0);
        }
        assert_int_equal(rest.size, 0);
    }
    fixture_deinit(&f);
}

static void a_cut_or_foreign_key_is_corrupt_and_never_read_past(void **state) {
    (void)state;
    fixture f;
    fixture_init(&f);
    nq_rng rng = {13};
    for (int round = 0; round < 50000; round++) {
        nq_key_column column = {storable_types[nq_rng_below(&rng, STORABLE_TYPE_COUNT)],
                                nq_rng_below(&rng, 2) == 0};
        uint8_t noise[24];
        size_t size = nq_rng_below(&rng, sizeof noise);
        for (size_t i = 0; i < size; i++) {
            noise[i] = (uint8_t)nq_rng_below(&rng, 4);
        }
        nq_bytes taken = nq_bytes_of(noise, size), skipped = taken;
        nq_value value;
        nq_arena_reset(&f.arena);
        nq_status take_status = nq_key_take(&f.ctx, &f.arena, &taken, column, &value);
        nq_status skip_status = nq_key_skip(&f.ctx, &skipped, column);
        assert_int_equal(take_status, skip_status);
        assert_true(take_status == NQ_OK || take_status == NQ_PAGE_CORRUPT);
        if (take_status == NQ_OK) {
            assert_ptr_equal(taken.data, skipped.data);
        }
    }
    fixture_deinit(&f);
}

static void advancing_a_prefix_passes_everything_that_starts_with_it(void **state) {
    (void)state;
    fixture f;
    fixture_init(&f);
    const nq_key_column columns[] = {{NQ_TYPE_INT64, false}, {NQ_TYPE_TEXT, false}};
    const nq_value five[] = {NQ_VALUE_INT64(5), NQ_VALUE_TEXT(NQ_BYTES_LITERAL("\x7f\x7f"))};
    const nq_value six[] = {NQ_VALUE_INT64(6), NQ_VALUE_TEXT(NQ_BYTES_LITERAL(""))};
    nq_key_buffer bound, inside, above;
    encode(&f, &bound, columns, five, 1);
    encode(&f, &inside, columns, five, 2);
    encode(&f, &above, columns, six, 2);
    assert_true(nq_key_advance(&bound));
    assert_true(nq_bytes_compare(nq_key_bytes(&inside), nq_key_bytes(&bound)) < 0);
    assert_true(nq_bytes_compare(nq_key_bytes(&above), nq_key_bytes(&bound)) >= 0);
    nq_key_buffer last = {.size = 3, .data = {0xff, 0xff, 0xff}};
    assert_false(nq_key_advance(&last));
    fixture_deinit(&f);
}

static void a_key_longer_than_the_limit_is_refused(void **state) {
    (void)state;
    fixture f;
    fixture_init(&f);
    uint8_t *long_text = nq_arena_alloc(&f.arena, NQ_KEY_BYTES_MAX);
    memset(long_text, 'x', NQ_KEY_BYTES_MAX);
    static const nq_type_id types[] = {NQ_TYPE_TEXT, NQ_TYPE_BYTES};
    for (int i = 0; i < 2; i++) {
        size_t most = NQ_KEY_BYTES_MAX - (types[i] == NQ_TYPE_TEXT ? 1 : 2);
        nq_key_column column = {types[i], false};
        nq_key_buffer key = {.size = 0};
        nq_value value = {.type = types[i], .bytes = nq_bytes_of(long_text, most)};
        assert_int_equal(nq_key_append(&f.ctx, &key, column, value), NQ_OK);
        assert_int_equal(key.size, NQ_KEY_BYTES_MAX);
        assert_int_equal(
            nq_key_append(&f.ctx, &key, (nq_key_column){NQ_TYPE_BOOL, false}, NQ_VALUE_BOOL(true)),
            NQ_LIMIT_EXCEEDED);
        key.size = 0;
        value.bytes.size = most + 1;
        assert_int_equal(nq_key_append(&f.ctx, &key, column, value), NQ_LIMIT_EXCEEDED);
    }
    fixture_deinit(&f);
}

static void a_null_needs_a_nullable_column(void **state) {
    (void)state;
    fixture f;
    fixture_init(&f);
    nq_key_buffer key = {.size = 0};
    assert_int_equal(nq_key_append(&f.ctx, &key, (nq_key_column){NQ_TYPE_INT64, false},
                                   NQ_VALUE_NULL(NQ_TYPE_INT64)),
                     NQ_NOT_NULL_VIOLATION);
    fixture_deinit(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(byte_order_is_value_order_for_every_type_and_combination),
        cmocka_unit_test(every_value_comes_back_out_of_its_key),
        cmocka_unit_test(a_cut_or_foreign_key_is_corrupt_and_never_read_past),
        cmocka_unit_test(advancing_a_prefix_passes_everything_that_starts_with_it),
        cmocka_unit_test(a_key_longer_than_the_limit_is_refused),
        cmocka_unit_test(a_null_needs_a_nullable_column),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
