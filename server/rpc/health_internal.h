/* Health: grpc.health.v1.Health, Check, Watch and List (grpc/doc/health-checking.md). */
#ifndef NQ_SERVER_RPC_HEALTH_INTERNAL_H
#define NQ_SERVER_RPC_HEALTH_INTERNAL_H

#include "server/rpc/call.h"

typedef struct nq_health nq_health;

nq_health *nq__health_create(void);
void nq__health_destroy(nq_health *health);

/* Makes a service known, NOT_SERVING; known already: nothing. false: no memory. */
bool nq__health_add(nq_health *health, const char *service);
/* Tells the watchers. Unknown names are ignored. */
void nq__health_set(nq_health *health, const char *service, bool is_serving);
/* Everything NOT_SERVING, for good: later sets are ignored. */
void nq__health_shut_down(nq_health *health);

/* Registered with the nq_health as their service. */
extern const nq_method nq__health_methods[];
extern const size_t nq__health_method_count;

#endif
