/* Type: what a column or an expression holds.
 *
 * A logical type says what a value means; its physical form says how a vector stores it. Many types
 * share few forms, so kernels are written once per form. */
#ifndef NQ_DATA_VALUE_TYPE_H
#define NQ_DATA_VALUE_TYPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/ground/base/bytes.h"

/* The numbers are the wire's (proto DataType) and the disk's: append only. */
typedef enum nq_type_id {
    NQ_TYPE_UNKNOWN = 0, /* an untyped literal or NULL, before its place gives it a type */
    NQ_TYPE_BOOL = 1,
    NQ_TYPE_INT16 = 2,      /* SMALLINT */
    NQ_TYPE_INT32 = 3,      /* INTEGER */
    NQ_TYPE_INT64 = 4,      /* BIGINT */
    NQ_TYPE_FLOAT32 = 5,    /* REAL: held as double, rounded to float when stored */
    NQ_TYPE_FLOAT64 = 6,    /* DOUBLE PRECISION */
    NQ_TYPE_DECIMAL = 7,    /* reserved: refused with NQ_FEATURE_UNSUPPORTED until it is exact */
    NQ_TYPE_TEXT = 8,       /* TEXT, VARCHAR(n), CHAR(n): UTF-8 without U+0000 */
    NQ_TYPE_BYTES = 9,      /* BYTEA, BLOB */
    NQ_TYPE_TIMESTAMP = 10, /* microseconds since 1970-01-01T00:00:00, no zone */
    NQ_TYPE_DATE = 11,      /* days since 1970-01-01, proleptic Gregorian */
    NQ_TYPE_TIME = 12,      /* microseconds since midnight, 0 .. 86,400,000,000 */
    NQ_TYPE_INTERVAL = 13,  /* reserved */
    NQ_TYPE_UUID = 14,      /* 16 bytes, RFC 9562 order */
    NQ_TYPE_JSON = 15,      /* reserved */
    NQ_TYPE_ID_COUNT = 20,
} nq_type_id;

/* How a vector stores one value. */
typedef enum nq_form {
    NQ_FORM_BOOL,    /* uint8_t, 0 or 1 */
    NQ_FORM_INT64,   /* int64_t: every integer and date type */
    NQ_FORM_FLOAT64, /* double */
    NQ_FORM_BYTES,   /* nq_bytes: text, bytes, uuid */
} nq_form;

typedef struct nq_type {
    nq_type_id id;
    uint32_t length_max; /* VARCHAR(n)/CHAR(n): characters; 0 = unlimited. Other types: 0 */
    bool is_padded;      /* CHAR(n): blank-padded */
} nq_type;

#define NQ_TYPE(type_id) ((nq_type){.id = (type_id)})

nq_form nq_type_form(nq_type_id id);

/* Bytes of one element of the form in a vector: 1, 8, 8, sizeof(nq_bytes). */
size_t nq_form_bytes(nq_form form);

/* The standard spelling ("integer", "character varying", "timestamp"); static storage. */
const char *nq_type_name(nq_type_id id);

/* The type a SQL name denotes ("int", "INT4", "bigint", "text", "double precision" …), folded to
 * lower case by the caller; NQ_TYPE_UNKNOWN when there is none. */
nq_type_id nq_type_find(nq_bytes name);

bool nq_type_is_integer(nq_type_id id);
bool nq_type_is_number(nq_type_id id);

#endif
