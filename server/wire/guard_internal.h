/* Guard: a pass over a request's raw bytes, before anything is unpacked.
 *
 * The unpacker trusts more than a stranger's bytes deserve: it follows any nesting, takes invalid
 * UTF-8, cuts strings at a NUL, and turns two bytes of an empty submessage into dozens of bytes of
 * memory. The guard walks the bytes once with the generated descriptors as its table and refuses
 * all of that, so that unpacking afterwards can only fail for want of memory. It allocates nothing.
 */
#ifndef NQ_WIRE_GUARD_INTERNAL_H
#define NQ_WIRE_GUARD_INTERNAL_H

#include <protobuf-c/protobuf-c.h>

#include "engine/ground/base/bytes.h"
#include "engine/ground/base/ctx.h"

/* No message of ours nests deeper than 8; the rest is room for the protos to grow. */
enum { NQ_GUARD_DEPTH_MAX = 16 };

/* Refuses with
 * - NQ_INVALID_REQUEST: truncated or malformed bytes, a field sent with another wire type, groups,
 * a singular message sent twice (the unpacker would merge the two wrongly), nesting too deep;
 * - NQ_INVALID_UTF8: a string field that is not UTF-8 or holds U+0000;
 * - NQ_MEMORY_LIMIT: unpacking would take more than `memory_bytes_max`.
 * The error's object is the path of the field at fault, "statement.parameters[3].name".
 * `out_memory_bytes` is an upper bound on what unpacking takes. */
nq_status nq__guard_check(nq_ctx *ctx, const ProtobufCMessageDescriptor *descriptor,
                          nq_bytes message, size_t memory_bytes_max, size_t *out_memory_bytes);

#endif
