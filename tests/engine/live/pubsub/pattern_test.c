/* Patterns and the trie: the rules for names, and matching against a naive oracle. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "engine/ground/base/rng.h"
#include "engine/live/pubsub/pattern.h"
#include "engine/live/pubsub/trie.h"

static nq_status parse(const char *text, nq_pattern *out_pattern) {
    nq_ctx ctx;
    nq_ctx_init(&ctx, NULL);
    return nq_pattern_parse(&ctx, nq_bytes_of_cstr(text), out_pattern);
}

static void names_and_patterns_follow_the_rules(void **state) {
    (void)state;
    nq_pattern p;
    const char *good[] = {"a",  "a.b.c", "A-1.b_2", "*",
                          "**", "a.*.c", "**.x.**", "a.b.c.d.e.f.g.h.i.j.k.l.m.n.o.p"};
    const char *bad[] = {"",         ".",   "a.",         ".a",
                         "a..b",     "a b", "a.b*",       "***",
                         "**.**.**", "a/b", "a.\xc3\xa9", "a.b.c.d.e.f.g.h.i.j.k.l.m.n.o.p.q"};
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_int_equal(parse(good[i], &p), NQ_OK);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(parse(bad[i], &p), NQ_BAD_PATTERN);
    }
    char longest[257];
    memset(longest, 'a', 256);
    longest[255] = '\0';
    assert_int_equal(parse(longest, &p), NQ_OK);
    longest[255] = 'a';
    longest[256] = '\0';
    assert_int_equal(parse(longest, &p), NQ_BAD_PATTERN);
}

static void a_channel_name_may_not_hold_a_wildcard(void **state) {
    (void)state;
    nq_ctx ctx;
    nq_ctx_init(&ctx, NULL);
    nq_pattern p;
    assert_int_equal(nq_channel_name_parse(&ctx, NQ_BYTES_LITERAL("a.*"), &p), NQ_BAD_PATTERN);
    assert_string_equal(ctx.error.object, "a.*");
    assert_int_equal(nq_channel_name_parse(&ctx, NQ_BYTES_LITERAL("a.b"), &p), NQ_OK);
}

static bool matches(const char *pattern_text, const char *name_text) {
    nq_pattern pattern;
    nq_pattern name;
    assert_int_equal(parse(pattern_text, &pattern), NQ_OK);
    assert_int_equal(parse(name_text, &name), NQ_OK);
    return nq_pattern_matches(&pattern, &name);
}

static void wildcards_stand_for_one_token_or_for_any_number(void **state) {
    (void)state;
    assert_true(matches("a.*", "a.b"));
    assert_false(matches("a.*", "a"));
    assert_false(matches("a.*", "a.b.c"));
    assert_true(matches("a.**", "a"));
    assert_true(matches("a.**", "a.b.c"));
    assert_true(matches("**", "x.y"));
    assert_true(matches("**.c", "c"));
    assert_true(matches("**.b.**", "a.b.c"));
    assert_false(matches("**.b.**", "a.c"));
    assert_true(matches("a.**.*", "a.b"));
    assert_false(matches("a.**.*", "a"));
}

/* The textbook recursion: exponential, but obviously right on short inputs. */
static bool oracle(const nq_pattern *p, uint32_t i, const nq_pattern *n, uint32_t k) {
    if (i == p->token_count) {
        return k == n->token_count;
    }
    if (p->kinds[i] == NQ_TOKEN_DEEP) {
        return oracle(p, i + 1, n, k) || (k < n->token_count && oracle(p, i, n, k + 1));
    }
    return k < n->token_count &&
           (p->kinds[i] == NQ_TOKEN_ONE || nq_bytes_equal(p->tokens[i], n->tokens[k])) &&
           oracle(p, i + 1, n, k + 1);
}

static void random_text(nq_rng *rng, bool wild, char *out) {
    uint32_t tokens = 1 + (uint32_t)nq_rng_below(rng, 5);
    uint32_t deep = 0;
    out[0] = '\0';
    for (uint32_t i = 0; i < tokens; i++) {
        strcat(out, i == 0 ? "" : ".");
        uint64_t pick = nq_rng_below(rng, wild ? 5 : 3);
        if (pick == 4 && deep < NQ_PATTERN_DEEP_MAX) {
            deep++;
            strcat(out, "**");
        } else {
            strcat(out, pick == 3 ? "*" : pick == 2 ? "c" : pick == 1 ? "b" : "a");
        }
    }
}

typedef struct seen_set {
    bool seen[64];
} seen_set;

static void see(void *user, void *subject) {
    seen_set *set = user;
    set->seen[(uintptr_t)subject - 1] = true;
}

static void the_trie_agrees_with_the_recursion_while_patterns_come_and_go(void **state) {
    (void)state;
    nq_ctx ctx;
    nq_ctx_init(&ctx, NULL);
    nq_trie *trie;
    assert_int_equal(nq_trie_create(&ctx, &trie), NQ_OK);
    nq_rng rng = {42};
    char texts[64][64];
    nq_pattern patterns[64];
    bool present[64] = {false};
    for (uint32_t i = 0; i < 64; i++) {
        random_text(&rng, true, texts[i]);
        assert_int_equal(parse(texts[i], &patterns[i]), NQ_OK);
    }
    for (uint32_t round = 0; round < 20000; round++) {
        uint32_t i = (uint32_t)nq_rng_below(&rng, 64);
        void *subject = (void *)(uintptr_t)(i + 1);
        if (present[i]) {
            assert_true(nq_trie_remove(trie, &patterns[i], subject));
        } else {
            bool is_new;
            assert_int_equal(nq_trie_insert(&ctx, trie, &patterns[i], subject, &is_new), NQ_OK);
            assert_true(is_new);
        }
        present[i] = !present[i];
        char text[64];
        nq_pattern name;
        random_text(&rng, false, text);
        assert_int_equal(parse(text, &name), NQ_OK);
        seen_set set = {{false}};
        nq_trie_match(trie, &name, see, &set);
        for (uint32_t k = 0; k < 64; k++) {
            bool expected = present[k] && oracle(&patterns[k], 0, &name, 0);
            assert_int_equal(set.seen[k], expected);
            assert_int_equal(nq_pattern_matches(&patterns[k], &name),
                             oracle(&patterns[k], 0, &name, 0));
        }
    }
    nq_trie_destroy(trie);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_and_patterns_follow_the_rules),
        cmocka_unit_test(a_channel_name_may_not_hold_a_wildcard),
        cmocka_unit_test(wildcards_stand_for_one_token_or_for_any_number),
        cmocka_unit_test(the_trie_agrees_with_the_recursion_while_patterns_come_and_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
