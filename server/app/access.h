/* Access: the interceptor that feeds the access log. */
#ifndef NQ_SERVER_APP_ACCESS_H
#define NQ_SERVER_APP_ACCESS_H

#include "server/rpc/interceptor.h"

nq_interceptor nq_access_interceptor(void);

#endif
