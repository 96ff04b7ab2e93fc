/* Hash tables over row numbers. Linear probing at most three quarters full; half of the hash stands
 * in the slot, so that growing needs no row and a stray probe seldom reads one. */
#include "engine/query/exec/hash_internal.h"

enum { SLOTS_MIN = 32, HASH_SHIFT = 32 };

static const uint64_t hash_seed = UINT64_C(0x9e3779b97f4a7c15);
static const uint64_t null_hash = UINT64_C(0x6a09e667f3bcc909);

/* The finaliser of MurmurHash3 (Appleby): every input bit reaches every output bit. */
static inline uint64_t scramble(uint64_t x) {
    x ^= x >> 33;
    x *= UINT64_C(0xff51afd7ed558ccd);
    x ^= x >> 33;
    x *= UINT64_C(0xc4ceb9fe1a85ec53);
    return x ^ (x >> 33);
}

static inline uint64_t number_bits(double number) {
    uint64_t bits;
    double canonical = number != number ? __builtin_nan("") : number + 0.0; /* -0 is 0 */
    memcpy(&bits, &canonical, sizeof bits);
    return bits;
}

#define HASH_CELLS(bits_of_row)                                          \
    for (uint32_t row = 0; row < count; row++) {                         \
        bool is_null = vector->nulls != NULL && vector->nulls[row] != 0; \
        uint64_t cell = is_null ? null_hash : (bits_of_row);             \
        out_hashes[row] = scramble(out_hashes[row] * hash_seed + cell);  \
    }

void nq__hash_vectors(const nq_vector *vectors, uint32_t vector_count, uint32_t count,
                      uint64_t *out_hashes) {
    for (uint32_t row = 0; row < count; row++) {
        out_hashes[row] = hash_seed;
    }
    for (uint32_t v = 0; v < vector_count; v++) {
        const nq_vector *vector = &vectors[v];
        switch (nq_type_form(vector->type.id)) {
        case NQ_FORM_BOOL:
            HASH_CELLS(vector->booleans[row])
            break;
        case NQ_FORM_INT64:
            HASH_CELLS((uint64_t)vector->integers[row])
            break;
        case NQ_FORM_FLOAT64:
            HASH_CELLS(number_bits(vector->numbers[row]))
            break;
        case NQ_FORM_BYTES:
            HASH_CELLS(nq_value_hash(NQ_VALUE_TEXT(vector->bytes[row])))
            break;
        }
    }
}

static bool allocate(nq_hash *hash, uint64_t slot_count) {
    hash->slots = nq_arena_calloc(hash->arena, slot_count, sizeof(uint64_t));
    hash->mask = slot_count - 1;
    return hash->slots != NULL;
}

bool nq__hash_init(nq_hash *hash, nq_arena *arena, uint32_t rows_expected) {
    *hash = (nq_hash){.arena = arena};
    uint64_t slot_count = SLOTS_MIN;
    while (slot_count * 3 / 4 < rows_expected) {
        slot_count *= 2;
    }
    return allocate(hash, slot_count);
}

uint32_t nq__hash_find(const nq_hash *hash, const nq_rows *rows, const nq_vector *vectors,
                       uint32_t at, uint64_t value) {
    uint64_t tag = value >> HASH_SHIFT;
    for (uint64_t i = tag & hash->mask;; i = (i + 1) & hash->mask) {
        uint64_t slot = hash->slots[i];
        if (slot == 0) {
            return NQ_ROW_NONE;
        }
        uint32_t row = (uint32_t)slot - 1;
        if (slot >> HASH_SHIFT == tag && nq__rows_equal(rows, row, vectors, at)) {
            return row;
        }
    }
}

static void place(nq_hash *hash, uint64_t slot) {
    uint64_t i = (slot >> HASH_SHIFT) & hash->mask;
    while (hash->slots[i] != 0) {
        i = (i + 1) & hash->mask;
    }
    hash->slots[i] = slot;
}

bool nq__hash_insert(nq_hash *hash, uint64_t value, uint32_t row) {
    if (hash->used >= (hash->mask + 1) / 4 * 3) {
        const uint64_t *old = hash->slots;
        uint64_t old_count = hash->mask + 1;
        if (!allocate(hash, old_count * 2)) {
            return false;
        }
        for (uint64_t i = 0; i < old_count; i++) {
            if (old[i] != 0) {
                place(hash, old[i]);
            }
        }
    }
    hash->used++;
    place(hash, (value >> HASH_SHIFT << HASH_SHIFT) | (row + 1));
    return true;
}

bool nq__row_set_init(nq_row_set *set, nq_arena *arena, const nq_type *types,
                      uint32_t column_count) {
    set->hashes = nq_arena_alloc(arena, NQ_BATCH_ROWS_MAX * sizeof(uint64_t));
    return set->hashes != NULL && nq__rows_init(&set->rows, arena, types, column_count) &&
           nq__hash_init(&set->hash, arena, 0);
}

bool nq__row_set_enter(nq_row_set *set, const nq_vector *vectors, uint32_t count, uint32_t *out_ids,
                       uint16_t *out_new, uint32_t *out_new_count) {
    *out_new_count = 0;
    if (count == 0) {
        return true;
    }
    nq__hash_vectors(vectors, set->rows.column_count, count, set->hashes);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t id = nq__hash_find(&set->hash, &set->rows, vectors, i, set->hashes[i]);
        if (id == NQ_ROW_NONE) {
            uint16_t picked = (uint16_t)i;
            id = set->rows.row_count;
            if (!nq__rows_append(&set->rows, vectors, &picked, 1) ||
                !nq__hash_insert(&set->hash, set->hashes[i], id)) {
                return false;
            }
            out_new[(*out_new_count)++] = picked;
        }
        out_ids[i] = id;
    }
    return true;
}
