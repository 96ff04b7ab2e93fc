/* Listen registry: subscriptions by session id, so that Acknowledge can reach those of Listen
 * calls.
 *
 * An entry lives in its call's state; joining allocates nothing. The token proves that the caller
 * is the one who was told it. */
#ifndef NQ_SERVER_SERVICE_LISTEN_REGISTRY_H
#define NQ_SERVER_SERVICE_LISTEN_REGISTRY_H

#include "engine/live/pubsub/subscriber.h"

typedef struct nq_listen_registry nq_listen_registry;

enum { NQ_SESSION_ID_BYTES = 24, NQ_CONTROL_TOKEN_BYTES = 16 };

/* Zeroed: not joined. */
typedef struct nq_listen_entry {
    struct nq_listen_entry *next, *previous;
    nq_subscriber *subscriber; /* the call holds the reference */
    char session_id[NQ_SESSION_ID_BYTES];
    uint8_t control_token[NQ_CONTROL_TOKEN_BYTES];
} nq_listen_entry;

nq_status nq_listen_registry_create(nq_ctx *ctx, nq_listen_registry **out_registry);
/* NULL is allowed; the registry must be empty. */
void nq_listen_registry_destroy(nq_listen_registry *registry);

/* Fills the id and the token and makes the entry findable. */
void nq_listen_registry_join(nq_listen_registry *registry, nq_listen_entry *entry,
                             nq_subscriber *subscriber);
/* Harmless for an entry that never joined. */
void nq_listen_registry_leave(nq_listen_registry *registry, nq_listen_entry *entry);

/* The subscriber of a session, acquired for the caller. Fails with NQ_SUBSCRIPTION_NOT_FOUND,
 * NQ_BAD_TOKEN. */
nq_status nq_listen_registry_get(nq_ctx *ctx, nq_listen_registry *registry, nq_bytes session_id,
                                 nq_bytes control_token, nq_subscriber **out_subscriber);

uint32_t nq_listen_registry_count(nq_listen_registry *registry);

#endif
