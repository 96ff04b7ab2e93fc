/* Arena: a list of chunks, newest first. The newest is bumped; older ones are only kept alive. */
#include "engine/ground/base/arena.h"

#include <assert.h>

#include "engine/ground/base/heap.h"

enum { ALIGNMENT = 16, FIRST_CHUNK_BYTES = 4096, CHUNK_BYTES_MAX = 1 << 20 };

struct nq_arena_chunk {
    nq_arena_chunk *older;
    size_t bytes; /* of the whole allocation, this header included */
};

static_assert(sizeof(nq_arena_chunk) % ALIGNMENT == 0, "the first allocation is aligned");

static uint8_t *start_of(nq_arena_chunk *chunk) {
    return (uint8_t *)(chunk + 1);
}

void nq_arena_init(nq_arena *arena, size_t budget_bytes) {
    *arena = (nq_arena){.budget_bytes = budget_bytes};
}

static void free_newest(nq_arena *arena) {
    nq_arena_chunk *chunk = arena->chunk;
    arena->chunk = chunk->older;
    arena->taken_bytes -= chunk->bytes;
    nq_heap_free(chunk);
}

void nq_arena_deinit(nq_arena *arena) {
    while (arena->chunk != NULL) {
        free_newest(arena);
    }
    arena->free_start = NULL;
    arena->free_end = NULL;
}

static bool take_chunk(nq_arena *arena, size_t bytes) {
    size_t need = bytes + sizeof(nq_arena_chunk);
    size_t left = arena->budget_bytes - arena->taken_bytes;
    if (need < bytes || need > left) {
        return false;
    }
    size_t grown = arena->chunk == NULL ? FIRST_CHUNK_BYTES : 2 * arena->chunk->bytes;
    grown = grown > CHUNK_BYTES_MAX ? CHUNK_BYTES_MAX : grown;
    grown = grown > left ? left : grown;
    grown = grown < need ? need : grown;
    nq_arena_chunk *chunk = nq_heap_alloc(grown);
    if (chunk == NULL) {
        return false;
    }
    *chunk = (nq_arena_chunk){.older = arena->chunk, .bytes = grown};
    arena->chunk = chunk;
    arena->free_start = start_of(chunk);
    arena->free_end = (uint8_t *)chunk + grown;
    arena->taken_bytes += grown;
    if (arena->taken_bytes > arena->taken_bytes_max) {
        arena->taken_bytes_max = arena->taken_bytes;
    }
    return true;
}

void *nq_arena_alloc(nq_arena *arena, size_t bytes) {
    size_t rounded = (bytes + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
    if (rounded < bytes) {
        return NULL;
    }
    if ((size_t)(arena->free_end - arena->free_start) < rounded && !take_chunk(arena, rounded)) {
        return NULL;
    }
    /* A fresh arena has no chunk: even an allocation of nothing needs an address. */
    if (arena->free_start == NULL && !take_chunk(arena, ALIGNMENT)) {
        return NULL;
    }
    void *memory = arena->free_start;
    arena->free_start += rounded;
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
    uint8_t *copy = bytes.size == SIZE_MAX ? NULL : nq_arena_alloc(arena, bytes.size + 1);
    if (copy == NULL) {
        return (nq_bytes){0};
    }
    if (bytes.size > 0) {
        memcpy(copy, bytes.data, bytes.size);
    }
    copy[bytes.size] = '\0';
    return nq_bytes_of(copy, bytes.size);
}

nq_arena_mark nq_arena_get_mark(const nq_arena *arena) {
    return (nq_arena_mark){.chunk = arena->chunk, .free_start = arena->free_start};
}

void nq_arena_reset_to(nq_arena *arena, nq_arena_mark mark) {
    if (mark.chunk == NULL) {
        nq_arena_reset(arena);
        return;
    }
    while (arena->chunk != mark.chunk) {
        free_newest(arena);
    }
    arena->free_start = mark.free_start;
    arena->free_end = (uint8_t *)mark.chunk + mark.chunk->bytes;
}

void nq_arena_reset(nq_arena *arena) {
    if (arena->chunk == NULL) {
        return;
    }
    while (arena->chunk->older != NULL) {
        free_newest(arena);
    }
    arena->free_start = start_of(arena->chunk);
    arena->free_end = (uint8_t *)arena->chunk + arena->chunk->bytes;
}
