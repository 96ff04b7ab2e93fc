/* Expression: a bound scalar expression, every name and type settled.
 *
 * The binder builds the tree with the constructors below, which fill in what can be derived (type,
 * may_fail, is_volatile); the tree is never changed afterwards and may be shared by threads.
 * Children already have the types their parent wants: the binder puts NQ_EXPR_CAST nodes where the
 * function resolver (function.h) asks for them.
 *
 * Logic is three-valued. AND, OR, CASE, COALESCE, NULLIF's kin and IN evaluate an operand only for
 * the rows that need it, so an error hidden behind a guard is not raised. */
#ifndef NQ_QUERY_EVAL_EXPR_H
#define NQ_QUERY_EVAL_EXPR_H

#include "engine/data/value/value.h"
#include "engine/query/eval/function.h"

typedef enum nq_expr_kind {
    NQ_EXPR_CONSTANT,  /* value */
    NQ_EXPR_PARAMETER, /* index: into the execution's parameter values, from 0 */
    NQ_EXPR_COLUMN,    /* index: into the columns of the operator's input rows */
    NQ_EXPR_CALL,      /* function(args): every function and operator of function.def */
    NQ_EXPR_CAST,      /* args[0] to type */
    NQ_EXPR_AND,       /* args: two or more booleans */
    NQ_EXPR_OR,        /* args: two or more booleans */
    NQ_EXPR_NOT,       /* args[0] */
    NQ_EXPR_IS_NULL,   /* args[0] IS [NOT] NULL; never null */
    NQ_EXPR_IS_TRUE,   /* args[0] IS [NOT] TRUE; IS UNKNOWN is IS_NULL of a boolean */
    NQ_EXPR_IS_FALSE,  /* args[0] IS [NOT] FALSE */
    NQ_EXPR_IN_LIST,   /* args[0] [NOT] IN (args[1..]); all of one type */
    NQ_EXPR_CASE,      /* args: when, then, when, then .. [, else]; whens are boolean */
    NQ_EXPR_COALESCE,  /* args: one or more of one type */
} nq_expr_kind;

typedef struct nq_expr nq_expr;
struct nq_expr {
    nq_expr_kind kind;
    nq_type type;       /* of the result */
    uint32_t offset;    /* in the statement's text, for errors; UINT32_MAX: nowhere */
    uint32_t index;     /* PARAMETER, COLUMN */
    bool is_negated;    /* IS_NULL, IS_TRUE, IS_FALSE, IN_LIST */
    bool is_assignment; /* CAST: by INSERT's and UPDATE's rules; the binder sets it on a new node */
    bool may_fail;      /* evaluating it can raise an error */
    bool is_volatile;   /* random() and its kin: must be evaluated for each row */
    bool is_constant;   /* no COLUMN and not volatile below: one value for the execution */
    uint32_t arg_count;
    const nq_expr *const *args;
    const nq_function *function; /* CALL */
    nq_value value;              /* CONSTANT; bytes live in the arena of the tree */
};

/* Constructors: NULL when the arena is exhausted. `args` is copied, its elements are not. */
nq_expr *nq_expr_constant(nq_arena *arena, nq_value value, nq_type type);
nq_expr *nq_expr_parameter(nq_arena *arena, uint32_t index, nq_type type);
nq_expr *nq_expr_column(nq_arena *arena, uint32_t index, nq_type type);
nq_expr *nq_expr_call(nq_arena *arena, const nq_function *function, nq_type type,
                      const nq_expr *const *args, uint32_t arg_count);
nq_expr *nq_expr_cast(nq_arena *arena, const nq_expr *arg, nq_type type);

/* AND, OR, NOT, IS_*, IN_LIST (boolean) and CASE, COALESCE (of `type`). */
nq_expr *nq_expr_form(nq_arena *arena, nq_expr_kind kind, nq_type type, bool is_negated,
                      const nq_expr *const *args, uint32_t arg_count);

/* The same tree with every column index i replaced by map[i]; subtrees without columns are shared.
 * For pushing a predicate below a projection or a join side. */
const nq_expr *nq_expr_map_columns(nq_arena *arena, const nq_expr *expr, const uint32_t *map);

/* Calls `visit` for every column index in the tree, repeats included. */
void nq_expr_visit_columns(const nq_expr *expr, void (*visit)(void *user, uint32_t index),
                           void *user);

/* Structural equality, offsets aside: GROUP BY a+1 meets SELECT a+1. Volatile trees are never
 * equal. */
bool nq_expr_equal(const nq_expr *left, const nq_expr *right);

/* As SQL text for EXPLAIN: `column_name(user, index)` names the columns. */
nq_status nq_expr_print(nq_ctx *ctx, nq_arena *arena, const nq_expr *expr,
                        nq_bytes (*column_name)(void *user, uint32_t index), void *user,
                        nq_bytes *out_text);

#endif
