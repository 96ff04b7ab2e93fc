/* Bind expressions: a syntax tree to a typed one. */
#include "engine/query/plan/bind_internal.h"

static const nq_type boolean = {.id = NQ_TYPE_BOOL};

/* ---- Leaves ---- */

static nq_status bind_constant(nq__binder *b, const nq_ast_expr *ast, nq_value value,
                               const nq_expr **out_expr) {
    nq_expr *constant = nq_expr_constant(b->arena, value, NQ_TYPE(value.type));
    if (constant == NULL) {
        return nq__bind_no_memory(b);
    }
    constant->offset = ast->offset;
    *out_expr = constant;
    return NQ_OK;
}

/* An integer is int4 when it fits, else int8, as in PostgreSQL. */
static nq_value integer_value(int64_t integer) {
    bool is_small = integer >= INT32_MIN && integer <= INT32_MAX;
    return (nq_value){.type = is_small ? NQ_TYPE_INT32 : NQ_TYPE_INT64, .integer = integer};
}

static nq_status bind_parameter(nq__binder *b, const nq_ast_expr *ast, const nq_expr **out_expr) {
    nq_type type = b->parameter_types[ast->parameter_index];
    nq_expr *parameter = nq_expr_parameter(b->arena, ast->parameter_index, type);
    if (parameter == NULL) {
        return nq__bind_no_memory(b);
    }
    parameter->offset = ast->offset;
    *out_expr = parameter;
    return NQ_OK;
}

static nq_status bind_column(nq__binder *b, const nq__scope *scope, const nq_ast_expr *ast,
                             const nq_expr **out_expr) {
    const nq__name *name = NULL;
    NQ_TRY(nq__resolve(b, scope, ast, &name));
    if (name->expr->kind != NQ_EXPR_COLUMN) {
        *out_expr = name->expr;
        return NQ_OK;
    }
    nq_expr *column = nq_expr_column(b->arena, name->expr->index, name->expr->type);
    if (column == NULL) {
        return nq__bind_no_memory(b);
    }
    column->offset = ast->offset;
    *out_expr = column;
    return NQ_OK;
}

static nq_status bind_leaf(nq__binder *b, const nq__scope *scope, const nq_ast_expr *ast,
                           const nq_expr **out_expr) {
    switch ((nq_ast_expr_kind)ast->kind) {
    case NQ_AST_NULL:
        return bind_constant(b, ast, NQ_VALUE_NULL(NQ_TYPE_UNKNOWN), out_expr);
    case NQ_AST_BOOLEAN:
        return bind_constant(b, ast, NQ_VALUE_BOOL(ast->boolean), out_expr);
    case NQ_AST_INTEGER:
        return bind_constant(b, ast, integer_value(ast->integer), out_expr);
    case NQ_AST_NUMBER:
        return bind_constant(b, ast, NQ_VALUE_FLOAT64(ast->number), out_expr);
    case NQ_AST_STRING:
        return bind_constant(b, ast, (nq_value){.type = NQ_TYPE_UNKNOWN, .bytes = ast->text},
                             out_expr);
    case NQ_AST_BYTES:
        return bind_constant(b, ast, (nq_value){.type = NQ_TYPE_BYTES, .bytes = ast->text},
                             out_expr);
    case NQ_AST_PARAMETER:
        return bind_parameter(b, ast, out_expr);
    case NQ_AST_COLUMN:
        return bind_column(b, scope, ast, out_expr);
    case NQ_AST_STAR:
        return nq__bind_fail(b, ast->offset, NQ_SQL_SYNTAX,
                             "\"*\" stands for columns only in a SELECT list or RETURNING");
    default:
        return nq__bind_fail(b, ast->offset, NQ_SQL_SYNTAX, "DEFAULT is not allowed in this place");
    }
}

/* ---- Operators ---- */

static nq_status bind_two(nq__binder *b, const nq__scope *scope, const nq_ast_expr *left,
                          const nq_ast_expr *right, const nq_expr *out_args[2]) {
    NQ_TRY(nq__bind_expr(b, scope, left, &out_args[0]));
    return nq__bind_expr(b, scope, right, &out_args[1]);
}

static nq_bytes operator_name(nq_ast_operator op) {
    if (op == NQ_AST_OP_DISTINCT) {
        return NQ_BYTES_LITERAL("is distinct from");
    }
    if (op == NQ_AST_OP_NOT_DISTINCT) {
        return NQ_BYTES_LITERAL("is not distinct from");
    }
    return nq_bytes_of_cstr(nq_ast_operator_text(op));
}

static nq_status bind_binary(nq__binder *b, const nq__scope *scope, const nq_ast_expr *ast,
                             const nq_expr **out_expr) {
    const nq_expr *args[2];
    NQ_TRY(bind_two(b, scope, ast->left, ast->right, args));
    return nq__bind_call(b, ast->offset, operator_name((nq_ast_operator)ast->op), true, args, 2,
                         out_expr);
}

static nq_status bind_unary(nq__binder *b, const nq__scope *scope, const nq_ast_expr *ast,
                            const nq_expr **out_expr) {
    const nq_expr *arg;
    NQ_TRY(nq__bind_expr(b, scope, ast->left, &arg));
    return nq__bind_call(b, ast->offset, operator_name((nq_ast_operator)ast->op), true, &arg, 1,
                         out_expr);
}

nq_status nq__bind_condition(nq__binder *b, const nq__scope *scope, const nq_ast_expr *ast,
                             const nq_expr **out_expr) {
    const nq_expr *bound;
    NQ_TRY(nq__bind_expr(b, scope, ast, &bound));
    return nq__coerce(b, bound, boolean, NQ_CAST_IMPLICIT, "a condition", out_expr);
}

static nq_status bind_chain(nq__binder *b, const nq__scope *scope, const nq_ast_expr *ast,
                            const nq_expr **out_expr) {
    nq__exprs args = {0};
    for (const nq_ast_expr *each = ast->operands.first; each != NULL; each = each->next) {
        const nq_expr *arg;
        NQ_TRY(nq__bind_condition(b, scope, each, &arg));
        NQ_TRY(nq__exprs_append(b, &args, arg));
    }
    nq_expr_kind kind = ast->kind == NQ_AST_AND ? NQ_EXPR_AND : NQ_EXPR_OR;
    return nq__bind_form(b, ast->offset, kind, boolean, false, args.items, args.count, out_expr);
}

static nq_status bind_not(nq__binder *b, const nq__scope *scope, const nq_ast_expr *ast,
                          const nq_expr **out_expr) {
    const nq_expr *arg;
    NQ_TRY(nq__bind_condition(b, scope, ast->left, &arg));
    return nq__bind_form(b, ast->offset, NQ_EXPR_NOT, boolean, false, &arg, 1, out_expr);
}

static nq_status bind_is(nq__binder *b, const nq__scope *scope, const nq_ast_expr *ast,
                         const nq_expr **out_expr) {
    const nq_expr *arg;
    NQ_TRY(nq__bind_expr(b, scope, ast->left, &arg));
    nq_expr_kind kind = NQ_EXPR_IS_NULL;
    if (ast->op == NQ_AST_IS_NULL) {
        NQ_TRY(nq__coerce_unknown(b, arg, &arg));
    } else {
        NQ_TRY(nq__coerce(b, arg, boolean, NQ_CAST_IMPLICIT, "the operand of IS", &arg));
        kind = ast->op == NQ_AST_IS_TRUE    ? NQ_EXPR_IS_TRUE
               : ast->op == NQ_AST_IS_FALSE ? NQ_EXPR_IS_FALSE
                                            : NQ_EXPR_IS_NULL;
    }
    return nq__bind_form(b, ast->offset, kind, boolean, ast->is_negated, &arg, 1, out_expr);
}

/* a BETWEEN l AND h is a >= l AND a <= h; NOT BETWEEN is a < l OR a > h. */
static nq_status bind_between(nq__binder *b, const nq__scope *scope, const nq_ast_expr *ast,
                              const nq_expr **out_expr) {
    const nq_expr *value, *low, *high, *sides[2];
    NQ_TRY(nq__bind_expr(b, scope, ast->left, &value));
    NQ_TRY(nq__bind_expr(b, scope, ast->right, &low));
    NQ_TRY(nq__bind_expr(b, scope, ast->third, &high));
    nq_bytes low_op = ast->is_negated ? NQ_BYTES_LITERAL("<") : NQ_BYTES_LITERAL(">=");
    nq_bytes high_op = ast->is_negated ? NQ_BYTES_LITERAL(">") : NQ_BYTES_LITERAL("<=");
    const nq_expr *low_args[2] = {value, low}, *high_args[2] = {value, high};
    NQ_TRY(nq__bind_call(b, ast->offset, low_op, true, low_args, 2, &sides[0]));
    NQ_TRY(nq__bind_call(b, ast->offset, high_op, true, high_args, 2, &sides[1]));
    return nq__bind_form(b, ast->offset, ast->is_negated ? NQ_EXPR_OR : NQ_EXPR_AND, boolean, false,
                         sides, 2, out_expr);
}

static nq_status bind_in_list(nq__binder *b, const nq__scope *scope, const nq_ast_expr *ast,
                              const nq_expr **out_expr) {
    nq__exprs args = {0};
    const nq_expr *arg;
    NQ_TRY(nq__bind_expr(b, scope, ast->left, &arg));
    NQ_TRY(nq__exprs_append(b, &args, arg));
    for (const nq_ast_expr *each = ast->operands.first; each != NULL; each = each->next) {
        NQ_TRY(nq__bind_expr(b, scope, each, &arg));
        NQ_TRY(nq__exprs_append(b, &args, arg));
    }
    if (args.count == 2) { /* plain equality, which keys and joins understand */
        nq_bytes op = ast->is_negated ? NQ_BYTES_LITERAL("<>") : NQ_BYTES_LITERAL("=");
        return nq__bind_call(b, ast->offset, op, true, args.items, 2, out_expr);
    }
    nq_type type;
    NQ_TRY(nq__coerce_common(b, ast->offset, "IN", args.items, args.count, &type));
    return nq__bind_form(b, ast->offset, NQ_EXPR_IN_LIST, boolean, ast->is_negated, args.items,
                         args.count, out_expr);
}

static nq_status bind_like(nq__binder *b, const nq__scope *scope, const nq_ast_expr *ast,
                           const nq_expr **out_expr) {
    const nq_expr *args[3];
    NQ_TRY(bind_two(b, scope, ast->left, ast->right, args));
    if (ast->third != NULL) {
        NQ_TRY(nq__bind_expr(b, scope, ast->third, &args[2]));
    }
    nq_bytes name =
        ast->is_case_insensitive
            ? (ast->is_negated ? NQ_BYTES_LITERAL("not ilike") : NQ_BYTES_LITERAL("ilike"))
            : (ast->is_negated ? NQ_BYTES_LITERAL("not like") : NQ_BYTES_LITERAL("like"));
    return nq__bind_call(b, ast->offset, name, true, args, ast->third == NULL ? 2 : 3, out_expr);
}

/* CASE x WHEN v is CASE WHEN x = v. The results settle on one type. */
static nq_status bind_case(nq__binder *b, const nq__scope *scope, const nq_ast_expr *ast,
                           const nq_expr **out_expr) {
    const nq_expr *subject = NULL;
    if (ast->left != NULL) {
        NQ_TRY(nq__bind_expr(b, scope, ast->left, &subject));
    }
    nq__exprs whens = {0}, results = {0};
    for (const nq_ast_expr *when = ast->operands.first; when != NULL; when = when->next->next) {
        const nq_expr *condition, *result;
        if (subject == NULL) {
            NQ_TRY(nq__bind_condition(b, scope, when, &condition));
        } else {
            const nq_expr *pair[2] = {subject, NULL};
            NQ_TRY(nq__bind_expr(b, scope, when, &pair[1]));
            NQ_TRY(
                nq__bind_call(b, when->offset, NQ_BYTES_LITERAL("="), true, pair, 2, &condition));
        }
        NQ_TRY(nq__bind_expr(b, scope, when->next, &result));
        NQ_TRY(nq__exprs_append(b, &whens, condition));
        NQ_TRY(nq__exprs_append(b, &results, result));
    }
    if (ast->right != NULL) {
        const nq_expr *otherwise;
        NQ_TRY(nq__bind_expr(b, scope, ast->right, &otherwise));
        NQ_TRY(nq__exprs_append(b, &results, otherwise));
    }
    nq_type type;
    NQ_TRY(nq__coerce_common(b, ast->offset, "CASE", results.items, results.count, &type));
    nq__exprs args = {0};
    for (uint32_t i = 0; i < results.count; ++i) {
        if (i < whens.count) {
            NQ_TRY(nq__exprs_append(b, &args, whens.items[i]));
        }
        NQ_TRY(nq__exprs_append(b, &args, results.items[i]));
    }
    return nq__bind_form(b, ast->offset, NQ_EXPR_CASE, type, false, args.items, args.count,
                         out_expr);
}

static nq_status bind_cast(nq__binder *b, const nq__scope *scope, const nq_ast_expr *ast,
                           const nq_expr **out_expr) {
    const nq_expr *arg;
    NQ_TRY(nq__bind_expr(b, scope, ast->left, &arg));
    nq_type target = ast->type->type;
    if (arg->type.id != NQ_TYPE_UNKNOWN && arg->type.id != target.id &&
        nq_cast_level_of(arg->type.id, target.id) == NQ_CAST_NONE) {
        return nq__bind_fail(b, ast->offset, NQ_TYPE_MISMATCH, "type %s cannot be cast to %s",
                             nq_type_name(arg->type.id), nq_type_name(target.id));
    }
    return nq__coerce(b, arg, target, NQ_CAST_EXPLICIT, "the cast", out_expr);
}

nq_status nq__bind_expr(nq__binder *b, const nq__scope *scope, const nq_ast_expr *ast,
                        const nq_expr **out_expr) {
    *out_expr = NULL;
    switch ((nq_ast_expr_kind)ast->kind) {
    case NQ_AST_UNARY:
        return bind_unary(b, scope, ast, out_expr);
    case NQ_AST_BINARY:
        return bind_binary(b, scope, ast, out_expr);
    case NQ_AST_AND:
    case NQ_AST_OR:
        return bind_chain(b, scope, ast, out_expr);
    case NQ_AST_NOT:
        return bind_not(b, scope, ast, out_expr);
    case NQ_AST_IS:
        return bind_is(b, scope, ast, out_expr);
    case NQ_AST_BETWEEN:
        return bind_between(b, scope, ast, out_expr);
    case NQ_AST_IN_LIST:
        return bind_in_list(b, scope, ast, out_expr);
    case NQ_AST_LIKE:
        return bind_like(b, scope, ast, out_expr);
    case NQ_AST_CASE:
        return bind_case(b, scope, ast, out_expr);
    case NQ_AST_CAST:
        return bind_cast(b, scope, ast, out_expr);
    case NQ_AST_FUNCTION:
        return nq__bind_function(b, scope, ast, out_expr);
    case NQ_AST_IN_QUERY:
    case NQ_AST_EXISTS:
    case NQ_AST_SUBQUERY:
        return nq__bind_subquery(b, scope, ast, out_expr);
    default:
        return bind_leaf(b, scope, ast, out_expr);
    }
}
