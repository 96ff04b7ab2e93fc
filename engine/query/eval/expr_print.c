/* Expressions as SQL text, for people reading a plan. Every operation inside another one is in
 * parentheses; what is printed means what is evaluated, and is not meant to be parsed again. */
#include <stdio.h>

#include "engine/query/eval/expr.h"

typedef struct printer {
    nq_ctx *ctx;
    nq_arena *arena;
    nq_bytes (*column_name)(void *user, uint32_t index);
    void *user;
    uint8_t *data;
    size_t size;
    size_t capacity;
} printer;

static nq_status put(printer *p, nq_bytes text) {
    enum { CAPACITY_MIN = 128 };
    if (p->size + text.size > p->capacity) {
        size_t capacity = p->capacity == 0 ? CAPACITY_MIN : p->capacity * 2;
        while (capacity < p->size + text.size) {
            capacity *= 2;
        }
        uint8_t *data = nq_arena_alloc(p->arena, capacity);
        if (data == NULL) {
            return nq_fail_no_memory(p->ctx, "the text of an expression");
        }
        if (p->size > 0) {
            memcpy(data, p->data, p->size);
        }
        p->data = data;
        p->capacity = capacity;
    }
    if (text.size > 0) {
        memcpy(p->data + p->size, text.data, text.size);
    }
    p->size += text.size;
    return NQ_OK;
}

static nq_status put_text(printer *p, const char *text) {
    return put(p, nq_bytes_of_cstr(text));
}

static nq_status print(printer *p, const nq_expr *expr, bool is_inner);

static nq_status print_quoted(printer *p, nq_bytes text) {
    NQ_TRY(put_text(p, "'"));
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] == '\'') {
            NQ_TRY(put_text(p, "'"));
        }
        NQ_TRY(put(p, nq_bytes_of(text.data + i, 1)));
    }
    return put_text(p, "'");
}

static nq_status print_constant(printer *p, const nq_expr *expr) {
    nq_value value = expr->value;
    if (value.is_null) {
        return put_text(p, "NULL");
    }
    if (value.type == NQ_TYPE_BOOL) {
        return put_text(p, value.boolean ? "TRUE" : "FALSE");
    }
    nq_bytes text;
    if (value.type == NQ_TYPE_UNKNOWN) {
        value.type = NQ_TYPE_TEXT;
    }
    NQ_TRY(nq_value_print(p->ctx, p->arena, value, &text));
    if (nq_type_is_number(value.type)) {
        return put(p, text);
    }
    bool is_plain = value.type == NQ_TYPE_TEXT;
    if (!is_plain) {
        NQ_TRY(put_text(p, nq_type_name(value.type)));
        NQ_TRY(put_text(p, " "));
    }
    return print_quoted(p, text);
}

static nq_status print_list(printer *p, const nq_expr *expr, uint32_t first, const char *between,
                            bool is_inner) {
    for (uint32_t i = first; i < expr->arg_count; i++) {
        if (i > first) {
            NQ_TRY(put_text(p, between));
        }
        NQ_TRY(print(p, expr->args[i], is_inner));
    }
    return NQ_OK;
}

/* Names of operators are lower case in the table; words are shown as SQL writes them. */
static nq_status print_operator(printer *p, const char *name) {
    for (; *name != '\0'; name++) {
        uint8_t byte = (uint8_t)*name;
        byte = byte >= 'a' && byte <= 'z' ? (uint8_t)(byte - 'a' + 'A') : byte;
        NQ_TRY(put(p, nq_bytes_of(&byte, 1)));
    }
    return NQ_OK;
}

static nq_status print_call(printer *p, const nq_expr *expr) {
    const nq_function *function = expr->function;
    if (function->kind != NQ_FUNCTION_OPERATOR) {
        NQ_TRY(put_text(p, function->name));
        if ((function->flags & NQ_FUNCTION_NO_PARENS) != 0) {
            return NQ_OK;
        }
        NQ_TRY(put_text(p, "("));
        NQ_TRY(print_list(p, expr, 0, ", ", false));
        return put_text(p, ")");
    }
    if (expr->arg_count == 1) {
        NQ_TRY(put_text(p, function->name));
        return print(p, expr->args[0], true);
    }
    NQ_TRY(print(p, expr->args[0], true));
    NQ_TRY(put_text(p, " "));
    NQ_TRY(print_operator(p, function->name));
    NQ_TRY(put_text(p, " "));
    NQ_TRY(print(p, expr->args[1], true));
    if (expr->arg_count == 3) {
        NQ_TRY(put_text(p, " ESCAPE "));
        return print(p, expr->args[2], true);
    }
    return NQ_OK;
}

static nq_status print_case(printer *p, const nq_expr *expr) {
    NQ_TRY(put_text(p, "CASE"));
    for (uint32_t i = 0; i + 1 < expr->arg_count; i += 2) {
        NQ_TRY(put_text(p, " WHEN "));
        NQ_TRY(print(p, expr->args[i], false));
        NQ_TRY(put_text(p, " THEN "));
        NQ_TRY(print(p, expr->args[i + 1], false));
    }
    if (expr->arg_count % 2 == 1) {
        NQ_TRY(put_text(p, " ELSE "));
        NQ_TRY(print(p, expr->args[expr->arg_count - 1], false));
    }
    return put_text(p, " END");
}

static nq_status print_cast(printer *p, const nq_expr *expr) {
    char length[24];
    NQ_TRY(put_text(p, "CAST("));
    NQ_TRY(print(p, expr->args[0], false));
    NQ_TRY(put_text(p, " AS "));
    NQ_TRY(put_text(p, nq_type_name(expr->type.id)));
    if (expr->type.length_max > 0) {
        (void)snprintf(length, sizeof length, "(%u)", expr->type.length_max);
        NQ_TRY(put_text(p, length));
    }
    return put_text(p, ")");
}

static nq_status print_test(printer *p, const nq_expr *expr, const char *test) {
    NQ_TRY(print(p, expr->args[0], true));
    NQ_TRY(put_text(p, expr->is_negated ? " IS NOT " : " IS "));
    return put_text(p, test);
}

static nq_status print_bare(printer *p, const nq_expr *expr) {
    char number[16];
    switch (expr->kind) {
    case NQ_EXPR_CONSTANT:
        return print_constant(p, expr);
    case NQ_EXPR_PARAMETER:
        (void)snprintf(number, sizeof number, "$%u", expr->index + 1);
        return put_text(p, number);
    case NQ_EXPR_COLUMN:
        return put(p, p->column_name(p->user, expr->index));
    case NQ_EXPR_CALL:
        return print_call(p, expr);
    case NQ_EXPR_CAST:
        return print_cast(p, expr);
    case NQ_EXPR_AND:
        return print_list(p, expr, 0, " AND ", true);
    case NQ_EXPR_OR:
        return print_list(p, expr, 0, " OR ", true);
    case NQ_EXPR_NOT:
        NQ_TRY(put_text(p, "NOT "));
        return print(p, expr->args[0], true);
    case NQ_EXPR_IS_NULL:
        return print_test(p, expr, "NULL");
    case NQ_EXPR_IS_TRUE:
        return print_test(p, expr, "TRUE");
    case NQ_EXPR_IS_FALSE:
        return print_test(p, expr, "FALSE");
    case NQ_EXPR_IN_LIST:
        NQ_TRY(print(p, expr->args[0], true));
        NQ_TRY(put_text(p, expr->is_negated ? " NOT IN (" : " IN ("));
        NQ_TRY(print_list(p, expr, 1, ", ", false));
        return put_text(p, ")");
    case NQ_EXPR_CASE:
        return print_case(p, expr);
    case NQ_EXPR_COALESCE:
        break;
    }
    NQ_TRY(put_text(p, "coalesce("));
    NQ_TRY(print_list(p, expr, 0, ", ", false));
    return put_text(p, ")");
}

static bool needs_parens(const nq_expr *expr) {
    switch (expr->kind) {
    case NQ_EXPR_CALL:
        return expr->function->kind == NQ_FUNCTION_OPERATOR;
    case NQ_EXPR_AND:
    case NQ_EXPR_OR:
    case NQ_EXPR_NOT:
    case NQ_EXPR_IS_NULL:
    case NQ_EXPR_IS_TRUE:
    case NQ_EXPR_IS_FALSE:
    case NQ_EXPR_IN_LIST:
        return true;
    default:
        return false;
    }
}

static nq_status print(printer *p, const nq_expr *expr, bool is_inner) {
    bool has_parens = is_inner && needs_parens(expr);
    if (has_parens) {
        NQ_TRY(put_text(p, "("));
    }
    NQ_TRY(print_bare(p, expr));
    return has_parens ? put_text(p, ")") : NQ_OK;
}

nq_status nq_expr_print(nq_ctx *ctx, nq_arena *arena, const nq_expr *expr,
                        nq_bytes (*column_name)(void *user, uint32_t index), void *user,
                        nq_bytes *out_text) {
    printer p = {.ctx = ctx, .arena = arena, .column_name = column_name, .user = user};
    *out_text = nq_bytes_of(NULL, 0);
    NQ_TRY(print(&p, expr, false));
    *out_text = nq_bytes_of(p.data, p.size);
    return NQ_OK;
}
