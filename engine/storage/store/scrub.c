/* Scrub: the data file is read for damage, a segment at a time, so that nobody waits long. */
#include "engine/storage/store/store_internal.h"

nq_status nq__scrub_step(nq_ctx *ctx, nq_store *store, uint32_t *position,
                         nq_scrub_result *result) {
    nq_mutex_lock(&store->checkpoint_mutex);
    nq_status status = nq__store_check_health(ctx, store);
    if (status == NQ_OK) {
        status = nq_pager_scrub(ctx, store->pager, position, result);
    }
    if (nq_pager_health(store->pager) != NQ_OK) {
        nq__store_fail(store, ctx);
    }
    nq_mutex_unlock(&store->checkpoint_mutex);
    return status;
}

nq_status nq_store_scrub(nq_ctx *ctx, nq_store *store, nq_store_scrub_result *out_result) {
    nq_scrub_result found = {0};
    nq_status status;
    uint32_t position = 0;
    do {
        status = nq_ctx_poll(ctx);
        if (status == NQ_OK) {
            status = nq__scrub_step(ctx, store, &position, &found);
        }
    } while (status == NQ_OK && position != 0);
    *out_result = (nq_store_scrub_result){.segments_read = found.segments_read,
                                          .segments_damaged = found.segments_damaged,
                                          .blocks_damaged = found.blocks_damaged,
                                          .rows_lost = found.rows_lost,
                                          .superblocks_repaired = found.superblocks_repaired};
    return status;
}
