/* Lanes: calls that may wait for locks, each on a thread of its own, while one driver looks on.
 *
 * The driver starts a job on a lane and then awaits quiet: every lane has ended its job or sleeps
 * behind a lock. What follows is as reproducible as if there were one thread. */
#ifndef NQ_TESTS_STORAGE_SUPPORT_LANES_H
#define NQ_TESTS_STORAGE_SUPPORT_LANES_H

#include "engine/storage/store/store.h"

typedef struct lanes lanes;

/* Aborts the program on lack of memory or threads. */
lanes *lanes_create(uint32_t count);
/* Every lane is idle. NULL is allowed. */
void lanes_destroy(lanes *all);

/* The lane is idle. */
void lanes_start(lanes *all, uint32_t lane, void (*run)(void *argument), void *argument);
/* Returns when whoever still runs waits for a lock of the store. */
void lanes_await_quiet(lanes *all, const nq_store *store);
void lanes_await_end(lanes *all, uint32_t lane);
bool lanes_is_running(lanes *all, uint32_t lane);

#endif
