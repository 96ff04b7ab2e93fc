/* Literals: values as people and files write them, both ways.
 *
 * Reading is strict: the whole text or nothing. `is_exact` of a reader tells whether writing the
 * value again would give something that means the same to the last digit; type inference only
 * believes exact ones, so that a load never loses what the file said. */
#ifndef NQ_SDK_CLI_LITERAL_H
#define NQ_SDK_CLI_LITERAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sdk/c/nq.h"
#include "sdk/cli/text.h"

/* [+-]digits, within 64 bits. Exact: no plus sign, no leading zeros. */
bool nq_literal_read_int(const char *text, size_t bytes, int64_t *out_value, bool *out_is_exact);
/* Decimal with optional fraction and exponent, NaN, [-]Infinity. Not exact: more than 17
 * significant digits, whole numbers beyond 2^53, overflow, underflow, leading zeros. */
bool nq_literal_read_double(const char *text, size_t bytes, double *out_value, bool *out_is_exact);
/* true false t f yes no y n on off 1 0 in any case. Exact: true and false. */
bool nq_literal_read_bool(const char *text, size_t bytes, bool *out_value, bool *out_is_exact);
/* YYYY-MM-DD as days since 1970-01-01. Always exact. */
bool nq_literal_read_date(const char *text, size_t bytes, int64_t *out_days);

/* What a timestamp says of its zone. */
typedef enum nq_literal_zone { NQ_ZONE_NONE, NQ_ZONE_UTC, NQ_ZONE_OFFSET } nq_literal_zone;

/* YYYY-MM-DD[( |T)HH:MM[:SS[.ffffff]]][Z|+HH[:MM]] as microseconds since 1970-01-01T00:00:00, in
 * UTC when it has a zone. Finer fractions are refused. */
bool nq_literal_read_timestamp(const char *text, size_t bytes, int64_t *out_us,
                               nq_literal_zone *out_zone);

/* The text of a datum that is not null: what psql prints. */
void nq_literal_write(nq_text *text, const nq_datum *datum);

/* "bigint"; the name SQL knows the type by. */
const char *nq_data_type_sql(nq_data_type type);
/* The type of a SQL name ("int", "double precision"); NQ_DATA_UNKNOWN: none of ours. */
nq_data_type nq_data_type_find(const char *name, size_t bytes);
bool nq_data_type_is_number(nq_data_type type);

#endif
