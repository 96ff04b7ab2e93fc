/* Keywords: those that Tab completes against those of the server's grammar. Calls neither: the two
 * sides' functions may share names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static bool server_knows(const char *word) {
    static const char *const words[] = {
#define NQ_KEYWORD(word, class) #word,
#include "engine/query/sql/keywords.def"
#undef NQ_KEYWORD
        /* Types are names to the grammar. */
        "BIGINT", "BOOLEAN", "BYTEA", "DATE", "INTEGER", "REAL", "SMALLINT", "TEXT", "UUID"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strcmp(words[i], word) == 0) {
            return true;
        }
    }
    return false;
}

static const char *const completed[] = {
#define NQ_CLI_KEYWORD(word, begins_statement) #word,
#include "sdk/cli/keywords.def"
#undef NQ_CLI_KEYWORD
};

static void every_completed_keyword_is_one_that_the_server_knows(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof completed / sizeof completed[0]; i++) {
        assert_true(server_knows(completed[i]));
    }
}

static void each_is_listed_once_in_order(void **state) {
    (void)state;
    for (size_t i = 1; i < sizeof completed / sizeof completed[0]; i++) {
        assert_true(strcmp(completed[i - 1], completed[i]) < 0);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_completed_keyword_is_one_that_the_server_knows),
        cmocka_unit_test(each_is_listed_once_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
