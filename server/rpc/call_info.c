/* Call, the getters. */
#include "engine/ground/os/clock.h"
#include "server/rpc/transport.h"

const nq_method *nq_call_method(const nq_call *call) {
    return call->method;
}

void *nq_call_service(const nq_call *call) {
    return call->service;
}

void *nq_call_state(nq_call *call) {
    return call->state;
}

uint64_t nq_call_id(const nq_call *call) {
    return call->id;
}

uint64_t nq_call_connection_id(const nq_call *call) {
    return call->connection_id;
}

const char *nq_call_peer(const nq_call *call) {
    return call->transport->peer(call);
}

nq_bytes nq_call_metadata(const nq_call *call, const char *key) {
    return call->transport->metadata(call, key);
}

int64_t nq_call_deadline_ns(const nq_call *call) {
    return call->deadline_ns;
}

const nq_cancel_flag *nq_call_cancel_flag(const nq_call *call) {
    return &call->cancel;
}

nq_arena *nq_call_arena(nq_call *call) {
    return &call->arena;
}

void nq_call_init_ctx(nq_call *call, nq_ctx *out_ctx, nq_arena *scratch) {
    nq_ctx_init(out_ctx, scratch != NULL ? scratch : &call->arena);
    out_ctx->deadline_ns = call->deadline_ns;
    out_ctx->cancel = &call->cancel;
    out_ctx->now_ns = nq_clock_monotonic_ns;
}
