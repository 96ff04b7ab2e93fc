/* Which function a call means, which casts it needs, and what is said when there is none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "engine/query/eval/function.h"

typedef struct call {
    const char *name;
    bool is_operator;
    const char *types;  /* letters of function.h; `?` is an untyped literal */
    const char *wanted; /* letters of the argument types, then of the result; NULL: refused */
} call;

static nq_type_id type_of(char letter) {
    return letter == '?' ? NQ_TYPE_UNKNOWN : nq_function_letter_type(letter);
}

static const call calls[] = {
    /* exact */
    {"+", true, "44", "444"},
    {"abs", false, "8", "88"},
    {"lower", false, "t", "tt"},
    /* widened, by the fewest steps */
    {"+", true, "24", "444"},
    {"+", true, "48", "888"},
    {"+", true, "4d", "ddd"},
    {"+", true, "8f", "ddd"},
    {"+", true, "ff", "fff"},
    {"sqrt", false, "4", "dd"},
    {"round", false, "2", "dd"},
    {"substr", false, "t2", "t4t"},
    {"date_trunc", false, "tD", "tSS"},
    {"=", true, "DS", "SSb"},
    {"=", true, "2d", "ddb"},
    {"greatest", false, "248", "8888"},
    {"lcm", false, "44", "888"},
    /* an untyped literal takes the other operand's type, or is text */
    {"+", true, "4?", "444"},
    {"=", true, "?u", "uub"},
    {"<", true, "D?", "DDb"},
    {"=", true, "??", "ttb"},
    {"||", true, "??", "ttt"},
    {"length", false, "?", "t4"},
    {"abs", false, "?", "dd"},
    {"coalesce_is_no_function", false, "4", NULL},
    /* anything to text only where it is asked for */
    {"||", true, "t4", "t4t"},
    {"||", true, "dt", "dtt"},
    {"||", true, "yy", "yyy"},
    {"||", true, "44", NULL},
    {"concat", false, "4bt", "4btt"},
    {"lower", false, "4", NULL},
    {"=", true, "t4", NULL},
    {"=", true, "bt", NULL},
    {"+", true, "tt", NULL},
    {"-", true, "DS", NULL},
    {"substr", false, "t8", NULL},
    /* aggregates */
    {"count", false, "", "8"},
    {"count", false, "u", "u8"},
    {"sum", false, "2", "28"},
    {"sum", false, "f", "dd"},
    {"min", false, "t", "tt"},
    {"sum", false, "t", NULL},
    /* numbers of arguments */
    {"pi", false, "4", NULL},
    {"substr", false, "t", NULL},
    {"greatest", false, "", NULL},
};

static void calls_resolve_as_in_postgresql(void **state) {
    (void)state;
    nq_ctx ctx;
    nq_ctx_init(&ctx, NULL);
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        const call *c = &calls[i];
        nq_type types[8];
        uint32_t count = (uint32_t)strlen(c->types);
        nq_resolution resolution;
        for (uint32_t a = 0; a < count; a++) {
            types[a] = NQ_TYPE(type_of(c->types[a]));
        }
        nq_status status = nq_function_find(&ctx, nq_bytes_of_cstr(c->name), c->is_operator, types,
                                            count, &resolution);
        if (status != (c->wanted == NULL ? NQ_UNKNOWN_FUNCTION : NQ_OK)) {
            fail_msg("%s of \"%s\": %s", c->name, c->types, nq_status_name(status));
        }
        for (uint32_t a = 0; c->wanted != NULL && a <= count; a++) {
            nq_type found = a == count ? resolution.result : resolution.arg_types[a];
            if (found.id != type_of(c->wanted[a])) {
                fail_msg("%s of \"%s\": place %u is %s", c->name, c->types, a,
                         nq_type_name(found.id));
            }
        }
    }
}

static void lengths_of_text_are_kept_where_no_cast_is_wanted(void **state) {
    (void)state;
    nq_ctx ctx;
    nq_ctx_init(&ctx, NULL);
    nq_type varchar = {.id = NQ_TYPE_TEXT, .length_max = 5};
    nq_resolution resolution;
    assert_int_equal(
        nq_function_find(&ctx, NQ_BYTES_LITERAL("upper"), false, &varchar, 1, &resolution), NQ_OK);
    assert_int_equal(resolution.arg_types[0].length_max, 5);
    assert_int_equal(resolution.result.length_max, 0);
}

static void several_types_settle_on_one(void **state) {
    (void)state;
    static const struct {
        const char *types;
        char wanted; /* 0: cannot be matched */
    } sets[] = {
        {"444", '4'}, {"248", '8'}, {"8f", 'd'}, {"4?", '4'}, {"??", 't'}, {"DS", 'S'},
        {"?D?", 'D'}, {"t4", 0},    {"b4", 0},   {"DT", 0},   {"t?", 't'}, {"fd", 'd'},
    };
    nq_ctx ctx;
    nq_ctx_init(&ctx, NULL);
    for (size_t i = 0; i < sizeof sets / sizeof sets[0]; i++) {
        nq_type types[4];
        nq_type common;
        uint32_t count = (uint32_t)strlen(sets[i].types);
        for (uint32_t a = 0; a < count; a++) {
            types[a] = NQ_TYPE(type_of(sets[i].types[a]));
        }
        nq_status status = nq_type_common(&ctx, "CASE", types, count, &common);
        assert_int_equal(status, sets[i].wanted == 0 ? NQ_TYPE_MISMATCH : NQ_OK);
        if (status == NQ_OK) {
            assert_int_equal(common.id, type_of(sets[i].wanted));
        }
    }
}

static void failures_say_what_and_why(void **state) {
    (void)state;
    nq_ctx ctx;
    nq_ctx_init(&ctx, NULL);
    nq_resolution resolution;
    nq_type integer = NQ_TYPE(NQ_TYPE_INT32);
    assert_int_equal(
        nq_function_find(&ctx, NQ_BYTES_LITERAL("lenght"), false, &integer, 1, &resolution),
        NQ_UNKNOWN_FUNCTION);
    assert_string_equal(ctx.error.message, "function lenght(integer) does not exist");
    assert_string_equal(ctx.error.hint, "Perhaps length() was meant.");
    assert_string_equal(ctx.error.object, "lenght");
    assert_int_equal(
        nq_function_find(&ctx, NQ_BYTES_LITERAL("length"), false, &integer, 1, &resolution),
        NQ_UNKNOWN_FUNCTION);
    assert_non_null(strstr(ctx.error.hint, "CAST"));
    assert_int_equal(
        nq_function_find(&ctx, NQ_BYTES_LITERAL("length"), false, NULL, 0, &resolution),
        NQ_UNKNOWN_FUNCTION);
    assert_non_null(strstr(ctx.error.hint, "number of arguments"));
    assert_int_equal(nq_function_find(&ctx, NQ_BYTES_LITERAL("~"), true,
                                      (nq_type[]){NQ_TYPE(NQ_TYPE_TEXT)}, 1, &resolution),
                     NQ_UNKNOWN_FUNCTION);
    assert_string_equal(ctx.error.message, "operator ~ text does not exist");
    static const nq_type many[NQ_FUNCTION_ARGUMENTS_MAX + 1];
    assert_int_equal(nq_function_find(&ctx, NQ_BYTES_LITERAL("concat"), false, many,
                                      NQ_FUNCTION_ARGUMENTS_MAX + 1, &resolution),
                     NQ_LIMIT_EXCEEDED);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls_resolve_as_in_postgresql),
        cmocka_unit_test(lengths_of_text_are_kept_where_no_cast_is_wanted),
        cmocka_unit_test(several_types_settle_on_one),
        cmocka_unit_test(failures_say_what_and_why),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
