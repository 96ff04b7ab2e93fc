/* PubSub decode: the requests that move messages; channels are in channel_wire.c. */
#include <google/protobuf/duration.pb-c.h>
#include <google/protobuf/timestamp.pb-c.h>
#include <neuroquantum/v1/pubsub.pb-c.h>
#include <stdio.h>

#include "server/wire/pubsub_message_internal.h"
#include "server/wire/start_internal.h"
#include "server/wire/statement_internal.h"

#define NS_PER_S INT64_C(1000000000)

enum { ATTRIBUTES_MAX = 32, ATTRIBUTE_BYTES_MAX = 255 };

/* ---- Publish ---- */

static nq_status read_attributes(nq_ctx *ctx, const char *field,
                                 const Neuroquantum__V1__Message *message,
                                 const void **out_attributes) {
    *out_attributes = NULL;
    if (message->n_attributes == 0) {
        return NQ_OK;
    }
    if (message->n_attributes > ATTRIBUTES_MAX) {
        return nq__wire_refuse(ctx, field, "holds more than 32 attributes");
    }
    nq_message_attributes *attributes = nq_arena_calloc(ctx->scratch, 1, sizeof *attributes);
    nq_message_attribute *pairs =
        nq_arena_calloc(ctx->scratch, message->n_attributes, sizeof *pairs);
    if (attributes == NULL || pairs == NULL) {
        return nq_fail_no_memory(ctx, "a message's attributes");
    }
    for (size_t i = 0; i < message->n_attributes; i++) {
        pairs[i].name = nq__wire_text(message->attributes[i]->key);
        pairs[i].value = nq__wire_text(message->attributes[i]->value);
        if (pairs[i].name.size > ATTRIBUTE_BYTES_MAX || pairs[i].value.size > ATTRIBUTE_BYTES_MAX) {
            return nq__wire_refuse(ctx, field, "holds an attribute longer than 255 bytes");
        }
    }
    *attributes = (nq_message_attributes){.pairs = pairs, .count = (uint32_t)message->n_attributes};
    *out_attributes = attributes;
    return NQ_OK;
}

static nq_status read_message(nq_ctx *ctx, uint32_t index, const Neuroquantum__V1__Message *message,
                              nq_publication *out) {
    char field[48];
    (void)snprintf(field, sizeof field, "messages[%u]", index);
    if (message->sequence != 0 || message->publish_time_us != 0 || message->publisher[0] != '\0') {
        return nq__wire_refuse(ctx, field,
                               "sets sequence, publish_time_us or publisher: the server does");
    }
    if ((int)message->priority < 0 || (int)message->priority > NQ_PRIORITY_CRITICAL) {
        return nq__wire_refuse(ctx, field, "has a priority that is none");
    }
    *out = (nq_publication){
        .channel = nq__wire_text(message->channel),
        .key = nq__wire_text(message->key),
        .message_id = nq__wire_text(message->message_id),
        .payload = nq__wire_bytes(message->payload),
        .priority = (uint8_t)message->priority,
    };
    return read_attributes(ctx, field, message, &out->attributes);
}

nq_status nq_publish_request_decode(nq_ctx *ctx, nq_bytes message, nq_publish_request *out) {
    *out = (nq_publish_request){0};
    const void *unpacked = NULL;
    NQ_TRY(
        nq__wire_unpack(ctx, &neuroquantum__v1__publish_request__descriptor, message, &unpacked));
    const Neuroquantum__V1__PublishRequest *request = unpacked;
    nq_bytes request_id;
    NQ_TRY(nq__wire_id(ctx, "request_id", request->request_id, &request_id));
    if (request->require_commit) {
        return nq__wire_unsupported(ctx, "require_commit", "durable publishing");
    }
    if (request->n_messages == 0 || request->n_messages > NQ_PUBLISH_MESSAGES_MAX) {
        return nq__wire_refuse(ctx, "messages", "holds 1 to 10,000 messages");
    }
    NQ_TRY(nq__wire_duration(ctx, "block_timeout", request->block_timeout, 60 * NS_PER_S,
                             &out->block_timeout_ns));
    if (request->block_timeout == NULL) {
        out->block_timeout_ns = 5 * NS_PER_S;
    }
    nq_publication *publications =
        nq_arena_calloc(ctx->scratch, request->n_messages, sizeof *publications);
    if (publications == NULL) {
        return nq_fail_no_memory(ctx, "the messages");
    }
    for (uint32_t i = 0; i < request->n_messages; i++) {
        NQ_TRY(read_message(ctx, i, request->messages[i], &publications[i]));
    }
    out->publications = publications;
    out->count = (uint32_t)request->n_messages;
    return NQ_OK;
}

/* ---- Where to start ---- */

nq_status nq__wire_start(nq_ctx *ctx, const struct Neuroquantum__V1__StartPosition *position,
                         nq_start_kind kind_default, nq_start *out) {
    *out = (nq_start){.kind = kind_default};
    if (position == NULL) {
        return NQ_OK;
    }
    switch (position->position_case) {
    case NEUROQUANTUM__V1__START_POSITION__POSITION_NEW_ONLY:
        out->kind = NQ_START_NEW;
        return NQ_OK;
    case NEUROQUANTUM__V1__START_POSITION__POSITION_EARLIEST:
        out->kind = NQ_START_EARLIEST;
        return NQ_OK;
    case NEUROQUANTUM__V1__START_POSITION__POSITION_SEQUENCE:
        *out = (nq_start){.kind = NQ_START_SEQUENCE, .sequence = position->sequence};
        return NQ_OK;
    case NEUROQUANTUM__V1__START_POSITION__POSITION_LAST_N:
        *out = (nq_start){.kind = NQ_START_LAST, .sequence = position->last_n};
        return NQ_OK;
    case NEUROQUANTUM__V1__START_POSITION__POSITION_TIME:
        if (position->time->seconds < -62135596800 || position->time->seconds > 253402300799 ||
            position->time->nanos < 0 || position->time->nanos > 999999999) {
            return nq__wire_refuse(ctx, "start.time", "is outside the years 1 to 9999");
        }
        *out =
            (nq_start){.kind = NQ_START_TIME,
                       .time_us = position->time->seconds * 1000000 + position->time->nanos / 1000};
        return NQ_OK;
    case NEUROQUANTUM__V1__START_POSITION__POSITION_RESUME_TOKEN:
        return nq__wire_unsupported(ctx, "start.resume_token", "resuming a subscription");
    case NEUROQUANTUM__V1__START_POSITION__POSITION_LAST_PER_KEY:
        return nq__wire_unsupported(ctx, "start.last_per_key", "starting by key");
    default:
        return NQ_OK;
    }
}

/* ---- Subscribe and Listen ---- */

static nq_status read_patterns(nq_ctx *ctx, const Neuroquantum__V1__SubscribeOptions *options,
                               nq_subscribe_options *out) {
    if (options->n_patterns == 0 || options->n_patterns > NQ_SUBSCRIBE_PATTERNS_MAX) {
        return nq__wire_refuse(ctx, "patterns", "holds 1 to 1000 names and patterns");
    }
    nq_bytes *patterns = nq_arena_calloc(ctx->scratch, options->n_patterns, sizeof *patterns);
    if (patterns == NULL) {
        return nq_fail_no_memory(ctx, "the patterns");
    }
    for (size_t i = 0; i < options->n_patterns; i++) {
        patterns[i] = nq__wire_text(options->patterns[i]);
    }
    out->patterns = patterns;
    out->pattern_count = (uint32_t)options->n_patterns;
    return NQ_OK;
}

static bool is_share(double value) {
    return value >= 0 && value <= 1; /* false for NaN */
}

static nq_status read_limits(nq_ctx *ctx, const Neuroquantum__V1__FlowLimits *limits,
                             nq_subscribe_options *out) {
    out->batch_messages_max = NQ_DELIVERY_MESSAGES_DEFAULT;
    if (limits == NULL) {
        return NQ_OK;
    }
    if (limits->max_coalesce_delay != NULL) {
        return nq__wire_unsupported(ctx, "limits.max_coalesce_delay", "delaying messages");
    }
    if (limits->rate_limit_per_second != 0) {
        return nq__wire_unsupported(ctx, "limits.rate_limit_per_second", "limiting the rate");
    }
    if (limits->buffer_bytes > NQ_SUBSCRIBER_BYTES_MAX) {
        return nq__wire_refuse(ctx, "limits.buffer_bytes", "is at most 10,485,760");
    }
    if (limits->buffer_messages > NQ_SUBSCRIBER_MESSAGES_MAX) {
        return nq__wire_refuse(ctx, "limits.buffer_messages", "is at most 65,536");
    }
    if (!is_share(limits->throttle_threshold) || !is_share(limits->pause_threshold)) {
        return nq__wire_refuse(ctx, "limits", "has a threshold outside 0 to 1");
    }
    if ((int)limits->drop_policy < 0 || (int)limits->drop_policy > NQ_DROP_DISCONNECT) {
        return nq__wire_refuse(ctx, "limits.drop_policy", "is not a policy");
    }
    if (limits->max_batch_messages > NQ_DELIVERY_MESSAGES_MAX) {
        return nq__wire_refuse(ctx, "limits.max_batch_messages", "is at most 4096");
    }
    if (limits->max_batch_messages > 0) {
        out->batch_messages_max = limits->max_batch_messages;
    }
    bool is_held = limits->max_outstanding_messages > 0 || limits->max_outstanding_bytes > 0;
    if (is_held && out->ack_mode == NQ_ACK_NONE) {
        return nq__wire_refuse(ctx, "limits.max_outstanding_messages", "needs an ack_mode");
    }
    out->limits = (nq_subscriber_limits){
        .buffer_bytes = limits->buffer_bytes,
        .buffer_messages = (uint32_t)limits->buffer_messages,
        .drop_policy = (nq_drop_policy)limits->drop_policy,
        .throttle_threshold = limits->throttle_threshold,
        .pause_threshold = limits->pause_threshold,
        .outstanding_messages_max = limits->max_outstanding_messages,
        .outstanding_bytes_max = limits->max_outstanding_bytes,
    };
    return NQ_OK;
}

static nq_status refuse_unserved(nq_ctx *ctx, const Neuroquantum__V1__SubscribeOptions *options) {
    if (options->subscription[0] != '\0') {
        return nq__wire_unsupported(ctx, "subscription", "a durable subscription");
    }
    if (options->queue_group[0] != '\0') {
        return nq__wire_unsupported(ctx, "queue_group", "a queue group");
    }
    if (options->attribute_filter[0] != '\0') {
        return nq__wire_unsupported(ctx, "attribute_filter", "filtering by attributes");
    }
    if (options->ack_deadline != NULL) {
        return nq__wire_unsupported(ctx, "ack_deadline", "delivering again");
    }
    return NQ_OK;
}

static nq_status read_subscribe_options(nq_ctx *ctx,
                                        const Neuroquantum__V1__SubscribeOptions *options,
                                        nq_subscribe_options *out) {
    *out = (nq_subscribe_options){0};
    if (options == NULL) {
        return nq__wire_refuse(ctx, "options", "is missing");
    }
    NQ_TRY(refuse_unserved(ctx, options));
    NQ_TRY(read_patterns(ctx, options, out));
    NQ_TRY(nq__wire_start(ctx, options->start, NQ_START_NEW, &out->start));
    switch (options->ack_mode) {
    case NEUROQUANTUM__V1__ACK_MODE__ACK_MODE_UNSPECIFIED:
    case NEUROQUANTUM__V1__ACK_MODE__ACK_MODE_NONE:
        out->ack_mode = NQ_ACK_NONE;
        break;
    case NEUROQUANTUM__V1__ACK_MODE__ACK_MODE_CUMULATIVE:
        out->ack_mode = NQ_ACK_CUMULATIVE;
        break;
    case NEUROQUANTUM__V1__ACK_MODE__ACK_MODE_INDIVIDUAL:
        out->ack_mode = NQ_ACK_INDIVIDUAL;
        break;
    default:
        return nq__wire_refuse(ctx, "ack_mode", "is not a mode");
    }
    NQ_TRY(read_limits(ctx, options->limits, out));
    NQ_TRY(nq__wire_duration(ctx, "heartbeat", options->heartbeat, 3600 * NS_PER_S,
                             &out->heartbeat_ns));
    if (options->heartbeat == NULL) {
        out->heartbeat_ns = 15 * NS_PER_S;
    }
    if (out->heartbeat_ns < NS_PER_S) {
        return nq__wire_refuse(ctx, "heartbeat", "is at least 1 s");
    }
    if ((int)options->min_priority < 0 || (int)options->min_priority > NQ_PRIORITY_CRITICAL) {
        return nq__wire_refuse(ctx, "min_priority", "is not a priority");
    }
    out->priority_min = (uint8_t)options->min_priority;
    out->headers_only = options->headers_only != 0;
    return NQ_OK;
}

nq_status nq_listen_request_decode(nq_ctx *ctx, nq_bytes message, nq_subscribe_options *out) {
    *out = (nq_subscribe_options){0};
    const void *unpacked = NULL;
    NQ_TRY(nq__wire_unpack(ctx, &neuroquantum__v1__listen_request__descriptor, message, &unpacked));
    return read_subscribe_options(ctx, ((const Neuroquantum__V1__ListenRequest *)unpacked)->options,
                                  out);
}

static nq_status read_ack(nq_ctx *ctx, const Neuroquantum__V1__Ack *ack, nq_ack_request *out) {
    if (ack->n_nack_delivery_ids > 0) {
        return nq__wire_unsupported(ctx, "ack.nack_delivery_ids", "delivering again");
    }
    if (ack->n_extend_delivery_ids > 0 || ack->extend_by != NULL) {
        return nq__wire_unsupported(ctx, "ack.extend_delivery_ids", "delivering again");
    }
    out->delivery_ids = ack->delivery_ids;
    out->delivery_id_count = (uint32_t)ack->n_delivery_ids;
    out->through_delivery_id = ack->through_delivery_id;
    return NQ_OK;
}

nq_status nq_subscribe_request_decode(nq_ctx *ctx, nq_bytes message, nq_subscribe_request *out) {
    *out = (nq_subscribe_request){0};
    const void *unpacked = NULL;
    NQ_TRY(
        nq__wire_unpack(ctx, &neuroquantum__v1__subscribe_request__descriptor, message, &unpacked));
    const Neuroquantum__V1__SubscribeRequest *request = unpacked;
    switch (request->request_case) {
    case NEUROQUANTUM__V1__SUBSCRIBE_REQUEST__REQUEST_OPEN:
        out->kind = NQ_SUBSCRIBE_OPEN;
        return read_subscribe_options(ctx, request->open, &out->options);
    case NEUROQUANTUM__V1__SUBSCRIBE_REQUEST__REQUEST_ACK:
        out->kind = NQ_SUBSCRIBE_ACK;
        return read_ack(ctx, request->ack, &out->ack);
    case NEUROQUANTUM__V1__SUBSCRIBE_REQUEST__REQUEST_CREDIT:
        out->kind = NQ_SUBSCRIBE_ACK;
        out->ack.has_credit = true;
        out->ack.grant_through_delivery_id = request->credit->grant_through_delivery_id;
        return NQ_OK;
    case NEUROQUANTUM__V1__SUBSCRIBE_REQUEST__REQUEST_ADD_PATTERNS:
        out->kind = NQ_SUBSCRIBE_ADD_PATTERNS;
        NQ_TRY(read_patterns(ctx, request->add_patterns, &out->options));
        return nq__wire_start(ctx, request->add_patterns->start, NQ_START_NEW, &out->options.start);
    case NEUROQUANTUM__V1__SUBSCRIBE_REQUEST__REQUEST_REMOVE_PATTERNS:
        out->kind = NQ_SUBSCRIBE_REMOVE_PATTERNS;
        return read_patterns(ctx, request->remove_patterns, &out->options);
    case NEUROQUANTUM__V1__SUBSCRIBE_REQUEST__REQUEST_PAUSE:
        out->kind = NQ_SUBSCRIBE_PAUSE;
        out->flag = request->pause != 0;
        return NQ_OK;
    case NEUROQUANTUM__V1__SUBSCRIBE_REQUEST__REQUEST_DRAIN:
        out->kind = NQ_SUBSCRIBE_DRAIN;
        out->flag = request->drain != 0;
        return NQ_OK;
    default:
        return nq__wire_refuse(ctx, "request", "is empty");
    }
}

nq_status nq_acknowledge_request_decode(nq_ctx *ctx, nq_bytes message,
                                        nq_acknowledge_request *out) {
    *out = (nq_acknowledge_request){0};
    const void *unpacked = NULL;
    NQ_TRY(nq__wire_unpack(ctx, &neuroquantum__v1__acknowledge_request__descriptor, message,
                           &unpacked));
    const Neuroquantum__V1__AcknowledgeRequest *request = unpacked;
    if (request->subscription[0] != '\0') {
        return nq__wire_unsupported(ctx, "subscription", "a durable subscription");
    }
    out->session_id = nq__wire_text(request->session_id);
    out->control_token = nq__wire_bytes(request->control_token);
    if (request->credit != NULL) {
        out->ack.has_credit = true;
        out->ack.grant_through_delivery_id = request->credit->grant_through_delivery_id;
    }
    return request->ack == NULL ? NQ_OK : read_ack(ctx, request->ack, &out->ack);
}
