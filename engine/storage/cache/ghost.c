/* Ghost: eight ids a bucket, a bucket a cache line, half full on average. */
#include "engine/storage/cache/ghost.h"

#include "engine/ground/simd/hash.h"

enum { WAYS = 8, IDS_PER_BUCKET = WAYS / 2 };

static uint32_t buckets_for(uint32_t room) {
    return room / IDS_PER_BUCKET + 1;
}

size_t nq__ghost_bytes(uint32_t room) {
    return (size_t)buckets_for(room) * WAYS * sizeof(nq__ghost_entry);
}

void nq__ghost_init(nq__ghost *ghost, void *memory, uint32_t room) {
    *ghost = (nq__ghost){.entries = memory, .bucket_count = buckets_for(room), .room = room};
}

static nq__ghost_entry *bucket_of(const nq__ghost *ghost, uint32_t id) {
    uint64_t hash = nq_hash64_word(id, 0) >> 32;
    return ghost->entries + (hash * ghost->bucket_count >> 32) * WAYS;
}

static uint32_t age_of(const nq__ghost *ghost, const nq__ghost_entry *entry) {
    return entry->id == 0 ? UINT32_MAX : ghost->time - entry->time;
}

void nq__ghost_add(nq__ghost *ghost, uint32_t id) {
    nq__ghost_entry *bucket = bucket_of(ghost, id);
    nq__ghost_entry *oldest = bucket;
    for (uint32_t i = 1; i < WAYS; i++) {
        if (age_of(ghost, &bucket[i]) > age_of(ghost, oldest)) {
            oldest = &bucket[i];
        }
    }
    *oldest = (nq__ghost_entry){id, ghost->time++};
}

/* NULL: it is not there, or too old. */
static nq__ghost_entry *find(const nq__ghost *ghost, uint32_t id) {
    nq__ghost_entry *bucket = bucket_of(ghost, id);
    for (uint32_t i = 0; i < WAYS; i++) {
        if (bucket[i].id == id) {
            return age_of(ghost, &bucket[i]) <= ghost->room ? &bucket[i] : NULL;
        }
    }
    return NULL;
}

bool nq__ghost_has(const nq__ghost *ghost, uint32_t id) {
    return find(ghost, id) != NULL;
}

bool nq__ghost_take(nq__ghost *ghost, uint32_t id) {
    nq__ghost_entry *entry = find(ghost, id);
    if (entry != NULL) {
        entry->id = 0;
    }
    return entry != NULL;
}
