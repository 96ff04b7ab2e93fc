/* Simulated clock: the numbers, and the hook by which clock.c asks for them. */
#include "engine/ground/os/sim_clock.h"

#include "engine/ground/os/clock_internal.h"

static _Atomic int64_t monotonic_now_ns;
static _Atomic int64_t realtime_start_us; /* the calendar when the monotonic clock read 0 */

static int64_t monotonic_ns(void) {
    return atomic_load(&monotonic_now_ns);
}

static int64_t realtime_us(void) {
    return atomic_load(&realtime_start_us) + atomic_load(&monotonic_now_ns) / 1000;
}

static const nq__clock_source SOURCE = {monotonic_ns, realtime_us};

void nq_sim_clock_start(int64_t start_monotonic_ns, int64_t start_realtime_us) {
    atomic_store(&monotonic_now_ns, start_monotonic_ns);
    atomic_store(&realtime_start_us, start_realtime_us - start_monotonic_ns / 1000);
    atomic_store(&nq__clock_replacement, &SOURCE);
}

void nq_sim_clock_stop(void) {
    atomic_store(&nq__clock_replacement, NULL);
}

bool nq_sim_clock_is_on(void) {
    return atomic_load(&nq__clock_replacement) != NULL;
}

void nq_sim_clock_advance(int64_t duration_ns) {
    if (nq_sim_clock_is_on()) {
        atomic_fetch_add(&monotonic_now_ns, duration_ns);
    }
}
