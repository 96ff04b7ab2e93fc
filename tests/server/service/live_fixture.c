/* Live fixture. */
#include "tests/server/service/live_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "engine/ground/os/clock.h"
#include "server/wire/pubsub_wire.h"
#include "server/wire/status_wire.h"

int live_set_up(void **state) {
    service_set_up(state);
    service_fixture *f = *state;
    const nq_hub_options hub = {
        .encoder = &nq_message_wire_encoder, .epoch = 0xe90c4, .now_us = nq_clock_realtime_us};
    assert_int_equal(nq_alarm_clock_create(&f->ctx, &f->service.alarms), NQ_OK);
    assert_int_equal(nq_hub_create(&f->ctx, &hub, &f->service.hub), NQ_OK);
    assert_int_equal(nq_listen_registry_create(&f->ctx, &f->service.listens), NQ_OK);
    return 0;
}

int live_tear_down(void **state) {
    service_fixture *f = *state;
    assert_int_equal(nq_listen_registry_count(f->service.listens), 0);
    nq_alarm_clock_destroy(f->service.alarms);
    nq_listen_registry_destroy(f->service.listens);
    nq_hub_destroy(f->service.hub);
    return service_tear_down(state);
}

nq_fake_call *live_open(service_fixture *f, const char *method, bool holds_writes) {
    const nq_fake_options options = {.encode_error = nq_status_details_encode,
                                     .holds_writes = holds_writes};
    nq_fake_call *call = nq_fake_call_open(service_method(method), &f->service, &options);
    nq_fake_call_run(call);
    return call;
}

void live_send(nq_fake_call *call, const ProtobufCMessage *request) {
    size_t bytes = protobuf_c_message_get_packed_size(request);
    uint8_t *packed = malloc(bytes + 1);
    protobuf_c_message_pack(request, packed);
    nq_fake_call_send(call, nq_bytes_of(packed, bytes));
    free(packed);
    nq_fake_call_run(call);
}

static void *take(void *arena, size_t bytes) {
    return nq_arena_alloc(arena, bytes);
}

static void keep(void *arena, void *memory) {
    (void)arena;
    (void)memory;
}

void *live_received(service_fixture *f, nq_fake_call *call, size_t index,
                    const ProtobufCMessageDescriptor *type) {
    ProtobufCAllocator allocator = {.alloc = take, .free = keep, .allocator_data = &f->arena};
    nq_bytes message = nq_fake_call_message(call, index);
    void *unpacked = protobuf_c_message_unpack(
        type, &allocator, message.size, message.data == NULL ? (const uint8_t *)"" : message.data);
    assert_non_null(unpacked);
    return unpacked;
}

void live_wait(nq_fake_call *call, size_t messages) {
    int64_t until_ns = nq_clock_monotonic_ns() + INT64_C(30000000000);
    nq_fake_call_run(call);
    while (!nq_fake_call_has_status(call) && nq_fake_call_message_count(call) < messages) {
        assert_true(nq_clock_monotonic_ns() < until_ns);
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
        nq_fake_call_run(call);
    }
}

void live_ended(service_fixture *f, nq_fake_call *call, nq_rpc_code code, const char *reason) {
    service_note_end(f, call);
    if (f->code != code) {
        print_error("%s\n", f->text);
    }
    assert_int_equal(f->code, code);
    if (reason != NULL) {
        assert_string_equal(f->reason, reason);
    }
}

void live_publish(service_fixture *f, const char *channel, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        Neuroquantum__V1__PublishRequest request = NEUROQUANTUM__V1__PUBLISH_REQUEST__INIT;
        Neuroquantum__V1__Message message = NEUROQUANTUM__V1__MESSAGE__INIT;
        Neuroquantum__V1__Message *messages[] = {&message};
        message.channel = (char *)channel;
        message.payload = (ProtobufCBinaryData){4, (uint8_t *)"body"};
        request.messages = messages;
        request.n_messages = 1;
        Neuroquantum__V1__PublishResponse *answer = CALL(f, "Publish", &request, publish_response);
        assert_non_null(answer);
        wire_free(answer);
    }
}
