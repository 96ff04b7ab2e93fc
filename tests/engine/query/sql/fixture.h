/* Parsing in one line: text to canonical text, or to the failure. */
#ifndef NQ_TESTS_QUERY_SQL_FIXTURE_H
#define NQ_TESTS_QUERY_SQL_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "engine/query/sql/parse.h"
#include "engine/query/sql/print.h"

typedef struct fixture {
    nq_ctx ctx;
    nq_arena arena;
} fixture;

static inline void fixture_init(fixture *f) {
    nq_arena_init(&f->arena, 64 << 20);
    nq_ctx_init(&f->ctx, &f->arena);
}

static inline void fixture_deinit(fixture *f) {
    nq_arena_deinit(&f->arena);
}

static inline nq_ast_statement *must_parse(fixture *f, nq_bytes sql) {
    nq_ast_statement *statement;
    if (nq_parse(&f->ctx, &f->arena, sql, &statement) != NQ_OK) {
        fail_msg("%.*s\n  %s: %s", NQ_BYTES_FORMAT(sql), nq_status_name(f->ctx.error.code),
                 f->ctx.error.message);
    }
    return statement;
}

static inline nq_bytes must_print(fixture *f, const nq_ast_statement *statement) {
    nq_bytes text;
    assert_int_equal(nq_ast_print(&f->ctx, &f->arena, statement, &text), NQ_OK);
    return text;
}

static inline void assert_bytes(nq_bytes have, const char *want) {
    nq_bytes wanted = nq_bytes_of_cstr(want);
    if (!nq_bytes_equal(have, wanted)) {
        fail_msg("have: %.*s\n  want: %s", NQ_BYTES_FORMAT(have), want);
    }
}

/* The statement parses, prints as `want` (NULL: as itself), and that parses and prints the same. */
static inline void assert_parses(const char *sql, const char *want) {
    fixture f;
    fixture_init(&f);
    nq_bytes once = must_print(&f, must_parse(&f, nq_bytes_of_cstr(sql)));
    assert_bytes(once, want == NULL ? sql : want);
    nq_bytes twice = must_print(&f, must_parse(&f, once));
    assert_bytes(twice, want == NULL ? sql : want);
    fixture_deinit(&f);
}

/* The statement fails with this code at this place, its message holding this text. */
static inline void assert_refused(const char *sql, nq_status code, uint32_t line, uint32_t column,
                                  const char *message) {
    fixture f;
    fixture_init(&f);
    nq_ast_statement *statement;
    nq_status status = nq_parse(&f.ctx, &f.arena, nq_bytes_of_cstr(sql), &statement);
    const nq_error *error = &f.ctx.error;
    bool is_same = status == code && error->position.line == line &&
                   error->position.column == column && strstr(error->message, message) != NULL;
    if (!is_same) {
        fail_msg("%s\n  have: %s at %u:%u: %s\n  want: %s at %u:%u: %s", sql,
                 nq_status_name(status), error->position.line, error->position.column,
                 error->message, nq_status_name(code), line, column, message);
    }
    assert_null(statement);
    fixture_deinit(&f);
}

#endif
