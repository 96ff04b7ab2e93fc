/* How a simulated clock takes the place of the machine's. */
#ifndef NQ_GROUND_OS_CLOCK_INTERNAL_H
#define NQ_GROUND_OS_CLOCK_INTERNAL_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

typedef struct nq__clock_source {
    int64_t (*monotonic_ns)(void);
    int64_t (*realtime_us)(void);
} nq__clock_source;

/* NULL: the machine's. */
extern const nq__clock_source *_Atomic nq__clock_replacement;

/* The machine's monotonic clock, whatever replaces it. */
int64_t nq__clock_machine_ns(void);

#endif
