/* Text functions that look for text in text, and those that join it. */
#define _GNU_SOURCE /* memmem */
#include <string.h>

#include "engine/ground/base/utf8.h"
#include "engine/query/eval/kernel_internal.h"

static const uint8_t *find(nq_bytes text, nq_bytes wanted) {
    if (wanted.size > text.size) {
        return NULL;
    }
    return wanted.size == 0 ? text.data : memmem(text.data, text.size, wanted.data, wanted.size);
}

/* strpos(text, wanted): the character where it first starts, from 1, or 0. */
nq_status nq__kernel_strpos(nq_kernel_call *call) {
    for (NQ_ROWS(call, row)) {
        nq_bytes text = call->args[0]->bytes[row];
        nq_bytes wanted = call->args[1]->bytes[row];
        const uint8_t *at = find(text, wanted);
        int64_t position = 0;
        if (wanted.size == 0) {
            position = 1;
        } else if (at != NULL) {
            position = 1 + (int64_t)nq_utf8_count(nq_bytes_of(text.data, (size_t)(at - text.data)));
        }
        call->result.integers[row] = position;
    }
    return NQ_OK;
}

nq_status nq__kernel_starts_with(nq_kernel_call *call) {
    for (NQ_ROWS(call, row)) {
        nq_bytes text = call->args[0]->bytes[row];
        nq_bytes wanted = call->args[1]->bytes[row];
        call->result.booleans[row] =
            wanted.size <= text.size && nq_bytes_equal(nq_bytes_of(text.data, wanted.size), wanted);
    }
    return NQ_OK;
}

nq_status nq__kernel_ends_with(nq_kernel_call *call) {
    for (NQ_ROWS(call, row)) {
        nq_bytes text = call->args[0]->bytes[row];
        nq_bytes wanted = call->args[1]->bytes[row];
        call->result.booleans[row] =
            wanted.size <= text.size &&
            nq_bytes_equal(nq_bytes_of(text.data + text.size - wanted.size, wanted.size), wanted);
    }
    return NQ_OK;
}

static size_t count_matches(nq_bytes text, nq_bytes wanted) {
    size_t count = 0;
    for (const uint8_t *at; (at = find(text, wanted)) != NULL; count++) {
        size_t used = (size_t)(at - text.data) + wanted.size;
        text = nq_bytes_of(text.data + used, text.size - used);
    }
    return count;
}

static uint8_t *append(uint8_t *out, nq_bytes text) {
    if (text.size > 0) {
        memcpy(out, text.data, text.size);
    }
    return out + text.size;
}

static nq_status replace(nq_kernel_call *call, uint32_t row) {
    nq_bytes text = call->args[0]->bytes[row];
    nq_bytes wanted = call->args[1]->bytes[row];
    nq_bytes substitute = call->args[2]->bytes[row];
    size_t count = wanted.size == 0 ? 0 : count_matches(text, wanted);
    if (count == 0) {
        call->result.bytes[row] = text;
        return NQ_OK;
    }
    size_t added;
    if (__builtin_mul_overflow(count, substitute.size, &added)) {
        added = SIZE_MAX / 2;
    }
    size_t size = text.size - count * wanted.size + added;
    uint8_t *out = nq__kernel_alloc(call, size);
    if (out == NULL) {
        return call->ctx->error.code;
    }
    uint8_t *end = out;
    for (const uint8_t *at; (at = find(text, wanted)) != NULL;) {
        size_t before = (size_t)(at - text.data);
        end = append(end, nq_bytes_of(text.data, before));
        end = append(end, substitute);
        text = nq_bytes_of(at + wanted.size, text.size - before - wanted.size);
    }
    append(end, text);
    call->result.bytes[row] = nq_bytes_of(out, size);
    return NQ_OK;
}

nq_status nq__kernel_replace(nq_kernel_call *call) {
    for (NQ_ROWS(call, row)) {
        NQ_TRY(replace(call, row));
    }
    return NQ_OK;
}

/* Field `number` from 1 of a text without its first `number` - 1 fields; empty beyond the last. */
static nq_bytes field_of(nq_bytes text, nq_bytes delimiter, uint64_t number) {
    for (;;) {
        const uint8_t *at = find(text, delimiter);
        if (number == 1) {
            return nq_bytes_of(text.data, at == NULL ? text.size : (size_t)(at - text.data));
        }
        if (at == NULL) {
            return nq_bytes_of(text.data, 0);
        }
        size_t used = (size_t)(at - text.data) + delimiter.size;
        text = nq_bytes_of(text.data + used, text.size - used);
        number--;
    }
}

/* split_part(text, delimiter, n): n counts from 1, or from the end when negative. */
nq_status nq__kernel_split_part(nq_kernel_call *call) {
    for (NQ_ROWS(call, row)) {
        nq_bytes text = call->args[0]->bytes[row];
        nq_bytes delimiter = call->args[1]->bytes[row];
        int64_t number = call->args[2]->integers[row];
        if (number == 0) {
            return nq_fail(call->ctx, NQ_INVALID_ARGUMENT, "field position must not be zero");
        }
        if (delimiter.size == 0) { /* one field: the whole text */
            bool is_first = number == 1 || number == -1;
            call->result.bytes[row] = nq_bytes_of(text.data, is_first ? text.size : 0);
            continue;
        }
        if (number < 0) {
            number += (int64_t)count_matches(text, delimiter) + 2;
        }
        call->result.bytes[row] =
            number <= 0 ? nq_bytes_of(text.data, 0) : field_of(text, delimiter, (uint64_t)number);
    }
    return NQ_OK;
}

/* ---- Joining ---- */

/* The text of an element of any type that is not null. */
static nq_status text_of(nq_kernel_call *call, const nq_vector *vector, uint32_t row,
                         nq_bytes *out_text) {
    if (vector->type.id == NQ_TYPE_TEXT) {
        *out_text = vector->bytes[row];
        return NQ_OK;
    }
    return nq_value_print(call->ctx, call->arena, nq__vector_value(vector, row), out_text);
}

/* The texts of arguments first .. that are not null, with `separator` between them. */
static nq_status join(nq_kernel_call *call, uint32_t row, uint32_t first, nq_bytes separator) {
    nq_bytes parts[NQ_FUNCTION_ARGUMENTS_MAX];
    uint32_t count = 0;
    size_t size = 0;
    for (uint32_t i = first; i < call->arg_count; i++) {
        if (nq__is_null(call->args[i], row)) {
            continue;
        }
        NQ_TRY(text_of(call, call->args[i], row, &parts[count]));
        size += parts[count].size + (count > 0 ? separator.size : 0);
        count++;
    }
    uint8_t *out = nq__kernel_alloc(call, size);
    if (out == NULL) {
        return call->ctx->error.code;
    }
    uint8_t *end = out;
    for (uint32_t i = 0; i < count; i++) {
        end = i == 0 ? end : append(end, separator);
        end = append(end, parts[i]);
    }
    call->result.nulls[row] = 0;
    call->result.bytes[row] = nq_bytes_of(out, size);
    return NQ_OK;
}

/* concat(a, b, ..): nulls count as nothing; also the operator ||, which is STRICT. */
nq_status nq__kernel_concat(nq_kernel_call *call) {
    for (NQ_ROWS(call, row)) {
        NQ_TRY(join(call, row, 0, nq_bytes_of(NULL, 0)));
    }
    return NQ_OK;
}

nq_status nq__kernel_concat_ws(nq_kernel_call *call) {
    nq_value null = NQ_VALUE_NULL(NQ_TYPE_TEXT);
    for (NQ_ROWS(call, row)) {
        if (nq__is_null(call->args[0], row)) {
            nq__buffer_set(&call->result, row, null);
        } else {
            NQ_TRY(join(call, row, 1, call->args[0]->bytes[row]));
        }
    }
    return NQ_OK;
}

nq_status nq__kernel_concat_bytes(nq_kernel_call *call) {
    for (NQ_ROWS(call, row)) {
        nq_bytes left = call->args[0]->bytes[row];
        nq_bytes right = call->args[1]->bytes[row];
        uint8_t *out = nq__kernel_alloc(call, left.size + right.size);
        if (out == NULL) {
            return call->ctx->error.code;
        }
        append(append(out, left), right);
        call->result.bytes[row] = nq_bytes_of(out, left.size + right.size);
    }
    return NQ_OK;
}
