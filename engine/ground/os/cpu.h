/* CPU: what the process may use of the machine, and what it uses. */
#ifndef NQ_GROUND_OS_CPU_H
#define NQ_GROUND_OS_CPU_H

#include <stdint.h>

/* Processors it may use at once: its affinity mask, and no more than its cgroup's quota, rounded
 * up. At least 1. */
uint32_t nq_cpu_count(void);

/* Memory it may use: the machine's, or its cgroup's limit when that is less. 0 if unknown. */
uint64_t nq_cpu_memory_bytes(void);

/* Resident memory of the process in bytes, 0 if unknown. */
uint64_t nq_cpu_resident_bytes(void);

/* Tells the processor that this is a spinning loop. */
static inline void nq_cpu_relax(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

#endif
