/* PubSubService: publishing, history and channels. Subscriptions are in subscription.c. */
#include "engine/ground/os/clock.h"
#include "server/service/service.h"
#include "server/service/subscription.h"
#include "server/wire/pubsub_wire.h"

enum { RESPONSE_INITIAL_BYTES = 256 };

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

static nq_status publish(pubsub_call *self, nq_bytes message) {
    nq_publish_request request;
    NQ_TRY(nq_publish_request_decode(&self->ctx, message, &request));
    nq_publish_result *results = nq_arena_calloc(self->ctx.scratch, request.count, sizeof *results);
    if (results == NULL) {
        return nq_fail_no_memory(&self->ctx, "the results");
    }
    int64_t until_ns = nq_clock_monotonic_ns() + request.block_timeout_ns;
    NQ_TRY(nq_hub_publish(&self->ctx, self->service->hub, request.publications, request.count,
                          until_ns, results));
    nq_publish_response_write(&self->writer, results, request.count);
    return NQ_OK;
}

static void on_publish(nq_call *call, nq_bytes message) {
    pubsub_call self;
    begin(call, &self);
    end(&self, publish(&self, message));
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

static nq_status get_history(pubsub_call *self, nq_bytes message) {
    nq_history_request request;
    nq_history_page page;
    nq_hub *hub = self->service->hub;
    NQ_TRY(nq_history_request_decode(&self->ctx, message, &request));
    NQ_TRY(nq_hub_read_history(&self->ctx, hub, request.channel, &request.start, request.resume,
                               request.is_reverse, request.page_size, self->ctx.scratch, &page));
    nq_history_response_write(&self->writer, &page, nq_hub_epoch(hub));
    for (uint32_t i = 0; i < page.message_count; i++) {
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

HANDLER(publish);
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
