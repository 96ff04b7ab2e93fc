/* Publish: check everything, wait for room where a policy asks for it, then number and hand out.
 *
 * Memory for every message is taken before the first number is given: a publish is all or nothing.
 */
#include "engine/ground/os/clock.h"
#include "engine/live/pubsub/hub_internal.h"

/* Messages in a row for one channel: looked up once, numbered under one lock. */
typedef struct publish_run {
    nq__channel *channel;
    uint32_t first;
    uint32_t count;
} publish_run;

typedef struct publish_order {
    nq_hub *hub;
    const nq_publication *publications;
    uint32_t count;
    nq_message **messages;
    publish_run *runs;
    uint32_t run_count;
    nq_publish_result *results;
    /* Of the run that is being handed out: its messages but the duplicates, whose result each is,
     * and what became of it with one subscriber. */
    nq_message **fresh;
    uint32_t *fresh_index;
    nq_push_result *pushed;
    uint32_t fresh_count;
} publish_order;

static nq_status check_one(nq_ctx *ctx, const nq_publication *publication, uint32_t index) {
    if (publication->key.size > NQ_CHANNEL_KEY_BYTES_MAX) {
        return nq_fail(ctx, NQ_LIMIT_EXCEEDED, "messages[%u].key is %zu bytes, at most %d", index,
                       publication->key.size, NQ_CHANNEL_KEY_BYTES_MAX);
    }
    if (publication->message_id.size > NQ_MESSAGE_ID_BYTES_MAX) {
        return nq_fail(ctx, NQ_LIMIT_EXCEEDED, "messages[%u].message_id is %zu bytes, at most %d",
                       index, publication->message_id.size, NQ_MESSAGE_ID_BYTES_MAX);
    }
    if (publication->priority > NQ_PRIORITY_CRITICAL) {
        return nq_fail(ctx, NQ_INVALID_ARGUMENT, "messages[%u].priority is not a priority", index);
    }
    return NQ_OK;
}

static nq_status find_or_add(nq_ctx *ctx, nq_hub *hub, nq_bytes name, nq__channel **out_channel) {
    nq_pattern parsed;
    NQ_TRY(nq_channel_name_parse(ctx, name, &parsed));
    nq_mutex_lock(&hub->mutex);
    nq_status status = NQ_OK;
    nq__channel *channel = nq__hub_find(hub, name);
    if (channel == NULL) {
        nq_channel_settings defaults;
        status = nq__channel_settings_check(ctx, &(nq_channel_settings){0}, &defaults);
        if (status == NQ_OK) {
            status = nq__hub_add(ctx, hub, &parsed, name, &defaults, &channel);
        }
        if (status == NQ_OK) {
            channel->is_implicit = true;
        }
    }
    if (status == NQ_OK) {
        nq__channel_acquire(channel);
    }
    nq_mutex_unlock(&hub->mutex);
    *out_channel = status == NQ_OK ? channel : NULL;
    return status;
}

/* Names are checked before any channel is made. */
static nq_status check_all(nq_ctx *ctx, const publish_order *order) {
    nq_bytes last = {0};
    for (uint32_t i = 0; i < order->count; i++) {
        const nq_publication *publication = &order->publications[i];
        NQ_TRY(check_one(ctx, publication, i));
        if (i == 0 || !nq_bytes_equal(publication->channel, last)) {
            nq_pattern parsed;
            NQ_TRY(nq_channel_name_parse(ctx, publication->channel, &parsed));
            last = publication->channel;
        }
    }
    return NQ_OK;
}

static nq_status resolve(nq_ctx *ctx, publish_order *order) {
    for (uint32_t i = 0; i < order->count; i++) {
        const nq_publication *publication = &order->publications[i];
        publish_run *run = order->run_count > 0 ? &order->runs[order->run_count - 1] : NULL;
        if (run == NULL ||
            !nq_bytes_equal(publication->channel, order->publications[run->first].channel)) {
            run = &order->runs[order->run_count];
            *run = (publish_run){.first = i};
            NQ_TRY(find_or_add(ctx, order->hub, publication->channel, &run->channel));
            order->run_count++;
        }
        run->count++;
        nq_mutex_lock(&run->channel->mutex);
        uint32_t bytes_max = run->channel->settings.message_bytes_max;
        nq_mutex_unlock(&run->channel->mutex);
        if (publication->payload.size > bytes_max) {
            return nq_fail(ctx, NQ_MESSAGE_TOO_LARGE,
                           "messages[%u].payload is %zu bytes; channel \"%.*s\" takes at most %u",
                           i, publication->payload.size, NQ_BYTES_FORMAT(publication->channel),
                           bytes_max);
        }
    }
    return NQ_OK;
}

static nq_status make_messages(nq_ctx *ctx, publish_order *order) {
    nq_hub *hub = order->hub;
    for (uint32_t i = 0; i < order->count; i++) {
        if (atomic_load_explicit(&hub->memory_bytes, memory_order_relaxed) >
            hub->options.memory_bytes_max) {
            nq_status status = nq_fail(ctx, NQ_BUFFER_FULL,
                                       "messages kept and queued fill their %llu bytes of memory",
                                       (unsigned long long)hub->options.memory_bytes_max);
            nq_error_set_hint(&ctx->error, "Let slow subscribers catch up, or keep less history.");
            return status;
        }
        order->messages[i] =
            nq_message_create(&order->publications[i], hub->options.encoder, &hub->memory_bytes);
        if (order->messages[i] == NULL) {
            return nq_fail_no_memory(ctx, "a message");
        }
    }
    return NQ_OK;
}

/* ---- Waiting for room ---- */

static bool is_blocked(const publish_order *order) {
    bool blocked = false;
    for (uint32_t r = 0; r < order->run_count && !blocked; r++) {
        const publish_run *run = &order->runs[r];
        size_t bytes = 0;
        for (uint32_t i = 0; i < run->count; i++) {
            bytes += order->messages[run->first + i]->charged_bytes;
        }
        nq_mutex_lock(&run->channel->mutex);
        nq_drop_policy policy = run->channel->settings.default_drop_policy;
        bool may_block = run->channel->settings.allow_block;
        for (uint32_t i = 0; i < run->channel->subscriber_count && may_block && !blocked; i++) {
            blocked = nq_subscriber_would_block(run->channel->subscribers[i], bytes, policy);
        }
        nq_mutex_unlock(&run->channel->mutex);
    }
    return blocked;
}

/* Waits until no subscriber with policy BLOCK is full. Slices of the wait look at the cancel flag.
 */
static nq_status wait_for_room(nq_ctx *ctx, const publish_order *order, int64_t until_ns) {
    nq__room *room = &order->hub->room;
    for (;;) {
        nq_mutex_lock(&room->mutex);
        uint64_t generation = room->generation;
        nq_mutex_unlock(&room->mutex);
        if (!is_blocked(order)) {
            return NQ_OK;
        }
        NQ_TRY(nq_ctx_poll(ctx));
        int64_t now_ns = nq_clock_monotonic_ns();
        if (now_ns >= until_ns) {
            return nq_fail(ctx, NQ_BLOCK_TIMEOUT, "a subscriber that may block stayed full");
        }
        int64_t slice_ns = now_ns + 20000000 < until_ns ? now_ns + 20000000 : until_ns;
        nq_mutex_lock(&room->mutex);
        while (room->generation == generation &&
               nq_cond_wait_until(&room->changed, &room->mutex, slice_ns)) {
        }
        nq_mutex_unlock(&room->mutex);
    }
}

/* ---- Handing out ---- */

static void note_publish(nq__channel *channel, const nq_publication *publication, int64_t now_us) {
    double elapsed_s = (double)(now_us - channel->last_publish_us) / 1e6;
    channel->rate = channel->rate / (1 + (elapsed_s > 0 ? elapsed_s : 0) / 10) + 0.1;
    channel->last_publish_us = now_us;
    channel->message_count++;
    channel->byte_count += publication->payload.size;
}

/* A run's messages, subscriber by subscriber: each is locked once, and one that has stalled costs
 * the others no more than that. Under the channel's lock. A channel without allow_block does not
 * let a subscriber's BLOCK hold it up. */
static void hand_out(publish_order *order, nq__channel *channel, nq_wake_list *wakes) {
    uint64_t queued = 0, dropped = 0;
    for (uint32_t i = 0; i < channel->subscriber_count; i++) {
        nq_subscriber_push(channel->subscribers[i], order->fresh, order->fresh_count,
                           channel->settings.default_drop_policy, channel->settings.allow_block,
                           order->pushed, wakes);
        for (uint32_t m = 0; m < order->fresh_count; m++) {
            bool is_queued = order->pushed[m] == NQ_PUSH_QUEUED;
            order->results[order->fresh_index[m]].receivers += is_queued;
            queued += is_queued;
            dropped += order->pushed[m] == NQ_PUSH_LOST;
        }
    }
    channel->dropped_count += dropped;
    atomic_fetch_add_explicit(&order->hub->queued, queued, memory_order_relaxed);
    atomic_fetch_add_explicit(&order->hub->dropped, dropped, memory_order_relaxed);
}

/* Gives a message its number and its place in the history. */
static void number(publish_order *order, nq__channel *channel, uint32_t index, int64_t now_us) {
    nq_hub *hub = order->hub;
    const nq_publication *publication = &order->publications[index];
    nq_publish_result *result = &order->results[index];
    *result = (nq_publish_result){0};
    const nq_channel_settings *settings = &channel->settings;
    bool has_id = publication->message_id.size > 0 && settings->dedup_window_us > 0;
    uint64_t seen = has_id ? nq_dedup_find(&channel->dedup, publication->message_id, now_us,
                                           settings->dedup_window_us)
                           : 0;
    if (seen != 0) {
        *result = (nq_publish_result){.sequence = seen, .is_duplicate = true};
        return;
    }
    nq_message_stamp stamp = {
        .sequence = ++channel->last_sequence,
        .publish_time_us = now_us,
        .priority = publication->priority != 0 ? publication->priority : settings->default_priority,
    };
    result->sequence = stamp.sequence;
    nq_message *message = order->messages[index];
    nq_message_seal(message, publication, &stamp, hub->options.encoder, channel->number);
    nq_history_limits limits = nq__channel_history_limits(channel);
    (void)nq_history_append(&channel->history, message, &limits);
    if (has_id) {
        (void)nq_dedup_add(&channel->dedup, publication->message_id, stamp.sequence, now_us);
    }
    note_publish(channel, publication, now_us);
    order->fresh[order->fresh_count] = message;
    order->fresh_index[order->fresh_count++] = index;
    atomic_fetch_add_explicit(&hub->published, 1, memory_order_relaxed);
}

static void publish_run_of(publish_order *order, const publish_run *run, nq_wake_list *wakes) {
    nq__channel *channel = run->channel;
    nq_mutex_lock(&channel->mutex);
    int64_t now_us = order->hub->options.now_us();
    order->fresh_count = 0;
    for (uint32_t i = 0; i < run->count; i++) {
        number(order, channel, run->first + i, now_us);
    }
    hand_out(order, channel, wakes);
    nq_mutex_unlock(&channel->mutex);
}

static void let_go(publish_order *order) {
    for (uint32_t i = 0; i < order->count; i++) {
        if (order->messages[i] != NULL) {
            nq_message_release(order->messages[i]);
        }
    }
    for (uint32_t r = 0; r < order->run_count; r++) {
        nq__channel_release(order->runs[r].channel);
    }
}

nq_status nq_hub_publish(nq_ctx *ctx, nq_hub *hub, const nq_publication *publications,
                         uint32_t count, int64_t block_until_ns, nq_publish_result *out_results) {
    publish_order order = {
        .hub = hub,
        .publications = publications,
        .count = count,
        .messages = nq_arena_calloc(ctx->scratch, count, sizeof(nq_message *)),
        .runs = nq_arena_calloc(ctx->scratch, count, sizeof(publish_run)),
        .results = out_results,
        .fresh = nq_arena_calloc(ctx->scratch, count, sizeof(nq_message *)),
        .fresh_index = nq_arena_calloc(ctx->scratch, count, sizeof(uint32_t)),
        .pushed = nq_arena_calloc(ctx->scratch, count, sizeof(nq_push_result)),
    };
    if (order.messages == NULL || order.runs == NULL || order.fresh == NULL ||
        order.fresh_index == NULL || order.pushed == NULL) {
        return nq_fail_no_memory(ctx, "a publish");
    }
    nq_status status;
    NQ_CHECK(check_all(ctx, &order));
    NQ_CHECK(resolve(ctx, &order));
    NQ_CHECK(make_messages(ctx, &order));
    NQ_CHECK(wait_for_room(ctx, &order, block_until_ns));
    nq_wake_list wakes = {0};
    for (uint32_t r = 0; r < order.run_count; r++) {
        publish_run_of(&order, &order.runs[r], &wakes);
    }
    nq_wake_list_run(&wakes);
done:
    let_go(&order);
    return status;
}
