/* Access log: a line for every call that ended, when log.access is on. */
#ifndef NQ_SERVER_OBSERVE_ACCESS_LOG_H
#define NQ_SERVER_OBSERVE_ACCESS_LOG_H

#include "engine/ground/base/bytes.h"
#include "engine/ground/base/status.h"

typedef struct nq_access_record {
    const char *method; /* "/neuroquantum.v1.QueryService/Execute" */
    const char *peer;
    nq_bytes request_id; /* the client's x-request-id, may be empty */
    nq_bytes user_agent;
    nq_rpc_code code;
    const char *text; /* the status text of a failure */
    int64_t duration_ns;
    uint64_t messages_received, messages_sent;
    uint64_t bytes_received, bytes_sent;
} nq_access_record;

void nq_access_log_write(const nq_access_record *record);

#endif
