/* Feed: publishing, and a subscription as a sequence of items — losses before the messages that
 * come after them, news of the subscription last. */
#include <stdlib.h>
#include <string.h>

#include "neuroquantum/v1/pubsub.pb-c.h"
#include "sdk/c/client_internal.h"

#define PUBSUB "/neuroquantum.v1.PubSubService/"

struct nq_feed {
    nq_client_call *call;
    bool is_both_ways;
    ProtobufCMessage *current;
    /* What `current` holds and how much of it was handed out. SubscribeResponse and ListenResponse
     * are the same message under two names. */
    Neuroquantum__V1__SubscribeResponse content;
    size_t gaps_taken;
    size_t messages_taken;
    bool state_taken;
};

nq_code nq_client_publish(nq_client *client, const nq_message *message, uint64_t *out_sequence,
                          uint32_t *out_receivers, nq_failure *out_failure) {
    Neuroquantum__V1__Message wire = NEUROQUANTUM__V1__MESSAGE__INIT;
    wire.channel = (char *)(uintptr_t)message->channel;
    wire.payload =
        (ProtobufCBinaryData){message->payload_bytes, (uint8_t *)(uintptr_t)message->payload};
    if (message->key != NULL) {
        wire.key = (char *)(uintptr_t)message->key;
    }
    Neuroquantum__V1__Message *list[] = {&wire};
    Neuroquantum__V1__PublishRequest request = NEUROQUANTUM__V1__PUBLISH_REQUEST__INIT;
    request.n_messages = 1;
    request.messages = list;
    ProtobufCMessage *response_message;
    nq_code code = nq_client_call_unary(client, PUBSUB "Publish", &request.base,
                                        &neuroquantum__v1__publish_response__descriptor, 0,
                                        &response_message, out_failure);
    if (code != NQ_CODE_OK) {
        return code;
    }
    const Neuroquantum__V1__PublishResponse *response = (void *)response_message;
    if (response->n_results != 1) {
        code = nq__fail(out_failure, NQ_CODE_INTERNAL, "BAD_RESPONSE",
                        "one message was published, %zu were answered", response->n_results);
    } else {
        if (out_sequence != NULL) {
            *out_sequence = response->results[0]->sequence;
        }
        if (out_receivers != NULL) {
            *out_receivers = response->results[0]->receivers;
        }
    }
    protobuf_c_message_free_unpacked(response_message, NULL);
    return code;
}

/* ---- Opening ---- */

static nq_code send_open(nq_feed *feed, Neuroquantum__V1__SubscribeOptions *options,
                         nq_failure *out_failure) {
    if (feed->is_both_ways) {
        Neuroquantum__V1__SubscribeRequest request = NEUROQUANTUM__V1__SUBSCRIBE_REQUEST__INIT;
        request.request_case = NEUROQUANTUM__V1__SUBSCRIBE_REQUEST__REQUEST_OPEN;
        request.open = options;
        return nq_client_call_send(feed->call, &request.base, out_failure);
    }
    Neuroquantum__V1__ListenRequest request = NEUROQUANTUM__V1__LISTEN_REQUEST__INIT;
    request.options = options;
    nq_code code = nq_client_call_send(feed->call, &request.base, out_failure);
    return code == NQ_CODE_OK ? nq_client_call_half_close(feed->call, out_failure) : code;
}

/* The next response, as `content`. */
static nq_step receive(nq_feed *feed, int timeout_ms, nq_failure *out_failure) {
    if (feed->current != NULL) {
        protobuf_c_message_free_unpacked(feed->current, NULL);
        feed->current = NULL;
    }
    memset(&feed->content, 0, sizeof feed->content);
    nq_step step = nq_client_call_receive(feed->call,
                                          feed->is_both_ways
                                              ? &neuroquantum__v1__subscribe_response__descriptor
                                              : &neuroquantum__v1__listen_response__descriptor,
                                          timeout_ms, &feed->current, out_failure);
    if (step != NQ_STEP_ITEM) {
        return step;
    }
    if (feed->is_both_ways) {
        feed->content = *(Neuroquantum__V1__SubscribeResponse *)(void *)feed->current;
    } else {
        const Neuroquantum__V1__ListenResponse *heard = (void *)feed->current;
        feed->content.n_messages = heard->n_messages;
        feed->content.messages = heard->messages;
        feed->content.first_delivery_id = heard->first_delivery_id;
        feed->content.state = heard->state;
        feed->content.n_gaps = heard->n_gaps;
        feed->content.gaps = heard->gaps;
    }
    feed->gaps_taken = 0;
    feed->messages_taken = 0;
    feed->state_taken = false;
    return NQ_STEP_ITEM;
}

static nq_code open_feed(nq_client *client, const nq_interest *interest, bool is_both_ways,
                         nq_feed **out_feed, nq_failure *out_failure) {
    *out_feed = NULL;
    nq_feed *feed = calloc(1, sizeof *feed);
    if (feed == NULL) {
        return nq__fail(out_failure, NQ_CODE_RESOURCE_EXHAUSTED, "MEMORY_LIMIT", "out of memory");
    }
    feed->is_both_ways = is_both_ways;
    Neuroquantum__V1__StartPosition start = NEUROQUANTUM__V1__START_POSITION__INIT;
    if (interest->from_earliest) {
        start.position_case = NEUROQUANTUM__V1__START_POSITION__POSITION_EARLIEST;
        start.earliest = true;
    } else if (interest->history != 0) {
        start.position_case = NEUROQUANTUM__V1__START_POSITION__POSITION_LAST_N;
        start.last_n = interest->history;
    }
    Neuroquantum__V1__FlowLimits limits = NEUROQUANTUM__V1__FLOW_LIMITS__INIT;
    limits.max_outstanding_messages = interest->window;
    Neuroquantum__V1__SubscribeOptions options = NEUROQUANTUM__V1__SUBSCRIBE_OPTIONS__INIT;
    options.n_patterns = interest->pattern_count;
    options.patterns = (char **)(uintptr_t)interest->patterns;
    options.start = start.position_case != 0 ? &start : NULL;
    if (interest->window != 0) {
        options.ack_mode = NEUROQUANTUM__V1__ACK_MODE__ACK_MODE_CUMULATIVE;
        options.limits = &limits;
    }
    nq_failure failure = {.code = NQ_CODE_INTERNAL};
    nq_code code = nq_client_call_open(client, is_both_ways ? PUBSUB "Subscribe" : PUBSUB "Listen",
                                       0, &feed->call, &failure);
    if (code == NQ_CODE_OK) {
        code = send_open(feed, &options, &failure);
    }
    if (code == NQ_CODE_OK && receive(feed, -1, &failure) != NQ_STEP_ITEM) {
        code = failure.code;
    }
    if (code != NQ_CODE_OK) {
        nq_feed_close(feed);
        if (out_failure != NULL) {
            *out_failure = failure;
        }
        return code;
    }
    *out_feed = feed;
    return NQ_CODE_OK;
}

nq_code nq_client_subscribe(nq_client *client, const nq_interest *interest, nq_feed **out_feed,
                            nq_failure *out_failure) {
    return open_feed(client, interest, true, out_feed, out_failure);
}

nq_code nq_client_listen(nq_client *client, const nq_interest *interest, nq_feed **out_feed,
                         nq_failure *out_failure) {
    return open_feed(client, interest, false, out_feed, out_failure);
}

/* ---- Receiving ---- */

static void give_message(nq_feed *feed, nq_feed_item *out_item) {
    const Neuroquantum__V1__Message *message = feed->content.messages[feed->messages_taken];
    out_item->kind = NQ_FEED_MESSAGE;
    out_item->message = (nq_message){
        .channel = message->channel,
        .sequence = message->sequence,
        .publish_time_us = message->publish_time_us,
        .payload = message->payload.data,
        .payload_bytes = message->payload.len,
        .key = message->key,
        .delivery_id = feed->content.first_delivery_id + feed->messages_taken,
    };
    feed->messages_taken++;
}

static void give_gap(nq_feed *feed, nq_feed_item *out_item) {
    const Neuroquantum__V1__Gap *gap = feed->content.gaps[feed->gaps_taken++];
    out_item->kind = NQ_FEED_GAP;
    out_item->gap.channel = gap->channel;
    out_item->gap.first_sequence = gap->first_sequence;
    out_item->gap.last_sequence = gap->last_sequence;
    out_item->gap.count = gap->count;
    out_item->gap.reason = gap->reason;
    out_item->gap.is_recoverable = gap->recoverable;
}

static void give_state(nq_feed *feed, nq_feed_item *out_item) {
    const Neuroquantum__V1__SubscribeState *state = feed->content.state;
    feed->state_taken = true;
    out_item->kind = NQ_FEED_STATE;
    out_item->state.session_id = state->session_id;
    out_item->state.buffer_fill = state->buffer_fill;
    out_item->state.dropped_total = state->dropped_total;
    out_item->state.is_paused =
        state->flow_state == NEUROQUANTUM__V1__FLOW_STATE__FLOW_STATE_PAUSED;
}

nq_step nq_feed_next(nq_feed *feed, int timeout_ms, nq_feed_item *out_item,
                     nq_failure *out_failure) {
    memset(out_item, 0, sizeof *out_item);
    for (;;) {
        if (feed->gaps_taken < feed->content.n_gaps) {
            give_gap(feed, out_item);
            return NQ_STEP_ITEM;
        }
        if (feed->messages_taken < feed->content.n_messages) {
            give_message(feed, out_item);
            return NQ_STEP_ITEM;
        }
        if (feed->content.state != NULL && !feed->state_taken) {
            give_state(feed, out_item);
            return NQ_STEP_ITEM;
        }
        nq_step step = receive(feed, timeout_ms, out_failure);
        if (step != NQ_STEP_ITEM) {
            return step;
        }
    }
}

/* ---- Controls ---- */

static nq_code send_control(nq_feed *feed, const Neuroquantum__V1__SubscribeRequest *request,
                            nq_failure *out_failure) {
    if (!feed->is_both_ways) {
        return nq__fail(out_failure, NQ_CODE_FAILED_PRECONDITION, "NOT_BOTH_WAYS",
                        "a feed opened by nq_client_listen only receives");
    }
    (void)nq__call_try_send(feed->call, &request->base);
    return NQ_CODE_OK;
}

nq_code nq_feed_acknowledge(nq_feed *feed, uint64_t delivery_id, nq_failure *out_failure) {
    Neuroquantum__V1__Ack ack = NEUROQUANTUM__V1__ACK__INIT;
    ack.through_delivery_id = delivery_id;
    Neuroquantum__V1__SubscribeRequest request = NEUROQUANTUM__V1__SUBSCRIBE_REQUEST__INIT;
    request.request_case = NEUROQUANTUM__V1__SUBSCRIBE_REQUEST__REQUEST_ACK;
    request.ack = &ack;
    return send_control(feed, &request, out_failure);
}

nq_code nq_feed_pause(nq_feed *feed, bool pause, nq_failure *out_failure) {
    Neuroquantum__V1__SubscribeRequest request = NEUROQUANTUM__V1__SUBSCRIBE_REQUEST__INIT;
    request.request_case = NEUROQUANTUM__V1__SUBSCRIBE_REQUEST__REQUEST_PAUSE;
    request.pause = pause;
    return send_control(feed, &request, out_failure);
}

static nq_code send_pattern(nq_feed *feed, const char *pattern, bool add, nq_failure *out_failure) {
    char *list[] = {(char *)(uintptr_t)pattern};
    Neuroquantum__V1__SubscribeOptions options = NEUROQUANTUM__V1__SUBSCRIBE_OPTIONS__INIT;
    options.n_patterns = 1;
    options.patterns = list;
    Neuroquantum__V1__SubscribeRequest request = NEUROQUANTUM__V1__SUBSCRIBE_REQUEST__INIT;
    if (add) {
        request.request_case = NEUROQUANTUM__V1__SUBSCRIBE_REQUEST__REQUEST_ADD_PATTERNS;
        request.add_patterns = &options;
    } else {
        request.request_case = NEUROQUANTUM__V1__SUBSCRIBE_REQUEST__REQUEST_REMOVE_PATTERNS;
        request.remove_patterns = &options;
    }
    return send_control(feed, &request, out_failure);
}

nq_code nq_feed_add_pattern(nq_feed *feed, const char *pattern, nq_failure *out_failure) {
    return send_pattern(feed, pattern, true, out_failure);
}

nq_code nq_feed_remove_pattern(nq_feed *feed, const char *pattern, nq_failure *out_failure) {
    return send_pattern(feed, pattern, false, out_failure);
}

nq_code nq_feed_drain(nq_feed *feed, nq_failure *out_failure) {
    Neuroquantum__V1__SubscribeRequest request = NEUROQUANTUM__V1__SUBSCRIBE_REQUEST__INIT;
    request.request_case = NEUROQUANTUM__V1__SUBSCRIBE_REQUEST__REQUEST_DRAIN;
    request.drain = true;
    return send_control(feed, &request, out_failure);
}

void nq_feed_close(nq_feed *feed) {
    if (feed == NULL) {
        return;
    }
    nq_client_call_close(feed->call);
    if (feed->current != NULL) {
        protobuf_c_message_free_unpacked(feed->current, NULL);
    }
    free(feed);
}
