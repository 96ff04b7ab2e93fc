/* Eventcount: a number that grows with every notification, and Linux's futex to sleep on it.
 *
 * `waiter_count` is raised before the number is read, the number raised before the count is read,
 * both sequentially consistent: either the waiter sees the new number or the notifier the waiter.
 */
#define _GNU_SOURCE
#include "engine/ground/os/eventcount.h"

#include <assert.h>
#include <limits.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "engine/ground/base/assert.h"

static_assert(sizeof(_Atomic uint32_t) == 4, "what a futex is");

nq_eventcount_key nq_eventcount_prepare(nq_eventcount *event) {
    atomic_fetch_add(&event->waiter_count, 1);
    return (nq_eventcount_key){atomic_load(&event->epoch)};
}

void nq_eventcount_cancel(nq_eventcount *event) {
    atomic_fetch_sub(&event->waiter_count, 1);
}

void nq_eventcount_wait(nq_eventcount *event, nq_eventcount_key key) {
    while (atomic_load(&event->epoch) == key.epoch) {
        /* An answer other than success only means: look again. */
        (void)syscall(SYS_futex, &event->epoch, FUTEX_WAIT_PRIVATE, key.epoch, NULL, NULL, 0);
    }
    atomic_fetch_sub(&event->waiter_count, 1);
}

static void notify(nq_eventcount *event, int count) {
    atomic_fetch_add(&event->epoch, 1);
    if (atomic_load(&event->waiter_count) != 0) {
        (void)syscall(SYS_futex, &event->epoch, FUTEX_WAKE_PRIVATE, count, NULL, NULL, 0);
    }
}

void nq_eventcount_notify_one(nq_eventcount *event) {
    notify(event, 1);
}

void nq_eventcount_notify_all(nq_eventcount *event) {
    notify(event, INT_MAX);
}
