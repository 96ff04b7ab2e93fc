/* Channel: settings, subscribers and lifetime of one channel. */
#include "engine/ground/base/heap.h"
#include "engine/live/pubsub/hub_internal.h"

void nq__channel_acquire(nq__channel *channel) {
    atomic_fetch_add_explicit(&channel->references, 1, memory_order_relaxed);
}

void nq__channel_release(nq__channel *channel) {
    if (atomic_fetch_sub_explicit(&channel->references, 1, memory_order_acq_rel) != 1) {
        return;
    }
    for (uint32_t i = 0; i < channel->subscriber_count; i++) {
        nq_subscriber_release(channel->subscribers[i]);
    }
    nq_history_clear(&channel->history);
    nq_dedup_clear(&channel->dedup);
    nq_mutex_deinit(&channel->mutex);
    nq_heap_free(channel->subscribers);
    nq_heap_free(channel);
}

bool nq__channel_add_subscriber(nq__channel *channel, nq_subscriber *subscriber) {
    if (channel->subscriber_count == channel->subscriber_capacity) {
        uint32_t capacity =
            channel->subscriber_capacity == 0 ? 4 : 2 * channel->subscriber_capacity;
        nq_subscriber **grown =
            nq_heap_realloc(channel->subscribers, capacity * sizeof(nq_subscriber *));
        if (grown == NULL) {
            return false;
        }
        channel->subscribers = grown;
        channel->subscriber_capacity = capacity;
    }
    channel->subscribers[channel->subscriber_count++] = subscriber;
    nq_subscriber_acquire(subscriber);
    return true;
}

bool nq__channel_remove_subscriber(nq__channel *channel, const nq_subscriber *subscriber) {
    for (uint32_t i = 0; i < channel->subscriber_count; i++) {
        if (channel->subscribers[i] == subscriber) {
            channel->subscribers[i] = channel->subscribers[--channel->subscriber_count];
            return true;
        }
    }
    return false;
}

nq_history_limits nq__channel_history_limits(const nq__channel *channel) {
    const nq_channel_settings *settings = &channel->settings;
    bool keeps = settings->durability == NQ_CHANNEL_HISTORY;
    return (nq_history_limits){
        .messages_max = keeps ? settings->history_messages : 0,
        .bytes_max = settings->history_bytes,
        .ttl_us = settings->history_ttl_us,
    };
}

static nq_status refuse(nq_ctx *ctx, const char *field, const char *rule) {
    nq_status status = nq_fail(ctx, NQ_INVALID_ARGUMENT, "%s %s", field, rule);
    nq_error_set_object(&ctx->error, field, strlen(field));
    return status;
}

nq_status nq__channel_settings_check(nq_ctx *ctx, const nq_channel_settings *settings,
                                     nq_channel_settings *out_settings) {
    nq_channel_settings s = *settings;
    s.history_messages = s.history_messages == 0 ? 1000 : s.history_messages;
    s.history_bytes = s.history_bytes == 0 ? 1 << 20 : s.history_bytes;
    s.message_bytes_max =
        s.message_bytes_max == 0 ? NQ_CHANNEL_MESSAGE_BYTES_MAX : s.message_bytes_max;
    s.default_priority = s.default_priority == 0 ? NQ_PRIORITY_NORMAL : s.default_priority;
    s.default_drop_policy =
        s.default_drop_policy == NQ_DROP_DEFAULT ? NQ_DROP_OLDEST : s.default_drop_policy;
    if (s.history_messages > NQ_CHANNEL_HISTORY_MESSAGES_MAX) {
        return refuse(ctx, "history_messages", "is at most 1,000,000");
    }
    if (s.history_bytes > NQ_CHANNEL_HISTORY_BYTES_MAX) {
        return refuse(ctx, "history_bytes", "is at most 1,073,741,824");
    }
    if (s.history_ttl_us < 0) {
        return refuse(ctx, "history_ttl", "must not be negative");
    }
    if (s.dedup_window_us < 0 || s.dedup_window_us > INT64_C(3600000000)) {
        return refuse(ctx, "dedup_window", "is at most 1 hour");
    }
    if (s.message_bytes_max > NQ_CHANNEL_MESSAGE_BYTES_MAX) {
        return refuse(ctx, "max_message_bytes", "is at most 1,048,576");
    }
    if (s.default_priority > NQ_PRIORITY_CRITICAL) {
        return refuse(ctx, "default_priority", "is not a priority");
    }
    if (s.default_drop_policy == NQ_DROP_BLOCK && !s.allow_block) {
        return refuse(ctx, "default_drop_policy", "BLOCK needs allow_block");
    }
    *out_settings = s;
    return NQ_OK;
}
