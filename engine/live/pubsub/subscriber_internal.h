/* Subscriber internals: what the hub keeps in a subscriber. */
#ifndef NQ_LIVE_PUBSUB_SUBSCRIBER_INTERNAL_H
#define NQ_LIVE_PUBSUB_SUBSCRIBER_INTERNAL_H

#include "engine/ground/os/mutex.h"
#include "engine/live/pubsub/pattern.h"
#include "engine/live/pubsub/subscriber.h"

/* Where publishers wait for subscribers with policy BLOCK. */
typedef struct nq__room {
    nq_mutex mutex;
    nq_cond changed;
    uint64_t generation; /* grows whenever a queue was drained a little */
} nq__room;

void nq__room_announce(nq__room *room);

/* One pattern of a subscriber, with the text it was parsed from. */
typedef struct nq__member_pattern {
    uint32_t text_size;
    char text[NQ_CHANNEL_BYTES_MAX + 1];
} nq__member_pattern;

/* A subscriber's membership. Under the hub's lock, but `room`: set before the first message comes.
 */
typedef struct nq__member {
    nq__member_pattern *patterns;
    uint32_t pattern_count;
    uint32_t pattern_capacity;
    uint64_t stamp; /* the channel that is being filled and has it already */
    nq__room *room;
} nq__member;

nq__member *nq__subscriber_member(nq_subscriber *subscriber);

nq_drop_policy nq__subscriber_policy(const nq_subscriber *subscriber,
                                     nq_drop_policy channel_policy);

#endif
