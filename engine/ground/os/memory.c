/* Memory: madvise. A failure costs memory, not correctness, so it is nobody's concern. */
#define _DEFAULT_SOURCE
#include "engine/ground/os/memory.h"

#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

static void advise_within(void *memory, size_t bytes, uintptr_t unit, int advice) {
    uintptr_t start = ((uintptr_t)memory + unit - 1) / unit * unit;
    uintptr_t end = ((uintptr_t)memory + bytes) / unit * unit;
    if (start < end) {
        (void)madvise((void *)start, end - start, advice);
    }
}

void nq_memory_discard(void *memory, size_t bytes) {
    advise_within(memory, bytes, (uintptr_t)sysconf(_SC_PAGESIZE), MADV_DONTNEED);
}

void nq_memory_prefer_huge(void *memory, size_t bytes) {
    advise_within(memory, bytes, NQ_MEMORY_HUGE_BYTES, MADV_HUGEPAGE);
}

void nq_memory_populate(void *memory, size_t bytes) {
#if defined(MADV_POPULATE_WRITE)
    advise_within(memory, bytes, (uintptr_t)sysconf(_SC_PAGESIZE), MADV_POPULATE_WRITE);
#else
    (void)memory;
    (void)bytes;
#endif
}
