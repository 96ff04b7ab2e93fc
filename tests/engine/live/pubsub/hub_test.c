/* The hub: who receives what, from where on, in which order. */
#include "tests/engine/live/pubsub/fixture.h"

static const nq_start from_now = {.kind = NQ_START_NEW};
static const nq_start from_earliest = {.kind = NQ_START_EARLIEST};

static void sequences_count_from_one_without_gaps_per_channel(void **state) {
    (void)state;
    bench b;
    bench_open(&b, NULL);
    assert_int_equal(publish(&b, "a", "x"), 1);
    assert_int_equal(publish(&b, "b", "x"), 1);
    assert_int_equal(publish(&b, "a", "y"), 2);
    bench_close(&b);
}

static void overlapping_patterns_deliver_once(void **state) {
    (void)state;
    bench b;
    bench_open(&b, NULL);
    uint32_t wakes = 0;
    char got[256];
    nq_subscriber *s = new_subscriber(&b, NULL, &wakes);
    publish(&b, "a.b", "old");
    subscribe(&b, s, "a.*", from_now);
    subscribe(&b, s, "**", from_now);
    publish(&b, "a.b", "1");
    publish(&b, "c", "2");
    drain(s, got, sizeof(got));
    assert_string_equal(got, "1 2 ");
    assert_true(nq_hub_unsubscribe(b.hub, s, NQ_BYTES_LITERAL("**")));
    publish(&b, "a.b", "3");
    publish(&b, "c", "4");
    drain(s, got, sizeof(got));
    assert_string_equal(got, "3 ");
    leave(&b, s, "a.*");
    bench_close(&b);
}

static void a_start_in_the_past_gets_the_history_then_what_comes(void **state) {
    (void)state;
    bench b;
    bench_open(&b, NULL);
    uint32_t wakes = 0;
    char got[256];
    for (int i = 1; i <= 5; i++) {
        char text[8];
        snprintf(text, sizeof(text), "%d", i);
        test_now_us += 1000;
        publish(&b, "a", text);
    }
    struct {
        nq_start start;
        const char *expected;
    } cases[] = {
        {{.kind = NQ_START_EARLIEST}, "1 2 3 4 5 6 "},
        {{.kind = NQ_START_NEW}, "6 "},
        {{.kind = NQ_START_LAST, .sequence = 2}, "4 5 6 "},
        {{.kind = NQ_START_LAST, .sequence = 99}, "1 2 3 4 5 6 "},
        {{.kind = NQ_START_SEQUENCE, .sequence = 3}, "3 4 5 6 "},
        {{.kind = NQ_START_TIME, .time_us = 0}, "1 2 3 4 5 6 "},
        {{.kind = NQ_START_TIME, .time_us = INT64_MAX}, "6 "},
    };
    size_t count = sizeof(cases) / sizeof(cases[0]);
    nq_subscriber *subscribers[8];
    for (size_t i = 0; i < count; i++) {
        subscribers[i] = new_subscriber(&b, NULL, &wakes);
        subscribe(&b, subscribers[i], "a", cases[i].start);
    }
    publish(&b, "a", "6");
    for (size_t i = 0; i < count; i++) {
        drain(subscribers[i], got, sizeof(got));
        assert_string_equal(got, cases[i].expected);
        leave(&b, subscribers[i], "a");
    }
    bench_close(&b);
}

static void history_that_is_gone_is_announced_as_a_gap(void **state) {
    (void)state;
    bench b;
    bench_open(&b, NULL);
    nq_channel_info info;
    assert_int_equal(nq_hub_create_channel(&b.ctx, b.hub, NQ_BYTES_LITERAL("a"),
                                           &(nq_channel_settings){.history_messages = 2}, &b.arena,
                                           &info),
                     NQ_OK);
    for (int i = 0; i < 5; i++) {
        publish(&b, "a", "x");
    }
    uint32_t wakes = 0;
    char got[128];
    nq_subscriber *s = new_subscriber(&b, NULL, &wakes);
    subscribe(&b, s, "a", (nq_start){.kind = NQ_START_SEQUENCE, .sequence = 2});
    drain(s, got, sizeof(got));
    assert_string_equal(got, "-2..3(2) x x ");
    leave(&b, s, "a");
    bench_close(&b);
}

static void a_number_not_given_yet_is_refused(void **state) {
    (void)state;
    bench b;
    bench_open(&b, NULL);
    publish(&b, "a", "x");
    uint32_t wakes = 0;
    nq_subscriber *s = new_subscriber(&b, NULL, &wakes);
    nq_start start = {.kind = NQ_START_SEQUENCE, .sequence = 3};
    assert_int_equal(nq_hub_subscribe(&b.ctx, b.hub, s, NQ_BYTES_LITERAL("a"), &start),
                     NQ_INVALID_ARGUMENT);
    start.sequence = 2;
    subscribe(&b, s, "a", start);
    leave(&b, s, "a");
    bench_close(&b);
}

static void a_publish_is_all_or_nothing(void **state) {
    (void)state;
    bench b;
    bench_open(&b, NULL);
    nq_publication two[] = {{.channel = NQ_BYTES_LITERAL("a"), .payload = NQ_BYTES_LITERAL("1")},
                            {.channel = NQ_BYTES_LITERAL("b.*"), .payload = NQ_BYTES_LITERAL("2")}};
    nq_publish_result results[2];
    assert_int_equal(nq_hub_publish(&b.ctx, b.hub, two, 2, 0, results), NQ_BAD_PATTERN);
    assert_int_equal(
        nq_hub_get_channel(&b.ctx, b.hub, NQ_BYTES_LITERAL("a"), &b.arena, &(nq_channel_info){0}),
        NQ_CHANNEL_NOT_FOUND);
    bench_close(&b);
}

static void a_message_id_seen_within_the_window_is_not_published_again(void **state) {
    (void)state;
    bench b;
    bench_open(&b, NULL);
    nq_publication p = {.channel = NQ_BYTES_LITERAL("a"),
                        .payload = NQ_BYTES_LITERAL("1"),
                        .message_id = NQ_BYTES_LITERAL("id-1")};
    nq_publish_result r;
    nq_channel_info info;
    assert_int_equal(nq_hub_create_channel(&b.ctx, b.hub, NQ_BYTES_LITERAL("a"),
                                           &(nq_channel_settings){.dedup_window_us = 120000000},
                                           &b.arena, &info),
                     NQ_OK);
    assert_int_equal(nq_hub_publish(&b.ctx, b.hub, &p, 1, 0, &r), NQ_OK);
    assert_false(r.is_duplicate);
    assert_int_equal(nq_hub_publish(&b.ctx, b.hub, &p, 1, 0, &r), NQ_OK);
    assert_true(r.is_duplicate);
    assert_int_equal(r.sequence, 1);
    test_now_us += 121000000;
    assert_int_equal(nq_hub_publish(&b.ctx, b.hub, &p, 1, 0, &r), NQ_OK);
    assert_false(r.is_duplicate);
    assert_int_equal(r.sequence, 2);
    bench_close(&b);
}

static void history_pages_run_both_ways(void **state) {
    (void)state;
    bench b;
    bench_open(&b, NULL);
    for (int i = 0; i < 5; i++) {
        publish(&b, "a", "x");
    }
    uint64_t forward[] = {1, 2, 3, 4, 5};
    for (int reverse = 0; reverse < 2; reverse++) {
        uint64_t resume = 0;
        uint32_t seen = 0;
        do {
            nq_history_page page;
            assert_int_equal(nq_hub_read_history(&b.ctx, b.hub, NQ_BYTES_LITERAL("a"),
                                                 &from_earliest, resume, reverse == 1, 2, &b.arena,
                                                 &page),
                             NQ_OK);
            for (uint32_t i = 0; i < page.message_count; i++, seen++) {
                uint64_t expected = reverse == 1 ? forward[4 - seen] : forward[seen];
                assert_int_equal(page.messages[i]->sequence, expected);
                nq_message_release(page.messages[i]);
            }
            assert_int_equal(page.last_sequence, 5);
            resume = page.next_sequence;
        } while (resume != 0);
        assert_int_equal(seen, 5);
    }
    bench_close(&b);
}

static void credit_pause_and_acknowledgements_hold_messages_back(void **state) {
    (void)state;
    bench b;
    bench_open(&b, NULL);
    uint32_t wakes = 0;
    char got[128];
    nq_subscriber_options options = {.ack_mode = NQ_ACK_INDIVIDUAL,
                                     .limits = {.outstanding_messages_max = 2},
                                     .wake = count_wake,
                                     .user = &wakes};
    nq_subscriber *s;
    assert_int_equal(nq_subscriber_create(&b.ctx, &options, &s), NQ_OK);
    subscribe(&b, s, "a", from_now);
    for (int i = 1; i <= 6; i++) {
        char text[8];
        snprintf(text, sizeof(text), "%d", i);
        publish(&b, "a", text);
    }
    drain(s, got, sizeof(got));
    assert_string_equal(got, "1 2 ");
    bool is_stale = false;
    assert_true(nq_subscriber_ack(s, 1, &is_stale));
    assert_false(is_stale);
    (void)nq_subscriber_ack(s, 1, &is_stale);
    assert_true(is_stale);
    drain(s, got, sizeof(got));
    assert_string_equal(got, "3 ");
    assert_false(nq_subscriber_pause(s, true));
    assert_false(nq_subscriber_ack_through(s, 3));
    drain(s, got, sizeof(got));
    assert_string_equal(got, "");
    assert_false(nq_subscriber_grant(s, 4));
    assert_true(nq_subscriber_pause(s, false));
    drain(s, got, sizeof(got));
    assert_string_equal(got, "4 ");
    assert_false(nq_subscriber_grant(s, 3));
    assert_true(nq_subscriber_grant(s, 100));
    drain(s, got, sizeof(got));
    assert_string_equal(got, "5 ");
    leave(&b, s, "a");
    bench_close(&b);
}

static void policies_lose_what_they_say(void **state) {
    (void)state;
    struct {
        nq_drop_policy policy;
        const char *expected;
    } cases[] = {
        {NQ_DROP_OLDEST, "-1..3(3) 4 5 "},
        {NQ_DROP_NEWEST, "1 2 -3..5(3) "},
        {NQ_DROP_ALL, "-1..4(4) 5 "},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        bench b;
        bench_open(&b, NULL);
        uint32_t wakes = 0;
        char got[128];
        nq_subscriber *s = new_subscriber(
            &b, &(nq_subscriber_limits){.buffer_messages = 2, .drop_policy = cases[i].policy},
            &wakes);
        subscribe(&b, s, "a", from_now);
        for (int k = 1; k <= 5; k++) {
            char text[8];
            snprintf(text, sizeof(text), "%d", k);
            publish(&b, "a", text);
        }
        assert_int_equal(wakes, 1);
        drain(s, got, sizeof(got));
        assert_string_equal(got, cases[i].expected);
        leave(&b, s, "a");
        bench_close(&b);
    }
}

/* Two channels and a duplicate in one publish, to a subscriber with room and one that loses what is
 * new: each message tells how many got it, and a full subscriber takes nothing from the other. */
static void many_messages_in_one_publish_each_tell_who_got_them(void **state) {
    (void)state;
    bench b;
    bench_open(&b, NULL);
    uint32_t wakes = 0;
    char got[128];
    nq_channel_info info;
    assert_int_equal(nq_hub_create_channel(&b.ctx, b.hub, NQ_BYTES_LITERAL("a"),
                                           &(nq_channel_settings){.dedup_window_us = 120000000},
                                           &b.arena, &info),
                     NQ_OK);
    nq_subscriber *roomy = new_subscriber(&b, NULL, &wakes);
    nq_subscriber *full = new_subscriber(
        &b, &(nq_subscriber_limits){.buffer_messages = 2, .drop_policy = NQ_DROP_NEWEST}, &wakes);
    subscribe(&b, full, "a", from_now);
    subscribe(&b, roomy, "*", from_now);
    static const struct {
        const char *channel, *payload, *id;
        uint64_t sequence;
        uint32_t receivers;
    } sent[] = {
        {"a", "1", "x", 1, 2}, {"a", "1", "x", 1, 0}, {"a", "2", "y", 2, 2},
        {"a", "3", "z", 3, 1}, {"b", "4", "", 1, 1},  {"a", "5", "", 4, 1},
    };
    enum { COUNT = sizeof(sent) / sizeof(sent[0]) };
    nq_publication publications[COUNT];
    nq_publish_result results[COUNT];
    for (int i = 0; i < COUNT; i++) {
        publications[i] = (nq_publication){.channel = nq_bytes_of_cstr(sent[i].channel),
                                           .payload = nq_bytes_of_cstr(sent[i].payload),
                                           .message_id = nq_bytes_of_cstr(sent[i].id)};
    }
    assert_int_equal(nq_hub_publish(&b.ctx, b.hub, publications, COUNT, 0, results), NQ_OK);
    for (int i = 0; i < COUNT; i++) {
        assert_int_equal(results[i].sequence, sent[i].sequence);
        assert_int_equal(results[i].receivers, sent[i].receivers);
        assert_int_equal(results[i].is_duplicate, i == 1);
    }
    assert_int_equal(wakes, 2);
    drain(roomy, got, sizeof(got));
    assert_string_equal(got, "1 2 3 4 5 ");
    drain(full, got, sizeof(got));
    assert_string_equal(got, "1 2 -3..4(2) ");
    nq_hub_stats stats;
    nq_hub_get_stats(b.hub, &stats);
    assert_int_equal(stats.published, 5);
    assert_int_equal(stats.dropped, 2);
    leave(&b, full, "a");
    leave(&b, roomy, "*");
    bench_close(&b);
}

static void conflation_keeps_the_latest_of_each_key(void **state) {
    (void)state;
    bench b;
    bench_open(&b, NULL);
    uint32_t wakes = 0;
    char got[128];
    nq_subscriber *s =
        new_subscriber(&b, &(nq_subscriber_limits){.drop_policy = NQ_DROP_CONFLATE}, &wakes);
    subscribe(&b, s, "a", from_now);
    const char *keys[] = {"k", "l", "k", "k"};
    for (int i = 0; i < 4; i++) {
        char text[8];
        snprintf(text, sizeof(text), "%d", i + 1);
        nq_publication p = {.channel = NQ_BYTES_LITERAL("a"),
                            .key = nq_bytes_of_cstr(keys[i]),
                            .payload = nq_bytes_of_cstr(text)};
        nq_publish_result r;
        assert_int_equal(nq_hub_publish(&b.ctx, b.hub, &p, 1, 0, &r), NQ_OK);
    }
    drain(s, got, sizeof(got));
    assert_string_equal(got, "-1..1(1) 2 -3..3(1) 4 ");
    leave(&b, s, "a");
    bench_close(&b);
}

static void a_full_subscriber_that_may_block_times_the_publisher_out(void **state) {
    (void)state;
    bench b;
    bench_open(&b, NULL);
    nq_channel_info info;
    assert_int_equal(nq_hub_create_channel(&b.ctx, b.hub, NQ_BYTES_LITERAL("a"),
                                           &(nq_channel_settings){.allow_block = true}, &b.arena,
                                           &info),
                     NQ_OK);
    uint32_t wakes = 0;
    char got[64];
    nq_subscriber *s = new_subscriber(
        &b, &(nq_subscriber_limits){.buffer_messages = 1, .drop_policy = NQ_DROP_BLOCK}, &wakes);
    subscribe(&b, s, "a", from_now);
    publish(&b, "a", "1");
    nq_publication p = {.channel = NQ_BYTES_LITERAL("a"), .payload = NQ_BYTES_LITERAL("2")};
    nq_publish_result r;
    assert_int_equal(nq_hub_publish(&b.ctx, b.hub, &p, 1, 0, &r), NQ_BLOCK_TIMEOUT);
    drain(s, got, sizeof(got));
    assert_string_equal(got, "1 ");
    assert_int_equal(nq_hub_publish(&b.ctx, b.hub, &p, 1, 0, &r), NQ_OK);
    assert_int_equal(r.sequence, 2);
    leave(&b, s, "a");
    bench_close(&b);
}

static void memory_for_messages_is_bounded_and_given_back(void **state) {
    (void)state;
    bench b;
    bench_open(&b, &(nq_hub_options){.memory_bytes_max = 10000});
    static uint8_t big[1000];
    nq_publication p = {.channel = NQ_BYTES_LITERAL("a"), .payload = nq_bytes_of(big, sizeof(big))};
    nq_publish_result r;
    nq_status status = NQ_OK;
    for (int i = 0; i < 20 && status == NQ_OK; i++) {
        status = nq_hub_publish(&b.ctx, b.hub, &p, 1, 0, &r);
    }
    assert_int_equal(status, NQ_BUFFER_FULL);
    assert_int_equal(nq_hub_delete_channel(&b.ctx, b.hub, NQ_BYTES_LITERAL("a")), NQ_OK);
    nq_hub_stats stats;
    nq_hub_get_stats(b.hub, &stats);
    assert_int_equal(stats.memory_bytes, 0);
    assert_int_equal(nq_hub_publish(&b.ctx, b.hub, &p, 1, 0, &r), NQ_OK);
    bench_close(&b);
}

static void channels_are_listed_by_name_and_pattern(void **state) {
    (void)state;
    bench b;
    bench_open(&b, NULL);
    const char *names[] = {"s.b", "t.a", "s.a", "s.c.d"};
    for (int i = 0; i < 4; i++) {
        publish(&b, names[i], "x");
    }
    nq_channel_info *infos;
    uint32_t count;
    assert_int_equal(nq_hub_list_channels(&b.ctx, b.hub, (nq_bytes){0}, NQ_BYTES_LITERAL("s.**"), 2,
                                          &b.arena, &infos, &count),
                     NQ_OK);
    assert_int_equal(count, 2);
    assert_true(nq_bytes_equal(infos[0].name, NQ_BYTES_LITERAL("s.a")));
    assert_true(nq_bytes_equal(infos[1].name, NQ_BYTES_LITERAL("s.b")));
    assert_int_equal(nq_hub_list_channels(&b.ctx, b.hub, infos[1].name, NQ_BYTES_LITERAL("s.**"), 9,
                                          &b.arena, &infos, &count),
                     NQ_OK);
    assert_int_equal(count, 1);
    assert_true(nq_bytes_equal(infos[0].name, NQ_BYTES_LITERAL("s.c.d")));
    bench_close(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sequences_count_from_one_without_gaps_per_channel),
        cmocka_unit_test(overlapping_patterns_deliver_once),
        cmocka_unit_test(a_start_in_the_past_gets_the_history_then_what_comes),
        cmocka_unit_test(history_that_is_gone_is_announced_as_a_gap),
        cmocka_unit_test(a_number_not_given_yet_is_refused),
        cmocka_unit_test(a_publish_is_all_or_nothing),
        cmocka_unit_test(a_message_id_seen_within_the_window_is_not_published_again),
        cmocka_unit_test(history_pages_run_both_ways),
        cmocka_unit_test(credit_pause_and_acknowledgements_hold_messages_back),
        cmocka_unit_test(policies_lose_what_they_say),
        cmocka_unit_test(many_messages_in_one_publish_each_tell_who_got_them),
        cmocka_unit_test(conflation_keeps_the_latest_of_each_key),
        cmocka_unit_test(a_full_subscriber_that_may_block_times_the_publisher_out),
        cmocka_unit_test(memory_for_messages_is_bounded_and_given_back),
        cmocka_unit_test(channels_are_listed_by_name_and_pattern),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
