/* Message: the caller's structs to protobuf and back, by nanopb, without a heap.
 *
 * Texts are copied into nanopb's structs, whose sizes device.options fixes: what does not fit is
 * refused before anything is encoded. Parameters and rows pass one value at a time. */
#include <stdio.h>
#include <string.h>

#include <pb_decode.h>
#include <pb_encode.h>

#include "grpc/health/v1/health.pb.h"
#include "neuroquantum/v1/pubsub.pb.h"
#include "neuroquantum/v1/query.pb.h"
#include "sdk/device/device_internal.h"

#define ROOM_OF(type, member) sizeof(((type *)0)->member)

/* nq_device.h says the same as device.options. */
_Static_assert(ROOM_OF(neuroquantum_v1_Message, channel) == NQ_DEVICE_CHANNEL_BYTES_MAX + 1, "");
_Static_assert(ROOM_OF(neuroquantum_v1_Message, payload.bytes) == NQ_DEVICE_PAYLOAD_BYTES_MAX, "");
_Static_assert(ROOM_OF(neuroquantum_v1_Message, key) == NQ_DEVICE_KEY_BYTES_MAX + 1, "");
_Static_assert(ROOM_OF(neuroquantum_v1_Message, message_id) == NQ_DEVICE_ID_BYTES_MAX + 1, "");
_Static_assert(ROOM_OF(neuroquantum_v1_ExecuteRequest, request_id) == NQ_DEVICE_ID_BYTES_MAX + 1,
               "");
_Static_assert(ROOM_OF(neuroquantum_v1_Statement, sql) == NQ_DEVICE_SQL_BYTES_MAX + 1, "");
_Static_assert(ROOM_OF(neuroquantum_v1_Value, kind.text_value) == NQ_DEVICE_VALUE_BYTES_MAX + 1,
               "");
_Static_assert(ROOM_OF(neuroquantum_v1_Value, kind.bytes_value.bytes) ==
                   NQ_DEVICE_VALUE_BYTES_MAX + 1,
               "");

static nq_device_code fail_too_long(nq_device_error *error, const char *what, size_t bytes_max) {
    char text[64];
    (void)snprintf(text, sizeof text, "%s is longer than %u bytes", what, (unsigned)bytes_max);
    return nq__device_fail(error, NQ_DEVICE_TOO_LONG, text);
}

/* NULL is the empty text. */
static nq_device_code copy_text(char *room, size_t room_bytes, const char *what, const char *text,
                                nq_device_error *error) {
    size_t bytes = text == NULL ? 0 : strlen(text);
    if (bytes >= room_bytes) {
        return fail_too_long(error, what, room_bytes - 1);
    }
    if (bytes > 0) {
        memcpy(room, text, bytes);
    }
    room[bytes] = '\0';
    return NQ_DEVICE_OK;
}

static nq_device_code encode(const pb_msgdesc_t *fields, const void *message, uint8_t *room,
                             size_t room_bytes, size_t *out_bytes, nq_device_error *error) {
    pb_ostream_t stream = pb_ostream_from_buffer(room, room_bytes);
    if (!pb_encode(&stream, fields, message)) {
        return fail_too_long(error, "the request", room_bytes);
    }
    *out_bytes = stream.bytes_written;
    return NQ_DEVICE_OK;
}

/* ---- Publishing ---- */

nq_device_code nq__device_encode_publish(const nq_device_message *message, uint8_t *room,
                                         size_t room_bytes, size_t *out_bytes,
                                         nq_device_error *error) {
    neuroquantum_v1_PublishRequest request = neuroquantum_v1_PublishRequest_init_zero;
    neuroquantum_v1_Message *wire = &request.messages[0];
    nq_device_code code =
        copy_text(wire->channel, sizeof wire->channel, "channel", message->channel, error);
    if (code == NQ_DEVICE_OK) {
        code = copy_text(wire->key, sizeof wire->key, "key", message->key, error);
    }
    if (code == NQ_DEVICE_OK) {
        code = copy_text(wire->message_id, sizeof wire->message_id, "message_id",
                         message->message_id, error);
    }
    if (code == NQ_DEVICE_OK && message->payload_bytes > sizeof wire->payload.bytes) {
        code = fail_too_long(error, "payload", sizeof wire->payload.bytes);
    }
    if (code != NQ_DEVICE_OK) {
        return code;
    }
    if (message->payload_bytes > 0) {
        memcpy(wire->payload.bytes, message->payload, message->payload_bytes);
    }
    wire->payload.size = (pb_size_t)message->payload_bytes;
    request.messages_count = 1;
    return encode(neuroquantum_v1_PublishRequest_fields, &request, room, room_bytes, out_bytes,
                  error);
}

static nq_device_code fail_malformed(nq_device_error *error) {
    return nq__device_fail(error, NQ_DEVICE_BAD_REPLY, "the reply is not what the protos say");
}

nq_device_code nq__device_decode_publish(const uint8_t *reply, size_t reply_bytes,
                                         nq_device_published *out_published,
                                         nq_device_error *error) {
    neuroquantum_v1_PublishResponse response = neuroquantum_v1_PublishResponse_init_zero;
    pb_istream_t stream = pb_istream_from_buffer(reply, reply_bytes);
    if (!pb_decode(&stream, neuroquantum_v1_PublishResponse_fields, &response) ||
        response.results_count != 1) {
        return fail_malformed(error);
    }
    *out_published = (nq_device_published){
        .sequence = response.results[0].sequence,
        .receivers = response.results[0].receivers,
        .is_duplicate = response.results[0].duplicate,
    };
    return NQ_DEVICE_OK;
}

/* ---- Parameters ---- */

static void put_bytes(const nq_device_value *value, neuroquantum_v1_Value *wire) {
    if (value->kind == NQ_DEVICE_TEXT) {
        wire->which_kind = neuroquantum_v1_Value_text_value_tag;
        memcpy(wire->kind.text_value, value->bytes.data, value->bytes.size);
        wire->kind.text_value[value->bytes.size] = '\0';
    } else if (value->kind == NQ_DEVICE_UUID) {
        wire->which_kind = neuroquantum_v1_Value_uuid_value_tag;
        wire->kind.uuid_value.size = (pb_size_t)value->bytes.size;
        memcpy(wire->kind.uuid_value.bytes, value->bytes.data, value->bytes.size);
    } else {
        wire->which_kind = neuroquantum_v1_Value_bytes_value_tag;
        wire->kind.bytes_value.size = (pb_size_t)value->bytes.size;
        memcpy(wire->kind.bytes_value.bytes, value->bytes.data, value->bytes.size);
    }
}

/* A value that was found to fit. */
static void put_value(const nq_device_value *value, neuroquantum_v1_Value *wire) {
    switch (value->kind) {
    case NQ_DEVICE_NULL:
        wire->which_kind = neuroquantum_v1_Value_null_value_tag;
        wire->kind.null_value = neuroquantum_v1_NullValue_NULL_VALUE_NULL;
        break;
    case NQ_DEVICE_BOOL:
        wire->which_kind = neuroquantum_v1_Value_bool_value_tag;
        wire->kind.bool_value = value->boolean;
        break;
    case NQ_DEVICE_INT:
        wire->which_kind = neuroquantum_v1_Value_int_value_tag;
        wire->kind.int_value = value->integer;
        break;
    case NQ_DEVICE_DOUBLE:
        wire->which_kind = neuroquantum_v1_Value_double_value_tag;
        wire->kind.double_value = value->number;
        break;
    case NQ_DEVICE_TIMESTAMP:
        wire->which_kind = neuroquantum_v1_Value_timestamp_us_tag;
        wire->kind.timestamp_us = value->integer;
        break;
    case NQ_DEVICE_DATE:
        wire->which_kind = neuroquantum_v1_Value_date_days_tag;
        wire->kind.date_days = (int32_t)value->integer;
        break;
    case NQ_DEVICE_TIME:
        wire->which_kind = neuroquantum_v1_Value_time_us_tag;
        wire->kind.time_us = value->integer;
        break;
    case NQ_DEVICE_TEXT:
    case NQ_DEVICE_BYTES:
    case NQ_DEVICE_UUID:
        put_bytes(value, wire);
        break;
    }
}

static size_t bytes_max_of(const nq_device_value *value) {
    switch (value->kind) {
    case NQ_DEVICE_TEXT:
        return ROOM_OF(neuroquantum_v1_Value, kind.text_value) - 1;
    case NQ_DEVICE_BYTES:
        return ROOM_OF(neuroquantum_v1_Value, kind.bytes_value.bytes);
    case NQ_DEVICE_UUID:
        return ROOM_OF(neuroquantum_v1_Value, kind.uuid_value.bytes);
    default:
        return SIZE_MAX;
    }
}

static nq_device_code check_parameters(const nq_device_statement *statement,
                                       nq_device_error *error) {
    char name[24];
    if (statement->parameter_count > NQ_DEVICE_PARAMETERS_MAX) {
        return nq__device_fail(error, NQ_DEVICE_TOO_LONG, "there are more than 8 parameters");
    }
    for (size_t i = 0; i < statement->parameter_count; i++) {
        const nq_device_value *value = &statement->parameters[i];
        size_t bytes_max = bytes_max_of(value);
        if (bytes_max != SIZE_MAX && value->bytes.size > bytes_max) {
            (void)snprintf(name, sizeof name, "parameter $%u", (unsigned)i + 1);
            return fail_too_long(error, name, bytes_max);
        }
        if (value->kind == NQ_DEVICE_DATE &&
            (value->integer < INT32_MIN || value->integer > INT32_MAX)) {
            return nq__device_fail(error, NQ_DEVICE_TOO_LONG, "a date is beyond 32 bits of days");
        }
    }
    return NQ_DEVICE_OK;
}

static bool put_parameters(pb_ostream_t *stream, const pb_field_t *field, void *const *argument) {
    const nq_device_statement *statement = *argument;
    for (size_t i = 0; i < statement->parameter_count; i++) {
        neuroquantum_v1_Parameter wire = neuroquantum_v1_Parameter_init_zero;
        wire.position = (uint32_t)i + 1;
        wire.has_value = true;
        put_value(&statement->parameters[i], &wire.value);
        if (!pb_encode_tag_for_field(stream, field) ||
            !pb_encode_submessage(stream, neuroquantum_v1_Parameter_fields, &wire)) {
            return false;
        }
    }
    return true;
}

nq_device_code nq__device_encode_execute(const nq_device_statement *statement, uint8_t *room,
                                         size_t room_bytes, size_t *out_bytes,
                                         nq_device_error *error) {
    neuroquantum_v1_ExecuteRequest request = neuroquantum_v1_ExecuteRequest_init_zero;
    neuroquantum_v1_Statement *wire = &request.statement;
    nq_device_code code = check_parameters(statement, error);
    if (code == NQ_DEVICE_OK) {
        code = copy_text(wire->sql, sizeof wire->sql, "sql", statement->sql, error);
    }
    if (code == NQ_DEVICE_OK) {
        code = copy_text(request.request_id, sizeof request.request_id, "request_id",
                         statement->request_id, error);
    }
    if (code != NQ_DEVICE_OK) {
        return code;
    }
    request.has_statement = true;
    wire->parameters.funcs.encode = put_parameters;
    wire->parameters.arg = (void *)(uintptr_t)statement;
    return encode(neuroquantum_v1_ExecuteRequest_fields, &request, room, room_bytes, out_bytes,
                  error);
}

/* ---- Rows ---- */

/* One row being read: its values, and room for their bytes. */
typedef struct row_reader {
    const nq_device_statement *statement;
    size_t count;
    bool is_too_large; /* well formed, but more than fits here */
    nq_device_value values[NQ_DEVICE_COLUMNS_MAX];
    uint8_t room[NQ_DEVICE_COLUMNS_MAX][NQ_DEVICE_VALUE_BYTES_MAX + 1];
} row_reader;

static nq_device_value of_integer(nq_device_kind kind, int64_t integer) {
    return (nq_device_value){.kind = kind, .integer = integer};
}

static nq_device_value of_bytes(nq_device_kind kind, uint8_t *room, const void *data, size_t size) {
    memcpy(room, data, size);
    return (nq_device_value){.kind = kind, .bytes = {room, size}};
}

/* false: a kind this client cannot hold. */
static bool get_value(const neuroquantum_v1_Value *wire, uint8_t *room, nq_device_value *out) {
    switch (wire->which_kind) {
    case 0:
    case neuroquantum_v1_Value_null_value_tag:
        *out = (nq_device_value){.kind = NQ_DEVICE_NULL};
        return true;
    case neuroquantum_v1_Value_bool_value_tag:
        *out = (nq_device_value){.kind = NQ_DEVICE_BOOL, .boolean = wire->kind.bool_value};
        return true;
    case neuroquantum_v1_Value_int_value_tag:
        *out = of_integer(NQ_DEVICE_INT, wire->kind.int_value);
        return true;
    case neuroquantum_v1_Value_double_value_tag:
        *out = (nq_device_value){.kind = NQ_DEVICE_DOUBLE, .number = wire->kind.double_value};
        return true;
    case neuroquantum_v1_Value_timestamp_us_tag:
        *out = of_integer(NQ_DEVICE_TIMESTAMP, wire->kind.timestamp_us);
        return true;
    case neuroquantum_v1_Value_date_days_tag:
        *out = of_integer(NQ_DEVICE_DATE, wire->kind.date_days);
        return true;
    case neuroquantum_v1_Value_time_us_tag:
        *out = of_integer(NQ_DEVICE_TIME, wire->kind.time_us);
        return true;
    case neuroquantum_v1_Value_text_value_tag:
    case neuroquantum_v1_Value_decimal_value_tag:
    case neuroquantum_v1_Value_json_value_tag:
        /* The three are one array under three names. */
        *out = of_bytes(NQ_DEVICE_TEXT, room, wire->kind.text_value, strlen(wire->kind.text_value));
        return true;
    case neuroquantum_v1_Value_bytes_value_tag:
        *out = of_bytes(NQ_DEVICE_BYTES, room, wire->kind.bytes_value.bytes,
                        wire->kind.bytes_value.size);
        return true;
    case neuroquantum_v1_Value_uuid_value_tag:
        *out =
            of_bytes(NQ_DEVICE_UUID, room, wire->kind.uuid_value.bytes, wire->kind.uuid_value.size);
        return true;
    default:
        return false;
    }
}

/* nanopb tells an overflow from a malformed message by its words only; these are the two that its
 * static fields can meet (pb_decode.c). */
static bool is_overflow(const pb_istream_t *stream) {
    const char *why = PB_GET_ERROR(stream);
    return strcmp(why, "string overflow") == 0 || strcmp(why, "bytes overflow") == 0;
}

static bool read_value(pb_istream_t *stream, const pb_field_t *field, void **argument) {
    row_reader *reader = *argument;
    (void)field;
    if (reader->count == NQ_DEVICE_COLUMNS_MAX) {
        reader->is_too_large = true;
        return false;
    }
    neuroquantum_v1_Value wire = neuroquantum_v1_Value_init_zero;
    if (!pb_decode(stream, neuroquantum_v1_Value_fields, &wire)) {
        reader->is_too_large = is_overflow(stream);
        return false;
    }
    if (!get_value(&wire, reader->room[reader->count], &reader->values[reader->count])) {
        reader->is_too_large = true;
        return false;
    }
    reader->count++;
    return true;
}

static bool read_row(pb_istream_t *stream, const pb_field_t *field, void **argument) {
    row_reader *reader = *argument;
    (void)field;
    neuroquantum_v1_Row row = {.values = {.funcs.decode = read_value, .arg = reader}};
    reader->count = 0;
    if (!pb_decode(stream, neuroquantum_v1_Row_fields, &row)) {
        return false;
    }
    reader->statement->on_row(reader->statement->user, reader->values, reader->count);
    return true;
}

nq_device_code nq__device_decode_execute(const uint8_t *reply, size_t reply_bytes,
                                         const nq_device_statement *statement,
                                         uint64_t *out_rows_affected, nq_device_error *error) {
    row_reader reader;
    neuroquantum_v1_ExecuteResponse response = neuroquantum_v1_ExecuteResponse_init_zero;
    pb_istream_t stream = pb_istream_from_buffer(reply, reply_bytes);
    reader.statement = statement;
    reader.is_too_large = false;
    if (statement->on_row != NULL) {
        response.rows.rows.funcs.decode = read_row;
        response.rows.rows.arg = &reader;
    }
    if (!pb_decode(&stream, neuroquantum_v1_ExecuteResponse_fields, &response)) {
        return reader.is_too_large
                   ? nq__device_fail(error, NQ_DEVICE_REPLY_TOO_LARGE,
                                     "a row has more than 8 columns, or a value that does not fit")
                   : fail_malformed(error);
    }
    *out_rows_affected = response.rows_affected;
    return NQ_DEVICE_OK;
}

/* ---- Health ---- */

nq_device_code nq__device_decode_health(const uint8_t *reply, size_t reply_bytes,
                                        bool *out_is_serving, nq_device_error *error) {
    grpc_health_v1_HealthCheckResponse response = grpc_health_v1_HealthCheckResponse_init_zero;
    pb_istream_t stream = pb_istream_from_buffer(reply, reply_bytes);
    if (!pb_decode(&stream, grpc_health_v1_HealthCheckResponse_fields, &response)) {
        return fail_malformed(error);
    }
    *out_is_serving = response.status == grpc_health_v1_HealthCheckResponse_ServingStatus_SERVING;
    return NQ_DEVICE_OK;
}
