/* Thread: started with every signal blocked, so that signals reach only the thread that waits for
 * them. */
#ifndef NQ_GROUND_OS_THREAD_H
#define NQ_GROUND_OS_THREAD_H

#include <pthread.h>

#include "engine/ground/base/ctx.h"

typedef struct nq_thread {
    pthread_t handle;
} nq_thread;

/* `name` shows in top and gdb, at most 15 bytes. `out_thread` must be joined. Fails with
 * NQ_MEMORY_LIMIT when the system has no thread to give. */
nq_status nq_thread_start(nq_ctx *ctx, nq_thread *out_thread, const char *name,
                          void (*run)(void *argument), void *argument);
void nq_thread_join(nq_thread *thread);

/* A number of the calling thread's own, small and counted up from 0, to spread threads over a table
 * whose places they then share with few or none. */
uint32_t nq_thread_ordinal(void);

/* From now on the calling thread gives way to others that want to run: nobody waits for what it
 * does. It goes on getting a share when all processors are busy. There is no way back. */
void nq_thread_lower_priority(void);

/* Lets others run for at least this long; may wake early on nothing. */
void nq_thread_sleep_ns(int64_t duration_ns);

#endif
