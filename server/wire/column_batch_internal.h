/* Column batch internals: the layout's numbers and the kernels that writer and collector share. */
#ifndef NQ_WIRE_COLUMN_BATCH_INTERNAL_H
#define NQ_WIRE_COLUMN_BATCH_INTERNAL_H

#include "server/wire/column_batch.h"

/* Field numbers and enum values of neuroquantum/v1/types.proto; column_batch_test checks them
 * against the generated code. */
enum {
    NQ_BATCH_FIELD_ROW_COUNT = 1,
    NQ_BATCH_FIELD_COLUMNS = 2,
    NQ_BATCH_FIELD_COMPRESSION = 3,
    NQ_BATCH_FIELD_UNCOMPRESSED_BYTES = 4,
    NQ_COLUMN_FIELD_ENCODING = 1,
    NQ_COLUMN_FIELD_NULL_COUNT = 2,
    NQ_COLUMN_FIELD_VALIDITY = 3,
    NQ_COLUMN_FIELD_DATA = 4,
    NQ_COLUMN_FIELD_OFFSETS = 5,
    NQ_COLUMN_FIELD_DICTIONARY = 6,
    NQ_COLUMN_ENCODING_PLAIN = 1,
    NQ_COMPRESSION_NONE = 1,
    NQ_UUID_BYTES = 16,
};

static inline bool nq__column_has_offsets(nq_type_id type) {
    return nq_type_form(type) == NQ_FORM_BYTES && type != NQ_TYPE_UUID;
}

/* Bytes of one value in `data`; not for BOOL and types with offsets. */
size_t nq__column_width(nq_type_id type);

/* Bytes that `data` will hold. */
uint64_t nq__column_data_bytes(const nq_vector *vector, uint32_t row_count);

/* Packs one byte a row (0 or 1) into one bit a row; returns the ones written. */
uint32_t nq__column_pack_bits(const uint8_t *bytes, uint32_t count, bool inverted,
                              uint8_t *out_bits);

/* Writes row_count values of nq__column_width bytes. */
void nq__column_put_fixed(const nq_vector *vector, uint32_t row_count, uint8_t *restrict out);

/* Whole columns as a list of batches, without touching a value. */
nq_status nq__batch_list_cut(nq_ctx *ctx, const nq_vector *columns, uint32_t column_count,
                             uint32_t row_count, nq_batch_list *out);

#endif
