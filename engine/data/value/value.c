/* Values: their one order, and a hash that agrees with it. */
#include "engine/data/value/value.h"

#include <math.h>
#include <string.h>

#include "engine/data/value/batch.h"

__extension__ typedef unsigned __int128 uint128;

static int compare_numbers(double left, double right) {
    if (left < right) {
        return -1;
    }
    if (left > right) {
        return 1;
    }
    /* Equal, or a NaN somewhere: NaN is above every number and equal to itself. */
    return (left != left) - (right != right);
}

int nq_value_compare(nq_value left, nq_value right) {
    switch (nq_type_form(left.type)) {
    case NQ_FORM_BOOL:
        return (int)left.boolean - (int)right.boolean;
    case NQ_FORM_INT64:
        return (left.integer > right.integer) - (left.integer < right.integer);
    case NQ_FORM_FLOAT64:
        return compare_numbers(left.number, right.number);
    case NQ_FORM_BYTES:
        break;
    }
    return nq_bytes_compare(left.bytes, right.bytes);
}

/* Folds a 128-bit product: each output bit depends on every input bit (wyhash's mixer). */
static uint64_t mix(uint64_t left, uint64_t right) {
    uint128 product = (uint128)left * right;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

enum { HASH_STEP_BYTES = 8 };
static const uint64_t hash_seed = UINT64_C(0x2d358dccaa6c78a5);
static const uint64_t hash_step = UINT64_C(0x8bb84b93962eacc9);

static uint64_t hash_bytes(nq_bytes bytes) {
    uint64_t hash = hash_seed ^ bytes.size;
    uint64_t word;
    size_t i = 0;
    for (; i + HASH_STEP_BYTES <= bytes.size; i += HASH_STEP_BYTES) {
        memcpy(&word, bytes.data + i, HASH_STEP_BYTES);
        hash = mix(hash ^ word, hash_step);
    }
    if (i < bytes.size) {
        word = 0;
        memcpy(&word, bytes.data + i, bytes.size - i);
        hash = mix(hash ^ word, hash_step);
    }
    return mix(hash, hash_step);
}

uint64_t nq_value_hash(nq_value value) {
    if (value.is_null) {
        return hash_step;
    }
    uint64_t word = 0;
    switch (nq_type_form(value.type)) {
    case NQ_FORM_BOOL:
        word = value.boolean;
        break;
    case NQ_FORM_INT64:
        word = (uint64_t)value.integer;
        break;
    case NQ_FORM_FLOAT64: {
        double number = value.number != value.number ? (double)NAN : value.number + 0.0;
        memcpy(&word, &number, sizeof word);
        break;
    }
    case NQ_FORM_BYTES:
        return hash_bytes(value.bytes);
    }
    return mix(word ^ hash_seed, hash_step);
}

nq_value nq_batch_value(const nq_batch *batch, uint32_t column, uint32_t row) {
    const nq_vector *vector = &batch->columns[column];
    nq_value value = {.type = vector->type.id};
    if (vector->nulls != NULL && vector->nulls[row] != 0) {
        value.is_null = true;
        return value;
    }
    switch (nq_type_form(vector->type.id)) {
    case NQ_FORM_BOOL:
        value.boolean = vector->booleans[row] != 0;
        break;
    case NQ_FORM_INT64:
        value.integer = vector->integers[row];
        break;
    case NQ_FORM_FLOAT64:
        value.number = vector->numbers[row];
        break;
    case NQ_FORM_BYTES:
        value.bytes = vector->bytes[row];
        break;
    }
    return value;
}
