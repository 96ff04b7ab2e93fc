/* Parse: drives the tokenizer and Lemon's automaton, and keeps what both need.
 *
 * The text is copied and found to be UTF-8 first, so that everything behind may trust it. */
#include "engine/query/sql/parse.h"

#include "engine/query/sql/grammar.h"
#include "engine/query/sql/sql_internal.h"

/* ---- State ---- */

void *nq__parser_alloc(nq_parser *p, size_t bytes) {
    if (p->status != NQ_OK) {
        return NULL;
    }
    void *memory = nq_arena_calloc(p->arena, 1, bytes);
    if (memory == NULL) {
        p->status = nq_fail_no_memory(p->ctx, "the statement's tree");
    }
    return memory;
}

nq_bytes nq__parser_text(const nq_parser *p, nq_sql_token token) {
    return nq_bytes_of(p->sql.data + token.offset, token.size);
}

void nq__parser_accept_statement(nq_parser *p, nq_ast_statement *statement) {
    p->statement = statement;
}

void nq__parser_accept_expr(nq_parser *p, nq_ast_expr *expr) {
    p->expr = expr;
}

/* ---- Parameters ---- */

struct nq__named_parameter {
    nq__named_parameter *next_in_bucket, *next;
    nq_bytes name;
    uint32_t index;
    uint32_t offset;
};

static uint32_t hash_name(nq_bytes name) {
    uint32_t hash = 2166136261u; /* FNV-1a: a handful of short names */
    for (size_t i = 0; i < name.size; ++i) {
        hash = (hash ^ name.data[i]) * 16777619u;
    }
    return hash;
}

static uint32_t add_named(nq_parser *p, nq_bytes name, uint32_t offset) {
    if (p->named == NULL) {
        p->named = nq__parser_alloc(p, NQ__PARAMETER_BUCKET_COUNT * sizeof(nq__named_parameter *));
        if (p->named == NULL) {
            return 0;
        }
    }
    nq__named_parameter **bucket = &p->named[hash_name(name) % NQ__PARAMETER_BUCKET_COUNT];
    for (nq__named_parameter *each = *bucket; each != NULL; each = each->next_in_bucket) {
        if (nq_bytes_equal(each->name, name)) {
            return each->index;
        }
    }
    nq__named_parameter *added = nq__parser_alloc(p, sizeof(*added));
    if (added == NULL) {
        return 0;
    }
    *added = (nq__named_parameter){*bucket, NULL, name, p->named_count++, offset};
    *bucket = added;
    if (p->named_last == NULL) {
        p->named_first = added;
    } else {
        p->named_last->next = added;
    }
    p->named_last = added;
    return added->index;
}

static uint32_t add_positional(nq_parser *p, nq_bytes digits, uint32_t offset) {
    uint32_t position = 0;
    for (size_t i = 0; i < digits.size && position <= NQ_SQL_PARAMETER_COUNT_MAX; ++i) {
        position = position * 10 + (uint32_t)(digits.data[i] - '0');
    }
    if (position == 0 || position > NQ_SQL_PARAMETER_COUNT_MAX) {
        nq__parser_fail(p, offset, position == 0 ? NQ_SQL_SYNTAX : NQ_LIMIT_EXCEEDED,
                        "parameters are numbered from $1 to $%d", NQ_SQL_PARAMETER_COUNT_MAX);
        return 0;
    }
    if (position > p->position_capacity) {
        uint32_t capacity = position < 16 ? 16 : position * 2;
        uint32_t *offsets = nq__parser_alloc(p, capacity * sizeof(*offsets));
        if (offsets == NULL) {
            return 0;
        }
        memset(offsets, 0xff, capacity * sizeof(*offsets));
        if (p->position_max > 0) {
            memcpy(offsets, p->position_offsets, p->position_max * sizeof(*offsets));
        }
        p->position_offsets = offsets;
        p->position_capacity = capacity;
    }
    if (p->position_offsets[position - 1] == UINT32_MAX) {
        p->position_offsets[position - 1] = offset;
    }
    if (position > p->position_max) {
        p->position_max = position;
    }
    return position - 1;
}

nq_ast_expr *nq__ast_parameter(nq_parser *p, nq_sql_token token) {
    nq_ast_expr *expr = nq__ast_leaf(p, NQ_AST_PARAMETER, token);
    if (expr == NULL) {
        return NULL;
    }
    bool is_named = p->sql.data[token.offset] == ':';
    nq_sql_token bare = {token.offset + 1, token.size - 1};
    if (p->is_expression) {
        nq__parser_fail(p, token.offset, NQ_SQL_SYNTAX, "a parameter cannot be used here");
    } else if (is_named) {
        expr->parameter_index = add_named(p, nq__parser_identifier(p, bare), token.offset);
    } else {
        expr->parameter_index = add_positional(p, nq__parser_text(p, bare), token.offset);
    }
    if (p->named_count > 0 && p->position_max > 0) {
        nq__parser_fail(p, token.offset, NQ_SQL_SYNTAX,
                        "a statement has either $1 or :name parameters, not both");
    }
    if (p->named_count > NQ_SQL_PARAMETER_COUNT_MAX) {
        nq__parser_fail(p, token.offset, NQ_LIMIT_EXCEEDED, "a statement has at most %d parameters",
                        NQ_SQL_PARAMETER_COUNT_MAX);
    }
    return expr;
}

static void list_parameters(nq_parser *p) {
    uint32_t count = p->position_max + p->named_count;
    if (p->status != NQ_OK || count == 0) {
        return;
    }
    nq_ast_parameter *parameters = nq__parser_alloc(p, count * sizeof(*parameters));
    if (parameters == NULL) {
        return;
    }
    for (uint32_t i = 0; i < p->position_max; ++i) {
        parameters[i] = (nq_ast_parameter){.position = i + 1, .offset = p->position_offsets[i]};
    }
    for (nq__named_parameter *each = p->named_first; each != NULL; each = each->next) {
        parameters[each->index] = (nq_ast_parameter){.name = each->name, .offset = each->offset};
    }
    p->statement->parameters = parameters;
    p->statement->parameter_count = count;
}

/* ---- The run ---- */

/* NOT before these is an operator of comparison's rank, not the prefix. */
static bool is_negatable(int code) {
    return code == NQ_TOKEN_BETWEEN || code == NQ_TOKEN_IN || code == NQ_TOKEN_LIKE ||
           code == NQ_TOKEN_ILIKE;
}

static nq_status run(nq_parser *p, int start_code) {
    _Alignas(16) uint8_t grammar[NQ__GRAMMAR_BYTES];
    nq__grammarInit(grammar, p);
    nq__grammar(grammar, start_code, nq__token_none());
    nq__tokenizer tokenizer = {p->sql, 0};
    int code = 0, next_code = 0;
    nq_sql_token token, next_token;
    NQ_TRY(nq__token_next(p->ctx, &tokenizer, &code, &token));
    if (code == 0) {
        return nq_fail_in_sql(p->ctx, p->sql, 0, NQ_SQL_SYNTAX, "the statement is empty");
    }
    while (code != 0 && p->status == NQ_OK) {
        NQ_TRY(nq__token_next(p->ctx, &tokenizer, &next_code, &next_token));
        if (code == NQ_TOKEN_NOT && is_negatable(next_code)) {
            code = NQ_TOKEN_NOT_INFIX;
        }
        nq__grammar(grammar, code, token);
        code = next_code;
        token = next_token;
    }
    if (p->status == NQ_OK) {
        nq__grammar(grammar, 0, (nq_sql_token){(uint32_t)p->sql.size, 0});
    }
    if (p->status == NQ_OK && p->wide_literal_count > 0) {
        nq__parser_fail(p, p->wide_literal_offset, NQ_NUMBER_OUT_OF_RANGE,
                        "the integer does not fit bigint; with a decimal point it is a double");
    }
    return p->status;
}

static nq_status parser_init(nq_parser *p, nq_ctx *ctx, nq_arena *arena, nq_bytes sql) {
    *p = (nq_parser){.ctx = ctx, .arena = arena, .status = NQ_OK};
    if (sql.size > NQ_SQL_BYTES_MAX) {
        return nq_fail(ctx, NQ_LIMIT_EXCEEDED, "the statement has %zu bytes; at most %d can be",
                       sql.size, NQ_SQL_BYTES_MAX);
    }
    NQ_TRY(nq__sql_check_utf8(ctx, sql));
    p->sql = nq_arena_copy(arena, sql);
    if (p->sql.data == NULL) {
        return nq_fail_no_memory(ctx, "the statement's text");
    }
    return NQ_OK;
}

nq_status nq_parse(nq_ctx *ctx, nq_arena *arena, nq_bytes sql, nq_ast_statement **out_statement) {
    *out_statement = NULL;
    nq_parser parser;
    NQ_TRY(parser_init(&parser, ctx, arena, sql));
    NQ_TRY(run(&parser, NQ_TOKEN_START_STATEMENT));
    list_parameters(&parser);
    NQ_TRY(parser.status);
    parser.statement->sql = parser.sql;
    *out_statement = parser.statement;
    return NQ_OK;
}

nq_status nq_parse_expression(nq_ctx *ctx, nq_arena *arena, nq_bytes sql, nq_ast_expr **out_expr) {
    *out_expr = NULL;
    nq_parser parser;
    NQ_TRY(parser_init(&parser, ctx, arena, sql));
    parser.is_expression = true;
    NQ_TRY(run(&parser, NQ_TOKEN_START_EXPRESSION));
    *out_expr = parser.expr;
    return NQ_OK;
}
