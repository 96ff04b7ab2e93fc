/* Channels: nq pub and nq sub. */
#include "sdk/cli/channels.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "sdk/cli/interrupt.h"
#include "sdk/cli/literal.h"

/* ---- Publish ---- */

static int publish_one(nq_session *session, const nq_publish_options *options, const char *payload,
                       size_t payload_bytes) {
    nq_message message = {.channel = options->channel,
                          .payload = (const uint8_t *)payload,
                          .payload_bytes = payload_bytes,
                          .key = options->key};
    nq_failure failure;
    uint64_t sequence = 0;
    uint32_t receivers = 0;
    if (nq_client_publish(session->client, &message, &sequence, &receivers, &failure) !=
        NQ_CODE_OK) {
        return nq_session_report(&failure, NULL, 0);
    }
    if (!session->is_quiet) {
        fprintf(session->output, "%s #%" PRIu64 ", %" PRIu32 " receiver%s\n", options->channel,
                sequence, receivers, receivers == 1 ? "" : "s");
    }
    return NQ_EXIT_OK;
}

static int publish_lines(nq_session *session, const nq_publish_options *options) {
    char *line = NULL;
    size_t capacity = 0;
    ssize_t bytes;
    int exit_code = NQ_EXIT_OK;
    while (exit_code == NQ_EXIT_OK && (bytes = getline(&line, &capacity, stdin)) > 0) {
        size_t length = (size_t)bytes - (line[bytes - 1] == '\n' ? 1 : 0);
        exit_code = publish_one(session, options, line, length);
    }
    free(line);
    return exit_code;
}

int nq_publish(nq_session *session, const nq_publish_options *options) {
    if (options->by_line) {
        return publish_lines(session, options);
    }
    if (strcmp(options->payload, "-") != 0) {
        return publish_one(session, options, options->payload, strlen(options->payload));
    }
    nq_text payload = {0};
    char buffer[4096];
    size_t bytes;
    while ((bytes = fread(buffer, 1, sizeof buffer, stdin)) > 0) {
        nq_text_append(&payload, buffer, bytes);
    }
    int exit_code = publish_one(session, options, nq_text_string(&payload), payload.bytes);
    nq_text_deinit(&payload);
    return exit_code;
}

/* ---- Subscribe ---- */

static bool is_text(const uint8_t *data, size_t bytes) {
    for (size_t i = 0; i < bytes; i++) {
        if (data[i] < 0x20 && data[i] != '\n' && data[i] != '\t' && data[i] != '\r') {
            return false;
        }
    }
    return true;
}

static void append_base64(nq_text *text, const uint8_t *data, size_t bytes) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < bytes; i += 3) {
        size_t left = bytes - i;
        uint32_t group = (uint32_t)data[i] << 16 | (left > 1 ? (uint32_t)data[i + 1] << 8 : 0) |
                         (left > 2 ? data[i + 2] : 0u);
        nq_text_append_char(text, digits[group >> 18]);
        nq_text_append_char(text, digits[group >> 12 & 63]);
        nq_text_append_char(text, left > 1 ? digits[group >> 6 & 63] : '=');
        nq_text_append_char(text, left > 2 ? digits[group & 63] : '=');
    }
}

static void append_json_message(nq_text *line, const nq_message *message) {
    nq_datum time = {.type = NQ_DATA_TIMESTAMP, .integer = message->publish_time_us};
    nq_text_append_string(line, "{\"channel\":");
    nq_json_append_string(line, message->channel, strlen(message->channel));
    nq_text_append_format(line, ",\"sequence\":%" PRIu64 ",\"time\":", message->sequence);
    nq_json_append_datum(line, &time);
    if (message->key[0] != '\0') {
        nq_text_append_string(line, ",\"key\":");
        nq_json_append_string(line, message->key, strlen(message->key));
    }
    if (is_text(message->payload, message->payload_bytes)) {
        nq_text_append_string(line, ",\"payload\":");
        nq_json_append_string(line, (const char *)message->payload, message->payload_bytes);
    } else {
        nq_text_append_string(line, ",\"payload_base64\":\"");
        append_base64(line, message->payload, message->payload_bytes);
        nq_text_append_char(line, '"');
    }
    nq_text_append_string(line, "}\n");
}

static void append_gap(nq_text *line, const nq_feed_item *item, bool as_json) {
    if (as_json) {
        nq_text_append_string(line, "{\"gap\":{\"channel\":");
        nq_json_append_string(line, item->gap.channel, strlen(item->gap.channel));
        nq_text_append_format(
            line, ",\"first\":%" PRIu64 ",\"last\":%" PRIu64 ",\"count\":%" PRIu64 ",\"reason\":",
            item->gap.first_sequence, item->gap.last_sequence, item->gap.count);
        nq_json_append_string(line, item->gap.reason, strlen(item->gap.reason));
        nq_text_append_format(line, ",\"recoverable\":%s}}\n",
                              item->gap.is_recoverable ? "true" : "false");
    } else {
        nq_text_append_format(line, "# %s: %" PRIu64 " lost, #%" PRIu64 " to #%" PRIu64 " (%s)\n",
                              item->gap.channel, item->gap.count, item->gap.first_sequence,
                              item->gap.last_sequence, item->gap.reason);
    }
}

/* Returns whether it was a message. */
static bool print_item(nq_session *session, const nq_subscribe_options *options,
                       const nq_feed_item *item, nq_text *line) {
    nq_text_clear(line);
    if (item->kind == NQ_FEED_GAP) {
        append_gap(line, item, options->as_json);
    } else if (item->kind == NQ_FEED_MESSAGE && options->as_json) {
        append_json_message(line, &item->message);
    } else if (item->kind == NQ_FEED_MESSAGE) {
        nq_text_append_format(line, "%s\t", item->message.channel);
        nq_text_append(line, (const char *)item->message.payload, item->message.payload_bytes);
        nq_text_append_char(line, '\n');
    }
    if (line->bytes != 0) {
        fwrite(line->data, 1, line->bytes, session->output);
        fflush(session->output);
    }
    return item->kind == NQ_FEED_MESSAGE;
}

static int64_t milliseconds_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int follow(nq_session *session, const nq_subscribe_options *options, nq_feed *feed) {
    nq_failure failure;
    nq_feed_item item;
    nq_text line = {0};
    uint64_t messages = 0;
    int64_t end =
        options->seconds > 0 ? milliseconds_now() + (int64_t)(options->seconds * 1000) : INT64_MAX;
    nq_step step = NQ_STEP_ITEM;
    while (step == NQ_STEP_ITEM && (options->count == 0 || messages < options->count)) {
        int64_t left = end == INT64_MAX ? -1 : end - milliseconds_now();
        if (end != INT64_MAX && left <= 0) {
            break;
        }
        step = nq_feed_next(feed, (int)left, &item, &failure);
        if (step == NQ_STEP_ITEM && print_item(session, options, &item, &line)) {
            messages++;
        }
    }
    nq_text_deinit(&line);
    if (step == NQ_STEP_FAILED) {
        /* Ctrl-C is how a person ends it. */
        return nq_interrupt_pending() ? NQ_EXIT_OK : nq_session_report(&failure, NULL, 0);
    }
    return NQ_EXIT_OK;
}

int nq_subscribe(nq_session *session, const nq_subscribe_options *options) {
    nq_interest interest = {.patterns = options->patterns,
                            .pattern_count = options->pattern_count,
                            .history = (uint32_t)options->history,
                            .from_earliest = options->from_earliest};
    nq_failure failure;
    nq_feed *feed;
    if (nq_client_subscribe(session->client, &interest, &feed, &failure) != NQ_CODE_OK) {
        return nq_session_report(&failure, NULL, 0);
    }
    int exit_code = follow(session, options, feed);
    nq_feed_close(feed);
    return exit_code;
}
