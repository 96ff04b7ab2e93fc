/* What plan_joins.c and plan_join_order.c share. */
#ifndef NQ_QUERY_PLAN_JOIN_INTERNAL_H
#define NQ_QUERY_PLAN_JOIN_INTERNAL_H

#include "engine/query/plan/bind_internal.h"

/* One operator that joins two pieces on all of `conditions`. */
nq_status nq__join_pieces(nq__block *block, nq_join_kind kind, const nq__planned *left,
                          const nq__planned *right, const nq__exprs *conditions,
                          nq__planned *out_planned);

/* Estimated rows of the pieces' inner join. */
double nq__joined_rows(nq__block *block, const nq__planned *left, const nq__planned *right,
                       const nq__exprs *conditions);

nq_status nq__filter_piece(nq__block *block, nq__planned *piece, const nq__exprs *conditions);

/* Inner-joins the pieces in a good order on all of `conditions`. */
nq_status nq__order_joins(nq__block *block, nq__planned *pieces, uint32_t piece_count,
                          const nq__exprs *conditions, nq__planned *out_planned);

#endif
