/* Arena: a list of chunks, newest first; only the newest is allocated from.
 *
 * What is not handed out is poisoned under AddressSanitizer, so that a read past an allocation or
 * after a reset is caught as it would be on the heap. */
#include "engine/ground/base/arena.h"

#include "engine/ground/base/heap.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#define POISON(start, bytes)   __asan_poison_memory_region((start), (bytes))
#define UNPOISON(start, bytes) __asan_unpoison_memory_region((start), (bytes))
#else
#define POISON(start, bytes)   ((void)(start), (void)(bytes))
#define UNPOISON(start, bytes) ((void)(start), (void)(bytes))
#endif

enum { ALIGNMENT = 16, CHUNK_BYTES_FIRST = 4096, CHUNK_BYTES_MAX = 1 << 20 };

struct nq_arena_chunk {
    _Alignas(ALIGNMENT) nq_arena_chunk *older;
    size_t bytes; /* with this header */
};

static uint8_t *chunk_body(nq_arena_chunk *chunk) {
    return (uint8_t *)(chunk + 1);
}

static void free_newest(nq_arena *arena) {
    nq_arena_chunk *chunk = arena->chunk;
    arena->chunk = chunk->older;
    arena->taken_bytes -= chunk->bytes;
    UNPOISON(chunk_body(chunk), chunk->bytes - sizeof(nq_arena_chunk));
    nq_heap_free(chunk);
}

void nq_arena_init(nq_arena *arena, size_t budget_bytes) {
    *arena = (nq_arena){.budget_bytes = budget_bytes};
}

void nq_arena_deinit(nq_arena *arena) {
    while (arena->chunk != NULL) {
        free_newest(arena);
    }
    arena->free_start = NULL;
    arena->free_end = NULL;
}

/* Twice the last chunk, more if `bytes` needs it, less if the budget does not allow that. */
static size_t next_chunk_bytes(const nq_arena *arena, size_t bytes) {
    size_t need = bytes + sizeof(nq_arena_chunk);
    size_t left = arena->budget_bytes - arena->taken_bytes;
    size_t want = arena->chunk == NULL ? CHUNK_BYTES_FIRST : arena->chunk->bytes * 2;
    if (want > CHUNK_BYTES_MAX) {
        want = CHUNK_BYTES_MAX;
    }
    if (want > left) {
        want = left & ~(size_t)(ALIGNMENT - 1);
    }
    return want > need ? want : need;
}

static bool add_chunk(nq_arena *arena, size_t bytes) {
    size_t chunk_bytes = next_chunk_bytes(arena, bytes);
    if (chunk_bytes > arena->budget_bytes - arena->taken_bytes) {
        return false;
    }
    nq_arena_chunk *chunk = nq_heap_alloc(chunk_bytes);
    if (chunk == NULL) {
        return false;
    }
    chunk->older = arena->chunk;
    chunk->bytes = chunk_bytes;
    arena->chunk = chunk;
    arena->taken_bytes += chunk_bytes;
    if (arena->taken_bytes > arena->taken_bytes_max) {
        arena->taken_bytes_max = arena->taken_bytes;
    }
    arena->free_start = chunk_body(chunk);
    arena->free_end = (uint8_t *)chunk + chunk_bytes;
    POISON(arena->free_start, (size_t)(arena->free_end - arena->free_start));
    return true;
}

void *nq_arena_alloc(nq_arena *arena, size_t bytes) {
    if (bytes > SIZE_MAX / 2) {
        return NULL;
    }
    size_t rounded = ((bytes > 0 ? bytes : 1) + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
    if (rounded > (size_t)(arena->free_end - arena->free_start) && !add_chunk(arena, rounded)) {
        return NULL;
    }
    uint8_t *memory = arena->free_start;
    arena->free_start += rounded;
    UNPOISON(memory, bytes);
    return memory;
}

void *nq_arena_calloc(nq_arena *arena, size_t count, size_t element_bytes) {
    size_t bytes;
    if (__builtin_mul_overflow(count, element_bytes, &bytes)) {
        return NULL;
    }
    void *memory = nq_arena_alloc(arena, bytes);
    if (memory != NULL) {
        memset(memory, 0, bytes);
    }
    return memory;
}

nq_bytes nq_arena_copy(nq_arena *arena, nq_bytes bytes) {
    uint8_t *copy = bytes.size < SIZE_MAX ? nq_arena_alloc(arena, bytes.size + 1) : NULL;
    if (copy == NULL) {
        return nq_bytes_of(NULL, 0);
    }
    if (bytes.size > 0) {
        memcpy(copy, bytes.data, bytes.size);
    }
    copy[bytes.size] = '\0';
    return nq_bytes_of(copy, bytes.size);
}

nq_arena_mark nq_arena_get_mark(const nq_arena *arena) {
    return (nq_arena_mark){arena->chunk, arena->free_start};
}

void nq_arena_reset_to(nq_arena *arena, nq_arena_mark mark) {
    while (arena->chunk != mark.chunk) {
        free_newest(arena);
    }
    arena->free_start = mark.free_start;
    arena->free_end = arena->chunk == NULL ? NULL : (uint8_t *)arena->chunk + arena->chunk->bytes;
    if (arena->chunk != NULL) {
        POISON(arena->free_start, (size_t)(arena->free_end - arena->free_start));
    }
}

void nq_arena_reset(nq_arena *arena) {
    /* The newest chunk of ordinary size is the largest such; one huge allocation is not kept. */
    nq_arena_chunk *kept = arena->chunk;
    while (kept != NULL && kept->bytes > CHUNK_BYTES_MAX) {
        kept = kept->older;
    }
    while (arena->chunk != kept) {
        free_newest(arena);
    }
    if (kept == NULL) {
        arena->free_start = NULL;
        arena->free_end = NULL;
        return;
    }
    nq_arena_chunk *older = kept->older;
    arena->chunk = older;
    while (arena->chunk != NULL) {
        free_newest(arena);
    }
    kept->older = NULL;
    arena->chunk = kept;
    arena->free_start = chunk_body(kept);
    arena->free_end = (uint8_t *)kept + kept->bytes;
    POISON(arena->free_start, (size_t)(arena->free_end - arena->free_start));
}
