/* Functions about the statement rather than its data: random numbers, UUIDs, names of types. */
#include "engine/ground/os/entropy.h"
#include "engine/query/eval/kernel_internal.h"

nq_status nq__kernel_random(nq_kernel_call *call) {
    nq_rng *rng = call->env == NULL ? NULL : call->env->rng;
    if (rng == NULL) {
        return nq_fail(call->ctx, NQ_FEATURE_UNSUPPORTED, "random() is not allowed here");
    }
    for (NQ_ROWS(call, row)) {
        call->result.numbers[row] = nq_rng_unit(rng);
    }
    return NQ_OK;
}

enum { UUID_BYTES = 16 };

/* RFC 9562 version 4. From the kernel's entropy, not random()'s sequence: these must be
 * unguessable. */
nq_status nq__kernel_gen_random_uuid(nq_kernel_call *call) {
    uint8_t *uuids = nq__kernel_alloc(call, (size_t)call->row_count * UUID_BYTES);
    if (uuids == NULL) {
        return call->ctx->error.code;
    }
    nq_entropy_fill(uuids, (size_t)call->row_count * UUID_BYTES);
    for (uint32_t at = 0; at < call->row_count; at++) {
        uint8_t *uuid = uuids + (size_t)at * UUID_BYTES;
        uuid[6] = (uint8_t)((uuid[6] & 0x0F) | 0x40);
        uuid[8] = (uint8_t)((uuid[8] & 0x3F) | 0x80);
        call->result.bytes[nq__row_at(call, at)] = nq_bytes_of(uuid, UUID_BYTES);
    }
    return NQ_OK;
}

nq_status nq__kernel_type_name(nq_kernel_call *call) {
    nq_bytes name = nq_bytes_of_cstr(nq_type_name(call->args[0]->type.id));
    for (NQ_ROWS(call, row)) {
        call->result.nulls[row] = 0;
        call->result.bytes[row] = name;
    }
    return NQ_OK;
}
