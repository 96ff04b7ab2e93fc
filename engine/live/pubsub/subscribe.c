/* Subscribe: patterns in and out of the trie, and every channel's list kept exact as they come and
 * go. */
#include "engine/ground/base/heap.h"
#include "engine/live/pubsub/hub_internal.h"

/* ---- A subscriber's patterns ---- */

static nq_bytes pattern_text(const nq__member_pattern *pattern) {
    return nq_bytes_of(pattern->text, pattern->text_size);
}

static bool remember(nq__member *member, nq_bytes text) {
    if (member->pattern_count == member->pattern_capacity) {
        uint32_t capacity = member->pattern_capacity == 0 ? 1 : 2 * member->pattern_capacity;
        nq__member_pattern *grown =
            nq_heap_realloc(member->patterns, capacity * sizeof(*member->patterns));
        if (grown == NULL) {
            return false;
        }
        member->patterns = grown;
        member->pattern_capacity = capacity;
    }
    nq__member_pattern *pattern = &member->patterns[member->pattern_count++];
    pattern->text_size = (uint32_t)text.size;
    memcpy(pattern->text, text.data, text.size);
    return true;
}

static void forget(nq__member *member, nq_bytes text) {
    for (uint32_t i = 0; i < member->pattern_count; i++) {
        if (nq_bytes_equal(pattern_text(&member->patterns[i]), text)) {
            member->patterns[i] = member->patterns[--member->pattern_count];
            return;
        }
    }
}

static bool covers(const nq__member *member, const nq_pattern *name) {
    for (uint32_t i = 0; i < member->pattern_count; i++) {
        nq_ctx ctx;
        nq_ctx_init(&ctx, NULL);
        nq_pattern pattern; /* parsed before, hence well-formed */
        if (nq_pattern_parse(&ctx, pattern_text(&member->patterns[i]), &pattern) == NQ_OK &&
            nq_pattern_matches(&pattern, name)) {
            return true;
        }
    }
    return false;
}

/* ---- Starting in the past ---- */

/* The first number to hand out, and in *out_missing what lies before it and is gone. */
static uint64_t first_of(const nq__channel *channel, const nq_start *start, nq_gap *out_missing) {
    uint64_t kept = nq_history_first(&channel->history);
    uint64_t next = channel->last_sequence + 1;
    uint64_t oldest = kept == 0 ? next : kept;
    uint64_t wanted = start->sequence == 0 ? 1 : start->sequence;
    switch (start->kind) {
    case NQ_START_NEW:
        return next;
    case NQ_START_EARLIEST:
        return oldest;
    case NQ_START_LAST:
        return start->sequence < next - oldest ? next - start->sequence : oldest;
    case NQ_START_TIME:
        wanted = nq_history_find_time(&channel->history, start->time_us);
        return wanted == 0 ? next : wanted;
    case NQ_START_SEQUENCE:
        break;
    }
    if (wanted < oldest) {
        *out_missing = (nq_gap){.channel_number = channel->number,
                                .reason = NQ_GAP_HISTORY_TRIMMED,
                                .first_sequence = wanted,
                                .last_sequence = oldest - 1,
                                .count = oldest - wanted};
        wanted = oldest;
    }
    return wanted > next ? next : wanted;
}

/* Under the channel's lock (I3): what is kept goes into the queue, and from here on so does what
 * comes. */
static bool join(nq_hub *hub, nq__channel *channel, nq_subscriber *subscriber,
                 const nq_start *start, nq_wake_list *wakes) {
    nq_history_limits limits = nq__channel_history_limits(channel);
    nq_history_trim(&channel->history, &limits, hub->options.now_us());
    if (!nq__channel_add_subscriber(channel, subscriber)) {
        return false;
    }
    nq_gap missing = {0};
    uint64_t sequence = first_of(channel, start, &missing);
    if (missing.count > 0) {
        nq_subscriber_add_gap(subscriber, &missing);
    }
    for (; sequence <= channel->last_sequence; sequence++) {
        nq_message *message = nq_history_find(&channel->history, sequence);
        if (message != NULL) {
            nq_push_result result;
            nq_subscriber_push(subscriber, &message, 1, channel->settings.default_drop_policy,
                               channel->settings.allow_block, &result, wakes);
        }
    }
    return true;
}

/* ---- Walking the channels a pattern covers ---- */

typedef struct walk_order {
    nq_hub *hub;
    nq_subscriber *subscriber;
    const nq_start *start;
    nq_wake_list wakes;
    uint32_t left_count; /* references that leaving channels gave back */
    bool has_failed;
} walk_order;

static void walk(walk_order *order, const nq_pattern *pattern, nq_bytes text,
                 void (*visit)(walk_order *order, nq__channel *channel)) {
    nq_hub *hub = order->hub;
    if (pattern->is_name) {
        nq__channel *channel = nq__hub_find(hub, text);
        if (channel != NULL) {
            visit(order, channel);
        }
        return;
    }
    for (uint32_t i = 0; i < hub->capacity; i++) {
        nq__channel *channel = nq__hub_slot(hub, i);
        if (channel != NULL && nq_pattern_matches(pattern, &channel->pattern)) {
            visit(order, channel);
        }
    }
}

static void visit_join(walk_order *order, nq__channel *channel) {
    if (covers(nq__subscriber_member(order->subscriber), &channel->pattern)) {
        return; /* an earlier pattern has started it */
    }
    nq_mutex_lock(&channel->mutex);
    order->has_failed = order->has_failed ||
                        !join(order->hub, channel, order->subscriber, order->start, &order->wakes);
    nq_mutex_unlock(&channel->mutex);
}

static void visit_leave(walk_order *order, nq__channel *channel) {
    if (covers(nq__subscriber_member(order->subscriber), &channel->pattern)) {
        return;
    }
    nq_mutex_lock(&channel->mutex);
    order->left_count += nq__channel_remove_subscriber(channel, order->subscriber);
    nq_mutex_unlock(&channel->mutex);
}

static void leave(walk_order *order, const nq_pattern *pattern, nq_bytes text) {
    (void)nq_trie_remove(order->hub->trie, pattern, order->subscriber);
    forget(nq__subscriber_member(order->subscriber), text);
    walk(order, pattern, text, visit_leave);
}

static nq_status check_start(nq_ctx *ctx, nq_hub *hub, const nq_pattern *pattern, nq_bytes text,
                             const nq_start *start) {
    if (start->kind != NQ_START_SEQUENCE || !pattern->is_name) {
        return NQ_OK;
    }
    nq__channel *channel = nq__hub_find(hub, text);
    uint64_t last = 0;
    if (channel != NULL) {
        nq_mutex_lock(&channel->mutex);
        last = channel->last_sequence;
        nq_mutex_unlock(&channel->mutex);
    }
    if (start->sequence <= last + 1) {
        return NQ_OK;
    }
    return nq_fail(ctx, NQ_INVALID_ARGUMENT,
                   "channel \"%.*s\" has only reached number %llu, not %llu", NQ_BYTES_FORMAT(text),
                   (unsigned long long)last, (unsigned long long)start->sequence);
}

nq_status nq_hub_subscribe(nq_ctx *ctx, nq_hub *hub, nq_subscriber *subscriber, nq_bytes pattern,
                           const nq_start *start) {
    nq_pattern parsed;
    NQ_TRY(nq_pattern_parse(ctx, pattern, &parsed));
    walk_order order = {.hub = hub, .subscriber = subscriber, .start = start};
    nq__member *member = nq__subscriber_member(subscriber);
    nq_mutex_lock(&hub->mutex);
    member->room = &hub->room;
    bool is_new = false;
    nq_status status = check_start(ctx, hub, &parsed, pattern, start);
    if (status == NQ_OK) {
        status = nq_trie_insert(ctx, hub->trie, &parsed, subscriber, &is_new);
    }
    if (is_new) {
        nq_subscriber_acquire(subscriber); /* the trie's */
        walk(&order, &parsed, pattern, visit_join);
        if (order.has_failed || !remember(member, pattern)) {
            leave(&order, &parsed, pattern);
            order.left_count++;
            status = nq_fail_no_memory(ctx, "a subscription");
        }
    }
    nq_mutex_unlock(&hub->mutex);
    nq_wake_list_run(&order.wakes);
    for (; order.left_count > 0; order.left_count--) {
        nq_subscriber_release(subscriber);
    }
    return status;
}

bool nq_hub_unsubscribe(nq_hub *hub, nq_subscriber *subscriber, nq_bytes pattern) {
    nq_ctx ctx;
    nq_ctx_init(&ctx, NULL);
    nq_pattern parsed;
    if (nq_pattern_parse(&ctx, pattern, &parsed) != NQ_OK) {
        return false;
    }
    walk_order order = {.hub = hub, .subscriber = subscriber};
    nq_mutex_lock(&hub->mutex);
    bool was_there = nq_trie_remove(hub->trie, &parsed, subscriber);
    if (was_there) {
        leave(&order, &parsed, pattern);
        order.left_count++;
    }
    nq_mutex_unlock(&hub->mutex);
    for (; order.left_count > 0; order.left_count--) {
        nq_subscriber_release(subscriber);
    }
    return was_there;
}
