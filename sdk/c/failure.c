/* Failures: from gRPC status, its details, and the client's own mouth. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "google/rpc/error_details.pb-c.h"
#include "google/rpc/status.pb-c.h"
#include "neuroquantum/v1/types.pb-c.h"
#include "sdk/c/client_internal.h"

static const char *const CODE_NAMES[] = {
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
};

const char *nq_code_name(nq_code code) {
    static const size_t count = sizeof CODE_NAMES / sizeof CODE_NAMES[0];
    return code >= 0 && (size_t)code < count ? CODE_NAMES[code] : "CODE_UNKNOWN";
}

bool nq_failure_is_retryable(const nq_failure *failure) {
    return failure->code == NQ_CODE_UNAVAILABLE || failure->code == NQ_CODE_ABORTED ||
           (failure->code == NQ_CODE_RESOURCE_EXHAUSTED &&
            strcmp(failure->reason, "RESULT_TOO_LARGE") != 0 &&
            strcmp(failure->reason, "MESSAGE_TOO_LARGE") != 0);
}

void nq__copy_text(char *target, size_t target_bytes, const char *source, size_t source_bytes) {
    size_t bytes = source_bytes < target_bytes ? source_bytes : target_bytes - 1;
    /* Never cut inside a character. */
    while (bytes < source_bytes && bytes > 0 && ((uint8_t)source[bytes] & 0xc0) == 0x80) {
        bytes--;
    }
    memcpy(target, source, bytes);
    target[bytes] = '\0';
}

nq_code nq__fail(nq_failure *out_failure, nq_code code, const char *reason, const char *format,
                 ...) {
    if (out_failure != NULL) {
        memset(out_failure, 0, sizeof *out_failure);
        out_failure->code = code;
        nq__copy_text(out_failure->reason, sizeof out_failure->reason, reason, strlen(reason));
        va_list arguments;
        va_start(arguments, format);
        vsnprintf(out_failure->message, sizeof out_failure->message, format, arguments);
        va_end(arguments);
    }
    return code;
}

static void copy_string(char *target, size_t target_bytes, const char *source) {
    nq__copy_text(target, target_bytes, source, strlen(source));
}

static bool is_type(const Google__Protobuf__Any *any, const char *name) {
    const char *slash = strrchr(any->type_url, '/');
    return slash != NULL && strcmp(slash + 1, name) == 0;
}

static void read_error_info(nq_failure *failure, const Google__Protobuf__Any *any) {
    Google__Rpc__ErrorInfo *info =
        google__rpc__error_info__unpack(NULL, any->value.len, any->value.data);
    if (info != NULL) {
        copy_string(failure->reason, sizeof failure->reason, info->reason);
        google__rpc__error_info__free_unpacked(info, NULL);
    }
}

static void read_query_detail(nq_failure *failure, const Google__Protobuf__Any *any) {
    Neuroquantum__V1__QueryErrorDetail *detail =
        neuroquantum__v1__query_error_detail__unpack(NULL, any->value.len, any->value.data);
    if (detail == NULL) {
        return;
    }
    copy_string(failure->sqlstate, sizeof failure->sqlstate, detail->sqlstate);
    copy_string(failure->hint, sizeof failure->hint, detail->hint);
    copy_string(failure->token, sizeof failure->token, detail->token);
    if (detail->position != NULL) {
        failure->line = detail->position->line;
        failure->column = detail->position->column;
        failure->offset = detail->position->offset;
    }
    neuroquantum__v1__query_error_detail__free_unpacked(detail, NULL);
}

void nq__failure_read_details(nq_failure *failure, const uint8_t *details, size_t details_bytes) {
    Google__Rpc__Status *status = google__rpc__status__unpack(NULL, details_bytes, details);
    if (status == NULL) {
        return;
    }
    for (size_t i = 0; i < status->n_details; i++) {
        if (is_type(status->details[i], "google.rpc.ErrorInfo")) {
            read_error_info(failure, status->details[i]);
        } else if (is_type(status->details[i], "neuroquantum.v1.QueryErrorDetail")) {
            read_query_detail(failure, status->details[i]);
        }
    }
    google__rpc__status__free_unpacked(status, NULL);
}
