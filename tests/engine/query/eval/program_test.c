/* Programs against the evaluator of single rows: random expressions over random rows must agree in
 * every value, every null and whether there is an error. The evaluator is the oracle: it walks the
 * tree as the standard describes it, one row at a time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "engine/query/eval/program.h"

enum { ROWS_MAX = 300, COLUMN_COUNT = 8, LIST_MAX = 12 };

typedef struct fixture {
    nq_ctx ctx;
    nq_arena arena; /* expressions and programs */
    nq_arena batch; /* text of results */
    nq_rng rng;
    nq_eval_env env;
    nq_value parameters[2];
} fixture;

static void fixture_init(fixture *f, uint64_t seed) {
    nq_arena_init(&f->arena, 256 << 20);
    nq_arena_init(&f->batch, 256 << 20);
    nq_ctx_init(&f->ctx, &f->arena);
    f->rng = (nq_rng){seed};
    f->parameters[0] = NQ_VALUE_INT64(7);
    f->parameters[0].type = NQ_TYPE_INT32;
    f->parameters[1] = NQ_VALUE_NULL(NQ_TYPE_TEXT);
    f->env = (nq_eval_env){.parameters = f->parameters, .parameter_count = 2, .rng = &f->rng};
}

static void fixture_deinit(fixture *f) {
    nq_arena_deinit(&f->batch);
    nq_arena_deinit(&f->arena);
}

/* ---- Rows: two columns of each type, the second with nulls ---- */

static const nq_type_id column_types[COLUMN_COUNT] = {
    NQ_TYPE_INT32,   NQ_TYPE_INT32,   NQ_TYPE_BOOL, NQ_TYPE_BOOL,
    NQ_TYPE_FLOAT64, NQ_TYPE_FLOAT64, NQ_TYPE_TEXT, NQ_TYPE_TEXT,
};

typedef struct rows {
    nq_vector vectors[COLUMN_COUNT];
    uint8_t nulls[COLUMN_COUNT][ROWS_MAX];
    uint8_t booleans[COLUMN_COUNT][ROWS_MAX];
    int64_t integers[COLUMN_COUNT][ROWS_MAX];
    double numbers[COLUMN_COUNT][ROWS_MAX];
    nq_bytes texts[COLUMN_COUNT][ROWS_MAX];
} rows;

static nq_bytes random_text(nq_rng *rng) {
    static const char *const texts[] = {"",  "a",     "ab", "abc", "b%",
                                        "ä", "größe", "7",  "-12", "A_c"};
    return nq_bytes_of_cstr(texts[nq_rng_below(rng, sizeof texts / sizeof texts[0])]);
}

static int64_t random_integer(nq_rng *rng) {
    static const int64_t edges[] = {0, 1, -1, 2, 3, 100, INT32_MAX, INT32_MIN};
    return nq_rng_below(rng, 3) == 0 ? edges[nq_rng_below(rng, 8)]
                                     : (int64_t)nq_rng_below(rng, 20) - 10;
}

static double random_number(nq_rng *rng) {
    static const double edges[] = {0, -0.0, 1.5, 1e308, -1e308, 1e-300, 0.5};
    return nq_rng_below(rng, 4) == 0 ? edges[nq_rng_below(rng, 7)]
                                     : (double)nq_rng_below(rng, 40) / 4 - 5;
}

static void make_rows(nq_rng *rng, rows *r, uint32_t count) {
    memset(r, 0, sizeof *r);
    for (uint32_t c = 0; c < COLUMN_COUNT; c++) {
        bool has_nulls = c % 2 == 1;
        for (uint32_t i = 0; i < count; i++) {
            if (has_nulls && nq_rng_below(rng, 3) == 0) {
                r->nulls[c][i] = 1;
                continue;
            }
            r->booleans[c][i] = (uint8_t)nq_rng_below(rng, 2);
            r->integers[c][i] = random_integer(rng);
            r->numbers[c][i] = random_number(rng);
            r->texts[c][i] = random_text(rng);
        }
        r->vectors[c] =
            (nq_vector){.type = NQ_TYPE(column_types[c]), .nulls = has_nulls ? r->nulls[c] : NULL};
        switch (nq_type_form(column_types[c])) {
        case NQ_FORM_BOOL:
            r->vectors[c].booleans = r->booleans[c];
            break;
        case NQ_FORM_INT64:
            r->vectors[c].integers = r->integers[c];
            break;
        case NQ_FORM_FLOAT64:
            r->vectors[c].numbers = r->numbers[c];
            break;
        case NQ_FORM_BYTES:
            r->vectors[c].bytes = r->texts[c];
            break;
        }
    }
}

/* ---- Expressions ---- */

static const nq_expr *generate(fixture *f, nq_type_id type, uint32_t depth);

static const nq_expr *call(fixture *f, const char *name, bool is_operator, const nq_expr **args,
                           uint32_t count) {
    nq_type types[4];
    nq_resolution resolution;
    for (uint32_t i = 0; i < count; i++) {
        types[i] = args[i]->type;
    }
    assert_int_equal(
        nq_function_find(&f->ctx, nq_bytes_of_cstr(name), is_operator, types, count, &resolution),
        NQ_OK);
    for (uint32_t i = 0; i < count; i++) {
        if (resolution.arg_types[i].id != types[i].id) {
            args[i] = nq_expr_cast(&f->arena, args[i], resolution.arg_types[i]);
        }
    }
    return nq_expr_call(&f->arena, resolution.function, resolution.result, args, count);
}

static const nq_expr *binary(fixture *f, const char *name, nq_type_id type, uint32_t depth) {
    const nq_expr *args[2] = {generate(f, type, depth), generate(f, type, depth)};
    return call(f, name, true, args, 2);
}

static const nq_expr *leaf(fixture *f, nq_type_id type) {
    nq_value value = NQ_VALUE_NULL(type);
    if (nq_rng_below(&f->rng, 5) > 1) {
        for (;;) {
            uint32_t c = (uint32_t)nq_rng_below(&f->rng, COLUMN_COUNT);
            if (column_types[c] == type) {
                return nq_expr_column(&f->arena, c, NQ_TYPE(type));
            }
        }
    }
    if (type == NQ_TYPE_INT32 && nq_rng_below(&f->rng, 4) == 0) {
        return nq_expr_parameter(&f->arena, 0, NQ_TYPE(type));
    }
    if (type == NQ_TYPE_TEXT && nq_rng_below(&f->rng, 8) == 0) {
        return nq_expr_parameter(&f->arena, 1, NQ_TYPE(type));
    }
    value.is_null = nq_rng_below(&f->rng, 6) == 0;
    switch (nq_type_form(type)) {
    case NQ_FORM_BOOL:
        value.boolean = nq_rng_below(&f->rng, 2) != 0;
        break;
    case NQ_FORM_INT64:
        value.integer = random_integer(&f->rng);
        break;
    case NQ_FORM_FLOAT64:
        value.number = random_number(&f->rng);
        break;
    case NQ_FORM_BYTES:
        value.bytes = random_text(&f->rng);
        break;
    }
    return nq_expr_constant(&f->arena, value, NQ_TYPE(type));
}

static nq_type_id random_type(fixture *f) {
    return column_types[nq_rng_below(&f->rng, COLUMN_COUNT)];
}

static const nq_expr *generate_case(fixture *f, nq_type_id type, uint32_t depth) {
    const nq_expr *args[7];
    uint32_t count = 0;
    for (uint32_t branches = 1 + (uint32_t)nq_rng_below(&f->rng, 3); branches > 0; branches--) {
        args[count++] = generate(f, NQ_TYPE_BOOL, depth);
        args[count++] = generate(f, type, depth);
    }
    if (nq_rng_below(&f->rng, 2) == 0) {
        args[count++] = generate(f, type, depth);
    }
    return nq_expr_form(&f->arena, NQ_EXPR_CASE, NQ_TYPE(type), false, args, count);
}

static const nq_expr *generate_form(fixture *f, nq_expr_kind kind, nq_type_id result,
                                    nq_type_id type, uint32_t count, uint32_t depth) {
    const nq_expr *args[LIST_MAX];
    for (uint32_t i = 0; i < count; i++) {
        args[i] = generate(f, type, depth);
    }
    bool is_negated =
        kind >= NQ_EXPR_IS_NULL && kind <= NQ_EXPR_IN_LIST && nq_rng_below(&f->rng, 2) == 0;
    return nq_expr_form(&f->arena, kind, NQ_TYPE(result), is_negated, args, count);
}

static const nq_expr *generate_in(fixture *f, uint32_t depth) {
    nq_type_id type = random_type(f);
    bool is_constant = nq_rng_below(&f->rng, 2) == 0;
    uint32_t count = 2 + (uint32_t)nq_rng_below(&f->rng, is_constant ? LIST_MAX - 2 : 3);
    const nq_expr *args[LIST_MAX] = {generate(f, type, depth)};
    for (uint32_t i = 1; i < count; i++) {
        do {
            args[i] = is_constant ? leaf(f, type) : generate(f, type, depth);
        } while (is_constant && args[i]->kind == NQ_EXPR_COLUMN);
    }
    return nq_expr_form(&f->arena, NQ_EXPR_IN_LIST, NQ_TYPE(NQ_TYPE_BOOL),
                        nq_rng_below(&f->rng, 2) == 0, args, count);
}

static const nq_expr *generate_boolean(fixture *f, uint32_t depth) {
    static const char *const comparisons[] = {
        "=", "<>", "<", "<=", ">", ">=", "is distinct from", "is not distinct from"};
    uint32_t few = 2 + (uint32_t)nq_rng_below(&f->rng, 3);
    switch (nq_rng_below(&f->rng, 9)) {
    case 0:
    case 1:
        return binary(f, comparisons[nq_rng_below(&f->rng, 8)], random_type(f), depth);
    case 2:
        return generate_form(f, NQ_EXPR_AND, NQ_TYPE_BOOL, NQ_TYPE_BOOL, few, depth);
    case 3:
        return generate_form(f, NQ_EXPR_OR, NQ_TYPE_BOOL, NQ_TYPE_BOOL, few, depth);
    case 4:
        return generate_form(f, NQ_EXPR_NOT, NQ_TYPE_BOOL, NQ_TYPE_BOOL, 1, depth);
    case 5:
        return generate_form(f, NQ_EXPR_IS_NULL, NQ_TYPE_BOOL, random_type(f), 1, depth);
    case 6:
        return generate_form(f, nq_rng_below(&f->rng, 2) == 0 ? NQ_EXPR_IS_TRUE : NQ_EXPR_IS_FALSE,
                             NQ_TYPE_BOOL, NQ_TYPE_BOOL, 1, depth);
    case 7:
        return generate_in(f, depth);
    default:
        return binary(f, nq_rng_below(&f->rng, 2) == 0 ? "like" : "not ilike", NQ_TYPE_TEXT, depth);
    }
}

static const nq_expr *generate_text(fixture *f, uint32_t depth) {
    const nq_expr *args[3];
    switch (nq_rng_below(&f->rng, 4)) {
    case 0:
        return binary(f, "||", NQ_TYPE_TEXT, depth);
    case 1:
        args[0] = generate(f, NQ_TYPE_TEXT, depth);
        args[1] = generate(f, NQ_TYPE_INT32, depth);
        args[2] = generate(f, NQ_TYPE_INT32, depth);
        return call(f, "substr", false, args, 3);
    case 2:
        args[0] = generate(f, NQ_TYPE_TEXT, depth);
        return call(f, nq_rng_below(&f->rng, 2) == 0 ? "upper" : "reverse", false, args, 1);
    default:
        return nq_expr_cast(&f->arena, generate(f, NQ_TYPE_INT32, depth), NQ_TYPE(NQ_TYPE_TEXT));
    }
}

static const nq_expr *generate_number(fixture *f, nq_type_id type, uint32_t depth) {
    static const char *const signs[] = {"+", "-", "*", "/", "%"};
    const nq_expr *arg;
    switch (nq_rng_below(&f->rng, 4)) {
    case 0:
    case 1:
        return binary(f, signs[nq_rng_below(&f->rng, 5)], type, depth);
    case 2:
        arg = generate(f, type == NQ_TYPE_INT32 ? NQ_TYPE_FLOAT64 : NQ_TYPE_INT32, depth);
        return nq_expr_cast(&f->arena, arg, NQ_TYPE(type));
    default:
        arg = generate(f, type == NQ_TYPE_INT32 ? NQ_TYPE_TEXT : type, depth);
        return call(f, type == NQ_TYPE_INT32 ? "length" : "abs", false, &arg, 1);
    }
}

static const nq_expr *generate(fixture *f, nq_type_id type, uint32_t depth) {
    if (depth == 0 || nq_rng_below(&f->rng, 6) == 0) {
        return leaf(f, type);
    }
    depth--;
    switch (nq_rng_below(&f->rng, 8)) {
    case 0:
        return generate_case(f, type, depth);
    case 1:
        return generate_form(f, NQ_EXPR_COALESCE, type, type,
                             1 + (uint32_t)nq_rng_below(&f->rng, 3), depth);
    default:
        break;
    }
    switch (type) {
    case NQ_TYPE_BOOL:
        return generate_boolean(f, depth);
    case NQ_TYPE_TEXT:
        return generate_text(f, depth);
    default:
        return generate_number(f, type, depth);
    }
}

/* ---- Comparison ---- */

static nq_bytes column_name(void *user, uint32_t index) {
    static char name[8];
    (void)user;
    return nq_bytes_of(name, (size_t)snprintf(name, sizeof name, "c%u", index));
}

static bool is_same(nq_value left, nq_value right) {
    if (left.is_null || right.is_null) {
        return left.is_null && right.is_null;
    }
    return nq_value_compare(left, right) == 0;
}

static void check_values(fixture *f, const nq_expr *expr, const nq_batch *batch,
                         const nq_vector *result, const nq_value *expected) {
    nq_batch results = {batch->row_count, 1, result};
    for (uint32_t row = 0; row < batch->row_count; row++) {
        if (!is_same(nq_batch_value(&results, 0, row), expected[row])) {
            nq_bytes text;
            (void)!nq_expr_print(&f->ctx, &f->arena, expr, column_name, NULL, &text);
            fail_msg("row %u of %.*s differs", row, NQ_BYTES_FORMAT(text));
        }
    }
}

/* Rows the programs under test have seen before: what they leave in the registers must not matter.
 */
static void run_over_other_rows(fixture *f, nq_program *program) {
    static rows others;
    const nq_vector *ignored;
    for (int run = 0; run < 2; run++) {
        make_rows(&f->rng, &others, ROWS_MAX);
        nq_batch batch = {ROWS_MAX, COLUMN_COUNT, others.vectors};
        (void)!nq_program_run(&f->ctx, program, &f->batch, &batch, &ignored);
        nq_arena_reset(&f->batch);
    }
}

/* One expression over the batch by both ways. */
static void check_expression(fixture *f, const nq_expr *expr, const nq_batch *batch) {
    nq_value expected[ROWS_MAX];
    bool fails_with[NQ_STATUS_COUNT] = {false};
    bool must_fail = false;
    for (uint32_t row = 0; row < batch->row_count; row++) {
        nq_value cells[COLUMN_COUNT];
        for (uint32_t c = 0; c < COLUMN_COUNT; c++) {
            cells[c] = nq_batch_value(batch, c, row);
        }
        nq_status status =
            nq_expr_evaluate(&f->ctx, &f->arena, &f->env, expr, cells, &expected[row]);
        must_fail |= status != NQ_OK;
        fails_with[status] = true;
    }
    nq_program *program;
    const nq_vector *result;
    assert_int_equal(nq_program_create(&f->ctx, &f->arena, &f->env, &expr, 1, &program), NQ_OK);
    for (int run = 0; run < 2; run++) {
        nq_status status = nq_program_run(&f->ctx, program, &f->batch, batch, &result);
        if (must_fail != (status != NQ_OK) || !fails_with[status]) {
            nq_bytes text;
            (void)!nq_expr_print(&f->ctx, &f->arena, expr, column_name, NULL, &text);
            fail_msg("%s: %.*s", nq_status_name(status), NQ_BYTES_FORMAT(text));
        }
        if (status == NQ_OK) {
            check_values(f, expr, batch, result, expected);
        }
        run_over_other_rows(f, program);
    }
}

static void vectors_agree_with_single_rows(void **state) {
    (void)state;
    static rows r;
    enum { EXPRESSIONS = 6000, DEPTH_MAX = 5 };
    for (uint64_t seed = 1; seed <= EXPRESSIONS; seed++) {
        fixture f;
        fixture_init(&f, seed);
        uint32_t count = 1 + (uint32_t)nq_rng_below(&f.rng, seed % 4 == 0 ? ROWS_MAX : 8);
        make_rows(&f.rng, &r, count);
        nq_batch batch = {count, COLUMN_COUNT, r.vectors};
        check_expression(&f, generate(&f, random_type(&f), (uint32_t)(seed % (DEPTH_MAX + 1))),
                         &batch);
        fixture_deinit(&f);
    }
}

static void selecting_rows_is_evaluating_and_keeping_the_true_ones(void **state) {
    (void)state;
    static rows r;
    for (uint64_t seed = 1; seed <= 500; seed++) {
        fixture f;
        fixture_init(&f, seed);
        make_rows(&f.rng, &r, ROWS_MAX);
        nq_batch batch = {ROWS_MAX, COLUMN_COUNT, r.vectors};
        const nq_expr *expr = generate(&f, NQ_TYPE_BOOL, 3);
        nq_program *program;
        const nq_vector *result;
        uint16_t selected[ROWS_MAX];
        uint32_t count;
        assert_int_equal(nq_program_create(&f.ctx, &f.arena, &f.env, &expr, 1, &program), NQ_OK);
        if (nq_program_run(&f.ctx, program, &f.batch, &batch, &result) == NQ_OK) {
            nq_batch results = {ROWS_MAX, 1, result};
            uint32_t at = 0;
            bool is_true[ROWS_MAX];
            for (uint32_t row = 0; row < ROWS_MAX; row++) {
                nq_value value = nq_batch_value(&results, 0, row);
                is_true[row] = !value.is_null && value.boolean;
            }
            assert_int_equal(nq_program_select(&f.ctx, program, &f.batch, &batch, selected, &count),
                             NQ_OK);
            for (uint32_t row = 0; row < ROWS_MAX; row++) {
                if (is_true[row]) {
                    assert_true(at < count);
                    assert_int_equal(selected[at++], row);
                }
            }
            assert_int_equal(at, count);
        }
        fixture_deinit(&f);
    }
}

/* The nine cases of AND and OR and the three of NOT, as the standard's tables have them. */
static void logic_has_three_values(void **state) {
    (void)state;
    fixture f;
    fixture_init(&f, 1);
    static const char truth[3] = {'f', 'n', 't'};
    for (int left = 0; left < 3; left++) {
        for (int right = 0; right < 3; right++) {
            const nq_expr *args[2];
            for (int i = 0; i < 2; i++) {
                char t = truth[i == 0 ? left : right];
                nq_value value = t == 'n' ? NQ_VALUE_NULL(NQ_TYPE_BOOL) : NQ_VALUE_BOOL(t == 't');
                args[i] = nq_expr_constant(&f.arena, value, NQ_TYPE(NQ_TYPE_BOOL));
            }
            /* false < null < true: AND is the least, OR the greatest. */
            int least = left < right ? left : right;
            int greatest = left < right ? right : left;
            int expected[2] = {least, greatest};
            nq_expr_kind kinds[2] = {NQ_EXPR_AND, NQ_EXPR_OR};
            for (int k = 0; k < 2; k++) {
                nq_value value;
                const nq_expr *expr =
                    nq_expr_form(&f.arena, kinds[k], NQ_TYPE(NQ_TYPE_BOOL), false, args, 2);
                assert_int_equal(nq_expr_evaluate(&f.ctx, &f.arena, &f.env, expr, NULL, &value),
                                 NQ_OK);
                char found = value.is_null ? 'n' : (value.boolean ? 't' : 'f');
                assert_int_equal(found, truth[expected[k]]);
            }
        }
    }
    fixture_deinit(&f);
}

static void a_guard_hides_the_error_behind_it(void **state) {
    (void)state;
    fixture f;
    fixture_init(&f, 1);
    static rows r;
    make_rows(&f.rng, &r, ROWS_MAX);
    nq_batch batch = {ROWS_MAX, COLUMN_COUNT, r.vectors};
    nq_type integer = NQ_TYPE(NQ_TYPE_INT32);
    nq_value zero = NQ_VALUE_INT64(0);
    nq_value hundred = NQ_VALUE_INT64(100);
    const nq_expr *column = nq_expr_column(&f.arena, 0, integer);
    const nq_expr *nought = nq_expr_constant(&f.arena, zero, integer);
    const nq_expr *quotient_args[2] = {nq_expr_constant(&f.arena, hundred, integer), column};
    const nq_expr *quotient = call(&f, "/", true, quotient_args, 2);
    const nq_expr *is_zero_args[2] = {column, nought};
    const nq_expr *is_zero = call(&f, "=", true, is_zero_args, 2);
    const nq_expr *is_big_args[2] = {quotient, nought};
    const nq_expr *is_big = call(&f, ">", true, is_big_args, 2);
    const nq_expr *guarded[3] = {
        nq_expr_form(&f.arena, NQ_EXPR_CASE, integer, false,
                     (const nq_expr *[]){is_zero, nought, quotient}, 3),
        nq_expr_form(&f.arena, NQ_EXPR_OR, NQ_TYPE(NQ_TYPE_BOOL), false,
                     (const nq_expr *[]){is_zero, is_big}, 2),
        nq_expr_form(&f.arena, NQ_EXPR_COALESCE, integer, false,
                     (const nq_expr *[]){nq_expr_column(&f.arena, 0, integer), quotient}, 2),
    };
    for (int i = 0; i < 3; i++) {
        nq_program *program;
        const nq_vector *result;
        assert_int_equal(nq_program_create(&f.ctx, &f.arena, &f.env, &guarded[i], 1, &program),
                         NQ_OK);
        assert_int_equal(nq_program_run(&f.ctx, program, &f.batch, &batch, &result), NQ_OK);
        check_expression(&f, guarded[i], &batch);
    }
    fixture_deinit(&f);
}

static void a_budget_too_small_is_a_memory_limit(void **state) {
    (void)state;
    fixture f;
    fixture_init(&f, 3);
    nq_arena small;
    nq_arena_init(&small, 2 << 10);
    static rows r;
    make_rows(&f.rng, &r, ROWS_MAX);
    nq_batch batch = {ROWS_MAX, COLUMN_COUNT, r.vectors};
    const nq_expr *args[2] = {nq_expr_column(&f.arena, 4, NQ_TYPE(NQ_TYPE_FLOAT64)),
                              nq_expr_column(&f.arena, 5, NQ_TYPE(NQ_TYPE_FLOAT64))};
    const nq_expr *expr = call(&f, "<", true, args, 2);
    nq_program *program = NULL;
    const nq_vector *result;
    nq_status status = nq_program_create(&f.ctx, &small, &f.env, &expr, 1, &program);
    if (status == NQ_OK) { /* compiled, but there is no room for the registers */
        status = nq_program_run(&f.ctx, program, &f.batch, &batch, &result);
    }
    assert_int_equal(status, NQ_MEMORY_LIMIT);
    nq_arena_deinit(&small);
    fixture_deinit(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vectors_agree_with_single_rows),
        cmocka_unit_test(selecting_rows_is_evaluating_and_keeping_the_true_ones),
        cmocka_unit_test(logic_has_three_values),
        cmocka_unit_test(a_guard_hides_the_error_behind_it),
        cmocka_unit_test(a_budget_too_small_is_a_memory_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
