/* Parameters: matching what the caller sent with what the statement names, and casting it. */
#include <string.h>

#include "engine/api/api_internal.h"
#include "engine/ground/base/utf8.h"

static bool fits(const nq_parameter *parameter, const nq_column_info *wanted, uint32_t index) {
    return parameter->name.size > 0 ? nq_bytes_equal(parameter->name, wanted->name)
                                    : wanted->name.size == 0 && parameter->position == index + 1;
}

static nq_status fail_parameter(nq_ctx *ctx, nq_status code, const char *what, nq_bytes name,
                                uint32_t position) {
    nq_status status;
    if (name.size > 0) {
        status = nq_fail(ctx, code, "%s :%.*s", what, NQ_BYTES_FORMAT(name));
        nq_error_set_object(&ctx->error, (const char *)name.data, name.size);
    } else {
        status = nq_fail(ctx, code, "%s $%u", what, position);
    }
    return status;
}

static nq_status cast_one(nq_ctx *ctx, nq_arena *arena, const nq_column_info *wanted,
                          nq_value value, nq_value *out_value) {
    if (value.type == NQ_TYPE_TEXT || value.type == NQ_TYPE_UNKNOWN) {
        if (!value.is_null && !nq_utf8_is_text(value.bytes)) {
            return nq_fail(ctx, NQ_INVALID_UTF8, "a parameter is not valid UTF-8 text");
        }
        /* A text takes the type of its place, as a literal would. */
        value.type = NQ_TYPE_UNKNOWN;
    }
    return nq_value_cast(ctx, arena, value, wanted->type, true, out_value);
}

/* What was sent and is not in the statement: a mistake, not to be passed over. */
static nq_status check_unused(nq_ctx *ctx, const nq__binding *binding,
                              const nq_parameter *parameters, uint32_t parameter_count) {
    for (uint32_t i = 0; i < parameter_count; i++) {
        uint32_t uses = 0;
        for (uint32_t j = 0; j < binding->parameter_count && uses == 0; j++) {
            uses += fits(&parameters[i], &binding->parameters[j], j);
        }
        if (uses == 0) {
            return fail_parameter(ctx, NQ_INVALID_ARGUMENT, "the statement has no parameter",
                                  parameters[i].name, parameters[i].position);
        }
        for (uint32_t j = 0; j < i; j++) {
            if (nq_bytes_equal(parameters[i].name, parameters[j].name) &&
                parameters[i].position == parameters[j].position) {
                return fail_parameter(ctx, NQ_INVALID_ARGUMENT, "two values for parameter",
                                      parameters[i].name, parameters[i].position);
            }
        }
    }
    return NQ_OK;
}

static const nq_parameter *find(const nq_parameter *parameters, uint32_t parameter_count,
                                const nq_column_info *wanted, uint32_t index) {
    /* Positional ones mostly come in order. */
    if (index < parameter_count && fits(&parameters[index], wanted, index)) {
        return &parameters[index];
    }
    for (uint32_t i = 0; i < parameter_count; i++) {
        if (fits(&parameters[i], wanted, index)) {
            return &parameters[i];
        }
    }
    return NULL;
}

nq_status nq__parameters_cast(nq_ctx *ctx, nq_arena *arena, const nq__binding *binding,
                              const nq_parameter *parameters, uint32_t parameter_count,
                              nq_value **out_values) {
    *out_values = NULL;
    uint32_t count = binding->parameter_count;
    nq_value *values = NULL;
    if (count > 0) {
        values = nq_arena_calloc(arena, count, sizeof *values);
        if (values == NULL) {
            return nq_fail_no_memory(ctx, "parameters");
        }
    }
    uint32_t in_order = 0;
    for (uint32_t i = 0; i < count; i++) {
        const nq_column_info *wanted = &binding->parameters[i];
        const nq_parameter *sent = find(parameters, parameter_count, wanted, i);
        if (sent == NULL) {
            return fail_parameter(ctx, NQ_PARAMETER_MISSING, "no value for parameter", wanted->name,
                                  i + 1);
        }
        in_order += sent == &parameters[i];
        NQ_TRY(cast_one(ctx, arena, wanted, sent->value, &values[i]));
    }
    if (in_order != count || parameter_count != count) {
        NQ_TRY(check_unused(ctx, binding, parameters, parameter_count));
    }
    *out_values = values;
    return NQ_OK;
}

/* FNV-1a: stored with commits, so it must never change. */
static uint64_t hash_bytes(uint64_t hash, const void *data, size_t size) {
    const uint8_t *bytes = data;
    for (size_t i = 0; i < size; i++) {
        hash = (hash ^ bytes[i]) * UINT64_C(0x100000001b3);
    }
    return hash;
}

static uint64_t hash_value(uint64_t hash, nq_value value) {
    uint8_t head[2] = {(uint8_t)value.type, value.is_null};
    hash = hash_bytes(hash, head, sizeof head);
    if (value.is_null) {
        return hash;
    }
    switch (nq_type_form(value.type)) {
    case NQ_FORM_BOOL: {
        uint8_t boolean = value.boolean;
        return hash_bytes(hash, &boolean, 1);
    }
    case NQ_FORM_INT64:
        return hash_bytes(hash, &value.integer, sizeof value.integer);
    case NQ_FORM_FLOAT64:
        return hash_bytes(hash, &value.number, sizeof value.number);
    case NQ_FORM_BYTES:
        break;
    }
    hash = hash_bytes(hash, &value.bytes.size, sizeof value.bytes.size);
    return hash_bytes(hash, value.bytes.data, value.bytes.size);
}

uint64_t nq__reply_hash(uint64_t seed, nq_bytes sql, const nq_parameter *parameters,
                        uint32_t parameter_count) {
    uint64_t hash = hash_bytes(seed ^ UINT64_C(0xcbf29ce484222325), sql.data, sql.size);
    for (uint32_t i = 0; i < parameter_count; i++) {
        hash = hash_bytes(hash, parameters[i].name.data, parameters[i].name.size);
        hash = hash_bytes(hash, &parameters[i].position, sizeof parameters[i].position);
        hash = hash_value(hash, parameters[i].value);
    }
    return hash;
}
