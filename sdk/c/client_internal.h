/* client, inside: what the files of libnq share. */
#ifndef NQ_SDK_C_CLIENT_INTERNAL_H
#define NQ_SDK_C_CLIENT_INTERNAL_H

#include <grpc/grpc.h>
#include <pthread.h>

#include "neuroquantum/v1/types.pb-c.h"
#include "sdk/c/nq.h"
#include "sdk/c/rpc.h"

struct nq_client {
    grpc_channel *channel;
    char *target;
    uint32_t timeout_ms;
    pthread_mutex_t lock; /* guards calls, and each call's grpc_call against cancel */
    nq_client_call *calls;
};

/* Writes a failure of the client's own making; returns its code. `out_failure` may be NULL. */
nq_code nq__fail(nq_failure *out_failure, nq_code code, const char *reason, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* Reads grpc-status-details-bin, if the call brought one, over what code and message already say.
 */
void nq__failure_read_details(nq_failure *failure, const uint8_t *details, size_t details_bytes);
void nq__copy_text(char *target, size_t target_bytes, const char *source, size_t source_bytes);

/* Sends without asking why when the call has ended (false): for controls of something that is being
 * read, where the reader finds out. */
bool nq__call_try_send(nq_client_call *call, const ProtobufCMessage *message);

/* Turns what a user typed into a target for the gRPC core, to be freed; NULL: malformed or no
 * memory. */
char *nq__target_parse(const char *uri, nq_failure *out_failure);

/* Room for one Value per datum, wired up for packing. Text is borrowed from the data. */
void nq__value_from_datum(Neuroquantum__V1__Value *value, const nq_datum *datum);

/* A batch as received. Owns nothing: points into an unpacked message. */
struct nq_row_batch {
    uint32_t row_count;
    size_t column_count;
    const nq_column *columns;
    Neuroquantum__V1__ColumnBatch *message;
};

/* Proves every length and offset of `message` against the columns, so that reading needs no more
 * checks. Fails with INTERNAL. */
nq_code nq__row_batch_check(const nq_row_batch *batch, nq_failure *out_failure);

#endif
