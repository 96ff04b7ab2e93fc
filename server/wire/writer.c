/* Writer: growth, and the few field shapes that responses are made of. */
#include "server/wire/writer.h"

enum {
    WIRE_VARINT = 0,
    WIRE_FIXED64 = 1,
    WIRE_LENGTH = 2,
    TAG_BYTES_MAX = 5,
    VARINT_BYTES_MAX = 10,
    /* An open submessage's length: five bytes hold any, padded with continuation bits. */
    LENGTH_BYTES = 5,
    /* Bodies shorter than this are moved down to a one-byte length when they close. */
    SHORT_BODY_BYTES = 128,
};

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "the wire is little-endian, and so are we");

void nq_writer_init(nq_writer *writer, size_t initial_bytes, size_t bytes_max) {
    *writer = (nq_writer){.bytes_max = bytes_max};
    (void)nq_writer_grow(writer, initial_bytes < bytes_max ? initial_bytes : bytes_max);
}

void nq_writer_deinit(nq_writer *writer) {
    nq_payload_release(writer->payload);
    *writer = (nq_writer){.status = writer->status};
}

static bool stick(nq_writer *writer, nq_status status) {
    writer->status = status;
    writer->at = writer->end = writer->start;
    return false;
}

bool nq_writer_grow(nq_writer *writer, size_t bytes) {
    if (writer->status != NQ_OK) {
        return false;
    }
    size_t used = nq_writer_size(writer);
    if (bytes > writer->bytes_max - used) {
        return stick(writer, NQ_RESULT_TOO_LARGE);
    }
    size_t capacity = (size_t)(writer->end - writer->start);
    size_t wanted = capacity * 2 > used + bytes ? capacity * 2 : used + bytes;
    wanted = wanted < writer->bytes_max ? wanted : writer->bytes_max;
    nq_payload *grown = nq_payload_create(wanted == 0 ? 1 : wanted);
    if (grown == NULL) {
        return stick(writer, NQ_MEMORY_LIMIT);
    }
    uint8_t *room = nq_payload_room(grown);
    if (used > 0) {
        memcpy(room, writer->start, used);
    }
    nq_payload_release(writer->payload);
    writer->payload = grown;
    writer->start = room;
    writer->at = room + used;
    writer->end = room + wanted;
    return true;
}

nq_status nq_writer_check(nq_ctx *ctx, const nq_writer *writer) {
    if (writer->status == NQ_OK) {
        return NQ_OK;
    }
    if (writer->status != NQ_RESULT_TOO_LARGE) {
        return nq_fail(ctx, writer->status, "no memory is left for the response");
    }
    nq_status status = nq_fail(ctx, NQ_RESULT_TOO_LARGE,
                               "the response would be larger than %zu bytes", writer->bytes_max);
    nq_error_set_hint(&ctx->error, "Use StreamService.ExecuteStream, LIMIT, or options.max_rows.");
    return status;
}

nq_status nq_writer_finish(nq_ctx *ctx, nq_writer *writer, nq_payload **out_payload) {
    *out_payload = NULL;
    nq_status status = nq_writer_check(ctx, writer);
    if (status == NQ_OK) {
        *out_payload = nq_payload_seal(writer->payload, nq_writer_size(writer));
        writer->payload = NULL;
    }
    nq_writer_deinit(writer);
    return status;
}

static uint8_t *put_tag(uint8_t *at, uint32_t field, uint32_t wire_type) {
    return nq_varint_put(at, (uint64_t)field << 3 | wire_type);
}

void nq_writer_put_uint(nq_writer *writer, uint32_t field, uint64_t value) {
    if (value == 0 || !nq_writer_reserve(writer, TAG_BYTES_MAX + VARINT_BYTES_MAX)) {
        return;
    }
    writer->at = nq_varint_put(put_tag(writer->at, field, WIRE_VARINT), value);
}

void nq_writer_put_sint(nq_writer *writer, uint32_t field, int64_t value) {
    nq_writer_put_uint(writer, field, (uint64_t)value << 1 ^ (uint64_t)(value >> 63));
}

void nq_writer_put_int32(nq_writer *writer, uint32_t field, int32_t value) {
    nq_writer_put_uint(writer, field, (uint64_t)(int64_t)value);
}

static void put_fixed64(nq_writer *writer, uint32_t field, const void *bits) {
    if (!nq_writer_reserve(writer, TAG_BYTES_MAX + sizeof(uint64_t))) {
        return;
    }
    uint8_t *at = put_tag(writer->at, field, WIRE_FIXED64);
    memcpy(at, bits, sizeof(uint64_t));
    writer->at = at + sizeof(uint64_t);
}

void nq_writer_put_double(nq_writer *writer, uint32_t field, double value) {
    uint64_t bits = 0;
    memcpy(&bits, &value, sizeof bits);
    if (bits != 0) {
        put_fixed64(writer, field, &bits);
    }
}

void nq_writer_put_sfixed64(nq_writer *writer, uint32_t field, int64_t value) {
    if (value != 0) {
        put_fixed64(writer, field, &value);
    }
}

void nq_writer_put_element(nq_writer *writer, uint32_t field, nq_bytes value) {
    if (!nq_writer_reserve(writer, TAG_BYTES_MAX + VARINT_BYTES_MAX + value.size)) {
        return;
    }
    uint8_t *at = nq_varint_put(put_tag(writer->at, field, WIRE_LENGTH), value.size);
    if (value.size > 0) {
        memcpy(at, value.data, value.size);
    }
    writer->at = at + value.size;
}

void nq_writer_put_bytes(nq_writer *writer, uint32_t field, nq_bytes value) {
    if (value.size > 0) {
        nq_writer_put_element(writer, field, value);
    }
}

void nq_writer_put_cstr(nq_writer *writer, uint32_t field, const char *value) {
    nq_writer_put_bytes(writer, field, nq_bytes_of_cstr(value));
}

void nq_writer_put_duration(nq_writer *writer, uint32_t field, int64_t duration_ns) {
    size_t opened = nq_writer_open(writer, field);
    nq_writer_put_uint(writer, 1, (uint64_t)(duration_ns / 1000000000));
    nq_writer_put_int32(writer, 2, (int32_t)(duration_ns % 1000000000));
    nq_writer_close(writer, opened);
}

void nq_writer_put_timestamp(nq_writer *writer, uint32_t field, int64_t time_us) {
    /* Timestamp counts nanoseconds forwards, also before 1970. */
    int64_t seconds = time_us / 1000000 - (time_us % 1000000 < 0);
    int64_t rest_us = time_us - seconds * 1000000;
    size_t opened = nq_writer_open(writer, field);
    nq_writer_put_uint(writer, 1, (uint64_t)seconds);
    nq_writer_put_int32(writer, 2, (int32_t)(rest_us * 1000));
    nq_writer_close(writer, opened);
}

void nq_writer_put_count_entry(nq_writer *writer, uint32_t field, const char *key, uint64_t value) {
    size_t opened = nq_writer_open(writer, field);
    nq_writer_put_cstr(writer, 1, key);
    nq_writer_put_uint(writer, 2, value);
    nq_writer_close(writer, opened);
}

void nq_writer_put_text_entry(nq_writer *writer, uint32_t field, const char *key, nq_bytes value) {
    size_t opened = nq_writer_open(writer, field);
    nq_writer_put_cstr(writer, 1, key);
    nq_writer_put_bytes(writer, 2, value);
    nq_writer_close(writer, opened);
}

size_t nq_writer_open(nq_writer *writer, uint32_t field) {
    if (!nq_writer_reserve(writer, TAG_BYTES_MAX + LENGTH_BYTES)) {
        return 0;
    }
    writer->at = put_tag(writer->at, field, WIRE_LENGTH) + LENGTH_BYTES;
    return nq_writer_size(writer);
}

void nq_writer_close(nq_writer *writer, size_t opened) {
    if (writer->status != NQ_OK) {
        return;
    }
    uint8_t *body = writer->start + opened;
    size_t body_bytes = (size_t)(writer->at - body);
    uint8_t *length = body - LENGTH_BYTES;
    if (body_bytes < SHORT_BODY_BYTES) {
        length[0] = (uint8_t)body_bytes;
        memmove(length + 1, body, body_bytes);
        writer->at = length + 1 + body_bytes;
        return;
    }
    for (uint32_t i = 0; i < LENGTH_BYTES - 1; i++) {
        length[i] = (uint8_t)(body_bytes >> (7 * i) | 0x80);
    }
    length[LENGTH_BYTES - 1] = (uint8_t)(body_bytes >> (7 * (LENGTH_BYTES - 1)) & 0x7f);
}
