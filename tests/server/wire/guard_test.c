/* The guard against requests that were made to hurt. */
#include <neuroquantum/v1/query.pb-c.h>
#include <neuroquantum/v1/types.pb-c.h>
#include <stdlib.h>
#include <string.h>

#include "engine/ground/base/rng.h"
#include "server/wire/guard_internal.h"
#include "tests/server/wire/wire_fixture.h"

enum { MEMORY_MAX = 64 << 20 };

static nq_status check_limited(wire_fixture *fixture, const ProtobufCMessageDescriptor *descriptor,
                               nq_bytes message, size_t memory_max) {
    size_t memory_bytes = 0;
    return nq__guard_check(&fixture->ctx, descriptor, message, memory_max, &memory_bytes);
}

static nq_status check_execute(wire_fixture *fixture, const void *bytes, size_t size) {
    return check_limited(fixture, &neuroquantum__v1__execute_request__descriptor,
                         nq_bytes_of(bytes, size), MEMORY_MAX);
}

static void an_empty_request_is_well_formed(void **state) {
    (void)state;
    wire_fixture fixture;
    wire_fixture_init(&fixture, 1 << 20);
    assert_int_equal(check_execute(&fixture, "", 0), NQ_OK);
    wire_fixture_deinit(&fixture);
}

static void a_real_request_passes(void **state) {
    (void)state;
    wire_fixture fixture;
    wire_fixture_init(&fixture, 1 << 20);
    Neuroquantum__V1__ExecuteRequest request = NEUROQUANTUM__V1__EXECUTE_REQUEST__INIT;
    Neuroquantum__V1__Statement statement = NEUROQUANTUM__V1__STATEMENT__INIT;
    statement.source_case = NEUROQUANTUM__V1__STATEMENT__SOURCE_SQL;
    statement.sql = (char *)"SELECT 'Grüße, 世界 🌍'";
    request.statement = &statement;
    nq_bytes packed = PACKED(&fixture, &request);
    assert_int_equal(check_execute(&fixture, packed.data, packed.size), NQ_OK);
    wire_fixture_deinit(&fixture);
}

static void invalid_utf8_is_refused_with_its_path(void **state) {
    (void)state;
    wire_fixture fixture;
    wire_fixture_init(&fixture, 1 << 20);
    /* statement { parameters {} parameters { name: "\xff" } } */
    static const uint8_t bytes[] = {0x0a, 7, 0x1a, 0, 0x1a, 3, 0x0a, 1, 0xff};
    assert_int_equal(check_execute(&fixture, bytes, sizeof bytes), NQ_INVALID_UTF8);
    assert_string_equal(fixture.ctx.error.object, "statement.parameters[1].name");
    wire_fixture_deinit(&fixture);
}

static void a_nul_in_a_string_is_refused(void **state) {
    (void)state;
    wire_fixture fixture;
    wire_fixture_init(&fixture, 1 << 20);
    static const uint8_t bytes[] = {0x0a, 5, 0x0a, 3, 'a', 0, 'b'};
    assert_int_equal(check_execute(&fixture, bytes, sizeof bytes), NQ_INVALID_UTF8);
    assert_string_equal(fixture.ctx.error.object, "statement.sql");
    wire_fixture_deinit(&fixture);
}

static void every_truncation_of_a_request_is_refused_or_well_formed(void **state) {
    (void)state;
    wire_fixture fixture;
    wire_fixture_init(&fixture, 1 << 20);
    /* A string inside a message inside a message: any cut leaves the outer length too long. */
    static const uint8_t bytes[] = {0x0a, 7, 0x1a, 5, 0x0a, 3, 'a', 'b', 'c'};
    assert_int_equal(check_execute(&fixture, bytes, sizeof bytes), NQ_OK);
    for (size_t size = 1; size < sizeof bytes; size++) {
        assert_int_equal(check_execute(&fixture, bytes, size), NQ_INVALID_REQUEST);
    }
    wire_fixture_deinit(&fixture);
}

static void wrong_wire_types_groups_and_bad_tags_are_refused(void **state) {
    (void)state;
    wire_fixture fixture;
    wire_fixture_init(&fixture, 1 << 20);
    static const struct {
        uint8_t bytes[16];
        size_t size;
    } requests[] = {
        {{0x08, 1}, 2},                         /* statement as a varint */
        {{0x0d, 1, 2, 3, 4}, 5},                /* statement as fixed32 */
        {{0x0b, 0x0c}, 2},                      /* a group */
        {{0x0e}, 1},                            /* wire type 6 */
        {{0x00, 0}, 2},                         /* field number 0 */
        {{0xff, 0xff, 0xff, 0xff, 0xff, 1}, 6}, /* a tag past 32 bits */
        {{0x20, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1},
         12},                    /* varint of 11 */
        {{0x1a, 2, 0x12, 0}, 4}, /* options.max_rows as a packed array */
    };
    for (size_t i = 0; i < sizeof requests / sizeof requests[0]; i++) {
        assert_int_equal(check_execute(&fixture, requests[i].bytes, requests[i].size),
                         NQ_INVALID_REQUEST);
    }
    wire_fixture_deinit(&fixture);
}

static void a_singular_message_sent_twice_is_refused(void **state) {
    (void)state;
    wire_fixture fixture;
    wire_fixture_init(&fixture, 1 << 20);
    static const uint8_t bytes[] = {0x0a, 0, 0x0a, 0};
    assert_int_equal(check_execute(&fixture, bytes, sizeof bytes), NQ_INVALID_REQUEST);
    assert_string_equal(fixture.ctx.error.object, "statement");
    wire_fixture_deinit(&fixture);
}

static void unknown_fields_are_skipped(void **state) {
    (void)state;
    wire_fixture fixture;
    wire_fixture_init(&fixture, 1 << 20);
    /* field 1000: varint; field 1001: 3 bytes; field 1002: fixed64 */
    static const uint8_t bytes[] = {0xc0, 0x3e, 5, 0xca, 0x3e, 3, 1, 2, 3, 0xd1,
                                    0x3e, 1,    2, 3,    4,    5, 6, 7, 8};
    assert_int_equal(check_execute(&fixture, bytes, sizeof bytes), NQ_OK);
    wire_fixture_deinit(&fixture);
}

static void forty_kilobytes_of_nesting_are_refused(void **state) {
    (void)state;
    wire_fixture fixture;
    wire_fixture_init(&fixture, 1 << 20);
    /* ExecuteBatchRequest nests no message in itself, so the bytes that would nest are just fields
     * of the wrong kind: whatever they are, the walk must end with a refusal and a flat stack. */
    enum { BYTES = 40 << 10 };
    uint8_t *bytes = malloc(BYTES);
    for (size_t i = 0; i < BYTES; i += 2) {
        bytes[i] = 0x0a;
        bytes[i + 1] = 0x7e;
    }
    assert_int_equal(check_execute(&fixture, bytes, BYTES), NQ_INVALID_REQUEST);
    free(bytes);
    wire_fixture_deinit(&fixture);
}

/* A message type that contains itself, as no proto of ours may: the guard's own limit must hold. */
extern const ProtobufCMessageDescriptor nest_descriptor;
static const ProtobufCFieldDescriptor nest_fields[] = {{
    .name = "inner",
    .id = 1,
    .label = PROTOBUF_C_LABEL_NONE,
    .type = PROTOBUF_C_TYPE_MESSAGE,
    .descriptor = &nest_descriptor,
}};
static const ProtobufCIntRange nest_ranges[] = {{1, 0}, {0, 1}};
const ProtobufCMessageDescriptor nest_descriptor = {
    .magic = PROTOBUF_C__MESSAGE_DESCRIPTOR_MAGIC,
    .name = "Nest",
    .short_name = "Nest",
    .sizeof_message = 40,
    .n_fields = 1,
    .fields = nest_fields,
    .n_field_ranges = 1,
    .field_ranges = nest_ranges,
};

static void nesting_is_limited_whatever_the_schema(void **state) {
    (void)state;
    wire_fixture fixture;
    wire_fixture_init(&fixture, 1 << 20);
    uint8_t bytes[2 * 60];
    /* inner { inner { … } }, 60 deep: each length is what remains. */
    for (size_t i = 0; i < sizeof bytes; i += 2) {
        bytes[i] = 0x0a;
        bytes[i + 1] = (uint8_t)(sizeof bytes - i - 2);
    }
    assert_int_equal(
        check_limited(&fixture, &nest_descriptor, nq_bytes_of(bytes, sizeof bytes), MEMORY_MAX),
        NQ_INVALID_REQUEST);
    size_t legal = 2 * (NQ_GUARD_DEPTH_MAX - 1);
    assert_int_equal(check_limited(&fixture, &nest_descriptor,
                                   nq_bytes_of(bytes + sizeof bytes - legal, legal), MEMORY_MAX),
                     NQ_OK);
    wire_fixture_deinit(&fixture);
}

static void four_megabytes_of_empty_submessages_are_refused(void **state) {
    (void)state;
    wire_fixture fixture;
    wire_fixture_init(&fixture, 1 << 20);
    enum { BYTES = 4 << 20 };
    uint8_t *bytes = malloc(BYTES);
    for (size_t i = 0; i < BYTES; i += 2) {
        bytes[i] = 0x0a; /* ExecuteBatchRequest.statements */
        bytes[i + 1] = 0;
    }
    assert_int_equal(check_limited(&fixture, &neuroquantum__v1__execute_batch_request__descriptor,
                                   nq_bytes_of(bytes, BYTES), MEMORY_MAX),
                     NQ_MEMORY_LIMIT);
    free(bytes);
    wire_fixture_deinit(&fixture);
}

/* ---- The bound on memory is one ---- */

typedef struct counting {
    size_t taken_bytes;
} counting;

static void *count_take(void *self, size_t bytes) {
    counting *count = self;
    count->taken_bytes += (bytes + 15) & ~(size_t)15;
    return malloc(bytes == 0 ? 1 : bytes);
}

static void count_give(void *self, void *pointer) {
    (void)self;
    free(pointer);
}

/* Random bytes that look like protobuf more often than not. */
static size_t make_noise(nq_rng *rng, uint8_t *bytes, size_t room) {
    static const uint8_t tags[] = {0x0a, 0x12, 0x1a, 0x22, 0x28, 0x08, 0x10, 0x18, 0x31};
    size_t size = 1 + nq_rng_below(rng, room - 1);
    for (size_t i = 0; i < size; i++) {
        uint64_t kind = nq_rng_below(rng, 10);
        bytes[i] = kind < 4 ? tags[nq_rng_below(rng, sizeof tags)]
                            : (uint8_t)nq_rng_below(rng, kind < 9 ? 24 : 256);
    }
    return size;
}

static void what_passes_unpacks_within_the_bound_told(void **state) {
    (void)state;
    static const ProtobufCMessageDescriptor *const descriptors[] = {
        &neuroquantum__v1__execute_request__descriptor,
        &neuroquantum__v1__execute_batch_request__descriptor,
        &neuroquantum__v1__ingest_request__descriptor,
        &neuroquantum__v1__row_batch__descriptor,
    };
    wire_fixture fixture;
    nq_rng rng = {7};
    uint8_t bytes[96];
    uint32_t passed = 0;
    wire_fixture_init(&fixture, 1 << 20);
    for (uint32_t round = 0; round < 200000; round++) {
        const ProtobufCMessageDescriptor *descriptor = descriptors[round % 4];
        size_t size = make_noise(&rng, bytes, sizeof bytes), memory_bytes = 0;
        if (nq__guard_check(&fixture.ctx, descriptor, nq_bytes_of(bytes, size), MEMORY_MAX,
                            &memory_bytes) != NQ_OK) {
            continue;
        }
        counting count = {0};
        ProtobufCAllocator allocator = {count_take, count_give, &count};
        ProtobufCMessage *message = protobuf_c_message_unpack(descriptor, &allocator, size, bytes);
        if (message != NULL) {
            passed++;
            assert_true(count.taken_bytes <= memory_bytes);
            protobuf_c_message_free_unpacked(message, &allocator);
        }
    }
    assert_true(passed > 100);
    wire_fixture_deinit(&fixture);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_request_is_well_formed),
        cmocka_unit_test(a_real_request_passes),
        cmocka_unit_test(invalid_utf8_is_refused_with_its_path),
        cmocka_unit_test(a_nul_in_a_string_is_refused),
        cmocka_unit_test(every_truncation_of_a_request_is_refused_or_well_formed),
        cmocka_unit_test(wrong_wire_types_groups_and_bad_tags_are_refused),
        cmocka_unit_test(a_singular_message_sent_twice_is_refused),
        cmocka_unit_test(unknown_fields_are_skipped),
        cmocka_unit_test(forty_kilobytes_of_nesting_are_refused),
        cmocka_unit_test(nesting_is_limited_whatever_the_schema),
        cmocka_unit_test(four_megabytes_of_empty_submessages_are_refused),
        cmocka_unit_test(what_passes_unpacks_within_the_bound_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
