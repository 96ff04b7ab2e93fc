/* Table states and claims: who may write to a table, and who may take it away.
 *
 * A claim is shared (the transaction writes rows) or exclusive (it drops or empties the table), and
 * lasts until the transaction has ended. Rows have locks of their own in the store; claims only
 * keep a table from vanishing under its writers. Two writers that both want to be the only one wait
 * for each other: the second is told NQ_DEADLOCK. Other cycles end with NQ_LOCK_TIMEOUT. */
#include "engine/data/catalog/catalog_internal.h"
#include "engine/ground/base/heap.h"
#include "engine/ground/os/clock.h"

static nq_table_state **bucket_of(nq_catalog *catalog, uint32_t tree) {
    return &catalog->states[tree & (NQ__STATE_BUCKET_COUNT - 1)];
}

nq_table_state *nq__table_state_acquire(nq_catalog *catalog, nq_tree_id tree) {
    nq_mutex_lock(&catalog->mutex);
    nq_table_state **bucket = bucket_of(catalog, tree.value);
    nq_table_state *state = *bucket;
    while (state != NULL && state->tree != tree.value) {
        state = state->next;
    }
    if (state == NULL) {
        state = nq_heap_calloc(1, sizeof *state);
        if (state != NULL) {
            state->catalog = catalog;
            state->tree = tree.value;
            state->next = *bucket;
            *bucket = state;
        }
    }
    if (state != NULL) {
        state->reference_count++;
    }
    nq_mutex_unlock(&catalog->mutex);
    return state;
}

/* Under the mutex: answers the state when nobody refers to it any more, for the caller to free. */
static nq_table_state *drop_reference(nq_table_state *state) {
    if (--state->reference_count > 0) {
        return NULL;
    }
    nq_table_state **link = bucket_of(state->catalog, state->tree);
    while (*link != state) {
        link = &(*link)->next;
    }
    *link = state->next;
    return state;
}

void nq__table_state_release(nq_table_state *state) {
    nq_catalog *catalog = state->catalog;
    nq_mutex_lock(&catalog->mutex);
    nq_table_state *dead = drop_reference(state);
    nq_mutex_unlock(&catalog->mutex);
    nq_heap_free(dead);
}

static nq__claim *find_claim(nq_data_txn *txn, const nq_table_state *state) {
    for (uint32_t i = txn->claim_count; i > 0; i--) {
        if (txn->claims[i - 1].state == state) {
            return &txn->claims[i - 1];
        }
    }
    return NULL;
}

/* The transaction's claim on the state, new and empty if need be; it refers to the state. */
static nq_status get_claim(nq_ctx *ctx, nq_data_txn *txn, nq_table_state *state,
                           nq__claim **out_claim) {
    *out_claim = find_claim(txn, state);
    if (*out_claim != NULL) {
        return NQ_OK;
    }
    if (txn->claim_count == txn->claim_capacity) {
        uint32_t capacity = txn->claim_capacity * 2;
        bool is_inline = txn->claims == txn->inline_claims;
        nq__claim *claims =
            nq_heap_realloc(is_inline ? NULL : txn->claims, capacity * sizeof *claims);
        if (claims == NULL) {
            return nq_fail_no_memory(ctx, "a transaction's claims");
        }
        for (uint32_t i = 0; is_inline && i < txn->claim_count; i++) {
            claims[i] = txn->inline_claims[i];
        }
        txn->claims = claims;
        txn->claim_capacity = capacity;
    }
    nq_mutex_lock(&txn->catalog->mutex);
    state->reference_count++;
    nq_mutex_unlock(&txn->catalog->mutex);
    *out_claim = &txn->claims[txn->claim_count++];
    **out_claim = (nq__claim){.state = state};
    return NQ_OK;
}

/* Under the mutex. Waits for a change of claims, in short naps so that a cancel is noticed. */
static nq_status wait_for_claims(nq_ctx *ctx, nq_catalog *catalog, int64_t until_ns) {
    enum { NAP_NS = 10000000 };
    NQ_TRY(nq_ctx_poll(ctx));
    int64_t now_ns = nq_clock_monotonic_ns();
    if (now_ns >= until_ns) {
        return nq_fail(ctx, NQ_LOCK_TIMEOUT,
                       "another transaction holds the table for longer than %d s",
                       NQ__CLAIM_WAIT_SECONDS);
    }
    (void)nq_cond_wait_until(&catalog->claims_changed, &catalog->mutex, now_ns + NAP_NS);
    return NQ_OK;
}

static int64_t claim_deadline_ns(void) {
    return nq_clock_monotonic_ns() + NQ__CLAIM_WAIT_SECONDS * INT64_C(1000000000);
}

static nq_status fail_gone(nq_ctx *ctx) {
    return nq_fail(ctx, NQ_WRITE_CONFLICT,
                   "the table was dropped or emptied by a concurrent transaction");
}

nq_status nq_data_txn_claim(nq_ctx *ctx, nq_data_txn *txn, const nq_table *table) {
    nq_table_state *state = table->state;
    nq__claim *claim = find_claim(txn, state);
    if (claim != NULL && (claim->is_shared || claim->is_exclusive)) {
        return NQ_OK;
    }
    if (txn->is_read_only) {
        return nq_fail(ctx, NQ_READ_ONLY_TRANSACTION, "cannot write in a read-only transaction");
    }
    NQ_TRY(get_claim(ctx, txn, state, &claim));
    nq_status status = NQ_OK;
    int64_t until_ns = 0;
    nq_mutex_lock(&txn->catalog->mutex);
    while (status == NQ_OK && state->exclusive_holder != NULL) {
        until_ns = until_ns == 0 ? claim_deadline_ns() : until_ns;
        status = wait_for_claims(ctx, txn->catalog, until_ns);
    }
    if (status == NQ_OK && state->is_gone) {
        status = fail_gone(ctx);
    }
    if (status == NQ_OK) {
        claim->is_shared = true;
        state->writer_count++;
        txn->has_written = true;
    }
    nq_mutex_unlock(&txn->catalog->mutex);
    return status;
}

/* Under the mutex: others write to it, or take it away. */
static bool is_contended(const nq_table_state *state, const nq__claim *claim) {
    return state->exclusive_holder != NULL || state->writer_count > (claim->is_shared ? 1u : 0u);
}

nq_status nq__claim_exclusive(nq_ctx *ctx, nq_data_txn *txn, nq_table_state *state) {
    nq__claim *claim;
    NQ_TRY(get_claim(ctx, txn, state, &claim));
    if (claim->is_exclusive) {
        return NQ_OK;
    }
    nq_status status = NQ_OK;
    int64_t until_ns = 0;
    nq_mutex_lock(&txn->catalog->mutex);
    while (status == NQ_OK && is_contended(state, claim)) {
        if (claim->is_shared && state->upgrader != NULL && state->upgrader != txn) {
            status = nq_fail(ctx, NQ_DEADLOCK, "two writers of the table want it alone");
            break;
        }
        state->upgrader = claim->is_shared ? txn : state->upgrader;
        until_ns = until_ns == 0 ? claim_deadline_ns() : until_ns;
        status = wait_for_claims(ctx, txn->catalog, until_ns);
    }
    if (state->upgrader == txn) {
        state->upgrader = NULL;
    }
    if (status == NQ_OK && state->is_gone) {
        status = fail_gone(ctx);
    }
    if (status == NQ_OK) {
        claim->is_exclusive = true;
        state->exclusive_holder = txn;
    }
    nq_mutex_unlock(&txn->catalog->mutex);
    return status;
}

static bool is_in_snapshot(const nq_catalog_snapshot *snapshot, const nq_table_state *state) {
    for (uint32_t i = 0; i < snapshot->table_count; i++) {
        if (snapshot->tables[i]->state == state) {
            return true;
        }
    }
    return false;
}

void nq__claims_mark_gone(nq_data_txn *txn, const nq_catalog_snapshot *after) {
    for (uint32_t i = 0; i < txn->claim_count; i++) {
        nq__claim *claim = &txn->claims[i];
        /* A drop that was rolled back to a savepoint leaves the table where it was. */
        if (claim->is_exclusive && !is_in_snapshot(after, claim->state)) {
            claim->state->is_gone = true;
        }
    }
}

void nq__claims_release(nq_data_txn *txn) {
    if (txn->claim_count == 0) {
        return;
    }
    nq_catalog *catalog = txn->catalog;
    nq_mutex_lock(&catalog->mutex);
    for (uint32_t i = 0; i < txn->claim_count; i++) {
        nq__claim *claim = &txn->claims[i];
        claim->state->writer_count -= claim->is_shared;
        if (claim->is_exclusive) {
            claim->state->exclusive_holder = NULL;
        }
        claim->state = drop_reference(claim->state);
    }
    nq_cond_broadcast(&catalog->claims_changed);
    nq_mutex_unlock(&catalog->mutex);
    for (uint32_t i = 0; i < txn->claim_count; i++) {
        nq_heap_free(txn->claims[i].state);
    }
    if (txn->claims != txn->inline_claims) {
        nq_heap_free(txn->claims);
    }
    txn->claims = txn->inline_claims;
    txn->claim_capacity = NQ__CLAIM_COUNT_INLINE;
    txn->claim_count = 0;
}
