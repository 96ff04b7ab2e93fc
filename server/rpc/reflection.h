/* Reflection: grpc.reflection.v1 and v1alpha ServerReflection, from an embedded FileDescriptorSet.
 */
#ifndef NQ_SERVER_RPC_REFLECTION_H
#define NQ_SERVER_RPC_REFLECTION_H

#include "server/rpc/call.h"

typedef struct nq_reflection nq_reflection;

/* Indexes `descriptor_set`, which must outlive it. Fails with NQ_INVALID_REQUEST when it is not
 * one. */
nq_status nq_reflection_create(nq_ctx *ctx, nq_bytes descriptor_set, nq_reflection **out);
void nq_reflection_destroy(nq_reflection *reflection);

/* A service the server answers, to be listed. false: no memory. */
bool nq_reflection_add_service(nq_reflection *reflection, const char *name);

/* Registered with the nq_reflection as their service. */
extern const nq_method nq_reflection_methods[];
extern const size_t nq_reflection_method_count;

#endif
