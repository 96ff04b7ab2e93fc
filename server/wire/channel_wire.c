/* Channel wire: decoding and encoding of channels and of reading their history. */
#include <google/protobuf/duration.pb-c.h>
#include <google/protobuf/field_mask.pb-c.h>
#include <neuroquantum/v1/pubsub.pb-c.h>
#include <stdlib.h>

#include "server/wire/pubsub_wire.h"
#include "server/wire/start_internal.h"
#include "server/wire/statement_internal.h"

enum {
    CHANNEL_NAME = 1,
    CHANNEL_DURABILITY,
    CHANNEL_HISTORY_MESSAGES,
    CHANNEL_HISTORY_BYTES,
    CHANNEL_HISTORY_TTL,
    CHANNEL_MESSAGE_BYTES,
    CHANNEL_PRIORITY,
    CHANNEL_DROP_POLICY,
    CHANNEL_ALLOW_BLOCK,
    CHANNEL_DEDUP_WINDOW,
};

#define HISTORY_TTL_NS_MAX  (INT64_C(366) * 24 * 3600 * 1000000000)
#define DEDUP_WINDOW_NS_MAX (INT64_C(3600) * 1000000000)

nq_status nq_history_request_decode(nq_ctx *ctx, nq_bytes message, nq_history_request *out) {
    *out = (nq_history_request){0};
    const void *unpacked = NULL;
    NQ_TRY(nq__wire_unpack(ctx, &neuroquantum__v1__get_history_request__descriptor, message,
                           &unpacked));
    const Neuroquantum__V1__GetHistoryRequest *request = unpacked;
    out->channel = nq__wire_text(request->channel);
    out->page_size = nq__wire_page_size(request->page_size);
    out->is_reverse = request->reverse != 0;
    NQ_TRY(nq__wire_start(ctx, request->start, NQ_START_EARLIEST, &out->start));
    for (const char *digit = request->page_token; *digit != '\0'; digit++) {
        if (*digit < '0' || *digit > '9' || digit - request->page_token > 18) {
            return nq_fail(ctx, NQ_BAD_TOKEN, "field page_token is not one of ours");
        }
    }
    out->resume = strtoull(request->page_token, NULL, 10);
    return NQ_OK;
}

static nq_status read_durability(nq_ctx *ctx, Neuroquantum__V1__Durability durability,
                                 nq_channel_durability *out) {
    switch (durability) {
    case NEUROQUANTUM__V1__DURABILITY__DURABILITY_UNSPECIFIED:
    case NEUROQUANTUM__V1__DURABILITY__DURABILITY_HISTORY:
        *out = NQ_CHANNEL_HISTORY;
        return NQ_OK;
    case NEUROQUANTUM__V1__DURABILITY__DURABILITY_EPHEMERAL:
        *out = NQ_CHANNEL_EPHEMERAL;
        return NQ_OK;
    case NEUROQUANTUM__V1__DURABILITY__DURABILITY_LOGGED:
        return nq__wire_unsupported(ctx, "channel.durability", "a logged channel");
    default:
        return nq__wire_refuse(ctx, "channel.durability", "is not a durability");
    }
}

static nq_status read_channel(nq_ctx *ctx, const Neuroquantum__V1__Channel *channel,
                              nq_channel_request *out) {
    if (channel == NULL) {
        return nq__wire_refuse(ctx, "channel", "is missing");
    }
    if (channel->n_labels > 0) {
        return nq__wire_unsupported(ctx, "channel.labels", "labelling a channel");
    }
    if (channel->schema_table[0] != '\0') {
        return nq__wire_unsupported(ctx, "channel.schema_table", "payloads with a schema");
    }
    if ((int)channel->default_priority < 0 ||
        (int)channel->default_priority > NQ_PRIORITY_CRITICAL) {
        return nq__wire_refuse(ctx, "channel.default_priority", "is not a priority");
    }
    if ((int)channel->default_drop_policy < 0 ||
        (int)channel->default_drop_policy > NQ_DROP_DISCONNECT) {
        return nq__wire_refuse(ctx, "channel.default_drop_policy", "is not a policy");
    }
    int64_t ttl_ns = 0;
    int64_t window_ns = 0;
    NQ_TRY(read_durability(ctx, channel->durability, &out->settings.durability));
    NQ_TRY(nq__wire_duration(ctx, "channel.history_ttl", channel->history_ttl, HISTORY_TTL_NS_MAX,
                             &ttl_ns));
    NQ_TRY(nq__wire_duration(ctx, "channel.dedup_window", channel->dedup_window,
                             DEDUP_WINDOW_NS_MAX, &window_ns));
    out->name = nq__wire_text(channel->name);
    out->settings.history_messages = channel->history_messages;
    out->settings.history_bytes = channel->history_bytes;
    out->settings.history_ttl_us = ttl_ns / 1000;
    out->settings.message_bytes_max = channel->max_message_bytes;
    out->settings.default_priority = (uint8_t)channel->default_priority;
    out->settings.default_drop_policy = (nq_drop_policy)channel->default_drop_policy;
    out->settings.allow_block = channel->allow_block != 0;
    out->settings.dedup_window_us = window_ns / 1000;
    return NQ_OK;
}

nq_status nq_create_channel_request_decode(nq_ctx *ctx, nq_bytes message, nq_channel_request *out) {
    *out = (nq_channel_request){0};
    const void *unpacked = NULL;
    NQ_TRY(nq__wire_unpack(ctx, &neuroquantum__v1__create_channel_request__descriptor, message,
                           &unpacked));
    const Neuroquantum__V1__CreateChannelRequest *request = unpacked;
    nq_bytes request_id;
    NQ_TRY(nq__wire_id(ctx, "request_id", request->request_id, &request_id));
    return read_channel(ctx, request->channel, out);
}

static nq_status field_of(nq_ctx *ctx, const char *path, uint32_t *out_field) {
    *out_field = 0;
    static const struct {
        const char *name;
        uint32_t field;
    } fields[] = {
        {"history_messages", CHANNEL_HISTORY_MESSAGES},
        {"history_bytes", CHANNEL_HISTORY_BYTES},
        {"history_ttl", CHANNEL_HISTORY_TTL},
        {"max_message_bytes", CHANNEL_MESSAGE_BYTES},
        {"default_priority", CHANNEL_PRIORITY},
        {"default_drop_policy", CHANNEL_DROP_POLICY},
        {"allow_block", CHANNEL_ALLOW_BLOCK},
        {"dedup_window", CHANNEL_DEDUP_WINDOW},
    };
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        if (strcmp(fields[i].name, path) == 0) {
            *out_field = fields[i].field;
            return NQ_OK;
        }
    }
    return nq__wire_refuse(ctx, "update_mask", "names a field that is unknown or cannot change");
}

/* Without a mask: what is not zero. */
static uint32_t fields_set(const nq_channel_settings *settings) {
    const struct {
        bool is_set;
        uint32_t field;
    } fields[] = {
        {settings->history_messages != 0, CHANNEL_HISTORY_MESSAGES},
        {settings->history_bytes != 0, CHANNEL_HISTORY_BYTES},
        {settings->history_ttl_us != 0, CHANNEL_HISTORY_TTL},
        {settings->message_bytes_max != 0, CHANNEL_MESSAGE_BYTES},
        {settings->default_priority != 0, CHANNEL_PRIORITY},
        {settings->default_drop_policy != NQ_DROP_DEFAULT, CHANNEL_DROP_POLICY},
        {settings->allow_block, CHANNEL_ALLOW_BLOCK},
        {settings->dedup_window_us != 0, CHANNEL_DEDUP_WINDOW},
    };
    uint32_t set = 0;
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        set |= fields[i].is_set ? 1U << fields[i].field : 0;
    }
    return set;
}

nq_status nq_update_channel_request_decode(nq_ctx *ctx, nq_bytes message, nq_channel_request *out) {
    *out = (nq_channel_request){0};
    const void *unpacked = NULL;
    NQ_TRY(nq__wire_unpack(ctx, &neuroquantum__v1__update_channel_request__descriptor, message,
                           &unpacked));
    const Neuroquantum__V1__UpdateChannelRequest *request = unpacked;
    nq_bytes request_id;
    NQ_TRY(nq__wire_id(ctx, "request_id", request->request_id, &request_id));
    NQ_TRY(read_channel(ctx, request->channel, out));
    if (request->update_mask == NULL) {
        out->changed = fields_set(&out->settings);
        return NQ_OK;
    }
    for (size_t i = 0; i < request->update_mask->n_paths; i++) {
        uint32_t field;
        NQ_TRY(field_of(ctx, request->update_mask->paths[i], &field));
        out->changed |= 1U << field;
    }
    return NQ_OK;
}

nq_channel_settings nq_channel_settings_merge(const nq_channel_settings *current,
                                              const nq_channel_request *request) {
    nq_channel_settings merged = *current;
    const nq_channel_settings *wanted = &request->settings;
    uint32_t changed = request->changed;
    if (changed & 1U << CHANNEL_HISTORY_MESSAGES) {
        merged.history_messages = wanted->history_messages;
    }
    if (changed & 1U << CHANNEL_HISTORY_BYTES) {
        merged.history_bytes = wanted->history_bytes;
    }
    if (changed & 1U << CHANNEL_HISTORY_TTL) {
        merged.history_ttl_us = wanted->history_ttl_us;
    }
    if (changed & 1U << CHANNEL_MESSAGE_BYTES) {
        merged.message_bytes_max = wanted->message_bytes_max;
    }
    if (changed & 1U << CHANNEL_PRIORITY) {
        merged.default_priority = wanted->default_priority;
    }
    if (changed & 1U << CHANNEL_DROP_POLICY) {
        merged.default_drop_policy = wanted->default_drop_policy;
    }
    if (changed & 1U << CHANNEL_ALLOW_BLOCK) {
        merged.allow_block = wanted->allow_block;
    }
    if (changed & 1U << CHANNEL_DEDUP_WINDOW) {
        merged.dedup_window_us = wanted->dedup_window_us;
    }
    return merged;
}

nq_status nq_get_channel_request_decode(nq_ctx *ctx, nq_bytes message, nq_bytes *out_name) {
    *out_name = (nq_bytes){0};
    const void *unpacked = NULL;
    NQ_TRY(nq__wire_unpack(ctx, &neuroquantum__v1__get_channel_request__descriptor, message,
                           &unpacked));
    *out_name = nq__wire_text(((const Neuroquantum__V1__GetChannelRequest *)unpacked)->name);
    return NQ_OK;
}

nq_status nq_delete_channel_request_decode(nq_ctx *ctx, nq_bytes message, nq_bytes *out_name) {
    *out_name = (nq_bytes){0};
    const void *unpacked = NULL;
    NQ_TRY(nq__wire_unpack(ctx, &neuroquantum__v1__delete_channel_request__descriptor, message,
                           &unpacked));
    const Neuroquantum__V1__DeleteChannelRequest *request = unpacked;
    nq_bytes request_id;
    *out_name = nq__wire_text(request->name);
    return nq__wire_id(ctx, "request_id", request->request_id, &request_id);
}

nq_status nq_list_channels_request_decode(nq_ctx *ctx, nq_bytes message,
                                          nq_list_channels_request *out) {
    *out = (nq_list_channels_request){0};
    const void *unpacked = NULL;
    NQ_TRY(nq__wire_unpack(ctx, &neuroquantum__v1__list_channels_request__descriptor, message,
                           &unpacked));
    const Neuroquantum__V1__ListChannelsRequest *request = unpacked;
    out->page_size = nq__wire_page_size(request->page_size);
    out->after = nq__wire_text(request->page_token);
    out->pattern = nq__wire_text(request->pattern);
    return NQ_OK;
}

/* ---- Answers ---- */

void nq_channel_write(nq_writer *writer, const nq_channel_info *info, bool with_stats) {
    enum { RESPONSE_CHANNEL = 1, RESPONSE_STATS };
    enum { SUBSCRIBERS = 1, MESSAGES, BYTES, DROPPED, FIRST_SEQUENCE, LAST_SEQUENCE, PUBLISH_RATE };
    const nq_channel_settings *settings = &info->settings;
    size_t opened = nq_writer_open(writer, RESPONSE_CHANNEL);
    nq_writer_put_bytes(writer, CHANNEL_NAME, info->name);
    nq_writer_put_uint(writer, CHANNEL_DURABILITY,
                       settings->durability == NQ_CHANNEL_HISTORY
                           ? NEUROQUANTUM__V1__DURABILITY__DURABILITY_HISTORY
                           : NEUROQUANTUM__V1__DURABILITY__DURABILITY_EPHEMERAL);
    nq_writer_put_uint(writer, CHANNEL_HISTORY_MESSAGES, settings->history_messages);
    nq_writer_put_uint(writer, CHANNEL_HISTORY_BYTES, settings->history_bytes);
    if (settings->history_ttl_us > 0) {
        nq_writer_put_duration(writer, CHANNEL_HISTORY_TTL, settings->history_ttl_us * 1000);
    }
    nq_writer_put_uint(writer, CHANNEL_MESSAGE_BYTES, settings->message_bytes_max);
    nq_writer_put_uint(writer, CHANNEL_PRIORITY, settings->default_priority);
    nq_writer_put_uint(writer, CHANNEL_DROP_POLICY, settings->default_drop_policy);
    nq_writer_put_uint(writer, CHANNEL_ALLOW_BLOCK, settings->allow_block);
    if (settings->dedup_window_us > 0) {
        nq_writer_put_duration(writer, CHANNEL_DEDUP_WINDOW, settings->dedup_window_us * 1000);
    }
    nq_writer_close(writer, opened);
    if (!with_stats) {
        return;
    }
    opened = nq_writer_open(writer, RESPONSE_STATS);
    nq_writer_put_uint(writer, SUBSCRIBERS, info->stats.subscribers);
    nq_writer_put_uint(writer, MESSAGES, info->stats.messages);
    nq_writer_put_uint(writer, BYTES, info->stats.bytes);
    nq_writer_put_uint(writer, DROPPED, info->stats.dropped);
    nq_writer_put_uint(writer, FIRST_SEQUENCE, info->stats.first_sequence);
    nq_writer_put_uint(writer, LAST_SEQUENCE, info->stats.last_sequence);
    nq_writer_put_double(writer, PUBLISH_RATE, info->stats.publish_rate);
    nq_writer_close(writer, opened);
}

void nq_list_channels_end(nq_writer *writer, nq_bytes next_page_token) {
    nq_writer_put_bytes(writer, 2, next_page_token);
}
