/* Claims: who may write to a table, and who may take it away. A claim is the store's lock of the
 * table's tree, shared or alone, so whoever waits for one stands in the same queues, and is found
 * in the same circles, as those who wait for rows. */
#include "engine/data/catalog/catalog_internal.h"

static nq_status claim(nq_ctx *ctx, nq_data_txn *txn, const nq_table *table,
                       nq_tree_access access) {
    if (txn->is_read_only) {
        return nq_fail(ctx, NQ_READ_ONLY_TRANSACTION, "cannot write in a read-only transaction");
    }
    nq_status status = nq_txn_tree_lock(ctx, txn->txn, table->tree, access);
    bool is_gone = status == NQ_TABLE_NOT_FOUND || status == NQ_WRITE_CONFLICT;
    if (is_gone) {
        return nq_fail(ctx, NQ_WRITE_CONFLICT,
                       "the table was dropped or emptied by a concurrent transaction");
    }
    txn->has_written = txn->has_written || status == NQ_OK;
    return status;
}

nq_status nq_data_txn_claim(nq_ctx *ctx, nq_data_txn *txn, const nq_table *table) {
    return claim(ctx, txn, table, NQ_TREE_SHARED);
}

nq_status nq__claim_alone(nq_ctx *ctx, nq_data_txn *txn, const nq_table *table) {
    return claim(ctx, txn, table, NQ_TREE_ALONE);
}
