/* Bind: a parsed statement and the catalog to a plan.
 *
 * Names are resolved, types settled, predicates pushed to where they cost least, joins put in
 * order. The plan is complete and read-only: it may be run any number of times, by many threads at
 * once, for as long as its arena and the catalog snapshot stand. */
#ifndef NQ_QUERY_PLAN_BIND_H
#define NQ_QUERY_PLAN_BIND_H

#include "engine/data/catalog/catalog.h"
#include "engine/query/plan/plan.h"
#include "engine/query/sql/ast.h"

typedef struct nq_bind_options {
    const nq_catalog_snapshot *catalog;
    /* Rows of a table, for estimates; may be NULL: every table is taken to have 1000. */
    double (*table_rows)(void *user, const nq_table *table);
    void *user;
} nq_bind_options;

/* Plans a query, INSERT, UPDATE, DELETE, CREATE TABLE, DROP TABLE or TRUNCATE, and what EXPLAIN
 * explains; transaction control has no plan (NQ_BUG). The plan lives in `arena`, which must also
 * hold the statement. root->columns describes the result: no columns for a write without RETURNING.
 * plan->parameters are the statement's parameters in its order, with the types their places gave
 * them (text where nothing did). Errors carry a position in the statement's text. Fails with
 * NQ_TABLE_NOT_FOUND, NQ_UNKNOWN_COLUMN, NQ_AMBIGUOUS_COLUMN, NQ_DUPLICATE_COLUMN,
 * NQ_DUPLICATE_ALIAS, NQ_UNKNOWN_FUNCTION, NQ_TYPE_MISMATCH, NQ_GROUPING_ERROR,
 * NQ_INVALID_COLUMN_REFERENCE, NQ_INVALID_DEFINITION, NQ_INVALID_TEXT_VALUE and its kin for
 * literals, NQ_LIMIT_EXCEEDED, NQ_FEATURE_UNSUPPORTED, NQ_MEMORY_LIMIT. */
nq_status nq_plan_bind(nq_ctx *ctx, nq_arena *arena, const nq_ast_statement *statement,
                       const nq_bind_options *options, nq_plan **out_plan);

#endif
