/* Session: one transaction after another on a thread of its own, told step by step what to do. */
#ifndef NQ_TESTS_STORAGE_SUPPORT_SESSION_H
#define NQ_TESTS_STORAGE_SUPPORT_SESSION_H

#include "engine/storage/store/store.h"

typedef struct session session;

enum { SESSION_TREES = 2 }; /* "t" and "u" */

/* Aborts the program on lack of memory or threads. */
session *session_create(nq_store *store, const nq_tree_id *trees, nq_isolation level);
/* It is idle. NULL is allowed. */
void session_destroy(session *s);

/* Starts a step; the words are those of schedule.h. */
void session_begin_step(session *s, const char *step);

/* Returns the step's answer when it has one, or "waits" as soon as more than `waiting_count`
 * transactions of the store wait for locks. Borrowed until the next step. */
const char *session_await(session *s, uint32_t waiting_count);

/* The last step has not answered yet. */
bool session_is_waiting(const session *s);
/* No transaction is open. */
bool session_is_idle(const session *s);

#endif
