/* Clock: one that never goes back, for durations and deadlines, and the calendar's. */
#ifndef NQ_GROUND_OS_CLOCK_H
#define NQ_GROUND_OS_CLOCK_H

#include <stdint.h>

/* Nanoseconds since some fixed moment; never decreases; stands still while the machine sleeps. */
int64_t nq_clock_monotonic_ns(void);

/* The same clock as of the kernel's last tick: some milliseconds behind, and several times cheaper.
 * For what is asked often and need not be exact, as whether a deadline has passed. */
int64_t nq_clock_coarse_ns(void);

/* Microseconds since 1970-01-01T00:00:00Z; may jump either way. */
int64_t nq_clock_realtime_us(void);

/* CPU time that this thread, or the whole process, has used. */
int64_t nq_clock_thread_cpu_ns(void);
int64_t nq_clock_process_cpu_ns(void);

/* `duration_ns` from now on the monotonic clock, without overflow: a deadline. */
int64_t nq_clock_deadline_ns(int64_t duration_ns);

#endif
