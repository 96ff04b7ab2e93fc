/* Simulated clock: nq_clock_* answer from a number that only moves when told, process-wide, so that
 * timeouts and pacing are tested without waiting. Timed waits on a condition compare with it too.
 */
#ifndef NQ_GROUND_OS_SIM_CLOCK_H
#define NQ_GROUND_OS_SIM_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

/* From now on both clocks start from these and stand still. */
void nq_sim_clock_start(int64_t monotonic_ns, int64_t realtime_us);

/* Back to the machine's. */
void nq_sim_clock_stop(void);

bool nq_sim_clock_is_on(void);

/* Moves both forward; any thread. Nothing happens when it is not on. */
void nq_sim_clock_advance(int64_t duration_ns);

#endif
