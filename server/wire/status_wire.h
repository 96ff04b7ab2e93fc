/* Status wire: a failure as clients see it.
 *
 * grpc-status and grpc-message carry code and text; grpc-status-details-bin carries
 * google.rpc.Status with ErrorInfo (reason = the status' name, domain "neuroquantum", metadata),
 * QueryErrorDetail (SQLSTATE, position, token, hint, constraint), BadRequest when a request field
 * is at fault, and RetryInfo when the same request may succeed later. */
#ifndef NQ_WIRE_STATUS_WIRE_H
#define NQ_WIRE_STATUS_WIRE_H

#include "engine/ground/base/ctx.h"
#include "server/wire/writer.h"

/* The shape of nq_error_encoder; `self` is unused. Empty when memory ran out or the result would
 * not fit the 8 KiB that trailers may take. */
nq_bytes nq_status_details_encode(void *self, nq_arena *arena, const nq_error *error);

/* The same, for one statement of a batch. */
nq_bytes nq_status_details_encode_at(nq_arena *arena, const nq_error *error,
                                     uint32_t statement_index);

/* Appends a QueryErrorDetail as the submessage `field`. */
void nq_query_error_detail_write(nq_writer *writer, uint32_t field, const nq_error *error,
                                 uint32_t statement_index);

/* Puts the place into the message, PostgreSQL's way: "... (line 1, column 10)", the line of `sql`
 * it stands in, and a caret below. Does nothing when the error has no position. */
void nq_error_show_place(nq_error *error, nq_bytes sql);

#endif
