/* Print: a tree back to SQL text, such that parsing the text gives the same tree.
 *
 * The text is canonical, not what was typed: key words in capitals, names quoted only where they
 * must be, parentheses only where they matter. Stored DEFAULT and CHECK expressions, EXPLAIN and
 * derived column names use it. */
#ifndef NQ_QUERY_SQL_PRINT_H
#define NQ_QUERY_SQL_PRINT_H

#include "engine/ground/base/ctx.h"
#include "engine/query/sql/ast.h"

/* The text lives in `arena`. Fails with NQ_MEMORY_LIMIT. */
nq_status nq_ast_print(nq_ctx *ctx, nq_arena *arena, const nq_ast_statement *statement,
                       nq_bytes *out_text);
nq_status nq_ast_print_expr(nq_ctx *ctx, nq_arena *arena, const nq_ast_expr *expr,
                            nq_bytes *out_text);

#endif
