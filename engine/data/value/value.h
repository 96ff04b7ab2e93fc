/* Value: one typed datum outside a batch — a literal, a parameter, a key column, a default. */
#ifndef NQ_DATA_VALUE_VALUE_H
#define NQ_DATA_VALUE_VALUE_H

#include "engine/data/value/type.h"
#include "engine/ground/base/ctx.h"

typedef struct nq_value {
    nq_type_id
        type; /* UNKNOWN with is_null: an untyped NULL; UNKNOWN with bytes: an untyped literal */
    bool is_null;
    union {
        bool boolean;    /* NQ_FORM_BOOL */
        int64_t integer; /* NQ_FORM_INT64 */
        double number;   /* NQ_FORM_FLOAT64 */
        nq_bytes bytes;  /* NQ_FORM_BYTES; borrowed from whoever made the value */
    };
} nq_value;

#define NQ_VALUE_NULL(type_id) ((nq_value){.type = (type_id), .is_null = true})
#define NQ_VALUE_BOOL(x)       ((nq_value){.type = NQ_TYPE_BOOL, .boolean = (x)})
#define NQ_VALUE_INT64(x)      ((nq_value){.type = NQ_TYPE_INT64, .integer = (x)})
#define NQ_VALUE_FLOAT64(x)    ((nq_value){.type = NQ_TYPE_FLOAT64, .number = (x)})
#define NQ_VALUE_TEXT(x)       ((nq_value){.type = NQ_TYPE_TEXT, .bytes = (x)})

/* Total order of two non-null values of one form, as ORDER BY and keys use it: false < true, NaN
 * above every number and equal to itself, -0 equal to 0, bytes unsigned lexicographic ("C"). */
int nq_value_compare(nq_value left, nq_value right);

/* Equal values (by nq_value_compare, nulls equal each other) hash alike; stable within a process
 * only. */
uint64_t nq_value_hash(nq_value value);

/* Converts as CAST does (PostgreSQL's rules: float to integer rounds half to even, text is parsed
 * whole and trimmed of blanks). `is_assignment` narrows the rules to those of INSERT and UPDATE.
 * Text results are allocated from `arena`. Fails with NQ_INVALID_TEXT_VALUE,
 * NQ_NUMBER_OUT_OF_RANGE, NQ_STRING_TOO_LONG, NQ_INVALID_DATETIME, NQ_DATETIME_OUT_OF_RANGE,
 * NQ_TYPE_MISMATCH, NQ_MEMORY_LIMIT. */
nq_status nq_value_cast(nq_ctx *ctx, nq_arena *arena, nq_value value, nq_type target,
                        bool is_assignment, nq_value *out_value);

/* The canonical text of a non-null value: what psql prints. Floats are the shortest text that reads
 * back to the same bits; timestamps are ISO 8601 with a blank. */
nq_status nq_value_print(nq_ctx *ctx, nq_arena *arena, nq_value value, nq_bytes *out_text);

#endif
