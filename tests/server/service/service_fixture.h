/* Service fixture: the real engine on a simulated disk, the services' own state, and calls that
 * need no network. */
#ifndef NQ_TESTS_SERVER_SERVICE_FIXTURE_H
#define NQ_TESTS_SERVER_SERVICE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <google/rpc/error_details.pb-c.h>
#include <google/rpc/status.pb-c.h>
#include <neuroquantum/v1/admin.pb-c.h>
#include <neuroquantum/v1/query.pb-c.h>
#include <string.h>

#include "engine/ground/os/sim_vfs.h"
#include "server/service/service.h"
#include "server/wire/status_wire.h"
#include "tests/support/fake_call.h"

typedef struct service_fixture {
    nq_arena arena;
    nq_ctx ctx;
    nq_sim_vfs *disk;
    nq_config config;
    nq_service service;
    /* Of the last call. */
    nq_rpc_code code;
    char text[512];
    char reason[64]; /* ErrorInfo.reason; "" when it succeeded */
    Google__Rpc__Status *status;
} service_fixture;

int service_set_up(void **state);
int service_tear_down(void **state);

#define SERVICE_TEST(name) cmocka_unit_test_setup_teardown(name, service_set_up, service_tear_down)

/* Opens the database again, as a restart would; the registries start empty. */
void service_restart(service_fixture *fixture);

/* The method of this name, of whichever service has it. */
const nq_method *service_method(const char *name);

/* Calls a unary method and unpacks the answer; NULL when it failed. Free with wire_free. */
void *service_call(service_fixture *fixture, const char *method, const ProtobufCMessage *request,
                   const ProtobufCMessageDescriptor *response);

#define CALL(fixture, method, request, response) \
    service_call((fixture), (method), &(request)->base, &neuroquantum__v1__##response##__descriptor)

/* Runs SQL by Execute in a transaction (id may be NULL) and unpacks the answer; NULL when it
 * failed. */
Neuroquantum__V1__ExecuteResponse *service_sql_in(service_fixture *fixture,
                                                  const ProtobufCBinaryData *transaction_id,
                                                  const char *sql);
Neuroquantum__V1__ExecuteResponse *service_sql(service_fixture *fixture, const char *sql);

/* Runs SQL that must succeed, and forgets the answer. */
void service_do(service_fixture *fixture, const char *sql);

/* The first cell of a statement's ROWS answer, an integer. */
int64_t service_int(service_fixture *fixture, const char *sql);

/* What a fake call ended with, into the fixture. */
void service_note_end(service_fixture *fixture, nq_fake_call *call);

static inline void wire_free(void *message) {
    if (message != NULL) {
        protobuf_c_message_free_unpacked(message, NULL);
    }
}

#endif
