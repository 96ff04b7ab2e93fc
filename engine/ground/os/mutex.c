/* Mutex: a failing pthread call here is a bug (a lock destroyed while held, a stranger's unlock),
 * never a condition to handle. */
#define _GNU_SOURCE
#include "engine/ground/os/mutex.h"

#include <errno.h>
#include <time.h>

#include "engine/ground/base/assert.h"
#include "engine/ground/os/clock.h"
#include "engine/ground/os/clock_internal.h"
#include "engine/ground/os/sim_clock.h"

/* Nobody is woken by a simulated clock's moving: who waits for one looks again after this time. */
enum { SIMULATED_POLL_NS = 1000000 };

#ifndef NDEBUG
enum { HELD_MAX = 16 };
static _Thread_local nq_lock_rank held[HELD_MAX];
static _Thread_local unsigned held_count;

static void note_locked(nq_lock_rank rank, bool in_order) {
    for (unsigned i = 0; in_order && i < held_count; i++) {
        NQ_ASSERT(held[i] < rank);
    }
    NQ_ASSERT(held_count < HELD_MAX);
    held[held_count++] = rank;
}

static void note_unlocked(nq_lock_rank rank) {
    unsigned i = held_count;
    while (i > 0 && held[i - 1] != rank) {
        i--;
    }
    NQ_ASSERT(i > 0);
    for (; i < held_count; i++) {
        held[i - 1] = held[i];
    }
    held_count--;
}
#else
static inline void note_locked(nq_lock_rank rank, bool in_order) {
    (void)rank;
    (void)in_order;
}
static inline void note_unlocked(nq_lock_rank rank) {
    (void)rank;
}
#endif

void nq_mutex_init(nq_mutex *mutex, nq_lock_rank rank) {
    mutex->rank = rank;
    NQ_ASSERT(pthread_mutex_init(&mutex->mutex, NULL) == 0);
}

void nq_mutex_deinit(nq_mutex *mutex) {
    NQ_ASSERT(pthread_mutex_destroy(&mutex->mutex) == 0);
}

void nq_mutex_lock(nq_mutex *mutex) {
    note_locked(mutex->rank, true);
    NQ_ASSERT(pthread_mutex_lock(&mutex->mutex) == 0);
}

bool nq_mutex_try_lock(nq_mutex *mutex) {
    if (pthread_mutex_trylock(&mutex->mutex) != 0) {
        return false;
    }
    note_locked(mutex->rank, false);
    return true;
}

void nq_mutex_unlock(nq_mutex *mutex) {
    note_unlocked(mutex->rank);
    NQ_ASSERT(pthread_mutex_unlock(&mutex->mutex) == 0);
}

void nq_cond_init(nq_cond *cond) {
    pthread_condattr_t attributes;
    NQ_ASSERT(pthread_condattr_init(&attributes) == 0);
    NQ_ASSERT(pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) == 0);
    NQ_ASSERT(pthread_cond_init(&cond->cond, &attributes) == 0);
    NQ_ASSERT(pthread_condattr_destroy(&attributes) == 0);
}

void nq_cond_deinit(nq_cond *cond) {
    NQ_ASSERT(pthread_cond_destroy(&cond->cond) == 0);
}

void nq_cond_wait(nq_cond *cond, nq_mutex *mutex) {
    NQ_ASSERT(pthread_cond_wait(&cond->cond, &mutex->mutex) == 0);
}

bool nq_cond_wait_until(nq_cond *cond, nq_mutex *mutex, int64_t deadline_ns) {
    if (deadline_ns == INT64_MAX) {
        nq_cond_wait(cond, mutex);
        return true;
    }
    int64_t at = deadline_ns < 0 ? 0 : deadline_ns;
    if (nq_sim_clock_is_on()) {
        if (nq_clock_monotonic_ns() >= deadline_ns) {
            return false;
        }
        at = nq__clock_machine_ns() + SIMULATED_POLL_NS;
    }
    struct timespec until = {.tv_sec = at / 1000000000, .tv_nsec = at % 1000000000};
    int code = pthread_cond_timedwait(&cond->cond, &mutex->mutex, &until);
    NQ_ASSERT(code == 0 || code == ETIMEDOUT);
    return code == 0 || nq_clock_monotonic_ns() < deadline_ns;
}

void nq_cond_signal(nq_cond *cond) {
    NQ_ASSERT(pthread_cond_signal(&cond->cond) == 0);
}

void nq_cond_broadcast(nq_cond *cond) {
    NQ_ASSERT(pthread_cond_broadcast(&cond->cond) == 0);
}
