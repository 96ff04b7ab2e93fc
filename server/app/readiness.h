/* Readiness: keeps what health reports in step with what the database can do.
 *
 * A database that turned read-only after a failed write answers queries but is not ready: its
 * server says NOT_SERVING, so that whoever routes to it stops, until it is restarted. */
#ifndef NQ_SERVER_APP_READINESS_H
#define NQ_SERVER_APP_READINESS_H

#include "server/service/service.h"

typedef struct nq_readiness nq_readiness;

/* Says SERVING for the server and its services, and watches from then on. */
nq_status nq_readiness_start(nq_ctx *ctx, const nq_service *service, nq_readiness **out_readiness);

/* NULL is allowed. */
void nq_readiness_stop(nq_readiness *readiness);

#endif
