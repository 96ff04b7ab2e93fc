/* Random values of every storable type, with the awkward ones often. */
#ifndef NQ_TESTS_DATA_VALUE_RANDOM_VALUES_H
#define NQ_TESTS_DATA_VALUE_RANDOM_VALUES_H

#include <math.h>

#include "engine/data/value/datetime.h"
#include "engine/data/value/value.h"
#include "tests/engine/data/value/fixture.h"

static const nq_type_id storable_types[] = {
    NQ_TYPE_BOOL, NQ_TYPE_INT16, NQ_TYPE_INT32, NQ_TYPE_INT64, NQ_TYPE_FLOAT32,   NQ_TYPE_FLOAT64,
    NQ_TYPE_TEXT, NQ_TYPE_BYTES, NQ_TYPE_DATE,  NQ_TYPE_TIME,  NQ_TYPE_TIMESTAMP, NQ_TYPE_UUID,
};
enum { STORABLE_TYPE_COUNT = sizeof storable_types / sizeof storable_types[0] };

static inline int64_t random_integer(nq_rng *rng, int64_t low, int64_t high) {
    switch (nq_rng_below(rng, 6)) {
    case 0:
        return low;
    case 1:
        return high;
    case 2:
        return (int64_t)nq_rng_below(rng, 5) - 2;
    default: {
        uint64_t span = (uint64_t)high - (uint64_t)low;
        uint64_t step = span == UINT64_MAX ? nq_rng_next(rng) : nq_rng_below(rng, span + 1);
        return (int64_t)((uint64_t)low + step);
    }
    }
}

static inline double random_number(nq_rng *rng) {
    static const double awkward[] = {0.0, -0.0, 1.0, -1.0, 1e-300, -1e300, 5e-324};
    uint64_t choice = nq_rng_below(rng, 12);
    if (choice < sizeof awkward / sizeof awkward[0]) {
        return awkward[choice];
    }
    if (choice == 7) {
        return (double)NAN;
    }
    if (choice == 8) {
        return nq_rng_below(rng, 2) == 0 ? (double)INFINITY : -(double)INFINITY;
    }
    return (nq_rng_unit(rng) - 0.5) * pow(10, (double)nq_rng_below(rng, 40));
}

/* Short, over few letters, so that prefixes and equal values are common. */
static inline nq_bytes random_bytes(nq_rng *rng, nq_arena *arena, bool is_text) {
    static const uint8_t letters[] = {1, 2, 'a', 'b', 0x7f};
    static const uint8_t any[] = {0, 1, 0xfe, 0xff, 'a'};
    size_t size = nq_rng_below(rng, 5);
    uint8_t *data = nq_arena_alloc(arena, size + 1);
    for (size_t i = 0; i < size; i++) {
        data[i] = is_text ? letters[nq_rng_below(rng, 5)] : any[nq_rng_below(rng, 5)];
    }
    return nq_bytes_of(data, size);
}

static inline nq_value random_value(nq_rng *rng, nq_arena *arena, nq_type_id type) {
    nq_value value = {.type = type};
    switch (type) {
    case NQ_TYPE_BOOL:
        value.boolean = nq_rng_below(rng, 2) == 1;
        break;
    case NQ_TYPE_INT16:
        value.integer = random_integer(rng, INT16_MIN, INT16_MAX);
        break;
    case NQ_TYPE_INT32:
        value.integer = random_integer(rng, INT32_MIN, INT32_MAX);
        break;
    case NQ_TYPE_DATE:
        value.integer = random_integer(rng, NQ_DATE_MIN, NQ_DATE_MAX);
        break;
    case NQ_TYPE_TIME:
        value.integer = random_integer(rng, 0, NQ_USEC_PER_DAY);
        break;
    case NQ_TYPE_FLOAT32:
        value.number = (double)(float)random_number(rng);
        break;
    case NQ_TYPE_FLOAT64:
        value.number = random_number(rng);
        break;
    case NQ_TYPE_UUID: {
        uint8_t *uuid = nq_arena_calloc(arena, 16, 1);
        uuid[nq_rng_below(rng, 16)] = (uint8_t)nq_rng_next(rng);
        value.bytes = nq_bytes_of(uuid, 16);
        break;
    }
    case NQ_TYPE_TEXT:
    case NQ_TYPE_BYTES:
        value.bytes = random_bytes(rng, arena, type == NQ_TYPE_TEXT);
        break;
    default:
        value.integer = random_integer(rng, INT64_MIN, INT64_MAX);
        break;
    }
    return value;
}

#endif
