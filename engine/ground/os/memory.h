/* Memory: what the process holds of the machine's, beyond the heap's bookkeeping. */
#ifndef NQ_GROUND_OS_MEMORY_H
#define NQ_GROUND_OS_MEMORY_H

#include <stddef.h>

/* Gives the whole system pages within [memory, memory + bytes) back; the addresses stay valid and
 * read as zeros, or, where the system does not do that, as they were. Heap memory is allowed. */
void nq_memory_discard(void *memory, size_t bytes);

#endif
