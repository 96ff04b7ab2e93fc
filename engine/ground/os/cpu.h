/* CPU: how many the process may use, and how much memory it holds. */
#ifndef NQ_GROUND_OS_CPU_H
#define NQ_GROUND_OS_CPU_H

#include <stdint.h>

/* At least 1; respects the affinity mask. */
uint32_t nq_cpu_count(void);

/* Resident memory of the process in bytes, 0 if unknown. */
uint64_t nq_cpu_resident_bytes(void);

#endif
