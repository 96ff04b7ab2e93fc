/* Hub internals: the channel, and the hub's own lists. */
#ifndef NQ_LIVE_PUBSUB_HUB_INTERNAL_H
#define NQ_LIVE_PUBSUB_HUB_INTERNAL_H

#include "engine/ground/os/mutex.h"
#include "engine/live/pubsub/dedup.h"
#include "engine/live/pubsub/history.h"
#include "engine/live/pubsub/hub.h"
#include "engine/live/pubsub/subscriber_internal.h"
#include "engine/live/pubsub/trie.h"

/* Counted: the hub holds one reference, whoever is publishing another. */
typedef struct nq__channel {
    _Atomic uint32_t references;
    uint32_t number;
    char name[NQ_CHANNEL_BYTES_MAX + 1];
    nq_pattern pattern; /* the parsed name */
    bool is_implicit;   /* made by a publish, not by CreateChannel; under the hub's lock */
    nq_mutex mutex;     /* everything below */
    nq_channel_settings settings; /* defaults filled in */
    uint64_t last_sequence;
    nq_history history;
    nq_dedup dedup;
    nq_subscriber **subscribers; /* each holds a reference; no one twice */
    uint32_t subscriber_count;
    uint32_t subscriber_capacity;
    uint64_t message_count;
    uint64_t byte_count;
    uint64_t dropped_count;
    double rate;
    int64_t last_publish_us;
} nq__channel;

struct nq_hub {
    nq_hub_options options;
    _Atomic uint64_t memory_bytes;
    _Atomic uint64_t published;
    _Atomic uint64_t queued;
    _Atomic uint64_t dropped;
    nq__room room;
    nq_mutex mutex; /* everything below */
    nq_trie *trie;
    nq__channel **channels; /* open addressing by name; NULL empty, tombstones as below */
    uint32_t capacity;      /* power of two */
    uint32_t used;          /* with tombstones */
    uint32_t count;
    uint32_t last_number;
};

/* Takes the place of a removed channel in the table. */
extern nq__channel nq__channel_tombstone;

/* Channels of a table walk: for (uint32_t i = 0; i < hub->capacity; i++) if (nq__hub_slot(hub, i))
 */
static inline nq__channel *nq__hub_slot(const nq_hub *hub, uint32_t index) {
    nq__channel *channel = hub->channels[index];
    return channel == &nq__channel_tombstone ? NULL : channel;
}

/* Under the hub's lock. NULL when there is none; borrowed. */
nq__channel *nq__hub_find(const nq_hub *hub, nq_bytes name);
/* Under the hub's lock: a new channel with its subscribers. Fails with NQ_LIMIT_EXCEEDED,
 * NQ_MEMORY_LIMIT. Borrowed. */
nq_status nq__hub_add(nq_ctx *ctx, nq_hub *hub, const nq_pattern *name, nq_bytes text,
                      const nq_channel_settings *settings, nq__channel **out_channel);
void nq__channel_acquire(nq__channel *channel);
void nq__channel_release(nq__channel *channel);

/* Under the channel's lock. */
bool nq__channel_add_subscriber(nq__channel *channel, nq_subscriber *subscriber);
/* Returns whether it was there; the reference it held is the caller's to release, without locks. */
bool nq__channel_remove_subscriber(nq__channel *channel, const nq_subscriber *subscriber);
nq_history_limits nq__channel_history_limits(const nq__channel *channel);

/* Settings with every default filled in; fails with NQ_INVALID_ARGUMENT naming the field. */
nq_status nq__channel_settings_check(nq_ctx *ctx, const nq_channel_settings *settings,
                                     nq_channel_settings *out_settings);

#endif
