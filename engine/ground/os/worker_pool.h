/* Worker pool: a fixed number of threads that run tasks in the order they were handed in.
 *
 * A task is embedded in whatever it works on, so submitting allocates nothing and cannot fail; the
 * caller bounds how many there are. */
#ifndef NQ_GROUND_OS_WORKER_POOL_H
#define NQ_GROUND_OS_WORKER_POOL_H

#include "engine/ground/base/ctx.h"

typedef struct nq_worker_pool nq_worker_pool;

/* Belongs to the pool from submit until `run` is called; it may then be submitted again or freed.
 */
typedef struct nq_worker_task {
    struct nq_worker_task *next;
    void (*run)(void *argument);
    void *argument;
} nq_worker_task;

nq_status nq_worker_pool_create(nq_ctx *ctx, uint32_t thread_count, nq_worker_pool **out_pool);

/* Runs what was submitted, then joins the threads. Nothing may be submitted any more, but by tasks.
 */
void nq_worker_pool_destroy(nq_worker_pool *pool);

/* Any thread, tasks included. Accepts whatever waits already: for work admitted elsewhere. */
void nq_worker_pool_submit(nq_worker_pool *pool, nq_worker_task *task, void (*run)(void *argument),
                           void *argument);

/* The same, unless `waiting_max` tasks are waiting: then NQ_OVERLOADED, and the task stays the
 * caller's. */
nq_status nq_worker_pool_try_submit(nq_ctx *ctx, nq_worker_pool *pool, uint64_t waiting_max,
                                    nq_worker_task *task, void (*run)(void *argument),
                                    void *argument) __attribute__((warn_unused_result));

/* Returns when nothing is waiting or running. Not from a task. */
void nq_worker_pool_drain(nq_worker_pool *pool);

typedef struct nq_worker_pool_stats {
    uint32_t thread_count;
    uint32_t busy_count;
    uint64_t waiting_count;
    uint64_t run_count;
} nq_worker_pool_stats;
void nq_worker_pool_get_stats(nq_worker_pool *pool, nq_worker_pool_stats *out_stats);

#endif
