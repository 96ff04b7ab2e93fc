/* Clock: clock_gettime, which the kernel answers without a system call. */
#define _GNU_SOURCE
#include "engine/ground/os/clock.h"

#include <time.h>

#include "engine/ground/os/clock_internal.h"

const nq__clock_source *_Atomic nq__clock_replacement;

static const nq__clock_source *replacement(void) {
    return atomic_load_explicit(&nq__clock_replacement, memory_order_relaxed);
}

static int64_t read_ns(clockid_t clock) {
    struct timespec now = {0};
    (void)clock_gettime(clock, &now); /* cannot fail for these clocks */
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int64_t nq__clock_machine_ns(void) {
    return read_ns(CLOCK_MONOTONIC);
}

int64_t nq_clock_monotonic_ns(void) {
    const nq__clock_source *source = replacement();
    return source == NULL ? nq__clock_machine_ns() : source->monotonic_ns();
}

int64_t nq_clock_coarse_ns(void) {
    const nq__clock_source *source = replacement();
    return source == NULL ? read_ns(CLOCK_MONOTONIC_COARSE) : source->monotonic_ns();
}

int64_t nq_clock_realtime_us(void) {
    const nq__clock_source *source = replacement();
    return source == NULL ? read_ns(CLOCK_REALTIME) / 1000 : source->realtime_us();
}

int64_t nq_clock_thread_cpu_ns(void) {
    return read_ns(CLOCK_THREAD_CPUTIME_ID);
}

int64_t nq_clock_process_cpu_ns(void) {
    return read_ns(CLOCK_PROCESS_CPUTIME_ID);
}

int64_t nq_clock_deadline_ns(int64_t duration_ns) {
    int64_t deadline_ns;
    return __builtin_add_overflow(nq_clock_monotonic_ns(), duration_ns, &deadline_ns) ? INT64_MAX
                                                                                      : deadline_ns;
}
