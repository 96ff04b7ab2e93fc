/* Run: one statement of one call, from the request's statement and transaction selector to what the
 * engine needs, and back.
 *
 *     nq_run_open → nq_cursor_open(run.transaction, run.prepared, …) → … → nq_run_close
 *
 * Shared by QueryService and StreamService. A run belongs to its call's strand. */
#ifndef NQ_SERVER_SERVICE_RUN_H
#define NQ_SERVER_SERVICE_RUN_H

#include "server/service/service.h"
#include "server/wire/query_wire.h"

typedef struct nq_run {
    nq_service *service;
    nq_prepared *prepared;       /* held */
    nq_open_transaction *open;   /* checked out; NULL: the statement's own transaction */
    nq_transaction *transaction; /* of `open`, or NULL */
    nq_bytes sql;                /* for errors and lists */
    bool began_here;             /* a failure ends the transaction */
    bool commit_after;           /* a success commits it */
    bool rollback_after;         /* a success rolls it back: ROLLBACK */
} nq_run;

/* Brings the deadline of a call's context forward by the request's timeout (0: none) and the
 * server's. */
void nq_run_set_timeout(const nq_service *service, int64_t timeout_ns, int64_t now_ns, nq_ctx *ctx);

/* The context of a call's statement: the call's, with that deadline. */
void nq_run_init_ctx(nq_call *call, nq_service *service, int64_t timeout_ns, nq_ctx *out_ctx);

/* Checks the selected transaction out, or begins it. On failure nothing is held. */
nq_status nq_run_select(nq_ctx *ctx, nq_service *service, const nq_wire_selector *selector,
                        nq_run *out_run);

/* Finds or prepares the statement, in place of the one before. A failed transaction accepts nothing
 * but rollbacks (NQ_TRANSACTION_FAILED). */
nq_status nq_run_find(nq_ctx *ctx, nq_run *run, const nq_wire_statement *statement);

/* select and find; on failure nothing is held, and the error shows its place in the text. */
nq_status nq_run_open(nq_ctx *ctx, nq_service *service, const nq_wire_statement *statement,
                      const nq_wire_selector *selector, nq_run *out_run);

/* Gives a run without a transaction one of its own, committed when it succeeds: for statements
 * whose answer may yet fail after the write. */
nq_status nq_run_begin(nq_ctx *ctx, nq_run *run);

/* How a run ended. */
typedef struct nq_run_end {
    bool is_open;                                    /* a transaction remains open */
    uint8_t transaction_id[NQ_TRANSACTION_ID_BYTES]; /* that one */
    uint64_t commit_lsn;                             /* of the commit made here; 0: none */
} nq_run_end;

/* Lets go of everything. `outcome` is how the statement went: a failure (already in ctx) ends a
 * transaction that began here and makes another one failed; a success commits when that was asked
 * for, under `request_id`. Answers the outcome, or why the commit failed. */
nq_status nq_run_close(nq_ctx *ctx, nq_run *run, nq_status outcome, nq_bytes request_id,
                       nq_run_end *out_end);

/* Fails the call with ctx's error, and tells the query's id in the trailer x-query-id. */
void nq_run_fail(nq_call *call, nq_ctx *ctx, const nq_query_entry *entry);

#endif
