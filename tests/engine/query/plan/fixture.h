/* SQL in a session: rows as text, plans as text, failures with their place. */
#ifndef NQ_TESTS_QUERY_PLAN_FIXTURE_H
#define NQ_TESTS_QUERY_PLAN_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/sql/session.h"

typedef struct text_buffer {
    char text[1 << 16];
    size_t size;
} text_buffer;

static inline void add_text(text_buffer *out, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static inline void add_text(text_buffer *out, const char *format, ...) {
    va_list args;
    va_start(args, format);
    int size = vsnprintf(out->text + out->size, sizeof(out->text) - out->size, format, args);
    va_end(args);
    assert_true(size >= 0 && out->size + (size_t)size < sizeof(out->text));
    out->size += (size_t)size;
}

static inline void add_row(void *user, const nq_batch *batch, uint32_t row) {
    nq_ctx ctx;
    nq_arena arena;
    nq_arena_init(&arena, 1 << 20);
    nq_ctx_init(&ctx, &arena);
    for (uint32_t i = 0; i < batch->column_count; i++) {
        nq_value value = nq_batch_value(batch, i, row);
        nq_bytes text = NQ_BYTES_LITERAL("null");
        if (!value.is_null) {
            assert_int_equal(nq_value_print(&ctx, &arena, value, &text), NQ_OK);
        }
        add_text(user, "%s%.*s", i > 0 ? "|" : "", NQ_BYTES_FORMAT(text));
    }
    add_text(user, ";");
    nq_arena_deinit(&arena);
}

static inline void run(nq_session *s, const char *sql) {
    if (session_run(s, nq_bytes_of_cstr(sql), NULL, 0, NULL, NULL, NULL) != NQ_OK) {
        fail_msg("%s: %s: %s", sql, nq_status_name(s->ctx.error.code), s->ctx.error.message);
    }
}

/* Cells joined by |, each row ended by a semicolon. */
static inline void assert_rows(nq_session *s, const char *sql, const char *want) {
    static text_buffer have;
    have.size = 0;
    have.text[0] = '\0';
    if (session_run(s, nq_bytes_of_cstr(sql), NULL, 0, add_row, &have, NULL) != NQ_OK) {
        fail_msg("%s: %s: %s", sql, nq_status_name(s->ctx.error.code), s->ctx.error.message);
    }
    if (strcmp(have.text, want) != 0) {
        fail_msg("%s\n  have: %s\n  want: %s", sql, have.text, want);
    }
}

static inline void assert_affects(nq_session *s, const char *sql, uint64_t want) {
    uint64_t have = 0;
    if (session_run(s, nq_bytes_of_cstr(sql), NULL, 0, NULL, NULL, &have) != NQ_OK) {
        fail_msg("%s: %s: %s", sql, nq_status_name(s->ctx.error.code), s->ctx.error.message);
    }
    if (have != want) {
        fail_msg("%s: %llu rows, not %llu", sql, (unsigned long long)have,
                 (unsigned long long)want);
    }
}

/* Fails with this code at this column of its only line, the message holding these words. */
static inline void assert_refused(nq_session *s, const char *sql, nq_status code, uint32_t column,
                                  const char *words) {
    nq_status status = session_run(s, nq_bytes_of_cstr(sql), NULL, 0, NULL, NULL, NULL);
    const nq_error *error = &s->ctx.error;
    if (status != code || error->position.column != column ||
        strstr(error->message, words) == NULL) {
        fail_msg("%s\n  have: %s at %u: %s\n  want: %s at %u: %s", sql, nq_status_name(status),
                 error->position.column, error->message, nq_status_name(code), column, words);
    }
}

static inline void print_plan(nq_session *s, const char *sql, text_buffer *out) {
    nq_prepared *prepared = NULL;
    nq_plan_node_info *nodes;
    uint32_t count;
    nq_arena_reset(&s->arena);
    if (nq_prepare(&s->ctx, s->database, s->transaction, nq_bytes_of_cstr(sql), &prepared) !=
            NQ_OK ||
        nq_explain(&s->ctx, s->database, s->transaction, prepared, NULL, 0, false, &s->arena,
                   &nodes, &count) != NQ_OK) {
        fail_msg("%s: %s", sql, s->ctx.error.message);
    }
    for (uint32_t i = 0; i < count; i++) {
        for (int32_t parent = nodes[i].parent; parent >= 0; parent = nodes[parent].parent) {
            add_text(out, " ");
        }
        add_text(out, "%.*s", NQ_BYTES_FORMAT(nodes[i].operator_name));
        if (nodes[i].target.size > 0) {
            add_text(out, " %.*s", NQ_BYTES_FORMAT(nodes[i].target));
        }
        for (size_t at = 0; at < nodes[i].details.size;) {
            const uint8_t *line = nodes[i].details.data + at;
            const uint8_t *end = memchr(line, '\n', nodes[i].details.size - at);
            size_t size = end == NULL ? nodes[i].details.size - at : (size_t)(end - line);
            add_text(out, " [%.*s]", (int)size, (const char *)line);
            at += size + 1;
        }
        add_text(out, "\n");
    }
    nq_prepared_release(prepared);
}

/* One line a node, indented by depth: "Operator target [detail] [detail]". */
static inline void assert_plan(nq_session *s, const char *sql, const char *want) {
    static text_buffer have;
    have.size = 0;
    print_plan(s, sql, &have);
    if (strcmp(have.text, want) != 0) {
        fail_msg("%s\nhave:\n%swant:\n%s", sql, have.text, want);
    }
}

static inline int open_session(void **state) {
    nq_session *s = malloc(sizeof *s);
    *state = s;
    return session_open(s) == NQ_OK ? 0 : -1;
}

static inline int close_session(void **state) {
    session_close(*state);
    free(*state);
    return 0;
}

#define in_session(test) cmocka_unit_test_setup_teardown(test, open_session, close_session)

#endif
