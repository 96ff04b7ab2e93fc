/* What the product promises when it is used hard, measured on the real binary over a real wire:
 * statements stop when they are told to, streams that sit hold no worker, a subscriber that does
 * not read costs itself messages and nobody else, memory does not grow with a result. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <neuroquantum/v1/admin.pb-c.h>
#include <neuroquantum/v1/pubsub.pb-c.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "sdk/c/rpc.h"
#include "tests/rpc/server_process.h"

#define ADMIN  "/neuroquantum.v1.AdminService/"
#define PUBSUB "/neuroquantum.v1.PubSubService/"

typedef struct box {
    char directory[256];
    server_process server;
    nq_client *client;
} box;

static nq_client *new_client(const box *b) {
    nq_client *client;
    nq_failure failure;
    nq_client_options options = {.timeout_ms = 30000};
    char uri[80];
    snprintf(uri, sizeof uri, "nq://%s", b->server.target);
    if (nq_client_open(uri, &options, &client, &failure) != NQ_CODE_OK) {
        fail_msg("%s", failure.message);
    }
    return client;
}

static int open_box(void **state) {
    static const char *const arguments[] = {"--threads-worker", "2", NULL};
    box *b = calloc(1, sizeof *b);
    server_make_directory(b->directory);
    server_start(&b->server, b->directory, arguments, true);
    b->client = new_client(b);
    *state = b;
    return 0;
}

static int close_box(void **state) {
    box *b = *state;
    nq_client_close(b->client);
    server_signal(&b->server, SIGTERM);
    assert_int_equal(server_wait(&b->server), 0);
    free(b);
    return 0;
}

static double now_ms(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec * 1e3 + (double)time.tv_nsec / 1e6;
}

static void rest_ms(long duration_ms) {
    struct timespec span = {duration_ms / 1000, duration_ms % 1000 * 1000000};
    nanosleep(&span, NULL);
}

static double rss_mib(const box *b) {
    char path[64];
    long pages = 0;
    snprintf(path, sizeof path, "/proc/%d/statm", (int)b->server.pid);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%*d %ld", &pages), 1);
    fclose(file);
    return (double)pages * (double)sysconf(_SC_PAGESIZE) / 1048576;
}

static void *ask(const box *b, const char *method, const ProtobufCMessage *request,
                 const ProtobufCMessageDescriptor *response) {
    ProtobufCMessage *answer;
    nq_failure failure;
    if (nq_client_call_unary(b->client, method, request, response, 30000, &answer, &failure) !=
        NQ_CODE_OK) {
        fail_msg("%s: %s", method, failure.message);
    }
    return answer;
}

static size_t running_queries(const box *b) {
    Neuroquantum__V1__ListQueriesRequest request = NEUROQUANTUM__V1__LIST_QUERIES_REQUEST__INIT;
    request.page_size = 1000;
    Neuroquantum__V1__ListQueriesResponse *answer =
        ask(b, ADMIN "ListQueries", &request.base,
            &neuroquantum__v1__list_queries_response__descriptor);
    size_t count = answer->n_queries;
    protobuf_c_message_free_unpacked(&answer->base, NULL);
    return count;
}

static double wait_for_queries(const box *b, size_t count) {
    double start = now_ms();
    while (running_queries(b) != count) {
        if (now_ms() - start > 30000) {
            fail_msg("there never were %zu queries", count);
        }
        rest_ms(1);
    }
    return now_ms() - start;
}

static double metric(const box *b, const char *name) {
    Neuroquantum__V1__GetStatsRequest request = NEUROQUANTUM__V1__GET_STATS_REQUEST__INIT;
    Neuroquantum__V1__GetStatsResponse *answer =
        ask(b, ADMIN "GetStats", &request.base, &neuroquantum__v1__get_stats_response__descriptor);
    double value = -1;
    for (size_t i = 0; i < answer->n_metrics; i++) {
        value = strcmp(answer->metrics[i]->name, name) == 0 ? answer->metrics[i]->value : value;
    }
    protobuf_c_message_free_unpacked(&answer->base, NULL);
    assert_true(value >= 0);
    return value;
}

/* Runs to the end; the number of rows, and the first value of the first. */
static uint64_t run_sql(nq_client *client, const nq_query *query, int64_t *out_first,
                        nq_failure *failure) {
    nq_rows *rows;
    const nq_row_batch *batch;
    nq_step step;
    uint64_t count = 0;
    failure->code = NQ_CODE_OK;
    if (nq_client_query(client, query, &rows, failure) != NQ_CODE_OK) {
        return 0;
    }
    while ((step = nq_rows_next(rows, &batch, failure)) == NQ_STEP_ITEM) {
        if (count == 0 && out_first != NULL) {
            *out_first = nq_row_batch_get(batch, 0, 0).integer;
        }
        count += nq_row_batch_count(batch);
    }
    failure->code = step == NQ_STEP_END ? NQ_CODE_OK : failure->code;
    nq_rows_close(rows);
    return count;
}

static int64_t must_run(const box *b, const char *sql) {
    nq_query query = {.sql = sql, .mode = NQ_DELIVERY_WHOLE};
    nq_failure failure;
    int64_t first = 0;
    (void)run_sql(b->client, &query, &first, &failure);
    if (failure.code != NQ_CODE_OK) {
        fail_msg("%s: %s", sql, failure.message);
    }
    return first;
}

/* ---- Stopping ---- */

#define TRILLION_PAIRS "generate_series(1, 1000000) AS a(x), generate_series(1, 1000000) AS b(y)"

static const struct {
    const char *name;
    const char *sql;
} endless[] = {
    {"cross join", "SELECT count(*) FROM " TRILLION_PAIRS},
    {"aggregate", "SELECT x % 1000, sum(x), max(x) FROM generate_series(1, 1000000000000) AS a(x) "
                  "GROUP BY x % 1000"},
    {"top rows", "SELECT x FROM " TRILLION_PAIRS " ORDER BY x * y % 7919 LIMIT 5"},
    {"whole sort", "SELECT count(*) FROM (SELECT x FROM generate_series(1, 3000000) AS a(x) "
                   "ORDER BY x * 48271 % 2147483647 OFFSET 1) AS s, "
                   "generate_series(1, 1000000) AS b(y)"},
};

typedef struct runner {
    nq_client *client;
    nq_query query;
    nq_failure failure;
    double ended_ms;
} runner;

static void *run_runner(void *argument) {
    runner *self = argument;
    (void)run_sql(self->client, &self->query, NULL, &self->failure);
    self->ended_ms = now_ms();
    return NULL;
}

static void statements_stop_soon_after_a_cancel_and_a_deadline(void **state) {
    box *b = *state;
    for (size_t i = 0; i < sizeof endless / sizeof endless[0]; i++) {
        pthread_t thread;
        runner cancelled = {.client = new_client(b),
                            .query = {.sql = endless[i].sql, .mode = NQ_DELIVERY_STREAM}};
        assert_int_equal(pthread_create(&thread, NULL, run_runner, &cancelled), 0);
        (void)wait_for_queries(b, 1);
        rest_ms(150);
        nq_client_cancel(cancelled.client);
        double after_cancel = wait_for_queries(b, 0);
        pthread_join(thread, NULL);
        assert_int_equal(cancelled.failure.code, NQ_CODE_CANCELLED);
        nq_client_close(cancelled.client);

        runner timed = {
            .client = new_client(b),
            .query = {.sql = endless[i].sql, .mode = NQ_DELIVERY_WHOLE, .timeout_ms = 200}};
        (void)run_runner(&timed);
        (void)wait_for_queries(b, 0);
        double after_deadline = now_ms() - timed.ended_ms;
        assert_int_equal(timed.failure.code, NQ_CODE_DEADLINE_EXCEEDED);
        nq_client_close(timed.client);

        print_message("%-10s stopped %.1f ms after its cancel, %.1f ms after its deadline\n",
                      endless[i].name, after_cancel, after_deadline);
        assert_true(after_cancel < 5000 && after_deadline < 5000);
    }
}

/* ---- Streams ---- */

static void ten_million_rows_pass_through_little_memory(void **state) {
    enum { ROWS = 10000000, PAYLOAD_BYTES_PER_ROW = 24 };
    box *b = *state;
    nq_failure failure;
    nq_query query = {.sql = "SELECT x, x * 2 AS b, x % 100 AS c "
                             "FROM generate_series(1, 200000) AS t(x)"};
    assert_int_equal(run_sql(b->client, &query, NULL, &failure), 200000);
    double before = rss_mib(b);
    double most = before;
    double start = now_ms();
    nq_rows *rows;
    const nq_row_batch *batch;
    uint64_t count = 0;
    int64_t sum = 0;
    query.sql = "SELECT x, x * 2 AS b, x % 100 AS c FROM generate_series(1, 10000000) AS t(x)";
    assert_int_equal(nq_client_query(b->client, &query, &rows, &failure), NQ_CODE_OK);
    for (uint32_t i = 0; nq_rows_next(rows, &batch, &failure) == NQ_STEP_ITEM; i++) {
        uint32_t in_batch = nq_row_batch_count(batch);
        count += in_batch;
        sum += nq_row_batch_get(batch, 0, in_batch - 1).integer;
        double now = i % 64 == 0 ? rss_mib(b) : 0;
        most = now > most ? now : most;
    }
    double seconds = (now_ms() - start) / 1000;
    nq_rows_close(rows);
    assert_int_equal(count, ROWS);
    assert_true(sum > 0);
    print_message("10,000,000 rows of 3 columns: %.2f M rows/s, %.0f MB/s of values; the server "
                  "grew by %.1f MiB\n",
                  ROWS / seconds / 1e6, (double)ROWS * PAYLOAD_BYTES_PER_ROW / seconds / 1e6,
                  most - before);
    assert_true(most - before < 16);
}

enum { PAUSED_STREAMS = 200, TABLE_ROWS = 20000 };

static nq_rows *start_and_pause(const box *b) {
    nq_query query = {.sql = "SELECT id, note FROM t ORDER BY id",
                      .mode = NQ_DELIVERY_PACED,
                      .batch_rows = 100,
                      .window = 2};
    nq_rows *rows;
    const nq_row_batch *batch;
    nq_failure failure;
    if (nq_client_query(b->client, &query, &rows, &failure) != NQ_CODE_OK) {
        fail_msg("%s", failure.message);
    }
    assert_int_equal(nq_rows_next(rows, &batch, &failure), NQ_STEP_ITEM);
    assert_int_equal(nq_rows_pause(rows, &failure), NQ_CODE_OK);
    return rows;
}

/* Rows still to come; each one as it was when the stream began. */
static uint64_t finish_rows(nq_rows *rows) {
    const nq_row_batch *batch;
    nq_failure failure;
    nq_step step;
    uint64_t count = 0;
    assert_int_equal(nq_rows_resume(rows, &failure), NQ_CODE_OK);
    while ((step = nq_rows_next(rows, &batch, &failure)) == NQ_STEP_ITEM) {
        for (uint32_t i = 0; i < nq_row_batch_count(batch); i++) {
            assert_memory_equal(nq_row_batch_get(batch, 1, i).text, "old", 3);
        }
        count += nq_row_batch_count(batch);
    }
    if (step != NQ_STEP_END) {
        fail_msg("%s", failure.message);
    }
    nq_rows_close(rows);
    return count;
}

static void streams_that_sit_hold_no_worker_and_keep_their_snapshot(void **state) {
    box *b = *state;
    nq_rows *streams[PAUSED_STREAMS];
    (void)must_run(b, "CREATE TABLE t (id BIGINT PRIMARY KEY, note TEXT)");
    (void)must_run(b, "INSERT INTO t SELECT x, 'old' FROM generate_series(1, 20000) AS s(x)");
    for (int i = 0; i < PAUSED_STREAMS; i++) {
        streams[i] = start_and_pause(b);
    }
    assert_int_equal(running_queries(b), PAUSED_STREAMS);
    /* The call that asks may be on a worker itself. */
    assert_true(metric(b, "neuroquantum_worker_threads") == 2);
    double start = now_ms();
    while (metric(b, "neuroquantum_worker_threads_busy") > 1) {
        assert_true(now_ms() - start < 30000);
    }
    start = now_ms();
    (void)must_run(b, "UPDATE t SET note = 'new'");
    (void)must_run(b, "INSERT INTO t VALUES (0, 'new')");
    assert_int_equal(must_run(b, "SELECT count(*) FROM t WHERE note = 'new'"), TABLE_ROWS + 1);
    print_message("with %d streams sitting, all rows were updated and counted in %.0f ms\n",
                  PAUSED_STREAMS, now_ms() - start);
    for (int i = 0; i < PAUSED_STREAMS; i++) {
        if (i % 20 == 0) { /* the others just go away */
            assert_int_equal(finish_rows(streams[i]), TABLE_ROWS - 100);
        } else {
            nq_rows_close(streams[i]);
        }
    }
    (void)wait_for_queries(b, 0);
    assert_true(metric(b, "neuroquantum_worker_threads_busy") <= 1);
}

/* ---- A subscriber that does not read ---- */

enum { LISTENERS = 4, MESSAGES = 20000, AHEAD_MAX = 4000, IN_ONE_PUBLISH = 50, BODY_BYTES = 1000 };

typedef struct listener {
    nq_feed *feed;
    nq_client *client;
    _Atomic uint64_t received;
    bool has_lost;
} listener;

static void *listen_to_all(void *argument) {
    listener *self = argument;
    nq_feed_item item;
    nq_failure failure;
    uint64_t last = 0;
    while (last < MESSAGES && nq_feed_next(self->feed, 30000, &item, &failure) == NQ_STEP_ITEM) {
        if (item.kind == NQ_FEED_GAP) {
            self->has_lost = true;
        } else if (item.kind == NQ_FEED_MESSAGE) {
            self->has_lost = self->has_lost || item.message.sequence != last + 1;
            last = item.message.sequence;
            atomic_fetch_add(&self->received, 1);
        }
    }
    return NULL;
}

static nq_client_call *subscribe_without_reading(nq_client *client) {
    Neuroquantum__V1__SubscribeRequest request = NEUROQUANTUM__V1__SUBSCRIBE_REQUEST__INIT;
    Neuroquantum__V1__SubscribeOptions options = NEUROQUANTUM__V1__SUBSCRIBE_OPTIONS__INIT;
    Neuroquantum__V1__FlowLimits limits = NEUROQUANTUM__V1__FLOW_LIMITS__INIT;
    char *patterns[] = {(char *)"fan.*"};
    nq_client_call *call;
    nq_failure failure;
    limits.buffer_messages = 100;
    options.limits = &limits;
    options.n_patterns = 1;
    options.patterns = patterns;
    request.request_case = NEUROQUANTUM__V1__SUBSCRIBE_REQUEST__REQUEST_OPEN;
    request.open = &options;
    assert_int_equal(nq_client_call_open(client, PUBSUB "Subscribe", 0, &call, &failure),
                     NQ_CODE_OK);
    assert_int_equal(nq_client_call_send(call, &request.base, &failure), NQ_CODE_OK);
    ProtobufCMessage *first; /* the subscription stands */
    assert_int_equal(nq_client_call_receive(call, &neuroquantum__v1__subscribe_response__descriptor,
                                            30000, &first, &failure),
                     NQ_STEP_ITEM);
    protobuf_c_message_free_unpacked(first, NULL);
    return call;
}

static void publish_some(const box *b) {
    static uint8_t body[BODY_BYTES];
    Neuroquantum__V1__PublishRequest request = NEUROQUANTUM__V1__PUBLISH_REQUEST__INIT;
    Neuroquantum__V1__Message messages[IN_ONE_PUBLISH];
    Neuroquantum__V1__Message *list[IN_ONE_PUBLISH];
    for (int i = 0; i < IN_ONE_PUBLISH; i++) {
        neuroquantum__v1__message__init(&messages[i]);
        messages[i].channel = (char *)"fan.out";
        messages[i].payload = (ProtobufCBinaryData){sizeof body, body};
        list[i] = &messages[i];
    }
    request.messages = list;
    request.n_messages = IN_ONE_PUBLISH;
    void *answer =
        ask(b, PUBSUB "Publish", &request.base, &neuroquantum__v1__publish_response__descriptor);
    protobuf_c_message_free_unpacked(answer, NULL);
}

static void wait_for_listeners(const listener *listeners, uint64_t published) {
    double start = now_ms();
    for (int i = 0; i < LISTENERS; i++) {
        while (atomic_load(&listeners[i].received) + AHEAD_MAX < published) {
            assert_true(now_ms() - start < 30000);
            rest_ms(1);
        }
    }
}

/* Reads what the slow one still gets: messages in order, and gaps that fill the holes exactly. */
static void check_slow(nq_client_call *slow) {
    uint64_t received = 0;
    uint64_t lost = 0;
    uint64_t last = 0;
    nq_failure failure;
    while (received + lost < MESSAGES) {
        ProtobufCMessage *raw;
        if (nq_client_call_receive(slow, &neuroquantum__v1__subscribe_response__descriptor, 30000,
                                   &raw, &failure) != NQ_STEP_ITEM) {
            fail_msg("%llu received and %llu lost do not make %d", (unsigned long long)received,
                     (unsigned long long)lost, MESSAGES);
        }
        const Neuroquantum__V1__SubscribeResponse *response = (void *)raw;
        for (size_t i = 0; i < response->n_gaps; i++) {
            const Neuroquantum__V1__Gap *gap = response->gaps[i];
            assert_int_equal(gap->first_sequence, last + 1);
            assert_int_equal(gap->count, gap->last_sequence - gap->first_sequence + 1);
            assert_string_equal(gap->reason, "DROP_OLDEST");
            lost += gap->count;
            last = gap->last_sequence;
        }
        for (size_t i = 0; i < response->n_messages; i++) {
            assert_int_equal(response->messages[i]->sequence, ++last);
            received++;
        }
        protobuf_c_message_free_unpacked(raw, NULL);
    }
    print_message("the slow subscriber: %llu received + %llu announced as lost = %d published\n",
                  (unsigned long long)received, (unsigned long long)lost, MESSAGES);
    assert_int_equal(received + lost, MESSAGES);
    assert_true(lost > 0);
}

static void a_subscriber_that_does_not_read_costs_only_itself(void **state) {
    box *b = *state;
    static listener listeners[LISTENERS];
    pthread_t threads[LISTENERS];
    const char *const patterns[] = {"fan.out"};
    nq_interest interest = {.patterns = patterns, .pattern_count = 1};
    nq_failure failure;
    nq_client *slow_client = new_client(b);
    nq_client_call *slow = subscribe_without_reading(slow_client);
    for (int i = 0; i < LISTENERS; i++) {
        listeners[i] = (listener){.client = new_client(b)};
        assert_int_equal(
            nq_client_listen(listeners[i].client, &interest, &listeners[i].feed, &failure),
            NQ_CODE_OK);
        assert_int_equal(pthread_create(&threads[i], NULL, listen_to_all, &listeners[i]), 0);
    }
    double start = now_ms();
    for (uint64_t published = 0; published < MESSAGES; published += IN_ONE_PUBLISH) {
        publish_some(b);
        wait_for_listeners(listeners, published);
    }
    for (int i = 0; i < LISTENERS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(listeners[i].received, MESSAGES);
        assert_false(listeners[i].has_lost);
    }
    print_message("%d messages of 1 kB to %d subscribers each, beside one that does not read: "
                  "%.0f deliveries/s\n",
                  MESSAGES, LISTENERS, MESSAGES * LISTENERS / (now_ms() - start) * 1000);
    check_slow(slow);
    nq_client_call_close(slow);
    nq_client_close(slow_client);
    for (int i = 0; i < LISTENERS; i++) {
        nq_feed_close(listeners[i].feed);
        nq_client_close(listeners[i].client);
    }
}

#define BOX_TEST(name) cmocka_unit_test_setup_teardown(name, open_box, close_box)

int main(void) {
    signal(SIGPIPE, SIG_IGN);
    const struct CMUnitTest tests[] = {
        BOX_TEST(statements_stop_soon_after_a_cancel_and_a_deadline),
        BOX_TEST(ten_million_rows_pass_through_little_memory),
        BOX_TEST(streams_that_sit_hold_no_worker_and_keep_their_snapshot),
        BOX_TEST(a_subscriber_that_does_not_read_costs_only_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
