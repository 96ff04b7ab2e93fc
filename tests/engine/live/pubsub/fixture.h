/* Fixture: a hub whose encoder writes payloads as they are, and a subscriber that counts its wakes.
 */
#ifndef NQ_TESTS_ENGINE_LIVE_PUBSUB_FIXTURE_H
#define NQ_TESTS_ENGINE_LIVE_PUBSUB_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "engine/live/pubsub/hub.h"

static int64_t test_now_us = 1000000;

static inline int64_t test_clock(void) {
    return test_now_us;
}

static inline size_t plain_bytes_max(const nq_publication *publication) {
    return publication->payload.size;
}

static inline size_t plain_encode(const nq_publication *publication, const nq_message_stamp *stamp,
                                  uint8_t *target, size_t *out_header_bytes) {
    (void)stamp;
    *out_header_bytes = 0;
    if (publication->payload.size > 0) {
        memcpy(target, publication->payload.data, publication->payload.size);
    }
    return publication->payload.size;
}

static const nq_message_encoder plain_encoder = {plain_bytes_max, plain_encode};

typedef struct bench {
    nq_ctx ctx;
    nq_arena arena;
    nq_hub *hub;
} bench;

static inline void bench_open(bench *b, const nq_hub_options *extra) {
    nq_arena_init(&b->arena, 64 << 20);
    nq_ctx_init(&b->ctx, &b->arena);
    nq_hub_options options = extra == NULL ? (nq_hub_options){0} : *extra;
    options.encoder = &plain_encoder;
    options.now_us = test_clock;
    options.epoch = 7;
    assert_int_equal(nq_hub_create(&b->ctx, &options, &b->hub), NQ_OK);
}

static inline void bench_close(bench *b) {
    nq_hub_stats stats;
    nq_hub_get_stats(b->hub, &stats);
    assert_int_equal(stats.patterns, 0);
    nq_hub_destroy(b->hub);
    nq_arena_deinit(&b->arena);
}

static inline uint64_t publish(bench *b, const char *channel, const char *payload) {
    nq_publication publication = {.channel = nq_bytes_of_cstr(channel),
                                  .payload = nq_bytes_of_cstr(payload)};
    nq_publish_result result;
    assert_int_equal(nq_hub_publish(&b->ctx, b->hub, &publication, 1, 0, &result), NQ_OK);
    return result.sequence;
}

static inline void count_wake(void *user) {
    __atomic_fetch_add((uint32_t *)user, 1, __ATOMIC_SEQ_CST);
}

static inline nq_subscriber *new_subscriber(bench *b, const nq_subscriber_limits *limits,
                                            uint32_t *wakes) {
    nq_subscriber_options options = {.wake = count_wake, .user = wakes};
    if (limits != NULL) {
        options.limits = *limits;
    }
    nq_subscriber *subscriber;
    assert_int_equal(nq_subscriber_create(&b->ctx, &options, &subscriber), NQ_OK);
    return subscriber;
}

static inline void subscribe(bench *b, nq_subscriber *subscriber, const char *pattern,
                             nq_start start) {
    assert_int_equal(
        nq_hub_subscribe(&b->ctx, b->hub, subscriber, nq_bytes_of_cstr(pattern), &start), NQ_OK);
}

static inline void leave(bench *b, nq_subscriber *subscriber, const char *pattern) {
    assert_true(nq_hub_unsubscribe(b->hub, subscriber, nq_bytes_of_cstr(pattern)));
    nq_subscriber_close(subscriber);
    nq_subscriber_release(subscriber);
}

/* Takes everything; appends "payload " or "-first..last(count) " to `out`. */
static inline void drain(nq_subscriber *subscriber, char *out, size_t out_bytes) {
    out[0] = '\0';
    for (;;) {
        nq_message *messages[4];
        nq_taken taken;
        nq_subscriber_take(subscriber, 4, 1 << 20, messages, &taken);
        for (uint32_t i = 0; i < taken.gaps.count; i++) {
            const nq_gap *gap = &taken.gaps.gaps[i];
            size_t at = strlen(out);
            snprintf(out + at, out_bytes - at, "-%llu..%llu(%llu) ",
                     (unsigned long long)gap->first_sequence,
                     (unsigned long long)gap->last_sequence, (unsigned long long)gap->count);
        }
        for (uint32_t i = 0; i < taken.message_count; i++) {
            size_t at = strlen(out);
            snprintf(out + at, out_bytes - at, "%.*s ", (int)messages[i]->size,
                     (const char *)messages[i]->encoded);
            nq_message_release(messages[i]);
        }
        bool is_done = taken.message_count == 0 && taken.gaps.count == 0;
        nq_gap_list_clear(&taken.gaps);
        if (is_done) {
            return;
        }
    }
}

#endif
