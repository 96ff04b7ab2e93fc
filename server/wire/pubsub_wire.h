/* PubSub wire: PubSubService's messages as plain values. Same rules as query_wire.h.
 *
 * SubscribeResponse and ListenResponse have the same numbers, so deliveries are written once for
 * both. */
#ifndef NQ_WIRE_PUBSUB_WIRE_H
#define NQ_WIRE_PUBSUB_WIRE_H

#include "engine/live/pubsub/hub.h"
#include "server/wire/writer.h"

enum {
    NQ_PUBLISH_MESSAGES_MAX = 10000,
    NQ_SUBSCRIBE_PATTERNS_MAX = 1000,
    NQ_DELIVERY_MESSAGES_DEFAULT = 512,
    NQ_DELIVERY_MESSAGES_MAX = 4096,
    NQ_HISTORY_PAGE_MAX = 1000,
};

/* Encodes a Message body, payload last, exactly once. */
extern const nq_message_encoder nq_message_wire_encoder;

typedef struct nq_publish_request {
    const nq_publication *publications;
    uint32_t count;
    int64_t block_timeout_ns; /* the default filled in */
} nq_publish_request;

nq_status nq_publish_request_decode(nq_ctx *ctx, nq_bytes message, nq_publish_request *out);
void nq_publish_response_write(nq_writer *writer, const nq_publish_result *results, uint32_t count);

typedef struct nq_subscribe_options {
    const nq_bytes *patterns;
    uint32_t pattern_count;
    nq_start start;
    nq_ack_mode ack_mode;
    nq_subscriber_limits limits;
    uint32_t batch_messages_max; /* the default filled in */
    int64_t heartbeat_ns;        /* the default filled in */
    bool headers_only;
    uint8_t priority_min; /* 0: all */
} nq_subscribe_options;

typedef struct nq_ack_request {
    const uint64_t *delivery_ids;
    uint32_t delivery_id_count;
    uint64_t through_delivery_id; /* 0: none */
    bool has_credit;
    uint64_t grant_through_delivery_id;
} nq_ack_request;

typedef enum nq_subscribe_kind {
    NQ_SUBSCRIBE_OPEN,
    NQ_SUBSCRIBE_ACK, /* also credit */
    NQ_SUBSCRIBE_ADD_PATTERNS,
    NQ_SUBSCRIBE_REMOVE_PATTERNS,
    NQ_SUBSCRIBE_PAUSE,
    NQ_SUBSCRIBE_DRAIN,
} nq_subscribe_kind;

typedef struct nq_subscribe_request {
    nq_subscribe_kind kind;
    nq_subscribe_options options; /* OPEN; ADD: patterns, start; REMOVE: patterns */
    nq_ack_request ack;
    bool flag; /* PAUSE, DRAIN */
} nq_subscribe_request;

nq_status nq_listen_request_decode(nq_ctx *ctx, nq_bytes message, nq_subscribe_options *out);
nq_status nq_subscribe_request_decode(nq_ctx *ctx, nq_bytes message, nq_subscribe_request *out);

typedef struct nq_acknowledge_request {
    nq_bytes session_id;
    nq_bytes control_token;
    nq_ack_request ack;
} nq_acknowledge_request;

nq_status nq_acknowledge_request_decode(nq_ctx *ctx, nq_bytes message, nq_acknowledge_request *out);
void nq_acknowledge_response_write(nq_writer *writer, const uint64_t *stale_ids, uint32_t count);

/* ---- Deliveries ---- */

/* Put in this order: messages, then what is the subscriber's own. */
void nq_delivery_message_write(nq_writer *writer, const nq_message *message, bool headers_only);
void nq_delivery_first_id_write(nq_writer *writer, uint64_t first_delivery_id);
void nq_delivery_gap_write(nq_writer *writer, const nq_gap *gap, nq_bytes channel,
                           bool is_recoverable);

typedef struct nq_subscribe_state {
    nq_bytes session_id;
    const nq_bytes *patterns;
    uint32_t pattern_count;
    nq_subscriber_state subscriber;
    nq_bytes control_token; /* empty: was told before */
    uint64_t epoch;
} nq_subscribe_state;

void nq_delivery_state_write(nq_writer *writer, const nq_subscribe_state *state);
void nq_delivery_checkpoint_write(nq_writer *writer);

/* ---- History and channels ---- */

typedef struct nq_history_request {
    nq_bytes channel;
    nq_start start;
    uint32_t page_size;
    uint64_t resume; /* of the page token, 0: the first page */
    bool is_reverse;
} nq_history_request;

nq_status nq_history_request_decode(nq_ctx *ctx, nq_bytes message, nq_history_request *out);
void nq_history_response_write(nq_writer *writer, const nq_history_page *page, uint64_t epoch);

typedef struct nq_channel_request {
    nq_bytes name;
    nq_channel_settings settings;
    uint32_t changed; /* UpdateChannel: bit n for field n of Channel */
} nq_channel_request;

nq_status nq_create_channel_request_decode(nq_ctx *ctx, nq_bytes message, nq_channel_request *out);
nq_status nq_update_channel_request_decode(nq_ctx *ctx, nq_bytes message, nq_channel_request *out);
/* The settings of `current` with what the request changes. */
nq_channel_settings nq_channel_settings_merge(const nq_channel_settings *current,
                                              const nq_channel_request *request);
nq_status nq_get_channel_request_decode(nq_ctx *ctx, nq_bytes message, nq_bytes *out_name);
nq_status nq_delete_channel_request_decode(nq_ctx *ctx, nq_bytes message, nq_bytes *out_name);

typedef struct nq_list_channels_request {
    uint32_t page_size;
    nq_bytes after;
    nq_bytes pattern;
} nq_list_channels_request;

nq_status nq_list_channels_request_decode(nq_ctx *ctx, nq_bytes message,
                                          nq_list_channels_request *out);

/* Create, Update, Get (with_stats) and, as an element, List. */
void nq_channel_write(nq_writer *writer, const nq_channel_info *info, bool with_stats);
void nq_list_channels_end(nq_writer *writer, nq_bytes next_page_token);

#endif
