/* Gaps are exact: under random policies, priorities, channels and takes, what was delivered and
 * what was announced as lost cover every channel's sequence exactly once and in order. Also with
 * threads. */
#include "engine/ground/base/rng.h"
#include "engine/ground/os/thread.h"
#include "tests/engine/live/pubsub/fixture.h"

enum { CHANNELS = 3 };

/* What a subscriber has been told about one channel. */
typedef struct ledger {
    uint64_t last_delivered;
    uint64_t delivered;
    uint64_t lost;
    uint64_t last_lost;
} ledger;

static void check_take(nq_subscriber *subscriber, uint32_t messages_max, ledger *ledgers) {
    nq_message *messages[8];
    nq_taken taken;
    nq_subscriber_take(subscriber, messages_max, 200, messages, &taken);
    for (uint32_t i = 0; i < taken.gaps.count; i++) {
        const nq_gap *gap = &taken.gaps.gaps[i];
        ledger *l = &ledgers[gap->channel_number - 1];
        assert_true(gap->count >= 1);
        assert_true(gap->count <= gap->last_sequence - gap->first_sequence + 1);
        /* Never about something that is yet to come before what was delivered. */
        assert_true(gap->last_sequence > l->last_lost);
        l->lost += gap->count;
        l->last_lost = gap->last_sequence;
    }
    for (uint32_t i = 0; i < taken.message_count; i++) {
        ledger *l = &ledgers[messages[i]->channel_number - 1];
        assert_true(messages[i]->sequence > l->last_delivered);
        l->last_delivered = messages[i]->sequence;
        l->delivered++;
        /* Everything below this one is accounted for by now. */
        assert_true(l->delivered + l->lost >= messages[i]->sequence);
        nq_message_release(messages[i]);
    }
    nq_gap_list_clear(&taken.gaps);
}

static void drain_all(nq_subscriber *subscriber, ledger *ledgers) {
    nq_subscriber_state state;
    do {
        check_take(subscriber, 8, ledgers);
        nq_subscriber_get_state(subscriber, &state);
    } while (state.has_work);
}

static const char *const names[CHANNELS] = {"a", "b", "c"};

static void publish_random(bench *b, nq_rng *rng) {
    char key[2] = {(char)('k' + nq_rng_below(rng, 3)), '\0'};
    nq_publication p = {.channel = nq_bytes_of_cstr(names[nq_rng_below(rng, CHANNELS)]),
                        .key = nq_bytes_of_cstr(key),
                        .payload = NQ_BYTES_LITERAL("0123456789"),
                        .priority = (uint8_t)(1 + nq_rng_below(rng, 4))};
    nq_publish_result r;
    assert_int_equal(nq_hub_publish(&b->ctx, b->hub, &p, 1, 0, &r), NQ_OK);
}

static void delivered_and_lost_cover_every_sequence(void **state) {
    (void)state;
    for (uint64_t seed = 0; seed < 60; seed++) {
        bench b;
        bench_open(&b, NULL);
        nq_rng rng = {seed};
        nq_drop_policy policies[] = {NQ_DROP_OLDEST, NQ_DROP_NEWEST, NQ_DROP_ALL, NQ_DROP_CONFLATE};
        uint32_t wakes = 0;
        ledger ledgers[CHANNELS] = {{0}};
        for (int i = 0; i < CHANNELS; i++) { /* numbers 1..3 in this order */
            nq_channel_info info;
            assert_int_equal(nq_hub_create_channel(&b.ctx, b.hub, nq_bytes_of_cstr(names[i]),
                                                   &(nq_channel_settings){0}, &b.arena, &info),
                             NQ_OK);
        }
        nq_subscriber *s = new_subscriber(
            &b,
            &(nq_subscriber_limits){.buffer_messages = 1 + (uint32_t)nq_rng_below(&rng, 6),
                                    .drop_policy = policies[seed % 4]},
            &wakes);
        subscribe(&b, s, "*", (nq_start){.kind = NQ_START_NEW});
        for (int step = 0; step < 600; step++) {
            if (nq_rng_below(&rng, 4) == 0) {
                check_take(s, 1 + (uint32_t)nq_rng_below(&rng, 4), ledgers);
            } else {
                publish_random(&b, &rng);
            }
            nq_arena_reset(&b.arena);
        }
        drain_all(s, ledgers);
        for (int i = 0; i < CHANNELS; i++) {
            nq_channel_info info;
            assert_int_equal(
                nq_hub_get_channel(&b.ctx, b.hub, nq_bytes_of_cstr(names[i]), &b.arena, &info),
                NQ_OK);
            assert_int_equal(ledgers[i].delivered + ledgers[i].lost, info.stats.last_sequence);
        }
        leave(&b, s, "*");
        bench_close(&b);
    }
}

typedef struct publisher {
    nq_hub *hub;
    uint64_t seed;
} publisher;

static void publish_many(void *argument) {
    publisher *p = argument;
    bench b = {.hub = p->hub};
    nq_arena_init(&b.arena, 1 << 20);
    nq_ctx_init(&b.ctx, &b.arena);
    nq_rng rng = {p->seed};
    for (int i = 0; i < 3000; i++) {
        publish_random(&b, &rng);
        nq_arena_reset(&b.arena);
    }
    nq_arena_deinit(&b.arena);
}

static void the_same_with_publishers_and_a_reader_on_their_own_threads(void **state) {
    (void)state;
    bench b;
    bench_open(&b, NULL);
    uint32_t wakes = 0;
    ledger ledgers[CHANNELS] = {{0}};
    for (int i = 0; i < CHANNELS; i++) {
        nq_channel_info info;
        assert_int_equal(nq_hub_create_channel(&b.ctx, b.hub, nq_bytes_of_cstr(names[i]),
                                               &(nq_channel_settings){0}, &b.arena, &info),
                         NQ_OK);
    }
    nq_subscriber *s = new_subscriber(&b, &(nq_subscriber_limits){.buffer_messages = 16}, &wakes);
    subscribe(&b, s, "**", (nq_start){.kind = NQ_START_NEW});
    publisher publishers[2] = {{b.hub, 1}, {b.hub, 2}};
    nq_thread threads[2];
    for (int i = 0; i < 2; i++) {
        assert_int_equal(
            nq_thread_start(&b.ctx, &threads[i], "publisher", publish_many, &publishers[i]), NQ_OK);
    }
    for (int i = 0; i < 2000; i++) {
        check_take(s, 8, ledgers);
    }
    for (int i = 0; i < 2; i++) {
        nq_thread_join(&threads[i]);
    }
    drain_all(s, ledgers);
    assert_true(wakes > 0);
    uint64_t total = 0;
    for (int i = 0; i < CHANNELS; i++) {
        total += ledgers[i].delivered + ledgers[i].lost;
    }
    assert_int_equal(total, 6000);
    leave(&b, s, "**");
    bench_close(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(delivered_and_lost_cover_every_sequence),
        cmocka_unit_test(the_same_with_publishers_and_a_reader_on_their_own_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
