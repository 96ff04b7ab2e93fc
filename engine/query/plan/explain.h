/* Explain: a plan as lines for people. */
#ifndef NQ_QUERY_PLAN_EXPLAIN_H
#define NQ_QUERY_PLAN_EXPLAIN_H

#include "engine/query/plan/plan.h"

typedef struct nq_plan_line {
    const nq_plan_node *node;
    int32_t parent;         /* index of the line above it in the tree, -1 for a root */
    nq_bytes operator_name; /* "Hash Join", "Left Hash Join" */
    nq_bytes target;        /* "orders", "orders as o", or empty */
    nq_bytes details;       /* "filter: (a > 1)" lines joined by \n, or empty */
} nq_plan_line;

/* The plan's nodes, root first, inputs after their parents, left before right; uncorrelated
 * subqueries follow as roots of their own, in plan->subqueries' order. Everything lives in `arena`.
 */
nq_status nq_plan_describe(nq_ctx *ctx, nq_arena *arena, const nq_plan *plan,
                           nq_plan_line **out_lines, uint32_t *out_line_count);

#endif
