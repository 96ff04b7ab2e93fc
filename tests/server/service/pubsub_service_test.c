/* PubSubService's unary methods: publishing, also where it has to wait; history by pages; channels.
 */
#include <google/protobuf/field_mask.pb-c.h>
#include <pthread.h>
#include <stdio.h>

#include "engine/ground/os/clock.h"
#include "tests/server/service/live_fixture.h"

/* ---- Channels ---- */

static void create_channel(service_fixture *f, Neuroquantum__V1__Channel *channel) {
    Neuroquantum__V1__CreateChannelRequest request = NEUROQUANTUM__V1__CREATE_CHANNEL_REQUEST__INIT;
    request.channel = channel;
    Neuroquantum__V1__CreateChannelResponse *answer =
        CALL(f, "CreateChannel", &request, create_channel_response);
    if (answer != NULL) {
        assert_string_equal(answer->channel->name, channel->name);
        wire_free(answer);
    }
}

static void a_channel_is_made_changed_told_and_removed(void **state) {
    service_fixture *f = *state;
    Neuroquantum__V1__Channel channel = NEUROQUANTUM__V1__CHANNEL__INIT;
    channel.name = (char *)"room";
    channel.history_messages = 7;
    create_channel(f, &channel);
    create_channel(f, &channel);
    assert_string_equal(f->reason, "CHANNEL_EXISTS");

    Neuroquantum__V1__UpdateChannelRequest update = NEUROQUANTUM__V1__UPDATE_CHANNEL_REQUEST__INIT;
    Google__Protobuf__FieldMask mask = GOOGLE__PROTOBUF__FIELD_MASK__INIT;
    char *paths[] = {(char *)"max_message_bytes"};
    mask.paths = paths;
    mask.n_paths = 1;
    channel.history_messages = 99; /* not in the mask */
    channel.max_message_bytes = 10;
    update.channel = &channel;
    update.update_mask = &mask;
    wire_free(CALL(f, "UpdateChannel", &update, update_channel_response));
    assert_int_equal(f->code, NQ_RPC_OK);
    paths[0] = (char *)"name";
    assert_null(CALL(f, "UpdateChannel", &update, update_channel_response));
    assert_int_equal(f->code, NQ_RPC_INVALID_ARGUMENT);

    live_publish(f, "room", 9);
    Neuroquantum__V1__GetChannelRequest get = NEUROQUANTUM__V1__GET_CHANNEL_REQUEST__INIT;
    get.name = (char *)"room";
    Neuroquantum__V1__GetChannelResponse *told = CALL(f, "GetChannel", &get, get_channel_response);
    assert_int_equal(told->channel->history_messages, 7);
    assert_int_equal(told->channel->max_message_bytes, 10);
    assert_int_equal(told->stats->messages, 9);
    assert_int_equal(told->stats->first_sequence, 3);
    assert_int_equal(told->stats->last_sequence, 9);
    wire_free(told);

    Neuroquantum__V1__DeleteChannelRequest drop = NEUROQUANTUM__V1__DELETE_CHANNEL_REQUEST__INIT;
    drop.name = (char *)"room";
    wire_free(CALL(f, "DeleteChannel", &drop, delete_channel_response));
    assert_int_equal(f->code, NQ_RPC_OK);
    assert_null(CALL(f, "GetChannel", &get, get_channel_response));
    assert_string_equal(f->reason, "CHANNEL_NOT_FOUND");
}

static void channels_are_listed_by_pages(void **state) {
    service_fixture *f = *state;
    static const char *const names[] = {"a.1", "a.2", "a.3", "b.1", "a.4"};
    Neuroquantum__V1__ListChannelsRequest request = NEUROQUANTUM__V1__LIST_CHANNELS_REQUEST__INIT;
    char token[64] = "";
    uint32_t seen = 0;
    for (size_t i = 0; i < 5; i++) {
        live_publish(f, names[i], 1);
    }
    request.pattern = (char *)"a.*";
    request.page_size = 3;
    request.page_token = token;
    do {
        Neuroquantum__V1__ListChannelsResponse *page =
            CALL(f, "ListChannels", &request, list_channels_response);
        assert_non_null(page);
        for (size_t i = 0; i < page->n_channels; i++) {
            char want[8];
            snprintf(want, sizeof want, "a.%u", ++seen);
            assert_string_equal(page->channels[i]->name, want);
        }
        snprintf(token, sizeof token, "%s", page->next_page_token);
        wire_free(page);
    } while (token[0] != '\0');
    assert_int_equal(seen, 4);
}

/* ---- Publishing ---- */

static Neuroquantum__V1__PublishResponse *publish_one(service_fixture *f,
                                                      Neuroquantum__V1__Message *message) {
    Neuroquantum__V1__PublishRequest request = NEUROQUANTUM__V1__PUBLISH_REQUEST__INIT;
    request.messages = &message;
    request.n_messages = 1;
    return CALL(f, "Publish", &request, publish_response);
}

static void a_message_seen_before_is_not_published_again(void **state) {
    service_fixture *f = *state;
    Neuroquantum__V1__Channel channel = NEUROQUANTUM__V1__CHANNEL__INIT;
    Google__Protobuf__Duration window = GOOGLE__PROTOBUF__DURATION__INIT;
    Neuroquantum__V1__Message message = NEUROQUANTUM__V1__MESSAGE__INIT;
    window.seconds = 60;
    channel.name = message.channel = (char *)"once";
    channel.dedup_window = &window;
    message.message_id = (char *)"m1";
    create_channel(f, &channel);
    wire_free(publish_one(f, &message));
    Neuroquantum__V1__PublishResponse *again = publish_one(f, &message);
    assert_true(again->results[0]->duplicate);
    assert_int_equal(again->results[0]->sequence, 1);
    wire_free(again);
}

static void what_cannot_be_published_is_refused_whole(void **state) {
    service_fixture *f = *state;
    Neuroquantum__V1__Channel channel = NEUROQUANTUM__V1__CHANNEL__INIT;
    Neuroquantum__V1__Message good = NEUROQUANTUM__V1__MESSAGE__INIT;
    Neuroquantum__V1__Message bad = NEUROQUANTUM__V1__MESSAGE__INIT;
    Neuroquantum__V1__Message *list[] = {&good, &bad};
    Neuroquantum__V1__PublishRequest request = NEUROQUANTUM__V1__PUBLISH_REQUEST__INIT;
    request.messages = list;
    request.n_messages = 2;
    channel.name = good.channel = bad.channel = (char *)"small";
    channel.max_message_bytes = 4;
    create_channel(f, &channel);
    bad.payload = (ProtobufCBinaryData){5, (uint8_t *)"12345"};
    assert_null(CALL(f, "Publish", &request, publish_response));
    assert_string_equal(f->reason, "MESSAGE_TOO_LARGE");
    bad.payload.len = 4;
    bad.channel = (char *)"with.*";
    assert_null(CALL(f, "Publish", &request, publish_response));
    assert_string_equal(f->reason, "BAD_PATTERN");
    Neuroquantum__V1__PublishResponse *first = publish_one(f, &good);
    assert_int_equal(first->results[0]->sequence, 1);
    wire_free(first);
}

/* A full subscriber with policy BLOCK on a channel that allows it. */
static nq_fake_call *block(service_fixture *f) {
    Neuroquantum__V1__Channel channel = NEUROQUANTUM__V1__CHANNEL__INIT;
    Neuroquantum__V1__SubscribeRequest request = NEUROQUANTUM__V1__SUBSCRIBE_REQUEST__INIT;
    Neuroquantum__V1__SubscribeOptions options = NEUROQUANTUM__V1__SUBSCRIBE_OPTIONS__INIT;
    Neuroquantum__V1__FlowLimits limits = NEUROQUANTUM__V1__FLOW_LIMITS__INIT;
    char *patterns[] = {(char *)"tight"};
    channel.name = patterns[0];
    channel.allow_block = 1;
    create_channel(f, &channel);
    limits.buffer_messages = 1;
    limits.drop_policy = NEUROQUANTUM__V1__DROP_POLICY__DROP_POLICY_BLOCK;
    options.patterns = patterns;
    options.n_patterns = 1;
    options.limits = &limits;
    request.request_case = NEUROQUANTUM__V1__SUBSCRIBE_REQUEST__REQUEST_OPEN;
    request.open = &options;
    nq_fake_call *call = live_open(f, "Subscribe", true);
    SEND(call, &request);
    live_publish(f, "tight", 1);
    return call;
}

static nq_fake_call *publish_into(service_fixture *f, int64_t timeout_ns) {
    Neuroquantum__V1__PublishRequest request = NEUROQUANTUM__V1__PUBLISH_REQUEST__INIT;
    Neuroquantum__V1__Message message = NEUROQUANTUM__V1__MESSAGE__INIT;
    Neuroquantum__V1__Message *list[] = {&message};
    Google__Protobuf__Duration timeout = GOOGLE__PROTOBUF__DURATION__INIT;
    message.channel = (char *)"tight";
    timeout.seconds = timeout_ns / 1000000000;
    timeout.nanos = (int32_t)(timeout_ns % 1000000000);
    request.messages = list;
    request.n_messages = 1;
    request.block_timeout = &timeout;
    nq_fake_call *call = live_open(f, "Publish", false);
    SEND(call, &request);
    return call;
}

static void a_publish_waits_for_room_without_a_thread(void **state) {
    service_fixture *f = *state;
    nq_fake_call *reader = block(f);
    nq_fake_call *writer = publish_into(f, INT64_C(30000000000));
    nq_fake_call *gone = publish_into(f, INT64_C(30000000000));
    assert_false(nq_fake_call_has_status(writer)); /* and yet it has returned */
    nq_fake_call_close(gone);
    for (int i = 0; i < 4; i++) {
        nq_fake_call_complete_write(reader);
        nq_fake_call_run(reader);
    }
    live_wait(writer, SIZE_MAX);
    live_ended(f, writer, NQ_RPC_OK, NULL);
    const Neuroquantum__V1__PublishResponse *answer = RECEIVED(f, writer, 0, publish_response);
    assert_int_equal(answer->results[0]->sequence, 2);
    nq_fake_call_close(writer);
    nq_fake_call_close(reader);
}

static void a_publish_gives_up_at_its_timeout(void **state) {
    service_fixture *f = *state;
    nq_fake_call *reader = block(f);
    nq_fake_call *writer = publish_into(f, 5000000);
    live_wait(writer, SIZE_MAX);
    live_ended(f, writer, NQ_RPC_DEADLINE_EXCEEDED, "BLOCK_TIMEOUT");
    nq_fake_call_close(writer);
    nq_fake_call_close(reader);
}

/* ---- History ---- */

static uint32_t read_pages(service_fixture *f, Neuroquantum__V1__GetHistoryRequest *request,
                           uint64_t *sequences, uint32_t *out_pages) {
    char token[32] = "";
    uint32_t count = 0;
    *out_pages = 0;
    request->page_token = token;
    do {
        Neuroquantum__V1__GetHistoryResponse *page =
            CALL(f, "GetHistory", request, get_history_response);
        assert_non_null(page);
        for (size_t i = 0; i < page->n_messages; i++) {
            sequences[count++] = page->messages[i]->sequence;
        }
        snprintf(token, sizeof token, "%s", page->next_page_token);
        ++*out_pages;
        wire_free(page);
    } while (token[0] != '\0');
    return count;
}

static void history_is_read_by_pages_either_way(void **state) {
    service_fixture *f = *state;
    Neuroquantum__V1__GetHistoryRequest request = NEUROQUANTUM__V1__GET_HISTORY_REQUEST__INIT;
    uint64_t sequences[64];
    uint32_t pages;
    live_publish(f, "room", 25);
    request.channel = (char *)"room";
    request.page_size = 10;
    assert_int_equal(read_pages(f, &request, sequences, &pages), 25);
    assert_int_equal(pages, 3);
    for (uint64_t i = 0; i < 25; i++) {
        assert_int_equal(sequences[i], i + 1);
    }
    request.reverse = 1;
    assert_int_equal(read_pages(f, &request, sequences, &pages), 25);
    for (uint64_t i = 0; i < 25; i++) {
        assert_int_equal(sequences[i], 25 - i);
    }
    request.page_token = (char *)"12x";
    assert_null(CALL(f, "GetHistory", &request, get_history_response));
    assert_string_equal(f->reason, "BAD_TOKEN");
    request.page_token = (char *)"";
    request.channel = (char *)"nowhere";
    assert_null(CALL(f, "GetHistory", &request, get_history_response));
    assert_string_equal(f->reason, "CHANNEL_NOT_FOUND");
}

static void a_page_of_large_messages_is_short(void **state) {
    service_fixture *f = *state;
    static uint8_t body[300000];
    Neuroquantum__V1__Channel channel = NEUROQUANTUM__V1__CHANNEL__INIT;
    Neuroquantum__V1__Message message = NEUROQUANTUM__V1__MESSAGE__INIT;
    Neuroquantum__V1__GetHistoryRequest request = NEUROQUANTUM__V1__GET_HISTORY_REQUEST__INIT;
    uint64_t sequences[64];
    uint32_t pages;
    f->config.limit_response_bytes = 4 << 20;
    channel.name = message.channel = request.channel = (char *)"large";
    channel.history_bytes = 64 << 20;
    create_channel(f, &channel);
    message.payload = (ProtobufCBinaryData){sizeof body, body};
    for (int i = 0; i < 20; i++) {
        wire_free(publish_one(f, &message));
    }
    for (int reverse = 0; reverse < 2; reverse++) {
        request.reverse = reverse;
        assert_int_equal(read_pages(f, &request, sequences, &pages), 20);
        assert_int_equal(pages, 5);
        assert_int_equal(sequences[19], reverse ? 1 : 20);
    }
}

/* ---- Many subscribers, publishers of their own ---- */

enum { SUBSCRIBERS = 200, PUBLISHERS = 2, PUBLISHED_EACH = 100 };

static void *publish_many(void *argument) {
    nq_hub *hub = argument;
    nq_arena arena;
    nq_arena_init(&arena, 1 << 20);
    for (int i = 0; i < PUBLISHED_EACH; i++) {
        nq_ctx ctx;
        nq_ctx_init(&ctx, &arena);
        nq_publication publication = {.channel = NQ_BYTES_LITERAL("all"),
                                      .payload = NQ_BYTES_LITERAL("x")};
        nq_publish_result result;
        assert_int_equal(nq_hub_publish(&ctx, hub, &publication, 1, 0, &result), NQ_OK);
        nq_arena_reset(&arena);
    }
    nq_arena_deinit(&arena);
    return NULL;
}

static uint32_t messages_of(service_fixture *f, nq_fake_call *call) {
    uint32_t count = 0;
    uint64_t last = 0;
    for (size_t i = 0; i < nq_fake_call_message_count(call); i++) {
        const Neuroquantum__V1__ListenResponse *r = RECEIVED(f, call, i, listen_response);
        assert_int_equal(r->n_gaps, 0);
        for (size_t m = 0; m < r->n_messages; m++) {
            assert_int_equal(r->messages[m]->sequence, ++last);
            count++;
        }
        nq_arena_reset(&f->arena);
    }
    return count;
}

static void no_wake_is_lost_between_many_publishers_and_subscribers(void **state) {
    service_fixture *f = *state;
    nq_fake_call *calls[SUBSCRIBERS];
    pthread_t threads[PUBLISHERS];
    Neuroquantum__V1__ListenRequest request = NEUROQUANTUM__V1__LISTEN_REQUEST__INIT;
    Neuroquantum__V1__SubscribeOptions options = NEUROQUANTUM__V1__SUBSCRIBE_OPTIONS__INIT;
    char *patterns[] = {(char *)"al*", (char *)"all", (char *)"*"};
    options.patterns = patterns + 1;
    options.n_patterns = 2; /* both cover it: delivered once */
    request.options = &options;
    for (int i = 0; i < SUBSCRIBERS; i++) {
        calls[i] = live_open(f, "Listen", false);
        SEND(calls[i], &request);
    }
    for (int i = 0; i < PUBLISHERS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, publish_many, f->service.hub), 0);
    }
    for (int round = 0; round < 20; round++) {
        for (int i = 0; i < SUBSCRIBERS; i++) {
            nq_fake_call_run(calls[i]);
        }
    }
    for (int i = 0; i < PUBLISHERS; i++) {
        pthread_join(threads[i], NULL);
    }
    /* Whoever was not woken for what came last has nothing to run now. */
    for (int i = 0; i < SUBSCRIBERS; i++) {
        nq_fake_call_run(calls[i]);
        assert_int_equal(messages_of(f, calls[i]), PUBLISHERS * PUBLISHED_EACH);
        nq_fake_call_close(calls[i]);
    }
}

#define LIVE_TEST(name) cmocka_unit_test_setup_teardown(name, live_set_up, live_tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        LIVE_TEST(a_channel_is_made_changed_told_and_removed),
        LIVE_TEST(channels_are_listed_by_pages),
        LIVE_TEST(a_message_seen_before_is_not_published_again),
        LIVE_TEST(what_cannot_be_published_is_refused_whole),
        LIVE_TEST(a_publish_waits_for_room_without_a_thread),
        LIVE_TEST(a_publish_gives_up_at_its_timeout),
        LIVE_TEST(history_is_read_by_pages_either_way),
        LIVE_TEST(a_page_of_large_messages_is_short),
        LIVE_TEST(no_wake_is_lost_between_many_publishers_and_subscribers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
