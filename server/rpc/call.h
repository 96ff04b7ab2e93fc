/* Call: one RPC as a service sees it. No transport type appears here: the same handler runs on gRPC
 * core and under the fake transport of the tests (tests/support/fake_call.h).
 *
 * The strand. All callbacks of one call run one after another, never two at once, each seeing what
 * the previous one wrote: a handler needs no lock for its own state. Where they run:
 *   NQ_METHOD_INLINE   on the queue thread that owns the call. They must not block, take an engine
 *                      lock or run longer than ~200 us; nq_call_run() moves one piece of work to a
 *                      worker and keeps the strand.
 *   otherwise          on a worker of the pool. They may block on the engine.
 * A worker that replies or writes starts the transport's batch itself; nothing is handed back.
 *
 * Who may call what:
 *   any thread, from on_open until on_done has returned, or while holding a reference:
 *       nq_call_wake, nq_call_cancel, nq_call_acquire/release, nq_call_cancel_flag
 *   any thread, while the caller knows the call cannot end (it is inside a callback of it):
 *       the getters: method, service, state, metadata, peer, deadline, id
 *   the strand only (inside a callback, or inside the function given to nq_call_run):
 *       everything else
 *
 * A call's life:
 *   on_open → [on_message]* → [on_half_close] → … → on_done
 *   unary and server-streaming: exactly one on_message, asked for by the runtime; no on_half_close
 *   client-streaming and bidi: on_message once per nq_call_want_message; on_half_close at the end
 *   on_writable whenever the next write may be made after a write used the last chance up
 *   on_wake after one or many nq_call_wake (coalesced)
 *   on_cancel at most once, when the client went away, the deadline passed, an administrator or the
 *       drain cancelled. Afterwards nothing can be sent on a call whose client is gone; if the
 *       handler returns without finishing, the runtime finishes the call with the reason's code.
 *   on_done exactly once, last, always; without an on_open only if admission refused, then not at
 * all Any callback may be NULL. */
#ifndef NQ_SERVER_RPC_CALL_H
#define NQ_SERVER_RPC_CALL_H

#include "engine/ground/base/ctx.h"
#include "server/rpc/payload.h"

typedef struct nq_call nq_call;

/* ---- Methods ---- */

typedef enum nq_method_shape {
    NQ_METHOD_UNARY,
    NQ_METHOD_SERVER_STREAM,
    NQ_METHOD_CLIENT_STREAM,
    NQ_METHOD_BIDI,
} nq_method_shape;

typedef enum nq_method_flags {
    NQ_METHOD_INLINE = 1,   /* callbacks on the queue thread, see above */
    NQ_METHOD_PREFETCH = 2, /* unary and server-streaming: the transport reads the request before
                               the call exists for us: 2 queue events per unary call instead of 3,
                               but a client that never sends its request escapes first_message_ms
                               and the in-flight cap. nq_server_options.without_prefetch has the
                               last word. */
    NQ_METHOD_UNLIMITED =
        4, /* not counted against the in-flight cap: health and drain must answer */
} nq_method_flags;

typedef struct nq_method_handler {
    size_t state_bytes; /* nq_call_state(): zeroed before on_open, 16-byte aligned, freed after
                           on_done */
    void (*on_open)(nq_call *call);
    /* `message` is valid until the callback returns or, if it called nq_call_run, until that
     * function has returned. */
    void (*on_message)(nq_call *call, nq_bytes message);
    void (*on_half_close)(nq_call *call);
    void (*on_writable)(nq_call *call);
    void (*on_wake)(nq_call *call);
    void (*on_cancel)(nq_call *call);
    void (*on_done)(nq_call *call);
} nq_method_handler;

typedef struct nq_method {
    const char *path; /* "/package.Service/Method"; static storage */
    nq_method_shape shape;
    uint32_t flags; /* of nq_method_flags */
    const nq_method_handler
        *handler;             /* NULL: declared, not in this version: answers UNIMPLEMENTED */
    size_t message_bytes_max; /* largest request message; 0: the server's default */
} nq_method;

/* ---- Sending ---- */

/* Unary and client-streaming: the response and OK, in one batch. Takes over the reference; NULL
 * (memory was exhausted while building it) ends the call with RESOURCE_EXHAUSTED. A call already
 * finished or gone releases it and does nothing. */
void nq_call_reply(nq_call *call, nq_payload *message);

/* Server-streaming and bidi: one message. Legal while nq_call_can_write(); takes over the
 * reference. false: the call is finished or its client gone; nothing was sent, on_writable will not
 * come. `more_follows` says that another write or the finish comes soon, so that small messages
 * share one write to the socket. It is advice: the runtime asks for the next message (on_writable,
 * or can_write stays true) before it lets go of this one, and if none is offered by the time that
 * callback returns, this one leaves at once. */
bool nq_call_write(nq_call *call, nq_payload *message, bool more_follows);

/* True when nq_call_write may be called now. */
bool nq_call_can_write(const nq_call *call);

/* Sends the response headers without waiting for the first message, so that the client knows the
 * stream stands. Optional; once. */
void nq_call_send_headers(nq_call *call);

/* Ends the call: messages accepted so far, then status and trailers. `text` is UTF-8, copied, may
 * be
 * ""; `details` is a serialized google.rpc.Status for grpc-status-details-bin, copied, may be
 * empty. The first finish wins; later ones do nothing. */
void nq_call_finish(nq_call *call, nq_rpc_code code, const char *text, nq_bytes details);

/* finish with the code, text and details (by the server's encoder) of a failure. */
void nq_call_fail(nq_call *call, const nq_error *error);

/* Response headers (before the first write, reply or send_headers) and trailers (before finish).
 * Keys are lower case; binary values need a key ending in "-bin". Copied. false: the key or value
 * is not legal on the wire, it is too late, or there are too many (8 of each). */
bool nq_call_add_header(nq_call *call, const char *key, nq_bytes value);
bool nq_call_add_trailer(nq_call *call, const char *key, nq_bytes value);

/* ---- Receiving ---- */

/* Client-streaming and bidi: asks for one more message. Asking again before it came does nothing.
 */
void nq_call_want_message(nq_call *call);

/* ---- Running elsewhere, waking, cancelling ---- */

/* Runs `work` on the worker pool as the next step of this call's strand, once the current callback
 * has returned: no other callback runs meanwhile (a cancel sets the flag at once, on_cancel follows
 * afterwards). One at a time; on a worker already, it simply runs next. */
void nq_call_run(nq_call *call, void (*work)(nq_call *call));

/* Any thread: on_wake will run soon. Many wakes before it runs are one. */
void nq_call_wake(nq_call *call);

/* Any thread: asks the call to stop with `reason` (NQ_CANCELLED_BY_ADMIN, NQ_SHUTTING_DOWN …). Sets
 * the flag at once, then on_cancel. The first reason wins. Unlike nq_call_finish, it does not wait
 * for a client that does not read: what has not left a second later is thrown away and the stream
 * cut. */
void nq_call_cancel(nq_call *call, nq_status reason);

/* Keeps the object (not the stream) alive beyond on_done, so that wake and cancel stay safe,
 * without effect. Counted; any thread that already may call them. Hold briefly: it pins memory. */
nq_call *nq_call_acquire(nq_call *call);
void nq_call_release(nq_call *call);

/* ---- About the call ---- */

const nq_method *nq_call_method(const nq_call *call);
/* What the app registered the methods with. */
void *nq_call_service(const nq_call *call);
/* `state_bytes` of the handler's own. */
void *nq_call_state(nq_call *call);
/* Unique in this process, never 0; rises with time. */
uint64_t nq_call_id(const nq_call *call);
/* The connection's id (nq_connection_info.id), 0 if unknown. */
uint64_t nq_call_connection_id(const nq_call *call);
/* "ipv4:10.0.0.7:53122", "ipv6:[::1]:53122", "unix:pid=71,uid=0", or "unknown". */
const char *nq_call_peer(const nq_call *call);
/* The first value of a request header (`key` in lower case; -bin values are decoded), or empty.
 * Until on_done returns. */
nq_bytes nq_call_metadata(const nq_call *call, const char *key);
/* On nq_clock_monotonic_ns()'s clock, or NQ_NO_DEADLINE. */
int64_t nq_call_deadline_ns(const nq_call *call);
/* What engine work polls: NQ_OK while wanted, then why not. */
const nq_cancel_flag *nq_call_cancel_flag(const nq_call *call);
/* Memory that lives until on_done returns, within the server's call_bytes_max. */
nq_arena *nq_call_arena(nq_call *call);
/* A context for engine work on behalf of this call: its deadline, cancel flag, clock; scratch is
 * `scratch`, or the call's arena if NULL. */
void nq_call_init_ctx(nq_call *call, nq_ctx *out_ctx, nq_arena *scratch);

#endif
