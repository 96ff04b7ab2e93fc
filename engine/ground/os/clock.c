/* Clock: clock_gettime, which the kernel answers without a system call. */
#define _GNU_SOURCE
#include "engine/ground/os/clock.h"

#include <time.h>

static int64_t read_ns(clockid_t clock) {
    struct timespec now = {0};
    (void)clock_gettime(clock, &now); /* cannot fail for these clocks */
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int64_t nq_clock_monotonic_ns(void) {
    return read_ns(CLOCK_MONOTONIC);
}

int64_t nq_clock_realtime_us(void) {
    return read_ns(CLOCK_REALTIME) / 1000;
}

int64_t nq_clock_thread_cpu_ns(void) {
    return read_ns(CLOCK_THREAD_CPUTIME_ID);
}

int64_t nq_clock_process_cpu_ns(void) {
    return read_ns(CLOCK_PROCESS_CPUTIME_ID);
}
