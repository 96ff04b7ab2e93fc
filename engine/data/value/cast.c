/* Casts: one function per target type. Which casts exist, and when, follows pg_cast; a text (or an
 * untyped literal) is read by the target type's parser, and everything prints to text. */
#include <math.h>
#include <string.h>

#include "engine/data/value/datetime.h"
#include "engine/data/value/text.h"
#include "engine/data/value/value.h"
#include "engine/ground/base/utf8.h"

enum { SHOWN_CHARACTERS_MAX = 60 }; /* of a refused text, in an error */

typedef struct cast {
    nq_ctx *ctx;
    nq_arena *arena;
    nq_value value; /* not null */
    nq_type target;
    bool is_assignment;
} cast;

static nq_status fail_no_cast(const cast *job) {
    return nq_fail(job->ctx, NQ_TYPE_MISMATCH, "cannot cast type %s to %s%s",
                   nq_type_name(job->value.type), nq_type_name(job->target.id),
                   job->is_assignment ? " in assignment" : "");
}

static nq_status fail_text(const cast *job, nq_status code) {
    nq_bytes text = job->value.bytes;
    size_t shown = nq_utf8_offset(text, SHOWN_CHARACTERS_MAX);
    const char *dots = shown < text.size ? "..." : "";
    const char *type = nq_type_name(job->target.id);
    if (code == NQ_NUMBER_OUT_OF_RANGE) {
        return nq_fail(job->ctx, code, "value \"%.*s%s\" is out of range for type %s", (int)shown,
                       (const char *)text.data, dots, type);
    }
    if (code == NQ_DATETIME_OUT_OF_RANGE) {
        return nq_fail(job->ctx, code, "date/time field value out of range: \"%.*s%s\"", (int)shown,
                       (const char *)text.data, dots);
    }
    return nq_fail(job->ctx, code, "invalid input syntax for type %s: \"%.*s%s\"", type, (int)shown,
                   (const char *)text.data, dots);
}

static nq_status fail_range(const cast *job) {
    return nq_fail(job->ctx, NQ_NUMBER_OUT_OF_RANGE, "%s out of range",
                   nq_type_name(job->target.id));
}

static bool is_text(nq_type_id id) {
    return id == NQ_TYPE_TEXT || id == NQ_TYPE_UNKNOWN;
}

/* A text column is not stored in a column of another type without being asked to; a literal is. */
static bool may_read_text(const cast *job) {
    return job->value.type == NQ_TYPE_UNKNOWN ||
           (job->value.type == NQ_TYPE_TEXT && !job->is_assignment);
}

static nq_status cast_to_bool(const cast *job, nq_value *out_value) {
    nq_type_id source = job->value.type;
    if (nq_type_is_integer(source) && !job->is_assignment) {
        out_value->boolean = job->value.integer != 0;
        return NQ_OK;
    }
    if (!may_read_text(job)) {
        return fail_no_cast(job);
    }
    bool boolean;
    if (!nq_bool_parse(nq_text_trim(job->value.bytes), &boolean)) {
        return fail_text(job, NQ_INVALID_TEXT_VALUE);
    }
    out_value->boolean = boolean;
    return NQ_OK;
}

static bool is_in_range(nq_type_id id, int64_t integer) {
    switch (id) {
    case NQ_TYPE_INT16:
        return integer >= INT16_MIN && integer <= INT16_MAX;
    case NQ_TYPE_INT32:
        return integer >= INT32_MIN && integer <= INT32_MAX;
    default:
        return true;
    }
}

static nq_status cast_to_integer(const cast *job, nq_value *out_value) {
    nq_type_id source = job->value.type;
    if (nq_type_is_integer(source)) {
        out_value->integer = job->value.integer;
    } else if (source == NQ_TYPE_FLOAT64 || source == NQ_TYPE_FLOAT32) {
        double rounded = rint(job->value.number);
        /* 2^63 is exact as a double; the comparison is false for NaN. */
        if (!(rounded >= -9223372036854775808.0 && rounded < 9223372036854775808.0)) {
            return fail_range(job);
        }
        out_value->integer = (int64_t)rounded;
    } else if (source == NQ_TYPE_BOOL && !job->is_assignment) {
        out_value->integer = job->value.boolean;
    } else if (may_read_text(job)) {
        int64_t integer;
        bool is_range;
        if (!nq_int64_parse(nq_text_trim(job->value.bytes), &integer, &is_range)) {
            return fail_text(job, is_range ? NQ_NUMBER_OUT_OF_RANGE : NQ_INVALID_TEXT_VALUE);
        }
        out_value->integer = integer;
        return is_in_range(job->target.id, integer) ? NQ_OK
                                                    : fail_text(job, NQ_NUMBER_OUT_OF_RANGE);
    } else {
        return fail_no_cast(job);
    }
    return is_in_range(job->target.id, out_value->integer) ? NQ_OK : fail_range(job);
}

static nq_status cast_to_float(const cast *job, nq_value *out_value) {
    nq_type_id source = job->value.type;
    double number = 0;
    if (nq_type_is_integer(source)) {
        number = (double)job->value.integer;
    } else if (source == NQ_TYPE_FLOAT64 || source == NQ_TYPE_FLOAT32) {
        number = job->value.number;
    } else if (may_read_text(job)) {
        bool is_range;
        if (!nq_float64_parse(nq_text_trim(job->value.bytes), &number, &is_range)) {
            return fail_text(job, is_range ? NQ_NUMBER_OUT_OF_RANGE : NQ_INVALID_TEXT_VALUE);
        }
    } else {
        return fail_no_cast(job);
    }
    if (job->target.id == NQ_TYPE_FLOAT32) {
        double rounded = (double)(float)number;
        if ((isinf(rounded) && !isinf(number)) || (rounded == 0 && number != 0)) {
            return is_text(source) ? fail_text(job, NQ_NUMBER_OUT_OF_RANGE) : fail_range(job);
        }
        number = rounded;
    }
    out_value->number = number;
    return NQ_OK;
}

/* Trailing blanks of CHAR(n) mean nothing, so none are kept; VARCHAR(n) refuses what is too long,
 * unless only blanks are, and an explicit cast cuts. */
static nq_status fit_length(const cast *job, nq_value *out_value) {
    nq_bytes text = out_value->bytes;
    uint32_t length_max = job->target.length_max;
    size_t kept = length_max == 0 ? text.size : nq_utf8_offset(text, length_max);
    if (job->is_assignment) {
        for (size_t i = kept; i < text.size; i++) {
            if (text.data[i] != ' ') {
                return nq_fail(job->ctx, NQ_STRING_TOO_LONG,
                               "value too long for type character%s(%u)",
                               job->target.is_padded ? "" : " varying", length_max);
            }
        }
    }
    while (job->target.is_padded && kept > 0 && text.data[kept - 1] == ' ') {
        kept--;
    }
    out_value->bytes.size = kept;
    return NQ_OK;
}

static nq_status cast_to_text(const cast *job, nq_value *out_value) {
    if (is_text(job->value.type)) {
        out_value->bytes = job->value.bytes;
    } else {
        NQ_TRY(nq_value_print(job->ctx, job->arena, job->value, &out_value->bytes));
    }
    return fit_length(job, out_value);
}

static nq_status cast_to_bytes(const cast *job, nq_value *out_value) {
    if (!may_read_text(job)) {
        return fail_no_cast(job);
    }
    nq_bytes text = job->value.bytes;
    uint8_t *bytes = nq_arena_alloc(job->arena, text.size + 1);
    if (bytes == NULL) {
        return nq_fail_no_memory(job->ctx, "bytea value");
    }
    size_t size;
    if (!nq_bytes_parse(text, bytes, &size)) {
        return fail_text(job, NQ_INVALID_TEXT_VALUE);
    }
    out_value->bytes = nq_bytes_of(bytes, size);
    return NQ_OK;
}

static nq_status cast_to_uuid(const cast *job, nq_value *out_value) {
    if (!may_read_text(job)) {
        return fail_no_cast(job);
    }
    uint8_t *uuid = nq_arena_alloc(job->arena, 16);
    if (uuid == NULL) {
        return nq_fail_no_memory(job->ctx, "uuid value");
    }
    if (!nq_uuid_parse(nq_text_trim(job->value.bytes), uuid)) {
        return fail_text(job, NQ_INVALID_TEXT_VALUE);
    }
    out_value->bytes = nq_bytes_of(uuid, 16);
    return NQ_OK;
}

static nq_status cast_to_datetime(const cast *job, nq_value *out_value) {
    nq_type_id source = job->value.type, target = job->target.id;
    if (source == NQ_TYPE_DATE && target == NQ_TYPE_TIMESTAMP) {
        out_value->integer = job->value.integer * NQ_USEC_PER_DAY;
        return NQ_OK;
    }
    if (source == NQ_TYPE_TIMESTAMP && target == NQ_TYPE_DATE) {
        out_value->integer = nq_timestamp_day(job->value.integer);
        return NQ_OK;
    }
    if (source == NQ_TYPE_TIMESTAMP && target == NQ_TYPE_TIME) {
        out_value->integer = nq_timestamp_time(job->value.integer);
        return NQ_OK;
    }
    if (!may_read_text(job)) {
        return fail_no_cast(job);
    }
    nq_bytes text = nq_text_trim(job->value.bytes);
    int64_t integer = 0;
    nq_datetime_result result = target == NQ_TYPE_DATE   ? nq_date_parse(text, &integer)
                                : target == NQ_TYPE_TIME ? nq_time_parse(text, &integer)
                                                         : nq_timestamp_parse(text, &integer);
    out_value->integer = integer;
    if (result == NQ_DATETIME_OK) {
        return NQ_OK;
    }
    return fail_text(job, result == NQ_DATETIME_OUTSIDE ? NQ_DATETIME_OUT_OF_RANGE
                                                        : NQ_INVALID_DATETIME);
}

nq_status nq_value_cast(nq_ctx *ctx, nq_arena *arena, nq_value value, nq_type target,
                        bool is_assignment, nq_value *out_value) {
    *out_value = NQ_VALUE_NULL(target.id);
    if (value.is_null) {
        return NQ_OK;
    }
    nq_value result = {.type = target.id};
    const cast job = {ctx, arena, value, target, is_assignment};
    nq_status status;
    if (value.type == target.id && target.id != NQ_TYPE_TEXT) {
        *out_value = value;
        return NQ_OK;
    }
    switch (target.id) {
    case NQ_TYPE_BOOL:
        status = cast_to_bool(&job, &result);
        break;
    case NQ_TYPE_INT16:
    case NQ_TYPE_INT32:
    case NQ_TYPE_INT64:
        status = cast_to_integer(&job, &result);
        break;
    case NQ_TYPE_FLOAT32:
    case NQ_TYPE_FLOAT64:
        status = cast_to_float(&job, &result);
        break;
    case NQ_TYPE_TEXT:
        status = cast_to_text(&job, &result);
        break;
    case NQ_TYPE_BYTES:
        status = cast_to_bytes(&job, &result);
        break;
    case NQ_TYPE_UUID:
        status = cast_to_uuid(&job, &result);
        break;
    case NQ_TYPE_TIMESTAMP:
    case NQ_TYPE_DATE:
    case NQ_TYPE_TIME:
        status = cast_to_datetime(&job, &result);
        break;
    default:
        status = fail_no_cast(&job);
        break;
    }
    if (status == NQ_OK) {
        *out_value = result;
    }
    return status;
}
