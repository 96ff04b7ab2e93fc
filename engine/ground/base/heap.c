/* Heap: libc's allocator behind a counter that tests may arm. Unarmed, it costs one relaxed load.
 */
#include "engine/ground/base/heap.h"

#include <malloc.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

static atomic_bool is_armed;
static atomic_bool fails_all_after;
static _Atomic uint64_t fail_at;
static _Atomic uint64_t tried;
static _Thread_local bool is_exempt_here;

static bool must_fail(void) {
    if (!atomic_load_explicit(&is_armed, memory_order_relaxed) || is_exempt_here) {
        return false;
    }
    uint64_t number = atomic_fetch_add(&tried, 1) + 1;
    uint64_t nth = atomic_load(&fail_at);
    return number == nth || (number > nth && atomic_load(&fails_all_after));
}

void *nq_heap_alloc(size_t bytes) {
    return must_fail() ? NULL : malloc(bytes);
}

void *nq_heap_calloc(size_t count, size_t element_bytes) {
    size_t bytes;
    if (must_fail() || __builtin_mul_overflow(count, element_bytes, &bytes)) {
        return NULL;
    }
    return calloc(count, element_bytes);
}

void *nq_heap_alloc_aligned(size_t alignment, size_t bytes) {
    if (must_fail() || bytes > SIZE_MAX - alignment) {
        return NULL;
    }
    /* C17 wants a size that is a multiple of the alignment. */
    return aligned_alloc(alignment, (bytes + alignment - 1) & ~(alignment - 1));
}

void *nq_heap_realloc(void *memory, size_t bytes) {
    /* realloc to nothing would free, and make NULL mean two things. */
    return must_fail() ? NULL : realloc(memory, bytes > 0 ? bytes : 1);
}

void nq_heap_free(void *memory) {
    free(memory);
}

char *nq_heap_copy_text(const char *text, size_t bytes) {
    char *copy = bytes < SIZE_MAX ? nq_heap_alloc(bytes + 1) : NULL;
    if (copy == NULL) {
        return NULL;
    }
    if (bytes > 0) {
        memcpy(copy, text, bytes);
    }
    copy[bytes] = '\0';
    return copy;
}

void nq_heap_fail_at(uint64_t nth, bool and_all_after) {
    atomic_store(&is_armed, false);
    atomic_store(&tried, 0);
    atomic_store(&fail_at, nth);
    atomic_store(&fails_all_after, and_all_after);
    atomic_store(&is_armed, true);
}

uint64_t nq_heap_fail_never(void) {
    atomic_store(&is_armed, false);
    return atomic_exchange(&tried, 0);
}

bool nq_heap_set_exempt(bool is_exempt) {
    bool before = is_exempt_here;
    is_exempt_here = is_exempt;
    return before;
}

void nq_heap_tune_for_server(void) {
#ifdef __GLIBC__
    /* Setting the threshold also stops glibc from raising it after the first large free. */
    (void)mallopt(M_MMAP_THRESHOLD, 1 << 20);
    (void)mallopt(M_TRIM_THRESHOLD, 4 << 20);
    (void)mallopt(M_ARENA_MAX, 8);
#endif
}
