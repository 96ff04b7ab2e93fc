/* Statement internals: the messages that many requests embed, decoded once for all of them. */
#ifndef NQ_WIRE_STATEMENT_INTERNAL_H
#define NQ_WIRE_STATEMENT_INTERNAL_H

#include <neuroquantum/v1/query.pb-c.h>

#include "server/wire/query_wire.h"
#include "server/wire/wire_internal.h"

/* The longest duration a request may name. */
#define NQ_WIRE_DURATION_NS_MAX (INT64_C(30) * 24 * 3600 * 1000000000)

/* `field` is the message's own path, for errors. */
nq_status nq__wire_statement(nq_ctx *ctx, const char *field,
                             const Neuroquantum__V1__Statement *statement, nq_wire_statement *out);

/* NULL means no selector. */
nq_status nq__wire_selector(nq_ctx *ctx, const Neuroquantum__V1__TransactionSelector *selector,
                            nq_wire_selector *out);
nq_status nq__wire_transaction_options(nq_ctx *ctx, const char *field,
                                       const Neuroquantum__V1__TransactionOptions *options,
                                       nq_wire_transaction_options *out);

/* NULL means defaults. */
nq_status nq__wire_query_options(nq_ctx *ctx, const Neuroquantum__V1__QueryOptions *options,
                                 nq_wire_query_options *out);

/* A client-chosen id or tag of at most NQ_WIRE_ID_BYTES_MAX bytes. */
nq_status nq__wire_id(nq_ctx *ctx, const char *field, const char *text, nq_bytes *out_id);

/* The type's number, or a refusal: not in this version, or no such type. UNKNOWN when unspecified.
 */
nq_status nq__wire_type(nq_ctx *ctx, const char *field, const Neuroquantum__V1__Type *type,
                        nq_type *out_type);

/* One datum. With a known `type` it is cast to it; otherwise text stays an untyped literal. */
nq_status nq__wire_value(nq_ctx *ctx, const char *field, const Neuroquantum__V1__Value *value,
                         nq_type type, nq_value *out_value);

#endif
