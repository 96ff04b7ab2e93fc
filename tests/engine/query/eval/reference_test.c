/* docs/reference/functions.md is made from function.def by this program: with --print it writes the
 * page, without it compares the page with what it would write. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine/query/eval/function.h"

enum { PAGE_BYTES_MAX = 1 << 17 };

static const char *page_path = "docs/reference/functions.md";

typedef struct page {
    char text[PAGE_BYTES_MAX];
    size_t size;
} page;

__attribute__((format(printf, 2, 3))) static void put(page *p, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(p->text + p->size, sizeof p->text - p->size, format, arguments);
    va_end(arguments);
    p->size += (size_t)size;
    if (p->size >= sizeof p->text) {
        abort();
    }
}

static const char *letter_name(char letter) {
    switch (letter) {
    case 'a':
        return "any";
    case 'e':
        return "any type";
    default:
        return nq_type_name(nq_function_letter_type(letter));
    }
}

/* A bar would end the table's cell. */
static void put_escaped(page *p, const char *text) {
    for (; *text != '\0'; text++) {
        put(p, *text == '|' ? "\\|" : "%c", *text);
    }
}

static void put_call(page *p, const nq_function *f) {
    size_t count = strlen(f->args);
    if (f->kind == NQ_FUNCTION_OPERATOR) {
        if (count == 1) {
            put_escaped(p, f->name);
            put(p, " %s", letter_name(f->args[0]));
            return;
        }
        put(p, "%s ", letter_name(f->args[0]));
        put_escaped(p, f->name);
        put(p, " %s%s", letter_name(f->args[1]), count == 3 ? " escape text" : "");
        return;
    }
    bool is_count_of_rows = f->kind == NQ_FUNCTION_AGGREGATE && count == 0;
    put(p, "%s", f->name);
    if ((f->flags & NQ_FUNCTION_NO_PARENS) != 0) {
        return;
    }
    put(p, is_count_of_rows ? "(*" : "(");
    for (size_t i = 0; i < count; i++) {
        put(p, "%s%s", i > 0 ? ", " : "", letter_name(f->args[i]));
    }
    put(p, (f->flags & NQ_FUNCTION_VARIADIC) != 0 ? ", ..)" : ")");
}

static void put_table(page *p, const char *title, nq_function_kind kind) {
    put(p, "\n## %s\n\n| Call | Result | Answers |\n|---|---|---|\n", title);
    for (uint32_t i = 0; i < nq_function_count; i++) {
        const nq_function *f = &nq_functions[i];
        if (f->kind != kind) {
            continue;
        }
        put(p, "| `");
        put_call(p, f);
        put(p, "` | %s | %s |\n", letter_name(f->result), f->summary);
    }
}

static void make_page(page *p) {
    p->size = 0;
    put(p,
        "# Functions, operators and aggregates\n\n"
        "Made from `engine/query/eval/function.def`; do not edit.\n\n"
        "`any` stands for one and the same type at every place of a call, `any type` for a type of "
        "its "
        "own. An argument of a narrower number, or a date where a timestamp is wanted, is widened. "
        "Every call is null when an argument is, but for those whose text says otherwise: "
        "`coalesce`, "
        "`greatest`, `least`, `nullif`, `concat`, `concat_ws`, `typeof`, IS DISTINCT FROM. "
        "Aggregates "
        "pass over nulls, take DISTINCT and `FILTER (WHERE ..)`, and are null over no value, "
        "`count` "
        "excepted. `coalesce`, `ifnull` and `nvl` give their first argument that is not null.\n");
    put_table(p, "Operators", NQ_FUNCTION_OPERATOR);
    put_table(p, "Functions", NQ_FUNCTION_SCALAR);
    put_table(p, "Aggregates", NQ_FUNCTION_AGGREGATE);
}

static page made;

static void the_page_says_what_the_table_says(void **state) {
    (void)state;
    static char kept[PAGE_BYTES_MAX];
    FILE *file = fopen(page_path, "r");
    assert_non_null(file);
    size_t size = fread(kept, 1, sizeof kept - 1, file);
    fclose(file);
    make_page(&made);
    if (size != made.size || memcmp(kept, made.text, size) != 0) {
        fail_msg("%s is stale: write it anew with this program's --print", page_path);
    }
}

static void every_row_of_the_table_is_whole(void **state) {
    (void)state;
    for (uint32_t i = 0; i < nq_function_count; i++) {
        const nq_function *f = &nq_functions[i];
        assert_true((f->kernel != NULL) == (f->kind != NQ_FUNCTION_AGGREGATE));
        assert_true((f->aggregate != NULL) == (f->kind == NQ_FUNCTION_AGGREGATE));
        assert_true(strlen(f->summary) > 0);
        assert_true(f->result == 'a' || nq_function_letter_type(f->result) != NQ_TYPE_UNKNOWN);
        for (const char *letter = f->args; *letter != '\0'; letter++) {
            assert_true(*letter == 'a' || *letter == 'e' ||
                        nq_function_letter_type(*letter) != NQ_TYPE_UNKNOWN);
        }
        for (uint32_t j = 0; j < i; j++) { /* no call fits two rows exactly */
            assert_false(strcmp(nq_functions[j].name, f->name) == 0 &&
                         strcmp(nq_functions[j].args, f->args) == 0);
        }
    }
}

int main(int argument_count, char **arguments) {
    if (argument_count == 2 && strcmp(arguments[1], "--print") == 0) {
        make_page(&made);
        return fwrite(made.text, 1, made.size, stdout) == made.size ? 0 : 1;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_page_says_what_the_table_says),
        cmocka_unit_test(every_row_of_the_table_is_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
