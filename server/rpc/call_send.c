/* Call, sending side: what a handler says, turned into steps the transport can take one at a time.
 *
 * Three places for messages: flying (with the transport), held (accepted), queued (accepted behind
 * it). A handler has the right to one write (may_write); it gets the next one when the transport
 * brings the flying message back, or at once when it said more_follows and nothing is queued yet.
 * That look-ahead of one message is what makes the transport's write buffering safe (I5): whether
 * more follows is known, not promised. */
#include "server/rpc/call_internal.h"

#include "engine/ground/base/heap.h"

static void offer_write(nq_call *call) {
    if (!call->may_write) {
        call->may_write = true;
        call->todo |= NQ_EVENT_WRITABLE;
    }
}

static void start(nq_call *call, nq_send *step) {
    step->with_headers = !call->headers_sent; /* I4 */
    step->headers = call->headers;
    step->more_follows = step->more_follows && !step->with_headers; /* I5 */
    call->flying = step->message;
    call->headers_sent = true;
    call->is_sending = true;
    if (step->message != NULL) {
        call->messages_sent++;
        call->bytes_sent += nq_payload_size(step->message);
    }
    if (!call->transport->send(call, step)) {
        call->is_sending = false;
        nq_payload_release(call->flying);
        call->flying = NULL;
        nq__call_break(call, NQ_RPC_INTERNAL, "the stream cannot be written");
    }
}

static void start_held(nq_call *call, bool more_follows) {
    nq_send step = {.message = call->held, .more_follows = more_follows};
    call->held = call->queued;
    call->held_more = call->queued_more;
    call->queued = NULL;
    start(call, &step);
}

static void start_status(nq_call *call) {
    nq_send step = {
        .message = call->held,
        .with_status = true,
        .code = call->code,
        .text = call->text != NULL ? call->text : "",
        .details = call->details,
        .trailers = call->trailers,
    };
    call->held = NULL;
    call->status_started = true;
    start(call, &step);
    call->is_watched = true;
}

/* Starts what can be started. `is_last_chance`: the callback that might have added a message is
 * over. */
static void pump(nq_call *call, bool is_last_chance) {
    if (call->is_sending || call->status_started || call->is_broken || call->is_closed) {
        return;
    }
    if (call->queued != NULL) {
        start_held(call, true);
    } else if (call->life == NQ_CALL_FINISHING) {
        start_status(call);
    } else if (call->held != NULL) {
        if (call->held_more && !is_last_chance) {
            offer_write(call);
        } else {
            start_held(call, false);
        }
    } else if (call->headers_wanted && !call->headers_sent) {
        nq_send step = {0};
        start(call, &step);
    }
}

void nq__call_let_go(nq_call *call) {
    /* With on_writable still to come, the chance to add a message is not over; but nothing waits
     * for work on a worker, which may take long. */
    bool is_asked_again = (call->todo & NQ_EVENT_WRITABLE) && call->work == NULL;
    pump(call, !is_asked_again);
}

void nq__call_sent(nq_call *call) {
    call->is_sending = false;
    nq_payload_release(call->flying);
    call->flying = NULL;
    if (!call->sent_ok && !call->status_started) {
        /* The stream is dead; its close says why, and no status can be sent. */
        call->is_broken = true;
        nq__call_drop_writes(call);
        if (!call->is_watched) {
            nq__call_break(call, NQ_RPC_CANCELLED, "the client went away");
        }
        return;
    }
    if (call->life == NQ_CALL_OPEN && call->queued == NULL &&
        (call->held == NULL || call->held_more)) {
        offer_write(call);
    }
    pump(call, false);
}

void nq__call_drop_writes(nq_call *call) {
    nq_payload_release(call->held);
    nq_payload_release(call->queued);
    call->held = NULL;
    call->queued = NULL;
    call->may_write = false;
}

bool nq_call_can_write(const nq_call *call) {
    return call->life == NQ_CALL_OPEN && call->may_write;
}

bool nq_call_write(nq_call *call, nq_payload *message, bool more_follows) {
    if (message == NULL) {
        nq_call_finish(call, NQ_RPC_RESOURCE_EXHAUSTED, "out of memory for a response",
                       (nq_bytes){0});
        return false;
    }
    if (call->life != NQ_CALL_OPEN || call->is_broken || call->is_closed) {
        nq_payload_release(message);
        return false;
    }
    NQ_ASSERT(call->may_write && call->queued == NULL);
    call->may_write = false;
    call->todo &= ~(uint32_t)NQ_EVENT_WRITABLE;
    if (call->held == NULL) {
        call->held = message;
        call->held_more = more_follows;
    } else {
        call->queued = message;
        call->queued_more = more_follows;
    }
    pump(call, false);
    return true;
}

void nq_call_send_headers(nq_call *call) {
    if (call->life == NQ_CALL_OPEN) {
        call->headers_wanted = true;
        pump(call, false);
    }
}

void nq_call_reply(nq_call *call, nq_payload *message) {
    if (message == NULL) {
        nq_call_finish(call, NQ_RPC_RESOURCE_EXHAUSTED, "out of memory for the response",
                       (nq_bytes){0});
        return;
    }
    if (call->life != NQ_CALL_OPEN) {
        nq_payload_release(message);
        return;
    }
    NQ_ASSERT(call->held == NULL && call->queued == NULL);
    call->held = message;
    nq_call_finish(call, NQ_RPC_OK, "", (nq_bytes){0});
}

static char *copy_text(const char *text) {
    size_t bytes = strlen(text) + 1;
    char *copy = nq_heap_alloc(bytes);
    if (copy != NULL) {
        memcpy(copy, text, bytes);
    }
    return copy;
}

void nq_call_finish(nq_call *call, nq_rpc_code code, const char *text, nq_bytes details) {
    if (call->life != NQ_CALL_OPEN) {
        return;
    }
    call->life = NQ_CALL_FINISHING;
    call->code = code;
    if (text != NULL && text[0] != '\0') {
        call->text = copy_text(text);
    }
    uint8_t *copy = details.size > 0 ? nq_heap_alloc(details.size) : NULL;
    if (copy != NULL) {
        memcpy(copy, details.data, details.size);
        call->details = nq_bytes_of(copy, details.size);
    }
    pump(call, true);
}

void nq_call_fail(nq_call *call, const nq_error *error) {
    nq_bytes details = {0};
    if (call->life != NQ_CALL_OPEN) {
        return;
    }
    if (call->host->encode_error != NULL) {
        details = call->host->encode_error(call->host->encode_error_self, &call->arena, error);
    }
    nq_call_finish(call, nq_status_rpc_code(error->code), error->message, details);
}

/* ---- Headers and trailers ---- */

enum { METADATA_COUNT_MAX = 8 };

static bool add_metadatum(nq_call *call, nq_metadatum **list, const char *key, nq_bytes value) {
    size_t key_bytes = strlen(key) + 1;
    int count = 0;
    while (*list != NULL) {
        list = &(*list)->next;
        count++;
    }
    if (count == METADATA_COUNT_MAX || !call->transport->is_metadata_legal(key, value)) {
        return false;
    }
    nq_metadatum *item = nq_heap_alloc(sizeof(*item) + key_bytes + value.size);
    if (item == NULL) {
        return false;
    }
    char *room = (char *)(item + 1);
    memcpy(room, key, key_bytes);
    if (value.size > 0) {
        memcpy(room + key_bytes, value.data, value.size);
    }
    item->next = NULL;
    item->key = room;
    item->value = nq_bytes_of(room + key_bytes, value.size);
    *list = item;
    return true;
}

bool nq_call_add_header(nq_call *call, const char *key, nq_bytes value) {
    return call->life == NQ_CALL_OPEN && !call->headers_sent &&
           add_metadatum(call, &call->headers, key, value);
}

bool nq_call_add_trailer(nq_call *call, const char *key, nq_bytes value) {
    return call->life == NQ_CALL_OPEN && add_metadatum(call, &call->trailers, key, value);
}

static void free_metadata(nq_metadatum *list) {
    while (list != NULL) {
        nq_metadatum *next = list->next;
        nq_heap_free(list);
        list = next;
    }
}

void nq__call_free_words(nq_call *call) {
    free_metadata(call->headers);
    free_metadata(call->trailers);
    nq_heap_free(call->text);
    nq_heap_free((void *)call->details.data);
    nq__call_drop_writes(call);
}
