/* Health: grpc.health.v1.Health, Check, Watch and List (grpc/doc/health-checking.md). */
#ifndef NQ_SERVER_RPC_HEALTH_H
#define NQ_SERVER_RPC_HEALTH_H

#include "server/rpc/call.h"

typedef struct nq_health nq_health;

nq_health *nq_health_create(void);
void nq_health_destroy(nq_health *health);

/* Makes a service known, NOT_SERVING; known already: nothing. false: no memory. */
bool nq_health_add(nq_health *health, const char *service);
/* Tells the watchers. Unknown names are ignored. */
void nq_health_set(nq_health *health, const char *service, bool is_serving);
/* Everything NOT_SERVING, for good: later sets are ignored. */
void nq_health_shut_down(nq_health *health);

/* Registered with the nq_health as their service. */
extern const nq_method nq_health_methods[];
extern const size_t nq_health_method_count;

#endif
