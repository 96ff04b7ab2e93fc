/* PubSubService's messages: what is asked for arrives, what cannot be honoured is refused by name,
 * and every response reads back with the generated code. */
#include <google/protobuf/duration.pb-c.h>
#include <google/protobuf/timestamp.pb-c.h>
#include <neuroquantum/v1/pubsub.pb-c.h>
#include <string.h>

#include "server/wire/pubsub_wire.h"
#include "tests/server/wire/wire_fixture.h"

typedef struct listen_fixture {
    wire_fixture wire;
    Neuroquantum__V1__ListenRequest request;
    Neuroquantum__V1__SubscribeOptions options;
    Neuroquantum__V1__FlowLimits limits;
    Neuroquantum__V1__StartPosition start;
    Google__Protobuf__Duration duration;
    char *patterns[2];
    nq_subscribe_options decoded;
} listen_fixture;

static void listen_reset(listen_fixture *f) {
    neuroquantum__v1__listen_request__init(&f->request);
    neuroquantum__v1__subscribe_options__init(&f->options);
    neuroquantum__v1__flow_limits__init(&f->limits);
    neuroquantum__v1__start_position__init(&f->start);
    google__protobuf__duration__init(&f->duration);
    f->patterns[0] = (char *)"a.*";
    f->patterns[1] = (char *)"b";
    f->options.patterns = f->patterns;
    f->options.n_patterns = 2;
    f->options.limits = &f->limits;
    f->options.start = &f->start;
    f->request.options = &f->options;
}

static void listen_init(listen_fixture *f) {
    memset(f, 0, sizeof *f);
    wire_fixture_init(&f->wire, 16 << 20);
    listen_reset(f);
}

static nq_status decode(listen_fixture *f) {
    return nq_listen_request_decode(&f->wire.ctx, PACKED(&f->wire, &f->request), &f->decoded);
}

static void a_subscription_arrives_as_it_was_asked_for(void **state) {
    (void)state;
    listen_fixture f;
    listen_init(&f);
    assert_int_equal(decode(&f), NQ_OK);
    assert_int_equal(f.decoded.batch_messages_max, 512);
    assert_true(f.decoded.heartbeat_ns == INT64_C(15000000000));
    assert_int_equal(f.decoded.start.kind, NQ_START_NEW);
    f.options.ack_mode = NEUROQUANTUM__V1__ACK_MODE__ACK_MODE_INDIVIDUAL;
    f.options.headers_only = 1;
    f.options.min_priority = NEUROQUANTUM__V1__PRIORITY__PRIORITY_HIGH;
    f.limits.buffer_bytes = 1000;
    f.limits.buffer_messages = 10;
    f.limits.drop_policy = NEUROQUANTUM__V1__DROP_POLICY__DROP_POLICY_CONFLATE;
    f.limits.throttle_threshold = 0.25;
    f.limits.max_outstanding_messages = 4;
    f.limits.max_batch_messages = 4096;
    f.start.position_case = NEUROQUANTUM__V1__START_POSITION__POSITION_LAST_N;
    f.start.last_n = 9;
    f.duration.seconds = 2;
    f.options.heartbeat = &f.duration;
    assert_int_equal(decode(&f), NQ_OK);
    assert_int_equal(f.decoded.pattern_count, 2);
    assert_true(nq_bytes_equal(f.decoded.patterns[0], NQ_BYTES_LITERAL("a.*")));
    assert_int_equal(f.decoded.ack_mode, NQ_ACK_INDIVIDUAL);
    assert_int_equal(f.decoded.start.kind, NQ_START_LAST);
    assert_int_equal(f.decoded.start.sequence, 9);
    assert_int_equal(f.decoded.limits.buffer_bytes, 1000);
    assert_int_equal(f.decoded.limits.buffer_messages, 10);
    assert_int_equal(f.decoded.limits.drop_policy, NQ_DROP_CONFLATE);
    assert_true(f.decoded.limits.throttle_threshold == 0.25);
    assert_int_equal(f.decoded.limits.outstanding_messages_max, 4);
    assert_int_equal(f.decoded.batch_messages_max, 4096);
    assert_true(f.decoded.headers_only);
    assert_int_equal(f.decoded.priority_min, NQ_PRIORITY_HIGH);
    wire_fixture_deinit(&f.wire);
}

static void refused(listen_fixture *f, nq_status want, const char *field) {
    assert_int_equal(decode(f), want);
    assert_string_equal(f->wire.ctx.error.object, field);
    listen_reset(f);
}

static void what_a_subscription_cannot_have_is_refused_by_name(void **state) {
    (void)state;
    listen_fixture f;
    listen_init(&f);
    f.options.n_patterns = 0;
    refused(&f, NQ_INVALID_ARGUMENT, "patterns");
    f.request.options = NULL;
    refused(&f, NQ_INVALID_ARGUMENT, "options");
    f.options.subscription = (char *)"s";
    refused(&f, NQ_FEATURE_UNSUPPORTED, "subscription");
    f.options.queue_group = (char *)"g";
    refused(&f, NQ_FEATURE_UNSUPPORTED, "queue_group");
    f.options.attribute_filter = (char *)"x";
    refused(&f, NQ_FEATURE_UNSUPPORTED, "attribute_filter");
    f.options.ack_deadline = &f.duration;
    refused(&f, NQ_FEATURE_UNSUPPORTED, "ack_deadline");
    f.options.ack_mode = (Neuroquantum__V1__AckMode)99;
    refused(&f, NQ_INVALID_ARGUMENT, "ack_mode");
    f.options.heartbeat = &f.duration; /* 0 s */
    refused(&f, NQ_INVALID_ARGUMENT, "heartbeat");
    f.options.min_priority = (Neuroquantum__V1__Priority)-1;
    refused(&f, NQ_INVALID_ARGUMENT, "min_priority");
    f.limits.max_coalesce_delay = &f.duration;
    refused(&f, NQ_FEATURE_UNSUPPORTED, "limits.max_coalesce_delay");
    f.limits.rate_limit_per_second = 1;
    refused(&f, NQ_FEATURE_UNSUPPORTED, "limits.rate_limit_per_second");
    f.limits.buffer_bytes = (10 << 20) + 1;
    refused(&f, NQ_INVALID_ARGUMENT, "limits.buffer_bytes");
    f.limits.buffer_messages = UINT64_C(1) << 32;
    refused(&f, NQ_INVALID_ARGUMENT, "limits.buffer_messages");
    f.limits.pause_threshold = __builtin_nan("");
    refused(&f, NQ_INVALID_ARGUMENT, "limits");
    f.limits.drop_policy = (Neuroquantum__V1__DropPolicy)7;
    refused(&f, NQ_INVALID_ARGUMENT, "limits.drop_policy");
    f.limits.max_batch_messages = 4097;
    refused(&f, NQ_INVALID_ARGUMENT, "limits.max_batch_messages");
    f.limits.max_outstanding_bytes = 1;
    refused(&f, NQ_INVALID_ARGUMENT, "limits.max_outstanding_messages");
    f.start.position_case = NEUROQUANTUM__V1__START_POSITION__POSITION_LAST_PER_KEY;
    f.start.last_per_key = 1;
    refused(&f, NQ_FEATURE_UNSUPPORTED, "start.last_per_key");
    Google__Protobuf__Timestamp time = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
    time.seconds = INT64_MIN;
    f.start.position_case = NEUROQUANTUM__V1__START_POSITION__POSITION_TIME;
    f.start.time = &time;
    refused(&f, NQ_INVALID_ARGUMENT, "start.time");
    wire_fixture_deinit(&f.wire);
}

static void a_published_message_reads_back_whole_and_without_payload(void **state) {
    (void)state;
    wire_fixture f;
    wire_fixture_init(&f, 1 << 20);
    Neuroquantum__V1__PublishRequest request = NEUROQUANTUM__V1__PUBLISH_REQUEST__INIT;
    Neuroquantum__V1__Message message = NEUROQUANTUM__V1__MESSAGE__INIT;
    Neuroquantum__V1__Message *list[] = {&message};
    Neuroquantum__V1__Message__AttributesEntry attribute =
        NEUROQUANTUM__V1__MESSAGE__ATTRIBUTES_ENTRY__INIT;
    Neuroquantum__V1__Message__AttributesEntry *attributes[] = {&attribute};
    attribute.key = (char *)"colour";
    attribute.value = (char *)"red";
    message.channel = (char *)"room";
    message.key = (char *)"k";
    message.message_id = (char *)"m1";
    message.payload = (ProtobufCBinaryData){5, (uint8_t *)"hello"};
    message.priority = NEUROQUANTUM__V1__PRIORITY__PRIORITY_HIGH;
    message.attributes = attributes;
    message.n_attributes = 1;
    request.messages = list;
    request.n_messages = 1;
    nq_publish_request decoded;
    assert_int_equal(nq_publish_request_decode(&f.ctx, PACKED(&f, &request), &decoded), NQ_OK);
    assert_int_equal(decoded.count, 1);
    assert_true(decoded.block_timeout_ns == INT64_C(5000000000));
    _Atomic uint64_t budget = 0;
    nq_message *sealed =
        nq_message_create(&decoded.publications[0], &nq_message_wire_encoder, &budget);
    const nq_message_stamp stamp = {.sequence = 300, .publish_time_us = -7, .priority = 3};
    nq_message_seal(sealed, &decoded.publications[0], &stamp, &nq_message_wire_encoder, 1);
    for (int headers_only = 0; headers_only < 2; headers_only++) {
        nq_writer writer;
        nq_writer_init(&writer, 64, 1 << 20);
        nq_delivery_message_write(&writer, sealed, headers_only);
        nq_delivery_first_id_write(&writer, 42);
        Neuroquantum__V1__SubscribeResponse *have =
            wire_unpacked(&f, &neuroquantum__v1__subscribe_response__descriptor, &writer);
        assert_int_equal(have->first_delivery_id, 42);
        const Neuroquantum__V1__Message *m = have->messages[0];
        assert_string_equal(m->channel, "room");
        assert_int_equal(m->sequence, 300);
        assert_int_equal(m->publish_time_us, -7);
        assert_string_equal(m->key, "k");
        assert_string_equal(m->message_id, "m1");
        assert_string_equal(m->attributes[0]->value, "red");
        assert_int_equal(m->priority, NEUROQUANTUM__V1__PRIORITY__PRIORITY_HIGH);
        assert_int_equal(m->payload.len, headers_only ? 0 : 5);
        wire_free(have);
    }
    nq_message_release(sealed);
    assert_int_equal(budget, 0);
    message.sequence = 1;
    assert_int_equal(nq_publish_request_decode(&f.ctx, PACKED(&f, &request), &decoded),
                     NQ_INVALID_ARGUMENT);
    assert_string_equal(f.ctx.error.object, "messages[0]");
    message.sequence = 0;
    request.require_commit = 1;
    assert_int_equal(nq_publish_request_decode(&f.ctx, PACKED(&f, &request), &decoded),
                     NQ_FEATURE_UNSUPPORTED);
    request.n_messages = 0;
    request.require_commit = 0;
    assert_int_equal(nq_publish_request_decode(&f.ctx, PACKED(&f, &request), &decoded),
                     NQ_INVALID_ARGUMENT);
    wire_fixture_deinit(&f);
}

static void states_and_gaps_read_back(void **state) {
    (void)state;
    wire_fixture f;
    wire_fixture_init(&f, 1 << 20);
    static const Neuroquantum__V1__FlowState flows[] = {
        [NQ_FLOW_NORMAL] = NEUROQUANTUM__V1__FLOW_STATE__FLOW_STATE_NORMAL,
        [NQ_FLOW_THROTTLED] = NEUROQUANTUM__V1__FLOW_STATE__FLOW_STATE_THROTTLED,
        [NQ_FLOW_PAUSED] = NEUROQUANTUM__V1__FLOW_STATE__FLOW_STATE_PAUSED,
        [NQ_FLOW_DROPPING] = NEUROQUANTUM__V1__FLOW_STATE__FLOW_STATE_DROPPING,
        [NQ_FLOW_WAITING_CREDIT] = NEUROQUANTUM__V1__FLOW_STATE__FLOW_STATE_WAITING_CREDIT,
    };
    const nq_bytes patterns[] = {NQ_BYTES_LITERAL("a"), NQ_BYTES_LITERAL("b.**")};
    for (nq_flow_state flow = NQ_FLOW_NORMAL; flow <= NQ_FLOW_WAITING_CREDIT; flow++) {
        nq_writer writer;
        nq_writer_init(&writer, 64, 1 << 20);
        const nq_gap gap = {.channel_number = 1,
                            .reason = NQ_GAP_CONFLATE,
                            .first_sequence = 3,
                            .last_sequence = 9,
                            .count = 4};
        const nq_subscribe_state told = {
            .session_id = NQ_BYTES_LITERAL("s1"),
            .patterns = patterns,
            .pattern_count = 2,
            .subscriber = {.flow_state = flow,
                           .fill = 0.5,
                           .dropped_total = 6,
                           .pending_messages = 7},
            .control_token = NQ_BYTES_LITERAL("token"),
            .epoch = 0xabc,
        };
        nq_delivery_gap_write(&writer, &gap, NQ_BYTES_LITERAL("room"), true);
        nq_delivery_state_write(&writer, &told);
        nq_delivery_checkpoint_write(&writer);
        Neuroquantum__V1__ListenResponse *have =
            wire_unpacked(&f, &neuroquantum__v1__listen_response__descriptor, &writer);
        assert_string_equal(have->gaps[0]->channel, "room");
        assert_int_equal(have->gaps[0]->first_sequence, 3);
        assert_int_equal(have->gaps[0]->last_sequence, 9);
        assert_int_equal(have->gaps[0]->count, 4);
        assert_string_equal(have->gaps[0]->reason, "CONFLATE");
        assert_true(have->gaps[0]->recoverable);
        assert_string_equal(have->state->session_id, "s1");
        assert_string_equal(have->state->patterns[1], "b.**");
        assert_int_equal(have->state->flow_state, flows[flow]);
        assert_true(have->state->buffer_fill == 0.5);
        assert_int_equal(have->state->dropped_total, 6);
        assert_int_equal(have->state->pending, 7);
        assert_int_equal(have->state->control_token.len, 5);
        assert_string_equal(have->state->epoch, "0000000000000abc");
        assert_non_null(have->checkpoint);
        wire_free(have);
    }
    nq_writer writer;
    nq_writer_init(&writer, 64, 1 << 20);
    const uint64_t stale[] = {5, UINT64_MAX};
    nq_acknowledge_response_write(&writer, stale, 2);
    Neuroquantum__V1__AcknowledgeResponse *have =
        wire_unpacked(&f, &neuroquantum__v1__acknowledge_response__descriptor, &writer);
    assert_int_equal(have->n_stale_delivery_ids, 2);
    assert_true(have->stale_delivery_ids[1] == UINT64_MAX);
    wire_free(have);
    wire_fixture_deinit(&f);
}

static void a_channel_reads_back_and_cannot_be_what_is_not_served(void **state) {
    (void)state;
    wire_fixture f;
    wire_fixture_init(&f, 1 << 20);
    nq_writer writer;
    nq_writer_init(&writer, 64, 1 << 20);
    const nq_channel_info info = {
        .name = NQ_BYTES_LITERAL("room"),
        .settings = {.durability = NQ_CHANNEL_EPHEMERAL,
                     .history_messages = 10,
                     .history_bytes = 20,
                     .history_ttl_us = 1500000,
                     .message_bytes_max = 30,
                     .default_priority = NQ_PRIORITY_LOW,
                     .default_drop_policy = NQ_DROP_BLOCK,
                     .allow_block = true,
                     .dedup_window_us = 2000000},
        .stats = {.subscribers = 1,
                  .messages = 2,
                  .bytes = 3,
                  .dropped = 4,
                  .first_sequence = 5,
                  .last_sequence = 6,
                  .publish_rate = 7},
    };
    nq_channel_write(&writer, &info, true);
    Neuroquantum__V1__GetChannelResponse *have =
        wire_unpacked(&f, &neuroquantum__v1__get_channel_response__descriptor, &writer);
    Neuroquantum__V1__CreateChannelRequest create = NEUROQUANTUM__V1__CREATE_CHANNEL_REQUEST__INIT;
    nq_channel_request decoded;
    create.channel = have->channel; /* what is told can be asked for */
    assert_int_equal(nq_create_channel_request_decode(&f.ctx, PACKED(&f, &create), &decoded),
                     NQ_OK);
    assert_true(nq_bytes_equal(decoded.name, info.name));
    const nq_channel_settings *had = &info.settings;
    assert_int_equal(decoded.settings.durability, had->durability);
    assert_int_equal(decoded.settings.history_messages, had->history_messages);
    assert_int_equal(decoded.settings.history_bytes, had->history_bytes);
    assert_int_equal(decoded.settings.history_ttl_us, had->history_ttl_us);
    assert_int_equal(decoded.settings.message_bytes_max, had->message_bytes_max);
    assert_int_equal(decoded.settings.default_priority, had->default_priority);
    assert_int_equal(decoded.settings.default_drop_policy, had->default_drop_policy);
    assert_true(decoded.settings.allow_block);
    assert_int_equal(decoded.settings.dedup_window_us, had->dedup_window_us);
    assert_int_equal(have->stats->subscribers, 1);
    assert_int_equal(have->stats->dropped, 4);
    assert_int_equal(have->stats->last_sequence, 6);
    assert_true(have->stats->publish_rate == 7);
    have->channel->durability = NEUROQUANTUM__V1__DURABILITY__DURABILITY_LOGGED;
    assert_int_equal(nq_create_channel_request_decode(&f.ctx, PACKED(&f, &create), &decoded),
                     NQ_FEATURE_UNSUPPORTED);
    assert_string_equal(f.ctx.error.object, "channel.durability");
    create.channel = NULL;
    assert_int_equal(nq_create_channel_request_decode(&f.ctx, PACKED(&f, &create), &decoded),
                     NQ_INVALID_ARGUMENT);
    wire_free(have);
    wire_fixture_deinit(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_subscription_arrives_as_it_was_asked_for),
        cmocka_unit_test(what_a_subscription_cannot_have_is_refused_by_name),
        cmocka_unit_test(a_published_message_reads_back_whole_and_without_payload),
        cmocka_unit_test(states_and_gaps_read_back),
        cmocka_unit_test(a_channel_reads_back_and_cannot_be_what_is_not_served),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
