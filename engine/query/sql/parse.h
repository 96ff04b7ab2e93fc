/* Parse: SQL text to tree. The language is described in docs/reference/sql.md. */
#ifndef NQ_QUERY_SQL_PARSE_H
#define NQ_QUERY_SQL_PARSE_H

#include "engine/ground/base/ctx.h"
#include "engine/query/sql/ast.h"

/* Parses exactly one statement; a trailing `;` is allowed, anything after it is an error. Tree and
 * text (copied) live in `arena`, so `sql` may go. Errors carry a position in `sql`. Fails with
 * NQ_SQL_SYNTAX, NQ_INVALID_UTF8, NQ_NAME_TOO_LONG, NQ_UNKNOWN_TYPE, NQ_NUMBER_OUT_OF_RANGE,
 * NQ_INVALID_ESCAPE, NQ_STATEMENT_TOO_COMPLEX, NQ_LIMIT_EXCEEDED, NQ_FEATURE_UNSUPPORTED,
 * NQ_MEMORY_LIMIT. */
nq_status nq_parse(nq_ctx *ctx, nq_arena *arena, nq_bytes sql, nq_ast_statement **out_statement);

/* Parses one expression alone: a stored DEFAULT or CHECK. Parameters are refused. */
nq_status nq_parse_expression(nq_ctx *ctx, nq_arena *arena, nq_bytes sql, nq_ast_expr **out_expr);

/* Line and column of a byte offset; an offset beyond the end means the end. */
nq_position nq_sql_position(nq_bytes sql, uint32_t offset);

/* `nq_fail` for a place in the text: writes the failure and its position, returns its code. */
#define nq_fail_in_sql(ctx, sql, at, code, ...) \
    nq_sql_fail_done((ctx), (sql), (at),        \
                     nq_fail_at(&(ctx)->error, (code), __FILE__, (uint32_t)__LINE__, __VA_ARGS__))
nq_status nq_sql_fail_done(nq_ctx *ctx, nq_bytes sql, uint32_t offset, nq_status status)
    __attribute__((warn_unused_result));

/* Renders the line at `position` and a caret under the place, as two lines without a final newline:
 *
 *     LINE 2: SELECT a FORM t
 *                      ^
 *
 * A long line is cut to what surrounds the place ("..."), a tab becomes a blank. Writes at most
 * `text_bytes` including the NUL, at a character boundary; answers the length written. */
size_t nq_sql_caret(nq_bytes sql, nq_position position, char *out_text, size_t text_bytes);

#endif
