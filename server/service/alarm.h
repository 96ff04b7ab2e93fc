/* Alarm: wakes calls at given times — heartbeats, a statement's own timeout while it is paused.
 *
 * One thread and a heap ordered by time. An alarm lives in its call's state: setting one allocates
 * only when the heap grows. */
#ifndef NQ_SERVER_SERVICE_ALARM_H
#define NQ_SERVER_SERVICE_ALARM_H

#include "server/rpc/call.h"

typedef struct nq_alarm_clock nq_alarm_clock;

/* Zeroed: not set. */
typedef struct nq_alarm {
    nq_call *call;
    int64_t due_ns;
    uint32_t place; /* 1 + index in the heap; 0: not set */
} nq_alarm;

nq_status nq_alarm_clock_create(nq_ctx *ctx, nq_alarm_clock **out_clock);
/* Every alarm must have been cleared. NULL is allowed. */
void nq_alarm_clock_destroy(nq_alarm_clock *clock);

/* The call's on_wake runs soon after `due_ns`, once. Setting again moves it. Without memory the
 * alarm is not set: false. */
bool nq_alarm_set(nq_alarm_clock *clock, nq_alarm *alarm, nq_call *call, int64_t due_ns);
/* Afterwards the clock has forgotten the call. Harmless when it is not set. */
void nq_alarm_clear(nq_alarm_clock *clock, nq_alarm *alarm);

#endif
