/* Options: every way of writing one, and what is no option. */
#include "sdk/cli/options.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

typedef struct values {
    bool flag, other;
    const char *text;
    uint64_t count;
    double seconds;
} values;

/* Parses the words up to a NULL; returns how many are left, or -1. */
static int parse(values *v, bool stop_at_word, char **words) {
    const nq_option options[] = {{"flag", 'f', NQ_OPTION_FLAG, &v->flag},
                                 {"other", 'o', NQ_OPTION_FLAG, &v->other},
                                 {"text", 't', NQ_OPTION_TEXT, &v->text},
                                 {"count", 'n', NQ_OPTION_COUNT, &v->count},
                                 {"seconds", 0, NQ_OPTION_SECONDS, &v->seconds}};
    int count = 0;
    *v = (values){0};
    while (words[count] != NULL) {
        count++;
    }
    return nq_options_parse(options, 5, words, &count, stop_at_word) ? count : -1;
}

#define WORDS(...) ((char *[]){__VA_ARGS__, NULL})

static void values_may_be_attached_or_follow(void **state) {
    (void)state;
    values v;
    assert_int_equal(parse(&v, false, WORDS("--text", "a", "--count=7", "-fo", "-tb")), 0);
    assert_true(v.flag && v.other);
    assert_string_equal(v.text, "b");
    assert_int_equal(v.count, 7);
    assert_int_equal(parse(&v, false, WORDS("-fn", "12", "--seconds", "0.5")), 0);
    assert_int_equal(v.count, 12);
    assert_true(v.seconds == 0.5);
}

static void other_words_are_left_in_order(void **state) {
    (void)state;
    values v;
    char **words = WORDS("one", "--flag", "two", "-", "--", "--other");
    assert_int_equal(parse(&v, false, words), 4);
    assert_string_equal(words[0], "one");
    assert_string_equal(words[1], "two");
    assert_string_equal(words[2], "-");
    assert_string_equal(words[3], "--other");
    assert_true(v.flag && !v.other);
}

static void parsing_can_stop_at_the_first_word(void **state) {
    (void)state;
    values v;
    char **words = WORDS("-f", "import", "--other");
    assert_int_equal(parse(&v, true, words), 2);
    assert_string_equal(words[0], "import");
    assert_string_equal(words[1], "--other");
    assert_true(v.flag && !v.other);
}

static void what_cannot_be_meant_is_refused(void **state) {
    (void)state;
    values v;
    assert_int_equal(parse(&v, false, WORDS("--unknown")), -1);
    assert_int_equal(parse(&v, false, WORDS("-z")), -1);
    assert_int_equal(parse(&v, false, WORDS("--text")), -1);
    assert_int_equal(parse(&v, false, WORDS("--flag=yes")), -1);
    assert_int_equal(parse(&v, false, WORDS("--count", "-1")), -1);
    assert_int_equal(parse(&v, false, WORDS("--count", "12x")), -1);
    assert_int_equal(parse(&v, false, WORDS("--count", "99999999999999999999")), -1);
    assert_int_equal(parse(&v, false, WORDS("--seconds", "nan")), -1);
    assert_int_equal(parse(&v, false, WORDS("--seconds", "-1")), -1);
}

int main(void) {
    if (freopen("/dev/null", "w", stderr) == NULL) { /* complaints are not the subject */
        return 1;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_may_be_attached_or_follow),
        cmocka_unit_test(other_words_are_left_in_order),
        cmocka_unit_test(parsing_can_stop_at_the_first_word),
        cmocka_unit_test(what_cannot_be_meant_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
