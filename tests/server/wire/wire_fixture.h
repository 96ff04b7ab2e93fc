/* Wire fixture: a context with an arena, and requests packed with the generated code. */
#ifndef NQ_TESTS_SERVER_WIRE_FIXTURE_H
#define NQ_TESTS_SERVER_WIRE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/ground/base/ctx.h"
#include "server/rpc/payload.h"
#include "server/wire/writer.h"

typedef struct wire_fixture {
    nq_arena arena;
    nq_ctx ctx;
} wire_fixture;

static inline void wire_fixture_init(wire_fixture *fixture, size_t budget_bytes) {
    nq_arena_init(&fixture->arena, budget_bytes);
    nq_ctx_init(&fixture->ctx, &fixture->arena);
}

static inline void wire_fixture_deinit(wire_fixture *fixture) {
    nq_arena_deinit(&fixture->arena);
}

/* The message's bytes, in the arena. */
#define PACKED(fixture, message) wire_packed((fixture), &(message)->base)

static inline nq_bytes wire_packed(wire_fixture *fixture, const ProtobufCMessage *message) {
    size_t bytes = protobuf_c_message_get_packed_size(message);
    uint8_t *data = nq_arena_alloc(&fixture->arena, bytes + 1);
    assert_non_null(data);
    protobuf_c_message_pack(message, data);
    return nq_bytes_of(data, bytes);
}

/* What a writer holds, unpacked by the generated code; never NULL. */
static inline void *wire_unpacked(wire_fixture *fixture,
                                  const ProtobufCMessageDescriptor *descriptor, nq_writer *writer) {
    nq_payload *payload = NULL;
    assert_int_equal(nq_writer_finish(&fixture->ctx, writer, &payload), NQ_OK);
    assert_int_equal(nq_payload_part_count(payload), 1);
    nq_bytes part = nq_payload_part(payload, 0);
    void *message = protobuf_c_message_unpack(descriptor, NULL, part.size, part.data);
    assert_non_null(message);
    nq_payload_release(payload);
    return message;
}

static inline void wire_free(void *message) {
    protobuf_c_message_free_unpacked(message, NULL);
}

#endif
