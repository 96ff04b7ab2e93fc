/* Health: the store after a failed sync. Nobody knows what the disk holds then, so nothing is
 * written any more until recovery has looked; reads go on. */
#include "engine/storage/store/store_internal.h"

void nq__store_fail(nq_store *store, const nq_ctx *ctx) {
    nq_mutex_lock(&store->failure_mutex);
    if (store->failure.code == NQ_OK) {
        store->failure = ctx->error;
        atomic_store(&store->health, (uint32_t)ctx->error.code);
    }
    nq_mutex_unlock(&store->failure_mutex);
}

nq_status nq_store_health(const nq_store *store) {
    nq_status own = (nq_status)atomic_load(&store->health);
    return own != NQ_OK ? own : nq_log_health(store->log);
}

nq_status nq__store_check_health(nq_ctx *ctx, nq_store *store) {
    if (__builtin_expect(nq_store_health(store) == NQ_OK, 1)) {
        return NQ_OK;
    }
    nq_mutex_lock(&store->failure_mutex);
    const char *cause = store->failure.code == NQ_OK ? "the log failed" : store->failure.message;
    nq_status status = nq_fail(ctx, NQ_READ_ONLY_DATABASE, "writing stopped after: %s", cause);
    nq_mutex_unlock(&store->failure_mutex);
    return status;
}
