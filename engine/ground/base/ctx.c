/* Context: its start, and the one question long work keeps asking. */
#include "engine/ground/base/ctx.h"

#include <stddef.h>

void nq_ctx_init(nq_ctx *ctx, nq_arena *scratch) {
    *ctx = (nq_ctx){.scratch = scratch, .deadline_ns = NQ_NO_DEADLINE};
}

nq_status nq_ctx_poll(nq_ctx *ctx) {
    if (ctx->cancel != NULL) {
        nq_status reason = (nq_status)atomic_load_explicit(ctx->cancel, memory_order_relaxed);
        if (reason != NQ_OK) {
            return nq_fail(ctx, reason, "%s", nq_status_meaning(reason));
        }
    }
    if (ctx->deadline_ns != NQ_NO_DEADLINE && ctx->now_ns != NULL &&
        ctx->now_ns() >= ctx->deadline_ns) {
        return nq_fail(ctx, NQ_STATEMENT_TIMEOUT, "%s", nq_status_meaning(NQ_STATEMENT_TIMEOUT));
    }
    return NQ_OK;
}

nq_status nq_fail_no_memory(nq_ctx *ctx, const char *what) {
    if (ctx->scratch == NULL) {
        return nq_fail(ctx, NQ_MEMORY_LIMIT, "no memory is left for %s", what);
    }
    return nq_fail(ctx, NQ_MEMORY_LIMIT, "no memory is left for %s within the budget of %zu bytes",
                   what, ctx->scratch->budget_bytes);
}
