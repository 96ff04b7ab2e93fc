/* SQL for tests. */
#include "tests/engine/query/support/sql.h"

void sql_open(sql_fixture *f, uint64_t statement_bytes_max) {
    nq_arena_init(&f->scratch, 64 << 20);
    nq_arena_init(&f->results, 256 << 20);
    nq_ctx_init(&f->ctx, &f->scratch);
    nq_sim_options disk_options = {.seed = 1};
    nq_database_options options = {.statement_bytes_max = statement_bytes_max};
    assert_int_equal(nq_sim_vfs_create(&f->ctx, &disk_options, &f->disk), NQ_OK);
    assert_int_equal(
        nq_database_open(&f->ctx, nq_sim_vfs_as_vfs(f->disk), "/db", &options, &f->database),
        NQ_OK);
}

void sql_close(sql_fixture *f) {
    assert_int_equal(nq_database_close(&f->ctx, f->database), NQ_OK);
    nq_sim_vfs_destroy(f->disk);
    nq_arena_deinit(&f->results);
    nq_arena_deinit(&f->scratch);
}

typedef struct text_buffer {
    char *data;
    size_t size;
    size_t capacity;
    uint64_t row_count;
} text_buffer;

static void append(sql_fixture *f, text_buffer *text, nq_bytes more) {
    if (text->size + more.size + 1 > text->capacity) {
        size_t capacity = (text->size + more.size + 1) * 2;
        char *data = nq_arena_alloc(&f->results, capacity);
        assert_non_null(data);
        if (text->size > 0) {
            memcpy(data, text->data, text->size);
        }
        text->data = data;
        text->capacity = capacity;
    }
    if (more.size > 0) {
        memcpy(text->data + text->size, more.data, more.size);
    }
    text->size += more.size;
    text->data[text->size] = '\0';
}

static void append_row(sql_fixture *f, text_buffer *text, const nq_batch *batch, uint32_t row) {
    if (text->row_count++ > 0) {
        append(f, text, NQ_BYTES_LITERAL("\n"));
    }
    for (uint32_t column = 0; column < batch->column_count; column++) {
        nq_value value = nq_batch_value(batch, column, row);
        nq_bytes cell = NQ_BYTES_LITERAL("NULL");
        if (!value.is_null) {
            assert_int_equal(nq_value_print(&f->ctx, &f->results, value, &cell), NQ_OK);
        }
        if (column > 0) {
            append(f, text, NQ_BYTES_LITERAL("|"));
        }
        append(f, text, cell);
    }
}

static nq_status read_all(sql_fixture *f, nq_cursor *cursor, text_buffer *text) {
    for (;;) {
        nq_batch batch;
        NQ_TRY(nq_cursor_next(&f->ctx, cursor, 0, &batch));
        if (batch.row_count == 0) {
            return NQ_OK;
        }
        for (uint32_t row = 0; row < batch.row_count; row++) {
            append_row(f, text, &batch, row);
        }
    }
}

nq_status sql_try(sql_fixture *f, const char *sql, const char **out_text) {
    nq_prepared *prepared = NULL;
    nq_cursor *cursor = NULL;
    text_buffer text = {0};
    append(f, &text, nq_bytes_of(NULL, 0));
    nq_status status = nq_prepare(&f->ctx, f->database, NULL, nq_bytes_of_cstr(sql), &prepared);
    if (status == NQ_OK) {
        status = nq_cursor_open(&f->ctx, f->database, NULL, prepared, NULL, 0, nq_bytes_of(NULL, 0),
                                &cursor);
    }
    if (status == NQ_OK) {
        status = read_all(f, cursor, &text);
    }
    if (cursor != NULL) {
        nq_cursor_close(cursor);
    }
    if (prepared != NULL) {
        nq_prepared_release(prepared);
    }
    nq_arena_reset(&f->scratch);
    *out_text = text.data;
    return status;
}

const char *sql_result(sql_fixture *f, const char *sql) {
    const char *text;
    nq_status status = sql_try(f, sql, &text);
    if (status != NQ_OK) {
        fail_msg("%s\n  failed with %s: %s", sql, nq_status_name(status), f->ctx.error.message);
    }
    return text;
}

void sql_run(sql_fixture *f, const char *sql) {
    (void)sql_result(f, sql);
}

void sql_expect(sql_fixture *f, const char *sql, const char *expected) {
    const char *text = sql_result(f, sql);
    if (strcmp(text, expected) != 0) {
        fail_msg("%s\n  gave:\n%s\n  not:\n%s", sql, text, expected);
    }
}

void sql_expect_error(sql_fixture *f, const char *sql, const char *sqlstate) {
    const char *text;
    nq_status status = sql_try(f, sql, &text);
    if (strcmp(nq_status_sqlstate(status), sqlstate) != 0) {
        fail_msg("%s\n  gave %s (%s), not %s\n%s", sql, nq_status_sqlstate(status),
                 status == NQ_OK ? "" : f->ctx.error.message, sqlstate,
                 status == NQ_OK ? text : "");
    }
}

char *sql_format(sql_fixture *f, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    char *text = nq_arena_alloc(&f->results, (size_t)size + 1);
    assert_non_null(text);
    va_start(arguments, format);
    (void)vsnprintf(text, (size_t)size + 1, format, arguments);
    va_end(arguments);
    return text;
}

int sql_setup(void **state) {
    static sql_fixture fixture;
    sql_open(&fixture, 0);
    *state = &fixture;
    return 0;
}

int sql_teardown(void **state) {
    sql_close(*state);
    return 0;
}
