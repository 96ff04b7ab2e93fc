/* Memory: madvise. A failure costs memory, not correctness, so it is nobody's concern. */
#define _DEFAULT_SOURCE
#include "engine/ground/os/memory.h"

#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

void nq_memory_discard(void *memory, size_t bytes) {
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    uintptr_t start = ((uintptr_t)memory + page - 1) / page * page;
    uintptr_t end = ((uintptr_t)memory + bytes) / page * page;
    if (start < end) {
        (void)madvise((void *)start, end - start, MADV_DONTNEED);
    }
}
