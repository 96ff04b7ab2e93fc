/* A text grows by pieces and by printf, and remembers when memory ran out. */
#include "engine/ground/base/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

static void pieces_join_whatever_their_lengths(void **state) {
    (void)state;
    nq_arena arena;
    nq_arena_init(&arena, 16 << 20);
    nq_text text;
    nq_text_init(&text, &arena);
    assert_string_equal(nq_text_cstr(&text), "");
    static char expected[200000];
    size_t size = 0;
    for (int i = 0; i < 5000; i++) {
        nq_text_append_format(&text, "%d,%*s;", i, i % 40, "x");
        size +=
            (size_t)snprintf(expected + size, sizeof(expected) - size, "%d,%*s;", i, i % 40, "x");
        nq_text_append_char(&text, '|');
        nq_text_append_cstr(&text, "yz");
        nq_text_append(&text, nq_bytes_of(NULL, 0));
        size += (size_t)snprintf(expected + size, sizeof(expected) - size, "|yz");
    }
    assert_true(nq_text_is_whole(&text));
    assert_int_equal(nq_text_bytes(&text).size, size);
    assert_string_equal(nq_text_cstr(&text), expected);
    nq_text_truncate(&text, 5);
    nq_text_truncate(&text, 500);
    assert_int_equal(text.size, 5);
    expected[5] = '\0';
    assert_string_equal(nq_text_cstr(&text), expected);
    nq_arena_deinit(&arena);
}

static void a_format_that_exactly_fills_the_room_is_whole(void **state) {
    (void)state;
    nq_arena arena;
    nq_arena_init(&arena, 16 << 20);
    for (int width = 1; width < 200; width++) {
        nq_text text;
        nq_text_init(&text, &arena);
        nq_text_append_format(&text, "%*d", width, 7);
        nq_text_append_format(&text, "%*d", width, 8);
        assert_int_equal(text.size, 2 * width);
        assert_int_equal(text.data[width - 1], '7');
        assert_int_equal(text.data[2 * width - 1], '8');
        assert_int_equal(text.data[2 * width], '\0');
    }
    nq_arena_deinit(&arena);
}

static void out_of_memory_is_remembered_and_nothing_more_is_appended(void **state) {
    (void)state;
    nq_arena arena;
    nq_arena_init(&arena, 5000);
    nq_text text;
    nq_text_init(&text, &arena);
    nq_text_append_cstr(&text, "start");
    nq_text_append_format(&text, "%10000d", 1);
    assert_false(nq_text_is_whole(&text));
    nq_text_append_cstr(&text, "x");
    nq_text_append_format(&text, "%s", "y");
    assert_string_equal(nq_text_cstr(&text), "start");
    nq_arena_deinit(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_join_whatever_their_lengths),
        cmocka_unit_test(a_format_that_exactly_fills_the_room_is_whole),
        cmocka_unit_test(out_of_memory_is_remembered_and_nothing_more_is_appended),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
