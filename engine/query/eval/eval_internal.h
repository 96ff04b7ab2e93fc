/* What the files of this room share: type rules of the resolver, and the compiled program. */
#ifndef NQ_QUERY_EVAL_EVAL_INTERNAL_H
#define NQ_QUERY_EVAL_EVAL_INTERNAL_H

#include "engine/query/eval/kernel_internal.h"

/* Cost of the implicit cast: 0 for the type itself, -1 when there is none (an untyped literal has
 * none: the resolver treats it apart). */
int nq__implicit_cost(nq_type_id source, nq_type_id target);

/* nq_type_common without words: false when type *out_culprit does not go with those before it. */
bool nq__common_type(const nq_type *types, uint32_t count, nq_type *out_type,
                     uint32_t *out_culprit);

/* ---- The compiled program ---- */

typedef enum nq_opcode {
    NQ_OP_CALL,     /* result = function(args) */
    NQ_OP_CAST,     /* result = args[0] as type */
    NQ_OP_CONSTANT, /* result = expr, evaluated once, at the first row that needs it */
    NQ_OP_AND,      /* result = args[0] AND args[1]; result may be args[0] */
    NQ_OP_OR,
    NQ_OP_NOT,
    NQ_OP_IS_NULL, /* is_negated: of these three */
    NQ_OP_IS_TRUE,
    NQ_OP_IS_FALSE,
    NQ_OP_IN,    /* result = args[0] [NOT] IN (expr's constants) */
    NQ_OP_BEGIN, /* result is about to be filled piecemeal by BLEND */
    NQ_OP_BLEND, /* result = args[0], for the selected rows */
    NQ_OP_BLEND_NULL,
    NQ_OP_PUSH,   /* selects the selected rows that pass `test` on args[0]; none: to `target` */
    NQ_OP_NARROW, /* the same, replacing the selection */
    NQ_OP_POP,
} nq_opcode;

typedef enum nq_row_test {
    NQ_TEST_ALL,
    NQ_TEST_TRUE,
    NQ_TEST_NOT_TRUE,
    NQ_TEST_NOT_FALSE,
    NQ_TEST_NULL,
} nq_row_test;

typedef struct nq_in_set nq_in_set; /* in_list.c */

typedef struct nq_instruction {
    nq_opcode op;
    nq_row_test test;
    bool is_negated;
    nq_type type;    /* of the result */
    uint32_t result; /* register */
    uint32_t target; /* instruction */
    uint32_t arg_count;
    uint32_t *arg_registers;
    const nq_vector **args; /* the same, as vectors */
    const nq_expr *expr;
    const nq_function *function;
    nq_in_set *in_set;
} nq_instruction;

typedef enum nq_register_kind {
    NQ_REGISTER_INPUT,    /* input column `column`, as it came */
    NQ_REGISTER_CONSTANT, /* `value` in every row */
    NQ_REGISTER_TEMPORARY,
} nq_register_kind;

typedef struct nq_register {
    nq_register_kind kind;
    nq_form form;
    bool is_free;         /* TEMPORARY: may be taken again, while compiling */
    bool has_value;       /* CONSTANT */
    uint32_t column;      /* INPUT */
    uint32_t filled_rows; /* CONSTANT */
    nq_value value;       /* CONSTANT */
    nq_vector vector;     /* what instructions read */
    nq_column_buffer buffer;
} nq_register;

typedef struct nq_selection {
    const uint16_t *rows; /* NULL: 0 .. row_count - 1 */
    uint32_t row_count;
    uint32_t batch_row_count; /* of all rows, selected or not */
    uint16_t *buffer;
} nq_selection;

struct nq_program {
    nq_arena *arena;
    const nq_eval_env *env;
    uint32_t capacity; /* rows the buffers hold */
    nq_register *registers;
    uint32_t register_count;
    nq_instruction *instructions;
    uint32_t instruction_count;
    nq_selection *selections; /* by depth; 0 is the whole batch */
    uint32_t selection_count;
    uint16_t *not_null_rows; /* scratch of one instruction */
    const nq_expr *const *exprs;
    uint32_t *result_registers;
    nq_vector *results;
    uint32_t result_count;
};

/* Three-valued logic and IN over the selected rows; logic.c, in_list.c. */
void nq__run_and(nq_register *result, const nq_vector *left, const nq_vector *right,
                 const nq_selection *selection);
void nq__run_or(nq_register *result, const nq_vector *left, const nq_vector *right,
                const nq_selection *selection);
void nq__run_not(nq_register *result, const nq_vector *arg, const nq_selection *selection);
void nq__run_is(nq_register *result, const nq_vector *arg, const nq_instruction *instruction,
                const nq_selection *selection);
uint32_t nq__select_rows(const nq_vector *vector, nq_row_test test, const nq_selection *selection,
                         uint16_t *out_rows);

/* Whether a list of IN is made of constants and parameters only. */
bool nq__in_list_is_constant(const nq_expr *expr);
nq_status nq__run_in(nq_ctx *ctx, nq_program *program, nq_instruction *instruction,
                     const nq_selection *selection);

/* x [NOT] IN (list) for one value, by the same rules. */
nq_value nq__in_values(nq_value value, const nq_value *list, uint32_t count, bool is_negated);

#endif
