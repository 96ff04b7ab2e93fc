/* Ghost: which ids were evicted not long ago — no data, 16 bytes an id.
 *
 * Remembers the last `room` ids that were added, first in, first out. A table of buckets of eight
 * with the time of each addition: what is too old counts as absent, so nothing is ever cleaned up.
 * A bucket that overflows forgets its oldest early, about two in a hundred. */
#ifndef NQ_STORAGE_CACHE_GHOST_H
#define NQ_STORAGE_CACHE_GHOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct nq__ghost_entry {
    uint32_t id; /* 0: none */
    uint32_t time;
} nq__ghost_entry;

typedef struct nq__ghost {
    nq__ghost_entry *entries;
    uint32_t bucket_count;
    uint32_t room;
    uint32_t time; /* additions so far, in 32 bits: after 2^32 something forgotten may seem known */
} nq__ghost;

/* Memory for up to `room` ids. */
size_t nq__ghost_bytes(uint32_t room);

/* Of `room` at least 1; `memory` is zeroed, aligned for uint32_t, and outlives the ghost. */
void nq__ghost_init(nq__ghost *ghost, void *memory, uint32_t room);

void nq__ghost_add(nq__ghost *ghost, uint32_t id);

bool nq__ghost_has(const nq__ghost *ghost, uint32_t id);

/* Forgets the id; true: it was remembered. */
bool nq__ghost_take(nq__ghost *ghost, uint32_t id);

#endif
