/* Call internals: what the files of the call state machine share. The picture is in call.c. */
#ifndef NQ_SERVER_RPC_CALL_INTERNAL_H
#define NQ_SERVER_RPC_CALL_INTERNAL_H

#include "engine/ground/base/assert.h"
#include "server/rpc/transport.h"

typedef enum nq_call_life {
    NQ_CALL_OPEN,      /* the handler may send */
    NQ_CALL_FINISHING, /* a status is accepted */
    NQ_CALL_GONE,      /* the client is; nothing can be sent */
    NQ_CALL_DONE,
} nq_call_life;

/* What the strand has to do, in the order it is done. Also the low bits of nq_call.strand. */
typedef enum nq_call_event {
    NQ_EVENT_OPENED = 1,
    NQ_EVENT_RECEIVED = 2,
    NQ_EVENT_SENT = 4,
    NQ_EVENT_WRITABLE = 8, /* strand-local */
    NQ_EVENT_WAKE = 16,
    NQ_EVENT_CANCEL = 32,
    NQ_EVENT_CLOSED = 64,
    NQ_EVENT_DONE = 128, /* strand-local */
} nq_call_event;

enum {
    NQ_STRAND_EVENTS = 255,
    NQ_STRAND_RUNNING = 256, /* somebody runs the strand, or is about to */
    NQ_STRAND_DONE = 512,    /* nobody ever will again */
};

/* strand.c */
void nq__call_post(nq_call *call, uint32_t events, bool is_on_queue_thread);

/* call_send.c */
void nq__call_sent(nq_call *call);
void nq__call_let_go(nq_call *call); /* after a callback: what `more_follows` held back leaves */
void nq__call_drop_writes(nq_call *call);
void nq__call_free_words(nq_call *call);

/* call.c */
void nq__call_dispatch(nq_call *call, nq_call_event event);
void nq__call_drop_message(nq_call *call);
void nq__call_finish_cancelled(nq_call *call); /* if it was told to stop and said nothing */
bool nq__call_is_complete(const nq_call *call);
void nq__call_break(nq_call *call, nq_rpc_code code, const char *text);
bool nq__call_needs_worker(const nq_call *call, nq_call_event event);

#endif
