/* Reader: read-only transactions, which begin and end without a lock.
 *
 *   begin            take a free seat by announcing the published version, look what is published
 *   end              leave the seat, look what is published
 *   a version goes   a newer one is published, nobody counts on it, look at the seats
 *
 * The seats are hazard pointers (Michael, TPDS 2004). Each side first writes, then looks at what
 * the other writes, and all of these are in one total order (the atomics' default). So either the
 * reader sees that its version is no longer the published one — then it announces the newer one
 * before it reads anything, or on its way out sees to it that the old one goes — or whoever would
 * let the version go sees the announcement (S7).
 *
 * A seat also keeps a transaction at rest, with the trees it has looked up, for the next reader to
 * take it. Readers that stay leave their seats (nq_scan_park) and are counted like writers. */
#include "engine/ground/base/heap.h"
#include "engine/storage/page/bug.h"
#include "engine/storage/store/txn_internal.h"

nq_status nq__readers_init(nq_ctx *ctx, nq_store *store) {
    size_t bytes = NQ__READER_SEATS * sizeof *store->seats;
    store->seats = nq_heap_alloc_aligned(NQ__LINE_BYTES, bytes);
    if (store->seats == NULL) {
        return nq_fail_no_memory(ctx, "the readers' seats");
    }
    memset((void *)store->seats, 0, bytes);
    return NQ_OK;
}

void nq__readers_deinit(nq_store *store) {
    for (uint32_t i = 0; store->seats != NULL && i < NQ__READER_SEATS; i++) {
        nq__txn_destroy(store->seats[i].idle);
    }
    nq_heap_free((void *)store->seats);
}

bool nq__version_is_announced(nq_store *store, const nq_version *version) {
    if (NQ_HAS_BUG(READER_OVERLOOKED)) {
        return false;
    }
    for (uint32_t i = 0; i < NQ__READER_SEATS; i++) {
        if (atomic_load(&store->seats[i].announced) == version) {
            return true;
        }
    }
    return false;
}

uint32_t nq__readers_count(nq_store *store) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < NQ__READER_SEATS; i++) {
        count += atomic_load(&store->seats[i].announced) != NULL ? 1 : 0;
    }
    return count;
}

/* A seat near the thread's own, held by what it announces; NULL: these are taken. */
static nq_reader_seat *take_seat(nq_store *store) {
    enum { TRIES = 4 };
    uint32_t first = nq_thread_ordinal();
    for (uint32_t i = 0; i < TRIES; i++) {
        nq_reader_seat *seat = &store->seats[(first + i) % NQ__READER_SEATS];
        nq_version *nobody = NULL;
        if (atomic_load_explicit(&seat->announced, memory_order_relaxed) == NULL &&
            atomic_compare_exchange_strong(&seat->announced, &nobody,
                                           atomic_load(&store->published))) {
            return seat;
        }
    }
    return NULL;
}

/* Announces what is published; from then on it stays. */
static nq_version *announce_published(nq_store *store, nq_reader_seat *seat) {
    nq_version *announced = atomic_load_explicit(&seat->announced, memory_order_relaxed);
    for (;;) {
        nq_version *published = atomic_load(&store->published);
        if (published == announced) {
            return announced;
        }
        atomic_store(&seat->announced, published);
        nq__version_retract(store, announced, 0);
        announced = published;
    }
}

nq_txn *nq__reader_begin(nq_store *store) {
    nq_reader_seat *seat = take_seat(store);
    if (seat == NULL) {
        return NULL;
    }
    nq_version *snapshot = announce_published(store, seat);
    if (seat->idle == NULL) {
        seat->idle = nq__txn_create(store);
    }
    nq_txn *txn = seat->idle;
    if (txn == NULL) {
        atomic_store(&seat->announced, NULL);
        nq__version_retract(store, snapshot, 0);
        return NULL;
    }
    txn->seat = seat;
    nq__txn_set_snapshot(txn, snapshot);
    return txn;
}

void nq__reader_end(nq_txn *txn) {
    nq_store *store = txn->store;
    const nq_version *snapshot = txn->snapshot;
    uint64_t generation = snapshot->generation;
    nq_heap_free(txn->value.data);
    txn->value = (nq_long_value){0};
    atomic_store(&txn->seat->announced, NULL); /* the transaction is the next reader's now */
    if (atomic_load(&store->published) != snapshot) {
        nq__version_retract(store, snapshot, generation);
    }
}

void nq__reader_renew(nq_txn *txn) {
    nq__txn_set_snapshot(txn, announce_published(txn->store, txn->seat));
}

void nq__reader_leave_seat(nq_txn *txn) {
    nq_reader_seat *seat = txn->seat;
    nq__version_share(txn->store, txn->snapshot);
    atomic_fetch_add_explicit(&txn->store->counters.open_txns, 1, memory_order_relaxed);
    txn->seat = NULL;
    seat->idle = NULL;
    atomic_store(&seat->announced, NULL);
}
