/* Interceptors: the short chain every call passes before its handler and after its end.
 *
 * Admission, authentication, access log and metrics hang here, so that services know none of them.
 */
#ifndef NQ_SERVER_RPC_INTERCEPTOR_H
#define NQ_SERVER_RPC_INTERCEPTOR_H

#include "server/rpc/call.h"

/* What one call was, once it is over. `text` is the status text; valid during the callback. */
typedef struct nq_call_report {
    nq_rpc_code code;
    const char *text;
    int64_t opened_ns; /* nq_clock_monotonic_ns() when the call was matched to its method */
    int64_t done_ns;
    uint64_t messages_received;
    uint64_t messages_sent;
    uint64_t bytes_received; /* message bytes, without framing */
    uint64_t bytes_sent;
} nq_call_report;

/* One link of the chain every call passes, in order; it must not block.
 * on_start, on a queue thread, refuses by failing `ctx`: the client gets that failure, the handler
 * never runs. on_finish, on any thread, after on_done, in reverse order, for every link whose
 * on_start agreed. Calls refused for an unknown method or by the in-flight cap pass the chain too.
 */
typedef struct nq_interceptor {
    const char *name;
    void *self;
    nq_status (*on_start)(void *self, nq_ctx *ctx, nq_call *call);              /* may be NULL */
    void (*on_finish)(void *self, nq_call *call, const nq_call_report *report); /* may be NULL */
} nq_interceptor;

/* Serializes google.rpc.Status for a failure, into `arena`; empty when it cannot. */
typedef nq_bytes (*nq_error_encoder)(void *self, nq_arena *arena, const nq_error *error);

#endif
