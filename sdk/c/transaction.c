/* Transactions: begin, commit, roll back. */
#include <string.h>

#include "neuroquantum/v1/query.pb-c.h"
#include "sdk/c/client_internal.h"

#define QUERY "/neuroquantum.v1.QueryService/"

nq_code nq_client_begin(nq_client *client, bool read_only, nq_transaction_handle *out_transaction,
                        nq_failure *out_failure) {
    memset(out_transaction, 0, sizeof *out_transaction);
    Neuroquantum__V1__TransactionOptions options = NEUROQUANTUM__V1__TRANSACTION_OPTIONS__INIT;
    options.read_only = read_only;
    Neuroquantum__V1__BeginTransactionRequest request =
        NEUROQUANTUM__V1__BEGIN_TRANSACTION_REQUEST__INIT;
    request.options = &options;
    ProtobufCMessage *message;
    nq_code code = nq_client_call_unary(client, QUERY "BeginTransaction", &request.base,
                                        &neuroquantum__v1__begin_transaction_response__descriptor,
                                        0, &message, out_failure);
    if (code != NQ_CODE_OK) {
        return code;
    }
    const Neuroquantum__V1__BeginTransactionResponse *response = (void *)message;
    if (response->transaction_id.len <= sizeof out_transaction->id) {
        out_transaction->id_bytes = response->transaction_id.len;
        memcpy(out_transaction->id, response->transaction_id.data, response->transaction_id.len);
    } else {
        code = nq__fail(out_failure, NQ_CODE_INTERNAL, "BAD_RESPONSE", "the id is too long");
    }
    protobuf_c_message_free_unpacked(message, NULL);
    return code;
}

static ProtobufCBinaryData id_of(nq_transaction_handle *transaction) {
    return (ProtobufCBinaryData){transaction->id_bytes, transaction->id};
}

nq_code nq_client_commit(nq_client *client, nq_transaction_handle *transaction,
                         nq_failure *out_failure) {
    Neuroquantum__V1__CommitTransactionRequest request =
        NEUROQUANTUM__V1__COMMIT_TRANSACTION_REQUEST__INIT;
    request.transaction_id = id_of(transaction);
    ProtobufCMessage *message;
    nq_code code = nq_client_call_unary(client, QUERY "CommitTransaction", &request.base,
                                        &neuroquantum__v1__commit_transaction_response__descriptor,
                                        0, &message, out_failure);
    if (code == NQ_CODE_OK) {
        protobuf_c_message_free_unpacked(message, NULL);
    }
    transaction->id_bytes = 0;
    return code;
}

nq_code nq_client_rollback(nq_client *client, nq_transaction_handle *transaction,
                           nq_failure *out_failure) {
    Neuroquantum__V1__RollbackTransactionRequest request =
        NEUROQUANTUM__V1__ROLLBACK_TRANSACTION_REQUEST__INIT;
    request.transaction_id = id_of(transaction);
    ProtobufCMessage *message;
    nq_code code = nq_client_call_unary(
        client, QUERY "RollbackTransaction", &request.base,
        &neuroquantum__v1__rollback_transaction_response__descriptor, 0, &message, out_failure);
    if (code == NQ_CODE_OK) {
        protobuf_c_message_free_unpacked(message, NULL);
    }
    transaction->id_bytes = 0;
    return code;
}
