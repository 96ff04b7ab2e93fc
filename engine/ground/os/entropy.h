/* Entropy: unpredictable bytes from the kernel, for ids and seeds. */
#ifndef NQ_GROUND_OS_ENTROPY_H
#define NQ_GROUND_OS_ENTROPY_H

#include <stddef.h>
#include <stdint.h>

/* Fills the target. Cannot fail: a kernel without randomness ends the process. */
void nq_entropy_fill(void *target, size_t bytes);
uint64_t nq_entropy_u64(void);

/* A seed for random() and sampling, different at every call: a system call once a thread, not once
 * a statement. Whoever has seen a few can tell the next; never for ids or secrets. */
uint64_t nq_entropy_seed(void);

#endif
