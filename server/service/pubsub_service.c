/* PubSubService: publishing, history and channels. Subscriptions are in subscription.c. */
#include "engine/ground/os/clock.h"
#include "server/service/service.h"
#include "server/service/subscription.h"
#include "server/wire/pubsub_wire.h"

enum {
    RESPONSE_INITIAL_BYTES = 256,
    HISTORY_PAGE_BYTES = 1 << 20, /* a page ends behind the message that reaches it */
    RETRY_FIRST_NS = 1000000,     /* a publish that waits for room looks again, */
    RETRY_LAST_NS = 64000000,     /* twice as much later each time */
};

/* What every unary handler here begins with. */
typedef struct pubsub_call {
    nq_call *call;
    nq_service *service;
    nq_ctx ctx;
    nq_writer writer;
} pubsub_call;

static void begin(nq_call *call, pubsub_call *self) {
    self->call = call;
    self->service = nq_call_service(call);
    nq_call_init_ctx(call, &self->ctx, NULL);
    nq_writer_init(&self->writer, RESPONSE_INITIAL_BYTES,
                   self->service->config->limit_response_bytes);
}

static void end(pubsub_call *self, nq_status status) {
    nq_payload *payload = NULL;
    if (status == NQ_OK && nq_writer_finish(&self->ctx, &self->writer, &payload) == NQ_OK) {
        nq_call_reply(self->call, payload);
        return;
    }
    nq_writer_deinit(&self->writer);
    nq_call_fail(self->call, &self->ctx.error);
}

/* ---- Publishing ---- */

/* State of a Publish call. One that waits for a subscriber with policy BLOCK holds its request and
 * an alarm: no thread, which that subscriber may be in need of. */
typedef struct publish_call {
    nq_publish_request request;
    nq_publish_result *results;
    int64_t until_ns;
    int64_t retry_ns; /* until the next look */
    nq_alarm alarm;
} publish_call;

static nq_status begin_publish(pubsub_call *self, nq_bytes message) {
    publish_call *publish = nq_call_state(self->call);
    NQ_TRY(nq_publish_request_decode(&self->ctx, message, &publish->request));
    publish->results =
        nq_arena_calloc(self->ctx.scratch, publish->request.count, sizeof *publish->results);
    if (publish->results == NULL) {
        return nq_fail_no_memory(&self->ctx, "the results");
    }
    publish->until_ns = nq_clock_monotonic_ns() + publish->request.block_timeout_ns;
    publish->retry_ns = RETRY_FIRST_NS;
    return NQ_OK;
}

/* True when the call will look again. */
static bool wait_for_room(nq_call *call) {
    publish_call *publish = nq_call_state(call);
    nq_service *service = nq_call_service(call);
    int64_t now_ns = nq_clock_monotonic_ns();
    int64_t due_ns = now_ns + publish->retry_ns;
    if (now_ns >= publish->until_ns) {
        return false;
    }
    publish->retry_ns *= publish->retry_ns < RETRY_LAST_NS ? 2 : 1;
    return nq_alarm_set(service->alarms, &publish->alarm, call,
                        due_ns < publish->until_ns ? due_ns : publish->until_ns);
}

static void try_publish(pubsub_call *self) {
    publish_call *publish = nq_call_state(self->call);
    nq_arena *arena = nq_call_arena(self->call);
    nq_arena_mark mark = nq_arena_get_mark(arena);
    nq_status status = nq_hub_publish(&self->ctx, self->service->hub, publish->request.publications,
                                      publish->request.count, 0, publish->results);
    nq_arena_reset_to(arena, mark);
    if (status == NQ_BLOCK_TIMEOUT && wait_for_room(self->call)) {
        nq_writer_deinit(&self->writer);
        return;
    }
    if (status == NQ_OK) {
        nq_publish_response_write(&self->writer, publish->results, publish->request.count);
    }
    end(self, status);
}

static void on_publish(nq_call *call, nq_bytes message) {
    pubsub_call self;
    begin(call, &self);
    nq_status status = begin_publish(&self, message);
    if (status != NQ_OK) {
        end(&self, status);
        return;
    }
    try_publish(&self);
}

static void on_publish_wake(nq_call *call) {
    pubsub_call self;
    begin(call, &self);
    try_publish(&self);
}

static void on_publish_done(nq_call *call) {
    nq_service *service = nq_call_service(call);
    publish_call *publish = nq_call_state(call);
    nq_alarm_clear(service->alarms, &publish->alarm);
}

/* ---- Acknowledging ---- */

static nq_status acknowledge(pubsub_call *self, nq_bytes message) {
    nq_acknowledge_request request;
    nq_subscriber *subscriber = NULL;
    NQ_TRY(nq_acknowledge_request_decode(&self->ctx, message, &request));
    NQ_TRY(nq_listen_registry_get(&self->ctx, self->service->listens, request.session_id,
                                  request.control_token, &subscriber));
    bool can_take = false;
    for (uint32_t i = 0; i < request.ack.delivery_id_count; i++) {
        bool is_stale;
        can_take = nq_subscriber_ack(subscriber, request.ack.delivery_ids[i], &is_stale);
        if (is_stale) {
            nq_acknowledge_response_write(&self->writer, &request.ack.delivery_ids[i], 1);
        }
    }
    if (request.ack.through_delivery_id > 0) {
        can_take = nq_subscriber_ack_through(subscriber, request.ack.through_delivery_id);
    }
    if (request.ack.has_credit) {
        can_take = nq_subscriber_grant(subscriber, request.ack.grant_through_delivery_id);
    }
    if (can_take) {
        nq_subscriber_wake(subscriber);
    }
    nq_subscriber_release(subscriber);
    return NQ_OK;
}

static void on_acknowledge(nq_call *call, nq_bytes message) {
    pubsub_call self;
    begin(call, &self);
    end(&self, acknowledge(&self, message));
}

/* ---- History ---- */

/* A page of large messages is a short one. */
static void cut_page(nq_history_page *page) {
    size_t bytes = 0;
    for (uint32_t i = 0; i < page->message_count; i++) {
        if (bytes >= HISTORY_PAGE_BYTES) {
            page->next_sequence = page->messages[i]->sequence;
            page->message_count = i;
            return;
        }
        bytes += page->messages[i]->size;
    }
}

static nq_status get_history(pubsub_call *self, nq_bytes message) {
    nq_history_request request;
    nq_history_page page;
    nq_hub *hub = self->service->hub;
    NQ_TRY(nq_history_request_decode(&self->ctx, message, &request));
    NQ_TRY(nq_hub_read_history(&self->ctx, hub, request.channel, &request.start, request.resume,
                               request.is_reverse, request.page_size, self->ctx.scratch, &page));
    uint32_t held_count = page.message_count;
    cut_page(&page);
    nq_history_response_write(&self->writer, &page, nq_hub_epoch(hub));
    for (uint32_t i = 0; i < held_count; i++) {
        nq_message_release(page.messages[i]);
    }
    return NQ_OK;
}

static void on_get_history(nq_call *call, nq_bytes message) {
    pubsub_call self;
    begin(call, &self);
    end(&self, get_history(&self, message));
}

/* ---- Channels ---- */

static void on_create_channel(nq_call *call, nq_bytes message) {
    pubsub_call self;
    nq_channel_request request;
    nq_channel_info info;
    begin(call, &self);
    nq_status status = nq_create_channel_request_decode(&self.ctx, message, &request);
    if (status == NQ_OK) {
        status = nq_hub_create_channel(&self.ctx, self.service->hub, request.name,
                                       &request.settings, self.ctx.scratch, &info);
    }
    if (status == NQ_OK) {
        nq_channel_write(&self.writer, &info, false);
    }
    end(&self, status);
}

static nq_status update_channel(pubsub_call *self, nq_bytes message) {
    nq_channel_request request;
    nq_channel_info info;
    nq_hub *hub = self->service->hub;
    NQ_TRY(nq_update_channel_request_decode(&self->ctx, message, &request));
    NQ_TRY(nq_hub_get_channel(&self->ctx, hub, request.name, self->ctx.scratch, &info));
    nq_channel_settings merged = nq_channel_settings_merge(&info.settings, &request);
    NQ_TRY(nq_hub_update_channel(&self->ctx, hub, request.name, &merged, self->ctx.scratch, &info));
    nq_channel_write(&self->writer, &info, false);
    return NQ_OK;
}

static void on_update_channel(nq_call *call, nq_bytes message) {
    pubsub_call self;
    begin(call, &self);
    end(&self, update_channel(&self, message));
}

static void on_get_channel(nq_call *call, nq_bytes message) {
    pubsub_call self;
    nq_bytes name;
    nq_channel_info info;
    begin(call, &self);
    nq_status status = nq_get_channel_request_decode(&self.ctx, message, &name);
    if (status == NQ_OK) {
        status = nq_hub_get_channel(&self.ctx, self.service->hub, name, self.ctx.scratch, &info);
    }
    if (status == NQ_OK) {
        nq_channel_write(&self.writer, &info, true);
    }
    end(&self, status);
}

static nq_status list_channels(pubsub_call *self, nq_bytes message) {
    nq_list_channels_request request;
    nq_channel_info *infos;
    uint32_t count;
    NQ_TRY(nq_list_channels_request_decode(&self->ctx, message, &request));
    /* One more than the page tells whether another follows. */
    NQ_TRY(nq_hub_list_channels(&self->ctx, self->service->hub, request.after, request.pattern,
                                request.page_size + 1, self->ctx.scratch, &infos, &count));
    uint32_t shown = count > request.page_size ? request.page_size : count;
    for (uint32_t i = 0; i < shown; i++) {
        nq_channel_write(&self->writer, &infos[i], false);
    }
    nq_list_channels_end(&self->writer, count > shown ? infos[shown - 1].name : (nq_bytes){0});
    return NQ_OK;
}

static void on_list_channels(nq_call *call, nq_bytes message) {
    pubsub_call self;
    begin(call, &self);
    end(&self, list_channels(&self, message));
}

static void on_delete_channel(nq_call *call, nq_bytes message) {
    pubsub_call self;
    nq_bytes name;
    begin(call, &self);
    nq_status status = nq_delete_channel_request_decode(&self.ctx, message, &name);
    end(&self,
        status == NQ_OK ? nq_hub_delete_channel(&self.ctx, self.service->hub, name) : status);
}

/* ---- The table ---- */

#define PUBSUB_SERVICE "/neuroquantum.v1.PubSubService/"
#define HANDLER(name)  static const nq_method_handler name##_handler = {.on_message = on_##name}

static const nq_method_handler publish_handler = {
    .state_bytes = sizeof(publish_call),
    .on_message = on_publish,
    .on_wake = on_publish_wake,
    .on_done = on_publish_done,
};
HANDLER(acknowledge);
HANDLER(get_history);
HANDLER(create_channel);
HANDLER(update_channel);
HANDLER(get_channel);
HANDLER(list_channels);
HANDLER(delete_channel);

const nq_method *nq_pubsub_service_methods(size_t *out_count) {
    static const nq_method methods[] = {
        {PUBSUB_SERVICE "Publish", NQ_METHOD_UNARY, 0, &publish_handler, 0},
        {PUBSUB_SERVICE "PublishStream", NQ_METHOD_BIDI, 0, NULL, 0},
        {PUBSUB_SERVICE "Subscribe", NQ_METHOD_BIDI, 0, &nq__subscribe_handler, 0},
        {PUBSUB_SERVICE "Listen", NQ_METHOD_SERVER_STREAM, 0, &nq__listen_handler, 0},
        {PUBSUB_SERVICE "Pull", NQ_METHOD_UNARY, 0, NULL, 0},
        {PUBSUB_SERVICE "Acknowledge", NQ_METHOD_UNARY, 0, &acknowledge_handler, 0},
        {PUBSUB_SERVICE "GetHistory", NQ_METHOD_UNARY, 0, &get_history_handler, 0},
        {PUBSUB_SERVICE "Seek", NQ_METHOD_UNARY, 0, NULL, 0},
        {PUBSUB_SERVICE "CreateChannel", NQ_METHOD_UNARY, 0, &create_channel_handler, 0},
        {PUBSUB_SERVICE "UpdateChannel", NQ_METHOD_UNARY, 0, &update_channel_handler, 0},
        {PUBSUB_SERVICE "GetChannel", NQ_METHOD_UNARY, 0, &get_channel_handler, 0},
        {PUBSUB_SERVICE "ListChannels", NQ_METHOD_UNARY, 0, &list_channels_handler, 0},
        {PUBSUB_SERVICE "DeleteChannel", NQ_METHOD_UNARY, 0, &delete_channel_handler, 0},
        {PUBSUB_SERVICE "CreateSubscription", NQ_METHOD_UNARY, 0, NULL, 0},
        {PUBSUB_SERVICE "GetSubscription", NQ_METHOD_UNARY, 0, NULL, 0},
        {PUBSUB_SERVICE "ListSubscriptions", NQ_METHOD_UNARY, 0, NULL, 0},
        {PUBSUB_SERVICE "DeleteSubscription", NQ_METHOD_UNARY, 0, NULL, 0},
    };
    *out_count = sizeof methods / sizeof methods[0];
    return methods;
}
