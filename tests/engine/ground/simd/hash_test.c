/* The hash is XXH3, stable for ever, and spreads. */
#include "engine/ground/simd/hash.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void stored_hashes_stay_what_they_were(void **state) {
    (void)state;
    /* xxhash's own vector for the empty input; the others pin the function we store. */
    assert_true(nq_hash64("", 0, 0) == UINT64_C(0x2D06800538D394C2));
    assert_true(nq_hash64("a", 1, 0) == UINT64_C(0xE6C632B61E964E1F));
    assert_true(nq_hash64("abc", 3, 0) == UINT64_C(0x78AF5F94892F3950));
}

static void the_seed_and_every_byte_matter(void **state) {
    (void)state;
    uint8_t data[600] = {0};
    for (size_t size = 1; size <= sizeof(data); size += 7) {
        uint64_t hash = nq_hash64(data, size, 1);
        assert_true(hash != nq_hash64(data, size, 2));
        assert_true(hash != nq_hash64(data, size - 1, 1));
        for (size_t at = 0; at < size; at += 5) {
            data[at] ^= 0x10;
            assert_true(hash != nq_hash64(data, size, 1));
            data[at] ^= 0x10;
        }
    }
}

static void each_bit_of_a_word_changes_about_half_of_its_hash(void **state) {
    (void)state;
    for (int bit = 0; bit < 64; bit++) {
        unsigned changed = 0;
        for (uint64_t word = 0; word < 256; word++) {
            uint64_t difference =
                nq_hash64_word(word, 7) ^ nq_hash64_word(word ^ UINT64_C(1) << bit, 7);
            changed += (unsigned)__builtin_popcountll(difference);
        }
        assert_in_range(changed, 256 * 28, 256 * 36);
    }
    assert_true(nq_hash64_join(1, 2) != nq_hash64_join(2, 1));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stored_hashes_stay_what_they_were),
        cmocka_unit_test(the_seed_and_every_byte_matter),
        cmocka_unit_test(each_bit_of_a_word_changes_about_half_of_its_hash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
