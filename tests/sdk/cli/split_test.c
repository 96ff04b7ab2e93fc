/* Split: semicolons that end statements, and those that do not. */
#include "sdk/cli/split.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* Statements as "<text>" each, an unfinished one as "<text"; empty ones as "-". */
static void expect(const char *sql, const char *wanted) {
    char got[512] = "";
    size_t bytes = strlen(sql), at = 0, used = 0;
    while (at < bytes) {
        nq_statement_span span = nq_statement_find(sql, bytes, at);
        at = span.next;
        if (span.is_empty) {
            used += (size_t)snprintf(got + used, sizeof got - used, "-");
        } else {
            used += (size_t)snprintf(got + used, sizeof got - used, "<%.*s%s",
                                     (int)(span.end - span.start), sql + span.start,
                                     span.is_complete ? ">" : "");
        }
    }
    assert_string_equal(got, wanted);
}

static void statements_end_at_semicolons(void **state) {
    (void)state;
    expect("SELECT 1; SELECT 2;", "<SELECT 1><SELECT 2>");
    expect("SELECT 1", "<SELECT 1");
    expect(";;", "--");
    expect("  \n", "-");
}

static void quoted_semicolons_end_nothing(void **state) {
    (void)state;
    expect("SELECT ';', \"a;b\";", "<SELECT ';', \"a;b\">");
    expect("SELECT 'it''s;';", "<SELECT 'it''s;'>");
    expect("SELECT E'a\\';b';", "<SELECT E'a\\';b'>");
    expect("SELECT 'a\\'; SELECT 2;", "<SELECT 'a\\'><SELECT 2>");
    expect("SELECT $$a;b$$, $x$;$$;$x$;", "<SELECT $$a;b$$, $x$;$$;$x$>");
    expect("SELECT $1; SELECT $2", "<SELECT $1><SELECT $2");
}

static void comments_hide_semicolons(void **state) {
    (void)state;
    expect("SELECT 1 -- ; no\n+1;", "<SELECT 1 -- ; no\n+1>");
    expect("/* ; /* ; */ ; */ SELECT 1;", "<SELECT 1>");
    expect("-- only a comment", "-");
    expect("SELECT 1 /* open ;", "<SELECT 1 /* open ;");
}

static void an_open_quote_waits_for_its_end(void **state) {
    (void)state;
    expect("SELECT 'open; more", "<SELECT 'open; more");
    expect("SELECT $$open; more", "<SELECT $$open; more");
    expect("SELECT E'open\\", "<SELECT E'open\\");
}

static void the_first_word_skips_comments(void **state) {
    (void)state;
    char word[8];
    nq_statement_first_word("  /* x */ -- y\n select 1", 24, word, sizeof word);
    assert_string_equal(word, "SELECT");
    nq_statement_first_word("(1)", 3, word, sizeof word);
    assert_string_equal(word, "");
    nq_statement_first_word("extraordinary", 13, word, sizeof word);
    assert_string_equal(word, "EXTRAOR");
}

static void words_are_found_outside_of_strings_only(void **state) {
    (void)state;
    static const char with[] = "INSERT INTO t VALUES (1) returning id";
    static const char without[] = "INSERT INTO t VALUES ('RETURNING') -- RETURNING";
    assert_true(nq_statement_has_word(with, strlen(with), "RETURNING"));
    assert_false(nq_statement_has_word(without, strlen(without), "RETURNING"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(statements_end_at_semicolons),
        cmocka_unit_test(quoted_semicolons_end_nothing),
        cmocka_unit_test(comments_hide_semicolons),
        cmocka_unit_test(an_open_quote_waits_for_its_end),
        cmocka_unit_test(the_first_word_skips_comments),
        cmocka_unit_test(words_are_found_outside_of_strings_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
