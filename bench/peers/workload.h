/* Workload: the rows. Row `id` has the same key and the same value in every engine, so that every
 * value read can be checked against what it must be.
 *
 * Keys are 16 bytes, scattered (random bytes) or ascending (decimal digits). Values are 100 bytes:
 * the id, a version, 40 bytes that do not compress and 44 that do. */
#ifndef NQ_BENCH_PEERS_WORKLOAD_H
#define NQ_BENCH_PEERS_WORKLOAD_H

#include "engine/ground/base/bytes.h"
#include "engine/ground/base/rng.h"

enum {
    KEY_BYTES = 16,
    VALUE_BYTES = 100,
    ROW_BYTES = KEY_BYTES + VALUE_BYTES,
    VALUE_NOISE_START = 16,
    VALUE_NOISE_END = 56,
    VALUE_FILLER = 'a',
};

typedef enum bench_key_order {
    KEYS_SCATTERED,
    KEYS_ASCENDING,
} bench_key_order;

/* Ids of rows that no phase writes. */
#define ID_ABSENT (UINT64_C(1) << 60)

typedef struct bench_row {
    uint8_t key[KEY_BYTES];
    uint8_t value[VALUE_BYTES];
} bench_row;

/* One value of a stateless random function. */
static inline uint64_t mix(uint64_t seed) {
    nq_rng rng = {.state = seed};
    return nq_rng_next(&rng);
}

static inline void store_big_endian(uint8_t *target, uint64_t value) {
    value = __builtin_bswap64(value);
    memcpy(target, &value, sizeof(value));
}

static inline nq_bytes row_key(bench_row *row, bench_key_order order, uint64_t id) {
    if (order == KEYS_SCATTERED) {
        store_big_endian(row->key, mix(id));
        store_big_endian(row->key + sizeof(uint64_t), mix(~id));
    } else {
        for (int i = KEY_BYTES - 1; i >= 0; i--, id /= 10) {
            row->key[i] = (uint8_t)('0' + id % 10);
        }
    }
    return nq_bytes_of(row->key, KEY_BYTES);
}

static inline nq_bytes row_value(bench_row *row, uint64_t id, uint64_t version) {
    memcpy(row->value, &id, sizeof(id));
    memcpy(row->value + sizeof(id), &version, sizeof(version));
    for (uint64_t i = VALUE_NOISE_START; i < VALUE_NOISE_END; i += sizeof(uint64_t)) {
        uint64_t noise = mix(id * 31 + i + version);
        memcpy(row->value + i, &noise, sizeof(noise));
    }
    memset(row->value + VALUE_NOISE_END, VALUE_FILLER, VALUE_BYTES - VALUE_NOISE_END);
    return nq_bytes_of(row->value, VALUE_BYTES);
}

/* Whether it is row `id`'s, in whatever version; reads all of it, as a caller would. */
static inline bool value_is_of(nq_bytes value, uint64_t id) {
    uint8_t copy[VALUE_BYTES];
    if (value.size != VALUE_BYTES) {
        return false;
    }
    memcpy(copy, value.data, VALUE_BYTES);
    __asm__ volatile("" : : "r"(copy) : "memory"); /* the copy is made */
    return memcmp(copy, &id, sizeof(id)) == 0 && copy[VALUE_BYTES - 1] == VALUE_FILLER;
}

#endif
