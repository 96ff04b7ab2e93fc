/* Context: when work must stop, and how running out of memory is said. */
#include "engine/ground/base/ctx.h"

void nq_ctx_init(nq_ctx *ctx, nq_arena *scratch) {
    *ctx = (nq_ctx){.scratch = scratch, .deadline_ns = NQ_NO_DEADLINE};
}

nq_status nq_ctx_poll(nq_ctx *ctx) {
    if (ctx->cancel != NULL) {
        nq_status reason = (nq_status)atomic_load_explicit(ctx->cancel, memory_order_relaxed);
        if (reason != NQ_OK) {
            return nq_fail(ctx, reason, "stopped: %s", nq_status_meaning(reason));
        }
    }
    if (ctx->deadline_ns != NQ_NO_DEADLINE && ctx->now_ns != NULL &&
        ctx->now_ns() >= ctx->deadline_ns) {
        return nq_fail(ctx, NQ_STATEMENT_TIMEOUT, "stopped: the deadline passed");
    }
    return NQ_OK;
}

nq_status nq_fail_no_memory(nq_ctx *ctx, const char *what) {
    size_t budget = ctx->scratch == NULL ? 0 : ctx->scratch->budget_bytes;
    if (budget == 0) {
        return nq_fail(ctx, NQ_MEMORY_LIMIT, "out of memory for %s", what);
    }
    nq_status status = nq_fail(ctx, NQ_MEMORY_LIMIT,
                               "out of memory for %s: the budget is %zu bytes", what, budget);
    nq_error_set_hint(&ctx->error, "Return fewer rows, or raise the statement memory limit.");
    return status;
}
