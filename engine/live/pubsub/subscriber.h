/* Subscriber: one consumer's bounded queue, its drop policy, and how far it has been allowed to go.
 *
 * Publishers push under the channel's lock; the owner takes. A push never waits: when the queue is
 * full the policy decides what is lost, and the loss is written into the queue at its place as a
 * gap.
 *
 * I1  messages ≤ message limit and bytes ≤ byte limit; a single message larger than the byte limit
 * fits an empty queue, and policy BLOCK may exceed them by what was being published at that moment.
 * I2  Of each channel, delivered + gaps + queued cover its sequence from the first one seen, in
 * order, without overlap. I3  A gap is handed out before any later message of its channel, and
 * after every earlier one. I4  `wake` is called, outside the lock, when something can be taken that
 * could not before. */
#ifndef NQ_LIVE_PUBSUB_SUBSCRIBER_H
#define NQ_LIVE_PUBSUB_SUBSCRIBER_H

#include "engine/ground/base/ctx.h"
#include "engine/live/pubsub/gap.h"
#include "engine/live/pubsub/message.h"

typedef struct nq_subscriber nq_subscriber;

typedef enum nq_drop_policy {
    NQ_DROP_DEFAULT, /* the channel's */
    NQ_DROP_OLDEST,
    NQ_DROP_NEWEST,
    NQ_DROP_BLOCK,
    NQ_DROP_ALL,
    NQ_DROP_CONFLATE,
    NQ_DROP_DISCONNECT,
} nq_drop_policy;

typedef enum nq_ack_mode { NQ_ACK_NONE, NQ_ACK_CUMULATIVE, NQ_ACK_INDIVIDUAL } nq_ack_mode;

typedef enum nq_flow_state {
    NQ_FLOW_NORMAL,
    NQ_FLOW_THROTTLED,      /* fill above the first threshold */
    NQ_FLOW_PAUSED,         /* by the client, or fill above the second */
    NQ_FLOW_DROPPING,       /* lost something since it was last told */
    NQ_FLOW_WAITING_CREDIT, /* nothing may be sent until it grants or acknowledges more */
} nq_flow_state;

enum { NQ_SUBSCRIBER_BYTES_MAX = 10 << 20, NQ_SUBSCRIBER_MESSAGES_MAX = 65536 };

/* Zero means the default: the maximum, or none. */
typedef struct nq_subscriber_limits {
    uint64_t buffer_bytes;
    uint32_t buffer_messages;
    nq_drop_policy drop_policy;
    double throttle_threshold; /* [0.7] */
    double pause_threshold;    /* [0.9] */
    uint64_t outstanding_messages_max;
    uint64_t outstanding_bytes_max;
} nq_subscriber_limits;

typedef struct nq_subscriber_options {
    nq_subscriber_limits limits;
    nq_ack_mode ack_mode;
    uint8_t priority_min;       /* messages below are not for this subscriber, and no loss */
    void (*wake)(void *user);   /* any thread, never under a lock of this room's */
    void (*let_go)(void *user); /* once, when the last reference has gone; may be NULL */
    void *user;
} nq_subscriber_options;

/* One reference, the caller's. */
nq_status nq_subscriber_create(nq_ctx *ctx, const nq_subscriber_options *options,
                               nq_subscriber **out_subscriber);
void nq_subscriber_acquire(nq_subscriber *subscriber);
void nq_subscriber_release(nq_subscriber *subscriber);

typedef enum nq_push_result {
    NQ_PUSH_QUEUED,
    NQ_PUSH_FILTERED, /* below priority_min, or the subscriber is closed */
    NQ_PUSH_LOST,     /* this message itself was dropped */
} nq_push_result;

/* Subscribers that must be woken once the publisher has let go of its locks. Starts as {0}. */
typedef struct nq_wake_list {
    nq_subscriber *first;
} nq_wake_list;

/* Queues `count` messages of one channel in their order, taking references; out_results[i] tells
 * what became of messages[i]. `channel_policy` serves NQ_DROP_DEFAULT. Under policy BLOCK they are
 * queued even beyond the limit if the channel `may_block`: the publisher has waited for room
 * before. On other channels BLOCK means DROP_OLDEST. */
void nq_subscriber_push(nq_subscriber *subscriber, nq_message *const *messages, uint32_t count,
                        nq_drop_policy channel_policy, bool may_block, nq_push_result *out_results,
                        nq_wake_list *wakes);
/* Wakes and empties the list. Call it with no lock held. */
void nq_wake_list_run(nq_wake_list *wakes);
/* True when policy BLOCK would keep a message of this size out. */
bool nq_subscriber_would_block(nq_subscriber *subscriber, size_t bytes,
                               nq_drop_policy channel_policy);
/* Announces messages that were gone before the subscription could have them. */
void nq_subscriber_add_gap(nq_subscriber *subscriber, const nq_gap *gap);

/* What a take hands out: gaps first, then messages behind them, in order of delivery. */
typedef struct nq_taken {
    nq_gap_list gaps; /* the taker clears it */
    uint32_t message_count;
    uint64_t first_delivery_id; /* ids count from 1; 0 without messages */
} nq_taken;

/* Moves up to `messages_max` messages of about `bytes_max` bytes, at least one if any may go, into
 * `out_messages` (references included). Nothing when paused, out of credit or empty. */
void nq_subscriber_take(nq_subscriber *subscriber, uint32_t messages_max, size_t bytes_max,
                        nq_message **out_messages, nq_taken *out_taken);

/* Controls. Each returns whether something can be taken now. */
bool nq_subscriber_grant(nq_subscriber *subscriber, uint64_t through_delivery_id);
bool nq_subscriber_pause(nq_subscriber *subscriber, bool is_paused);
/* Acknowledges; ids that were never delivered or are done already are reported to `stale` (may be
 * NULL). */
bool nq_subscriber_ack_through(nq_subscriber *subscriber, uint64_t delivery_id);
bool nq_subscriber_ack(nq_subscriber *subscriber, uint64_t delivery_id, bool *out_is_stale);

/* Calls its wake, for whoever changed what may be taken from outside. */
void nq_subscriber_wake(nq_subscriber *subscriber);

/* Nothing is queued any more; what is queued can still be taken. */
void nq_subscriber_close(nq_subscriber *subscriber);

typedef struct nq_subscriber_state {
    nq_flow_state flow_state;
    double fill; /* of the tighter limit, 0 .. 1 */
    uint64_t pending_messages;
    uint64_t pending_bytes;
    uint64_t dropped_total;
    uint64_t delivered_total;
    uint64_t outstanding_messages;
    bool is_disconnected; /* policy DISCONNECT struck: end the subscription with NQ_SLOW_CONSUMER */
    bool has_work;        /* a take would return something */
    bool is_empty;        /* nothing waits, whether it may be taken or not */
} nq_subscriber_state;
void nq_subscriber_get_state(nq_subscriber *subscriber, nq_subscriber_state *out_state);

#endif
