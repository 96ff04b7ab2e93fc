/* Worker pool: one list, one mutex, one condition. A submit wakes a thread only if one is idle and
 * none is already on its way, which spares most wake-ups under load. */
#include "engine/ground/os/worker_pool.h"

#include "engine/ground/base/assert.h"
#include "engine/ground/base/heap.h"
#include "engine/ground/obs/counter.h"
#include "engine/ground/os/mutex.h"
#include "engine/ground/os/thread.h"

struct nq_worker_pool {
    nq_mutex mutex;
    nq_cond changed; /* a task came, or the last one ended while stopping */
    nq_cond drained; /* nothing waits or runs */
    nq_worker_task *first;
    nq_worker_task **last_link;
    uint64_t waiting_count;
    uint64_t run_count;
    uint32_t busy_count;
    uint32_t idle_count;
    uint32_t woken_count; /* signalled, but not yet running */
    uint32_t thread_count;
    bool is_stopping;
    nq_thread threads[];
};

static nq_worker_task *take(nq_worker_pool *pool) {
    while (pool->first == NULL) {
        if (pool->is_stopping && pool->busy_count == 0) {
            nq_cond_broadcast(&pool->changed);
            return NULL;
        }
        pool->idle_count++;
        nq_cond_wait(&pool->changed, &pool->mutex);
        pool->idle_count--;
        pool->woken_count -= pool->woken_count > 0;
    }
    nq_worker_task *task = pool->first;
    pool->first = task->next;
    if (pool->first == NULL) {
        pool->last_link = &pool->first;
    }
    pool->waiting_count--;
    return task;
}

static void work(void *argument) {
    nq_worker_pool *pool = argument;
    nq_mutex_lock(&pool->mutex);
    for (nq_worker_task *task; (task = take(pool)) != NULL;) {
        pool->busy_count++;
        void (*run)(void *) = task->run;
        void *with = task->argument;
        nq_mutex_unlock(&pool->mutex);
        run(with);
        nq_counter_add(NQ_COUNTER_WORKER_TASKS, 1);
        nq_mutex_lock(&pool->mutex);
        pool->busy_count--;
        pool->run_count++;
        if (pool->first == NULL && pool->busy_count == 0) {
            nq_cond_broadcast(&pool->drained);
        }
    }
    nq_mutex_unlock(&pool->mutex);
}

nq_status nq_worker_pool_create(nq_ctx *ctx, uint32_t thread_count, nq_worker_pool **out_pool) {
    *out_pool = NULL;
    NQ_ASSERT(thread_count > 0);
    nq_worker_pool *pool =
        nq_heap_calloc(1, sizeof(*pool) + thread_count * sizeof(pool->threads[0]));
    if (pool == NULL) {
        return nq_fail_no_memory(ctx, "the worker pool");
    }
    nq_mutex_init(&pool->mutex, NQ_LOCK_WORKER_POOL);
    nq_cond_init(&pool->changed);
    nq_cond_init(&pool->drained);
    pool->last_link = &pool->first;
    for (; pool->thread_count < thread_count; pool->thread_count++) {
        nq_status status =
            nq_thread_start(ctx, &pool->threads[pool->thread_count], "nq-worker", work, pool);
        if (status != NQ_OK) {
            nq_worker_pool_destroy(pool);
            return status;
        }
    }
    *out_pool = pool;
    return NQ_OK;
}

void nq_worker_pool_destroy(nq_worker_pool *pool) {
    if (pool == NULL) {
        return;
    }
    nq_mutex_lock(&pool->mutex);
    pool->is_stopping = true;
    nq_cond_broadcast(&pool->changed);
    nq_mutex_unlock(&pool->mutex);
    for (uint32_t i = 0; i < pool->thread_count; i++) {
        nq_thread_join(&pool->threads[i]);
    }
    NQ_ASSERT(pool->first == NULL);
    nq_cond_deinit(&pool->drained);
    nq_cond_deinit(&pool->changed);
    nq_mutex_deinit(&pool->mutex);
    nq_heap_free(pool);
}

/* Appends the task unless `waiting_max` are there already. */
static bool append(nq_worker_pool *pool, nq_worker_task *task, uint64_t waiting_max) {
    nq_mutex_lock(&pool->mutex);
    bool fits = pool->waiting_count < waiting_max;
    bool must_wake = false;
    if (fits) {
        *pool->last_link = task;
        pool->last_link = &task->next;
        pool->waiting_count++;
        must_wake = pool->idle_count > pool->woken_count;
        pool->woken_count += must_wake;
    }
    nq_mutex_unlock(&pool->mutex);
    if (must_wake) {
        nq_cond_signal(&pool->changed);
    }
    return fits;
}

void nq_worker_pool_submit(nq_worker_pool *pool, nq_worker_task *task, void (*run)(void *argument),
                           void *argument) {
    *task = (nq_worker_task){.run = run, .argument = argument};
    (void)append(pool, task, UINT64_MAX);
}

nq_status nq_worker_pool_try_submit(nq_ctx *ctx, nq_worker_pool *pool, uint64_t waiting_max,
                                    nq_worker_task *task, void (*run)(void *argument),
                                    void *argument) {
    *task = (nq_worker_task){.run = run, .argument = argument};
    if (append(pool, task, waiting_max)) {
        return NQ_OK;
    }
    nq_counter_add(NQ_COUNTER_WORKER_REFUSALS, 1);
    return nq_fail(ctx, NQ_OVERLOADED, "%llu tasks are waiting for a worker already",
                   (unsigned long long)waiting_max);
}

void nq_worker_pool_drain(nq_worker_pool *pool) {
    nq_mutex_lock(&pool->mutex);
    while (pool->first != NULL || pool->busy_count > 0) {
        nq_cond_wait(&pool->drained, &pool->mutex);
    }
    nq_mutex_unlock(&pool->mutex);
}

void nq_worker_pool_get_stats(nq_worker_pool *pool, nq_worker_pool_stats *out_stats) {
    nq_mutex_lock(&pool->mutex);
    *out_stats = (nq_worker_pool_stats){
        .thread_count = pool->thread_count,
        .busy_count = pool->busy_count,
        .waiting_count = pool->waiting_count,
        .run_count = pool->run_count,
    };
    nq_mutex_unlock(&pool->mutex);
}
