/* What the binder's files share.
 *
 * A query block (one SELECT) is bound over one flat row: the columns of all its FROM leaves side by
 * side, numbered in the order written, whatever order the joins are run in later. Bound expressions
 * of the block speak of flat columns; aggregate calls stand in them as columns from
 * NQ__AGGREGATE_BASE on. When the joins are planned the flat numbers are mapped to positions in the
 * real rows. */
#ifndef NQ_QUERY_PLAN_BIND_INTERNAL_H
#define NQ_QUERY_PLAN_BIND_INTERNAL_H

#include "engine/query/plan/bind.h"
#include "engine/query/sql/parse.h"

enum {
    NQ__LEAF_COUNT_MAX = 64,      /* tables, derived tables and series of one FROM */
    NQ__AGGREGATE_BASE = 1 << 24, /* above any flat column */
    NQ__QUERY_COUNT_MAX = 10000,  /* SELECTs and VALUES of one statement, each use of a WITH anew */
    NQ__LIST_COUNT_MAX = 1600,    /* keys of a GROUP BY or ORDER BY, aggregates of a SELECT */
};

typedef struct nq__binder {
    nq_ctx *ctx;
    nq_arena *arena;
    nq_bytes sql;
    const nq_bind_options *options;
    const nq_ast_parameter *parameters;
    uint32_t parameter_count;
    nq_type *parameter_types; /* UNKNOWN until a place settles it */
    nq_plan_subquery *subqueries;
    uint32_t subquery_count, subquery_capacity;
    struct nq__with *with; /* innermost first */
    uint32_t in_depth;     /* IN (query) inside IN (query) */
    bool is_correlated;    /* a name was found only in an enclosing query */
    uint32_t query_count;  /* bound so far */
} nq__binder;

/* A common table expression in scope. */
typedef struct nq__with {
    struct nq__with *next;
    const nq_ast_with *ast;
    struct nq__with *visible; /* what its own query sees */
} nq__with;

#define nq__bind_fail(b, at, code, ...) \
    nq_fail_in_sql((b)->ctx, (b)->sql, (at), (code), __VA_ARGS__)
/* Gives a failure of another room its place. */
nq_status nq__bind_at(nq__binder *b, uint32_t offset, nq_status status);
void *nq__bind_alloc(nq__binder *b, size_t count, size_t element_bytes); /* zeroed; NULL: failed */
nq_status nq__bind_no_memory(nq__binder *b);
/* Room for one more element. */
nq_status nq__bind_grow(nq__binder *b, void *in_out_items, uint32_t count,
                        uint32_t *in_out_capacity, size_t element_bytes);

typedef struct nq__exprs {
    const nq_expr **items;
    uint32_t count, capacity;
} nq__exprs;
nq_status nq__exprs_append(nq__binder *b, nq__exprs *list, const nq_expr *expr);

/* ---- Names ---- */

typedef struct nq__name {
    nq_bytes table; /* its alias; empty: merged by USING */
    const nq_expr *expr;
    nq_column_info info; /* name, type, where from */
    bool is_hidden;      /* merged away: only with its table's name */
} nq__name;

typedef struct nq__names {
    nq__name *items;
    uint32_t count, capacity;
} nq__names;

typedef struct nq__aggregates {
    nq_plan_aggregate_call *calls;
    uint32_t *offsets;
    uint32_t count, capacity, offset_capacity;
} nq__aggregates;

/* What an expression may refer to. */
typedef struct nq__scope {
    const struct nq__scope *outer; /* of the enclosing query */
    const nq__names *names;
    nq__aggregates *aggregates; /* NULL: none allowed */
    struct nq__block *block;    /* where IN (query) may add a join; NULL: nowhere */
    bool is_joined;             /* a semi-joined subquery's: `outer` is of the same block */
    const char *place;          /* "WHERE": for messages */
} nq__scope;

/* Empty names, no aggregates. */
nq__scope nq__scope_none(const nq__scope *outer, const char *place);

nq_status nq__names_append(nq__binder *b, nq__names *names, nq__name name);
nq_status nq__resolve(nq__binder *b, const nq__scope *scope, const nq_ast_expr *column,
                      const nq__name **out_name);

/* ---- Expressions ---- */

nq_status nq__bind_expr(nq__binder *b, const nq__scope *scope, const nq_ast_expr *ast,
                        const nq_expr **out_expr);
/* Bound and made boolean. */
nq_status nq__bind_condition(nq__binder *b, const nq__scope *scope, const nq_ast_expr *ast,
                             const nq_expr **out_expr);
nq_status nq__bind_function(nq__binder *b, const nq__scope *scope, const nq_ast_expr *ast,
                            const nq_expr **out_expr);
/* x IN (query) as a value: three-valued, wherever it stands. */
nq_status nq__bind_in_query(nq__binder *b, const nq__scope *scope, const nq_ast_expr *ast,
                            const nq_expr **out_expr);
/* Its left side, and the plan of its query, both of them typed. */
nq_status nq__in_query_parts(nq__binder *b, const nq__scope *scope, const nq_ast_expr *ast,
                             const nq_expr **out_value, nq_plan_node **out_node);
/* Joins a query's rows to all that FROM has so far; answers their first column. */
nq_status nq__join_leaf(struct nq__block *block, nq_join_kind kind, nq_plan_node *node,
                        uint32_t offset, const nq_expr **out_column);
/* Whether an expression names no column: not even NOT IN needs a join then. */
bool nq__is_without_columns(const nq_ast_expr *ast);
/* A query run at most once per execution; its value stands as a parameter. */
nq_status nq__subquery_add(nq__binder *b, nq_subquery_kind kind, const nq_plan_node *root,
                           nq_type type, uint32_t offset, const nq_expr **out_expr);
nq_status nq__bind_subquery(nq__binder *b, const nq__scope *scope, const nq_ast_expr *ast,
                            const nq_expr **out_expr);
/* Operators and functions by name, arguments bound; casts and folds. */
nq_status nq__bind_call(nq__binder *b, uint32_t offset, nq_bytes name, bool is_operator,
                        const nq_expr *const *args, uint32_t arg_count, const nq_expr **out_expr);
nq_status nq__bind_form(nq__binder *b, uint32_t offset, nq_expr_kind kind, nq_type type,
                        bool is_negated, const nq_expr *const *args, uint32_t arg_count,
                        const nq_expr **out_expr);

/* The expression as `target`, if a cast of at least `level` exists; `what` says what it is for:
 * "column \"a\" is of type integer but the expression is of type text". */
nq_status nq__coerce(nq__binder *b, const nq_expr *expr, nq_type target, nq_cast_level level,
                     const char *what, const nq_expr **out_expr);
/* Untyped becomes text; everything else stays. */
nq_status nq__coerce_unknown(nq__binder *b, const nq_expr *expr, const nq_expr **out_expr);
/* All to their common type. */
nq_status nq__coerce_common(nq__binder *b, uint32_t offset, const char *where,
                            const nq_expr **in_out_exprs, uint32_t count, nq_type *out_type);

/* A call, cast or form of constants becomes its value, if it has one: what would raise an error is
 * left to run time, where it may never be reached. */
const nq_expr *nq__fold(nq__binder *b, nq_expr *expr);

/* The tree rebuilt, each node first offered to `replace`: what it answers stands for the node
 * (NULL: descend). A failure is reported through *user. NULL: out of memory, or `replace` asked to
 * stop. */
typedef struct nq__rewriter {
    nq__binder *b;
    bool (*replace)(struct nq__rewriter *rewriter, const nq_expr *expr, const nq_expr **out_expr);
    void *user;
    nq_status status;
} nq__rewriter;
const nq_expr *nq__rewrite(nq__rewriter *rewriter, const nq_expr *expr);

/* What a column without an alias is called. */
nq_bytes nq__derive_name(const nq_ast_expr *ast);

/* ---- FROM ---- */

typedef struct nq__leaf {
    const nq_table *table; /* NULL: `node` produces the rows */
    nq_plan_node *node;
    nq_bytes alias;
    uint32_t first_column, column_count; /* flat */
    bool has_row_key;                    /* a last flat column holds the row's identity */
    bool is_internal;                    /* made for an IN (query): no name leads to it */
    double rows;
} nq__leaf;

typedef enum nq__tree_kind { NQ__TREE_LEAF, NQ__TREE_INNER, NQ__TREE_OUTER } nq__tree_kind;

/* A join as written: INNER is two inputs in any order, OUTER keeps its sides (LEFT, FULL, SEMI,
 * ANTI). */
typedef struct nq__tree {
    nq__tree_kind kind;
    nq_join_kind join;
    uint64_t leaves; /* one bit each */
    uint32_t leaf;
    struct nq__tree *left, *right;
    nq__exprs conditions; /* ON, split at AND; SEMI and ANTI: equalities of IN */
} nq__tree;

/* One query block while it is bound. */
typedef struct nq__block {
    nq__binder *b;
    const nq__scope *outer;
    nq__leaf *leaves;
    uint32_t leaf_count, leaf_capacity;
    nq_column_info *flat; /* by flat column */
    uint32_t *leaf_of;    /* by flat column */
    uint32_t flat_count, flat_capacity, leaf_of_capacity;
    nq__tree *tree;  /* NULL: no FROM */
    nq__exprs where; /* split at AND */
    bool *is_used;   /* by flat column */
    uint32_t *map;   /* scratch, by flat column */
} nq__block;

/* Binds FROM: fills leaves and tree, answers the names it offers. */
nq_status nq__bind_from(nq__block *block, const nq_ast_froms *froms, nq__names *out_names);
/* One table alone, as UPDATE and DELETE have it: with its row key. */
nq_status nq__bind_target(nq__block *block, const nq_ast_name *table, const nq_ast_name *alias,
                          nq__names *out_names);
nq_status nq__find_table(nq__binder *b, const nq_ast_name *name, const nq_table **out_table);
nq_status nq__leaf_add(nq__block *block, nq__leaf leaf, const nq_column_info *columns,
                       uint32_t *out_leaf);
/* WHERE, split at AND; IN (query) and EXISTS become joins. */
nq_status nq__bind_where(nq__block *block, const nq__names *names, const nq_ast_expr *where);
nq_status nq__split_and(nq__binder *b, const nq_expr *condition, nq__exprs *conjuncts);

/* A piece of the join order: rows whose columns are these flat columns. */
typedef struct nq__planned {
    nq_plan_node *node;
    uint32_t *flat; /* by output column */
    uint64_t leaves;
    double rows;
    const nq__leaf *leaf; /* when it is one leaf of a table, untouched but for its filter */
    nq__exprs filter;     /* that filter, over flat columns */
} nq__planned;

/* Marks the flat columns of an expression as used. */
void nq__use_columns(nq__block *block, const nq_expr *expr);
uint64_t nq__leaves_of(const nq__block *block, const nq_expr *expr);
/* FROM and WHERE as a plan that yields at least the used columns. */
nq_status nq__plan_joins(nq__block *block, nq__planned *out_planned);
nq_status nq__plan_leaf(nq__block *block, const nq__leaf *leaf, const nq__exprs *conjuncts,
                        nq__planned *out_planned);
/* From flat columns to positions in `planned`'s rows; NULL: out of memory. */
const nq_expr *nq__to_positions(nq__block *block, const nq__planned *planned, const nq_expr *expr);

/* ---- Estimates (estimate.c) ---- */

double nq__selectivity(const nq_expr *conjunct);
double nq__selectivity_all(const nq__exprs *conjuncts);

/* ---- Nodes (node.c) ---- */

nq_plan_node *nq__node(nq__binder *b, nq_plan_kind kind, uint32_t column_count,
                       const nq_column_info *columns, double rows);
nq_plan_node *nq__node_over(nq__binder *b, nq_plan_kind kind, nq_plan_node *input,
                            uint32_t column_count, const nq_column_info *columns, double rows);
nq_plan_node *nq__node_filter(nq__binder *b, nq_plan_node *input, const nq_expr *condition);
nq_plan_node *nq__node_one_row(nq__binder *b);
/* One AND of them, NULL when there is none. *out_is_ok false: out of memory. */
const nq_expr *nq__and_all(nq__binder *b, const nq_expr *const *conjuncts, uint32_t count,
                           bool *out_is_ok);

/* ---- Queries ---- */

/* A query with its names and types settled but its columns' final types open. */
typedef struct nq__query {
    const nq_ast_query *ast;
    const nq__scope *outer;
    nq__with *with;
    uint32_t column_count;
    const nq_expr **exprs;   /* SELECT: over the flat row; VALUES: row after row */
    nq_column_info *columns; /* name and type; UNKNOWN where untyped */
    uint32_t row_count;      /* VALUES */
    struct nq__query *left, *right;
    struct nq__select *select;
} nq__query;

nq_status nq__query_bind(nq__binder *b, const nq__scope *outer, const nq_ast_query *ast,
                         nq__query **out_query);
/* Casts column i to types[i] (as `level` allows), untyped columns to text when types is NULL. */
nq_status nq__query_coerce(nq__binder *b, nq__query *query, const nq_type *types,
                           nq_cast_level level);
nq_status nq__query_plan(nq__binder *b, nq__query *query, nq_plan_node **out_node);
/* The three in a row. */
nq_status nq__query_make(nq__binder *b, const nq__scope *outer, const nq_ast_query *ast,
                         nq_plan_node **out_node);

/* SELECT (bind_select.c) */
nq_status nq__select_bind(nq__binder *b, nq__query *query);
nq_status nq__select_plan(nq__binder *b, nq__query *query, nq_plan_node **out_node);

/* ORDER BY and LIMIT over output columns; `sorted_below`: the rows already come in order. */
nq_status nq__plan_order_by_output(nq__binder *b, const nq__query *query, nq_plan_node *input,
                                   nq_plan_node **out_node);
nq_status nq__plan_sort(nq__binder *b, const nq_ast_query *ast, const nq__scope *outer,
                        nq_plan_node *input, const nq_plan_sort_key *keys, uint32_t key_count,
                        uint32_t column_count, const nq_column_info *columns,
                        nq_plan_node **out_node);
nq_status nq__plan_limit(nq__binder *b, const nq_ast_query *ast, const nq__scope *outer,
                         nq_plan_node *input, nq_plan_node **out_node);
/* Long lists are compared pairwise: they are bounded. */
nq_status nq__check_list(nq__binder *b, uint32_t count, const nq_ast_expr *first, const char *what);
bool nq__order_nulls_first(const nq_ast_order *order);
/* "column 2" of ORDER BY or GROUP BY as an index; UINT32_MAX: not a position. */
nq_status nq__order_position(nq__binder *b, const nq_ast_expr *ast, const char *where,
                             uint32_t column_count, uint32_t *out_index);

/* SELECT list and RETURNING (bind_items.c) */
typedef struct nq__items {
    nq__exprs exprs;
    nq_column_info *columns;
    uint32_t column_capacity;
} nq__items;
nq_status nq__bind_items(nq__binder *b, const nq__scope *scope, const nq_ast_items *items,
                         nq__items *out_items);

/* ---- Statements ---- */

nq_status nq__bind_insert(nq__binder *b, const nq_ast_insert *ast, nq_plan_node **out_node);
nq_status nq__bind_update(nq__binder *b, const nq_ast_update *ast, nq_plan_node **out_node);
nq_status nq__bind_delete(nq__binder *b, const nq_ast_delete *ast, nq_plan_node **out_node);
nq_status nq__bind_create_table(nq__binder *b, const nq_ast_create_table *ast,
                                nq_plan_node **out_node);
nq_status nq__bind_tables(nq__binder *b, nq_plan_kind kind, const nq_ast_tables *ast,
                          nq_plan_node **out_node);

/* Names of a table's columns as flat columns from `first` on. */
nq_status nq__table_names(nq__binder *b, const nq_table *table, nq_bytes alias, uint32_t first,
                          nq__names *names);
/* A stored DEFAULT, as its column's type; NULL constant when there is none. */
nq_status nq__bind_default(nq__binder *b, const nq_table *table, uint32_t column,
                           const nq_expr **out_expr);
nq_status nq__bind_checks(nq__binder *b, const nq_table *table, const nq_plan_check **out_checks,
                          uint32_t *out_count);
nq_status nq__bind_returning(nq__binder *b, const nq__names *names, const nq_ast_items *items,
                             nq_plan_node *node, nq_plan_exprs *out_exprs);

#endif
