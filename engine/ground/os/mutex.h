/* Mutex and condition: pthread's, born with a rank. */
#ifndef NQ_GROUND_OS_MUTEX_H
#define NQ_GROUND_OS_MUTEX_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "engine/ground/os/lock_rank.h"

typedef struct nq_mutex {
    pthread_mutex_t mutex;
    nq_lock_rank rank;
} nq_mutex;

typedef struct nq_cond {
    pthread_cond_t cond;
} nq_cond;

void nq_mutex_init(nq_mutex *mutex, nq_lock_rank rank);
void nq_mutex_deinit(nq_mutex *mutex);
/* Debug builds assert that no lock of this or a higher rank is held by the thread. */
void nq_mutex_lock(nq_mutex *mutex);
/* Never waits, hence in any order; false: somebody holds it. */
bool nq_mutex_try_lock(nq_mutex *mutex);
void nq_mutex_unlock(nq_mutex *mutex);

void nq_cond_init(nq_cond *cond);
void nq_cond_deinit(nq_cond *cond);
void nq_cond_wait(nq_cond *cond, nq_mutex *mutex);
/* Until woken or the monotonic clock reaches `deadline_ns`; false on the latter. */
bool nq_cond_wait_until(nq_cond *cond, nq_mutex *mutex, int64_t deadline_ns);
void nq_cond_signal(nq_cond *cond);
void nq_cond_broadcast(nq_cond *cond);

#endif
