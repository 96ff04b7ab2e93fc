/* Status: the table's columns, and the one place where failures are written down. */
#include "engine/ground/base/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "engine/ground/base/utf8.h"

typedef struct status_row {
    const char *name;
    const char *sqlstate;
    const char *meaning;
    nq_rpc_code rpc_code;
    bool is_retryable;
} status_row;

static const status_row rows[NQ_STATUS_COUNT] = {
#define NQ_STATUS(name, grpc, sqlstate, retryable, meaning) \
    [NQ_##name] = {#name, sqlstate, meaning, NQ_RPC_##grpc, retryable},
#include "engine/ground/base/status_codes.def"
#undef NQ_STATUS
};

static const status_row *row_of(nq_status code) {
    return &rows[(unsigned)code < NQ_STATUS_COUNT ? code : NQ_BUG];
}

const char *nq_status_name(nq_status code) {
    return row_of(code)->name;
}

const char *nq_status_meaning(nq_status code) {
    return row_of(code)->meaning;
}

const char *nq_status_sqlstate(nq_status code) {
    return row_of(code)->sqlstate;
}

nq_rpc_code nq_status_rpc_code(nq_status code) {
    return row_of(code)->rpc_code;
}

bool nq_status_is_retryable(nq_status code) {
    return row_of(code)->is_retryable;
}

/* vsnprintf cuts anywhere; a character cut in half would make the whole message invalid UTF-8. */
static void format_cut(char *target, size_t target_bytes, const char *format, va_list arguments) {
    int wanted = vsnprintf(target, target_bytes, format, arguments);
    if (wanted >= 0 && (size_t)wanted >= target_bytes) {
        target[nq_utf8_cut(nq_bytes_of(target, target_bytes - 1), target_bytes - 1)] = '\0';
    }
}

nq_status nq_fail_at(nq_error *error, nq_status code, const char *file, uint32_t line,
                     const char *format, ...) {
    error->code = code;
    error->source_file = file;
    error->source_line = line;
    error->position = (nq_position){0};
    error->hint[0] = '\0';
    error->object[0] = '\0';
    va_list arguments;
    va_start(arguments, format);
    format_cut(error->message, sizeof(error->message), format, arguments);
    va_end(arguments);
    return code;
}

void nq_error_set_hint(nq_error *error, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    format_cut(error->hint, sizeof(error->hint), format, arguments);
    va_end(arguments);
}

void nq_error_set_object(nq_error *error, const char *text, uint64_t text_bytes) {
    size_t size = nq_utf8_cut(nq_bytes_of(text, (size_t)text_bytes), sizeof(error->object) - 1);
    if (size > 0) {
        memcpy(error->object, text, size);
    }
    error->object[size] = '\0';
}
