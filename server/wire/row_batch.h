/* Row batch: rows as lists of Value, for people with grpcurl and for small results.
 *
 * Twenty times dearer than a column batch to write and to read; readable as JSON. Integers of every
 * width are int_value; REAL and DOUBLE double_value; TIMESTAMP timestamp_us; DATE, TIME and UUID
 * their canonical text as text_value. */
#ifndef NQ_WIRE_ROW_BATCH_H
#define NQ_WIRE_ROW_BATCH_H

#include "engine/data/value/batch.h"
#include "server/wire/writer.h"

/* Appends one Value as the submessage `field`. */
void nq_value_write(nq_writer *writer, uint32_t field, nq_value value);

/* Appends each row of `batch` as a Row: the elements of RowBatch.rows, inside an open RowBatch. */
void nq_rows_write(nq_writer *writer, const nq_batch *batch);

#endif
