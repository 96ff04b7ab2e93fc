/* Row batch: rows as lists of Value, for people with grpcurl and for small results.
 *
 * Several times dearer than a column batch to write and to read; readable as JSON. The member of a
 * Value follows from the column's type, as types.proto says. */
#ifndef NQ_WIRE_ROW_BATCH_H
#define NQ_WIRE_ROW_BATCH_H

#include "engine/data/value/batch.h"
#include "server/wire/writer.h"

/* Appends one Value as the submessage `field`. */
void nq_value_write(nq_writer *writer, uint32_t field, nq_value value);

/* Appends each row of `batch` as a Row: the elements of RowBatch.rows, inside an open RowBatch. */
void nq_rows_write(nq_writer *writer, const nq_batch *batch);

#endif
