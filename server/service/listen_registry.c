/* Listen registry: chained buckets by session number. */
#include "server/service/listen_registry.h"

#include <stdio.h>
#include <stdlib.h>

#include "engine/ground/base/heap.h"
#include "engine/ground/os/entropy.h"
#include "engine/ground/os/mutex.h"

enum { BUCKETS = 4096 };

struct nq_listen_registry {
    nq_mutex mutex;
    uint64_t last_number;
    uint32_t count;
    nq_listen_entry *buckets[BUCKETS];
};

nq_status nq_listen_registry_create(nq_ctx *ctx, nq_listen_registry **out_registry) {
    *out_registry = nq_heap_calloc(1, sizeof **out_registry);
    if (*out_registry == NULL) {
        return nq_fail_no_memory(ctx, "the registry of subscriptions");
    }
    nq_mutex_init(&(*out_registry)->mutex, NQ_LOCK_SERVICE_REGISTRY);
    return NQ_OK;
}

void nq_listen_registry_destroy(nq_listen_registry *registry) {
    if (registry != NULL) {
        nq_mutex_deinit(&registry->mutex);
        nq_heap_free(registry);
    }
}

/* Ids are "s" and a number in hexadecimal. */
static nq_listen_entry **bucket_of(nq_listen_registry *registry, const char *session_id) {
    return &registry->buckets[strtoull(session_id + 1, NULL, 16) % BUCKETS];
}

void nq_listen_registry_join(nq_listen_registry *registry, nq_listen_entry *entry,
                             nq_subscriber *subscriber) {
    nq_entropy_fill(entry->control_token, sizeof entry->control_token);
    nq_mutex_lock(&registry->mutex);
    (void)snprintf(entry->session_id, sizeof entry->session_id, "s%llx",
                   (unsigned long long)++registry->last_number);
    nq_listen_entry **bucket = bucket_of(registry, entry->session_id);
    entry->subscriber = subscriber;
    entry->previous = NULL;
    entry->next = *bucket;
    if (*bucket != NULL) {
        (*bucket)->previous = entry;
    }
    *bucket = entry;
    registry->count++;
    nq_mutex_unlock(&registry->mutex);
}

void nq_listen_registry_leave(nq_listen_registry *registry, nq_listen_entry *entry) {
    if (entry->subscriber == NULL) {
        return;
    }
    nq_mutex_lock(&registry->mutex);
    if (entry->previous != NULL) {
        entry->previous->next = entry->next;
    } else {
        *bucket_of(registry, entry->session_id) = entry->next;
    }
    if (entry->next != NULL) {
        entry->next->previous = entry->previous;
    }
    entry->subscriber = NULL;
    registry->count--;
    nq_mutex_unlock(&registry->mutex);
}

/* Takes the same time wherever the difference is. */
static bool tokens_are_equal(nq_bytes given, const uint8_t *token) {
    uint8_t difference = given.size != NQ_CONTROL_TOKEN_BYTES;
    for (size_t i = 0; i < NQ_CONTROL_TOKEN_BYTES; i++) {
        difference |= (uint8_t)(token[i] ^ (i < given.size ? given.data[i] : 0));
    }
    return difference == 0;
}

nq_status nq_listen_registry_get(nq_ctx *ctx, nq_listen_registry *registry, nq_bytes session_id,
                                 nq_bytes control_token, nq_subscriber **out_subscriber) {
    *out_subscriber = NULL;
    bool is_token_wrong = false;
    char id[NQ_SESSION_ID_BYTES] = {0};
    if (session_id.size > 1 && session_id.size < sizeof id) {
        memcpy(id, session_id.data, session_id.size);
        nq_mutex_lock(&registry->mutex);
        nq_listen_entry *entry = *bucket_of(registry, id);
        while (entry != NULL && strcmp(entry->session_id, id) != 0) {
            entry = entry->next;
        }
        if (entry != NULL) {
            is_token_wrong = !tokens_are_equal(control_token, entry->control_token);
            if (!is_token_wrong) {
                *out_subscriber = entry->subscriber;
                nq_subscriber_acquire(entry->subscriber);
            }
        }
        nq_mutex_unlock(&registry->mutex);
    }
    if (is_token_wrong) {
        return nq_fail(ctx, NQ_BAD_TOKEN, "control_token is not the session's");
    }
    return *out_subscriber != NULL
               ? NQ_OK
               : nq_fail(ctx, NQ_SUBSCRIPTION_NOT_FOUND, "session \"%.*s\" is over, or never was",
                         NQ_BYTES_FORMAT(session_id));
}

uint32_t nq_listen_registry_count(nq_listen_registry *registry) {
    nq_mutex_lock(&registry->mutex);
    uint32_t count = registry->count;
    nq_mutex_unlock(&registry->mutex);
    return count;
}
