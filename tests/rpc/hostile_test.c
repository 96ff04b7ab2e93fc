/* Foreign bytes and exhausted means against the real binary: each is answered with its code, the
 * server goes on, and it does not keep what it refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <netinet/in.h>
#include <neuroquantum/v1/pubsub.pb-c.h>
#include <neuroquantum/v1/query.pb-c.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "tests/rpc/server_process.h"
#include "tests/support/rpc_client.h"

#define QUERY  "/neuroquantum.v1.QueryService/"
#define STREAM "/neuroquantum.v1.StreamService/"
#define PUBSUB "/neuroquantum.v1.PubSubService/"

typedef struct box {
    char directory[256];
    server_process server;
    nq_rpc_client *client;
} box;

static int open_box(void **state) {
    box *b = calloc(1, sizeof *b);
    server_make_directory(b->directory);
    server_start(&b->server, b->directory, NULL, true);
    b->client = nq_rpc_client_open(b->server.target);
    *state = b;
    return 0;
}

static int close_box(void **state) {
    box *b = *state;
    nq_rpc_client_close(b->client);
    server_signal(&b->server, SIGTERM);
    assert_int_equal(server_wait(&b->server), 0);
    free(b);
    return 0;
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

static nq_rpc_code send_bytes(const box *b, const char *path, nq_bytes request) {
    nq_rpc_end end;
    nq_rpc_code code = nq_rpc_unary(b->client, path, request, 30000, NULL, &end);
    nq_rpc_end_clear(&end);
    return code;
}

static nq_rpc_code send_message(const box *b, const char *path, const ProtobufCMessage *request) {
    size_t bytes = protobuf_c_message_get_packed_size(request);
    uint8_t *packed = malloc(bytes + 1);
    protobuf_c_message_pack(request, packed);
    nq_rpc_code code = send_bytes(b, path, nq_bytes_of(packed, bytes));
    free(packed);
    return code;
}

static nq_rpc_code execute(const box *b, const char *sql) {
    Neuroquantum__V1__ExecuteRequest request = NEUROQUANTUM__V1__EXECUTE_REQUEST__INIT;
    Neuroquantum__V1__Statement statement = NEUROQUANTUM__V1__STATEMENT__INIT;
    statement.source_case = NEUROQUANTUM__V1__STATEMENT__SOURCE_SQL;
    statement.sql = (char *)(uintptr_t)sql;
    request.statement = &statement;
    return send_message(b, QUERY "Execute", &request.base);
}

/* ---- Bytes ---- */

/* Groups in groups: the only nesting the wire allows where the schema has none. */
static void nested_messages(const box *b) {
    enum { DEPTH = 20000 };
    static uint8_t bytes[2 * DEPTH];
    memset(bytes, 11 << 3 | 3, DEPTH);
    memset(bytes + DEPTH, 11 << 3 | 4, DEPTH);
    assert_int_equal(send_bytes(b, QUERY "Execute", nq_bytes_of(bytes, sizeof bytes)),
                     NQ_RPC_INVALID_ARGUMENT);
    assert_int_equal(send_bytes(b, PUBSUB "Publish", nq_bytes_of(bytes, sizeof bytes)),
                     NQ_RPC_INVALID_ARGUMENT);
}

/* Two bytes on the wire each, a structure each in memory. */
static void empty_messages(const box *b) {
    enum { COUNT = (4 << 20) / 2 - 8 };
    uint8_t *bytes = malloc(2 * COUNT);
    for (size_t i = 0; i < COUNT; i++) {
        bytes[2 * i] = 1 << 3 | 2;
        bytes[2 * i + 1] = 0;
    }
    nq_rpc_code code = send_bytes(b, PUBSUB "Publish", nq_bytes_of(bytes, 2 * COUNT));
    assert_true(code == NQ_RPC_RESOURCE_EXHAUSTED || code == NQ_RPC_INVALID_ARGUMENT);
    free(bytes);
}

static void broken_texts(const box *b) {
    static const char *const texts[] = {
        "\x0a\x08\x0a\x06SELE\xff\x00",   /* not UTF-8 */
        "\x0a\x0a\x0a\x08SELECT\x00\x31", /* NUL in a string */
        "\x0a\x7f\x0a",                   /* cut off */
        "\x0a\x02\x0a\xff",               /* a length beyond the end */
    };
    static const size_t sizes[] = {10, 12, 3, 4};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        assert_int_equal(send_bytes(b, QUERY "Execute", nq_bytes_of(texts[i], sizes[i])),
                         NQ_RPC_INVALID_ARGUMENT);
        assert_int_equal(send_bytes(b, STREAM "ExecuteStream", nq_bytes_of(texts[i], sizes[i])),
                         NQ_RPC_INVALID_ARGUMENT);
    }
}

static void long_patterns(const box *b) {
    Neuroquantum__V1__ListenRequest request = NEUROQUANTUM__V1__LISTEN_REQUEST__INIT;
    Neuroquantum__V1__SubscribeOptions options = NEUROQUANTUM__V1__SUBSCRIBE_OPTIONS__INIT;
    char *patterns[] = {(char *)(uintptr_t) "a.b.c.d.e.f.g.h.i.j.k.l.m.n.o.p.q.r.s.t.u"};
    options.patterns = patterns;
    options.n_patterns = 1;
    request.options = &options;
    assert_int_equal(send_message(b, PUBSUB "Listen", &request.base), NQ_RPC_INVALID_ARGUMENT);
    patterns[0] =
        (char *)(uintptr_t) "**.**.**.**.**.**.**.**.**.**.**.**.**.**.**.**.**.**.**.**.**";
    assert_int_equal(send_message(b, PUBSUB "Listen", &request.base), NQ_RPC_INVALID_ARGUMENT);
}

static void huge_sql(const box *b) {
    enum { BYTES = 100 << 20 };
    char *sql = malloc(BYTES + 1);
    memset(sql, ' ', BYTES);
    memcpy(sql, "SELECT 1", 8);
    sql[BYTES] = '\0';
    assert_int_equal(execute(b, sql), NQ_RPC_RESOURCE_EXHAUSTED);
    free(sql);
}

/* Opened, and then nothing comes; at the end the connection goes. */
static void half_open_streams(const box *b) {
    enum { STREAMS = 300 };
    static nq_rpc_stream *streams[STREAMS];
    static const char *const methods[] = {STREAM "Interact", PUBSUB "Subscribe", QUERY "Ingest"};
    nq_rpc_client *client = nq_rpc_client_open(b->server.target);
    for (int i = 0; i < STREAMS; i++) {
        streams[i] = nq_rpc_stream_open(client, methods[i % 3], 0, NULL);
    }
    assert_int_equal(execute(b, "SELECT 1"), NQ_RPC_OK);
    for (int i = 0; i < STREAMS; i++) {
        nq_rpc_end end;
        if (i % 2 == 0) { /* the server may only say that nothing was asked */
            nq_rpc_stream_half_close(streams[i]);
        } else {
            nq_rpc_stream_cancel(streams[i]);
        }
        nq_rpc_code code = nq_rpc_stream_finish(streams[i], &end);
        assert_int_equal(code, i % 2 == 0 ? NQ_RPC_INVALID_ARGUMENT : NQ_RPC_CANCELLED);
        nq_rpc_end_clear(&end);
    }
    nq_rpc_client_close(client);
}

static void unknown_methods(const box *b) {
    static const char *const paths[] = {"/neuroquantum.v1.QueryService/Nothing", "/a/b",
                                        "/neuroquantum.v1.StreamService/ResumeStream",
                                        "/neuroquantum.v1.PubSubService/Pull"};
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        assert_int_equal(send_bytes(b, paths[i], (nq_bytes){0}), NQ_RPC_UNIMPLEMENTED);
    }
}

static void hostile_bytes_are_answered_and_leave_nothing_behind(void **state) {
    static const struct {
        const char *name;
        void (*attack)(const box *b);
    } attacks[] = {
        {"nested messages", nested_messages},
        {"empty messages", empty_messages},
        {"broken texts", broken_texts},
        {"long patterns", long_patterns},
        {"huge SQL", huge_sql},
        {"half-open streams", half_open_streams},
        {"unknown methods", unknown_methods},
    };
    box *b = *state;
    assert_int_equal(execute(b, "SELECT 1"), NQ_RPC_OK);
    for (size_t i = 0; i < sizeof attacks / sizeof attacks[0]; i++) {
        attacks[i].attack(b); /* once for what the process keeps for reuse */
        double before = rss_mib(b);
        for (int round = 0; round < 3; round++) {
            attacks[i].attack(b);
            assert_int_equal(execute(b, "SELECT 1"), NQ_RPC_OK);
        }
        double grown = rss_mib(b) - before;
        print_message("%-18s three times more: the server grew by %.1f MiB\n", attacks[i].name,
                      grown);
        assert_true(grown < 64);
    }
}

/* ---- Descriptors ---- */

static void it_serves_again_after_its_descriptors_ran_out(void **state) {
    enum { CONNECTIONS = 300 };
    (void)state;
    static int sockets[CONNECTIONS];
    box b = {0};
    struct rlimit usual;
    struct sockaddr_in address = {.sin_family = AF_INET};
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &usual), 0);
    struct rlimit low = {.rlim_cur = 96, .rlim_max = usual.rlim_max};
    server_make_directory(b.directory);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    server_start(&b.server, b.directory, NULL, true);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &usual), 0);
    address.sin_port = htons(b.server.port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    for (int i = 0; i < CONNECTIONS; i++) {
        sockets[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        (void)connect(sockets[i], (struct sockaddr *)&address, sizeof address);
    }
    nanosleep(&(struct timespec){.tv_nsec = 500000000}, NULL);
    for (int i = 0; i < CONNECTIONS; i++) {
        close(sockets[i]);
    }
    b.client = nq_rpc_client_open(b.server.target);
    nq_rpc_code code = NQ_RPC_UNAVAILABLE;
    for (int attempt = 0; attempt < 200 && code != NQ_RPC_OK; attempt++) {
        code = execute(&b, "SELECT 1");
        nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
    }
    assert_int_equal(code, NQ_RPC_OK);
    nq_rpc_client_close(b.client);
    server_signal(&b.server, SIGTERM);
    assert_int_equal(server_wait(&b.server), 0);
}

int main(void) {
    signal(SIGPIPE, SIG_IGN);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(hostile_bytes_are_answered_and_leave_nothing_behind,
                                        open_box, close_box),
        cmocka_unit_test(it_serves_again_after_its_descriptors_ran_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
