/* Transaction registry: a chained hash table under one mutex, and a thread that ends the idle.
 *
 * States of an entry, all changes under the mutex:
 *
 *            check_out                     commit, rollback
 *     IDLE ─────────────▶ BUSY ──────────────────────────────▶ (freed)
 *       ▲  ◀─────────────  │
 *       │     check_in
 *       └─ idle for too long: unlinked by the reaper, rolled back outside the mutex, id remembered
 *
 * I1: an entry is in the table exactly while IDLE or BUSY.
 * I2: only the caller that made it BUSY touches its engine transaction; the reaper only what it has
 *     unlinked. */
#include "server/service/transaction_registry.h"

#include "engine/ground/base/assert.h"
#include "engine/ground/base/codec.h"
#include "engine/ground/base/heap.h"
#include "engine/ground/os/clock.h"
#include "engine/ground/os/entropy.h"
#include "engine/ground/os/mutex.h"
#include "engine/ground/os/thread.h"

enum {
    BUCKET_COUNT = 1024,  /* a power of two */
    EXPIRED_COUNT = 1024, /* ids remembered after they were ended for idleness */
};

/* How often the reaper looks; a timeout is kept to within this. */
#define REAP_INTERVAL_NS INT64_C(100000000)

struct nq_open_transaction {
    struct nq_open_transaction *next; /* in its bucket, or in the reaper's list */
    nq_transaction *transaction;
    uint8_t id[NQ_TRANSACTION_ID_BYTES];
    int64_t idle_timeout_ns;
    int64_t idle_since_ns;
    bool is_busy;
    bool is_failed;
};

struct nq_transaction_registry {
    nq_mutex mutex;
    nq_cond stop;
    nq_thread reaper;
    nq_database *database;
    int64_t idle_timeout_ns;
    uint32_t count;
    uint32_t count_max;
    bool is_stopping;
    uint64_t expired_total;
    nq_open_transaction *buckets[BUCKET_COUNT];
    uint8_t expired[EXPIRED_COUNT][NQ_TRANSACTION_ID_BYTES];
};

/* Ids are random: any bits of theirs are a hash. */
static nq_open_transaction **bucket_of(nq_transaction_registry *registry, const uint8_t *id) {
    return &registry->buckets[nq_load_le32(id) & (BUCKET_COUNT - 1)];
}

/* Unlinks every entry idle for too long (or every one, `all`) and returns them as a list. */
static nq_open_transaction *take_idle(nq_transaction_registry *registry, bool all) {
    nq_open_transaction *taken = NULL;
    int64_t now_ns = nq_clock_monotonic_ns();
    for (uint32_t i = 0; i < BUCKET_COUNT; i++) {
        nq_open_transaction **link = &registry->buckets[i];
        while (*link != NULL) {
            nq_open_transaction *entry = *link;
            NQ_ASSERT(!all || !entry->is_busy);
            if (!all &&
                (entry->is_busy || now_ns - entry->idle_since_ns < entry->idle_timeout_ns)) {
                link = &entry->next;
                continue;
            }
            *link = entry->next;
            entry->next = taken;
            taken = entry;
            registry->count--;
            memcpy(registry->expired[registry->expired_total++ % EXPIRED_COUNT], entry->id,
                   sizeof entry->id);
        }
    }
    return taken;
}

static void roll_back_list(nq_open_transaction *list) {
    while (list != NULL) {
        nq_open_transaction *entry = list;
        list = entry->next;
        nq_transaction_rollback(entry->transaction);
        nq_heap_free(entry);
    }
}

static void reap(void *argument) {
    nq_transaction_registry *registry = argument;
    nq_mutex_lock(&registry->mutex);
    while (!registry->is_stopping) {
        if (registry->count == 0) {
            nq_cond_wait(&registry->stop, &registry->mutex);
            continue;
        }
        (void)nq_cond_wait_until(&registry->stop, &registry->mutex,
                                 nq_clock_monotonic_ns() + REAP_INTERVAL_NS);
        nq_open_transaction *idle = take_idle(registry, false);
        nq_mutex_unlock(&registry->mutex);
        roll_back_list(idle);
        nq_mutex_lock(&registry->mutex);
    }
    nq_mutex_unlock(&registry->mutex);
}

nq_status nq_transaction_registry_create(nq_ctx *ctx, nq_database *database, uint32_t count_max,
                                         int64_t idle_timeout_ns,
                                         nq_transaction_registry **out_registry) {
    *out_registry = NULL;
    nq_transaction_registry *registry = nq_heap_calloc(1, sizeof *registry);
    if (registry == NULL) {
        return nq_fail_no_memory(ctx, "the open transactions");
    }
    nq_mutex_init(&registry->mutex, NQ_LOCK_SERVICE_REGISTRY);
    nq_cond_init(&registry->stop);
    registry->database = database;
    registry->count_max = count_max;
    registry->idle_timeout_ns = idle_timeout_ns;
    nq_status status = nq_thread_start(ctx, &registry->reaper, "txn-reaper", reap, registry);
    if (status != NQ_OK) {
        nq_cond_deinit(&registry->stop);
        nq_mutex_deinit(&registry->mutex);
        nq_heap_free(registry);
        return status;
    }
    *out_registry = registry;
    return NQ_OK;
}

void nq_transaction_registry_destroy(nq_transaction_registry *registry) {
    if (registry == NULL) {
        return;
    }
    nq_mutex_lock(&registry->mutex);
    registry->is_stopping = true;
    nq_cond_broadcast(&registry->stop);
    nq_mutex_unlock(&registry->mutex);
    nq_thread_join(&registry->reaper);
    roll_back_list(take_idle(registry, true));
    nq_cond_deinit(&registry->stop);
    nq_mutex_deinit(&registry->mutex);
    nq_heap_free(registry);
}

/* A place in the count is taken before the engine is asked, and given back if it refuses. */
static nq_status take_place(nq_ctx *ctx, nq_transaction_registry *registry) {
    nq_mutex_lock(&registry->mutex);
    bool has_room = registry->count < registry->count_max;
    registry->count += has_room;
    nq_mutex_unlock(&registry->mutex);
    if (has_room) {
        return NQ_OK;
    }
    nq_status status =
        nq_fail(ctx, NQ_TRANSACTION_LIMIT, "%u transactions are open already", registry->count_max);
    nq_error_set_hint(&ctx->error, "End some, or raise limits.transactions.");
    return status;
}

static void give_place_back(nq_transaction_registry *registry) {
    nq_mutex_lock(&registry->mutex);
    registry->count--;
    nq_mutex_unlock(&registry->mutex);
}

nq_status nq_transaction_registry_begin(nq_ctx *ctx, nq_transaction_registry *registry,
                                        const nq_transaction_options *options,
                                        int64_t idle_timeout_ns,
                                        nq_open_transaction **out_transaction) {
    *out_transaction = NULL;
    NQ_TRY(take_place(ctx, registry));
    nq_open_transaction *entry = nq_heap_calloc(1, sizeof *entry);
    nq_status status =
        entry == NULL ? nq_fail_no_memory(ctx, "a transaction")
                      : nq_transaction_begin(ctx, registry->database, options, &entry->transaction);
    if (status != NQ_OK) {
        nq_heap_free(entry);
        give_place_back(registry);
        return status;
    }
    nq_entropy_fill(entry->id, sizeof entry->id);
    entry->idle_timeout_ns = idle_timeout_ns > 0 && idle_timeout_ns < registry->idle_timeout_ns
                                 ? idle_timeout_ns
                                 : registry->idle_timeout_ns;
    entry->is_busy = true;
    nq_mutex_lock(&registry->mutex);
    nq_open_transaction **bucket = bucket_of(registry, entry->id);
    entry->next = *bucket;
    *bucket = entry;
    nq_cond_signal(&registry->stop); /* the reaper sleeps while there is nothing to watch */
    nq_mutex_unlock(&registry->mutex);
    *out_transaction = entry;
    return NQ_OK;
}

static bool has_expired(const nq_transaction_registry *registry, nq_bytes id) {
    for (uint32_t i = 0; i < EXPIRED_COUNT && i < registry->expired_total; i++) {
        if (memcmp(registry->expired[i], id.data, NQ_TRANSACTION_ID_BYTES) == 0) {
            return true;
        }
    }
    return false;
}

nq_status nq_transaction_registry_check_out(nq_ctx *ctx, nq_transaction_registry *registry,
                                            nq_bytes id, nq_open_transaction **out_transaction) {
    *out_transaction = NULL;
    nq_status refusal = NQ_TRANSACTION_NOT_FOUND;
    if (id.size == NQ_TRANSACTION_ID_BYTES) {
        nq_mutex_lock(&registry->mutex);
        nq_open_transaction *entry = *bucket_of(registry, id.data);
        while (entry != NULL && memcmp(entry->id, id.data, id.size) != 0) {
            entry = entry->next;
        }
        if (entry != NULL && !entry->is_busy) {
            entry->is_busy = true;
            *out_transaction = entry;
        } else if (entry != NULL) {
            refusal = NQ_TRANSACTION_BUSY;
        } else if (has_expired(registry, id)) {
            refusal = NQ_IDLE_TIMEOUT;
        }
        nq_mutex_unlock(&registry->mutex);
    }
    if (*out_transaction != NULL) {
        return NQ_OK;
    }
    switch (refusal) {
    case NQ_TRANSACTION_BUSY:
        return nq_fail(ctx, refusal, "another statement of the transaction is running");
    case NQ_IDLE_TIMEOUT:
        return nq_fail(ctx, refusal, "the transaction was idle for too long and was rolled back");
    default:
        return nq_fail(ctx, refusal, "no transaction of this id is open");
    }
}

void nq_transaction_registry_check_in(nq_transaction_registry *registry,
                                      nq_open_transaction *transaction) {
    nq_mutex_lock(&registry->mutex);
    transaction->idle_since_ns = nq_clock_monotonic_ns();
    transaction->is_busy = false;
    nq_mutex_unlock(&registry->mutex);
}

static void unlink_entry(nq_transaction_registry *registry, nq_open_transaction *entry) {
    nq_mutex_lock(&registry->mutex);
    nq_open_transaction **link = bucket_of(registry, entry->id);
    while (*link != entry) {
        link = &(*link)->next;
    }
    *link = entry->next;
    registry->count--;
    nq_mutex_unlock(&registry->mutex);
}

nq_status nq_transaction_registry_commit(nq_ctx *ctx, nq_transaction_registry *registry,
                                         nq_open_transaction *transaction, nq_bytes request_id,
                                         uint64_t *out_commit_lsn) {
    *out_commit_lsn = 0;
    nq_status status = NQ_OK;
    unlink_entry(registry, transaction);
    if (transaction->is_failed) {
        nq_transaction_rollback(transaction->transaction);
        status = nq_fail(ctx, NQ_TRANSACTION_FAILED,
                         "a statement of the transaction failed; it was rolled back");
    } else {
        status = nq_transaction_commit(ctx, transaction->transaction, request_id, out_commit_lsn);
    }
    nq_heap_free(transaction);
    return status;
}

void nq_transaction_registry_rollback(nq_transaction_registry *registry,
                                      nq_open_transaction *transaction) {
    unlink_entry(registry, transaction);
    nq_transaction_rollback(transaction->transaction);
    nq_heap_free(transaction);
}

nq_transaction *nq_open_transaction_get(const nq_open_transaction *transaction) {
    return transaction->transaction;
}

nq_bytes nq_open_transaction_id(const nq_open_transaction *transaction) {
    return nq_bytes_of(transaction->id, sizeof transaction->id);
}

bool nq_open_transaction_is_failed(const nq_open_transaction *transaction) {
    return transaction->is_failed;
}

void nq_open_transaction_set_failed(nq_open_transaction *transaction, bool is_failed) {
    transaction->is_failed = is_failed;
}

uint32_t nq_transaction_registry_count(nq_transaction_registry *registry) {
    nq_mutex_lock(&registry->mutex);
    uint32_t count = registry->count;
    nq_mutex_unlock(&registry->mutex);
    return count;
}
