/* Live fixture: the service fixture with what streams and subscriptions need, and calls that stay
 * open. */
#ifndef NQ_TESTS_SERVER_SERVICE_LIVE_FIXTURE_H
#define NQ_TESTS_SERVER_SERVICE_LIVE_FIXTURE_H

#include "tests/server/service/service_fixture.h"

#include <neuroquantum/v1/pubsub.pb-c.h>
#include <neuroquantum/v1/stream.pb-c.h>

int live_set_up(void **state);
int live_tear_down(void **state);

nq_fake_call *live_open(service_fixture *fixture, const char *method, bool holds_writes);

/* Sends one request and lets everything happen. */
#define SEND(call, request) live_send((call), &(request)->base)
void live_send(nq_fake_call *call, const ProtobufCMessage *request);

/* The call's response number `index`, unpacked into the fixture's arena. */
#define RECEIVED(fixture, call, index, type) \
    ((void *)live_received((fixture), (call), (index), &neuroquantum__v1__##type##__descriptor))
void *live_received(service_fixture *fixture, nq_fake_call *call, size_t index,
                    const ProtobufCMessageDescriptor *type);

/* Lets things happen until the call has a status, or `messages` responses; a failure after 30 s. */
void live_wait(nq_fake_call *call, size_t messages);

/* Asserts how the call ended. `reason` may be NULL. */
void live_ended(service_fixture *fixture, nq_fake_call *call, nq_rpc_code code, const char *reason);

/* Publishes one message per call of it, with the channel's next number as the payload. */
void live_publish(service_fixture *fixture, const char *channel, uint32_t count);

#endif
