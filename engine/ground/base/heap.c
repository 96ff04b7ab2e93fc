/* Heap: malloc behind a countdown. Off, the countdown costs one relaxed load. */
#include "engine/ground/base/heap.h"

#include <stdatomic.h>
#include <stdlib.h>

static _Atomic bool is_armed;
static _Atomic bool fails_for_ever;
static _Atomic int64_t successes_left;
static _Atomic uint64_t allocation_count;

void nq_heap_fail_after(int64_t successes, bool for_ever) {
    atomic_store(&successes_left, successes);
    atomic_store(&fails_for_ever, for_ever);
    atomic_store(&is_armed, successes >= 0);
}

uint64_t nq_heap_allocation_count(void) {
    return atomic_load_explicit(&allocation_count, memory_order_relaxed);
}

static bool must_fail(void) {
    if (!atomic_load_explicit(&is_armed, memory_order_relaxed)) {
        return false;
    }
    atomic_fetch_add_explicit(&allocation_count, 1, memory_order_relaxed);
    int64_t before = atomic_fetch_sub(&successes_left, 1);
    return before == 0 || (before < 0 && atomic_load(&fails_for_ever));
}

void *nq_heap_alloc(size_t bytes) {
    return must_fail() ? NULL : malloc(bytes == 0 ? 1 : bytes);
}

void *nq_heap_calloc(size_t count, size_t element_bytes) {
    return must_fail() ? NULL
                       : calloc(count == 0 ? 1 : count, element_bytes == 0 ? 1 : element_bytes);
}

void *nq_heap_realloc(void *memory, size_t bytes) {
    return must_fail() ? NULL : realloc(memory, bytes == 0 ? 1 : bytes);
}

void *nq_heap_alloc_aligned(size_t alignment, size_t bytes) {
    size_t rounded = (bytes + alignment - 1) & ~(alignment - 1);
    return must_fail() || rounded < bytes ? NULL : aligned_alloc(alignment, rounded);
}

void nq_heap_free(void *memory) {
    free(memory);
}
