/* Wire internals: what the files that decode requests share. */
#ifndef NQ_WIRE_INTERNAL_H
#define NQ_WIRE_INTERNAL_H

#include "server/wire/guard_internal.h"

/* Guards `message` and unpacks it into ctx->scratch, whose budget is the memory limit. The result
 * lives as long as the arena; it is never freed with protobuf-c. */
nq_status nq__wire_unpack(nq_ctx *ctx, const ProtobufCMessageDescriptor *descriptor,
                          nq_bytes message, const void **out_message);

/* Refuses a request field: NQ_INVALID_ARGUMENT with the field's path as the error's object. */
nq_status nq__wire_refuse(nq_ctx *ctx, const char *field, const char *why)
    __attribute__((warn_unused_result));
/* Refuses a field this version does not honour: NQ_FEATURE_UNSUPPORTED. */
nq_status nq__wire_unsupported(nq_ctx *ctx, const char *field, const char *what)
    __attribute__((warn_unused_result));

/* A generated string or bytes field, borrowed. */
static inline nq_bytes nq__wire_text(const char *text) {
    return text == NULL ? (nq_bytes){0} : nq_bytes_of_cstr(text);
}
static inline nq_bytes nq__wire_bytes(ProtobufCBinaryData bytes) {
    return nq_bytes_of(bytes.data, bytes.len);
}

/* A google.protobuf.Duration (NULL: 0), within 0 … `max_ns`. */
struct Google__Protobuf__Duration;
nq_status nq__wire_duration(nq_ctx *ctx, const char *field,
                            const struct Google__Protobuf__Duration *duration, int64_t max_ns,
                            int64_t *out_ns);

/* AIP-158: 0 means the server's choice, more than the most means the most. */
uint32_t nq__wire_page_size(uint32_t asked);

#endif
