/* PubSub encode: field numbers are those of pubsub.proto; pubsub_wire_test unpacks every response
 * with the generated code. */
#include <inttypes.h>
#include <neuroquantum/v1/pubsub.pb-c.h>
#include <stdio.h>

#include "server/wire/pubsub_wire.h"

void nq_publish_response_write(nq_writer *writer, const nq_publish_result *results,
                               uint32_t count) {
    enum { RESULTS = 1 };
    enum { SEQUENCE = 1, RECEIVERS, DUPLICATE };
    for (uint32_t i = 0; i < count; i++) {
        size_t opened = nq_writer_open(writer, RESULTS);
        nq_writer_put_uint(writer, SEQUENCE, results[i].sequence);
        nq_writer_put_uint(writer, RECEIVERS, results[i].receivers);
        nq_writer_put_uint(writer, DUPLICATE, results[i].is_duplicate);
        nq_writer_close(writer, opened);
    }
}

void nq_acknowledge_response_write(nq_writer *writer, const uint64_t *stale_ids, uint32_t count) {
    /* Unpacked: every parser reads both forms. Delivery ids count from 1, so none is left out. */
    for (uint32_t i = 0; i < count; i++) {
        nq_writer_put_uint(writer, 1, stale_ids[i]);
    }
}

/* ---- Deliveries ---- */

enum { MESSAGES = 1, FIRST_DELIVERY_ID, STATE = 5, GAPS, CHECKPOINT };

void nq_delivery_message_write(nq_writer *writer, const nq_message *message, bool headers_only) {
    nq_writer_put_element(
        writer, MESSAGES,
        nq_bytes_of(message->encoded, headers_only ? message->header_bytes : message->size));
}

void nq_delivery_first_id_write(nq_writer *writer, uint64_t first_delivery_id) {
    nq_writer_put_uint(writer, FIRST_DELIVERY_ID, first_delivery_id);
}

void nq_delivery_gap_write(nq_writer *writer, const nq_gap *gap, nq_bytes channel,
                           bool is_recoverable) {
    enum { CHANNEL = 1, FIRST, LAST, COUNT, REASON, RECOVERABLE };
    static const char *const reasons[] = {
        [NQ_GAP_DROP_OLDEST] = "DROP_OLDEST",
        [NQ_GAP_DROP_NEWEST] = "DROP_NEWEST",
        [NQ_GAP_DROP_ALL] = "DROP_ALL",
        [NQ_GAP_CONFLATE] = "CONFLATE",
        [NQ_GAP_HISTORY_TRIMMED] = "HISTORY_TRIMMED",
    };
    size_t opened = nq_writer_open(writer, GAPS);
    nq_writer_put_bytes(writer, CHANNEL, channel);
    nq_writer_put_uint(writer, FIRST, gap->first_sequence);
    nq_writer_put_uint(writer, LAST, gap->last_sequence);
    nq_writer_put_uint(writer, COUNT, gap->count);
    nq_writer_put_cstr(writer, REASON, reasons[gap->reason]);
    nq_writer_put_uint(writer, RECOVERABLE, is_recoverable);
    nq_writer_close(writer, opened);
}

static uint32_t flow_state_of(nq_flow_state state) {
    switch (state) {
    case NQ_FLOW_THROTTLED:
        return NEUROQUANTUM__V1__FLOW_STATE__FLOW_STATE_THROTTLED;
    case NQ_FLOW_PAUSED:
        return NEUROQUANTUM__V1__FLOW_STATE__FLOW_STATE_PAUSED;
    case NQ_FLOW_DROPPING:
        return NEUROQUANTUM__V1__FLOW_STATE__FLOW_STATE_DROPPING;
    case NQ_FLOW_WAITING_CREDIT:
        return NEUROQUANTUM__V1__FLOW_STATE__FLOW_STATE_WAITING_CREDIT;
    case NQ_FLOW_NORMAL:
        break;
    }
    return NEUROQUANTUM__V1__FLOW_STATE__FLOW_STATE_NORMAL;
}

static void put_epoch(nq_writer *writer, uint32_t field, uint64_t epoch) {
    char text[20];
    (void)snprintf(text, sizeof text, "%016" PRIx64, epoch);
    nq_writer_put_cstr(writer, field, text);
}

void nq_delivery_state_write(nq_writer *writer, const nq_subscribe_state *state) {
    enum {
        SESSION_ID = 1,
        PATTERNS,
        FLOW_STATE,
        BUFFER_FILL,
        DROPPED,
        PENDING,
        CONTROL_TOKEN,
        EPOCH
    };
    size_t opened = nq_writer_open(writer, STATE);
    nq_writer_put_bytes(writer, SESSION_ID, state->session_id);
    for (uint32_t i = 0; i < state->pattern_count; i++) {
        nq_writer_put_element(writer, PATTERNS, state->patterns[i]);
    }
    nq_writer_put_uint(writer, FLOW_STATE, flow_state_of(state->subscriber.flow_state));
    nq_writer_put_double(writer, BUFFER_FILL, state->subscriber.fill);
    nq_writer_put_uint(writer, DROPPED, state->subscriber.dropped_total);
    nq_writer_put_uint(writer, PENDING, state->subscriber.pending_messages);
    nq_writer_put_bytes(writer, CONTROL_TOKEN, state->control_token);
    put_epoch(writer, EPOCH, state->epoch);
    nq_writer_close(writer, opened);
}

void nq_delivery_checkpoint_write(nq_writer *writer) {
    nq_writer_put_element(writer, CHECKPOINT, (nq_bytes){0});
}

/* ---- History ---- */

void nq_history_response_write(nq_writer *writer, const nq_history_page *page, uint64_t epoch) {
    enum { PAGE_MESSAGES = 1, NEXT_PAGE_TOKEN, FIRST_AVAILABLE, LAST_SEQUENCE, EPOCH };
    for (uint32_t i = 0; i < page->message_count; i++) {
        nq_writer_put_element(writer, PAGE_MESSAGES,
                              nq_bytes_of(page->messages[i]->encoded, page->messages[i]->size));
    }
    if (page->next_sequence != 0) {
        char token[24];
        (void)snprintf(token, sizeof token, "%" PRIu64, page->next_sequence);
        nq_writer_put_cstr(writer, NEXT_PAGE_TOKEN, token);
    }
    nq_writer_put_uint(writer, FIRST_AVAILABLE, page->first_available_sequence);
    nq_writer_put_uint(writer, LAST_SEQUENCE, page->last_sequence);
    put_epoch(writer, EPOCH, epoch);
}
