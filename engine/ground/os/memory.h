/* Memory: what the process holds of the machine's, beyond the heap's bookkeeping. */
#ifndef NQ_GROUND_OS_MEMORY_H
#define NQ_GROUND_OS_MEMORY_H

#include <stddef.h>

/* Gives the whole system pages within [memory, memory + bytes) back; the addresses stay valid and
 * read as zeros, or, where the system does not do that, as they were. Heap memory is allowed. */
void nq_memory_discard(void *memory, size_t bytes);

/* What a large page of the system holds, of the usual kinds. */
enum { NQ_MEMORY_HUGE_BYTES = 2 << 20 };

/* Asks for large pages where whole ones lie within [memory, memory + bytes), which has not been
 * written to: reaching into it anywhere then costs the processor hardly a walk through its page
 * tables. Nobody is told whether the system has any. Memory aligned to them profits most. */
void nq_memory_prefer_huge(void *memory, size_t bytes);

/* Has the system back [memory, memory + bytes), which may be in use and stays as it is, with memory
 * now and not at the first touch, as far as it can: that touch can take milliseconds for a large
 * page of a virtual machine. */
void nq_memory_populate(void *memory, size_t bytes);

#endif
