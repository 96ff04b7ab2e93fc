/* Call: the state machine of one RPC, without any transport.
 *
 *        slot armed                              (the transport's; not a call yet)
 *            │ on_opened
 *            ▼            finish, reply, fail, refusal
 *          OPEN ───────────────────────────▶ FINISHING
 *            │ client gone, deadline,             │ status sent or refused,
 *            │ broken transport                   │ stream closed
 *            ▼                                    ▼
 *          GONE ──── nothing outstanding ──────▶ DONE ── last reference ──▶ recycled
 *
 * Three things can be outstanding with the transport, each at most once: a send step (is_sending),
 * a receive (is_receiving), the watch for the stream's end (is_watched and not is_closed).
 *
 * Invariants
 *   I1  Only the strand's runner reads or writes the strand's fields and starts transport
 * operations. The transport's reports touch only what their group in transport.h says, then post an
 * event. I2  A call is complete when the stream is closed and nothing is outstanding; then, and
 * only then, on_done runs, once, and afterwards no callback does. I3  A stream's end is always
 * asked for: at open, or together with the status. So I2 is reached whatever the client does. I4
 * Headers leave before or with the first message or the status, exactly once. I5  A step that says
 * more_follows is only started when the step behind it is already here, so the last message of a
 * burst never waits in a buffer; and never together with headers, because the core would then never
 * complete it. I6  After FINISHING or GONE no callback but on_done runs; GONE first lets on_cancel
 * run. I7  on_done is matched by an on_open: a refused call shows the handler nothing. */
#include "server/rpc/call_internal.h"

#include <stdio.h>

#include "engine/ground/base/heap.h"
#include "engine/ground/os/clock.h"

#if defined(__SANITIZE_ADDRESS__)
/* Nothing, so that a handler that uses its state too late is found out. */
enum { KEPT_ROOM_BYTES_MAX = 0, KEPT_ARENA_BYTES_MAX = 0 };
#else
enum { KEPT_ROOM_BYTES_MAX = 4096, KEPT_ARENA_BYTES_MAX = 16384 };
#endif

static const nq_method_handler *call_handler(const nq_call *call) {
    static const nq_method_handler none = {0};
    return call->method->handler != NULL ? call->method->handler : &none;
}

static bool wants_stream(const nq_call *call) {
    return call->method->shape == NQ_METHOD_CLIENT_STREAM || call->method->shape == NQ_METHOD_BIDI;
}

/* The handler was never told of a call that ended before its on_open. */
static bool handler_knows(const nq_call *call) {
    return call->state != NULL;
}

bool nq__call_is_complete(const nq_call *call) {
    return call->life != NQ_CALL_DONE && call->is_closed && !call->is_sending &&
           !call->is_receiving;
}

/* ---- Opening ---- */

static void fail_with(nq_call *call, nq_status code, const char *text) {
    nq_error error;
    error.code = nq_fail_at(&error, code, __FILE__, (uint32_t)__LINE__, "%s", text);
    nq_call_fail(call, &error);
}

static bool pass_interceptors(nq_call *call) {
    for (size_t i = 0; i < call->host->interceptor_count; i++) {
        const nq_interceptor *link = &call->host->interceptors[i];
        if (link->on_start != NULL) {
            nq_ctx ctx;
            nq_call_init_ctx(call, &ctx, NULL);
            if (link->on_start(link->self, &ctx, call) != NQ_OK) {
                nq_call_fail(call, &ctx.error);
                return false;
            }
        }
        call->interceptors_passed++;
    }
    return true;
}

static bool make_state(nq_call *call) {
    static max_align_t empty;
    size_t bytes = call_handler(call)->state_bytes;
    if (bytes == 0) {
        call->state = &empty;
        return true;
    }
    if (bytes > call->room_bytes) {
        nq_heap_free(call->room);
        call->room = nq_heap_alloc(bytes);
        call->room_bytes = call->room != NULL ? bytes : 0;
    }
    call->state = call->room;
    if (call->state != NULL) {
        memset(call->state, 0, bytes);
    }
    return call->state != NULL;
}

/* Short calls come by the thousand: what they need is kept for the next one, if it is not much. */
static void let_go_of_memory(nq_call *call) {
    call->state = NULL;
    if (call->room_bytes > KEPT_ROOM_BYTES_MAX) {
        nq_heap_free(call->room);
        call->room = NULL;
        call->room_bytes = 0;
    }
    nq_arena_reset(&call->arena);
    if (call->arena.taken_bytes > KEPT_ARENA_BYTES_MAX) {
        nq_arena_deinit(&call->arena);
    }
}

void nq_call_reset(nq_call *call) {
    nq_arena arena = call->arena;
    void *room = call->room;
    size_t room_bytes = call->room_bytes;
    memset(call, 0, sizeof(*call));
    call->arena = arena;
    call->room = room;
    call->room_bytes = room_bytes;
}

void nq_call_deinit(nq_call *call) {
    nq_arena_deinit(&call->arena);
    nq_heap_free(call->room);
}

static void begin(nq_call *call, bool is_message_here) {
    bool is_unary = call->method->shape == NQ_METHOD_UNARY;
    bool is_inline = (call->method->flags & NQ_METHOD_INLINE) != 0;
    call->todo = NQ_EVENT_OPENED;
    if (!(is_unary && is_inline)) {
        /* An inline unary call has answered before its client could change its mind: its end is
         * watched together with the status, which saves an event. */
        call->is_watched = call->transport->watch_close(call);
    }
    if (is_message_here) {
        call->is_receiving = true;
        call->todo |= NQ_EVENT_RECEIVED;
    } else if (!wants_stream(call)) {
        nq_call_want_message(call);
    }
}

void nq_call_on_opened(nq_call *call, bool is_message_here, const nq_error *refusal) {
    atomic_init(&call->strand, NQ_STRAND_RUNNING);
    atomic_init(&call->references, 1);
    call->life = NQ_CALL_OPEN;
    call->may_write = true;
    if (call->arena.chunk == NULL) {
        nq_arena_init(&call->arena, call->host->call_bytes_max);
    }
    if (!pass_interceptors(call)) {
        /* Its refusal is on the way. */
    } else if (refusal != NULL) {
        nq_call_fail(call, refusal);
    } else if (!make_state(call)) {
        fail_with(call, NQ_MEMORY_LIMIT, "out of memory");
    } else {
        begin(call, is_message_here);
    }
    nq_call_run_strand(call, false);
}

/* ---- Events ---- */

bool nq__call_needs_worker(const nq_call *call, nq_call_event event) {
    const nq_method_handler *handler = call_handler(call);
    if ((call->method->flags & NQ_METHOD_INLINE) || !handler_knows(call)) {
        return false;
    }
    bool is_open = call->life == NQ_CALL_OPEN;
    switch (event) {
    case NQ_EVENT_OPENED:
        return handler->on_open != NULL;
    case NQ_EVENT_RECEIVED:
    case NQ_EVENT_WAKE:
    case NQ_EVENT_CANCEL:
        return is_open;
    case NQ_EVENT_WRITABLE:
        return is_open && handler->on_writable != NULL;
    case NQ_EVENT_CLOSED:
        return is_open && handler->on_cancel != NULL;
    case NQ_EVENT_DONE:
        return handler->on_done != NULL;
    case NQ_EVENT_SENT:
        return false;
    }
    return true;
}

static void call_back(nq_call *call, void (*callback)(nq_call *)) {
    if (callback != NULL) {
        callback(call);
        nq__call_let_go(call);
    }
}

static void receive_end(nq_call *call) {
    if (call->life != NQ_CALL_OPEN) {
        return;
    }
    if (wants_stream(call)) {
        call_back(call, call_handler(call)->on_half_close);
    } else {
        fail_with(call, NQ_INVALID_REQUEST, "the call carries no request message");
    }
}

static void receive_message(nq_call *call, nq_bytes message) {
    size_t limit = call->method->message_bytes_max;
    if (call->life != NQ_CALL_OPEN) {
        return;
    }
    call->messages_received++;
    call->bytes_received += message.size;
    if (limit > 0 && message.size > limit) {
        char text[96];
        (void)snprintf(text, sizeof(text), "the message is %zu bytes; this method takes %zu",
                       message.size, limit);
        fail_with(call, NQ_MESSAGE_TOO_LARGE, text);
    } else if (call_handler(call)->on_message != NULL) {
        call_handler(call)->on_message(call, message);
        nq__call_let_go(call);
    }
}

static void dispatch_received(nq_call *call) {
    nq_bytes message = {0};
    bool has_message = call->transport->take_message(call, &message);
    call->is_receiving = false;
    call->holds_message = true;
    if (has_message) {
        receive_message(call, message);
    } else {
        receive_end(call);
    }
    if (call->work == NULL) {
        nq__call_drop_message(call);
    }
}

void nq__call_drop_message(nq_call *call) {
    if (call->holds_message) {
        call->holds_message = false;
        call->transport->drop_message(call);
    }
}

/* Tells the handler once; a handler that has nothing to say about it leaves the status to us. */
static void tell_cancel(nq_call *call) {
    if (call->life == NQ_CALL_OPEN && !call->was_told_cancel) {
        call->was_told_cancel = true;
        call_back(call, call_handler(call)->on_cancel);
    }
}

static void dispatch_closed(nq_call *call) {
    call->is_closed = true;
    if (call->close_was_cancel) {
        tell_cancel(call);
        if (call->life == NQ_CALL_OPEN) {
            call->life = NQ_CALL_GONE;
        }
    }
    nq__call_drop_writes(call);
}

void nq__call_finish_cancelled(nq_call *call) {
    nq_status reason = (nq_status)atomic_load(&call->cancel);
    if (call->was_told_cancel && call->life == NQ_CALL_OPEN && call->work == NULL) {
        fail_with(call, reason, nq_status_meaning(reason));
    }
    if (reason != NQ_OK && call->is_sending && !call->is_closed && !call->is_lingering) {
        call->is_lingering = true;
        call->transport->linger(call);
    }
}

static void dispatch_cancel(nq_call *call) {
    tell_cancel(call);
    nq__call_finish_cancelled(call);
}

static void report_end(nq_call *call) {
    if (call->interceptors_passed == 0) {
        return;
    }
    nq_call_report report = {
        .code = call->code,
        .text = call->text != NULL ? call->text : "",
        .opened_ns = call->opened_ns,
        .done_ns = nq_clock_monotonic_ns(),
        .messages_received = call->messages_received,
        .messages_sent = call->messages_sent,
        .bytes_received = call->bytes_received,
        .bytes_sent = call->bytes_sent,
    };
    for (uint32_t i = call->interceptors_passed; i > 0; i--) {
        const nq_interceptor *link = &call->host->interceptors[i - 1];
        if (link->on_finish != NULL) {
            link->on_finish(link->self, call, &report);
        }
    }
}

static void dispatch_done(nq_call *call) {
    call->life = NQ_CALL_DONE;
    if (handler_knows(call) && call_handler(call)->on_done != NULL) {
        call_handler(call)->on_done(call);
    }
    call->transport->done(call);
    bool is_status_out = call->status_started && call->sent_ok;
    if (call->close_was_cancel && !is_status_out) {
        /* What the handler said, if anything, nobody heard. */
        call->code = nq_status_rpc_code((nq_status)atomic_load(&call->cancel));
    }
    report_end(call);
    nq__call_free_words(call);
    let_go_of_memory(call);
}

void nq__call_dispatch(nq_call *call, nq_call_event event) {
    const nq_method_handler *handler = call_handler(call);
    switch (event) {
    case NQ_EVENT_OPENED:
        call_back(call, handler->on_open);
        break;
    case NQ_EVENT_RECEIVED:
        dispatch_received(call);
        break;
    case NQ_EVENT_SENT:
        nq__call_sent(call);
        break;
    case NQ_EVENT_WRITABLE:
        if (call->life == NQ_CALL_OPEN && call->may_write) {
            call_back(call, handler->on_writable);
        }
        nq__call_let_go(call);
        break;
    case NQ_EVENT_WAKE:
        if (call->life == NQ_CALL_OPEN) { /* I6 */
            call_back(call, handler->on_wake);
        }
        break;
    case NQ_EVENT_CANCEL:
        dispatch_cancel(call);
        break;
    case NQ_EVENT_CLOSED:
        dispatch_closed(call);
        break;
    case NQ_EVENT_DONE:
        dispatch_done(call);
        break;
    }
}

void nq__call_break(nq_call *call, nq_rpc_code code, const char *text) {
    if (call->life == NQ_CALL_OPEN) {
        call->life = NQ_CALL_GONE;
        call->code = code;
    }
    call->is_broken = true;
    nq__call_drop_writes(call);
    call->transport->abort(call, code, text);
    if (!call->is_watched) { /* I3 */
        call->is_watched = true;
        if (!call->transport->watch_close(call)) {
            call->is_closed = true;
        }
    }
}

/* ---- Receiving ---- */

void nq_call_want_message(nq_call *call) {
    if (call->is_receiving || call->life != NQ_CALL_OPEN) {
        return;
    }
    call->is_receiving = call->transport->receive(call);
    if (!call->is_receiving) {
        nq__call_break(call, NQ_RPC_INTERNAL, "the stream cannot be read");
    }
}

/* ---- Reports of the transport ---- */

void nq_call_on_received(nq_call *call) {
    nq__call_post(call, NQ_EVENT_RECEIVED, true);
}

void nq_call_on_sent(nq_call *call, bool ok) {
    call->sent_ok = ok;
    nq__call_post(call, NQ_EVENT_SENT, true);
}

static void note_close(nq_call *call, bool cancelled) {
    call->close_was_cancel = cancelled;
    if (cancelled) {
        bool is_late =
            call->deadline_ns != NQ_NO_DEADLINE && nq_clock_monotonic_ns() >= call->deadline_ns;
        uint32_t wanted = NQ_OK;
        (void)atomic_compare_exchange_strong(
            &call->cancel, &wanted,
            (uint32_t)(is_late ? NQ_STATEMENT_TIMEOUT : NQ_CANCELLED_BY_CLIENT));
    }
}

void nq_call_on_closed(nq_call *call, bool cancelled) {
    note_close(call, cancelled);
    nq__call_post(call, NQ_EVENT_CLOSED, true);
}

void nq_call_on_sent_and_closed(nq_call *call, bool ok, bool cancelled) {
    call->sent_ok = ok;
    note_close(call, cancelled);
    nq__call_post(call, NQ_EVENT_SENT | NQ_EVENT_CLOSED, true);
}
