/* Aggregates: how the values of a group become one.
 *
 * A state is a fixed number of bytes inside the group's record, zero at first. exec finds each
 * row's record and hands over whole vectors. Sums of reals add in row order, so that a query
 * answers alike however it is cut into batches. */
#ifndef NQ_QUERY_EVAL_AGGREGATE_H
#define NQ_QUERY_EVAL_AGGREGATE_H

#include "engine/query/eval/expr.h"

typedef struct nq_aggregate_call {
    nq_ctx *ctx;
    nq_arena *arena; /* as long as the states: kept text lives here */
    const nq_vector *const *args;
    uint32_t row_count;      /* rows to take in */
    const uint16_t *rows;    /* their numbers; NULL: 0 .. row_count - 1 */
    uint8_t *const *records; /* of each row number; NULL: every row goes to `record` */
    uint8_t *record;
    size_t state_offset; /* of the state within its record, 16-byte aligned */
} nq_aggregate_call;

struct nq_aggregate_ops {
    uint32_t state_bytes;
    nq_status (*update)(nq_aggregate_call *call);
    /* The result of one state. Its bytes live as long as the state's. */
    nq_status (*finish)(nq_ctx *ctx, const uint8_t *state, nq_value *out_value);
};

#endif
