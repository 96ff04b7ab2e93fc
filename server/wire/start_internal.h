/* Start internals: StartPosition, which subscriptions and history both have. */
#ifndef NQ_WIRE_START_INTERNAL_H
#define NQ_WIRE_START_INTERNAL_H

#include "server/wire/pubsub_wire.h"

struct Neuroquantum__V1__StartPosition;

/* NULL, or no position set, means `kind_default`. */
nq_status nq__wire_start(nq_ctx *ctx, const struct Neuroquantum__V1__StartPosition *position,
                         nq_start_kind kind_default, nq_start *out);

#endif
