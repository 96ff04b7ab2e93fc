/* Join: what the three joins share. Each proposes candidate pairs, in the order of left rows; this
 * part drops those that fail the rest of ON and builds the output of every kind of join.
 *
 * After the last pair of a left row its proposer closes the row (NQ_ROW_NONE as right row), which
 * is where LEFT and ANTI learn that nothing matched. */
#ifndef NQ_QUERY_EXEC_JOIN_INTERNAL_H
#define NQ_QUERY_EXEC_JOIN_INTERNAL_H

#include "engine/query/exec/exec_internal.h"

typedef struct nq_join {
    nq_join_kind kind;
    bool hears_closings; /* INNER and SEMI care for pairs only */
    uint32_t left_width;
    uint32_t right_width;
    nq_rows *right; /* where right row numbers lead */
    nq_program *condition;
    uint8_t *right_matched; /* FULL: by right row; owned by the proposer */
    nq_batch left;          /* the batch whose pairs are proposed */
    nq_gather tested;       /* both sides, for the condition */
    nq_gather output;
    uint32_t candidate_count;
    uint16_t left_rows[NQ_BATCH_ROWS_MAX];
    uint32_t right_rows[NQ_BATCH_ROWS_MAX];
    uint8_t matched[NQ_BATCH_ROWS_MAX]; /* by left row */
    uint16_t passed[NQ_BATCH_ROWS_MAX];
    uint16_t out_left[NQ_BATCH_ROWS_MAX];
    uint32_t out_right[NQ_BATCH_ROWS_MAX];
} nq_join;

nq_status nq__join_open(nq_ctx *ctx, nq_operator *op, nq_join *join, nq_join_kind kind,
                        const nq_column_info *right_columns, uint32_t right_width,
                        const nq_expr *condition);

/* A new batch of left rows. */
void nq__join_start(nq_join *join, const nq_batch *left);

static inline void nq__join_propose(nq_join *join, uint32_t left_row, uint32_t right_row) {
    if (right_row == NQ_ROW_NONE && !join->hears_closings) {
        return;
    }
    join->left_rows[join->candidate_count] = (uint16_t)left_row;
    join->right_rows[join->candidate_count] = right_row;
    join->candidate_count++;
}

/* Turns the candidates into output rows, possibly none, and forgets them. */
nq_status nq__join_emit(nq_ctx *ctx, nq_operator *op, nq_join *join, nq_batch *out_batch);

/* FULL: the next right rows that nothing matched, from *next on; none at the end. */
nq_status nq__join_emit_unmatched(nq_ctx *ctx, nq_operator *op, nq_join *join, uint32_t *next,
                                  uint32_t rows_max, nq_batch *out_batch);

#endif
