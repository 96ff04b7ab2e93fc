/* A session to run SQL in, its rows as text, and one-line expectations. */
#ifndef NQ_TESTS_API_FIXTURE_H
#define NQ_TESTS_API_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/sql/session.h"

enum { ROWS_BYTES_MAX = 1 << 16 };

typedef struct rows_text {
    char text[ROWS_BYTES_MAX];
    size_t size;
    uint64_t count;
} rows_text;

static inline void append_row(void *user, const nq_batch *batch, uint32_t row) {
    rows_text *rows = user;
    nq_ctx ctx;
    nq_arena arena;
    nq_arena_init(&arena, 64 << 20);
    nq_ctx_init(&ctx, &arena);
    rows->count++;
    for (uint32_t i = 0; i < batch->column_count; i++) {
        nq_value value = nq_batch_value(batch, i, row);
        nq_bytes text = NQ_BYTES_LITERAL("null");
        if (!value.is_null) {
            assert_int_equal(nq_value_print(&ctx, &arena, value, &text), NQ_OK);
        }
        if (rows->size + text.size + 2 < sizeof rows->text) {
            rows->size += (size_t)snprintf(rows->text + rows->size, sizeof rows->text - rows->size,
                                           "%s%.*s", i > 0 ? "|" : "", NQ_BYTES_FORMAT(text));
        }
    }
    if (rows->size + 2 < sizeof rows->text) {
        rows->text[rows->size++] = ' ';
        rows->text[rows->size] = '\0';
    }
    nq_arena_deinit(&arena);
}

static inline nq_bytes sql_of(const char *sql) {
    return nq_bytes_of_cstr(sql);
}

/* Runs it; it must succeed. */
static inline void run(nq_session *s, const char *sql) {
    nq_status status = session_run(s, sql_of(sql), NULL, 0, NULL, NULL, NULL);
    if (status != NQ_OK) {
        fail_msg("%s: %s: %s", sql, nq_status_name(status), s->ctx.error.message);
    }
}

static inline void assert_fails(nq_session *s, const char *sql, nq_status expected) {
    nq_status status = session_run(s, sql_of(sql), NULL, 0, NULL, NULL, NULL);
    if (status != expected) {
        fail_msg("%s: %s (%s), not %s", sql, nq_status_name(status), s->ctx.error.message,
                 nq_status_name(expected));
    }
}

/* Its rows, cells joined by | and each row followed by a blank. */
static inline void assert_rows(nq_session *s, const char *sql, const char *expected) {
    static rows_text rows;
    rows = (rows_text){0};
    nq_status status = session_run(s, sql_of(sql), NULL, 0, append_row, &rows, NULL);
    if (status != NQ_OK) {
        fail_msg("%s: %s: %s", sql, nq_status_name(status), s->ctx.error.message);
    }
    if (strcmp(rows.text, expected) != 0) {
        fail_msg("%s: \"%s\", not \"%s\"", sql, rows.text, expected);
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

/* Closes the database and opens it again from the same disk. */
static inline void reopen(nq_session *s) {
    assert_int_equal(nq_database_close(&s->ctx, s->database), NQ_OK);
    assert_int_equal(
        nq_database_open(&s->ctx, nq_sim_vfs_as_vfs(s->disk), "db", NULL, &s->database), NQ_OK);
}

#define in_session(test) cmocka_unit_test_setup_teardown(test, open_session, close_session)

#endif
