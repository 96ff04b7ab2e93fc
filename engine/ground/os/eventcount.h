/* Eventcount: threads sleep until something happens that no lock guards, and wake without a lock to
 * fight each other for.
 *
 *     for (;;) {
 *         nq_eventcount_key key = nq_eventcount_prepare(&event);
 *         if (it_has_happened()) {
 *             nq_eventcount_cancel(&event);
 *             break;
 *         }
 *         nq_eventcount_wait(&event, key);
 *     }
 *
 * Whoever makes it happen notifies afterwards: a waiter either sees it or is woken. With nobody
 * waiting a notification costs no system call. Zeroed memory is an eventcount, and nothing needs to
 * be released. */
#ifndef NQ_GROUND_OS_EVENTCOUNT_H
#define NQ_GROUND_OS_EVENTCOUNT_H

#include <stdatomic.h>
#include <stdint.h>

typedef struct nq_eventcount {
    _Atomic uint32_t epoch; /* of notifications */
    _Atomic uint32_t waiter_count;
} nq_eventcount;

typedef struct nq_eventcount_key {
    uint32_t epoch;
} nq_eventcount_key;

/* Announces a waiter. One of the next two calls must follow, on the same thread. */
nq_eventcount_key nq_eventcount_prepare(nq_eventcount *event);
void nq_eventcount_cancel(nq_eventcount *event);
/* Returns after a notification that came since `prepare`. */
void nq_eventcount_wait(nq_eventcount *event, nq_eventcount_key key);

/* Wakes one waiter that sleeps, and every one that has not fallen asleep yet. */
void nq_eventcount_notify_one(nq_eventcount *event);
void nq_eventcount_notify_all(nq_eventcount *event);

#endif
