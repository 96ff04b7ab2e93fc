/* Heap: libc's allocator behind a counter that tests may arm, and a few blocks kept by each thread.
 *
 * glibc serves small blocks from lists of the thread's own. What lies above, a KiB to eight, it
 * splits and merges anew each time, and that is just what a statement takes and gives back: its
 * transaction, its arena's first chunk. So each thread keeps a few such blocks, at most one in each
 * place, where the next of that size will look. */
#include "engine/ground/base/heap.h"

#include <malloc.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum {
    LIBC_CACHED_BYTES_MAX = 1032,
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    KEPT_BYTES_MAX = 0, /* the sanitizers want to see every block go */
#else
    KEPT_BYTES_MAX = 8192 + 64,
#endif
    KEPT_COUNT = 8,
    GRANULE_BYTES = 16,                    /* of block sizes, in glibc */
    GRANULE_HEADER_BYTES = sizeof(size_t), /* which a block's first granule shares with it */
};

static atomic_bool is_armed;
static atomic_bool fails_all_after;
static _Atomic uint64_t fail_at;
static _Atomic uint64_t tried;
static _Thread_local bool is_exempt_here;
static _Thread_local void *kept_here[KEPT_COUNT];

static bool must_fail(void) {
    if (!atomic_load_explicit(&is_armed, memory_order_relaxed) || is_exempt_here) {
        return false;
    }
    uint64_t number = atomic_fetch_add(&tried, 1) + 1;
    uint64_t nth = atomic_load(&fail_at);
    return number == nth || (number > nth && atomic_load(&fails_all_after));
}

/* The same for every size that glibc rounds to the same block. Elsewhere a block may be looked for
 * in vain, no more. */
static void **kept_place(size_t bytes) {
    return &kept_here[(bytes + GRANULE_HEADER_BYTES + GRANULE_BYTES - 1) / GRANULE_BYTES %
                      KEPT_COUNT];
}

static bool is_kept_size(size_t bytes) {
    return bytes > LIBC_CACHED_BYTES_MAX && bytes <= KEPT_BYTES_MAX;
}

/* Not inlined: the compiler would make a calloc of it and the memset behind. */
static __attribute__((noinline)) void *take(size_t bytes) {
    if (is_kept_size(bytes)) {
        void **place = kept_place(bytes);
        void *memory = *place;
        size_t has_bytes = memory != NULL ? malloc_usable_size(memory) : 0;
        if (has_bytes >= bytes && has_bytes - bytes < GRANULE_BYTES) {
            *place = NULL;
            return memory;
        }
    }
    return malloc(bytes);
}

static bool keep(void *memory) {
    size_t bytes = malloc_usable_size(memory);
    void **place = kept_place(bytes);
    if (!is_kept_size(bytes) || *place != NULL) {
        return false;
    }
    *place = memory;
    return true;
}

void nq_heap_thread_end(void) {
    for (int i = 0; i < KEPT_COUNT; i++) {
        free(kept_here[i]);
        kept_here[i] = NULL;
    }
}

void *nq_heap_alloc(size_t bytes) {
    return must_fail() ? NULL : take(bytes);
}

void *nq_heap_calloc(size_t count, size_t element_bytes) {
    size_t bytes;
    if (must_fail() || __builtin_mul_overflow(count, element_bytes, &bytes)) {
        return NULL;
    }
    if (bytes > LIBC_CACHED_BYTES_MAX && !is_kept_size(bytes)) {
        return calloc(count, element_bytes);
    }
    /* calloc does not look into the lists of the thread. */
    void *memory = take(bytes);
    if (memory != NULL) {
        memset(memory, 0, bytes);
    }
    return memory;
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
    if (memory != NULL && !keep(memory)) {
        free(memory);
    }
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
