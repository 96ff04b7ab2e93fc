/* Heap: the one door to malloc, so that tests can make any allocation fail. Thread-safe. */
#ifndef NQ_GROUND_BASE_HEAP_H
#define NQ_GROUND_BASE_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* NULL when memory is exhausted (or told to be); size 0 gives a pointer that may be freed. */
void *nq_heap_alloc(size_t bytes) __attribute__((malloc, alloc_size(1)));
/* Zeroed; an overflowing product is NULL. */
void *nq_heap_calloc(size_t count, size_t element_bytes) __attribute__((malloc, alloc_size(1, 2)));
/* On failure the old block is untouched and NULL is returned. */
void *nq_heap_realloc(void *memory, size_t bytes) __attribute__((alloc_size(2)));
/* `alignment` is a power of two; `bytes` is rounded up to it. Freed by nq_heap_free. */
void *nq_heap_alloc_aligned(size_t alignment, size_t bytes);
void nq_heap_free(void *memory);

/* For tests: after `successes` more allocations the next fails, and with `for_ever` every one after
 * it. A negative count turns the failure off. */
void nq_heap_fail_after(int64_t successes, bool for_ever);
/* Allocations asked for while a failure was armed. */
uint64_t nq_heap_allocation_count(void);

#endif
