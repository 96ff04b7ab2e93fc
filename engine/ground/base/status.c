/* Status: the table as arrays, and how a failure's words are put into their fixed room. */
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

static const status_row ROWS[NQ_STATUS_COUNT] = {
#define NQ_STATUS(name, grpc, sqlstate, retryable, meaning) \
    {#name, sqlstate, meaning, NQ_RPC_##grpc, retryable},
#include "engine/ground/base/status_codes.def"
#undef NQ_STATUS
};

/* A number from elsewhere is answered as a bug, never read past the table. */
static const status_row *row_of(nq_status code) {
    return &ROWS[(uint32_t)code < NQ_STATUS_COUNT ? code : NQ_BUG];
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

/* `room` holds `wanted` bytes of text or as many as fit: drops a character the end cut in two, and
 * makes the rest UTF-8 whatever was printed into it. */
static void finish_text(char *room, size_t room_bytes, int wanted) {
    if (wanted < 0) {
        room[0] = '\0';
        return;
    }
    size_t size = (size_t)wanted;
    if (size >= room_bytes) {
        size = room_bytes - 1;
        size_t lead = size;
        for (size_t back = 1; back < NQ_UTF8_BYTES_MAX && back <= size; back++) {
            if (((uint8_t)room[size - back] & 0xC0) == 0xC0) {
                lead = size - back;
                break;
            }
        }
        if (lead < size && nq_utf8_size((const uint8_t *)room + lead, size - lead) == 0) {
            size = lead;
        }
        room[size] = '\0';
    }
    nq_utf8_repair(room, size);
}

nq_status nq_fail_at(nq_error *error, nq_status code, const char *file, uint32_t line,
                     const char *format, ...) {
    /* The arguments may point into the error itself: print before anything is cleared. */
    char message[NQ_ERROR_MESSAGE_BYTES];
    va_list arguments;
    va_start(arguments, format);
    int wanted = vsnprintf(message, sizeof(message), format, arguments);
    va_end(arguments);
    finish_text(message, sizeof(message), wanted);

    error->code = code;
    error->source_file = file;
    error->source_line = line;
    error->position = (nq_position){0, 0, 0};
    error->hint[0] = '\0';
    error->object[0] = '\0';
    memcpy(error->message, message, strlen(message) + 1);
    return code;
}

void nq_error_set_hint(nq_error *error, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    int wanted = vsnprintf(error->hint, sizeof(error->hint), format, arguments);
    va_end(arguments);
    finish_text(error->hint, sizeof(error->hint), wanted);
}

void nq_error_set_object(nq_error *error, const char *text, uint64_t text_bytes) {
    size_t room_bytes = sizeof(error->object);
    size_t kept = text_bytes < room_bytes ? (size_t)text_bytes : room_bytes - 1;
    for (size_t i = 0; i < kept; i++) {
        /* U+0000 would end the text early for a reader of C strings. */
        if (text[i] == '\0') {
            error->object[i] = '?';
        } else {
            error->object[i] = text[i];
        }
    }
    error->object[kept] = '\0';
    finish_text(error->object, room_bytes, (int)(text_bytes > kept ? room_bytes : kept));
}
