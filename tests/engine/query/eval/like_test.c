/* LIKE against a definition that nobody could call fast: the recursive one of the standard. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/ground/base/rng.h"
#include "engine/query/eval/program.h"

/* Over single-byte characters. -1: the pattern ends in its escape character. */
static int naive_match(const char *text, const char *pattern) {
    if (*pattern == '\0') {
        return *text == '\0';
    }
    if (*pattern == '%') {
        for (const char *rest = text;; rest++) {
            int found = naive_match(rest, pattern + 1);
            if (found != 0 || *rest == '\0') {
                return found;
            }
        }
    }
    if (*pattern == '\\') {
        pattern++;
        if (*pattern == '\0') {
            return -1;
        }
        return *text == *pattern ? naive_match(text + 1, pattern + 1) : 0;
    }
    if (*text == '\0' || (*pattern != '_' && *pattern != *text)) {
        return 0;
    }
    return naive_match(text + 1, pattern + 1);
}

static void random_text(nq_rng *rng, const char *alphabet, char *out_text, size_t size_max) {
    size_t size = nq_rng_below(rng, size_max);
    size_t letters = strlen(alphabet);
    for (size_t i = 0; i < size; i++) {
        out_text[i] = alphabet[nq_rng_below(rng, letters)];
    }
    out_text[size] = '\0';
}

static bool ends_in_escape(const char *pattern) {
    bool is_escaped = false;
    for (; *pattern != '\0'; pattern++) {
        is_escaped = *pattern == '\\' && !is_escaped;
    }
    return is_escaped;
}

static nq_status like(nq_ctx *ctx, nq_arena *arena, const char *text, const char *pattern,
                      nq_value *out_value) {
    nq_type type = NQ_TYPE(NQ_TYPE_TEXT);
    nq_resolution resolution;
    const nq_expr *args[2] = {
        nq_expr_constant(arena, NQ_VALUE_TEXT(nq_bytes_of_cstr(text)), type),
        nq_expr_constant(arena, NQ_VALUE_TEXT(nq_bytes_of_cstr(pattern)), type)};
    NQ_TRY(nq_function_find(ctx, NQ_BYTES_LITERAL("like"), true, (nq_type[]){type, type}, 2,
                            &resolution));
    return nq_expr_evaluate(ctx, arena, NULL,
                            nq_expr_call(arena, resolution.function, resolution.result, args, 2),
                            NULL, out_value);
}

static void matches_as_the_definition_says(void **state) {
    (void)state;
    nq_arena arena;
    nq_ctx ctx;
    nq_rng rng = {42};
    nq_arena_init(&arena, 64 << 20);
    nq_ctx_init(&ctx, &arena);
    uint32_t matched = 0;
    for (int i = 0; i < 200000; i++) {
        char text[12];
        char pattern[10];
        random_text(&rng, "ab%_", text, sizeof text);
        random_text(&rng, "aab%%_\\", pattern, sizeof pattern);
        nq_value value;
        nq_status status = like(&ctx, &arena, text, pattern, &value);
        /* Whether a broken pattern is noticed depends on how far the match gets. */
        if (status != NQ_OK) {
            assert_int_equal(status, NQ_INVALID_ESCAPE);
            assert_true(ends_in_escape(pattern));
        } else if (!ends_in_escape(pattern)) {
            if (value.boolean != (naive_match(text, pattern) == 1)) {
                fail_msg("'%s' LIKE '%s'", text, pattern);
            }
            matched += value.boolean;
        }
        nq_arena_reset(&arena);
    }
    assert_true(matched > 10000);
    nq_arena_deinit(&arena);
}

static void many_runs_do_not_explode(void **state) {
    (void)state;
    nq_arena arena;
    nq_ctx ctx;
    nq_arena_init(&arena, 64 << 20);
    nq_ctx_init(&ctx, &arena);
    enum { TEXT_BYTES = 20000 };
    char *text = nq_arena_alloc(&arena, TEXT_BYTES + 1);
    memset(text, 'a', TEXT_BYTES);
    text[TEXT_BYTES] = '\0';
    nq_value value;
    /* A backtracking matcher would need more steps than there are atoms. */
    assert_int_equal(like(&ctx, &arena, text, "%a%a%a%a%a%a%a%a%a%a%a%a%a%a%a%a%b", &value), NQ_OK);
    assert_false(value.boolean);
    nq_arena_deinit(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(matches_as_the_definition_says),
        cmocka_unit_test(many_runs_do_not_explode),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
