/* What the files of this room share: tokens, the parser's state, and one builder per construct.
 *
 * Builders never fail by return: the first failure is kept in the parser, and from then on every
 * builder answers NULL and changes nothing. */
#ifndef NQ_QUERY_SQL_SQL_INTERNAL_H
#define NQ_QUERY_SQL_SQL_INTERNAL_H

#include "engine/query/sql/parse.h"

/* A token is a span of the text; its code travels beside it. */
typedef struct nq_sql_token {
    uint32_t offset;
    uint32_t size;
} nq_sql_token;

typedef struct nq__tokenizer {
    nq_bytes sql;
    uint32_t at; /* where the next token is looked for */
} nq__tokenizer;

/* The next token's code (grammar.h), 0 at the end; fails with a position. */
nq_status nq__token_next(nq_ctx *ctx, nq__tokenizer *tokenizer, int *out_code,
                         nq_sql_token *out_token);

/* The code of a word, any case, or 0: not a keyword. */
int nq__keyword_find(nq_bytes word);

typedef enum nq__keyword_class {
    NQ__KEYWORD_NONE,
    NQ__KEYWORD_RESERVED,
    NQ__KEYWORD_FREE,
    NQ__KEYWORD_FOREIGN,
    NQ__KEYWORD_FOREIGN_RESERVED,
} nq__keyword_class;

nq__keyword_class nq__keyword_get_class(int code);

/* How an error message names a token: "SELECT", "','", "a name"; static storage. */
const char *nq__token_describe(int code);

/* Fails with the place of the first byte that is not part of a UTF-8 character other than U+0000.
 */
nq_status nq__sql_check_utf8(nq_ctx *ctx, nq_bytes sql);

/* ---- The parser ---- */

typedef struct nq__named_parameter nq__named_parameter;
enum { NQ__PARAMETER_BUCKET_COUNT = 256 };

typedef struct nq_parser {
    nq_ctx *ctx;
    nq_arena *arena;
    nq_bytes sql;
    nq_status status;
    bool is_expression;          /* nq_parse_expression: parameters are refused */
    uint32_t wide_literal_count; /* 9223372036854775808 not yet preceded by its minus */
    uint32_t wide_literal_offset;
    uint32_t position_max;      /* the highest $n */
    uint32_t *position_offsets; /* of its first use, by position - 1 */
    uint32_t position_capacity;
    nq__named_parameter **named; /* hash table, NULL until the first :name */
    nq__named_parameter *named_first, *named_last;
    uint32_t named_count;
    nq_ast_statement *statement; /* the result */
    nq_ast_expr *expr;           /* or that of nq_parse_expression */
} nq_parser;

/* Keeps the failure, with its place, unless there is one already. */
#define nq__parser_fail(p, at, code, ...)                                                \
    do {                                                                                 \
        if ((p)->status == NQ_OK) {                                                      \
            (p)->status = nq_fail_in_sql((p)->ctx, (p)->sql, (at), (code), __VA_ARGS__); \
        }                                                                                \
    } while (0)

/* Zeroed; NULL once the parser has failed. */
void *nq__parser_alloc(nq_parser *p, size_t bytes);
/* The token's text, borrowed from the statement's. */
nq_bytes nq__parser_text(const nq_parser *p, nq_sql_token token);

void nq__parser_refuse(nq_parser *p, nq_sql_token at, const char *what);
void nq__parser_unexpected(nq_parser *p, int code, nq_sql_token token, const void *grammar);
void nq__parser_too_deep(nq_parser *p);
void nq__parser_accept_statement(nq_parser *p, nq_ast_statement *statement);
void nq__parser_accept_expr(nq_parser *p, nq_ast_expr *expr);

/* ---- Lemon's automaton, and what its template lacks (the end of grammar.y) ---- */

enum { NQ__GRAMMAR_BYTES = 72 << 10 };
void nq__grammarInit(void *grammar, nq_parser *p);
void nq__grammar(void *grammar, int code, nq_sql_token token);
/* Codes are below this. */
enum { NQ__TOKEN_COUNT = 212 };
/* Whether the parser could take a token of this code now; words are not tried as names. */
bool nq__grammar_accepts(const void *grammar, int code);

/* ---- Values out of tokens (literal.c) ---- */

/* Folded unless quoted; size 0 after a failure. */
nq_bytes nq__parser_identifier(nq_parser *p, nq_sql_token token);
nq_bytes nq__parser_string(nq_parser *p, nq_sql_token token);
nq_bytes nq__parser_hex(nq_parser *p, nq_sql_token token);

/* ---- Builders (build_*.c) ---- */

static inline nq_sql_token nq__token_none(void) {
    return (nq_sql_token){0, 0};
}
static inline nq_sql_token nq__token_span(nq_sql_token first, nq_sql_token last) {
    return (nq_sql_token){first.offset, last.offset + last.size - first.offset};
}

/* IS and LIKE as one machine word each, for the parser's stack. */
#define NQ__IS(test, negated) ((uint32_t)(test) << 1 | (uint32_t)(negated))
typedef struct nq_sql_like {
    uint32_t offset;
    bool is_negated;
    bool is_case_insensitive;
} nq_sql_like;
static inline nq_sql_like nq__like(nq_sql_token at, bool is_negated, bool is_case_insensitive) {
    return (nq_sql_like){at.offset, is_negated, is_case_insensitive};
}

nq_ast_name *nq__ast_name(nq_parser *p, nq_sql_token token);
nq_ast_names *nq__ast_names_append(nq_parser *p, nq_ast_names *names, const nq_ast_name *name);
/* A type's words run from `first` to `last`. */
nq_ast_type *nq__ast_type(nq_parser *p, nq_sql_token first, nq_sql_token last,
                          const nq_ast_exprs *arguments);
nq_ast_type *nq__ast_time_type(nq_parser *p, nq_sql_token word, const nq_ast_exprs *arguments,
                               nq_sql_token zone);

nq_ast_expr *nq__ast_leaf(nq_parser *p, nq_ast_expr_kind kind, nq_sql_token at);
nq_ast_expr *nq__ast_boolean(nq_parser *p, nq_sql_token token, bool value);
nq_ast_expr *nq__ast_integer(nq_parser *p, nq_sql_token token);
nq_ast_expr *nq__ast_one(nq_parser *p, nq_sql_token at);
nq_ast_expr *nq__ast_number(nq_parser *p, nq_sql_token token);
nq_ast_expr *nq__ast_string(nq_parser *p, nq_sql_token token);
nq_ast_expr *nq__ast_bytes(nq_parser *p, nq_sql_token token);
nq_ast_expr *nq__ast_parameter(nq_parser *p, nq_sql_token token);
nq_ast_expr *nq__ast_column(nq_parser *p, nq_sql_token name, const nq_sql_token *table);
nq_ast_expr *nq__ast_star(nq_parser *p, nq_sql_token token, bool is_table);
nq_ast_expr *nq__ast_parens(nq_parser *p, nq_sql_token at, nq_ast_expr *inner);
nq_ast_expr *nq__ast_subquery(nq_parser *p, nq_ast_query *query);
nq_ast_expr *nq__ast_exists(nq_parser *p, nq_sql_token at, nq_ast_query *query);
nq_ast_expr *nq__ast_chain(nq_parser *p, nq_ast_expr_kind kind, nq_sql_token at, nq_ast_expr *left,
                           nq_ast_expr *right);
nq_ast_expr *nq__ast_not(nq_parser *p, nq_sql_token at, nq_ast_expr *operand);
nq_ast_expr *nq__ast_is(nq_parser *p, nq_sql_token at, uint32_t test, nq_ast_expr *operand);
nq_ast_expr *nq__ast_unary(nq_parser *p, nq_ast_operator op, nq_sql_token at, nq_ast_expr *operand);
nq_ast_expr *nq__ast_binary(nq_parser *p, nq_ast_operator op, nq_sql_token at, nq_ast_expr *left,
                            nq_ast_expr *right);
nq_ast_expr *nq__ast_between(nq_parser *p, nq_sql_token at, bool is_negated, nq_ast_expr *value,
                             nq_ast_expr *low, nq_ast_expr *high);
nq_ast_expr *nq__ast_in_list(nq_parser *p, nq_sql_token at, bool is_negated, nq_ast_expr *value,
                             const nq_ast_exprs *list);
nq_ast_expr *nq__ast_in_query(nq_parser *p, nq_sql_token at, bool is_negated, nq_ast_expr *value,
                              nq_ast_query *query);
nq_ast_expr *nq__ast_like(nq_parser *p, nq_sql_like like, nq_ast_expr *value, nq_ast_expr *pattern,
                          nq_ast_expr *escape);
nq_ast_expr *nq__ast_cast(nq_parser *p, nq_sql_token at, nq_ast_expr *operand, nq_ast_type *type);
nq_ast_expr *nq__ast_typed_literal(nq_parser *p, nq_ast_type *type, nq_sql_token text);
nq_ast_expr *nq__ast_case(nq_parser *p, nq_sql_token at, nq_ast_expr *subject,
                          const nq_ast_exprs *whens, nq_ast_expr *otherwise);
nq_ast_exprs *nq__ast_exprs_append(nq_parser *p, nq_ast_exprs *list, nq_ast_expr *expr);
nq_ast_exprs *nq__ast_pair(nq_parser *p, nq_ast_expr *first, nq_ast_expr *second);

nq_ast_expr *nq__ast_call(nq_parser *p, nq_sql_token name, const nq_ast_exprs *arguments,
                          bool is_distinct);
nq_ast_expr *nq__ast_call_star(nq_parser *p, nq_sql_token name);
nq_ast_expr *nq__ast_call_bare(nq_parser *p, nq_sql_token name);
nq_ast_expr *nq__ast_call_filter(nq_parser *p, nq_ast_expr *call, nq_ast_expr *filter);
/* `third` may be NULL. */
nq_ast_expr *nq__ast_call3(nq_parser *p, nq_sql_token name, nq_ast_expr *first, nq_ast_expr *second,
                           nq_ast_expr *third);
nq_ast_expr *nq__ast_extract(nq_parser *p, nq_sql_token name, nq_sql_token field,
                             nq_ast_expr *source);
/* `side`: BOTH, LEADING, TRAILING or TRIM itself. */
nq_ast_expr *nq__ast_trim(nq_parser *p, nq_sql_token name, nq_sql_token side,
                          const nq_ast_exprs *arguments);

typedef struct nq_sql_select {
    bool is_distinct;
    const nq_ast_items *items;
    const nq_ast_froms *from;
    nq_ast_expr *where;
    const nq_ast_exprs *group_by;
    nq_ast_expr *having;
} nq_sql_select;

typedef struct nq_sql_limits {
    nq_ast_expr *limit, *offset;
} nq_sql_limits;

typedef struct nq_sql_alias {
    nq_ast_name name;
    nq_ast_names columns;
} nq_sql_alias;

nq_ast_query *nq__ast_select(nq_parser *p, nq_sql_token at, const nq_sql_select *parts);
nq_ast_query *nq__ast_values(nq_parser *p, nq_sql_token at, const nq_ast_rows *rows);
nq_ast_query *nq__ast_set_operation(nq_parser *p, nq_ast_query_kind kind, nq_sql_token at,
                                    bool is_all, nq_ast_query *left, nq_ast_query *right);
nq_ast_query *nq__ast_query_tail(nq_parser *p, nq_ast_query *query, const nq_ast_withs *with,
                                 const nq_ast_orders *order_by, const nq_sql_limits *limits);
nq_ast_withs *nq__ast_withs_append(nq_parser *p, nq_ast_withs *list, const nq_ast_name *name,
                                   const nq_ast_names *columns, nq_ast_query *query);
nq_ast_item *nq__ast_item(nq_parser *p, nq_ast_expr *expr, const nq_ast_name *alias);
nq_ast_items *nq__ast_items_append(nq_parser *p, nq_ast_items *list, nq_ast_item *item);
nq_ast_order *nq__ast_order(nq_parser *p, nq_ast_expr *expr, bool is_descending,
                            nq_ast_nulls nulls);
nq_ast_orders *nq__ast_orders_append(nq_parser *p, nq_ast_orders *list, nq_ast_order *order);
nq_ast_rows *nq__ast_rows_append(nq_parser *p, nq_ast_rows *list, nq_sql_token at,
                                 const nq_ast_exprs *values);
nq_sql_limits *nq__limits(nq_parser *p, nq_ast_expr *limit, nq_ast_expr *offset);
nq_sql_alias *nq__alias(nq_parser *p, const nq_ast_name *name, const nq_ast_names *columns);
nq_ast_from *nq__ast_from_table(nq_parser *p, const nq_ast_name *table, const nq_sql_alias *alias);
nq_ast_from *nq__ast_from_query(nq_parser *p, nq_ast_query *query, const nq_sql_alias *alias);
nq_ast_from *nq__ast_from_function(nq_parser *p, nq_sql_token name, const nq_ast_exprs *arguments,
                                   const nq_sql_alias *alias);
nq_ast_froms *nq__ast_froms_append(nq_parser *p, nq_ast_froms *list, nq_ast_from *from);
nq_ast_from *nq__ast_join(nq_parser *p, nq_sql_token at, nq_ast_join_kind kind, nq_ast_from *left,
                          nq_ast_from *right, nq_ast_expr *on, const nq_ast_names *using);
nq_ast_from *nq__ast_natural_join(nq_parser *p, nq_sql_token at, nq_ast_join_kind kind,
                                  nq_ast_from *left, nq_ast_from *right);

typedef struct nq_sql_target {
    nq_ast_name table, alias;
} nq_sql_target;

nq_ast_statement *nq__ast_statement(nq_parser *p, nq_ast_statement_kind kind, nq_sql_token at);
nq_ast_statement *nq__ast_explain(nq_parser *p, nq_sql_token at, bool is_analyze,
                                  nq_ast_statement *statement);
nq_ast_statement *nq__ast_query_statement(nq_parser *p, nq_ast_query *query);
nq_ast_insert *nq__ast_insert_target(nq_parser *p, const nq_ast_name *table,
                                     const nq_ast_name *alias);
nq_ast_insert *nq__ast_insert_source(nq_parser *p, const nq_ast_names *columns,
                                     nq_ast_query *source);
nq_ast_insert *nq__ast_conflict(nq_parser *p, nq_sql_token at, nq_ast_conflict_kind kind,
                                const nq_ast_names *target, const nq_ast_sets *sets,
                                nq_ast_expr *where);
nq_ast_statement *nq__ast_insert(nq_parser *p, nq_sql_token at, const nq_ast_insert *target,
                                 const nq_ast_insert *source, const nq_ast_insert *conflict,
                                 const nq_ast_items *returning);
nq_sql_target *nq__target(nq_parser *p, const nq_ast_name *table, const nq_ast_name *alias);
nq_ast_set *nq__ast_set(nq_parser *p, const nq_ast_name *column, nq_ast_expr *value);
nq_ast_sets *nq__ast_sets_append(nq_parser *p, nq_ast_sets *list, nq_ast_set *set);
nq_ast_statement *nq__ast_update(nq_parser *p, nq_sql_token at, const nq_sql_target *target,
                                 const nq_ast_sets *sets, nq_ast_expr *where,
                                 const nq_ast_items *returning);
nq_ast_statement *nq__ast_delete(nq_parser *p, nq_sql_token at, const nq_sql_target *target,
                                 nq_ast_expr *where, const nq_ast_items *returning);
nq_ast_statement *nq__ast_truncate(nq_parser *p, nq_sql_token at, const nq_ast_names *tables,
                                   bool restart_identity);
nq_ast_statement *nq__ast_drop_table(nq_parser *p, nq_sql_token at, const nq_ast_names *tables,
                                     bool if_exists);

/* A column under construction, with the CHECKs written on it. */
typedef struct nq_sql_column {
    nq_ast_column column;
    nq_ast_checks checks;
    nq_ast_name primary_key_name;
} nq_sql_column;

nq_sql_column *nq__column(nq_parser *p, const nq_ast_name *name, nq_ast_type *type);
void nq__column_not_null(nq_parser *p, nq_sql_column *column, nq_sql_token at);
void nq__column_null(nq_parser *p, nq_sql_column *column, nq_sql_token at);
void nq__column_default(nq_parser *p, nq_sql_column *column, nq_sql_token at, nq_ast_expr *value);
void nq__column_primary_key(nq_parser *p, nq_sql_column *column, const nq_ast_name *name,
                            nq_sql_token at);
void nq__column_generated(nq_parser *p, nq_sql_column *column, nq_sql_token at, bool is_always);
void nq__column_check(nq_parser *p, nq_sql_column *column, const nq_ast_name *name, nq_sql_token at,
                      nq_ast_expr *condition);
nq_ast_create_table *nq__ast_table_column(nq_parser *p, nq_ast_create_table *table,
                                          nq_sql_column *column);
nq_ast_create_table *nq__ast_table_primary_key(nq_parser *p, nq_ast_create_table *table,
                                               const nq_ast_name *name, nq_sql_token at,
                                               const nq_ast_names *columns);
nq_ast_create_table *nq__ast_table_check(nq_parser *p, nq_ast_create_table *table,
                                         const nq_ast_name *name, nq_sql_token at,
                                         nq_ast_expr *condition);
nq_ast_statement *nq__ast_create_table(nq_parser *p, nq_sql_token at, const nq_ast_name *table,
                                       bool if_not_exists, const nq_ast_create_table *parts);

typedef struct nq_sql_modes {
    uint8_t isolation; /* nq_ast_isolation */
    bool has_isolation, has_access, is_read_only;
} nq_sql_modes;
static inline nq_sql_modes nq__mode_isolation(nq_ast_isolation isolation) {
    return (nq_sql_modes){.isolation = (uint8_t)isolation,
                          .has_isolation = isolation != NQ_AST_ISOLATION_DEFAULT};
}
static inline nq_sql_modes nq__mode_access(bool is_read_only) {
    return (nq_sql_modes){.has_access = true, .is_read_only = is_read_only};
}
nq_sql_modes nq__modes_join(nq_parser *p, nq_sql_token comma, nq_sql_modes left,
                            nq_sql_modes right);
nq_ast_statement *nq__ast_begin(nq_parser *p, nq_sql_token at, nq_sql_modes modes);
nq_ast_statement *nq__ast_savepoint(nq_parser *p, nq_ast_statement_kind kind, nq_sql_token at,
                                    const nq_ast_name *name);

#endif
