/* Transport: what carries a call. The seam between the call state machine (call.c, no gRPC in it)
 * and whoever moves the bytes: gRPC core (core_call.c), or memory (tests/support/fake_call.c).
 *
 * A transport embeds nq_call as the first member of its own call, implements nq_transport, and
 * reports what happened through the nq_call_on_… functions. Every operation below is asked for by
 * the strand, so one at a time per call; each direction has at most one outstanding. */
#ifndef NQ_SERVER_RPC_TRANSPORT_H
#define NQ_SERVER_RPC_TRANSPORT_H

#include "server/rpc/interceptor.h"

/* A header or trailer to send; one allocation, key and value behind it. */
typedef struct nq_metadatum {
    struct nq_metadatum *next;
    const char *key;
    nq_bytes value;
} nq_metadatum;

/* One step of the sending side. Everything pointed to stays valid until nq_call_on_sent. */
typedef struct nq_send {
    nq_payload *message; /* NULL: none; the call keeps the reference */
    bool with_headers;   /* the response headers, first */
    bool more_follows;   /* may wait for the next step; never with headers or status */
    bool with_status;    /* the end of the stream */
    nq_rpc_code code;
    const char *text;
    nq_bytes details;
    const nq_metadatum *headers;
    const nq_metadatum *trailers;
} nq_send;

typedef struct nq_transport {
    /* Starts a step; nq_call_on_sent follows. A step with status on a call whose end is not watched
     * also reports nq_call_on_closed. false: refused, the call is broken. */
    bool (*send)(nq_call *call, const nq_send *step);
    /* Asks for a message; nq_call_on_received follows. false: refused, the call is broken. */
    bool (*receive)(nq_call *call);
    /* Asks to be told when the stream has ended: nq_call_on_closed follows. */
    bool (*watch_close)(nq_call *call);
    /* Any thread: ends the stream as far as possible; what is outstanding comes back soon. */
    void (*abort)(nq_call *call, nq_rpc_code code, const char *text);
    /* Aborts with the call's code and text if it is not over within about a second. */
    void (*linger)(nq_call *call);
    /* Any thread: nq_call_run_strand(call, false) soon, on the queue thread of the call. */
    void (*kick)(nq_call *call);
    /* Any thread: nq_call_run_strand(call, true) soon, on a worker. */
    void (*submit)(nq_call *call);
    /* What the last receive brought; false: half-close, or a broken stream. Valid until
     * drop_message, which is also called after false. A receive may be outstanding again meanwhile.
     */
    bool (*take_message)(nq_call *call, nq_bytes *out_message);
    void (*drop_message)(nq_call *call);
    nq_bytes (*metadata)(const nq_call *call, const char *key);
    const char *(*peer)(const nq_call *call);
    bool (*is_metadata_legal)(const char *key, nq_bytes value);
    /* The call is over (on_done has returned); interceptors are still to hear of it. */
    void (*done)(nq_call *call);
    /* The last reference is gone: recycle. */
    void (*recycle)(nq_call *call);
} nq_transport;

/* What the calls of one server share. */
typedef struct nq_call_host {
    const nq_interceptor *interceptors;
    size_t interceptor_count;
    nq_error_encoder encode_error;
    void *encode_error_self;
    size_t call_bytes_max;
} nq_call_host;

/* Fields in groups by who may touch them; see the invariants in call.c. */
struct nq_call {
    /* Fixed from open to recycle. */
    const nq_transport *transport;
    const nq_call_host *host;
    const nq_method *method;
    void *service;
    uint64_t id;
    uint64_t connection_id;
    int64_t opened_ns;
    int64_t deadline_ns;
    void *state;

    /* Any thread. */
    _Atomic uint32_t strand;
    _Atomic uint32_t references;
    nq_cancel_flag cancel;

    /* Written by the transport before it reports, read by the strand afterwards. */
    bool sent_ok;
    bool close_was_cancel;

    /* The strand only. */
    uint8_t life; /* of nq_call_life */
    bool is_sending;
    bool is_receiving;
    bool is_watched;
    bool is_closed;
    bool is_broken;
    bool is_lingering;
    bool headers_sent;
    bool headers_wanted;
    bool status_started;
    bool may_write;
    bool held_more;
    bool queued_more;
    bool was_told_cancel;
    bool holds_message;
    uint32_t todo;
    uint32_t interceptors_passed;
    nq_rpc_code code;
    nq_payload *held;   /* accepted, not yet given to the transport */
    nq_payload *queued; /* accepted behind `held` */
    nq_payload *flying; /* with the transport */
    void (*work)(nq_call *call);
    char *text;       /* heap, or NULL for "" */
    nq_bytes details; /* heap */
    nq_metadatum *headers;
    nq_metadatum *trailers;
    uint64_t messages_received;
    uint64_t messages_sent;
    uint64_t bytes_received;
    uint64_t bytes_sent;

    /* Kept from one call of this object to the next. */
    nq_arena arena;
    void *room; /* for the handler's state */
    size_t room_bytes;
};

/* Ready for another call; the object is zeroed at first. And at its end. */
void nq_call_reset(nq_call *call);
void nq_call_deinit(nq_call *call);

/* ---- What a transport reports ---- */

/* A call has arrived and knows its method: `call` is reset but for transport, host, method,
 * service, id, connection_id, opened_ns and deadline_ns. On its queue thread. `is_message_here`:
 * take_message may be called already. `refusal`: when not NULL, the call ends with it and the
 * handler never runs. */
void nq_call_on_opened(nq_call *call, bool is_message_here, const nq_error *refusal);

void nq_call_on_received(nq_call *call);
void nq_call_on_sent(nq_call *call, bool ok);
/* May come in the same breath as on_sent. `cancelled`: before our status got through. */
void nq_call_on_closed(nq_call *call, bool cancelled);
/* sent and closed as one event: the end of a call that was answered in one step. */
void nq_call_on_sent_and_closed(nq_call *call, bool ok, bool cancelled);

void nq_call_run_strand(nq_call *call, bool is_on_worker);

#endif
