/* Function: the one table of functions, operators and aggregates (function.def), and the rules that
 * choose among them.
 *
 * Resolution follows PostgreSQL: exact match, else the candidate reached by the fewest and cheapest
 * implicit casts; an untyped literal (NQ_TYPE_UNKNOWN) takes the other operand's type, else prefers
 * text. Implicit casts only widen: int16 → int32 → int64 → float32 → float64, date → timestamp. */
#ifndef NQ_QUERY_EVAL_FUNCTION_H
#define NQ_QUERY_EVAL_FUNCTION_H

#include "engine/data/value/batch.h"
#include "engine/ground/base/ctx.h"

enum { NQ_FUNCTION_ARGUMENTS_MAX = 100 }; /* PostgreSQL's */

typedef enum nq_function_kind {
    NQ_FUNCTION_SCALAR,
    NQ_FUNCTION_OPERATOR, /* named by its sign: "+", "<=", "||", "like", "is distinct from" */
    NQ_FUNCTION_AGGREGATE,
} nq_function_kind;

/* Properties, or-ed. */
enum {
    NQ_FUNCTION_STRICT = 1 << 0,    /* a null argument makes the result null, the kernel unseen */
    NQ_FUNCTION_FAILS = 1 << 1,     /* may raise an error for some values */
    NQ_FUNCTION_VOLATILE = 1 << 2,  /* differs from row to row */
    NQ_FUNCTION_STABLE = 1 << 3,    /* one value per statement: not folded when planning */
    NQ_FUNCTION_VARIADIC = 1 << 4,  /* the last argument type repeats, zero or more times */
    NQ_FUNCTION_NO_PARENS = 1 << 5, /* may be written bare: CURRENT_DATE */
};

typedef struct nq_kernel_call nq_kernel_call;
typedef nq_status (*nq_kernel)(nq_kernel_call *call);
typedef struct nq_aggregate_ops nq_aggregate_ops;

/* A row of function.def. Types are letters: b boolean, 2 smallint, 4 integer, 8 bigint, f real,
 * d double precision, t text, y bytes, u uuid, D date, T time, S timestamp; a: any type, the same
 * for every `a` and for an `a` result; e: any type, each on its own. */
typedef struct nq_function {
    const char *name; /* lower case */
    nq_function_kind kind;
    uint32_t flags;
    char result;
    const char *args;
    nq_kernel kernel;                  /* not AGGREGATE */
    const nq_aggregate_ops *aggregate; /* AGGREGATE */
    const char *summary;               /* one line, for docs/reference/functions.md */
} nq_function;

extern const nq_function nq_functions[];
extern const uint32_t nq_function_count;

/* The type a letter stands for; NQ_TYPE_UNKNOWN for `a` and `e`. */
nq_type_id nq_function_letter_type(char letter);

/* What a call came down to: cast argument i to arg_types[i] (where it differs), then call. */
typedef struct nq_resolution {
    const nq_function *function;
    nq_type result;
    nq_type arg_types[NQ_FUNCTION_ARGUMENTS_MAX];
} nq_resolution;

/* Chooses the function or operator (`is_operator`: names are signs, see above) for these arguments.
 * `name` is already folded. Fails with NQ_UNKNOWN_FUNCTION, whose message names the call as
 * written, "function lower(integer) does not exist", and whose hint says why (unknown name with the
 * nearest one, wrong count, wrong types, ambiguous). */
nq_status nq_function_find(nq_ctx *ctx, nq_bytes name, bool is_operator, const nq_type *arg_types,
                           uint32_t arg_count, nq_resolution *out_resolution);

/* Whether any function (or aggregate) has this name. */
bool nq_function_exists(nq_bytes name);
bool nq_function_is_aggregate(nq_bytes name);

/* The type CASE, COALESCE, IN, UNION and VALUES settle on for these (PostgreSQL 10.5: all alike,
 * else the widest number or timestamp; untyped literals follow, all untyped is text). `where` names
 * the construct in the NQ_TYPE_MISMATCH it fails with. */
nq_status nq_type_common(nq_ctx *ctx, const char *where, const nq_type *types, uint32_t count,
                         nq_type *out_type);

typedef enum nq_cast_level {
    NQ_CAST_NONE,       /* not even with CAST */
    NQ_CAST_EXPLICIT,   /* only CAST(x AS t) */
    NQ_CAST_ASSIGNMENT, /* also when stored in a column */
    NQ_CAST_IMPLICIT,   /* anywhere */
} nq_cast_level;

nq_cast_level nq_cast_level_of(nq_type_id source, nq_type_id target);

#endif
