/* Subscription: see the header. */
#include "server/service/subscription.h"

#include "engine/ground/base/heap.h"
#include "engine/ground/os/clock.h"
#include "server/service/service.h"
#include "server/wire/pubsub_wire.h"

enum {
    DELIVERY_BYTES = 64 << 10, /* of messages in one response, about */
    MESSAGE_BYTES_MAX = 8 << 20,
    CONTROL_MEMORY_BYTES = 1 << 20,
    STATE_BYTES = 1024,
};

typedef enum phase { PHASE_NEW, PHASE_OPEN, PHASE_CLOSED } phase;

/* One pattern, kept for the state and for leaving. */
typedef struct kept_pattern {
    struct kept_pattern *next;
    uint32_t size;
    char text[];
} kept_pattern;

/* State of one call. */
typedef struct subscription {
    nq_call *call;
    nq_service *service;
    nq_ctx ctx;
    nq_subscriber *subscriber;
    nq_listen_entry entry;
    nq_alarm alarm;
    kept_pattern *patterns;
    uint32_t pattern_count;
    uint32_t batch_messages_max;
    int64_t heartbeat_ns;
    int64_t next_heartbeat_ns;
    nq_flow_state told_flow;
    phase phase;
    nq_ack_mode ack_mode;
    bool headers_only;
    bool is_draining;
    bool state_is_due;
    bool token_is_due;
} subscription;

/* ---- Patterns ---- */

static nq_status keep(subscription *self, nq_bytes pattern) {
    for (kept_pattern *kept = self->patterns; kept != NULL; kept = kept->next) {
        if (nq_bytes_equal(nq_bytes_of(kept->text, kept->size), pattern)) {
            return NQ_OK;
        }
    }
    if (self->pattern_count == NQ_SUBSCRIBE_PATTERNS_MAX) {
        return nq_fail(&self->ctx, NQ_LIMIT_EXCEEDED, "a subscription has at most 1000 patterns");
    }
    kept_pattern *kept = nq_heap_alloc(sizeof *kept + pattern.size);
    if (kept == NULL) {
        return nq_fail_no_memory(&self->ctx, "a pattern");
    }
    kept->size = (uint32_t)pattern.size;
    memcpy(kept->text, pattern.data, pattern.size);
    kept->next = self->patterns;
    self->patterns = kept;
    self->pattern_count++;
    return NQ_OK;
}

static void drop(subscription *self, nq_bytes pattern) {
    for (kept_pattern **link = &self->patterns; *link != NULL; link = &(*link)->next) {
        kept_pattern *kept = *link;
        if (nq_bytes_equal(nq_bytes_of(kept->text, kept->size), pattern)) {
            *link = kept->next;
            self->pattern_count--;
            nq_heap_free(kept);
            return;
        }
    }
}

static nq_status add_patterns(subscription *self, const nq_subscribe_options *options) {
    for (uint32_t i = 0; i < options->pattern_count; i++) {
        NQ_TRY(nq_hub_subscribe(&self->ctx, self->service->hub, self->subscriber,
                                options->patterns[i], &options->start));
        nq_status status = keep(self, options->patterns[i]);
        if (status != NQ_OK) {
            (void)nq_hub_unsubscribe(self->service->hub, self->subscriber, options->patterns[i]);
            return status;
        }
    }
    return NQ_OK;
}

static void remove_patterns(subscription *self, const nq_subscribe_options *options) {
    for (uint32_t i = 0; i < options->pattern_count; i++) {
        (void)nq_hub_unsubscribe(self->service->hub, self->subscriber, options->patterns[i]);
        drop(self, options->patterns[i]);
    }
}

/* ---- Ending ---- */

/* Leaves the hub; whatever is queued goes with the subscriber. */
static void leave(subscription *self) {
    if (self->subscriber == NULL) {
        return;
    }
    nq_alarm_clear(self->service->alarms, &self->alarm);
    nq_listen_registry_leave(self->service->listens, &self->entry);
    nq_subscriber_close(self->subscriber);
    while (self->patterns != NULL) {
        kept_pattern *kept = self->patterns;
        self->patterns = kept->next;
        (void)nq_hub_unsubscribe(self->service->hub, self->subscriber,
                                 nq_bytes_of(kept->text, kept->size));
        nq_heap_free(kept);
    }
    nq_subscriber_release(self->subscriber);
    self->subscriber = NULL;
}

/* Ends the call; a failure is in the context. */
static void end(subscription *self, nq_status status) {
    self->phase = PHASE_CLOSED;
    leave(self);
    if (status == NQ_OK) {
        nq_call_finish(self->call, NQ_RPC_OK, "", (nq_bytes){0});
    } else {
        nq_call_fail(self->call, &self->ctx.error);
    }
}

/* ---- Sending ---- */

static void put_state(subscription *self, nq_writer *writer, const nq_subscriber_state *state) {
    nq_arena *arena = nq_call_arena(self->call);
    nq_arena_mark mark = nq_arena_get_mark(arena);
    nq_bytes *patterns = nq_arena_calloc(arena, self->pattern_count + 1, sizeof *patterns);
    uint32_t count = 0;
    for (kept_pattern *kept = self->patterns; kept != NULL && patterns != NULL; kept = kept->next) {
        patterns[count++] = nq_bytes_of(kept->text, kept->size);
    }
    nq_subscribe_state out = {
        .session_id = nq_bytes_of_cstr(self->entry.session_id),
        .patterns = patterns,
        .pattern_count = count,
        .subscriber = *state,
        .control_token = nq_bytes_of(self->entry.control_token,
                                     self->token_is_due ? sizeof self->entry.control_token : 0),
        .epoch = nq_hub_epoch(self->service->hub),
    };
    nq_delivery_state_write(writer, &out);
    nq_delivery_checkpoint_write(writer);
    nq_arena_reset_to(arena, mark);
    self->told_flow = state->flow_state;
    self->state_is_due = false;
    self->token_is_due = false;
}

static void put_gaps(subscription *self, nq_writer *writer, const nq_gap_list *gaps) {
    nq_arena *arena = nq_call_arena(self->call);
    nq_arena_mark mark = nq_arena_get_mark(arena);
    for (uint32_t i = 0; i < gaps->count; i++) {
        const nq_gap *gap = &gaps->gaps[i];
        nq_bytes channel = nq_hub_channel_name(self->service->hub, gap->channel_number, arena);
        nq_delivery_gap_write(writer, gap, channel,
                              nq_hub_gap_is_recoverable(self->service->hub, gap));
        nq_arena_reset_to(arena, mark);
    }
}

static void put_messages(subscription *self, nq_writer *writer, nq_message **messages,
                         uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        nq_delivery_message_write(writer, messages[i], self->headers_only);
        nq_message_release(messages[i]);
    }
}

/* One response: what waits, and the state when it is due. *out_is_sent false: there was nothing. */
static nq_status send_next(subscription *self, bool *out_is_sent) {
    nq_message *messages[NQ_DELIVERY_MESSAGES_MAX];
    nq_taken taken;
    nq_subscriber_state state;
    nq_subscriber_take(self->subscriber, self->batch_messages_max, DELIVERY_BYTES, messages,
                       &taken);
    nq_subscriber_get_state(self->subscriber, &state);
    bool has_delivery = taken.message_count > 0 || taken.gaps.count > 0;
    /* Heartbeats tell the state; a change of flow is told with the next delivery. */
    bool tells_state = self->state_is_due || (has_delivery && state.flow_state != self->told_flow);
    *out_is_sent = has_delivery || tells_state;
    if (!*out_is_sent) {
        return NQ_OK;
    }
    nq_writer writer;
    size_t bytes = STATE_BYTES;
    for (uint32_t i = 0; i < taken.message_count; i++) {
        bytes += messages[i]->size + 8;
    }
    nq_writer_init(&writer, bytes, MESSAGE_BYTES_MAX);
    put_messages(self, &writer, messages, taken.message_count);
    nq_delivery_first_id_write(&writer, taken.first_delivery_id);
    put_gaps(self, &writer, &taken.gaps);
    nq_gap_list_clear(&taken.gaps);
    if (tells_state) {
        put_state(self, &writer, &state);
    }
    nq_payload *payload = NULL;
    NQ_TRY(nq_writer_finish(&self->ctx, &writer, &payload));
    bool is_open = nq_call_write(self->call, payload, state.has_work);
    return is_open ? NQ_OK : nq_fail(&self->ctx, NQ_CANCELLED_BY_CLIENT, "the client is gone");
}

/* True when the subscription is over: drained, or cut off by its policy. */
static bool is_over(subscription *self, nq_status *out_status) {
    nq_subscriber_state state;
    nq_subscriber_get_state(self->subscriber, &state);
    if (state.is_disconnected) {
        *out_status =
            nq_fail(&self->ctx, NQ_SLOW_CONSUMER, "the subscriber fell behind by %llu messages",
                    (unsigned long long)state.pending_messages);
        nq_error_set_hint(&self->ctx.error, "Read faster, or choose a policy that drops.");
        return true;
    }
    *out_status = NQ_OK;
    return self->is_draining && state.is_empty;
}

static void keep_heartbeat(subscription *self) {
    int64_t now_ns = nq_clock_monotonic_ns();
    if (now_ns >= self->next_heartbeat_ns) {
        self->state_is_due = true;
        self->next_heartbeat_ns = now_ns + self->heartbeat_ns;
        (void)nq_alarm_set(self->service->alarms, &self->alarm, self->call,
                           self->next_heartbeat_ns);
    }
}

static void pump(subscription *self) {
    if (self->phase != PHASE_OPEN) {
        return;
    }
    keep_heartbeat(self);
    bool is_sent = true;
    while (is_sent && nq_call_can_write(self->call)) {
        nq_status status = send_next(self, &is_sent);
        if (status != NQ_OK) {
            end(self, status);
            return;
        }
    }
    nq_status status;
    if (is_over(self, &status)) {
        end(self, status);
    }
}

/* ---- Opening ---- */

static void wake(void *call) {
    nq_call_wake(call);
}

static void let_go(void *call) {
    nq_call_release(call);
}

static nq_status open(subscription *self, const nq_subscribe_options *options) {
    nq_subscriber_options wanted = {
        .limits = options->limits,
        .ack_mode = options->ack_mode,
        .priority_min = options->priority_min,
        .wake = wake,
        .let_go = let_go,
        .user = self->call,
    };
    NQ_TRY(nq_subscriber_create(&self->ctx, &wanted, &self->subscriber));
    (void)nq_call_acquire(self->call); /* the subscriber's */
    nq_listen_registry_join(self->service->listens, &self->entry, self->subscriber);
    self->phase = PHASE_OPEN;
    self->ack_mode = options->ack_mode;
    self->batch_messages_max = options->batch_messages_max;
    self->headers_only = options->headers_only;
    self->heartbeat_ns = options->heartbeat_ns;
    self->token_is_due = true;
    return add_patterns(self, options);
}

static subscription *begin(nq_call *call) {
    subscription *self = nq_call_state(call);
    self->call = call;
    self->service = nq_call_service(call);
    nq_call_init_ctx(call, &self->ctx, NULL);
    return self;
}

static void on_listen(nq_call *call, nq_bytes message) {
    subscription *self = begin(call);
    nq_subscribe_options options;
    nq_status status = nq_listen_request_decode(&self->ctx, message, &options);
    if (status == NQ_OK) {
        status = open(self, &options);
    }
    if (status != NQ_OK) {
        end(self, status);
        return;
    }
    pump(self);
}

/* ---- Controls ---- */

static nq_status acknowledge(subscription *self, const nq_ack_request *ack) {
    bool acks = ack->delivery_id_count > 0 || ack->through_delivery_id > 0;
    if (acks && self->ack_mode == NQ_ACK_NONE) {
        return nq_fail(&self->ctx, NQ_INVALID_ARGUMENT, "ack: the subscription has no ack_mode");
    }
    if (ack->delivery_id_count > 0 && self->ack_mode == NQ_ACK_CUMULATIVE) {
        return nq_fail(&self->ctx, NQ_INVALID_ARGUMENT,
                       "ack.delivery_ids: the subscription acknowledges by through_delivery_id");
    }
    for (uint32_t i = 0; i < ack->delivery_id_count; i++) {
        bool is_stale;
        (void)nq_subscriber_ack(self->subscriber, ack->delivery_ids[i], &is_stale);
    }
    if (ack->through_delivery_id > 0) {
        (void)nq_subscriber_ack_through(self->subscriber, ack->through_delivery_id);
    }
    if (ack->has_credit) {
        (void)nq_subscriber_grant(self->subscriber, ack->grant_through_delivery_id);
    }
    return NQ_OK;
}

static nq_status control(subscription *self, const nq_subscribe_request *request) {
    if ((request->kind == NQ_SUBSCRIBE_OPEN) != (self->phase == PHASE_NEW)) {
        return nq_fail(&self->ctx, NQ_INVALID_ARGUMENT,
                       "`open` is the first request, and only the first");
    }
    switch (request->kind) {
    case NQ_SUBSCRIBE_OPEN:
        return open(self, &request->options);
    case NQ_SUBSCRIBE_ACK:
        return acknowledge(self, &request->ack);
    case NQ_SUBSCRIBE_ADD_PATTERNS:
        self->state_is_due = true;
        return add_patterns(self, &request->options);
    case NQ_SUBSCRIBE_REMOVE_PATTERNS:
        self->state_is_due = true;
        remove_patterns(self, &request->options);
        return NQ_OK;
    case NQ_SUBSCRIBE_PAUSE:
        (void)nq_subscriber_pause(self->subscriber, request->flag);
        return NQ_OK;
    case NQ_SUBSCRIBE_DRAIN:
        if (request->flag) {
            self->is_draining = true;
            nq_subscriber_close(self->subscriber);
        }
        return NQ_OK;
    }
    return NQ_OK;
}

static void on_subscribe(nq_call *call, nq_bytes message) {
    subscription *self = nq_call_state(call);
    if (self->phase == PHASE_CLOSED) {
        return;
    }
    nq_arena memory;
    nq_arena_init(&memory, CONTROL_MEMORY_BYTES);
    self->ctx.scratch = &memory;
    nq_subscribe_request request;
    nq_status status = nq_subscribe_request_decode(&self->ctx, message, &request);
    if (status == NQ_OK) {
        status = control(self, &request);
    }
    self->ctx.scratch = NULL;
    nq_arena_deinit(&memory);
    if (status != NQ_OK) {
        end(self, status);
        return;
    }
    nq_call_want_message(call);
    pump(self);
}

static void on_subscribe_open(nq_call *call) {
    (void)begin(call);
    nq_call_want_message(call);
}

/* Ends the controls, not the subscription. */
static void on_half_close(nq_call *call) {
    subscription *self = nq_call_state(call);
    if (self->phase == PHASE_NEW) {
        end(self, nq_fail(&self->ctx, NQ_INVALID_ARGUMENT, "the first request must be `open`"));
    }
}

/* ---- The rest of a call's life ---- */

static void on_ready(nq_call *call) {
    pump(nq_call_state(call));
}

static void on_cancel(nq_call *call) {
    subscription *self = nq_call_state(call);
    if (self->phase != PHASE_CLOSED && self->call != NULL) {
        nq_status status = nq_ctx_poll(&self->ctx);
        end(self, status != NQ_OK
                      ? status
                      : nq_fail(&self->ctx, NQ_CANCELLED_BY_CLIENT, "the client is gone"));
    }
}

static void on_done(nq_call *call) {
    leave(nq_call_state(call));
}

const nq_method_handler nq__listen_handler = {
    .state_bytes = sizeof(subscription),
    .on_message = on_listen,
    .on_writable = on_ready,
    .on_wake = on_ready,
    .on_cancel = on_cancel,
    .on_done = on_done,
};

const nq_method_handler nq__subscribe_handler = {
    .state_bytes = sizeof(subscription),
    .on_open = on_subscribe_open,
    .on_message = on_subscribe,
    .on_half_close = on_half_close,
    .on_writable = on_ready,
    .on_wake = on_ready,
    .on_cancel = on_cancel,
    .on_done = on_done,
};
