/* Which types turn into which without being asked, and the type several of them settle on. */
#include "engine/query/eval/eval_internal.h"

/* How far a number is from the narrowest; the order in which they widen. */
static int number_rank(nq_type_id id) {
    switch (id) {
    case NQ_TYPE_INT16:
        return 1;
    case NQ_TYPE_INT32:
        return 2;
    case NQ_TYPE_INT64:
        return 3;
    case NQ_TYPE_FLOAT32:
        return 4;
    case NQ_TYPE_FLOAT64:
        return 5;
    default:
        return 0;
    }
}

nq_cast_level nq_cast_level_of(nq_type_id source, nq_type_id target) {
    if (source == target || source == NQ_TYPE_UNKNOWN) {
        return NQ_CAST_IMPLICIT;
    }
    if (number_rank(source) != 0 && number_rank(target) != 0) {
        return number_rank(source) < number_rank(target) ? NQ_CAST_IMPLICIT : NQ_CAST_ASSIGNMENT;
    }
    if (source == NQ_TYPE_DATE && target == NQ_TYPE_TIMESTAMP) {
        return NQ_CAST_IMPLICIT;
    }
    if (source == NQ_TYPE_TIMESTAMP && (target == NQ_TYPE_DATE || target == NQ_TYPE_TIME)) {
        return NQ_CAST_ASSIGNMENT;
    }
    if (target == NQ_TYPE_TEXT) {
        return NQ_CAST_ASSIGNMENT;
    }
    bool is_bool_and_int = (source == NQ_TYPE_BOOL && target == NQ_TYPE_INT32) ||
                           (source == NQ_TYPE_INT32 && target == NQ_TYPE_BOOL);
    bool is_uuid_and_bytes = (source == NQ_TYPE_UUID && target == NQ_TYPE_BYTES) ||
                             (source == NQ_TYPE_BYTES && target == NQ_TYPE_UUID);
    if (source == NQ_TYPE_TEXT || is_bool_and_int || is_uuid_and_bytes) {
        return NQ_CAST_EXPLICIT;
    }
    return NQ_CAST_NONE;
}

/* Among equals the double is preferred over the real, which is preferred over nothing. */
int nq__implicit_cost(nq_type_id source, nq_type_id target) {
    enum { TO_REAL = 5 };
    if (source == target) {
        return 0;
    }
    if (source == NQ_TYPE_UNKNOWN || nq_cast_level_of(source, target) != NQ_CAST_IMPLICIT) {
        return -1;
    }
    if (number_rank(source) == 0) {
        return 1;
    }
    return target == NQ_TYPE_FLOAT32 ? TO_REAL : number_rank(target) - number_rank(source);
}

static nq_type_id wider(nq_type_id left, nq_type_id right) {
    bool has_real = left == NQ_TYPE_FLOAT32 || right == NQ_TYPE_FLOAT32;
    if (has_real && left != right) { /* an integer and a real meet in the double */
        return NQ_TYPE_FLOAT64;
    }
    if (nq_cast_level_of(left, right) == NQ_CAST_IMPLICIT) {
        return right;
    }
    return nq_cast_level_of(right, left) == NQ_CAST_IMPLICIT ? left : NQ_TYPE_UNKNOWN;
}

bool nq__common_type(const nq_type *types, uint32_t count, nq_type *out_type,
                     uint32_t *out_culprit) {
    *out_type = NQ_TYPE(NQ_TYPE_UNKNOWN);
    for (uint32_t i = 0; i < count; i++) {
        if (types[i].id == NQ_TYPE_UNKNOWN) {
            continue;
        }
        if (out_type->id == NQ_TYPE_UNKNOWN) {
            *out_type = types[i];
            continue;
        }
        if (types[i].id == out_type->id) {
            if (types[i].length_max != out_type->length_max ||
                types[i].is_padded != out_type->is_padded) {
                *out_type = NQ_TYPE(out_type->id);
            }
            continue;
        }
        bool are_numbers = number_rank(out_type->id) != 0 && number_rank(types[i].id) != 0;
        bool are_days = (out_type->id == NQ_TYPE_DATE || out_type->id == NQ_TYPE_TIMESTAMP) &&
                        (types[i].id == NQ_TYPE_DATE || types[i].id == NQ_TYPE_TIMESTAMP);
        if (!are_numbers && !are_days) {
            *out_culprit = i;
            return false;
        }
        *out_type = NQ_TYPE(wider(out_type->id, types[i].id));
    }
    if (out_type->id == NQ_TYPE_UNKNOWN) {
        *out_type = NQ_TYPE(NQ_TYPE_TEXT);
    }
    return true;
}

nq_status nq_type_common(nq_ctx *ctx, const char *where, const nq_type *types, uint32_t count,
                         nq_type *out_type) {
    uint32_t culprit = 0;
    if (nq__common_type(types, count, out_type, &culprit)) {
        return NQ_OK;
    }
    return nq_fail(ctx, NQ_TYPE_MISMATCH, "%s types %s and %s cannot be matched", where,
                   nq_type_name(out_type->id), nq_type_name(types[culprit].id));
}
