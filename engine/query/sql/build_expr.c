/* Build expressions: the tree's nodes out of what the grammar has recognised. */
#include <math.h>

#include "engine/data/value/text.h"
#include "engine/query/sql/sql_internal.h"

static uint32_t height_of(const nq_ast_expr *expr) {
    return expr == NULL ? 0 : expr->height;
}

static void raise_height(nq_parser *p, nq_ast_expr *expr, uint32_t child_height) {
    if (child_height + 1 > NQ_SQL_DEPTH_MAX) {
        nq__parser_fail(p, expr->offset, NQ_STATEMENT_TOO_COMPLEX,
                        "the expression is nested more than %d deep", NQ_SQL_DEPTH_MAX);
        return;
    }
    if (child_height + 1 > expr->height) {
        expr->height = (uint16_t)(child_height + 1);
    }
}

static nq_ast_expr *new_expr(nq_parser *p, nq_ast_expr_kind kind, uint32_t offset) {
    nq_ast_expr *expr = nq__parser_alloc(p, sizeof(*expr));
    if (expr != NULL) {
        expr->kind = (uint8_t)kind;
        expr->offset = offset;
        expr->height = 1;
    }
    return expr;
}

static nq_ast_expr *new_parent(nq_parser *p, nq_ast_expr_kind kind, uint32_t offset,
                               nq_ast_expr *left, nq_ast_expr *right) {
    nq_ast_expr *expr = new_expr(p, kind, offset);
    if (expr != NULL) {
        expr->left = left;
        expr->right = right;
        raise_height(p, expr, height_of(left));
        raise_height(p, expr, height_of(right));
    }
    return expr;
}

static void set_operands(nq_parser *p, nq_ast_expr *expr, const nq_ast_exprs *operands) {
    if (expr == NULL || operands == NULL) {
        return;
    }
    expr->operands = *operands;
    for (const nq_ast_expr *each = operands->first; each != NULL; each = each->next) {
        raise_height(p, expr, each->height);
    }
}

/* ---- Leaves ---- */

nq_ast_expr *nq__ast_leaf(nq_parser *p, nq_ast_expr_kind kind, nq_sql_token at) {
    return new_expr(p, kind, at.offset);
}

nq_ast_expr *nq__ast_boolean(nq_parser *p, nq_sql_token token, bool value) {
    nq_ast_expr *expr = new_expr(p, NQ_AST_BOOLEAN, token.offset);
    if (expr != NULL) {
        expr->boolean = value;
    }
    return expr;
}

static bool parse_magnitude(nq_bytes text, uint64_t *out_magnitude) {
    bool is_hex = text.size > 2 && (text.data[1] | 0x20) == 'x';
    uint64_t base = is_hex ? 16 : 10, magnitude = 0;
    for (size_t i = is_hex ? 2 : 0; i < text.size; ++i) {
        uint8_t byte = text.data[i];
        uint64_t digit = byte <= '9' ? byte - (uint64_t)'0' : (byte | 0x20u) - (uint64_t)'a' + 10;
        if (__builtin_mul_overflow(magnitude, base, &magnitude) ||
            __builtin_add_overflow(magnitude, digit, &magnitude)) {
            return false;
        }
    }
    *out_magnitude = magnitude;
    return magnitude <= (uint64_t)INT64_MAX + 1;
}

/* 2^63 fits only as the operand of a minus: it is stored as INT64_MIN and counted until one comes.
 */
nq_ast_expr *nq__ast_integer(nq_parser *p, nq_sql_token token) {
    nq_ast_expr *expr = new_expr(p, NQ_AST_INTEGER, token.offset);
    if (expr == NULL) {
        return NULL;
    }
    uint64_t magnitude;
    if (!parse_magnitude(nq__parser_text(p, token), &magnitude)) {
        nq__parser_fail(p, token.offset, NQ_NUMBER_OUT_OF_RANGE,
                        "the integer does not fit bigint; with a decimal point it is a double");
        return NULL;
    }
    expr->integer = (int64_t)magnitude;
    if (expr->integer < 0) {
        ++p->wide_literal_count;
        p->wide_literal_offset = token.offset;
    }
    return expr;
}

nq_ast_expr *nq__ast_one(nq_parser *p, nq_sql_token at) {
    nq_ast_expr *expr = new_expr(p, NQ_AST_INTEGER, at.offset);
    if (expr != NULL) {
        expr->integer = 1;
    }
    return expr;
}

nq_ast_expr *nq__ast_number(nq_parser *p, nq_sql_token token) {
    nq_ast_expr *expr = new_expr(p, NQ_AST_NUMBER, token.offset);
    if (expr == NULL) {
        return NULL;
    }
    bool is_range = false;
    if (!nq_float64_parse(nq__parser_text(p, token), &expr->number, &is_range)) {
        nq__parser_fail(p, token.offset, NQ_NUMBER_OUT_OF_RANGE,
                        "the number does not fit double precision");
        return NULL;
    }
    return expr;
}

nq_ast_expr *nq__ast_string(nq_parser *p, nq_sql_token token) {
    nq_ast_expr *expr = new_expr(p, NQ_AST_STRING, token.offset);
    if (expr != NULL) {
        expr->text = nq__parser_string(p, token);
    }
    return expr;
}

nq_ast_expr *nq__ast_bytes(nq_parser *p, nq_sql_token token) {
    nq_ast_expr *expr = new_expr(p, NQ_AST_BYTES, token.offset);
    if (expr != NULL) {
        expr->text = nq__parser_hex(p, token);
    }
    return expr;
}

nq_ast_expr *nq__ast_column(nq_parser *p, nq_sql_token name, const nq_sql_token *table) {
    nq_ast_expr *expr = new_expr(p, NQ_AST_COLUMN, table == NULL ? name.offset : table->offset);
    if (expr != NULL) {
        expr->name = nq__parser_identifier(p, name);
        expr->table = table == NULL ? (nq_bytes){0} : nq__parser_identifier(p, *table);
    }
    return expr;
}

nq_ast_expr *nq__ast_star(nq_parser *p, nq_sql_token token, bool is_table) {
    nq_ast_expr *expr = new_expr(p, NQ_AST_STAR, token.offset);
    if (expr != NULL && is_table) {
        expr->table = nq__parser_identifier(p, token);
    }
    return expr;
}

/* ---- Operators ---- */

nq_ast_expr *nq__ast_parens(nq_parser *p, nq_sql_token at, nq_ast_expr *inner) {
    (void)at;
    if (p->status == NQ_OK && inner != NULL) {
        inner->has_parens = true;
    }
    return inner;
}

/* a AND b AND c is one node; (a AND b) AND c too, for AND and OR are associative. */
nq_ast_expr *nq__ast_chain(nq_parser *p, nq_ast_expr_kind kind, nq_sql_token at, nq_ast_expr *left,
                           nq_ast_expr *right) {
    if (p->status != NQ_OK) {
        return NULL;
    }
    nq_ast_expr *chain = left;
    if (left->kind != (uint8_t)kind || left->has_parens) {
        chain = new_expr(p, kind, at.offset);
        if (chain == NULL) {
            return NULL;
        }
        chain->operands = (nq_ast_exprs){left, left, 1};
        raise_height(p, chain, left->height);
    }
    chain->operands.last->next = right;
    chain->operands.last = right;
    ++chain->operands.count;
    raise_height(p, chain, right->height);
    return chain;
}

nq_ast_expr *nq__ast_not(nq_parser *p, nq_sql_token at, nq_ast_expr *operand) {
    return new_parent(p, NQ_AST_NOT, at.offset, operand, NULL);
}

nq_ast_expr *nq__ast_is(nq_parser *p, nq_sql_token at, uint32_t test, nq_ast_expr *operand) {
    nq_ast_expr *expr = new_parent(p, NQ_AST_IS, at.offset, operand, NULL);
    if (expr != NULL) {
        expr->op = (uint8_t)(test >> 1);
        expr->is_negated = (test & 1) != 0;
    }
    return expr;
}

/* A minus before a bare number is part of the number. */
static bool fold_minus(nq_parser *p, nq_sql_token at, nq_ast_expr *operand) {
    if (operand->has_parens) {
        return false;
    }
    if (operand->kind == NQ_AST_INTEGER && operand->integer == INT64_MIN) {
        --p->wide_literal_count; /* its magnitude was awaiting this sign */
    } else if (operand->kind == NQ_AST_INTEGER && operand->integer > 0) {
        operand->integer = -operand->integer;
    } else if (operand->kind == NQ_AST_NUMBER && !signbit(operand->number)) {
        operand->number = -operand->number;
    } else {
        return false;
    }
    operand->offset = at.offset;
    operand->has_parens = true; /* a second minus is an operator */
    return true;
}

nq_ast_expr *nq__ast_unary(nq_parser *p, nq_ast_operator op, nq_sql_token at,
                           nq_ast_expr *operand) {
    if (p->status != NQ_OK) {
        return NULL;
    }
    if (op == NQ_AST_OP_MINUS && fold_minus(p, at, operand)) {
        return operand;
    }
    nq_ast_expr *expr = new_parent(p, NQ_AST_UNARY, at.offset, operand, NULL);
    if (expr != NULL) {
        expr->op = (uint8_t)op;
    }
    return expr;
}

static bool is_comparison(nq_ast_operator op) {
    return op >= NQ_AST_OP_EQUAL && op <= NQ_AST_OP_GREATER_EQUAL;
}

/* 1 < x < 10 would compare a boolean with 10: hardly ever what is meant. */
static void refuse_chain(nq_parser *p, nq_ast_operator op, nq_sql_token at,
                         const nq_ast_expr *left) {
    if (p->status == NQ_OK && is_comparison(op) && left->kind == NQ_AST_BINARY &&
        !left->has_parens && is_comparison((nq_ast_operator)left->op)) {
        nq__parser_fail(p, at.offset, NQ_SQL_SYNTAX, "comparisons do not chain");
        nq_error_set_hint(&p->ctx->error, "Join two comparisons by AND, or use parentheses.");
    }
}

nq_ast_expr *nq__ast_binary(nq_parser *p, nq_ast_operator op, nq_sql_token at, nq_ast_expr *left,
                            nq_ast_expr *right) {
    refuse_chain(p, op, at, left);
    nq_ast_expr *expr = new_parent(p, NQ_AST_BINARY, at.offset, left, right);
    if (expr != NULL) {
        expr->op = (uint8_t)op;
    }
    return expr;
}

nq_ast_expr *nq__ast_between(nq_parser *p, nq_sql_token at, bool is_negated, nq_ast_expr *value,
                             nq_ast_expr *low, nq_ast_expr *high) {
    nq_ast_expr *expr = new_parent(p, NQ_AST_BETWEEN, at.offset, value, low);
    if (expr != NULL) {
        expr->third = high;
        expr->is_negated = is_negated;
        raise_height(p, expr, height_of(high));
    }
    return expr;
}

nq_ast_expr *nq__ast_in_list(nq_parser *p, nq_sql_token at, bool is_negated, nq_ast_expr *value,
                             const nq_ast_exprs *list) {
    nq_ast_expr *expr = new_parent(p, NQ_AST_IN_LIST, at.offset, value, NULL);
    if (expr != NULL) {
        expr->is_negated = is_negated;
        set_operands(p, expr, list);
    }
    return expr;
}

nq_ast_expr *nq__ast_like(nq_parser *p, nq_sql_like like, nq_ast_expr *value, nq_ast_expr *pattern,
                          nq_ast_expr *escape) {
    nq_ast_expr *expr = new_parent(p, NQ_AST_LIKE, like.offset, value, pattern);
    if (expr != NULL) {
        expr->is_negated = like.is_negated;
        expr->is_case_insensitive = like.is_case_insensitive;
        expr->third = escape;
        raise_height(p, expr, height_of(escape));
    }
    return expr;
}

nq_ast_expr *nq__ast_cast(nq_parser *p, nq_sql_token at, nq_ast_expr *operand, nq_ast_type *type) {
    nq_ast_expr *expr = new_parent(p, NQ_AST_CAST, at.offset, operand, NULL);
    if (expr != NULL) {
        expr->type = type;
        if (type != NULL && type->is_serial) {
            nq__parser_fail(p, type->offset, NQ_UNKNOWN_TYPE,
                            "a serial type can only be that of a column");
        }
    }
    return expr;
}

nq_ast_expr *nq__ast_typed_literal(nq_parser *p, nq_ast_type *type, nq_sql_token text) {
    nq_ast_expr *literal = nq__ast_string(p, text);
    if (type == NULL) {
        return NULL;
    }
    return nq__ast_cast(p, (nq_sql_token){type->offset, 0}, literal, type);
}

nq_ast_expr *nq__ast_case(nq_parser *p, nq_sql_token at, nq_ast_expr *subject,
                          const nq_ast_exprs *whens, nq_ast_expr *otherwise) {
    nq_ast_expr *expr = new_parent(p, NQ_AST_CASE, at.offset, subject, otherwise);
    set_operands(p, expr, whens);
    return expr;
}

/* ---- Subqueries ---- */

static nq_ast_expr *new_query_expr(nq_parser *p, nq_ast_expr_kind kind, uint32_t offset,
                                   nq_ast_expr *left, nq_ast_query *query) {
    nq_ast_expr *expr = new_parent(p, kind, offset, left, NULL);
    if (expr != NULL) {
        expr->query = query;
        raise_height(p, expr, query == NULL ? 0 : query->height);
    }
    return expr;
}

nq_ast_expr *nq__ast_subquery(nq_parser *p, nq_ast_query *query) {
    return p->status != NQ_OK ? NULL
                              : new_query_expr(p, NQ_AST_SUBQUERY, query->offset, NULL, query);
}

nq_ast_expr *nq__ast_exists(nq_parser *p, nq_sql_token at, nq_ast_query *query) {
    return new_query_expr(p, NQ_AST_EXISTS, at.offset, NULL, query);
}

nq_ast_expr *nq__ast_in_query(nq_parser *p, nq_sql_token at, bool is_negated, nq_ast_expr *value,
                              nq_ast_query *query) {
    nq_ast_expr *expr = new_query_expr(p, NQ_AST_IN_QUERY, at.offset, value, query);
    if (expr != NULL) {
        expr->is_negated = is_negated;
    }
    return expr;
}

/* ---- Lists ---- */

nq_ast_exprs *nq__ast_exprs_append(nq_parser *p, nq_ast_exprs *list, nq_ast_expr *expr) {
    if (list == NULL) {
        list = nq__parser_alloc(p, sizeof(*list));
    }
    if (p->status != NQ_OK || list == NULL) {
        return NULL;
    }
    if (list->first == NULL) {
        list->first = expr;
    } else {
        list->last->next = expr;
    }
    list->last = expr;
    ++list->count;
    return list;
}

nq_ast_exprs *nq__ast_pair(nq_parser *p, nq_ast_expr *first, nq_ast_expr *second) {
    return nq__ast_exprs_append(p, nq__ast_exprs_append(p, NULL, first), second);
}

/* ---- Calls ---- */

static nq_ast_expr *new_call(nq_parser *p, nq_sql_token name, const nq_ast_exprs *arguments) {
    nq_ast_expr *expr = new_expr(p, NQ_AST_FUNCTION, name.offset);
    nq_ast_call *call = nq__parser_alloc(p, sizeof(*call));
    if (expr == NULL || call == NULL) {
        return NULL;
    }
    call->name = (nq_ast_name){nq__parser_identifier(p, name), name.offset};
    expr->call = call;
    set_operands(p, expr, arguments);
    return expr;
}

nq_ast_expr *nq__ast_call(nq_parser *p, nq_sql_token name, const nq_ast_exprs *arguments,
                          bool is_distinct) {
    nq_ast_expr *expr = new_call(p, name, arguments);
    if (expr != NULL) {
        expr->call->is_distinct = is_distinct;
    }
    return expr;
}

nq_ast_expr *nq__ast_call_star(nq_parser *p, nq_sql_token name) {
    nq_ast_expr *expr = new_call(p, name, NULL);
    if (expr != NULL) {
        expr->call->is_star = true;
    }
    return expr;
}

nq_ast_expr *nq__ast_call_bare(nq_parser *p, nq_sql_token name) {
    nq_ast_expr *expr = new_call(p, name, NULL);
    if (expr != NULL) {
        expr->call->has_no_parens = true;
    }
    return expr;
}

nq_ast_expr *nq__ast_call_filter(nq_parser *p, nq_ast_expr *call, nq_ast_expr *filter) {
    if (p->status == NQ_OK && filter != NULL) {
        call->call->filter = filter;
        raise_height(p, call, filter->height);
    }
    return call;
}

nq_ast_expr *nq__ast_call3(nq_parser *p, nq_sql_token name, nq_ast_expr *first, nq_ast_expr *second,
                           nq_ast_expr *third) {
    nq_ast_exprs *arguments = nq__ast_pair(p, first, second);
    if (third != NULL) {
        arguments = nq__ast_exprs_append(p, arguments, third);
    }
    return new_call(p, name, arguments);
}

nq_ast_expr *nq__ast_extract(nq_parser *p, nq_sql_token name, nq_sql_token field,
                             nq_ast_expr *source) {
    nq_ast_expr *which = new_expr(p, NQ_AST_STRING, field.offset);
    if (which == NULL) {
        return NULL;
    }
    bool is_string = p->sql.data[field.offset] == '\'';
    which->text = is_string ? nq__parser_string(p, field) : nq__parser_identifier(p, field);
    return new_call(p, name, nq__ast_pair(p, which, source));
}

/* TRIM(LEADING 'x' FROM s) is ltrim(s, 'x'), as in PostgreSQL; BOTH is btrim. */
nq_ast_expr *nq__ast_trim(nq_parser *p, nq_sql_token name, nq_sql_token side,
                          const nq_ast_exprs *arguments) {
    nq_ast_expr *expr = new_call(p, name, arguments);
    if (expr != NULL) {
        uint8_t letter = p->sql.data[side.offset] | 0x20;
        const char *plain = side.offset == name.offset ? "btrim"
                            : letter == 'l'            ? "ltrim"
                            : letter == 't'            ? "rtrim"
                                                       : "btrim";
        expr->call->name.text = nq_bytes_of_cstr(plain);
    }
    return expr;
}
