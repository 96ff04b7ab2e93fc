/* Writer: protobuf wire bytes, straight into a payload that grows as needed.
 *
 * Errors stick: after the first refusal (the message would pass its limit, or memory ran out) every
 * put is a no-op and finish reports it, so that encoders need no checks of their own. A
 * submessage's length is patched in when it closes. */
#ifndef NQ_WIRE_WRITER_H
#define NQ_WIRE_WRITER_H

#include "engine/ground/base/ctx.h"
#include "server/rpc/payload.h"

typedef struct nq_writer {
    nq_payload *payload;
    uint8_t *start;
    uint8_t *at;
    uint8_t *end;
    size_t bytes_max;
    nq_status status; /* NQ_OK, NQ_RESULT_TOO_LARGE or NQ_MEMORY_LIMIT: sticks */
} nq_writer;

/* Takes `initial_bytes` at once; grows by doubling up to `bytes_max`. */
void nq_writer_init(nq_writer *writer, size_t initial_bytes, size_t bytes_max);

/* Lets go of everything; after a finish, of nothing. */
void nq_writer_deinit(nq_writer *writer);

/* NQ_OK, or the writer's failure in words. */
nq_status nq_writer_check(nq_ctx *ctx, const nq_writer *writer);

/* Hands the message over, sealed, or fails with the writer's status. Empties the writer either way.
 */
nq_status nq_writer_finish(nq_ctx *ctx, nq_writer *writer, nq_payload **out_payload);

/* Bytes written so far. */
static inline size_t nq_writer_size(const nq_writer *writer) {
    return (size_t)(writer->at - writer->start);
}

/* Forgets everything written after `size`. */
static inline void nq_writer_cut(nq_writer *writer, size_t size) {
    if (writer->status == NQ_OK) {
        writer->at = writer->start + size;
    }
}

/* Makes room; false: the writer failed. Slow path of nq_writer_reserve. */
bool nq_writer_grow(nq_writer *writer, size_t bytes);

static inline bool nq_writer_reserve(nq_writer *writer, size_t bytes) {
    return (size_t)(writer->end - writer->at) >= bytes || nq_writer_grow(writer, bytes);
}

/* Into room that was reserved: at most 10 bytes. */
static inline uint8_t *nq_varint_put(uint8_t *at, uint64_t value) {
    while (value >= 0x80) {
        *at++ = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    *at++ = (uint8_t)value;
    return at;
}

static inline size_t nq_varint_bytes(uint64_t value) {
    return (size_t)(70 - __builtin_clzll(value | 1)) / 7;
}

/* Fields with proto3's rule: a default value is not written. Submessages and elements of repeated
 * fields are always written. */
void nq_writer_put_uint(nq_writer *writer, uint32_t field, uint64_t value); /* uint, bool, enum */
void nq_writer_put_sint(nq_writer *writer, uint32_t field, int64_t value);  /* sint: zigzag */
void nq_writer_put_int32(nq_writer *writer, uint32_t field, int32_t value);
void nq_writer_put_double(nq_writer *writer, uint32_t field, double value);
void nq_writer_put_sfixed64(nq_writer *writer, uint32_t field, int64_t value);
void nq_writer_put_bytes(nq_writer *writer, uint32_t field, nq_bytes value); /* bytes, string */
void nq_writer_put_cstr(nq_writer *writer, uint32_t field, const char *value);
void nq_writer_put_element(nq_writer *writer, uint32_t field, nq_bytes value); /* even when empty */

/* google.protobuf.Duration and Timestamp. A zero duration is an empty message, not an absent one.
 */
void nq_writer_put_duration(nq_writer *writer, uint32_t field, int64_t duration_ns);
void nq_writer_put_timestamp(nq_writer *writer, uint32_t field, int64_t time_us);

/* map<string, uint64>, map<string, string> entries. */
void nq_writer_put_count_entry(nq_writer *writer, uint32_t field, const char *key, uint64_t value);
void nq_writer_put_text_entry(nq_writer *writer, uint32_t field, const char *key, nq_bytes value);

/* A submessage: what is put between the two is its body. Nests. */
size_t nq_writer_open(nq_writer *writer, uint32_t field);
void nq_writer_close(nq_writer *writer, size_t opened);

#endif
