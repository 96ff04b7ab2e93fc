/* Status wire: google.rpc.Status, written by hand because each detail is a message inside an Any.
 */
#include "server/wire/status_wire.h"

#include <stdio.h>

enum {
    STATUS_CODE = 1,
    STATUS_MESSAGE = 2,
    STATUS_DETAILS = 3,
    ANY_TYPE_URL = 1,
    ANY_VALUE = 2,
    INFO_REASON = 1,
    INFO_DOMAIN = 2,
    INFO_METADATA = 3,
    RETRY_DELAY = 1,
    BAD_REQUEST_VIOLATIONS = 1,
    VIOLATION_FIELD = 1,
    VIOLATION_DESCRIPTION = 2,
    DETAIL_SQLSTATE = 1,
    DETAIL_POSITION = 2,
    DETAIL_TOKEN = 3,
    DETAIL_HINT = 4,
    DETAIL_STATEMENT_INDEX = 5,
    DETAIL_CONSTRAINT = 6,
    POSITION_OFFSET = 1,
    POSITION_LINE = 2,
    POSITION_COLUMN = 3,
    /* Trailers are few KiB at most: everything in an nq_error is bounded, this bounds the sum. */
    DETAILS_BYTES_MAX = 4 << 10,
    RETRY_DELAY_MS = 100,
    SHOWN_LINE_CHARACTERS = 60,
};

#define TYPE_URL "type.googleapis.com/"

static bool is_constraint(nq_status code) {
    return code == NQ_UNIQUE_VIOLATION || code == NQ_NOT_NULL_VIOLATION ||
           code == NQ_CHECK_VIOLATION || code == NQ_FOREIGN_KEY_VIOLATION;
}

/* The object is a request field's path only where wire/ was the one to refuse. */
static bool concerns_field(const nq_error *error) {
    return error->object[0] != '\0' && error->position.line == 0 &&
           (error->code == NQ_INVALID_REQUEST || error->code == NQ_INVALID_ARGUMENT ||
            error->code == NQ_INVALID_UTF8 || error->code == NQ_BAD_TOKEN);
}

static size_t open_detail(nq_writer *writer, const char *type_url, size_t *out_value) {
    size_t any = nq_writer_open(writer, STATUS_DETAILS);
    nq_writer_put_cstr(writer, ANY_TYPE_URL, type_url);
    *out_value = nq_writer_open(writer, ANY_VALUE);
    return any;
}

static void close_detail(nq_writer *writer, size_t any, size_t value) {
    nq_writer_close(writer, value);
    nq_writer_close(writer, any);
}

static void put_error_info(nq_writer *writer, const nq_error *error) {
    size_t value = 0;
    size_t any = open_detail(writer, TYPE_URL "google.rpc.ErrorInfo", &value);
    nq_writer_put_cstr(writer, INFO_REASON, nq_status_name(error->code));
    nq_writer_put_cstr(writer, INFO_DOMAIN, "neuroquantum");
    nq_writer_put_text_entry(writer, INFO_METADATA, "sqlstate",
                             nq_bytes_of_cstr(nq_status_sqlstate(error->code)));
    nq_writer_put_text_entry(
        writer, INFO_METADATA, "retryable",
        nq_bytes_of_cstr(nq_status_is_retryable(error->code) ? "true" : "false"));
    close_detail(writer, any, value);
}

static void put_query_error_detail(nq_writer *writer, const nq_error *error,
                                   uint32_t statement_index) {
    nq_writer_put_cstr(writer, DETAIL_SQLSTATE, nq_status_sqlstate(error->code));
    if (error->position.line > 0) {
        size_t position = nq_writer_open(writer, DETAIL_POSITION);
        nq_writer_put_uint(writer, POSITION_OFFSET, error->position.offset);
        nq_writer_put_uint(writer, POSITION_LINE, error->position.line);
        nq_writer_put_uint(writer, POSITION_COLUMN, error->position.column);
        nq_writer_close(writer, position);
    }
    nq_writer_put_cstr(writer, DETAIL_TOKEN, error->object);
    nq_writer_put_cstr(writer, DETAIL_HINT, error->hint);
    nq_writer_put_uint(writer, DETAIL_STATEMENT_INDEX, statement_index);
    if (is_constraint(error->code)) {
        nq_writer_put_cstr(writer, DETAIL_CONSTRAINT, error->object);
    }
}

void nq_query_error_detail_write(nq_writer *writer, uint32_t field, const nq_error *error,
                                 uint32_t statement_index) {
    size_t opened = nq_writer_open(writer, field);
    put_query_error_detail(writer, error, statement_index);
    nq_writer_close(writer, opened);
}

static void put_status(nq_writer *writer, const nq_error *error, uint32_t statement_index) {
    size_t value = 0, any = 0;
    nq_writer_put_uint(writer, STATUS_CODE, nq_status_rpc_code(error->code));
    nq_writer_put_cstr(writer, STATUS_MESSAGE, error->message);
    put_error_info(writer, error);
    any = open_detail(writer, TYPE_URL "neuroquantum.v1.QueryErrorDetail", &value);
    put_query_error_detail(writer, error, statement_index);
    close_detail(writer, any, value);
    if (concerns_field(error)) {
        any = open_detail(writer, TYPE_URL "google.rpc.BadRequest", &value);
        size_t violation = nq_writer_open(writer, BAD_REQUEST_VIOLATIONS);
        nq_writer_put_cstr(writer, VIOLATION_FIELD, error->object);
        nq_writer_put_cstr(writer, VIOLATION_DESCRIPTION, error->message);
        nq_writer_close(writer, violation);
        close_detail(writer, any, value);
    }
    if (nq_status_is_retryable(error->code)) {
        any = open_detail(writer, TYPE_URL "google.rpc.RetryInfo", &value);
        nq_writer_put_duration(writer, RETRY_DELAY, RETRY_DELAY_MS * INT64_C(1000000));
        close_detail(writer, any, value);
    }
}

nq_bytes nq_status_details_encode(void *self, nq_arena *arena, const nq_error *error) {
    (void)self;
    return nq_status_details_encode_at(arena, error, 0);
}

nq_bytes nq_status_details_encode_at(nq_arena *arena, const nq_error *error,
                                     uint32_t statement_index) {
    nq_writer writer;
    nq_bytes details = {0};
    nq_writer_init(&writer, 1 << 10, DETAILS_BYTES_MAX);
    put_status(&writer, error, statement_index);
    if (writer.status == NQ_OK) {
        details = nq_arena_copy(arena, nq_bytes_of(writer.start, nq_writer_size(&writer)));
    }
    nq_writer_deinit(&writer);
    return details.data == NULL ? (nq_bytes){0} : details;
}

/* The start of the character after `at`. */
static size_t next_character(nq_bytes text, size_t at) {
    do {
        at++;
    } while (at < text.size && (text.data[at] & 0xc0) == 0x80);
    return at;
}

/* The part of the line around `offset` that is shown, and how many characters precede the place. */
static nq_bytes shown_part(nq_bytes sql, size_t offset, uint32_t *out_before) {
    size_t start = offset;
    uint32_t before = 0;
    while (start > 0 && sql.data[start - 1] != '\n' && before < SHOWN_LINE_CHARACTERS / 2) {
        do {
            start--;
        } while (start > 0 && (sql.data[start] & 0xc0) == 0x80);
        before++;
    }
    size_t end = offset;
    for (uint32_t shown = before; shown < SHOWN_LINE_CHARACTERS && end < sql.size &&
                                  sql.data[end] != '\n' && sql.data[end] != '\r';
         shown++) {
        end = next_character(sql, end);
    }
    *out_before = before;
    return nq_bytes_of(sql.data + start, end - start);
}

void nq_error_show_place(nq_error *error, nq_bytes sql) {
    if (error->position.line == 0 || error->position.offset > sql.size) {
        return;
    }
    uint32_t before = 0;
    nq_bytes shown = shown_part(sql, error->position.offset, &before);
    char prefix[24], place[NQ_ERROR_MESSAGE_BYTES];
    int prefix_width = snprintf(prefix, sizeof prefix, "LINE %u: ", error->position.line);
    int place_bytes = snprintf(place, sizeof place, " (line %u, column %u)\n%s%.*s\n%*s^",
                               error->position.line, error->position.column, prefix,
                               NQ_BYTES_FORMAT(shown), prefix_width + (int)before, "");
    size_t used = strlen(error->message);
    if (place_bytes > 0 && used + (size_t)place_bytes < sizeof error->message) {
        memcpy(error->message + used, place, (size_t)place_bytes + 1);
        return;
    }
    /* No room for the excerpt: the numbers alone, if they fit. */
    (void)snprintf(error->message + used, sizeof error->message - used, " (line %u, column %u)",
                   error->position.line, error->position.column);
}
