/* Memcomparable keys. */
#include "engine/data/value/key.h"

#include <math.h>
#include <string.h>

enum {
    MARK_VALUE = 0x01, /* leads a value of a nullable column */
    MARK_NULL = 0x02,  /* stands for a null: above every value */
    TEXT_END = 0x00,
    BYTES_ESCAPED_ZERO = 0xFF, /* after a 0x00 that is data */
    BYTES_END = 0x01,          /* after the 0x00 that ends them */
};

static const uint64_t sign_bit = UINT64_C(1) << 63;

/* Bytes of a column of fixed width; 0: variable. */
static uint32_t key_width(nq_type_id type) {
    switch (type) {
    case NQ_TYPE_BOOL:
        return 1;
    case NQ_TYPE_INT16:
        return 2;
    case NQ_TYPE_INT32:
    case NQ_TYPE_FLOAT32:
    case NQ_TYPE_DATE:
        return 4;
    case NQ_TYPE_INT64:
    case NQ_TYPE_FLOAT64:
    case NQ_TYPE_TIMESTAMP:
    case NQ_TYPE_TIME:
        return 8;
    case NQ_TYPE_UUID:
        return 16;
    default:
        return 0;
    }
}

bool nq_key_is_lossless(nq_type_id type) {
    return type != NQ_TYPE_FLOAT32 && type != NQ_TYPE_FLOAT64;
}

static nq_status fail_too_long(nq_ctx *ctx) {
    return nq_fail(ctx, NQ_LIMIT_EXCEEDED, "a key is longer than %d bytes", NQ_KEY_BYTES_MAX);
}

static nq_status fail_malformed(nq_ctx *ctx) {
    return nq_fail(ctx, NQ_PAGE_CORRUPT, "a stored key does not follow its table's columns");
}

static void store_big_endian(uint8_t *target, uint64_t word, uint32_t bytes) {
    for (uint32_t i = 0; i < bytes; i++) {
        target[i] = (uint8_t)(word >> (8 * (bytes - 1 - i)));
    }
}

static uint64_t load_big_endian(const uint8_t *source, uint32_t bytes) {
    uint64_t word = 0;
    for (uint32_t i = 0; i < bytes; i++) {
        word = word << 8 | source[i];
    }
    return word;
}

/* Negative numbers have all bits flipped, others the sign: unsigned order is then numeric order. */
static uint64_t fold_float64(double number) {
    double canonical = number != number ? (double)NAN : number + 0.0;
    uint64_t bits;
    memcpy(&bits, &canonical, sizeof bits);
    if (number != number) {
        bits &= ~sign_bit;
    }
    return (bits & sign_bit) != 0 ? ~bits : bits | sign_bit;
}

static double unfold_float64(uint64_t word) {
    uint64_t bits = (word & sign_bit) != 0 ? word & ~sign_bit : ~word;
    double number;
    memcpy(&number, &bits, sizeof number);
    return number;
}

static uint64_t fold_float32(double number) {
    float canonical = number != number ? (float)NAN : (float)number + 0.0F;
    uint32_t bits;
    memcpy(&bits, &canonical, sizeof bits);
    if (number != number) {
        bits &= INT32_MAX;
    }
    return (bits >> 31) != 0 ? (uint32_t)~bits : bits | UINT32_C(1) << 31;
}

static double unfold_float32(uint64_t word) {
    uint32_t folded = (uint32_t)word;
    uint32_t bits = (folded >> 31) != 0 ? folded & INT32_MAX : ~folded;
    float number;
    memcpy(&number, &bits, sizeof number);
    return (double)number;
}

static void append_fixed(nq_key_buffer *key, nq_type_id type, uint32_t width, nq_value value) {
    uint8_t *target = key->data + key->size;
    key->size += width;
    switch (type) {
    case NQ_TYPE_BOOL:
        *target = value.boolean;
        break;
    case NQ_TYPE_UUID:
        memcpy(target, value.bytes.data, width);
        break;
    case NQ_TYPE_FLOAT32:
        store_big_endian(target, fold_float32(value.number), width);
        break;
    case NQ_TYPE_FLOAT64:
        store_big_endian(target, fold_float64(value.number), width);
        break;
    default: {
        uint64_t sign = UINT64_C(1) << (8 * width - 1);
        store_big_endian(target, (uint64_t)value.integer ^ sign, width);
        break;
    }
    }
}

static nq_status append_text(nq_ctx *ctx, nq_key_buffer *key, nq_bytes text) {
    if (text.size >= NQ_KEY_BYTES_MAX - key->size) {
        return fail_too_long(ctx);
    }
    if (text.size > 0) {
        memcpy(key->data + key->size, text.data, text.size);
    }
    key->size += (uint32_t)text.size;
    key->data[key->size++] = TEXT_END;
    return NQ_OK;
}

static nq_status append_bytes(nq_ctx *ctx, nq_key_buffer *key, nq_bytes bytes) {
    for (size_t i = 0; i < bytes.size; i++) {
        if (key->size + 2 > NQ_KEY_BYTES_MAX) {
            return fail_too_long(ctx);
        }
        key->data[key->size++] = bytes.data[i];
        if (bytes.data[i] == 0) {
            key->data[key->size++] = BYTES_ESCAPED_ZERO;
        }
    }
    if (key->size + 2 > NQ_KEY_BYTES_MAX) {
        return fail_too_long(ctx);
    }
    key->data[key->size++] = 0;
    key->data[key->size++] = BYTES_END;
    return NQ_OK;
}

nq_status nq_key_append(nq_ctx *ctx, nq_key_buffer *key, nq_key_column column, nq_value value) {
    if (value.is_null && !column.is_nullable) {
        return nq_fail(ctx, NQ_NOT_NULL_VIOLATION, "a key column is null");
    }
    uint32_t width = key_width(column.type);
    if (key->size + column.is_nullable + width > NQ_KEY_BYTES_MAX) {
        return fail_too_long(ctx);
    }
    if (column.is_nullable) {
        key->data[key->size++] = value.is_null ? MARK_NULL : MARK_VALUE;
        if (value.is_null) {
            return NQ_OK;
        }
    }
    if (width > 0) {
        append_fixed(key, column.type, width, value);
        return NQ_OK;
    }
    return column.type == NQ_TYPE_TEXT ? append_text(ctx, key, value.bytes)
                                       : append_bytes(ctx, key, value.bytes);
}

bool nq_key_advance(nq_key_buffer *key) {
    while (key->size > 0 && key->data[key->size - 1] == UINT8_MAX) {
        key->size--;
    }
    if (key->size == 0) {
        return false;
    }
    key->data[key->size - 1]++;
    return true;
}

static void consume(nq_bytes *key, size_t count) {
    *key = nq_bytes_of(key->data + count, key->size - count);
}

static void take_fixed(nq_bytes key, nq_type_id type, uint32_t width, nq_value *out_value) {
    switch (type) {
    case NQ_TYPE_BOOL:
        out_value->boolean = key.data[0] != 0;
        break;
    case NQ_TYPE_UUID:
        out_value->bytes = nq_bytes_of(key.data, width);
        break;
    case NQ_TYPE_FLOAT32:
        out_value->number = unfold_float32(load_big_endian(key.data, width));
        break;
    case NQ_TYPE_FLOAT64:
        out_value->number = unfold_float64(load_big_endian(key.data, width));
        break;
    default: {
        /* Shifted up to flip the sign, then arithmetically down again to extend it. */
        uint32_t shift = 64 - 8 * width;
        uint64_t word = load_big_endian(key.data, width) << shift ^ sign_bit;
        out_value->integer = (int64_t)word >> shift;
        break;
    }
    }
}

static nq_status take_text(nq_ctx *ctx, nq_bytes *key, nq_bytes *out_text) {
    const uint8_t *end = key->size == 0 ? NULL : memchr(key->data, TEXT_END, key->size);
    if (end == NULL) {
        return fail_malformed(ctx);
    }
    *out_text = nq_bytes_of(key->data, (size_t)(end - key->data));
    consume(key, out_text->size + 1);
    return NQ_OK;
}

/* The encoded size of the bytes at the front of `key`, their end included, and the zeros in them.
 */
static nq_status measure_bytes(nq_ctx *ctx, nq_bytes key, size_t *out_size, size_t *out_zeros) {
    *out_size = *out_zeros = 0;
    for (size_t i = 0; i + 1 < key.size; i++) {
        if (key.data[i] != 0) {
            continue;
        }
        if (key.data[i + 1] == BYTES_END) {
            *out_size = i + 2;
            return NQ_OK;
        }
        if (key.data[++i] != BYTES_ESCAPED_ZERO) {
            break;
        }
        ++*out_zeros;
    }
    return fail_malformed(ctx);
}

static nq_status take_bytes(nq_ctx *ctx, nq_arena *arena, nq_bytes *key, nq_bytes *out_bytes) {
    size_t size, zeros;
    NQ_TRY(measure_bytes(ctx, *key, &size, &zeros));
    *out_bytes = nq_bytes_of(key->data, size - 2);
    if (zeros > 0) {
        uint8_t *plain = nq_arena_alloc(arena, size);
        if (plain == NULL) {
            return nq_fail_no_memory(ctx, "a key's bytes");
        }
        size_t count = 0;
        for (size_t i = 0; i < size - 2; i++) {
            plain[count++] = key->data[i];
            i += key->data[i] == 0;
        }
        *out_bytes = nq_bytes_of(plain, count);
    }
    consume(key, size);
    return NQ_OK;
}

/* Reads the mark of a nullable column. */
static nq_status take_mark(nq_ctx *ctx, nq_bytes *key, nq_key_column column, bool *out_is_null) {
    *out_is_null = false;
    if (!column.is_nullable) {
        return NQ_OK;
    }
    if (key->size == 0 || (key->data[0] != MARK_VALUE && key->data[0] != MARK_NULL)) {
        return fail_malformed(ctx);
    }
    *out_is_null = key->data[0] == MARK_NULL;
    consume(key, 1);
    return NQ_OK;
}

nq_status nq_key_take(nq_ctx *ctx, nq_arena *arena, nq_bytes *key, nq_key_column column,
                      nq_value *out_value) {
    *out_value = NQ_VALUE_NULL(column.type);
    bool is_null;
    NQ_TRY(take_mark(ctx, key, column, &is_null));
    if (is_null) {
        return NQ_OK;
    }
    out_value->is_null = false;
    uint32_t width = key_width(column.type);
    if (width == 0) {
        return column.type == NQ_TYPE_TEXT ? take_text(ctx, key, &out_value->bytes)
                                           : take_bytes(ctx, arena, key, &out_value->bytes);
    }
    if (key->size < width) {
        return fail_malformed(ctx);
    }
    take_fixed(*key, column.type, width, out_value);
    consume(key, width);
    return NQ_OK;
}

nq_status nq_key_skip(nq_ctx *ctx, nq_bytes *key, nq_key_column column) {
    bool is_null;
    NQ_TRY(take_mark(ctx, key, column, &is_null));
    if (is_null) {
        return NQ_OK;
    }
    size_t size = key_width(column.type), zeros;
    if (size == 0 && column.type == NQ_TYPE_TEXT) {
        nq_bytes text;
        return take_text(ctx, key, &text);
    }
    if (size == 0) {
        NQ_TRY(measure_bytes(ctx, *key, &size, &zeros));
    }
    if (key->size < size) {
        return fail_malformed(ctx);
    }
    consume(key, size);
    return NQ_OK;
}
