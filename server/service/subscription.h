/* Subscription: one Subscribe or Listen call — its subscriber in the hub, and what it is told.
 *
 *   on_message(open) ─▶ OPEN ◀──▶ pump: take from the subscriber, encode once, write
 *                        │  wakes: a push, a control, a heartbeat
 *                        └─ drained, too slow, cancelled ─▶ CLOSED
 *
 * I1  pump() is the only place that writes.
 * I2  A subscription with nothing to send holds its queue and its call: no thread, no lock. */
#ifndef NQ_SERVER_SERVICE_SUBSCRIPTION_H
#define NQ_SERVER_SERVICE_SUBSCRIPTION_H

#include "server/rpc/call.h"

extern const nq_method_handler nq__listen_handler;
extern const nq_method_handler nq__subscribe_handler;

#endif
