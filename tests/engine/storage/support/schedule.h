/* Schedule: transactions interleaved step by step, written as text, with what each isolation level
 * must answer.
 *
 *     # Berenson et al., P4
 *     schedule lost update
 *     given x=1
 *     a begin
 *     b begin
 *     a get x    -> 1
 *     a put x 2
 *     b put x 3  -> waits
 *     a commit
 *     b wakes    -> conflict
 *     b rollback
 *     final x=2
 *
 * A line is a session and its step, then what it answers: one answer for every level, or three,
 * parted by "|", for READ COMMITTED, REPEATABLE READ and SERIALIZABLE; "-" leaves the step out at
 * that level; without an answer "ok" is expected. A step that waits for a lock answers "waits"; its
 * own answer is that of the session's next line, "wakes". Each session is a thread, so waiting is
 * real, and a circle of waiters has its victim.
 *
 * Steps: begin [read-only | LEVEL], statement, get KEY, scan [LOW HIGH], put KEY VALUE, insert KEY
 * VALUE, remove KEY, savepoint NAME, rollback-to NAME, release NAME, fill TREE, lock-alone TREE,
 * drop TREE, commit, rollback, wakes. Answers: ok, waits, conflict, deadlock, exists, absent,
 * no-table, read-only, a value, "none", or what a scan returns as "x=1 y=2". A key "u/x" is in the
 * tree u; all others are in t. */
#ifndef NQ_TESTS_STORAGE_SUPPORT_SCHEDULE_H
#define NQ_TESTS_STORAGE_SUPPORT_SCHEDULE_H

#include "engine/storage/store/store.h"

/* Runs every schedule of a text at every level. NULL, or what went wrong (static storage). */
const char *schedules_run(nq_store *store, const char *text);

#endif
