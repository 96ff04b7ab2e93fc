/* Prepared registry: a chained hash table under one mutex. What has expired is swept when the table
 * is full or a bucket is walked: no thread of its own. */
#include "server/service/prepared_registry.h"

#include "engine/ground/base/codec.h"
#include "engine/ground/base/heap.h"
#include "engine/ground/os/clock.h"
#include "engine/ground/os/entropy.h"
#include "engine/ground/os/mutex.h"

enum { BUCKET_COUNT = 1024 /* a power of two */ };

typedef struct kept_statement {
    struct kept_statement *next;
    nq_prepared *prepared;
    uint8_t id[NQ_PREPARED_ID_BYTES];
    int64_t ttl_ns;
    int64_t expires_ns;
    size_t sql_bytes;
    uint8_t sql[];
} kept_statement;

struct nq_prepared_registry {
    nq_mutex mutex;
    uint32_t count;
    uint32_t count_max;
    int64_t ttl_ns;
    kept_statement *buckets[BUCKET_COUNT];
};

nq_status nq_prepared_registry_create(nq_ctx *ctx, uint32_t count_max, int64_t ttl_ns,
                                      nq_prepared_registry **out_registry) {
    *out_registry = NULL;
    nq_prepared_registry *registry = nq_heap_calloc(1, sizeof *registry);
    if (registry == NULL) {
        return nq_fail_no_memory(ctx, "the prepared statements");
    }
    nq_mutex_init(&registry->mutex, NQ_LOCK_SERVICE_REGISTRY);
    registry->count_max = count_max;
    registry->ttl_ns = ttl_ns;
    *out_registry = registry;
    return NQ_OK;
}

/* Moves what expired before `now_ns` from one bucket to a list. Under the mutex. */
static void take_expired(nq_prepared_registry *registry, kept_statement **bucket, int64_t now_ns,
                         kept_statement **taken) {
    for (kept_statement **link = bucket; *link != NULL;) {
        kept_statement *kept = *link;
        if (kept->expires_ns > now_ns) {
            link = &kept->next;
            continue;
        }
        *link = kept->next;
        kept->next = *taken;
        *taken = kept;
        registry->count--;
    }
}

/* Outside the mutex: letting a statement go takes the engine's locks. */
static void free_list(kept_statement *list) {
    while (list != NULL) {
        kept_statement *kept = list;
        list = kept->next;
        nq_prepared_release(kept->prepared);
        nq_heap_free(kept);
    }
}

void nq_prepared_registry_destroy(nq_prepared_registry *registry) {
    if (registry == NULL) {
        return;
    }
    kept_statement *taken = NULL;
    for (uint32_t i = 0; i < BUCKET_COUNT; i++) {
        take_expired(registry, &registry->buckets[i], INT64_MAX, &taken);
    }
    free_list(taken);
    nq_mutex_deinit(&registry->mutex);
    nq_heap_free(registry);
}

/* Ids are random: any bits of theirs are a hash. */
static kept_statement **bucket_of(nq_prepared_registry *registry, const uint8_t *id) {
    return &registry->buckets[nq_load_le32(id) & (BUCKET_COUNT - 1)];
}

nq_status nq_prepared_registry_add(nq_ctx *ctx, nq_prepared_registry *registry,
                                   nq_prepared *prepared, nq_bytes sql, int64_t ttl_ns,
                                   uint8_t out_id[NQ_PREPARED_ID_BYTES]) {
    kept_statement *kept = nq_heap_calloc(1, sizeof *kept + sql.size);
    if (kept == NULL) {
        return nq_fail_no_memory(ctx, "a prepared statement");
    }
    int64_t now_ns = nq_clock_monotonic_ns();
    kept_statement *expired = NULL;
    kept->prepared = prepared;
    kept->ttl_ns = ttl_ns > 0 ? ttl_ns : registry->ttl_ns;
    kept->expires_ns = now_ns + kept->ttl_ns;
    kept->sql_bytes = sql.size;
    memcpy(kept->sql, sql.data, sql.size);
    nq_entropy_fill(kept->id, sizeof kept->id);
    memcpy(out_id, kept->id, sizeof kept->id);
    nq_mutex_lock(&registry->mutex);
    for (uint32_t i = 0; registry->count >= registry->count_max && i < BUCKET_COUNT; i++) {
        take_expired(registry, &registry->buckets[i], now_ns, &expired);
    }
    bool has_room = registry->count < registry->count_max;
    if (has_room) {
        kept_statement **bucket = bucket_of(registry, kept->id);
        nq_prepared_acquire(prepared);
        kept->next = *bucket;
        *bucket = kept;
        registry->count++;
    }
    nq_mutex_unlock(&registry->mutex);
    free_list(expired);
    if (has_room) {
        return NQ_OK;
    }
    nq_heap_free(kept);
    nq_status status =
        nq_fail(ctx, NQ_PREPARED_LIMIT, "%u statements are prepared already", registry->count_max);
    nq_error_set_hint(&ctx->error, "Close some, or raise limits.prepared.");
    return status;
}

static nq_status not_found(nq_ctx *ctx) {
    nq_status status =
        nq_fail(ctx, NQ_PREPARED_NOT_FOUND, "no prepared statement of this id, or it has expired");
    nq_error_set_hint(&ctx->error, "Prepare it again.");
    return status;
}

/* The statement of this id that has not expired, and the link that leads to it. Under the mutex. */
static kept_statement **find_link(nq_prepared_registry *registry, nq_bytes id, int64_t now_ns,
                                  kept_statement **expired) {
    if (id.size != NQ_PREPARED_ID_BYTES) {
        return NULL;
    }
    kept_statement **link = bucket_of(registry, id.data);
    take_expired(registry, link, now_ns, expired);
    while (*link != NULL && memcmp((*link)->id, id.data, id.size) != 0) {
        link = &(*link)->next;
    }
    return *link == NULL ? NULL : link;
}

nq_status nq_prepared_registry_get(nq_ctx *ctx, nq_prepared_registry *registry, nq_bytes id,
                                   nq_prepared **out_prepared, nq_bytes *out_sql) {
    *out_prepared = NULL;
    *out_sql = (nq_bytes){0};
    int64_t now_ns = nq_clock_monotonic_ns();
    kept_statement *expired = NULL;
    nq_mutex_lock(&registry->mutex);
    kept_statement **link = find_link(registry, id, now_ns, &expired);
    if (link != NULL) {
        *out_sql = nq_arena_copy(ctx->scratch, nq_bytes_of((*link)->sql, (*link)->sql_bytes));
        if (out_sql->data != NULL) {
            (*link)->expires_ns = now_ns + (*link)->ttl_ns;
            *out_prepared = (*link)->prepared;
            nq_prepared_acquire(*out_prepared);
        }
    }
    nq_mutex_unlock(&registry->mutex);
    free_list(expired);
    if (*out_prepared != NULL) {
        return NQ_OK;
    }
    return link != NULL ? nq_fail_no_memory(ctx, "the statement's text") : not_found(ctx);
}

nq_status nq_prepared_registry_remove(nq_ctx *ctx, nq_prepared_registry *registry, nq_bytes id) {
    kept_statement *removed = NULL;
    bool is_found = false;
    nq_mutex_lock(&registry->mutex);
    kept_statement **link = find_link(registry, id, nq_clock_monotonic_ns(), &removed);
    if (link != NULL) {
        kept_statement *kept = *link;
        *link = kept->next;
        kept->next = removed;
        removed = kept;
        registry->count--;
        is_found = true;
    }
    nq_mutex_unlock(&registry->mutex);
    free_list(removed);
    return is_found ? NQ_OK : not_found(ctx);
}

uint32_t nq_prepared_registry_count(nq_prepared_registry *registry) {
    nq_mutex_lock(&registry->mutex);
    uint32_t count = registry->count;
    nq_mutex_unlock(&registry->mutex);
    return count;
}
