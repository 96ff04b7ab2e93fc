/* Map: bytes to 64 bits (or a pointer), by open addressing.
 *
 * Keys are hashed with SipHash-1-3 under a key of this process that no client can know, so that
 * strangers who choose the keys cannot choose collisions. Keys are borrowed: they must stay where
 * they are, unchanged, while they are in the map (keep them in the value, or in an arena).
 *
 * Linear probing over a power of two of slots, at most 7/8 full; each slot keeps its hash, so that
 * a probe compares bytes only when it has almost certainly found them. Removal moves later entries
 * back instead of leaving tombstones: a map never slows down with age. Not thread-safe. */
#ifndef NQ_GROUND_BASE_MAP_H
#define NQ_GROUND_BASE_MAP_H

#include "engine/ground/base/bytes.h"

typedef struct nq_map_entry {
    nq_bytes key;
    union {
        uint64_t number;
        void *pointer;
    } value;
    uint64_t hash; /* 0: the slot is empty */
} nq_map_entry;

typedef struct nq_map {
    nq_map_entry *entries;
    size_t room; /* 0, or a power of two */
    size_t count;
} nq_map;

/* Takes no memory until the first insert. */
void nq_map_init(nq_map *map);
void nq_map_deinit(nq_map *map);

/* NULL when absent. Valid until the next insert or remove. */
nq_map_entry *nq_map_find(const nq_map *map, nq_bytes key);

/* The key's entry: the one there, or a new one with value 0 (*out_is_new says which; may be NULL).
 * NULL when there is no memory for it; then nothing changed. Valid as above. */
nq_map_entry *nq_map_insert(nq_map *map, nq_bytes key, bool *out_is_new);

/* False when it was not there. */
bool nq_map_remove(nq_map *map, nq_bytes key);

/* Each entry once, in no order: start with NULL, ends with NULL. Nothing may be inserted or removed
 * meanwhile. */
nq_map_entry *nq_map_next(const nq_map *map, const nq_map_entry *entry);

/* SipHash-1-3 (Aumasson, Bernstein 2012) under a given key. */
uint64_t nq_siphash(nq_bytes bytes, const uint64_t key[2]);

/* The hash of the process's maps, for other tables with keys from strangers. Never 0; differs from
 * one process to the next. */
uint64_t nq_map_hash(nq_bytes key);

#endif
