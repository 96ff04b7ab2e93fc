/* Hub: channels, their publishers and subscribers. The front door of the room.
 *
 * A channel numbers its messages from 1 without gaps and hands each, under its own lock, to the
 * queues of the subscribers whose patterns cover it; no queue can make it wait. Which those are is
 * worked out once per channel and generation of the subscriptions, not once per message.
 *
 * I1  Sequences of a channel are consecutive within one epoch.
 * I2  All subscribers of a channel see its messages in sequence order.
 * I3  A subscription that starts in the past gets what is kept, then what is published, without a
 * gap or a repetition in between. I4  Locks: hub before channel before subscriber; wakes are called
 * with none held. */
#ifndef NQ_LIVE_PUBSUB_HUB_H
#define NQ_LIVE_PUBSUB_HUB_H

#include "engine/live/pubsub/pattern.h"
#include "engine/live/pubsub/subscriber.h"

typedef struct nq_hub nq_hub;

typedef enum nq_channel_durability {
    NQ_CHANNEL_HISTORY, /* keeps the latest messages in memory */
    NQ_CHANNEL_EPHEMERAL,
} nq_channel_durability;

enum {
    NQ_CHANNEL_KEY_BYTES_MAX = 255,
    NQ_CHANNEL_MESSAGE_BYTES_MAX = 1 << 20,
    NQ_CHANNEL_HISTORY_MESSAGES_MAX = 1000000,
    NQ_CHANNEL_HISTORY_BYTES_MAX = 1 << 30,
};

/* Zero means the default in brackets. */
typedef struct nq_channel_settings {
    nq_channel_durability durability;
    uint64_t history_messages;          /* [1000] */
    uint64_t history_bytes;             /* [1 MiB] */
    int64_t history_ttl_us;             /* [no limit] */
    uint32_t message_bytes_max;         /* [1 MiB] */
    uint8_t default_priority;           /* [NQ_PRIORITY_NORMAL] */
    nq_drop_policy default_drop_policy; /* [NQ_DROP_OLDEST] */
    bool allow_block;
    int64_t dedup_window_us; /* [0: ids are not looked at]; at most 1 h */
} nq_channel_settings;

typedef struct nq_hub_options {
    const nq_message_encoder *encoder;
    uint64_t memory_bytes_max; /* messages kept or queued, each counted once [256 MiB] */
    uint32_t channels_max;     /* [65,536] */
    uint64_t epoch;            /* unpredictable; different at every start */
    int64_t (*now_us)(void);   /* the calendar's clock */
} nq_hub_options;

nq_status nq_hub_create(nq_ctx *ctx, const nq_hub_options *options, nq_hub **out_hub);
/* Every subscriber must have been removed. */
void nq_hub_destroy(nq_hub *hub);
uint64_t nq_hub_epoch(const nq_hub *hub);

/* ---- Publishing ---- */

typedef struct nq_publish_result {
    uint64_t sequence;
    uint32_t receivers;
    bool is_duplicate;
} nq_publish_result;

/* Publishes all or, on failure, none; channels that are not there are created. Subscribers with
 * policy BLOCK are waited for until `block_until_ns` on the monotonic clock. Fails with
 * NQ_BAD_PATTERN, NQ_MESSAGE_TOO_LARGE, NQ_LIMIT_EXCEEDED, NQ_BUFFER_FULL, NQ_BLOCK_TIMEOUT,
 * NQ_MEMORY_LIMIT. */
nq_status nq_hub_publish(nq_ctx *ctx, nq_hub *hub, const nq_publication *publications,
                         uint32_t count, int64_t block_until_ns, nq_publish_result *out_results);

/* ---- Subscribing ---- */

typedef enum nq_start_kind {
    NQ_START_NEW,
    NQ_START_EARLIEST,
    NQ_START_SEQUENCE,
    NQ_START_TIME,
    NQ_START_LAST,
} nq_start_kind;

typedef struct nq_start {
    nq_start_kind kind;
    uint64_t sequence; /* SEQUENCE: this one first; LAST: so many */
    int64_t time_us;   /* TIME */
} nq_start;

/* Adds a pattern. Channels that an earlier pattern of the subscriber covers are not started again.
 * A channel whose history no longer reaches back to the start gets a gap (HISTORY_TRIMMED) first;
 * with NQ_START_SEQUENCE a number that was not given yet fails with NQ_INVALID_ARGUMENT, for a
 * pattern without wildcards. The hub holds a reference until the last pattern is removed. */
nq_status nq_hub_subscribe(nq_ctx *ctx, nq_hub *hub, nq_subscriber *subscriber, nq_bytes pattern,
                           const nq_start *start);
/* What is queued stays. False when it was not subscribed. */
bool nq_hub_unsubscribe(nq_hub *hub, nq_subscriber *subscriber, nq_bytes pattern);

/* The name of a channel by its number, for gaps; data NULL when it was deleted. Copied into
 * `arena`. */
nq_bytes nq_hub_channel_name(nq_hub *hub, uint32_t channel_number, nq_arena *arena);
/* Whether a channel still keeps every message of a gap. */
bool nq_hub_gap_is_recoverable(nq_hub *hub, const nq_gap *gap);

/* ---- History ---- */

typedef struct nq_history_page {
    nq_message **messages; /* in `arena`; each holds a reference the caller releases */
    uint32_t message_count;
    uint64_t first_available_sequence;
    uint64_t last_sequence;
    uint64_t next_sequence; /* where the next page starts, 0: there is none */
} nq_history_page;

/* At most `count_max` messages from `start` on, or, reversed, back to it. `resume` (0: none) is a
 * next_sequence. Fails with NQ_CHANNEL_NOT_FOUND, NQ_HISTORY_TRIMMED. */
nq_status nq_hub_read_history(nq_ctx *ctx, nq_hub *hub, nq_bytes channel, const nq_start *start,
                              uint64_t resume, bool is_reverse, uint32_t count_max, nq_arena *arena,
                              nq_history_page *out_page);

/* ---- Channels ---- */

typedef struct nq_channel_stats {
    uint64_t subscribers;
    uint64_t messages;
    uint64_t bytes;
    uint64_t dropped;
    uint64_t first_sequence; /* kept; 0: none */
    uint64_t last_sequence;
    double publish_rate; /* messages a second, averaged over about the last 10 s */
} nq_channel_stats;

typedef struct nq_channel_info {
    nq_bytes name;
    nq_channel_settings settings; /* defaults filled in */
    nq_channel_stats stats;
} nq_channel_info;

/* Texts of infos are copied into `arena`. Fail with NQ_CHANNEL_EXISTS, NQ_CHANNEL_NOT_FOUND,
 * NQ_BAD_PATTERN, NQ_INVALID_ARGUMENT, NQ_LIMIT_EXCEEDED. */
nq_status nq_hub_create_channel(nq_ctx *ctx, nq_hub *hub, nq_bytes name,
                                const nq_channel_settings *settings, nq_arena *arena,
                                nq_channel_info *out_info);
nq_status nq_hub_update_channel(nq_ctx *ctx, nq_hub *hub, nq_bytes name,
                                const nq_channel_settings *settings, nq_arena *arena,
                                nq_channel_info *out_info);
nq_status nq_hub_get_channel(nq_ctx *ctx, nq_hub *hub, nq_bytes name, nq_arena *arena,
                             nq_channel_info *out_info);
nq_status nq_hub_delete_channel(nq_ctx *ctx, nq_hub *hub, nq_bytes name);
/* By name, those after `after` that the pattern (empty: all) covers, at most `count_max`. */
nq_status nq_hub_list_channels(nq_ctx *ctx, nq_hub *hub, nq_bytes after, nq_bytes pattern,
                               uint32_t count_max, nq_arena *arena, nq_channel_info **out_infos,
                               uint32_t *out_count);

typedef struct nq_hub_stats {
    uint64_t channels;
    uint64_t patterns;
    uint64_t published;
    uint64_t queued; /* deliveries handed to queues */
    uint64_t dropped;
    uint64_t memory_bytes;
} nq_hub_stats;
void nq_hub_get_stats(nq_hub *hub, nq_hub_stats *out_stats);

#endif
