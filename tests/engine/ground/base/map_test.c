/* The map agrees with a model, and its hash with the published vectors. */
#include "engine/ground/base/map.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "engine/ground/base/heap.h"
#include "engine/ground/base/rng.h"

static void the_hash_is_siphash_1_3(void **state) {
    (void)state;
    /* Key 00..0f, message 00, 01, 02 … of length n: from the reference implementation with c=1,
     * d=3. */
    static const uint64_t KEY[2] = {UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908)};
    static const struct {
        size_t size;
        uint64_t hash;
    } VECTORS[] = {
        {0, UINT64_C(0xabac0158050fc4dc)}, {1, UINT64_C(0xc9f49bf37d57ca93)},
        {2, UINT64_C(0x82cb9b024dc7d44d)}, {3, UINT64_C(0x8bf80ab8e7ddf7fb)},
        {7, UINT64_C(0xd3927d989bb11140)}, {8, UINT64_C(0x369095118d299a8e)},
        {9, UINT64_C(0x25a48eb36c063de4)},
    };
    uint8_t message[64];
    for (size_t i = 0; i < sizeof(message); i++) {
        message[i] = (uint8_t)i;
    }
    for (size_t i = 0; i < sizeof(VECTORS) / sizeof(VECTORS[0]); i++) {
        uint64_t hash = nq_siphash(nq_bytes_of(message, VECTORS[i].size), KEY);
        if (hash != VECTORS[i].hash) {
            fail_msg("%zu: %016llx", VECTORS[i].size, (unsigned long long)hash);
        }
    }
    assert_true(nq_map_hash(nq_bytes_of(message, 5)) == nq_map_hash(nq_bytes_of(message, 5)));
    assert_true(nq_map_hash(nq_bytes_of(message, 5)) != nq_map_hash(nq_bytes_of(message, 6)));
}

static void a_random_run_agrees_with_an_array(void **state) {
    (void)state;
    enum { KEYS = 500, ROUNDS = 100000 };
    static char names[KEYS][8];
    static bool is_there[KEYS];
    static uint64_t values[KEYS];
    size_t count = 0;
    nq_rng rng = {11};
    nq_map map;
    nq_map_init(&map);
    for (size_t i = 0; i < KEYS; i++) {
        (void)snprintf(names[i], sizeof(names[i]), "k%zu", i);
    }
    for (int round = 0; round < ROUNDS; round++) {
        size_t i = (size_t)nq_rng_below(&rng, KEYS);
        nq_bytes key = nq_bytes_of_cstr(names[i]);
        /* Phases of growing and of shrinking, so that chains form and break. */
        bool inserts = nq_rng_below(&rng, 100) < (round / 10000 % 2 == 0 ? 70u : 30u);
        if (inserts) {
            bool is_new;
            nq_map_entry *entry = nq_map_insert(&map, key, &is_new);
            assert_int_equal(is_new, !is_there[i]);
            assert_true(is_new ? entry->value.number == 0 : entry->value.number == values[i]);
            values[i] = nq_rng_next(&rng);
            entry->value.number = values[i];
            count += !is_there[i];
            is_there[i] = true;
        } else {
            assert_int_equal(nq_map_remove(&map, key), is_there[i]);
            count -= is_there[i];
            is_there[i] = false;
        }
        assert_int_equal(map.count, count);
        size_t probe = (size_t)nq_rng_below(&rng, KEYS);
        const nq_map_entry *found = nq_map_find(&map, nq_bytes_of_cstr(names[probe]));
        assert_int_equal(found != NULL, is_there[probe]);
        assert_true(found == NULL || found->value.number == values[probe]);
    }
    size_t seen = 0;
    for (nq_map_entry *entry = NULL; (entry = nq_map_next(&map, entry)) != NULL;) {
        seen++;
    }
    assert_int_equal(seen, count);
    nq_map_deinit(&map);
}

static void an_empty_map_takes_no_memory_and_finds_nothing(void **state) {
    (void)state;
    nq_map map;
    nq_map_init(&map);
    assert_null(nq_map_find(&map, NQ_BYTES_LITERAL("x")));
    assert_false(nq_map_remove(&map, NQ_BYTES_LITERAL("x")));
    assert_null(nq_map_next(&map, NULL));
    assert_null(map.entries);
    nq_map_deinit(&map);
}

static void keys_may_be_empty_or_hold_nul(void **state) {
    (void)state;
    nq_map map;
    nq_map_init(&map);
    nq_map_insert(&map, NQ_BYTES_LITERAL(""), NULL)->value.number = 1;
    nq_map_insert(&map, NQ_BYTES_LITERAL("a\0b"), NULL)->value.number = 2;
    nq_map_insert(&map, NQ_BYTES_LITERAL("a\0c"), NULL)->value.number = 3;
    assert_true(nq_map_find(&map, nq_bytes_of(NULL, 0))->value.number == 1);
    assert_true(nq_map_find(&map, NQ_BYTES_LITERAL("a\0b"))->value.number == 2);
    assert_true(nq_map_find(&map, NQ_BYTES_LITERAL("a\0c"))->value.number == 3);
    nq_map_deinit(&map);
}

static void a_lack_of_memory_changes_nothing(void **state) {
    (void)state;
    static char names[15][4];
    nq_map map;
    nq_map_init(&map);
    size_t count = 0;
    for (; count < 15; count++) {
        (void)snprintf(names[count], sizeof(names[count]), "%zu", count);
        nq_heap_fail_at(map.count == 0 ? 2 : 1, true);
        nq_map_entry *entry = nq_map_insert(&map, nq_bytes_of_cstr(names[count]), NULL);
        (void)nq_heap_fail_never();
        if (entry == NULL) {
            break;
        }
    }
    assert_int_equal(count, 14); /* 7/8 of 16 */
    assert_int_equal(map.count, count);
    for (size_t i = 0; i < count; i++) {
        assert_non_null(nq_map_find(&map, nq_bytes_of_cstr(names[i])));
    }
    nq_map_deinit(&map);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_hash_is_siphash_1_3),
        cmocka_unit_test(a_random_run_agrees_with_an_array),
        cmocka_unit_test(an_empty_map_takes_no_memory_and_finds_nothing),
        cmocka_unit_test(keys_may_be_empty_or_hold_nul),
        cmocka_unit_test(a_lack_of_memory_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
