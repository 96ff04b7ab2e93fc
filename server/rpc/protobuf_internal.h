/* Protobuf by hand: just enough of the wire format for health and reflection, whose messages are
 * few and small (protobuf.dev/programming-guides/encoding). Generated code lives in server/wire,
 * above. */
#ifndef NQ_SERVER_RPC_PROTOBUF_INTERNAL_H
#define NQ_SERVER_RPC_PROTOBUF_INTERNAL_H

#include "engine/ground/base/bytes.h"

/* One field of a message: `number` for varints, `bytes` for length-delimited ones. */
typedef struct nq_pb_field {
    uint32_t id;
    bool is_bytes;
    uint64_t number;
    nq_bytes bytes;
} nq_pb_field;

/* Takes the next field off the front of `message`. false: the end, or `*out_is_malformed`.
 * Fixed-width fields are read as numbers; groups are malformed. */
static inline bool nq_pb_read_varint(nq_bytes *message, uint64_t *out_value) {
    *out_value = 0;
    for (unsigned shift = 0; shift < 64 && message->size > 0; shift += 7) {
        uint8_t byte = *message->data;
        message->data++;
        message->size--;
        *out_value |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80)) {
            return true;
        }
    }
    return false;
}

static inline bool nq_pb_take(nq_bytes *message, uint64_t size, nq_bytes *out_bytes) {
    if (size > message->size) {
        return false;
    }
    *out_bytes = nq_bytes_of(message->data, (size_t)size);
    message->data += size;
    message->size -= (size_t)size;
    return true;
}

static inline bool nq_pb_next(nq_bytes *message, nq_pb_field *out_field, bool *out_is_malformed) {
    uint64_t key = 0, size = 0;
    *out_field = (nq_pb_field){0};
    *out_is_malformed = false;
    if (message->size == 0) {
        return false;
    }
    bool is_read = nq_pb_read_varint(message, &key) && key >> 3 != 0 && key >> 32 == 0;
    out_field->id = (uint32_t)(key >> 3);
    switch (key & 7) {
    case 0:
        is_read = is_read && nq_pb_read_varint(message, &out_field->number);
        break;
    case 2:
        out_field->is_bytes = true;
        is_read = is_read && nq_pb_read_varint(message, &size) &&
                  nq_pb_take(message, size, &out_field->bytes);
        break;
    case 1:
    case 5: {
        nq_bytes fixed = {0};
        is_read = is_read && nq_pb_take(message, (key & 7) == 1 ? 8 : 4, &fixed);
        for (size_t i = 0; is_read && i < fixed.size; i++) {
            out_field->number |= (uint64_t)fixed.data[i] << (8 * i);
        }
        break;
    }
    default:
        is_read = false;
    }
    *out_is_malformed = !is_read;
    return is_read;
}

/* ---- Writing, into room whose size was computed before ---- */

static inline size_t nq_pb_varint_bytes(uint64_t value) {
    size_t bytes = 1;
    while (value >>= 7) {
        bytes++;
    }
    return bytes;
}

/* A length-delimited field with an id below 16. */
static inline size_t nq_pb_field_bytes(size_t content_bytes) {
    return 1 + nq_pb_varint_bytes(content_bytes) + content_bytes;
}

static inline uint8_t *nq_pb_write_varint(uint8_t *to, uint64_t value) {
    while (value >= 0x80) {
        *to++ = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    *to++ = (uint8_t)value;
    return to;
}

static inline uint8_t *nq_pb_write_head(uint8_t *to, uint32_t id, size_t content_bytes) {
    *to++ = (uint8_t)(id << 3 | 2);
    return nq_pb_write_varint(to, content_bytes);
}

static inline uint8_t *nq_pb_write_bytes(uint8_t *to, uint32_t id, nq_bytes bytes) {
    to = nq_pb_write_head(to, id, bytes.size);
    if (bytes.size > 0) {
        memcpy(to, bytes.data, bytes.size);
    }
    return to + bytes.size;
}

static inline uint8_t *nq_pb_write_number(uint8_t *to, uint32_t id, uint64_t value) {
    *to++ = (uint8_t)(id << 3);
    return nq_pb_write_varint(to, value);
}

#endif
