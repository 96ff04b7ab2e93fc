/* Pool: nghttp2's malloc, in memory of a fixed size. First fit over a row of blocks, each with its
 * size before it; free blocks are joined with their successors when they are passed. A session
 * holds some dozen blocks, so walking them costs little. */
#include <string.h>

#include "sdk/device/device_internal.h"

/* Before each block. The blocks fill the memory from end to end. */
typedef struct block {
    _Alignas(max_align_t) uint32_t bytes; /* with this header; a multiple of its size */
    uint32_t is_used;
} block;

enum { GRANULE_BYTES = sizeof(block) };

_Static_assert(NQ_DEVICE_POOL_BYTES % GRANULE_BYTES == 0, "the last block is a whole one");

static block *first_block(nq_device_pool *pool) {
    return (block *)(void *)pool->memory;
}

/* NULL behind the last. */
static block *next_block(nq_device_pool *pool, block *at) {
    uint8_t *next = (uint8_t *)at + at->bytes;
    return next < pool->memory + sizeof pool->memory ? (block *)(void *)next : NULL;
}

void nq__device_pool_init(nq_device_pool *pool) {
    pool->used_bytes = 0;
    pool->used_bytes_max = 0;
    *first_block(pool) = (block){.bytes = sizeof pool->memory};
}

static void join_free(nq_device_pool *pool, block *at) {
    block *next = next_block(pool, at);
    while (next != NULL && !next->is_used) {
        at->bytes += next->bytes;
        next = next_block(pool, at);
    }
}

/* Takes `bytes` off the front of a free block; what is left stays free if a block fits there. */
static void take(nq_device_pool *pool, block *at, uint32_t bytes) {
    if (at->bytes - bytes > sizeof(block)) {
        block *rest = (block *)(void *)((uint8_t *)at + bytes);
        *rest = (block){.bytes = at->bytes - bytes};
        at->bytes = bytes;
    }
    at->is_used = 1;
    pool->used_bytes += at->bytes;
    size_t end = (size_t)((uint8_t *)at - pool->memory) + at->bytes;
    if (end > pool->used_bytes_max) {
        pool->used_bytes_max = end;
    }
}

void *nq__device_pool_alloc(nq_device_pool *pool, size_t bytes) {
    if (bytes > sizeof pool->memory) {
        return NULL;
    }
    size_t rounded = (bytes + 2 * GRANULE_BYTES - 1) / GRANULE_BYTES * GRANULE_BYTES;
    for (block *at = first_block(pool); at != NULL; at = next_block(pool, at)) {
        if (!at->is_used) {
            join_free(pool, at);
            if (at->bytes >= rounded) {
                take(pool, at, (uint32_t)rounded);
                return at + 1;
            }
        }
    }
    return NULL;
}

void nq__device_pool_free(nq_device_pool *pool, void *memory) {
    if (memory != NULL) {
        block *at = (block *)memory - 1;
        pool->used_bytes -= at->bytes;
        at->is_used = 0;
    }
}

void *nq__device_pool_resize(nq_device_pool *pool, void *memory, size_t bytes) {
    size_t has_bytes = memory == NULL ? 0 : ((block *)memory - 1)->bytes - sizeof(block);
    if (memory != NULL && bytes <= has_bytes) {
        return memory;
    }
    void *moved = nq__device_pool_alloc(pool, bytes);
    if (moved != NULL && memory != NULL) {
        memcpy(moved, memory, has_bytes);
        nq__device_pool_free(pool, memory);
    }
    return moved;
}
