/* Readiness: keeps what health reports in step with what the database can do.
 *
 * A database that turned read-only after a failed write answers queries but is not ready: its
 * server says NOT_SERVING, so that whoever routes to it stops, until it is restarted.
 *
 * Two parts have a health of their own, known where they are configured, because the database goes
 * on without them: the log's second copy, NOT_SERVING once its device has failed, and the log's
 * archive, NOT_SERVING while it refuses segments. */
#ifndef NQ_SERVER_APP_READINESS_H
#define NQ_SERVER_APP_READINESS_H

#include "server/service/service.h"

typedef struct nq_readiness nq_readiness;

#define NQ_HEALTH_LOG_COPY    "neuroquantum.storage.LogCopy"
#define NQ_HEALTH_LOG_ARCHIVE "neuroquantum.storage.LogArchive"

/* Makes the parts known that are configured; before the server starts. */
nq_status nq_readiness_add_parts(nq_ctx *ctx, const nq_service *service);

/* Says SERVING for the server and its services, and watches from then on. */
nq_status nq_readiness_start(nq_ctx *ctx, const nq_service *service, nq_readiness **out_readiness);

/* NULL is allowed. */
void nq_readiness_stop(nq_readiness *readiness);

#endif
