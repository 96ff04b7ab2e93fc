/* Unpack: guard, then protobuf-c into the request's arena. */
#include <google/protobuf/duration.pb-c.h>
#include <stdio.h>

#include "server/wire/wire_internal.h"

static void *take(void *arena, size_t bytes) {
    return nq_arena_alloc(arena, bytes);
}

/* The arena lets go of everything at once. */
static void keep(void *arena, void *pointer) {
    (void)arena;
    (void)pointer;
}

nq_status nq__wire_unpack(nq_ctx *ctx, const ProtobufCMessageDescriptor *descriptor,
                          nq_bytes message, const void **out_message) {
    *out_message = NULL;
    size_t memory_bytes = 0;
    size_t taken = ctx->scratch->taken_bytes, budget = ctx->scratch->budget_bytes;
    NQ_TRY(nq__guard_check(ctx, descriptor, message, budget > taken ? budget - taken : 0,
                           &memory_bytes));
    ProtobufCAllocator allocator = {.alloc = take, .free = keep, .allocator_data = ctx->scratch};
    /* protobuf-c never reads data of size 0, but wants a pointer. */
    const uint8_t *data = message.data == NULL ? (const uint8_t *)"" : message.data;
    *out_message = protobuf_c_message_unpack(descriptor, &allocator, message.size, data);
    if (*out_message == NULL) {
        return ctx->scratch->budget_bytes - ctx->scratch->taken_bytes < memory_bytes
                   ? nq_fail_no_memory(ctx, "the request")
                   : nq_fail(ctx, NQ_INVALID_REQUEST, "%s: malformed message",
                             descriptor->short_name);
    }
    return NQ_OK;
}

nq_status nq__wire_refuse(nq_ctx *ctx, const char *field, const char *why) {
    nq_status status = nq_fail(ctx, NQ_INVALID_ARGUMENT, "field %s %s", field, why);
    nq_error_set_object(&ctx->error, field, strlen(field));
    return status;
}

nq_status nq__wire_unsupported(nq_ctx *ctx, const char *field, const char *what) {
    nq_status status = nq_fail(ctx, NQ_FEATURE_UNSUPPORTED,
                               "field %s: %s is not supported by this version", field, what);
    nq_error_set_object(&ctx->error, field, strlen(field));
    return status;
}

nq_status nq__wire_duration(nq_ctx *ctx, const char *field,
                            const struct Google__Protobuf__Duration *duration, int64_t max_ns,
                            int64_t *out_ns) {
    *out_ns = 0;
    if (duration == NULL) {
        return NQ_OK;
    }
    if (duration->seconds < 0 || duration->nanos < 0 || duration->nanos > 999999999) {
        return nq__wire_refuse(ctx, field, "is negative or malformed");
    }
    if (duration->seconds > max_ns / 1000000000 ||
        duration->seconds * 1000000000 + duration->nanos > max_ns) {
        char why[64];
        snprintf(why, sizeof why, "is longer than %lld seconds", (long long)(max_ns / 1000000000));
        return nq__wire_refuse(ctx, field, why);
    }
    *out_ns = duration->seconds * 1000000000 + duration->nanos;
    return NQ_OK;
}
