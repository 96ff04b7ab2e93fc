/* Arena: allocations that die together, within a budget of bytes.
 *
 * Chunks grow by doubling from `chunk_bytes`; each is charged to the budget when taken, so an arena
 * never holds more than its budget. Not thread-safe: one owner at a time. */
#ifndef NQ_GROUND_BASE_ARENA_H
#define NQ_GROUND_BASE_ARENA_H

#include <stddef.h>
#include <stdint.h>

#include "engine/ground/base/bytes.h"

typedef struct nq_arena_chunk nq_arena_chunk;

typedef struct nq_arena {
    nq_arena_chunk *chunk; /* newest first */
    uint8_t *free_start;   /* unused part of the newest chunk */
    uint8_t *free_end;
    size_t budget_bytes;    /* the most it may take from the heap */
    size_t taken_bytes;     /* what it has taken */
    size_t taken_bytes_max; /* since init; reset does not lower it */
} nq_arena;

/* Everything allocated after a mark is released by resetting to it. */
typedef struct nq_arena_mark {
    nq_arena_chunk *chunk;
    uint8_t *free_start;
} nq_arena_mark;

/* Takes nothing from the heap until the first allocation. */
void nq_arena_init(nq_arena *arena, size_t budget_bytes);
void nq_arena_deinit(nq_arena *arena);

/* 16-byte aligned, uninitialised; NULL when the budget or the heap is exhausted (the caller then
 * fails with NQ_MEMORY_LIMIT). Valid until reset below it, or deinit. */
void *nq_arena_alloc(nq_arena *arena, size_t bytes) __attribute__((malloc, alloc_size(2)));

/* The same, zeroed, for `count` elements; an overflowing product is NULL too. */
void *nq_arena_calloc(nq_arena *arena, size_t count, size_t element_bytes);

/* Copies `bytes` and appends a NUL that size does not count. data is NULL on failure. */
nq_bytes nq_arena_copy(nq_arena *arena, nq_bytes bytes);

nq_arena_mark nq_arena_get_mark(const nq_arena *arena);
void nq_arena_reset_to(nq_arena *arena, nq_arena_mark mark);

/* Forgets everything, keeps one chunk for reuse. */
void nq_arena_reset(nq_arena *arena);

#endif
