/* IN with a list of constants: sorted once, then a binary search for each row.
 *
 * x IN (..) is null when x is, or when x is not found and the list holds a null. */
#include "engine/query/eval/eval_internal.h"

struct nq_in_set {
    nq_value *values; /* not null, ascending */
    uint32_t count;
    bool has_null;
};

bool nq__in_list_is_constant(const nq_expr *expr) {
    for (uint32_t i = 1; i < expr->arg_count; i++) {
        if (expr->args[i]->kind != NQ_EXPR_CONSTANT && expr->args[i]->kind != NQ_EXPR_PARAMETER) {
            return false;
        }
    }
    return true;
}

/* Shell sort (Ciura's gaps): lists are short, and it needs no memory. */
static void sort_values(nq_value *values, uint32_t count) {
    static const uint32_t gaps[] = {40945, 17401, 7301, 3041, 1301, 301, 132, 57, 23, 10, 4, 1};
    for (size_t g = 0; g < sizeof gaps / sizeof gaps[0]; g++) {
        uint32_t gap = gaps[g];
        for (uint32_t i = gap; i < count; i++) {
            nq_value value = values[i];
            uint32_t j = i;
            for (; j >= gap && nq_value_compare(values[j - gap], value) > 0; j -= gap) {
                values[j] = values[j - gap];
            }
            values[j] = value;
        }
    }
}

/* NULL when it failed. */
static nq_in_set *build_set(nq_ctx *ctx, nq_program *program, const nq_expr *expr) {
    nq_in_set *set = nq_arena_calloc(program->arena, 1, sizeof *set);
    nq_value *values = nq_arena_calloc(program->arena, expr->arg_count, sizeof(nq_value));
    if (set == NULL || values == NULL) {
        (void)!nq_fail(ctx, NQ_MEMORY_LIMIT, "out of memory for a list of IN");
        return NULL;
    }
    set->values = values;
    for (uint32_t i = 1; i < expr->arg_count; i++) {
        nq_value value;
        if (nq_expr_evaluate(ctx, program->arena, program->env, expr->args[i], NULL, &value) !=
            NQ_OK) {
            return NULL;
        }
        if (value.is_null) {
            set->has_null = true;
        } else {
            values[set->count++] = value;
        }
    }
    sort_values(values, set->count);
    return set;
}

static bool set_holds(const nq_in_set *set, nq_value value) {
    uint32_t low = 0;
    uint32_t high = set->count;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        int order = nq_value_compare(set->values[middle], value);
        if (order == 0) {
            return true;
        }
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return false;
}

nq_status nq__run_in(nq_ctx *ctx, nq_program *program, nq_instruction *instruction,
                     const nq_selection *selection) {
    if (instruction->in_set == NULL) {
        instruction->in_set = build_set(ctx, program, instruction->expr);
        if (instruction->in_set == NULL) {
            return ctx->error.code;
        }
    }
    const nq_in_set *set = instruction->in_set;
    nq_register *result = &program->registers[instruction->result];
    for (uint32_t at = 0; at < selection->row_count; at++) {
        uint32_t row = selection->rows == NULL ? at : selection->rows[at];
        nq_value value = nq__vector_value(instruction->args[0], row);
        bool is_found = !value.is_null && set_holds(set, value);
        bool is_null = value.is_null || (!is_found && set->has_null);
        result->buffer.nulls[row] = is_null;
        result->buffer.booleans[row] = !is_null && is_found != instruction->is_negated;
    }
    result->vector.nulls = result->buffer.nulls;
    return NQ_OK;
}

nq_value nq__in_values(nq_value value, const nq_value *list, uint32_t count, bool is_negated) {
    bool has_null = false;
    for (uint32_t i = 0; i < count; i++) {
        has_null |= list[i].is_null;
        if (!value.is_null && !list[i].is_null && nq_value_compare(value, list[i]) == 0) {
            return NQ_VALUE_BOOL(!is_negated);
        }
    }
    return value.is_null || has_null ? NQ_VALUE_NULL(NQ_TYPE_BOOL) : NQ_VALUE_BOOL(is_negated);
}
