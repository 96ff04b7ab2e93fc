/* What the printer's files share: a growing text, and writers for its parts. */
#ifndef NQ_QUERY_SQL_PRINT_INTERNAL_H
#define NQ_QUERY_SQL_PRINT_INTERNAL_H

#include "engine/query/sql/print.h"

typedef struct nq__printer {
    nq_arena *arena;
    uint8_t *text;
    size_t size, capacity;
    bool is_full;                       /* the arena had no more; what was written since is lost */
    const nq_ast_parameter *parameters; /* NULL: all are positional */
} nq__printer;

void nq__print(nq__printer *out, const char *text);
void nq__print_bytes(nq__printer *out, nq_bytes bytes);
void nq__print_name(nq__printer *out, nq_bytes name);
void nq__print_names(nq__printer *out, const nq_ast_names *names);
void nq__print_type(nq__printer *out, const nq_ast_type *type);
void nq__print_expr(nq__printer *out, const nq_ast_expr *expr);
void nq__print_exprs(nq__printer *out, const nq_ast_exprs *exprs);
void nq__print_query(nq__printer *out, const nq_ast_query *query);
void nq__print_statement(nq__printer *out, const nq_ast_statement *statement);

#endif
