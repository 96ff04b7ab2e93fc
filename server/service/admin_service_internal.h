/* AdminService internals. */
#ifndef NQ_SERVER_SERVICE_ADMIN_SERVICE_INTERNAL_H
#define NQ_SERVER_SERVICE_ADMIN_SERVICE_INTERNAL_H

#include "server/service/service.h"
#include "server/wire/admin_wire.h"

/* Grows by one whenever something is added to neuroquantum.v1. */
enum { NQ_API_MINOR = 1 };

/* Every number of the process, the engine, the network and the registries whose name fits one of
 * the request's patterns. */
void nq__stats_write(nq_service *service, const nq_get_stats_request *request, nq_writer *writer);

/* SQL's LIKE without an escape: % any bytes, _ one. Linear in each. */
bool nq__name_is_like(nq_bytes name, nq_bytes pattern);

#endif
