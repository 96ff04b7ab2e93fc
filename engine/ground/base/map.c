/* Map: SipHash-1-3, linear probing, removal by shifting back.
 *
 * The process's key is the 16 random bytes that the kernel hands every program at its start
 * (getauxval(3), AT_RANDOM): no call can fail, and no initialisation can be forgotten. They also
 * seed libc's stack guard, which the hash, being one-way, does not give away. */
#include "engine/ground/base/map.h"

#include <sys/auxv.h>

#include "engine/ground/base/assert.h"
#include "engine/ground/base/codec.h"
#include "engine/ground/base/heap.h"

enum { ROOM_FIRST = 16 };

/* ---- The hash ---- */

typedef struct sip_state {
    uint64_t v[4];
} sip_state;

static inline uint64_t rotate(uint64_t word, unsigned bits) {
    return word << bits | word >> (64 - bits);
}

static inline void sip_round(sip_state *state) {
    uint64_t *v = state->v;
    v[0] += v[1];
    v[2] += v[3];
    v[1] = rotate(v[1], 13) ^ v[0];
    v[3] = rotate(v[3], 16) ^ v[2];
    v[0] = rotate(v[0], 32);
    v[2] += v[1];
    v[0] += v[3];
    v[1] = rotate(v[1], 17) ^ v[2];
    v[3] = rotate(v[3], 21) ^ v[0];
    v[2] = rotate(v[2], 32);
}

uint64_t nq_siphash(nq_bytes bytes, const uint64_t key[2]) {
    sip_state state = {
        {key[0] ^ UINT64_C(0x736f6d6570736575), key[1] ^ UINT64_C(0x646f72616e646f6d),
         key[0] ^ UINT64_C(0x6c7967656e657261), key[1] ^ UINT64_C(0x7465646279746573)}};
    size_t at = 0;
    for (; bytes.size - at >= 8; at += 8) {
        uint64_t word = nq_load_le64(bytes.data + at);
        state.v[3] ^= word;
        sip_round(&state);
        state.v[0] ^= word;
    }
    uint64_t last = (uint64_t)bytes.size << 56;
    for (unsigned shift = 0; at < bytes.size; at++, shift += 8) {
        last |= (uint64_t)bytes.data[at] << shift;
    }
    state.v[3] ^= last;
    sip_round(&state);
    state.v[0] ^= last;
    state.v[2] ^= 0xFF;
    sip_round(&state);
    sip_round(&state);
    sip_round(&state);
    return state.v[0] ^ state.v[1] ^ state.v[2] ^ state.v[3];
}

uint64_t nq_map_hash(nq_bytes key) {
    const void *random = (const void *)(uintptr_t)getauxval(AT_RANDOM);
    NQ_ASSERT(random != NULL);
    uint64_t process_key[2];
    memcpy(process_key, random, sizeof(process_key));
    uint64_t hash = nq_siphash(key, process_key);
    return hash != 0 ? hash : 1;
}

/* ---- The table ---- */

static size_t home_of(const nq_map *map, uint64_t hash) {
    return (size_t)hash & (map->room - 1);
}

static size_t after(const nq_map *map, size_t slot) {
    return (slot + 1) & (map->room - 1);
}

/* The key's slot, or the empty one where it belongs. */
static size_t probe(const nq_map *map, nq_bytes key, uint64_t hash) {
    size_t slot = home_of(map, hash);
    while (map->entries[slot].hash != 0 &&
           (map->entries[slot].hash != hash || !nq_bytes_equal(map->entries[slot].key, key))) {
        slot = after(map, slot);
    }
    return slot;
}

static bool grow(nq_map *map) {
    size_t room = map->room > 0 ? map->room * 2 : ROOM_FIRST;
    nq_map_entry *entries = nq_heap_calloc(room, sizeof(entries[0]));
    if (entries == NULL) {
        return false;
    }
    nq_map grown = {.entries = entries, .room = room, .count = map->count};
    for (size_t i = 0; i < map->room; i++) {
        if (map->entries[i].hash == 0) {
            continue;
        }
        size_t slot = home_of(&grown, map->entries[i].hash);
        while (entries[slot].hash != 0) {
            slot = after(&grown, slot);
        }
        entries[slot] = map->entries[i];
    }
    nq_heap_free(map->entries);
    *map = grown;
    return true;
}

void nq_map_init(nq_map *map) {
    *map = (nq_map){0};
}

void nq_map_deinit(nq_map *map) {
    nq_heap_free(map->entries);
    *map = (nq_map){0};
}

nq_map_entry *nq_map_find(const nq_map *map, nq_bytes key) {
    if (map->count == 0) {
        return NULL;
    }
    nq_map_entry *entry = &map->entries[probe(map, key, nq_map_hash(key))];
    return entry->hash != 0 ? entry : NULL;
}

nq_map_entry *nq_map_insert(nq_map *map, nq_bytes key, bool *out_is_new) {
    bool unused;
    bool *is_new = out_is_new != NULL ? out_is_new : &unused;
    *is_new = false;
    uint64_t hash = nq_map_hash(key);
    if (map->count > 0) {
        nq_map_entry *found = &map->entries[probe(map, key, hash)];
        if (found->hash != 0) {
            return found;
        }
    }
    if (map->count + 1 > map->room / 8 * 7 && !grow(map)) {
        return NULL;
    }
    nq_map_entry *entry = &map->entries[probe(map, key, hash)];
    *entry = (nq_map_entry){.key = key, .hash = hash};
    map->count++;
    *is_new = true;
    return entry;
}

bool nq_map_remove(nq_map *map, nq_bytes key) {
    nq_map_entry *entry = nq_map_find(map, key);
    if (entry == NULL) {
        return false;
    }
    /* Whatever a probe from its home would reach through the hole moves into it. */
    size_t hole = (size_t)(entry - map->entries);
    for (size_t slot = after(map, hole); map->entries[slot].hash != 0; slot = after(map, slot)) {
        size_t home = home_of(map, map->entries[slot].hash);
        size_t from_home = (slot - home) & (map->room - 1);
        size_t from_hole = (slot - hole) & (map->room - 1);
        if (from_home >= from_hole) {
            map->entries[hole] = map->entries[slot];
            hole = slot;
        }
    }
    map->entries[hole] = (nq_map_entry){0};
    map->count--;
    return true;
}

nq_map_entry *nq_map_next(const nq_map *map, const nq_map_entry *entry) {
    size_t slot = entry == NULL ? 0 : (size_t)(entry - map->entries) + 1;
    for (; slot < map->room; slot++) {
        if (map->entries[slot].hash != 0) {
            return &map->entries[slot];
        }
    }
    return NULL;
}
