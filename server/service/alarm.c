/* Alarm: a binary heap under one mutex. Calls are woken under it, so that a cleared alarm's call is
 * never touched; the mutex ranks below everything a wake takes. */
#include "server/service/alarm.h"

#include "engine/ground/base/heap.h"
#include "engine/ground/os/clock.h"
#include "engine/ground/os/mutex.h"
#include "engine/ground/os/thread.h"

struct nq_alarm_clock {
    nq_mutex mutex;
    nq_cond changed;
    nq_alarm **heap;
    uint32_t count;
    uint32_t capacity;
    bool is_stopping;
    nq_thread thread;
};

static void put(nq_alarm_clock *clock, uint32_t index, nq_alarm *alarm) {
    clock->heap[index] = alarm;
    alarm->place = index + 1;
}

static void sift_up(nq_alarm_clock *clock, uint32_t index) {
    nq_alarm *alarm = clock->heap[index];
    while (index > 0 && clock->heap[(index - 1) / 2]->due_ns > alarm->due_ns) {
        put(clock, index, clock->heap[(index - 1) / 2]);
        index = (index - 1) / 2;
    }
    put(clock, index, alarm);
}

static void sift_down(nq_alarm_clock *clock, uint32_t index) {
    nq_alarm *alarm = clock->heap[index];
    for (;;) {
        uint32_t child = 2 * index + 1;
        if (child >= clock->count) {
            break;
        }
        if (child + 1 < clock->count &&
            clock->heap[child + 1]->due_ns < clock->heap[child]->due_ns) {
            child++;
        }
        if (clock->heap[child]->due_ns >= alarm->due_ns) {
            break;
        }
        put(clock, index, clock->heap[child]);
        index = child;
    }
    put(clock, index, alarm);
}

static void take_out(nq_alarm_clock *clock, nq_alarm *alarm) {
    uint32_t index = alarm->place - 1;
    nq_alarm *last = clock->heap[--clock->count];
    alarm->place = 0;
    if (last != alarm) {
        put(clock, index, last);
        sift_up(clock, index);
        sift_down(clock, last->place - 1);
    }
}

static void run(void *argument) {
    nq_alarm_clock *clock = argument;
    nq_mutex_lock(&clock->mutex);
    while (!clock->is_stopping) {
        int64_t now_ns = nq_clock_monotonic_ns();
        while (clock->count > 0 && clock->heap[0]->due_ns <= now_ns) {
            nq_alarm *due = clock->heap[0];
            take_out(clock, due);
            nq_call_wake(due->call);
        }
        int64_t until_ns = clock->count > 0 ? clock->heap[0]->due_ns : INT64_MAX;
        (void)nq_cond_wait_until(&clock->changed, &clock->mutex, until_ns);
    }
    nq_mutex_unlock(&clock->mutex);
}

nq_status nq_alarm_clock_create(nq_ctx *ctx, nq_alarm_clock **out_clock) {
    *out_clock = NULL;
    nq_alarm_clock *clock = nq_heap_calloc(1, sizeof *clock);
    if (clock == NULL) {
        return nq_fail_no_memory(ctx, "the alarm clock");
    }
    nq_mutex_init(&clock->mutex, NQ_LOCK_SERVICE_ALARM);
    nq_cond_init(&clock->changed);
    nq_status status = nq_thread_start(ctx, &clock->thread, "nq-alarm", run, clock);
    if (status != NQ_OK) {
        nq_cond_deinit(&clock->changed);
        nq_mutex_deinit(&clock->mutex);
        nq_heap_free(clock);
        return status;
    }
    *out_clock = clock;
    return NQ_OK;
}

void nq_alarm_clock_destroy(nq_alarm_clock *clock) {
    if (clock == NULL) {
        return;
    }
    nq_mutex_lock(&clock->mutex);
    clock->is_stopping = true;
    nq_cond_signal(&clock->changed);
    nq_mutex_unlock(&clock->mutex);
    nq_thread_join(&clock->thread);
    nq_cond_deinit(&clock->changed);
    nq_mutex_deinit(&clock->mutex);
    nq_heap_free(clock->heap);
    nq_heap_free(clock);
}

static bool reserve(nq_alarm_clock *clock) {
    if (clock->count < clock->capacity) {
        return true;
    }
    uint32_t capacity = clock->capacity == 0 ? 64 : 2 * clock->capacity;
    nq_alarm **heap = nq_heap_realloc(clock->heap, capacity * sizeof(nq_alarm *));
    if (heap == NULL) {
        return false;
    }
    clock->heap = heap;
    clock->capacity = capacity;
    return true;
}

bool nq_alarm_set(nq_alarm_clock *clock, nq_alarm *alarm, nq_call *call, int64_t due_ns) {
    nq_mutex_lock(&clock->mutex);
    if (alarm->place != 0) {
        take_out(clock, alarm);
    }
    bool is_set = reserve(clock);
    if (is_set) {
        *alarm = (nq_alarm){.call = call, .due_ns = due_ns};
        put(clock, clock->count++, alarm);
        sift_up(clock, alarm->place - 1);
        if (alarm->place == 1) {
            nq_cond_signal(&clock->changed);
        }
    }
    nq_mutex_unlock(&clock->mutex);
    return is_set;
}

void nq_alarm_clear(nq_alarm_clock *clock, nq_alarm *alarm) {
    nq_mutex_lock(&clock->mutex);
    if (alarm->place != 0) {
        take_out(clock, alarm);
    }
    nq_mutex_unlock(&clock->mutex);
}
