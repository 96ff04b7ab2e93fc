/* Confine: a limit on a process's memory, the system's cache of its files included, as on a small
 * machine. Needs the right to make a control group (root, as a rule). */
#ifndef NQ_BENCH_PEERS_CONFINE_H
#define NQ_BENCH_PEERS_CONFINE_H

#include <stdbool.h>
#include <stdint.h>

/* Makes the group, of either version of the kernel's interface; false: not here. */
bool confine_prepare(uint64_t memory_bytes_max);

/* Puts this process into the group that was made. */
void confine_self(void);

#endif
