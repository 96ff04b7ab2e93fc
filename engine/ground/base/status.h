/* Status: how every fallible function reports its outcome.
 *
 * The code travels by value and costs one compare on the success path; the words a human needs are
 * written once, into the context, by whoever first knew what went wrong. */
#ifndef NQ_GROUND_BASE_STATUS_H
#define NQ_GROUND_BASE_STATUS_H

#include <stdbool.h>
#include <stdint.h>

typedef enum nq_status {
#define NQ_STATUS(name, grpc, sqlstate, retryable, meaning) NQ_##name,
#include "engine/ground/base/status_codes.def"
#undef NQ_STATUS
    NQ_STATUS_COUNT
} nq_status;

/* The canonical codes of google.rpc.Code, by their published numbers: the table's second column. */
typedef enum nq_rpc_code {
    NQ_RPC_OK = 0,
    NQ_RPC_CANCELLED = 1,
    NQ_RPC_UNKNOWN = 2,
    NQ_RPC_INVALID_ARGUMENT = 3,
    NQ_RPC_DEADLINE_EXCEEDED = 4,
    NQ_RPC_NOT_FOUND = 5,
    NQ_RPC_ALREADY_EXISTS = 6,
    NQ_RPC_PERMISSION_DENIED = 7,
    NQ_RPC_RESOURCE_EXHAUSTED = 8,
    NQ_RPC_FAILED_PRECONDITION = 9,
    NQ_RPC_ABORTED = 10,
    NQ_RPC_OUT_OF_RANGE = 11,
    NQ_RPC_UNIMPLEMENTED = 12,
    NQ_RPC_INTERNAL = 13,
    NQ_RPC_UNAVAILABLE = 14,
    NQ_RPC_DATA_LOSS = 15,
    NQ_RPC_UNAUTHENTICATED = 16,
} nq_rpc_code;

/* Where in a statement's text something stands. `line` 0 means unknown; lines and columns count
 * from 1, columns in characters, `offset` in bytes from 0. */
typedef struct nq_position {
    uint32_t offset;
    uint32_t line;
    uint32_t column;
} nq_position;

enum { NQ_ERROR_MESSAGE_BYTES = 240, NQ_ERROR_HINT_BYTES = 160, NQ_ERROR_OBJECT_BYTES = 64 };

/* One failure. Lives inside nq_ctx, so reporting out-of-memory cannot itself run out of memory.
 * Texts are UTF-8, cut at a character boundary when too long. */
typedef struct nq_error {
    nq_status code;
    uint32_t source_line;
    const char *source_file;
    nq_position position;
    char message[NQ_ERROR_MESSAGE_BYTES];
    char hint[NQ_ERROR_HINT_BYTES];
    char object[NQ_ERROR_OBJECT_BYTES]; /* the token, field, table or constraint at fault; may be ""
                                         */
} nq_error;

const char *nq_status_name(nq_status code);
const char *nq_status_meaning(nq_status code);
const char *nq_status_sqlstate(nq_status code);
nq_rpc_code nq_status_rpc_code(nq_status code);
bool nq_status_is_retryable(nq_status code);

nq_status nq_fail_at(nq_error *error, nq_status code, const char *file, uint32_t line,
                     const char *format, ...)
    __attribute__((format(printf, 5, 6), warn_unused_result));

/* Writes the failure into the context and returns its code: `return nq_fail(ctx, NQ_X, "...")`.
 * Clears hint, object and position. */
#define nq_fail(ctx, code, ...) \
    nq_fail_at(&(ctx)->error, (code), __FILE__, (uint32_t)__LINE__, __VA_ARGS__)

/* Adds to a failure just written: what to do about it, which object it concerns, where in the text.
 */
void nq_error_set_hint(nq_error *error, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void nq_error_set_object(nq_error *error, const char *text, uint64_t text_bytes);

/* For a function that holds nothing: leave with the callee's status. */
#define NQ_TRY(call)                       \
    do {                                   \
        nq_status nq_try_status_ = (call); \
        if (nq_try_status_ != NQ_OK) {     \
            return nq_try_status_;         \
        }                                  \
    } while (0)

/* For a function that holds something: go to its single `done:`, where everything is let go.
 * Expects a local `nq_status status`. */
#define NQ_CHECK(call)         \
    do {                       \
        status = (call);       \
        if (status != NQ_OK) { \
            goto done;         \
        }                      \
    } while (0)

#endif
