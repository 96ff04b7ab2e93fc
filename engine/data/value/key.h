/* Key: typed columns as bytes whose unsigned lexicographic order is the order of the values.
 *
 * Integers, dates and times are big-endian with the sign flipped, in their declared width; floats
 * have their bits folded so that NaN sorts last and -0 equals 0; text ends with 0x00 (it never
 * holds one); bytes escape 0x00 as 0x00 0xFF and end with 0x00 0x01. A nullable column is led by
 * 0x01, or is 0x02 alone when null: nulls sort last. An encoded prefix of the columns is a prefix
 * of the encoded key. docs/format/catalog.md has the byte table. */
#ifndef NQ_DATA_VALUE_KEY_H
#define NQ_DATA_VALUE_KEY_H

#include "engine/data/value/value.h"
#include "engine/data/value/vector_builder.h"

enum { NQ_KEY_BYTES_MAX = 1024 };

typedef struct nq_key_column {
    nq_type_id type;
    bool is_nullable;
} nq_key_column;

/* A key being encoded, in its owner's memory. */
typedef struct nq_key_buffer {
    uint32_t size;
    uint8_t data[NQ_KEY_BYTES_MAX];
} nq_key_buffer;

static inline nq_bytes nq_key_bytes(const nq_key_buffer *key) {
    return nq_bytes_of(key->data, key->size);
}

/* Appends one column. `value` has the column's type's form. Fails with NQ_LIMIT_EXCEEDED when the
 * key outgrows NQ_KEY_BYTES_MAX, NQ_NOT_NULL_VIOLATION for a null in a column that is not nullable.
 */
nq_status nq_key_append(nq_ctx *ctx, nq_key_buffer *key, nq_key_column column, nq_value value);

/* The exclusive upper bound of everything that starts with the key so far: turns it into the
 * smallest key above all of them. False when there is none (it is empty or all 0xFF). */
bool nq_key_advance(nq_key_buffer *key);

/* Takes one column off the front of `*key`. Text is decoded into `arena` only where it was escaped;
 * otherwise it borrows from the key. Malformed keys fail with NQ_PAGE_CORRUPT. */
nq_status nq_key_take(nq_ctx *ctx, nq_arena *arena, nq_bytes *key, nq_key_column column,
                      nq_value *out_value);

/* Steps over one column without decoding it. */
nq_status nq_key_skip(nq_ctx *ctx, nq_bytes *key, nq_key_column column);

/* Whether a key column gives back exactly the value that went in (floats do not: -0, NaN bits), so
 * that the row need not repeat it. */
bool nq_key_is_lossless(nq_type_id type);

#endif
