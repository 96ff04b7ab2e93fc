/* Heap: the one way to memory that outlives a statement, so that every allocation can be made to
 * fail in a test. Most code wants an arena instead (arena.h). Thread-safe. */
#ifndef NQ_GROUND_BASE_HEAP_H
#define NQ_GROUND_BASE_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* 16-byte aligned; NULL when there is none. Zero bytes give a pointer that may only be freed. */
void *nq_heap_alloc(size_t bytes) __attribute__((malloc, alloc_size(1), warn_unused_result));

/* Zeroed; an overflowing product is NULL. */
void *nq_heap_calloc(size_t count, size_t element_bytes)
    __attribute__((malloc, alloc_size(1, 2), warn_unused_result));

/* `alignment` is a power of two of at least 16. Freed like any other; not to be reallocated. */
void *nq_heap_alloc_aligned(size_t alignment, size_t bytes)
    __attribute__((malloc, alloc_size(2), warn_unused_result));

/* NULL leaves `memory` as it was. */
void *nq_heap_realloc(void *memory, size_t bytes)
    __attribute__((alloc_size(2), warn_unused_result));

void nq_heap_free(void *memory);

/* A thread gives back the few blocks of at most 8 KiB that it kept for itself. At its end; the last
 * thread of a process need not. */
void nq_heap_thread_end(void);

/* A copy with a NUL behind it. */
char *nq_heap_copy_text(const char *text, size_t bytes) __attribute__((malloc, warn_unused_result));

/* ---- For tests: the heap runs out on demand ---- */

/* The `nth` allocation from now on (1 is the next) fails: it alone, or it and all that follow.
 * Counts every thread's. */
void nq_heap_fail_at(uint64_t nth, bool and_all_after);

/* Ends that; returns how many allocations were tried since, so that a loop over `nth` knows when
 * it has been through them all. */
uint64_t nq_heap_fail_never(void);

/* While true, this thread's allocations neither count nor fail: for a test's own machinery. Returns
 * what it was. */
bool nq_heap_set_exempt(bool is_exempt);

/* For a server's main, before its first thread: blocks of a MiB and more go back to the system when
 * they are freed, and threads share at most eight pools, so that a burst of large requests does not
 * stay resident for ever. Does nothing where the C library has no such knobs. */
void nq_heap_tune_for_server(void);

#endif
