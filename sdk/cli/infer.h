/* Infer: which type a column of text can have without losing anything.
 *
 * A column begins with every type possible; each value strikes out those that could not hold it
 * exactly. What is left at the end, in order of preference — bigint, double precision, boolean,
 * date, timestamp — is the type; text always is. All values are looked at, so there is nothing to
 * take back later. */
#ifndef NQ_SDK_CLI_INFER_H
#define NQ_SDK_CLI_INFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sdk/c/nq.h"
#include "sdk/cli/csv.h"

typedef struct nq_inference {
    unsigned possible; /* bits of types */
    bool has_values;
    bool has_nulls;
    bool has_zone; /* of the timestamps so far: all have one or none has */
} nq_inference;

void nq_inference_init(nq_inference *inference);
void nq_inference_observe(nq_inference *inference, const nq_csv_field *field);
/* NQ_DATA_TEXT when nothing was seen. */
nq_data_type nq_inference_type(const nq_inference *inference);

/* True when `first` can only be names: no value of it is a number, a date or a truth, none is
 * empty, no two are equal, and either some column's later values are of another type than text, or
 * all names look like identifiers. `rest` are the inferences over the other records. */
bool nq_record_is_header(const nq_csv_field *first, const nq_inference *rest, size_t count);

/* A header's field as a column name: lower case, everything but letters, digits and `_` replaced.
 */
void nq_column_name_from_field(nq_text *name, const nq_csv_field *field);

/* A field as a datum of `type`: an empty unquoted field, or one equal to `null_text`, is NULL.
 * False: it spells no such value. Text is borrowed. */
bool nq_datum_from_field(const nq_csv_field *field, nq_data_type type, const char *null_text,
                         nq_datum *out_datum);

#endif
