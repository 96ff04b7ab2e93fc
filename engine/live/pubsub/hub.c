/* Hub: the table of channels. Publishing is in publish.c, subscribing in subscribe.c, reading back
 * in hub_history.c. */
#include "engine/live/pubsub/hub.h"

#include <stdlib.h>

#include "engine/ground/base/heap.h"
#include "engine/live/pubsub/hub_internal.h"

nq__channel nq__channel_tombstone;

void nq__room_announce(nq__room *room) {
    nq_mutex_lock(&room->mutex);
    room->generation++;
    nq_cond_broadcast(&room->changed);
    nq_mutex_unlock(&room->mutex);
}

nq_status nq_hub_create(nq_ctx *ctx, const nq_hub_options *options, nq_hub **out_hub) {
    *out_hub = NULL;
    nq_hub *hub = nq_heap_calloc(1, sizeof(*hub));
    if (hub == NULL) {
        return nq_fail_no_memory(ctx, "the hub");
    }
    nq_status status = nq_trie_create(ctx, &hub->trie);
    if (status != NQ_OK) {
        nq_heap_free(hub);
        return status;
    }
    hub->options = *options;
    if (hub->options.memory_bytes_max == 0) {
        hub->options.memory_bytes_max = (uint64_t)256 << 20;
    }
    if (hub->options.channels_max == 0) {
        hub->options.channels_max = 65536;
    }
    nq_mutex_init(&hub->mutex, NQ_LOCK_PUBSUB_HUB);
    nq_mutex_init(&hub->room.mutex, NQ_LOCK_PUBSUB_ROOM);
    nq_cond_init(&hub->room.changed);
    *out_hub = hub;
    return NQ_OK;
}

void nq_hub_destroy(nq_hub *hub) {
    if (hub == NULL) {
        return;
    }
    for (uint32_t i = 0; i < hub->capacity; i++) {
        nq__channel *channel = nq__hub_slot(hub, i);
        if (channel != NULL) {
            nq__channel_release(channel);
        }
    }
    nq_trie_destroy(hub->trie);
    nq_cond_deinit(&hub->room.changed);
    nq_mutex_deinit(&hub->room.mutex);
    nq_mutex_deinit(&hub->mutex);
    nq_heap_free(hub->channels);
    nq_heap_free(hub);
}

uint64_t nq_hub_epoch(const nq_hub *hub) {
    return hub->options.epoch;
}

static nq_bytes name_of(const nq__channel *channel) {
    return nq_bytes_of_cstr(channel->name);
}

/* ---- The table ---- */

nq__channel *nq__hub_find(const nq_hub *hub, nq_bytes name) {
    if (hub->capacity == 0) {
        return NULL;
    }
    uint32_t mask = hub->capacity - 1;
    for (uint32_t at = (uint32_t)nq_message_key_hash(name) & mask;; at = (at + 1) & mask) {
        nq__channel *channel = hub->channels[at];
        if (channel == NULL) {
            return NULL;
        }
        if (channel != &nq__channel_tombstone && nq_bytes_equal(name_of(channel), name)) {
            return channel;
        }
    }
}

static void put(nq__channel **channels, uint32_t capacity, nq__channel *channel) {
    uint32_t mask = capacity - 1;
    uint32_t at = (uint32_t)nq_message_key_hash(name_of(channel)) & mask;
    while (channels[at] != NULL) {
        at = (at + 1) & mask;
    }
    channels[at] = channel;
}

static bool reserve(nq_hub *hub) {
    if (2 * (hub->used + 1) <= hub->capacity) {
        return true;
    }
    uint32_t capacity = 64;
    while (capacity < 4 * (hub->count + 1)) {
        capacity *= 2;
    }
    nq__channel **channels = nq_heap_calloc(capacity, sizeof(nq__channel *));
    if (channels == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < hub->capacity; i++) {
        if (nq__hub_slot(hub, i) != NULL) {
            put(channels, capacity, hub->channels[i]);
        }
    }
    nq_heap_free(hub->channels);
    hub->channels = channels;
    hub->capacity = capacity;
    hub->used = hub->count;
    return true;
}

static void take_out(nq_hub *hub, const nq__channel *channel) {
    uint32_t mask = hub->capacity - 1;
    uint32_t at = (uint32_t)nq_message_key_hash(name_of(channel)) & mask;
    while (hub->channels[at] != channel) {
        at = (at + 1) & mask;
    }
    hub->channels[at] = &nq__channel_tombstone;
    hub->count--;
}

/* Implicit channels that nobody listens to and that keep nothing cost a name and no more: they go
 * when the table is full. */
static void forget_idle(nq_hub *hub) {
    int64_t now_us = hub->options.now_us();
    for (uint32_t i = 0; i < hub->capacity; i++) {
        nq__channel *channel = nq__hub_slot(hub, i);
        if (channel == NULL || !channel->is_implicit) {
            continue;
        }
        nq_mutex_lock(&channel->mutex);
        bool is_idle =
            channel->subscriber_count == 0 && now_us - channel->last_publish_us > 60000000;
        nq_mutex_unlock(&channel->mutex);
        if (is_idle) {
            take_out(hub, channel);
            nq__channel_release(channel);
        }
    }
}

typedef struct fill_order {
    nq__channel *channel;
    bool has_failed;
} fill_order;

static void fill(void *user, void *subject) {
    fill_order *order = user;
    nq__member *member = nq__subscriber_member(subject);
    if (member->stamp == order->channel->number) {
        return;
    }
    member->stamp = order->channel->number;
    order->has_failed = order->has_failed || !nq__channel_add_subscriber(order->channel, subject);
}

nq_status nq__hub_add(nq_ctx *ctx, nq_hub *hub, const nq_pattern *name, nq_bytes text,
                      const nq_channel_settings *settings, nq__channel **out_channel) {
    *out_channel = NULL;
    if (hub->count >= hub->options.channels_max) {
        forget_idle(hub);
    }
    if (hub->count >= hub->options.channels_max) {
        return nq_fail(ctx, NQ_LIMIT_EXCEEDED, "there are %u channels, the most allowed",
                       hub->count);
    }
    nq__channel *channel = nq_heap_calloc(1, sizeof(*channel));
    if (channel == NULL || !reserve(hub)) {
        nq_heap_free(channel);
        return nq_fail_no_memory(ctx, "a channel");
    }
    channel->references = 1;
    channel->number = ++hub->last_number;
    memcpy(channel->name, text.data, text.size);
    channel->pattern = *name;
    for (uint32_t i = 0; i < name->token_count; i++) {
        size_t offset = (size_t)(name->tokens[i].data - text.data);
        channel->pattern.tokens[i].data = (const uint8_t *)channel->name + offset;
    }
    channel->settings = *settings;
    channel->last_publish_us = hub->options.now_us();
    nq_mutex_init(&channel->mutex, NQ_LOCK_PUBSUB_CHANNEL);
    fill_order order = {.channel = channel};
    nq_trie_match(hub->trie, &channel->pattern, fill, &order);
    if (order.has_failed) {
        nq__channel_release(channel);
        return nq_fail_no_memory(ctx, "a channel");
    }
    put(hub->channels, hub->capacity, channel);
    hub->count++;
    hub->used++;
    *out_channel = channel;
    return NQ_OK;
}

/* ---- Settings ---- */

static void describe(nq__channel *channel, nq_arena *arena, int64_t now_us,
                     nq_channel_info *out_info) {
    nq_history_limits limits = nq__channel_history_limits(channel);
    nq_mutex_lock(&channel->mutex);
    nq_history_trim(&channel->history, &limits, now_us);
    double idle_s = (double)(now_us - channel->last_publish_us) / 1e6;
    *out_info = (nq_channel_info){
        .name = nq_arena_copy(arena, name_of(channel)),
        .settings = channel->settings,
        .stats = {.subscribers = channel->subscriber_count,
                  .messages = channel->message_count,
                  .bytes = channel->byte_count,
                  .dropped = channel->dropped_count,
                  .first_sequence = nq_history_first(&channel->history),
                  .last_sequence = channel->last_sequence,
                  .publish_rate = channel->rate / (1 + (idle_s > 0 ? idle_s : 0) / 10)},
    };
    nq_mutex_unlock(&channel->mutex);
}

nq_status nq_hub_create_channel(nq_ctx *ctx, nq_hub *hub, nq_bytes name,
                                const nq_channel_settings *settings, nq_arena *arena,
                                nq_channel_info *out_info) {
    *out_info = (nq_channel_info){0};
    nq_pattern parsed;
    nq_channel_settings checked;
    NQ_TRY(nq_channel_name_parse(ctx, name, &parsed));
    NQ_TRY(nq__channel_settings_check(ctx, settings, &checked));
    nq_mutex_lock(&hub->mutex);
    nq_status status = NQ_OK;
    nq__channel *channel = nq__hub_find(hub, name);
    if (channel != NULL && !channel->is_implicit) {
        status = nq_fail(ctx, NQ_CHANNEL_EXISTS, "channel \"%.*s\" exists", NQ_BYTES_FORMAT(name));
    } else if (channel != NULL) {
        /* Made by somebody's publish: it becomes what its creator says, and keeps its numbers. */
        nq_mutex_lock(&channel->mutex);
        channel->settings = checked;
        nq_mutex_unlock(&channel->mutex);
        channel->is_implicit = false;
    } else {
        status = nq__hub_add(ctx, hub, &parsed, name, &checked, &channel);
    }
    if (status == NQ_OK) {
        describe(channel, arena, hub->options.now_us(), out_info);
    }
    nq_mutex_unlock(&hub->mutex);
    return status;
}

static nq_status fail_not_found(nq_ctx *ctx, nq_bytes name) {
    nq_status status =
        nq_fail(ctx, NQ_CHANNEL_NOT_FOUND, "there is no channel \"%.*s\"", NQ_BYTES_FORMAT(name));
    nq_error_set_object(&ctx->error, (const char *)name.data, name.size);
    return status;
}

nq_status nq_hub_update_channel(nq_ctx *ctx, nq_hub *hub, nq_bytes name,
                                const nq_channel_settings *settings, nq_arena *arena,
                                nq_channel_info *out_info) {
    *out_info = (nq_channel_info){0};
    nq_pattern parsed;
    nq_channel_settings checked;
    NQ_TRY(nq_channel_name_parse(ctx, name, &parsed));
    NQ_TRY(nq__channel_settings_check(ctx, settings, &checked));
    nq_mutex_lock(&hub->mutex);
    nq__channel *channel = nq__hub_find(hub, name);
    if (channel != NULL) {
        nq_mutex_lock(&channel->mutex);
        channel->settings = checked;
        nq_mutex_unlock(&channel->mutex);
        channel->is_implicit = false;
        describe(channel, arena, hub->options.now_us(), out_info);
    }
    nq_mutex_unlock(&hub->mutex);
    return channel != NULL ? NQ_OK : fail_not_found(ctx, name);
}

nq_status nq_hub_get_channel(nq_ctx *ctx, nq_hub *hub, nq_bytes name, nq_arena *arena,
                             nq_channel_info *out_info) {
    *out_info = (nq_channel_info){0};
    nq_pattern parsed;
    NQ_TRY(nq_channel_name_parse(ctx, name, &parsed));
    nq_mutex_lock(&hub->mutex);
    nq__channel *channel = nq__hub_find(hub, name);
    if (channel != NULL) {
        describe(channel, arena, hub->options.now_us(), out_info);
    }
    nq_mutex_unlock(&hub->mutex);
    return channel != NULL ? NQ_OK : fail_not_found(ctx, name);
}

nq_status nq_hub_delete_channel(nq_ctx *ctx, nq_hub *hub, nq_bytes name) {
    nq_pattern parsed;
    NQ_TRY(nq_channel_name_parse(ctx, name, &parsed));
    nq_mutex_lock(&hub->mutex);
    nq__channel *channel = nq__hub_find(hub, name);
    if (channel != NULL) {
        take_out(hub, channel);
    }
    nq_mutex_unlock(&hub->mutex);
    if (channel == NULL) {
        return fail_not_found(ctx, name);
    }
    nq__channel_release(channel);
    return NQ_OK;
}

static int compare_names(const void *left, const void *right) {
    return strcmp((*(nq__channel *const *)left)->name, (*(nq__channel *const *)right)->name);
}

nq_status nq_hub_list_channels(nq_ctx *ctx, nq_hub *hub, nq_bytes after, nq_bytes pattern,
                               uint32_t count_max, nq_arena *arena, nq_channel_info **out_infos,
                               uint32_t *out_count) {
    *out_infos = NULL;
    *out_count = 0;
    nq_pattern parsed = {0};
    if (pattern.size > 0) {
        NQ_TRY(nq_pattern_parse(ctx, pattern, &parsed));
    }
    nq_mutex_lock(&hub->mutex);
    nq__channel **found = nq_arena_calloc(arena, hub->count, sizeof(nq__channel *));
    nq_channel_info *infos = nq_arena_calloc(arena, count_max, sizeof(*infos));
    nq_status status = NQ_OK;
    if (found == NULL || infos == NULL) {
        status = nq_fail_no_memory(ctx, "the list of channels");
    } else {
        uint32_t count = 0;
        for (uint32_t i = 0; i < hub->capacity; i++) {
            nq__channel *channel = nq__hub_slot(hub, i);
            if (channel != NULL && nq_bytes_compare(name_of(channel), after) > 0 &&
                (pattern.size == 0 || nq_pattern_matches(&parsed, &channel->pattern))) {
                found[count++] = channel;
            }
        }
        qsort(found, count, sizeof(nq__channel *), compare_names);
        *out_count = count < count_max ? count : count_max;
        for (uint32_t i = 0; i < *out_count; i++) {
            describe(found[i], arena, hub->options.now_us(), &infos[i]);
        }
        *out_infos = infos;
    }
    nq_mutex_unlock(&hub->mutex);
    return status;
}

void nq_hub_get_stats(nq_hub *hub, nq_hub_stats *out_stats) {
    nq_mutex_lock(&hub->mutex);
    *out_stats = (nq_hub_stats){
        .channels = hub->count,
        .patterns = nq_trie_pattern_count(hub->trie),
        .published = atomic_load(&hub->published),
        .queued = atomic_load(&hub->queued),
        .dropped = atomic_load(&hub->dropped),
        .memory_bytes = atomic_load(&hub->memory_bytes),
    };
    nq_mutex_unlock(&hub->mutex);
}
