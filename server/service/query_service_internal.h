/* QueryService internals: one handler per method, one file per job. */
#ifndef NQ_SERVER_SERVICE_QUERY_SERVICE_INTERNAL_H
#define NQ_SERVER_SERVICE_QUERY_SERVICE_INTERNAL_H

#include "server/service/run.h"
#include "server/service/service.h"

/* Rows come in larger messages than statements do. */
enum { NQ_INGEST_MESSAGE_BYTES_MAX = 16 << 20 };

/* Unary handlers: each decodes, calls the engine and replies. */
void nq__query_execute_batch(nq_call *call, nq_bytes message);
void nq__query_explain(nq_call *call, nq_bytes message);

extern const nq_method_handler nq__query_execute_handler;
extern const nq_method_handler nq__query_ingest_handler;

/* Runs a statement that controls transactions (BEGIN … RELEASE) on the run; nq_run_close then does
 * what it asked for. */
nq_status nq__run_control(nq_ctx *ctx, nq_run *run);
bool nq__is_control(nq_statement_kind kind);

/* False when every worker is busy, perhaps waiting for the very lock that a transaction's end would
 * let go. What ends a transaction then runs where it is, on the queue thread: a sync to disk there
 * is the lesser evil. */
bool nq__has_idle_worker(const nq_service *service);

/* Tells the slow-query log how a statement went. `stats` may be NULL. */
void nq__note_query(const nq_service *service, const nq_query_entry *entry, nq_status outcome,
                    const nq_statement_stats *stats);

/* Replies with what was written, or fails the call. */
void nq__reply(nq_call *call, nq_ctx *ctx, nq_writer *writer);

/* The plan for people: one node a line, indented under its consumer. */
nq_status nq__explain_print(nq_ctx *ctx, const nq_plan_node_info *nodes, uint32_t node_count,
                            bool analyze, nq_bytes *out_text);

#endif
