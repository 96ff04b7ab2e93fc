/* Lanes: see the header. */
#include "tests/engine/storage/support/lanes.h"

#include <stdlib.h>

#include "engine/ground/os/mutex.h"
#include "engine/ground/os/thread.h"

static const int64_t never_ns = INT64_MAX - 1; /* a timed wait all the same: it polls */

typedef struct lane {
    lanes *all;
    nq_thread thread;
    nq_cond begun;
    void (*run)(void *argument); /* NULL: idle */
    void *argument;
} lane;

struct lanes {
    nq_mutex mutex;
    nq_cond ended;
    bool is_stopping;
    uint32_t count;
    lane lanes[];
};

static void run_lane(void *argument) {
    lane *self = argument;
    lanes *all = self->all;
    nq_mutex_lock(&all->mutex);
    while (!all->is_stopping) {
        if (self->run == NULL) {
            nq_cond_wait(&self->begun, &all->mutex);
            continue;
        }
        nq_mutex_unlock(&all->mutex);
        self->run(self->argument);
        nq_mutex_lock(&all->mutex);
        self->run = NULL;
        nq_cond_broadcast(&all->ended);
    }
    nq_mutex_unlock(&all->mutex);
}

lanes *lanes_create(uint32_t count) {
    lanes *all = calloc(1, sizeof *all + count * sizeof all->lanes[0]);
    if (all == NULL) {
        abort();
    }
    nq_ctx ctx;
    nq_ctx_init(&ctx, NULL);
    all->count = count;
    nq_mutex_init(&all->mutex, NQ_LOCK_SERVICE_ALARM);
    nq_cond_init(&all->ended);
    for (uint32_t i = 0; i < count; i++) {
        all->lanes[i].all = all;
        nq_cond_init(&all->lanes[i].begun);
        if (nq_thread_start(&ctx, &all->lanes[i].thread, "lane", run_lane, &all->lanes[i]) !=
            NQ_OK) {
            abort();
        }
    }
    return all;
}

void lanes_destroy(lanes *all) {
    if (all == NULL) {
        return;
    }
    nq_mutex_lock(&all->mutex);
    all->is_stopping = true;
    for (uint32_t i = 0; i < all->count; i++) {
        nq_cond_signal(&all->lanes[i].begun);
    }
    nq_mutex_unlock(&all->mutex);
    for (uint32_t i = 0; i < all->count; i++) {
        nq_thread_join(&all->lanes[i].thread);
        nq_cond_deinit(&all->lanes[i].begun);
    }
    nq_cond_deinit(&all->ended);
    nq_mutex_deinit(&all->mutex);
    free(all);
}

void lanes_start(lanes *all, uint32_t lane, void (*run)(void *argument), void *argument) {
    nq_mutex_lock(&all->mutex);
    all->lanes[lane].argument = argument;
    all->lanes[lane].run = run;
    nq_cond_signal(&all->lanes[lane].begun);
    nq_mutex_unlock(&all->mutex);
}

static uint32_t count_running(const lanes *all) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < all->count; i++) {
        count += all->lanes[i].run != NULL ? 1 : 0;
    }
    return count;
}

/* Whoever is woken is no longer counted as waiting by the time its waker goes on, and each of those
 * who run counts once at most: equal numbers mean that all of them sleep. */
void lanes_await_quiet(lanes *all, const nq_store *store) {
    nq_mutex_lock(&all->mutex);
    while (count_running(all) != 0) {
        nq_store_stats stats;
        nq_store_get_stats(store, &stats);
        if (stats.waiting_txns == count_running(all)) {
            break;
        }
        (void)nq_cond_wait_until(&all->ended, &all->mutex, never_ns);
    }
    nq_mutex_unlock(&all->mutex);
}

void lanes_await_end(lanes *all, uint32_t lane) {
    nq_mutex_lock(&all->mutex);
    while (all->lanes[lane].run != NULL) {
        nq_cond_wait(&all->ended, &all->mutex);
    }
    nq_mutex_unlock(&all->mutex);
}

bool lanes_is_running(lanes *all, uint32_t lane) {
    nq_mutex_lock(&all->mutex);
    bool is_running = all->lanes[lane].run != NULL;
    nq_mutex_unlock(&all->mutex);
    return is_running;
}
