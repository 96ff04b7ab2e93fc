/* Value wire: a Value and its declared Type as an nq_value. */
#include "server/wire/statement_internal.h"

enum { UUID_BYTES = 16 };

#define TIME_US_MAX INT64_C(86400000000)

nq_status nq__wire_type(nq_ctx *ctx, const char *field, const Neuroquantum__V1__Type *type,
                        nq_type *out_type) {
    *out_type = NQ_TYPE(NQ_TYPE_UNKNOWN);
    if (type == NULL) {
        return NQ_OK;
    }
    if (type->array) {
        return nq__wire_unsupported(ctx, field, "an array type");
    }
    bool is_text = type->data_type == NEUROQUANTUM__V1__DATA_TYPE__DATA_TYPE_TEXT;
    if (type->dimension != 0 || type->scale != 0 ||
        (!is_text && (type->precision != 0 || type->blank_padded))) {
        return nq__wire_refuse(ctx, field, "has a modifier that its type does not take");
    }
    switch (type->data_type) {
    case NEUROQUANTUM__V1__DATA_TYPE__DATA_TYPE_UNSPECIFIED:
        return NQ_OK;
    case NEUROQUANTUM__V1__DATA_TYPE__DATA_TYPE_TEXT:
        out_type->id = NQ_TYPE_TEXT;
        out_type->length_max = type->precision;
        out_type->is_padded = type->blank_padded != 0;
        return NQ_OK;
    case NEUROQUANTUM__V1__DATA_TYPE__DATA_TYPE_BOOL:
    case NEUROQUANTUM__V1__DATA_TYPE__DATA_TYPE_INT16:
    case NEUROQUANTUM__V1__DATA_TYPE__DATA_TYPE_INT32:
    case NEUROQUANTUM__V1__DATA_TYPE__DATA_TYPE_INT64:
    case NEUROQUANTUM__V1__DATA_TYPE__DATA_TYPE_FLOAT32:
    case NEUROQUANTUM__V1__DATA_TYPE__DATA_TYPE_FLOAT64:
    case NEUROQUANTUM__V1__DATA_TYPE__DATA_TYPE_BYTES:
    case NEUROQUANTUM__V1__DATA_TYPE__DATA_TYPE_TIMESTAMP:
    case NEUROQUANTUM__V1__DATA_TYPE__DATA_TYPE_DATE:
    case NEUROQUANTUM__V1__DATA_TYPE__DATA_TYPE_TIME:
    case NEUROQUANTUM__V1__DATA_TYPE__DATA_TYPE_UUID:
        out_type->id = (nq_type_id)type->data_type;
        return NQ_OK;
    default:
        return nq__wire_unsupported(ctx, field, "this data type");
    }
}

static nq_status read_kind(nq_ctx *ctx, const char *field, const Neuroquantum__V1__Value *value,
                           nq_value *out) {
    switch (value->kind_case) {
    case NEUROQUANTUM__V1__VALUE__KIND__NOT_SET:
    case NEUROQUANTUM__V1__VALUE__KIND_NULL_VALUE:
        *out = NQ_VALUE_NULL(NQ_TYPE_UNKNOWN);
        return NQ_OK;
    case NEUROQUANTUM__V1__VALUE__KIND_BOOL_VALUE:
        *out = NQ_VALUE_BOOL(value->bool_value != 0);
        return NQ_OK;
    case NEUROQUANTUM__V1__VALUE__KIND_INT_VALUE:
        *out = NQ_VALUE_INT64(value->int_value);
        return NQ_OK;
    case NEUROQUANTUM__V1__VALUE__KIND_DOUBLE_VALUE:
        *out = NQ_VALUE_FLOAT64(value->double_value);
        return NQ_OK;
    case NEUROQUANTUM__V1__VALUE__KIND_TEXT_VALUE:
        *out = NQ_VALUE_TEXT(nq__wire_text(value->text_value));
        return NQ_OK;
    case NEUROQUANTUM__V1__VALUE__KIND_BYTES_VALUE:
        *out = (nq_value){.type = NQ_TYPE_BYTES, .bytes = nq__wire_bytes(value->bytes_value)};
        return NQ_OK;
    case NEUROQUANTUM__V1__VALUE__KIND_TIMESTAMP_US:
        *out = (nq_value){.type = NQ_TYPE_TIMESTAMP, .integer = value->timestamp_us};
        return NQ_OK;
    case NEUROQUANTUM__V1__VALUE__KIND_DATE_DAYS:
        *out = (nq_value){.type = NQ_TYPE_DATE, .integer = value->date_days};
        return NQ_OK;
    case NEUROQUANTUM__V1__VALUE__KIND_TIME_US:
        *out = (nq_value){.type = NQ_TYPE_TIME, .integer = value->time_us};
        return value->time_us >= 0 && value->time_us <= TIME_US_MAX
                   ? NQ_OK
                   : nq__wire_refuse(ctx, field, "is not a time of the day");
    case NEUROQUANTUM__V1__VALUE__KIND_UUID_VALUE:
        *out = (nq_value){.type = NQ_TYPE_UUID, .bytes = nq__wire_bytes(value->uuid_value)};
        return value->uuid_value.len == UUID_BYTES
                   ? NQ_OK
                   : nq__wire_refuse(ctx, field, "is a UUID of other than 16 bytes");
    default:
        return nq__wire_unsupported(ctx, field, "this kind of value");
    }
}

nq_status nq__wire_value(nq_ctx *ctx, const char *field, const Neuroquantum__V1__Value *value,
                         nq_type type, nq_value *out_value) {
    *out_value = NQ_VALUE_NULL(type.id);
    nq_value plain = NQ_VALUE_NULL(NQ_TYPE_UNKNOWN);
    if (value != NULL) {
        NQ_TRY(read_kind(ctx, field, value, &plain));
    }
    /* Text is the written form of any type, as a quoted literal is in SQL: its place, or the type
     * declared, says which. */
    if (plain.type == NQ_TYPE_TEXT && type.id != NQ_TYPE_TEXT) {
        plain.type = NQ_TYPE_UNKNOWN;
    }
    if (type.id == NQ_TYPE_UNKNOWN) {
        *out_value = plain;
        return NQ_OK;
    }
    if (plain.is_null || (plain.type == type.id && type.length_max == 0)) {
        plain.type = type.id;
        *out_value = plain;
        return NQ_OK;
    }
    nq_status status = nq_value_cast(ctx, ctx->scratch, plain, type, true, out_value);
    if (status != NQ_OK) {
        nq_error_set_object(&ctx->error, field, strlen(field));
    }
    return status;
}
