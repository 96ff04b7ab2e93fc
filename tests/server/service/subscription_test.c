/* Subscribe and Listen: what a subscriber is told, in order and without a hole, however slowly it
 * reads and however it paces. */
#include <stdio.h>

#include "tests/server/service/live_fixture.h"

/* A request with everything a test may want to vary. */
typedef struct opening {
    Neuroquantum__V1__SubscribeRequest request;
    Neuroquantum__V1__SubscribeOptions options;
    Neuroquantum__V1__FlowLimits limits;
    Neuroquantum__V1__StartPosition start;
    Google__Protobuf__Duration heartbeat;
    char *patterns[1];
} opening;

static void opening_init(opening *o, const char *pattern) {
    neuroquantum__v1__subscribe_request__init(&o->request);
    neuroquantum__v1__subscribe_options__init(&o->options);
    neuroquantum__v1__flow_limits__init(&o->limits);
    neuroquantum__v1__start_position__init(&o->start);
    google__protobuf__duration__init(&o->heartbeat);
    o->patterns[0] = (char *)pattern;
    o->options.patterns = o->patterns;
    o->options.n_patterns = 1;
    o->options.limits = &o->limits;
    o->request.request_case = NEUROQUANTUM__V1__SUBSCRIBE_REQUEST__REQUEST_OPEN;
    o->request.open = &o->options;
}

static nq_fake_call *subscribe(service_fixture *f, opening *o, bool holds_writes) {
    nq_fake_call *call = live_open(f, "Subscribe", holds_writes);
    SEND(call, &o->request);
    return call;
}

static Neuroquantum__V1__SubscribeResponse *response(service_fixture *f, nq_fake_call *call,
                                                     size_t index) {
    return RECEIVED(f, call, index, subscribe_response);
}

static Neuroquantum__V1__SubscribeState *state_of(service_fixture *f, nq_fake_call *call) {
    Neuroquantum__V1__SubscribeResponse *first = response(f, call, 0);
    assert_non_null(first->state);
    return first->state;
}

/* What a call has brought of its only channel; asserts order, and that gaps fill the holes. */
typedef struct ledger {
    uint64_t received;
    uint64_t lost;
    uint64_t last;
    uint64_t last_delivery_id;
} ledger;

static ledger read_all(service_fixture *f, nq_fake_call *call) {
    ledger l = {0};
    for (size_t i = 0; i < nq_fake_call_message_count(call); i++) {
        const Neuroquantum__V1__SubscribeResponse *r = response(f, call, i);
        for (size_t g = 0; g < r->n_gaps; g++) {
            assert_int_equal(r->gaps[g]->first_sequence, l.last + 1);
            assert_int_equal(r->gaps[g]->last_sequence, l.last + r->gaps[g]->count);
            l.lost += r->gaps[g]->count;
            l.last = r->gaps[g]->last_sequence;
        }
        if (r->n_messages > 0) {
            assert_int_equal(r->first_delivery_id, l.last_delivery_id + 1);
            l.last_delivery_id += r->n_messages;
        }
        for (size_t m = 0; m < r->n_messages; m++) {
            assert_int_equal(r->messages[m]->sequence, ++l.last);
            l.received++;
        }
    }
    return l;
}

static void a_subscriber_is_told_who_it_is_then_what_is_published(void **state) {
    service_fixture *f = *state;
    opening o;
    opening_init(&o, "room.*");
    nq_fake_call *call = subscribe(f, &o, false);
    const Neuroquantum__V1__SubscribeState *s = state_of(f, call);
    assert_true(s->session_id[0] == 's');
    assert_int_equal(s->control_token.len, 16);
    assert_string_equal(s->patterns[0], "room.*");
    assert_string_equal(s->epoch, "00000000000e90c4");
    live_publish(f, "room.a", 3);
    live_publish(f, "elsewhere", 1);
    nq_fake_call_run(call);
    assert_int_equal(read_all(f, call).received, 3);
    const Neuroquantum__V1__Message *m =
        response(f, call, nq_fake_call_message_count(call) - 1)->messages[0];
    assert_string_equal(m->channel, "room.a");
    assert_int_equal(m->payload.len, 4);
    assert_true(m->publish_time_us > 0);
    nq_fake_call_close(call);
}

static void what_is_kept_comes_first_without_a_hole(void **state) {
    service_fixture *f = *state;
    opening o;
    live_publish(f, "room", 10);
    opening_init(&o, "room");
    o.start.position_case = NEUROQUANTUM__V1__START_POSITION__POSITION_EARLIEST;
    o.start.earliest = 1;
    o.options.start = &o.start;
    o.options.headers_only = 1;
    nq_fake_call *call = subscribe(f, &o, false);
    live_publish(f, "room", 5);
    nq_fake_call_run(call);
    assert_int_equal(read_all(f, call).received, 15);
    assert_int_equal(response(f, call, 0)->messages[0]->payload.len, 0);
    nq_fake_call_close(call);
}

static void a_client_that_does_not_read_loses_an_exact_number(void **state) {
    service_fixture *f = *state;
    opening o;
    nq_hub_stats stats;
    opening_init(&o, "room");
    o.limits.buffer_messages = 10;
    nq_fake_call *call = subscribe(f, &o, true);
    live_publish(f, "room", 20);
    nq_fake_call_complete_write(call);
    nq_fake_call_run(call);
    live_publish(f, "room", 80);
    nq_hub_get_stats(f->service.hub, &stats);
    nq_fake_call_run(call);
    for (int i = 0; i < 50; i++) {
        nq_fake_call_complete_write(call);
        nq_fake_call_run(call);
    }
    ledger l = read_all(f, call);
    assert_int_equal(l.received + l.lost, 100);
    assert_int_equal(l.last, 100);
    assert_true(l.received >= 10 && l.received < 50);
    nq_fake_call_close(call);
}

static void the_lowest_priority_goes_first(void **state) {
    service_fixture *f = *state;
    opening o;
    opening_init(&o, "room");
    o.limits.buffer_messages = 2;
    nq_fake_call *call = subscribe(f, &o, false);
    Neuroquantum__V1__SubscribeRequest control = NEUROQUANTUM__V1__SUBSCRIBE_REQUEST__INIT;
    control.request_case = NEUROQUANTUM__V1__SUBSCRIBE_REQUEST__REQUEST_PAUSE;
    control.pause = 1;
    SEND(call, &control);
    Neuroquantum__V1__PublishRequest request = NEUROQUANTUM__V1__PUBLISH_REQUEST__INIT;
    Neuroquantum__V1__Message messages[4];
    Neuroquantum__V1__Message *list[4];
    const Neuroquantum__V1__Priority priorities[] = {
        NEUROQUANTUM__V1__PRIORITY__PRIORITY_NORMAL, NEUROQUANTUM__V1__PRIORITY__PRIORITY_LOW,
        NEUROQUANTUM__V1__PRIORITY__PRIORITY_HIGH, NEUROQUANTUM__V1__PRIORITY__PRIORITY_LOW};
    for (int i = 0; i < 4; i++) {
        neuroquantum__v1__message__init(&messages[i]);
        messages[i].channel = (char *)"room";
        messages[i].priority = priorities[i];
        list[i] = &messages[i];
    }
    request.messages = list;
    request.n_messages = 4;
    wire_free(CALL(f, "Publish", &request, publish_response));
    control.pause = 0;
    SEND(call, &control);
    /* 2 went for 3; 4 itself was the lowest. */
    ledger l = read_all(f, call);
    assert_int_equal(l.received, 2);
    assert_int_equal(l.lost, 2);
    assert_int_equal(response(f, call, 1)->messages[0]->sequence, 1);
    assert_int_equal(response(f, call, 2)->messages[0]->sequence, 3);
    nq_fake_call_close(call);
}

static void acknowledge(nq_fake_call *call, uint64_t through, uint64_t one) {
    Neuroquantum__V1__SubscribeRequest request = NEUROQUANTUM__V1__SUBSCRIBE_REQUEST__INIT;
    Neuroquantum__V1__Ack ack = NEUROQUANTUM__V1__ACK__INIT;
    ack.through_delivery_id = through;
    ack.delivery_ids = &one;
    ack.n_delivery_ids = one != 0;
    request.request_case = NEUROQUANTUM__V1__SUBSCRIBE_REQUEST__REQUEST_ACK;
    request.ack = &ack;
    SEND(call, &request);
}

static void acknowledgements_let_more_through(void **state) {
    service_fixture *f = *state;
    opening o;
    opening_init(&o, "a");
    o.options.ack_mode = NEUROQUANTUM__V1__ACK_MODE__ACK_MODE_CUMULATIVE;
    o.limits.max_outstanding_messages = 2;
    nq_fake_call *call = subscribe(f, &o, false);
    live_publish(f, "a", 10);
    nq_fake_call_run(call);
    assert_int_equal(read_all(f, call).received, 2);
    acknowledge(call, 1, 0);
    assert_int_equal(read_all(f, call).received, 3);
    acknowledge(call, 3, 0);
    assert_int_equal(read_all(f, call).received, 5);
    acknowledge(call, 0, 4);
    live_ended(f, call, NQ_RPC_INVALID_ARGUMENT, NULL);
    nq_fake_call_close(call);
    opening_init(&o, "b");
    o.options.ack_mode = NEUROQUANTUM__V1__ACK_MODE__ACK_MODE_INDIVIDUAL;
    o.limits.max_outstanding_messages = 2;
    call = subscribe(f, &o, false);
    live_publish(f, "b", 10);
    nq_fake_call_run(call);
    acknowledge(call, 0, 2);
    assert_int_equal(read_all(f, call).received, 3);
    acknowledge(call, 0, 2); /* a second time: nothing */
    assert_int_equal(read_all(f, call).received, 3);
    nq_fake_call_close(call);
    opening_init(&o, "c");
    call = subscribe(f, &o, false);
    acknowledge(call, 1, 0);
    live_ended(f, call, NQ_RPC_INVALID_ARGUMENT, NULL);
    nq_fake_call_close(call);
}

static void credit_lets_so_much_through(void **state) {
    service_fixture *f = *state;
    opening o;
    opening_init(&o, "a");
    nq_fake_call *call = subscribe(f, &o, false);
    Neuroquantum__V1__SubscribeRequest request = NEUROQUANTUM__V1__SUBSCRIBE_REQUEST__INIT;
    Neuroquantum__V1__Credit credit = NEUROQUANTUM__V1__CREDIT__INIT;
    request.request_case = NEUROQUANTUM__V1__SUBSCRIBE_REQUEST__REQUEST_CREDIT;
    request.credit = &credit;
    credit.grant_through_delivery_id = 3;
    SEND(call, &request);
    live_publish(f, "a", 10);
    nq_fake_call_run(call);
    assert_int_equal(read_all(f, call).received, 3);
    credit.grant_through_delivery_id = 7;
    SEND(call, &request);
    assert_int_equal(read_all(f, call).received, 7);
    nq_fake_call_close(call);
}

static void patterns_come_and_go(void **state) {
    service_fixture *f = *state;
    opening o;
    opening_init(&o, "a");
    nq_fake_call *call = subscribe(f, &o, false);
    opening more;
    opening_init(&more, "b.**");
    more.request.request_case = NEUROQUANTUM__V1__SUBSCRIBE_REQUEST__REQUEST_ADD_PATTERNS;
    more.request.add_patterns = &more.options;
    SEND(call, &more.request);
    assert_int_equal(response(f, call, 1)->state->n_patterns, 2);
    opening_init(&more, "a");
    more.request.request_case = NEUROQUANTUM__V1__SUBSCRIBE_REQUEST__REQUEST_REMOVE_PATTERNS;
    more.request.remove_patterns = &more.options;
    SEND(call, &more.request);
    assert_int_equal(response(f, call, 2)->state->n_patterns, 1);
    live_publish(f, "a", 2);
    live_publish(f, "b.c.d", 3);
    nq_fake_call_run(call);
    assert_int_equal(read_all(f, call).received, 3);
    SEND(call, &o.request); /* a second `open` */
    live_ended(f, call, NQ_RPC_INVALID_ARGUMENT, NULL);
    nq_fake_call_close(call);
}

static void flag(nq_fake_call *call, bool is_pause, bool value) {
    Neuroquantum__V1__SubscribeRequest request = NEUROQUANTUM__V1__SUBSCRIBE_REQUEST__INIT;
    request.request_case = is_pause ? NEUROQUANTUM__V1__SUBSCRIBE_REQUEST__REQUEST_PAUSE
                                    : NEUROQUANTUM__V1__SUBSCRIBE_REQUEST__REQUEST_DRAIN;
    if (is_pause) {
        request.pause = value;
    } else {
        request.drain = value;
    }
    SEND(call, &request);
}

static void a_drain_brings_what_waits_even_after_a_pause(void **state) {
    service_fixture *f = *state;
    opening o;
    opening_init(&o, "a");
    nq_fake_call *call = subscribe(f, &o, false);
    flag(call, true, true);
    live_publish(f, "a", 5);
    nq_fake_call_run(call);
    flag(call, false, true);
    live_publish(f, "a", 5); /* too late for this one */
    nq_fake_call_run(call);
    assert_false(nq_fake_call_has_status(call));
    assert_int_equal(read_all(f, call).received, 0);
    flag(call, true, false);
    assert_int_equal(read_all(f, call).received, 5);
    live_ended(f, call, NQ_RPC_OK, NULL);
    nq_fake_call_close(call);
}

static void a_heartbeat_tells_the_state_again(void **state) {
    service_fixture *f = *state;
    opening o;
    opening_init(&o, "a");
    o.heartbeat.seconds = 1;
    o.options.heartbeat = &o.heartbeat;
    nq_fake_call *call = subscribe(f, &o, false);
    live_wait(call, 2);
    const Neuroquantum__V1__SubscribeResponse *r = response(f, call, 1);
    assert_non_null(r->state);
    assert_non_null(r->checkpoint);
    assert_int_equal(r->state->control_token.len, 0); /* told once */
    nq_fake_call_close(call);
}

static void policy_disconnect_ends_a_slow_one_at_once(void **state) {
    service_fixture *f = *state;
    opening o;
    opening_init(&o, "a");
    o.limits.buffer_messages = 5;
    o.limits.drop_policy = NEUROQUANTUM__V1__DROP_POLICY__DROP_POLICY_DISCONNECT;
    nq_fake_call *call = subscribe(f, &o, false);
    flag(call, true, true);
    live_publish(f, "a", 6);
    nq_fake_call_run(call);
    live_ended(f, call, NQ_RPC_RESOURCE_EXHAUSTED, "SLOW_CONSUMER");
    nq_fake_call_close(call);
    call = subscribe(f, &o, true); /* does not even read its state */
    live_publish(f, "a", 6);
    nq_fake_call_run(call);
    assert_int_equal(nq_listen_registry_count(f->service.listens), 0);
    nq_fake_call_close(call);
}

static void acknowledge_listen(service_fixture *f, const char *session, ProtobufCBinaryData token,
                               uint64_t through, uint64_t one) {
    Neuroquantum__V1__AcknowledgeRequest request = NEUROQUANTUM__V1__ACKNOWLEDGE_REQUEST__INIT;
    Neuroquantum__V1__Ack ack = NEUROQUANTUM__V1__ACK__INIT;
    ack.through_delivery_id = through;
    ack.delivery_ids = &one;
    ack.n_delivery_ids = one != 0;
    request.session_id = (char *)session;
    request.control_token = token;
    request.ack = &ack;
    Neuroquantum__V1__AcknowledgeResponse *answer =
        CALL(f, "Acknowledge", &request, acknowledge_response);
    if (answer != NULL) {
        assert_int_equal(answer->n_stale_delivery_ids, one == 99);
        wire_free(answer);
    }
}

static void a_listener_acknowledges_by_its_token(void **state) {
    service_fixture *f = *state;
    Neuroquantum__V1__ListenRequest request = NEUROQUANTUM__V1__LISTEN_REQUEST__INIT;
    opening o;
    opening_init(&o, "a");
    o.options.ack_mode = NEUROQUANTUM__V1__ACK_MODE__ACK_MODE_INDIVIDUAL;
    o.limits.max_outstanding_messages = 1;
    request.options = &o.options;
    nq_fake_call *call = live_open(f, "Listen", false);
    SEND(call, &request);
    const Neuroquantum__V1__SubscribeState *s = state_of(f, call);
    live_publish(f, "a", 3);
    nq_fake_call_run(call);
    assert_int_equal(read_all(f, call).received, 1);
    acknowledge_listen(f, s->session_id, s->control_token, 0, 99);
    acknowledge_listen(f, s->session_id, s->control_token, 0, 1);
    assert_int_equal(f->code, NQ_RPC_OK);
    nq_fake_call_run(call);
    assert_int_equal(read_all(f, call).received, 2);
    acknowledge_listen(f, s->session_id, (ProtobufCBinaryData){4, (uint8_t *)"fake"}, 2, 0);
    assert_string_equal(f->reason, "BAD_TOKEN");
    acknowledge_listen(f, "s0", s->control_token, 2, 0);
    assert_string_equal(f->reason, "SUBSCRIPTION_NOT_FOUND");
    acknowledge_listen(f, "\xc3\xa4", s->control_token, 2, 0);
    assert_string_equal(f->reason, "SUBSCRIPTION_NOT_FOUND");
    nq_fake_call_close(call);
}

static void a_subscriber_may_go_away_at_any_point(void **state) {
    service_fixture *f = *state;
    opening o;
    opening_init(&o, "a");
    for (int writes = -1; writes < 4; writes++) {
        nq_fake_call *call = live_open(f, "Subscribe", true);
        if (writes >= 0) {
            SEND(call, &o.request);
        }
        live_publish(f, "a", 3);
        for (int i = 0; i < writes; i++) {
            nq_fake_call_run(call);
            nq_fake_call_complete_write(call);
        }
        nq_fake_call_close(call);
        nq_hub_stats stats;
        nq_hub_get_stats(f->service.hub, &stats);
        assert_int_equal(stats.patterns, 0);
    }
    opening_init(&o, "not a name");
    nq_fake_call *call = subscribe(f, &o, false);
    live_ended(f, call, NQ_RPC_INVALID_ARGUMENT, "BAD_PATTERN");
    nq_fake_call_close(call);
    call = live_open(f, "Subscribe", false);
    nq_fake_call_half_close(call);
    nq_fake_call_run(call);
    live_ended(f, call, NQ_RPC_INVALID_ARGUMENT, NULL);
    nq_fake_call_close(call);
}

#define LIVE_TEST(name) cmocka_unit_test_setup_teardown(name, live_set_up, live_tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        LIVE_TEST(a_subscriber_is_told_who_it_is_then_what_is_published),
        LIVE_TEST(what_is_kept_comes_first_without_a_hole),
        LIVE_TEST(a_client_that_does_not_read_loses_an_exact_number),
        LIVE_TEST(the_lowest_priority_goes_first),
        LIVE_TEST(acknowledgements_let_more_through),
        LIVE_TEST(credit_lets_so_much_through),
        LIVE_TEST(patterns_come_and_go),
        LIVE_TEST(a_drain_brings_what_waits_even_after_a_pause),
        LIVE_TEST(a_heartbeat_tells_the_state_again),
        LIVE_TEST(policy_disconnect_ends_a_slow_one_at_once),
        LIVE_TEST(a_listener_acknowledges_by_its_token),
        LIVE_TEST(a_subscriber_may_go_away_at_any_point),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
