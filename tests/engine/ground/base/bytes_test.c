/* Bytes compare as unsigned, a prefix first; words fold ASCII case only. */
#include "engine/ground/base/bytes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void order_is_unsigned_and_a_prefix_comes_first(void **state) {
    (void)state;
    static const char *const SORTED[] = {"",  "\x01", "a",    "a\x01", "ab",
                                         "b", "\x7F", "\x80", "\xFF"};
    for (int i = 0; i < 9; i++) {
        for (int j = 0; j < 9; j++) {
            nq_bytes left = nq_bytes_of_cstr(SORTED[i]);
            nq_bytes right = nq_bytes_of_cstr(SORTED[j]);
            int order = nq_bytes_compare(left, right);
            assert_int_equal((order > 0) - (order < 0), (i > j) - (i < j));
            assert_int_equal(nq_bytes_equal(left, right), i == j);
        }
    }
    assert_true(nq_bytes_equal(nq_bytes_of(NULL, 0), NQ_BYTES_LITERAL("")));
}

static void words_are_equal_whatever_their_ascii_case(void **state) {
    (void)state;
    assert_true(nq_bytes_equal_fold(NQ_BYTES_LITERAL("SeLeCt"), "sElEcT"));
    assert_true(nq_bytes_equal_fold(NQ_BYTES_LITERAL(""), ""));
    assert_false(nq_bytes_equal_fold(NQ_BYTES_LITERAL("select"), "selec"));
    assert_false(nq_bytes_equal_fold(NQ_BYTES_LITERAL("selec"), "select"));
    assert_false(nq_bytes_equal_fold(NQ_BYTES_LITERAL("a\0b"), "a"));
    assert_false(nq_bytes_equal_fold(NQ_BYTES_LITERAL("[@"), "{`"));
    assert_false(nq_bytes_equal_fold(NQ_BYTES_LITERAL("\xC0"), "\xE0"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(order_is_unsigned_and_a_prefix_comes_first),
        cmocka_unit_test(words_are_equal_whatever_their_ascii_case),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
