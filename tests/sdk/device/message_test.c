/* What nanopb writes, protobuf-c reads, and the other way round; what does not fit is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "grpc/health/v1/health.pb-c.h"
#include "neuroquantum/v1/pubsub.pb-c.h"
#include "neuroquantum/v1/query.pb-c.h"
#include "sdk/device/device_internal.h"

static uint8_t room[NQ_DEVICE_BUFFER_BYTES];
static nq_device_error error;
static char text[512];

/* `bytes` times the letter x. */
static const char *text_of(size_t bytes) {
    memset(text, 'x', bytes);
    text[bytes] = '\0';
    return text;
}

/* ---- Publishing ---- */

static void a_reading_is_written_as_the_protos_say(void **state) {
    (void)state;
    const nq_device_message message = {.channel = "sensors.kitchen",
                                       .payload = "\0\1\2",
                                       .payload_bytes = 3,
                                       .key = "kitchen",
                                       .message_id = "id-1"};
    size_t bytes = 0;
    assert_int_equal(nq__device_encode_publish(&message, room, sizeof room, &bytes, &error),
                     NQ_DEVICE_OK);
    Neuroquantum__V1__PublishRequest *read =
        neuroquantum__v1__publish_request__unpack(NULL, bytes, room);
    assert_non_null(read);
    assert_int_equal(read->n_messages, 1);
    assert_string_equal(read->messages[0]->channel, "sensors.kitchen");
    assert_int_equal(read->messages[0]->payload.len, 3);
    assert_memory_equal(read->messages[0]->payload.data, "\0\1\2", 3);
    assert_string_equal(read->messages[0]->key, "kitchen");
    assert_string_equal(read->messages[0]->message_id, "id-1");
    neuroquantum__v1__publish_request__free_unpacked(read, NULL);
}

static nq_device_code try_publish(const nq_device_message *message) {
    size_t bytes = 0;
    error.message[0] = '\0';
    return nq__device_encode_publish(message, room, sizeof room, &bytes, &error);
}

static void each_part_of_a_message_has_its_limit(void **state) {
    (void)state;
    static const uint8_t payload[NQ_DEVICE_PAYLOAD_BYTES_MAX + 1];
    nq_device_message m = {.channel = text_of(NQ_DEVICE_CHANNEL_BYTES_MAX)};
    assert_int_equal(try_publish(&m), NQ_DEVICE_OK);
    m.channel = text_of(NQ_DEVICE_CHANNEL_BYTES_MAX + 1);
    assert_int_equal(try_publish(&m), NQ_DEVICE_TOO_LONG);
    assert_string_equal(error.message, "channel is longer than 63 bytes");
    m = (nq_device_message){.channel = "a", .key = text_of(NQ_DEVICE_KEY_BYTES_MAX)};
    assert_int_equal(try_publish(&m), NQ_DEVICE_OK);
    m.key = text_of(NQ_DEVICE_KEY_BYTES_MAX + 1);
    assert_int_equal(try_publish(&m), NQ_DEVICE_TOO_LONG);
    assert_string_equal(error.message, "key is longer than 31 bytes");
    m = (nq_device_message){.channel = "a", .message_id = text_of(NQ_DEVICE_ID_BYTES_MAX)};
    assert_int_equal(try_publish(&m), NQ_DEVICE_OK);
    m.message_id = text_of(NQ_DEVICE_ID_BYTES_MAX + 1);
    assert_int_equal(try_publish(&m), NQ_DEVICE_TOO_LONG);
    assert_string_equal(error.message, "message_id is longer than 64 bytes");
    m = (nq_device_message){
        .channel = "a", .payload = payload, .payload_bytes = NQ_DEVICE_PAYLOAD_BYTES_MAX};
    assert_int_equal(try_publish(&m), NQ_DEVICE_OK);
    m.payload_bytes++;
    assert_int_equal(try_publish(&m), NQ_DEVICE_TOO_LONG);
    assert_string_equal(error.message, "payload is longer than 256 bytes");
}

/* Packs with protobuf-c into `room`. */
static size_t pack(const ProtobufCMessage *message) {
    assert_true(protobuf_c_message_get_packed_size(message) <= sizeof room);
    return protobuf_c_message_pack(message, room);
}

static void what_became_of_a_message_is_read(void **state) {
    (void)state;
    Neuroquantum__V1__PublishResult result = NEUROQUANTUM__V1__PUBLISH_RESULT__INIT;
    Neuroquantum__V1__PublishResult *results[] = {&result, &result};
    Neuroquantum__V1__PublishResponse response = NEUROQUANTUM__V1__PUBLISH_RESPONSE__INIT;
    nq_device_published published = {0};
    result.sequence = UINT64_MAX;
    result.receivers = 7;
    result.duplicate = true;
    response.results = results;
    response.n_results = 1;
    size_t bytes = pack(&response.base);
    assert_int_equal(nq__device_decode_publish(room, bytes, &published, &error), NQ_DEVICE_OK);
    assert_int_equal(published.sequence, UINT64_MAX);
    assert_int_equal(published.receivers, 7);
    assert_true(published.is_duplicate);
    for (size_t count = 0; count <= 2; count += 2) {
        response.n_results = count;
        bytes = pack(&response.base);
        assert_int_equal(nq__device_decode_publish(room, bytes, &published, &error),
                         NQ_DEVICE_BAD_REPLY);
    }
}

/* ---- Statements ---- */

static nq_device_value value_of_bytes(nq_device_kind kind, const void *data, size_t size) {
    return (nq_device_value){.kind = kind, .bytes = {data, size}};
}

static void a_statement_is_written_as_the_protos_say(void **state) {
    (void)state;
    const nq_device_value values[] = {
        {.kind = NQ_DEVICE_NULL},
        {.kind = NQ_DEVICE_BOOL, .boolean = false},
        {.kind = NQ_DEVICE_INT, .integer = 0}, /* zero is not the same as nothing */
        {.kind = NQ_DEVICE_DOUBLE, .number = -0.5},
        value_of_bytes(NQ_DEVICE_TEXT, "kitchen", 7),
        value_of_bytes(NQ_DEVICE_BYTES, "\0\xff", 2),
        {.kind = NQ_DEVICE_TIMESTAMP, .integer = INT64_MIN},
        {.kind = NQ_DEVICE_DATE, .integer = -1},
    };
    const nq_device_statement statement = {.sql = "INSERT INTO t VALUES ($1)",
                                           .parameters = values,
                                           .parameter_count = 8,
                                           .request_id = "once"};
    size_t bytes = 0;
    assert_int_equal(nq__device_encode_execute(&statement, room, sizeof room, &bytes, &error),
                     NQ_DEVICE_OK);
    Neuroquantum__V1__ExecuteRequest *read =
        neuroquantum__v1__execute_request__unpack(NULL, bytes, room);
    assert_non_null(read);
    assert_string_equal(read->request_id, "once");
    assert_string_equal(read->statement->sql, "INSERT INTO t VALUES ($1)");
    assert_int_equal(read->statement->n_parameters, 8);
    Neuroquantum__V1__Parameter **p = read->statement->parameters;
    static const int kinds[] = {
        NEUROQUANTUM__V1__VALUE__KIND_NULL_VALUE,   NEUROQUANTUM__V1__VALUE__KIND_BOOL_VALUE,
        NEUROQUANTUM__V1__VALUE__KIND_INT_VALUE,    NEUROQUANTUM__V1__VALUE__KIND_DOUBLE_VALUE,
        NEUROQUANTUM__V1__VALUE__KIND_TEXT_VALUE,   NEUROQUANTUM__V1__VALUE__KIND_BYTES_VALUE,
        NEUROQUANTUM__V1__VALUE__KIND_TIMESTAMP_US, NEUROQUANTUM__V1__VALUE__KIND_DATE_DAYS,
    };
    for (int i = 0; i < 8; i++) {
        assert_int_equal(p[i]->position, i + 1);
        assert_int_equal(p[i]->value->kind_case, kinds[i]);
    }
    assert_int_equal(p[2]->value->int_value, 0);
    assert_true(p[3]->value->double_value == -0.5);
    assert_string_equal(p[4]->value->text_value, "kitchen");
    assert_memory_equal(p[5]->value->bytes_value.data, "\0\xff", 2);
    assert_true(p[6]->value->timestamp_us == INT64_MIN);
    assert_int_equal(p[7]->value->date_days, -1);
    neuroquantum__v1__execute_request__free_unpacked(read, NULL);
}

static nq_device_code try_execute(const nq_device_statement *statement) {
    size_t bytes = 0;
    error.message[0] = '\0';
    return nq__device_encode_execute(statement, room, sizeof room, &bytes, &error);
}

static void each_part_of_a_statement_has_its_limit(void **state) {
    (void)state;
    nq_device_value values[NQ_DEVICE_PARAMETERS_MAX + 1] = {0};
    nq_device_statement s = {.sql = text_of(NQ_DEVICE_SQL_BYTES_MAX)};
    assert_int_equal(try_execute(&s), NQ_DEVICE_OK);
    s.sql = text_of(NQ_DEVICE_SQL_BYTES_MAX + 1);
    assert_int_equal(try_execute(&s), NQ_DEVICE_TOO_LONG);
    assert_string_equal(error.message, "sql is longer than 255 bytes");
    s = (nq_device_statement){.sql = "x", .request_id = text_of(NQ_DEVICE_ID_BYTES_MAX + 1)};
    assert_int_equal(try_execute(&s), NQ_DEVICE_TOO_LONG);
    assert_string_equal(error.message, "request_id is longer than 64 bytes");
    s = (nq_device_statement){
        .sql = "x", .parameters = values, .parameter_count = NQ_DEVICE_PARAMETERS_MAX};
    assert_int_equal(try_execute(&s), NQ_DEVICE_OK);
    s.parameter_count++;
    assert_int_equal(try_execute(&s), NQ_DEVICE_TOO_LONG);
    assert_string_equal(error.message, "there are more than 8 parameters");
    static const struct {
        nq_device_kind kind;
        size_t bytes_max;
    } kinds[] = {{NQ_DEVICE_TEXT, 63}, {NQ_DEVICE_BYTES, 64}, {NQ_DEVICE_UUID, 16}};
    for (size_t i = 0; i < 3; i++) {
        values[1] = value_of_bytes(kinds[i].kind, text_of(100), kinds[i].bytes_max);
        s.parameter_count = 2;
        assert_int_equal(try_execute(&s), NQ_DEVICE_OK);
        values[1].bytes.size++;
        assert_int_equal(try_execute(&s), NQ_DEVICE_TOO_LONG);
        assert_memory_equal(error.message, "parameter $2 is longer than", 27);
    }
    values[1] = (nq_device_value){.kind = NQ_DEVICE_DATE, .integer = INT64_C(1) << 40};
    assert_int_equal(try_execute(&s), NQ_DEVICE_TOO_LONG);
}

static void a_request_larger_than_the_buffer_is_refused(void **state) {
    (void)state;
    nq_device_value values[NQ_DEVICE_PARAMETERS_MAX];
    nq_device_statement s = {
        .sql = "x", .parameters = values, .parameter_count = NQ_DEVICE_PARAMETERS_MAX};
    size_t bytes = 0;
    for (int i = 0; i < NQ_DEVICE_PARAMETERS_MAX; i++) {
        values[i] = value_of_bytes(NQ_DEVICE_TEXT, text_of(63), 63);
    }
    assert_int_equal(nq__device_encode_execute(&s, room, 300, &bytes, &error), NQ_DEVICE_TOO_LONG);
}

/* ---- Rows ---- */

typedef struct seen_rows {
    int count;
    char text[1024];
} seen_rows;

static void write_row(void *user, const nq_device_value *values, size_t count) {
    seen_rows *seen = user;
    size_t used = strlen(seen->text);
    for (size_t i = 0; i < count; i++) {
        const nq_device_value *v = &values[i];
        char *at = seen->text + used;
        size_t left = sizeof seen->text - used;
        int written = 0;
        switch (v->kind) {
        case NQ_DEVICE_NULL:
            written = snprintf(at, left, "null ");
            break;
        case NQ_DEVICE_BOOL:
            written = snprintf(at, left, "bool:%d ", v->boolean);
            break;
        case NQ_DEVICE_DOUBLE:
            written = snprintf(at, left, "double:%g ", v->number);
            break;
        case NQ_DEVICE_TEXT:
        case NQ_DEVICE_BYTES:
        case NQ_DEVICE_UUID:
            written = snprintf(at, left, "%d:%.*s ", (int)v->kind, (int)v->bytes.size,
                               (const char *)v->bytes.data);
            break;
        default:
            written = snprintf(at, left, "%d:%lld ", (int)v->kind, (long long)v->integer);
        }
        used += (size_t)written;
    }
    seen->count++;
}

enum { CELLS = 12 };

typedef struct made_rows {
    Neuroquantum__V1__ExecuteResponse response;
    Neuroquantum__V1__RowBatch batch;
    Neuroquantum__V1__Row rows[2];
    Neuroquantum__V1__Row *row_list[2];
    Neuroquantum__V1__Value values[CELLS];
    Neuroquantum__V1__Value *value_list[CELLS];
} made_rows;

static void make_rows(made_rows *made, size_t rows, size_t columns) {
    neuroquantum__v1__execute_response__init(&made->response);
    neuroquantum__v1__row_batch__init(&made->batch);
    for (size_t i = 0; i < CELLS; i++) {
        neuroquantum__v1__value__init(&made->values[i]);
        made->value_list[i] = &made->values[i];
    }
    for (size_t i = 0; i < rows; i++) {
        neuroquantum__v1__row__init(&made->rows[i]);
        made->rows[i].values = made->value_list + i * columns;
        made->rows[i].n_values = columns;
        made->row_list[i] = &made->rows[i];
    }
    made->batch.rows = made->row_list;
    made->batch.n_rows = rows;
    made->response.rows = &made->batch;
    made->response.result_case = NEUROQUANTUM__V1__EXECUTE_RESPONSE__RESULT_ROWS;
}

static nq_device_code decode(const made_rows *made, seen_rows *seen, uint64_t *out_rows_affected) {
    const nq_device_statement statement = {.on_row = write_row, .user = seen};
    *seen = (seen_rows){0};
    size_t bytes = pack(&made->response.base);
    return nq__device_decode_execute(room, bytes, &statement, out_rows_affected, &error);
}

static void rows_come_one_by_one_with_their_kinds(void **state) {
    (void)state;
    static made_rows made;
    seen_rows seen;
    uint64_t rows_affected = 0;
    Neuroquantum__V1__Value *v = made.values;
    make_rows(&made, 2, 6);
    made.response.rows_affected = 2;
    made.response.query_id = (char *)"passed over";
    v[0].kind_case = NEUROQUANTUM__V1__VALUE__KIND_NULL_VALUE;
    v[1].kind_case = NEUROQUANTUM__V1__VALUE__KIND_BOOL_VALUE;
    v[1].bool_value = true;
    v[2].kind_case = NEUROQUANTUM__V1__VALUE__KIND_INT_VALUE;
    v[2].int_value = -5;
    v[3].kind_case = NEUROQUANTUM__V1__VALUE__KIND_DOUBLE_VALUE;
    v[3].double_value = 1.5;
    v[4].kind_case = NEUROQUANTUM__V1__VALUE__KIND_TEXT_VALUE;
    v[4].text_value = (char *)"hall";
    /* v[5]: no member set is NULL too */
    v[6].kind_case = NEUROQUANTUM__V1__VALUE__KIND_TIMESTAMP_US;
    v[6].timestamp_us = 6;
    v[7].kind_case = NEUROQUANTUM__V1__VALUE__KIND_DATE_DAYS;
    v[7].date_days = -7;
    v[8].kind_case = NEUROQUANTUM__V1__VALUE__KIND_TIME_US;
    v[8].time_us = 8;
    v[9].kind_case = NEUROQUANTUM__V1__VALUE__KIND_BYTES_VALUE;
    v[9].bytes_value = (ProtobufCBinaryData){2, (uint8_t *)"ab"};
    v[10].kind_case = NEUROQUANTUM__V1__VALUE__KIND_UUID_VALUE;
    v[10].uuid_value = (ProtobufCBinaryData){16, (uint8_t *)"0123456789abcdef"};
    v[11].kind_case = NEUROQUANTUM__V1__VALUE__KIND_DECIMAL_VALUE;
    v[11].decimal_value = (char *)"-12.340";
    assert_int_equal(decode(&made, &seen, &rows_affected), NQ_DEVICE_OK);
    assert_int_equal(seen.count, 2);
    assert_int_equal(rows_affected, 2);
    char expected[256];
    (void)snprintf(expected, sizeof expected,
                   "null bool:1 %d:-5 double:1.5 %d:hall null %d:6 %d:-7 %d:8 %d:ab "
                   "%d:0123456789abcdef %d:-12.340 ",
                   NQ_DEVICE_INT, NQ_DEVICE_TEXT, NQ_DEVICE_TIMESTAMP, NQ_DEVICE_DATE,
                   NQ_DEVICE_TIME, NQ_DEVICE_BYTES, NQ_DEVICE_UUID, NQ_DEVICE_TEXT);
    assert_string_equal(seen.text, expected);
}

static void rows_nobody_asked_for_are_passed_over(void **state) {
    (void)state;
    static made_rows made;
    const nq_device_statement silent = {0};
    uint64_t rows_affected = 0;
    make_rows(&made, 1, CELLS);
    size_t bytes = pack(&made.response.base);
    assert_int_equal(nq__device_decode_execute(room, bytes, &silent, &rows_affected, &error),
                     NQ_DEVICE_OK);
}

static void a_row_that_does_not_fit_is_too_large_not_cut(void **state) {
    (void)state;
    static made_rows made;
    seen_rows seen;
    uint64_t rows_affected = 0;
    Neuroquantum__V1__FloatVector vector = NEUROQUANTUM__V1__FLOAT_VECTOR__INIT;
    make_rows(&made, 1, NQ_DEVICE_COLUMNS_MAX);
    assert_int_equal(decode(&made, &seen, &rows_affected), NQ_DEVICE_OK);
    make_rows(&made, 1, NQ_DEVICE_COLUMNS_MAX + 1);
    assert_int_equal(decode(&made, &seen, &rows_affected), NQ_DEVICE_REPLY_TOO_LARGE);
    make_rows(&made, 1, 1);
    made.values[0].kind_case = NEUROQUANTUM__V1__VALUE__KIND_TEXT_VALUE;
    made.values[0].text_value = (char *)(uintptr_t)text_of(NQ_DEVICE_VALUE_BYTES_MAX);
    assert_int_equal(decode(&made, &seen, &rows_affected), NQ_DEVICE_OK);
    (void)text_of(NQ_DEVICE_VALUE_BYTES_MAX + 1);
    assert_int_equal(decode(&made, &seen, &rows_affected), NQ_DEVICE_REPLY_TOO_LARGE);
    make_rows(&made, 1, 1);
    made.values[0].kind_case = NEUROQUANTUM__V1__VALUE__KIND_VECTOR_VALUE;
    made.values[0].vector_value = &vector;
    assert_int_equal(decode(&made, &seen, &rows_affected), NQ_DEVICE_REPLY_TOO_LARGE);
    assert_int_equal(seen.count, 0);
}

static void a_reply_cut_anywhere_is_never_taken_for_more_than_it_is(void **state) {
    (void)state;
    static made_rows made;
    seen_rows seen = {0};
    const nq_device_statement statement = {.on_row = write_row, .user = &seen};
    uint64_t rows_affected = 0;
    make_rows(&made, 2, 4);
    for (int i = 0; i < 8; i++) {
        made.values[i].kind_case = NEUROQUANTUM__V1__VALUE__KIND_TEXT_VALUE;
        made.values[i].text_value = (char *)"reading";
    }
    size_t bytes = pack(&made.response.base);
    for (size_t cut = 1; cut < bytes; cut++) {
        assert_int_equal(nq__device_decode_execute(room, cut, &statement, &rows_affected, &error),
                         NQ_DEVICE_BAD_REPLY);
    }
}

/* ---- Health ---- */

static void health_is_serving_or_not(void **state) {
    (void)state;
    Grpc__Health__V1__HealthCheckResponse response = GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__INIT;
    bool is_serving = false;
    for (int status = 0; status <= 3; status++) {
        response.status = (Grpc__Health__V1__HealthCheckResponse__ServingStatus)status;
        size_t bytes = pack(&response.base);
        assert_int_equal(nq__device_decode_health(room, bytes, &is_serving, &error), NQ_DEVICE_OK);
        assert_int_equal(is_serving, status == 1);
    }
    assert_int_equal(nq__device_decode_health((const uint8_t *)"\x08", 1, &is_serving, &error),
                     NQ_DEVICE_BAD_REPLY);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_reading_is_written_as_the_protos_say),
        cmocka_unit_test(each_part_of_a_message_has_its_limit),
        cmocka_unit_test(what_became_of_a_message_is_read),
        cmocka_unit_test(a_statement_is_written_as_the_protos_say),
        cmocka_unit_test(each_part_of_a_statement_has_its_limit),
        cmocka_unit_test(a_request_larger_than_the_buffer_is_refused),
        cmocka_unit_test(rows_come_one_by_one_with_their_kinds),
        cmocka_unit_test(rows_nobody_asked_for_are_passed_over),
        cmocka_unit_test(a_row_that_does_not_fit_is_too_large_not_cut),
        cmocka_unit_test(a_reply_cut_anywhere_is_never_taken_for_more_than_it_is),
        cmocka_unit_test(health_is_serving_or_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
