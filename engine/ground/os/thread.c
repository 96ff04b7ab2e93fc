/* Thread: pthread behind a start that names and a join that cannot be forgotten. */
#define _GNU_SOURCE
#include "engine/ground/os/thread.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/resource.h>
#include <time.h>

#include "engine/ground/base/assert.h"
#include "engine/ground/base/heap.h"
#include "engine/ground/obs/counter.h"

typedef struct start_order {
    void (*run)(void *argument);
    void *argument;
    char name[16];
} start_order;

static void *begin(void *memory) {
    start_order order = *(start_order *)memory;
    nq_heap_free(memory);
    (void)pthread_setname_np(pthread_self(), order.name);
    order.run(order.argument);
    nq_counter_thread_end();
    nq_heap_thread_end();
    return NULL;
}

nq_status nq_thread_start(nq_ctx *ctx, nq_thread *out_thread, const char *name,
                          void (*run)(void *argument), void *argument) {
    start_order *order = nq_heap_alloc(sizeof(*order));
    if (order == NULL) {
        return nq_fail_no_memory(ctx, "a thread");
    }
    *order = (start_order){.run = run, .argument = argument};
    (void)snprintf(order->name, sizeof(order->name), "%s", name);
    sigset_t all;
    sigset_t before;
    NQ_ASSERT(sigfillset(&all) == 0);
    NQ_ASSERT(pthread_sigmask(SIG_SETMASK, &all, &before) == 0);
    int code = pthread_create(&out_thread->handle, NULL, begin, order);
    NQ_ASSERT(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0);
    if (code != 0) {
        nq_heap_free(order);
        return nq_fail(ctx, NQ_MEMORY_LIMIT, "cannot start thread %s: error %d", name, code);
    }
    return NQ_OK;
}

void nq_thread_join(nq_thread *thread) {
    NQ_ASSERT(pthread_join(thread->handle, NULL) == 0);
}

/* On Linux a thread has a niceness of its own, whatever POSIX says of processes. */
void nq_thread_lower_priority(void) {
    enum { NICER = 10 };
    (void)setpriority(PRIO_PROCESS, 0, getpriority(PRIO_PROCESS, 0) + NICER);
}

void nq_thread_sleep_ns(int64_t duration_ns) {
    struct timespec span = {.tv_sec = duration_ns / 1000000000,
                            .tv_nsec = duration_ns % 1000000000};
    (void)nanosleep(&span, NULL);
}

uint32_t nq_thread_ordinal(void) {
    static _Atomic uint32_t thread_count;
    static _Thread_local uint32_t number; /* 0: not given yet */
    if (number == 0) {
        number = atomic_fetch_add_explicit(&thread_count, 1, memory_order_relaxed) + 1;
    }
    return number - 1;
}
