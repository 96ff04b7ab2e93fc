/* Print: one writer per kind of node, parentheses by precedence. */
#include "engine/query/sql/print.h"

#include <stdio.h>

#include "engine/data/value/text.h"
#include "engine/query/sql/print_internal.h"
#include "engine/query/sql/sql_internal.h"

/* ---- The text ---- */

void nq__print_bytes(nq__printer *out, nq_bytes bytes) {
    if (out->size + bytes.size > out->capacity) {
        size_t capacity = 2 * out->capacity + bytes.size + 64;
        uint8_t *grown = out->is_full ? NULL : nq_arena_alloc(out->arena, capacity);
        if (grown == NULL) {
            out->is_full = true;
            return;
        }
        if (out->size > 0) {
            memcpy(grown, out->text, out->size);
        }
        out->text = grown;
        out->capacity = capacity;
    }
    if (bytes.size > 0) {
        memcpy(out->text + out->size, bytes.data, bytes.size);
        out->size += bytes.size;
    }
}

void nq__print(nq__printer *out, const char *text) {
    nq__print_bytes(out, nq_bytes_of_cstr(text));
}

static void print_quoted(nq__printer *out, nq_bytes text, char quote) {
    nq_bytes mark = nq_bytes_of(&quote, 1);
    nq__print_bytes(out, mark);
    size_t start = 0;
    for (size_t i = 0; i < text.size; ++i) {
        if (text.data[i] == (uint8_t)quote) {
            nq__print_bytes(out, nq_bytes_of(text.data + start, i + 1 - start));
            start = i; /* the quote again */
        }
    }
    nq__print_bytes(out, nq_bytes_of(text.data + start, text.size - start));
    nq__print_bytes(out, mark);
}

static bool is_plain_name(nq_bytes name) {
    for (size_t i = 0; i < name.size; ++i) {
        uint8_t byte = name.data[i];
        bool is_letter = (byte >= 'a' && byte <= 'z') || byte == '_' || byte >= 0x80;
        bool is_digit = (byte >= '0' && byte <= '9') || byte == '$';
        if (!is_letter && !(is_digit && i > 0)) {
            return false;
        }
    }
    return true;
}

/* VALUES and IF are names in most places but not in all. */
static bool needs_quotes(nq_bytes name) {
    nq__keyword_class class = nq__keyword_get_class(nq__keyword_find(name));
    return !is_plain_name(name) || class == NQ__KEYWORD_RESERVED ||
           class == NQ__KEYWORD_FOREIGN_RESERVED ||
           nq_bytes_equal(name, NQ_BYTES_LITERAL("values")) ||
           nq_bytes_equal(name, NQ_BYTES_LITERAL("if"));
}

void nq__print_name(nq__printer *out, nq_bytes name) {
    if (needs_quotes(name)) {
        print_quoted(out, name, '"');
    } else {
        nq__print_bytes(out, name);
    }
}

/* Words with a grammar of their own after "(" are plain functions only in quotes. */
static void print_function_name(nq__printer *out, nq_bytes name) {
    bool is_known = nq_bytes_equal(name, NQ_BYTES_LITERAL("left")) ||
                    nq_bytes_equal(name, NQ_BYTES_LITERAL("right")) ||
                    nq_bytes_equal(name, NQ_BYTES_LITERAL("substring"));
    if (is_known || (is_plain_name(name) && nq__keyword_find(name) == 0)) {
        nq__print_bytes(out, name);
    } else {
        print_quoted(out, name, '"');
    }
}

void nq__print_names(nq__printer *out, const nq_ast_names *names) {
    for (const nq_ast_name_node *node = names->first; node != NULL; node = node->next) {
        nq__print(out, node == names->first ? "" : ", ");
        nq__print_name(out, node->name.text);
    }
}

void nq__print_type(nq__printer *out, const nq_ast_type *type) {
    if (type->is_serial) {
        nq__print(out, type->type.id == NQ_TYPE_INT16   ? "smallserial"
                       : type->type.id == NQ_TYPE_INT32 ? "serial"
                                                        : "bigserial");
        return;
    }
    if (type->type.length_max == 0) {
        nq__print(out, nq_type_name(type->type.id));
        return;
    }
    char text[40];
    snprintf(text, sizeof(text), "%s(%u)", type->type.is_padded ? "char" : "varchar",
             type->type.length_max);
    nq__print(out, text);
}

/* ---- Leaves ---- */

/* The shortest text that reads back to the same double, always with a point or an exponent. */
static void print_number(nq__printer *out, double number) {
    char text[NQ_TEXT_BYTES_MAX];
    nq_bytes printed = nq_bytes_of(text, nq_float64_print(number, text));
    nq__print_bytes(out, printed);
    if (memchr(text, '.', printed.size) == NULL && memchr(text, 'e', printed.size) == NULL) {
        nq__print(out, ".0");
    }
}

static void print_hex(nq__printer *out, nq_bytes bytes) {
    nq__print(out, "X'");
    for (size_t i = 0; i < bytes.size; ++i) {
        char text[4];
        snprintf(text, sizeof(text), "%02x", bytes.data[i]);
        nq__print(out, text);
    }
    nq__print(out, "'");
}

static void print_parameter(nq__printer *out, uint32_t index) {
    char text[16];
    if (out->parameters != NULL && out->parameters[index].position == 0) {
        nq__print(out, ":"); /* never quoted: any word may follow the colon */
        nq__print_bytes(out, out->parameters[index].name);
        return;
    }
    snprintf(text, sizeof(text), "$%u", index + 1);
    nq__print(out, text);
}

/* ---- Operators ---- */

/* The levels of grammar.y's precedence table. */
enum {
    LEVEL_OR = 1,
    LEVEL_AND,
    LEVEL_NOT,
    LEVEL_IS,
    LEVEL_COMPARE,
    LEVEL_RANGE, /* BETWEEN, IN, LIKE */
    LEVEL_OTHER,
    LEVEL_ADD,
    LEVEL_MULTIPLY,
    LEVEL_POWER,
    LEVEL_SIGN,
    LEVEL_PRIMARY,
};

typedef struct operator_info {
    const char *text;
    int level;
} operator_info;

static const operator_info operators[NQ_AST_OP_COUNT] = {
    [NQ_AST_OP_NONE] = {"", LEVEL_PRIMARY},
    [NQ_AST_OP_PLUS] = {"+", LEVEL_ADD},
    [NQ_AST_OP_MINUS] = {"-", LEVEL_ADD},
    [NQ_AST_OP_MULTIPLY] = {"*", LEVEL_MULTIPLY},
    [NQ_AST_OP_DIVIDE] = {"/", LEVEL_MULTIPLY},
    [NQ_AST_OP_MODULO] = {"%", LEVEL_MULTIPLY},
    [NQ_AST_OP_POWER] = {"^", LEVEL_POWER},
    [NQ_AST_OP_CONCAT] = {"||", LEVEL_OTHER},
    [NQ_AST_OP_EQUAL] = {"=", LEVEL_COMPARE},
    [NQ_AST_OP_NOT_EQUAL] = {"<>", LEVEL_COMPARE},
    [NQ_AST_OP_LESS] = {"<", LEVEL_COMPARE},
    [NQ_AST_OP_LESS_EQUAL] = {"<=", LEVEL_COMPARE},
    [NQ_AST_OP_GREATER] = {">", LEVEL_COMPARE},
    [NQ_AST_OP_GREATER_EQUAL] = {">=", LEVEL_COMPARE},
    [NQ_AST_OP_DISTINCT] = {"IS DISTINCT FROM", LEVEL_IS},
    [NQ_AST_OP_NOT_DISTINCT] = {"IS NOT DISTINCT FROM", LEVEL_IS},
    [NQ_AST_OP_BIT_AND] = {"&", LEVEL_OTHER},
    [NQ_AST_OP_BIT_OR] = {"|", LEVEL_OTHER},
    [NQ_AST_OP_BIT_XOR] = {"#", LEVEL_OTHER},
    [NQ_AST_OP_BIT_NOT] = {"~", LEVEL_OTHER},
    [NQ_AST_OP_SHIFT_LEFT] = {"<<", LEVEL_OTHER},
    [NQ_AST_OP_SHIFT_RIGHT] = {">>", LEVEL_OTHER},
};

const char *nq_ast_operator_text(nq_ast_operator op) {
    return operators[op].text;
}

static int level_of(const nq_ast_expr *expr) {
    switch ((nq_ast_expr_kind)expr->kind) {
    case NQ_AST_OR:
        return LEVEL_OR;
    case NQ_AST_AND:
        return LEVEL_AND;
    case NQ_AST_NOT:
        return LEVEL_NOT;
    case NQ_AST_IS:
        return LEVEL_IS;
    case NQ_AST_BETWEEN:
    case NQ_AST_IN_LIST:
    case NQ_AST_IN_QUERY:
    case NQ_AST_LIKE:
        return LEVEL_RANGE;
    case NQ_AST_BINARY:
        return operators[expr->op].level;
    case NQ_AST_UNARY:
        return expr->op == NQ_AST_OP_BIT_NOT ? LEVEL_OTHER : LEVEL_SIGN;
    case NQ_AST_INTEGER:
        return expr->integer < 0 ? LEVEL_SIGN : LEVEL_PRIMARY;
    case NQ_AST_NUMBER:
        return expr->number < 0 ? LEVEL_SIGN : LEVEL_PRIMARY;
    default:
        return LEVEL_PRIMARY;
    }
}

/* In parentheses when it binds less tightly than `level_min`. */
static void print_operand(nq__printer *out, const nq_ast_expr *expr, int level_min) {
    bool has_parens = level_of(expr) < level_min;
    nq__print(out, has_parens ? "(" : "");
    nq__print_expr(out, expr);
    nq__print(out, has_parens ? ")" : "");
}

static void print_chain(nq__printer *out, const nq_ast_expr *expr) {
    for (const nq_ast_expr *each = expr->operands.first; each != NULL; each = each->next) {
        if (each != expr->operands.first) {
            nq__print(out, expr->kind == NQ_AST_AND ? " AND " : " OR ");
        }
        print_operand(out, each, level_of(expr) + 1);
    }
}

/* A number under a sign keeps parentheses: without them the sign would be part of it. */
static void print_unary(nq__printer *out, const nq_ast_expr *expr) {
    bool is_number = expr->left->kind == NQ_AST_INTEGER || expr->left->kind == NQ_AST_NUMBER;
    nq__print(out, operators[expr->op].text);
    print_operand(out, expr->left, is_number ? LEVEL_PRIMARY + 1 : LEVEL_PRIMARY);
}

/* Arithmetic groups to the left; comparisons do not group at all. */
static void print_binary(nq__printer *out, const nq_ast_expr *expr) {
    int level = operators[expr->op].level;
    bool is_grouping = level > LEVEL_COMPARE;
    print_operand(out, expr->left, is_grouping ? level : level + 1);
    nq__print(out, " ");
    nq__print(out, operators[expr->op].text);
    nq__print(out, " ");
    print_operand(out, expr->right, level + 1);
}

static void print_is(nq__printer *out, const nq_ast_expr *expr) {
    static const char *const tests[] = {
        [NQ_AST_IS_NULL] = "NULL",
        [NQ_AST_IS_TRUE] = "TRUE",
        [NQ_AST_IS_FALSE] = "FALSE",
        [NQ_AST_IS_UNKNOWN] = "UNKNOWN",
    };
    print_operand(out, expr->left, LEVEL_IS + 1);
    nq__print(out, expr->is_negated ? " IS NOT " : " IS ");
    nq__print(out, tests[expr->op]);
}

static void print_range(nq__printer *out, const nq_ast_expr *expr) {
    print_operand(out, expr->left, LEVEL_RANGE + 1);
    nq__print(out, expr->is_negated ? " NOT " : " ");
    switch ((nq_ast_expr_kind)expr->kind) {
    case NQ_AST_BETWEEN:
        nq__print(out, "BETWEEN ");
        print_operand(out, expr->right, LEVEL_RANGE + 1);
        nq__print(out, " AND ");
        print_operand(out, expr->third, LEVEL_RANGE + 1);
        return;
    case NQ_AST_IN_LIST:
        nq__print(out, "IN (");
        nq__print_exprs(out, &expr->operands);
        nq__print(out, ")");
        return;
    case NQ_AST_IN_QUERY:
        nq__print(out, "IN (");
        nq__print_query(out, expr->query);
        nq__print(out, ")");
        return;
    default:
        nq__print(out, expr->is_case_insensitive ? "ILIKE " : "LIKE ");
        print_operand(out, expr->right, LEVEL_RANGE + 1);
        if (expr->third != NULL) {
            nq__print(out, " ESCAPE ");
            print_operand(out, expr->third, LEVEL_RANGE + 1);
        }
        return;
    }
}

static void print_case(nq__printer *out, const nq_ast_expr *expr) {
    nq__print(out, "CASE");
    if (expr->left != NULL) {
        nq__print(out, " ");
        nq__print_expr(out, expr->left);
    }
    for (const nq_ast_expr *when = expr->operands.first; when != NULL; when = when->next->next) {
        nq__print(out, " WHEN ");
        nq__print_expr(out, when);
        nq__print(out, " THEN ");
        nq__print_expr(out, when->next);
    }
    if (expr->right != NULL) {
        nq__print(out, " ELSE ");
        nq__print_expr(out, expr->right);
    }
    nq__print(out, " END");
}

static void print_function(nq__printer *out, const nq_ast_expr *expr) {
    const nq_ast_call *call = expr->call;
    if (call->has_no_parens) {
        nq__print_bytes(out, call->name.text);
        return;
    }
    bool is_extract = nq_bytes_equal(call->name.text, NQ_BYTES_LITERAL("extract")) &&
                      expr->operands.count == 2 && expr->operands.first->kind == NQ_AST_STRING;
    if (is_extract) {
        nq__print(out, "EXTRACT(");
        nq__print_expr(out, expr->operands.first);
        nq__print(out, " FROM ");
        nq__print_expr(out, expr->operands.last);
    } else {
        print_function_name(out, call->name.text);
        nq__print(out, call->is_star ? "(*" : call->is_distinct ? "(DISTINCT " : "(");
        nq__print_exprs(out, &expr->operands);
    }
    nq__print(out, ")");
    if (call->filter != NULL) {
        nq__print(out, " FILTER (WHERE ");
        nq__print_expr(out, call->filter);
        nq__print(out, ")");
    }
}

static void print_leaf(nq__printer *out, const nq_ast_expr *expr) {
    char text[32];
    switch ((nq_ast_expr_kind)expr->kind) {
    case NQ_AST_NULL:
        nq__print(out, "NULL");
        return;
    case NQ_AST_DEFAULT:
        nq__print(out, "DEFAULT");
        return;
    case NQ_AST_BOOLEAN:
        nq__print(out, expr->boolean ? "TRUE" : "FALSE");
        return;
    case NQ_AST_INTEGER:
        snprintf(text, sizeof(text), "%lld", (long long)expr->integer);
        nq__print(out, text);
        return;
    case NQ_AST_NUMBER:
        print_number(out, expr->number);
        return;
    case NQ_AST_STRING:
        print_quoted(out, expr->text, '\'');
        return;
    case NQ_AST_BYTES:
        print_hex(out, expr->text);
        return;
    case NQ_AST_PARAMETER:
        print_parameter(out, expr->parameter_index);
        return;
    default: /* NQ_AST_COLUMN, NQ_AST_STAR */
        if (expr->table.size > 0) {
            nq__print_name(out, expr->table);
            nq__print(out, ".");
        }
        if (expr->kind == NQ_AST_STAR) {
            nq__print(out, "*");
        } else {
            nq__print_name(out, expr->name);
        }
        return;
    }
}

void nq__print_exprs(nq__printer *out, const nq_ast_exprs *exprs) {
    for (const nq_ast_expr *each = exprs->first; each != NULL; each = each->next) {
        nq__print(out, each == exprs->first ? "" : ", ");
        nq__print_expr(out, each);
    }
}

void nq__print_expr(nq__printer *out, const nq_ast_expr *expr) {
    switch ((nq_ast_expr_kind)expr->kind) {
    case NQ_AST_UNARY:
        print_unary(out, expr);
        return;
    case NQ_AST_BINARY:
        print_binary(out, expr);
        return;
    case NQ_AST_AND:
    case NQ_AST_OR:
        print_chain(out, expr);
        return;
    case NQ_AST_NOT:
        nq__print(out, "NOT ");
        print_operand(out, expr->left, LEVEL_NOT);
        return;
    case NQ_AST_IS:
        print_is(out, expr);
        return;
    case NQ_AST_BETWEEN:
    case NQ_AST_IN_LIST:
    case NQ_AST_IN_QUERY:
    case NQ_AST_LIKE:
        print_range(out, expr);
        return;
    case NQ_AST_EXISTS:
    case NQ_AST_SUBQUERY:
        nq__print(out, expr->kind == NQ_AST_EXISTS ? "EXISTS (" : "(");
        nq__print_query(out, expr->query);
        nq__print(out, ")");
        return;
    case NQ_AST_CASE:
        print_case(out, expr);
        return;
    case NQ_AST_CAST:
        nq__print(out, "CAST(");
        nq__print_expr(out, expr->left);
        nq__print(out, " AS ");
        nq__print_type(out, expr->type);
        nq__print(out, ")");
        return;
    case NQ_AST_FUNCTION:
        print_function(out, expr);
        return;
    default:
        print_leaf(out, expr);
        return;
    }
}

/* ---- The front ---- */

static nq_status finish(nq_ctx *ctx, const nq__printer *out, nq_bytes *out_text) {
    if (out->is_full) {
        return nq_fail_no_memory(ctx, "the statement's text");
    }
    *out_text = nq_bytes_of(out->text, out->size);
    return NQ_OK;
}

nq_status nq_ast_print(nq_ctx *ctx, nq_arena *arena, const nq_ast_statement *statement,
                       nq_bytes *out_text) {
    *out_text = (nq_bytes){0};
    nq__printer out = {.arena = arena, .parameters = statement->parameters};
    nq__print_statement(&out, statement);
    return finish(ctx, &out, out_text);
}

nq_status nq_ast_print_expr(nq_ctx *ctx, nq_arena *arena, const nq_ast_expr *expr,
                            nq_bytes *out_text) {
    *out_text = (nq_bytes){0};
    nq__printer out = {.arena = arena};
    nq__print_expr(&out, expr);
    return finish(ctx, &out, out_text);
}
