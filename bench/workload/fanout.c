/* Fan-out: one publisher, eight subscribers on connections of their own, 100-byte messages;
 * delivered messages a second, beside Redis and beside ourselves with subscribers that do not read.
 * All publishers send batches of 100 and keep a window, so that nothing is dropped to those who
 * read. */
#define _GNU_SOURCE
#include <hiredis/hiredis.h>
#include <neuroquantum/v1/pubsub.pb-c.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/workload/measure.h"
#include "sdk/c/rpc.h"

enum { SUBSCRIBERS = 8, MESSAGES = 100000, BATCH = 100, PAYLOAD = 100, WINDOW = 10000 };
enum { STALLED = 8, STALLED_ROUNDS = 9 };

typedef struct run_state {
    const char *server;
    int redis_port;
    pthread_barrier_t ready;
    uint64_t received[SUBSCRIBERS];
} run_state;

typedef struct subscriber {
    run_state *run;
    int index;
} subscriber;

static uint64_t slowest(run_state *run) {
    uint64_t least = UINT64_MAX;
    for (int i = 0; i < SUBSCRIBERS; i++) {
        uint64_t count = __atomic_load_n(&run->received[i], __ATOMIC_RELAXED);
        least = count < least ? count : least;
    }
    return least;
}

static void wait_for(run_state *run, uint64_t sent) {
    while (sent > slowest(run) + WINDOW) {
        sched_yield();
    }
}

/* ---- Ours ---- */

static void *receive_ours(void *argument) {
    subscriber *self = argument;
    nq_client *client;
    nq_feed *feed;
    nq_failure failure;
    static const char *const patterns[] = {"bench.**"};
    nq_interest interest = {.patterns = patterns, .pattern_count = 1};
    check(nq_client_open(self->run->server, NULL, &client, &failure), "connect", &failure);
    check(nq_client_subscribe(client, &interest, &feed, &failure), "subscribe", &failure);
    pthread_barrier_wait(&self->run->ready);
    for (uint64_t count = 0; count < MESSAGES;) {
        nq_feed_item item;
        if (nq_feed_next(feed, -1, &item, &failure) != NQ_STEP_ITEM) {
            die("feed", failure.message);
        }
        if (item.kind == NQ_FEED_GAP) {
            die("feed", "messages were dropped");
        }
        count += item.kind == NQ_FEED_MESSAGE;
        __atomic_store_n(&self->run->received[self->index], count, __ATOMIC_RELAXED);
    }
    nq_feed_close(feed);
    nq_client_close(client);
    return NULL;
}

static void publish_ours(run_state *run) {
    static uint8_t payload[PAYLOAD];
    nq_client *client;
    nq_failure failure;
    check(nq_client_open(run->server, NULL, &client, &failure), "connect", &failure);
    Neuroquantum__V1__Message message = NEUROQUANTUM__V1__MESSAGE__INIT;
    message.channel = (char *)"bench.fanout";
    message.payload = (ProtobufCBinaryData){.len = PAYLOAD, .data = payload};
    Neuroquantum__V1__Message *messages[BATCH];
    for (int i = 0; i < BATCH; i++) {
        messages[i] = &message;
    }
    Neuroquantum__V1__PublishRequest request = NEUROQUANTUM__V1__PUBLISH_REQUEST__INIT;
    request.messages = messages;
    request.n_messages = BATCH;
    for (uint64_t sent = 0; sent < MESSAGES; sent += BATCH) {
        ProtobufCMessage *response;
        wait_for(run, sent);
        check(nq_client_call_unary(client, "/neuroquantum.v1.PubSubService/Publish", &request.base,
                                   &neuroquantum__v1__publish_response__descriptor, 0, &response,
                                   &failure),
              "publish", &failure);
        protobuf_c_message_free_unpacked(response, NULL);
    }
    nq_client_close(client);
}

/* ---- Redis ---- */

static redisContext *connect_redis(int port) {
    redisContext *context = redisConnect("127.0.0.1", port);
    if (context == NULL || context->err != 0) {
        die("redis", context == NULL ? "out of memory" : context->errstr);
    }
    return context;
}

static void *receive_redis(void *argument) {
    subscriber *self = argument;
    redisContext *context = connect_redis(self->run->redis_port);
    freeReplyObject(redisCommand(context, "PSUBSCRIBE bench.*"));
    pthread_barrier_wait(&self->run->ready);
    for (uint64_t count = 0; count < MESSAGES; count++) {
        void *reply;
        if (redisGetReply(context, &reply) != REDIS_OK) {
            die("redis", context->errstr);
        }
        freeReplyObject(reply);
        __atomic_store_n(&self->run->received[self->index], count + 1, __ATOMIC_RELAXED);
    }
    redisFree(context);
    return NULL;
}

static void publish_redis(run_state *run) {
    static const char payload[PAYLOAD];
    redisContext *context = connect_redis(run->redis_port);
    for (uint64_t sent = 0; sent < MESSAGES; sent += BATCH) {
        wait_for(run, sent);
        for (int i = 0; i < BATCH; i++) {
            redisAppendCommand(context, "PUBLISH bench.fanout %b", payload, (size_t)PAYLOAD);
        }
        for (int i = 0; i < BATCH; i++) {
            void *reply;
            if (redisGetReply(context, &reply) != REDIS_OK) {
                die("redis", context->errstr);
            }
            freeReplyObject(reply);
        }
    }
    redisFree(context);
}

/* ---- The goal ---- */

static double deliveries_per_second(run_state *run, void *(*receive)(void *),
                                    void (*publish)(run_state *)) {
    pthread_t threads[SUBSCRIBERS];
    subscriber subscribers[SUBSCRIBERS];
    memset(run->received, 0, sizeof(run->received));
    pthread_barrier_init(&run->ready, NULL, SUBSCRIBERS + 1);
    for (int i = 0; i < SUBSCRIBERS; i++) {
        subscribers[i] = (subscriber){run, i};
        if (pthread_create(&threads[i], NULL, receive, &subscribers[i]) != 0) {
            die("thread", "cannot start");
        }
    }
    pthread_barrier_wait(&run->ready);
    double started = seconds_now();
    publish(run);
    for (int i = 0; i < SUBSCRIBERS; i++) {
        pthread_join(threads[i], NULL);
    }
    pthread_barrier_destroy(&run->ready);
    return (double)MESSAGES * SUBSCRIBERS / (seconds_now() - started);
}

/* ---- Beside subscribers that do not read ---- */

typedef struct stalled {
    nq_client *client;
    nq_client_call *call;
} stalled;

/* Subscribes to what the others get, both ways, and leaves it at that. */
static stalled stall(const char *server) {
    Neuroquantum__V1__SubscribeRequest request = NEUROQUANTUM__V1__SUBSCRIBE_REQUEST__INIT;
    Neuroquantum__V1__SubscribeOptions options = NEUROQUANTUM__V1__SUBSCRIBE_OPTIONS__INIT;
    char *patterns[] = {(char *)"bench.**"};
    stalled self;
    nq_failure failure;
    ProtobufCMessage *confirmation;
    options.n_patterns = 1;
    options.patterns = patterns;
    request.request_case = NEUROQUANTUM__V1__SUBSCRIBE_REQUEST__REQUEST_OPEN;
    request.open = &options;
    check(nq_client_open(server, NULL, &self.client, &failure), "connect", &failure);
    check(nq_client_call_open(self.client, "/neuroquantum.v1.PubSubService/Subscribe", 0,
                              &self.call, &failure),
          "subscribe", &failure);
    check(nq_client_call_send(self.call, &request.base, &failure), "subscribe", &failure);
    if (nq_client_call_receive(self.call, &neuroquantum__v1__subscribe_response__descriptor, -1,
                               &confirmation, &failure) != NQ_STEP_ITEM) {
        die("subscribe", failure.message);
    }
    protobuf_c_message_free_unpacked(confirmation, NULL);
    return self;
}

static void release(stalled self) {
    nq_client_call_close(self.call);
    nq_client_close(self.client);
}

/* Those that stall are first sent as much as they take, so that what is measured is how it goes on.
 */
static double deliveries_beside_stalled(run_state *run) {
    stalled idle[STALLED];
    for (int i = 0; i < STALLED; i++) {
        idle[i] = stall(run->server);
    }
    (void)deliveries_per_second(run, receive_ours, publish_ours);
    double deliveries = deliveries_per_second(run, receive_ours, publish_ours);
    for (int i = 0; i < STALLED; i++) {
        release(idle[i]);
    }
    return deliveries;
}

void bench_stalled(const char *server) {
    run_state run = {.server = server};
    double beside[STALLED_ROUNDS];
    double alone[STALLED_ROUNDS];
    for (int i = 0; i < STALLED_ROUNDS; i++) {
        alone[i] = deliveries_per_second(&run, receive_ours, publish_ours);
        beside[i] = deliveries_beside_stalled(&run);
    }
    bench_line("stalled_subscriber", median(beside, STALLED_ROUNDS), median(alone, STALLED_ROUNDS),
               0.95);
}

void bench_fanout(const char *server, int redis_port) {
    run_state run = {.server = server, .redis_port = redis_port};
    double ours[ROUNDS];
    double redis[ROUNDS];
    for (int i = 0; i < ROUNDS; i++) {
        ours[i] = deliveries_per_second(&run, receive_ours, publish_ours);
        redis[i] = deliveries_per_second(&run, receive_redis, publish_redis);
    }
    bench_line("fanout_8_subscribers_deliveries_per_s_vs_redis", median(ours, ROUNDS),
               median(redis, ROUNDS), 1.0);
}
