/* The real binary keeps its log twice and in an archive, and comes back from both. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <neuroquantum/v1/admin.pb-c.h>
#include <neuroquantum/v1/query.pb-c.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/rpc/server_process.h"
#include "tests/support/rpc_client.h"

#define LOG_COPY_PART    "neuroquantum.storage.LogCopy"
#define LOG_ARCHIVE_PART "neuroquantum.storage.LogArchive"

enum { PATH_BYTES = 300, EXIT_CONFIG = 2, EXIT_DATABASE = 3 };

typedef struct box {
    char root[256];
    char data[PATH_BYTES], archive[PATH_BYTES], copy[PATH_BYTES], base[PATH_BYTES];
    char target[PATH_BYTES];
    server_process server;
    nq_rpc_client *client;
} box;

static int open_box(void **state) {
    box *b = calloc(1, sizeof *b);
    server_make_directory(b->root);
    const struct {
        char *path;
        const char *name;
    } paths[] = {{b->data, "data"},
                 {b->archive, "archive"},
                 {b->copy, "copy"},
                 {b->base, "base"},
                 {b->target, "target"}};
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        (void)snprintf(paths[i].path, PATH_BYTES, "%s/%s", b->root, paths[i].name);
    }
    *state = b;
    return 0;
}

static int close_box(void **state) {
    free(*state);
    return 0;
}

static void start(box *b, const char *directory, const char *const *arguments) {
    server_start(&b->server, directory, arguments, true);
    b->client = nq_rpc_client_open(b->server.target);
}

static void stop(box *b, int signal_number) {
    nq_rpc_client_close(b->client);
    server_signal(&b->server, signal_number);
    assert_int_equal(server_wait(&b->server), signal_number == SIGKILL ? -SIGKILL : 0);
}

static void start_keeping(box *b) {
    const char *const arguments[] = {"--storage-log-archive", b->archive, "--storage-log-copy",
                                     b->copy, NULL};
    start(b, b->data, arguments);
}

static void copy_directory(const char *from, const char *to) {
    pid_t child = fork();
    int status = 0;
    if (child == 0) {
        execlp("cp", "cp", "-a", from, to, (char *)NULL);
        _exit(127);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

/* ---- Calls ---- */

/* The answer is the caller's. */
static nq_bytes call(box *b, const char *method, nq_bytes request) {
    nq_bytes answer = {0};
    nq_rpc_end end = {0};
    nq_rpc_code code = nq_rpc_unary(b->client, method, request, 0, &answer, &end);
    if (code != NQ_RPC_OK) {
        print_error("%s: %s\n", method, end.text);
    }
    assert_int_equal(code, NQ_RPC_OK);
    nq_rpc_end_clear(&end);
    return answer;
}

static Neuroquantum__V1__ExecuteResponse *execute(box *b, const char *sql) {
    Neuroquantum__V1__ExecuteRequest request = NEUROQUANTUM__V1__EXECUTE_REQUEST__INIT;
    Neuroquantum__V1__Statement statement = NEUROQUANTUM__V1__STATEMENT__INIT;
    uint8_t packed[4096];
    statement.source_case = NEUROQUANTUM__V1__STATEMENT__SOURCE_SQL;
    statement.sql = (char *)(uintptr_t)sql;
    request.statement = &statement;
    size_t bytes = neuroquantum__v1__execute_request__pack(&request, packed);
    nq_bytes answer = call(b, "/neuroquantum.v1.QueryService/Execute", nq_bytes_of(packed, bytes));
    Neuroquantum__V1__ExecuteResponse *response =
        neuroquantum__v1__execute_response__unpack(NULL, answer.size, answer.data);
    assert_non_null(response);
    nq_rpc_message_free(answer);
    return response;
}

static void run(box *b, const char *sql) {
    neuroquantum__v1__execute_response__free_unpacked(execute(b, sql), NULL);
}

/* The newest commit's. */
static uint64_t position(box *b) {
    nq_bytes answer = call(b, "/neuroquantum.v1.AdminService/Checkpoint", (nq_bytes){0});
    Neuroquantum__V1__CheckpointResponse *response =
        neuroquantum__v1__checkpoint_response__unpack(NULL, answer.size, answer.data);
    assert_non_null(response);
    uint64_t lsn = response->lsn;
    neuroquantum__v1__checkpoint_response__free_unpacked(response, NULL);
    nq_rpc_message_free(answer);
    return lsn;
}

static int64_t count_rows(box *b) {
    Neuroquantum__V1__ExecuteResponse *response = execute(b, "SELECT count(*) FROM t");
    int64_t count = response->rows->rows[0]->values[0]->int_value;
    neuroquantum__v1__execute_response__free_unpacked(response, NULL);
    return count;
}

/* Several MiB of log. */
static void insert_many(box *b, int from, int to) {
    char sql[256];
    (void)snprintf(sql, sizeof sql,
                   "INSERT INTO t SELECT i, 'row number ' || i || ' of several that fill the log' "
                   "FROM generate_series(%d, %d) AS s(i)",
                   from, to);
    run(b, sql);
}

/* 1: SERVING, 2: NOT_SERVING, 0: unknown. */
static int health_of(box *b, const char *part) {
    uint8_t request[64] = {0x0a, (uint8_t)strlen(part)};
    nq_bytes answer = {0};
    nq_rpc_end end = {0};
    memcpy(request + 2, part, strlen(part));
    nq_rpc_code code = nq_rpc_unary(b->client, "/grpc.health.v1.Health/Check",
                                    nq_bytes_of(request, 2 + strlen(part)), 0, &answer, &end);
    int health = code == NQ_RPC_OK && answer.size == 2 ? answer.data[1] : 0;
    if (code == NQ_RPC_OK) {
        nq_rpc_message_free(answer);
    }
    nq_rpc_end_clear(&end);
    return health;
}

/* ---- Tests ---- */

enum { BASE_ROWS = 1000, POINT_ROWS = 120000, ALL_ROWS = 121000 };

static void a_killed_server_comes_back_at_the_position_that_was_chosen(void **state) {
    box *b = *state;
    char until[32], log[PATH_BYTES + 8];
    start_keeping(b);
    assert_int_equal(health_of(b, LOG_COPY_PART), 1);
    assert_int_equal(health_of(b, LOG_ARCHIVE_PART), 1);
    run(b, "CREATE TABLE t (id INT PRIMARY KEY, words TEXT)");
    insert_many(b, 1, BASE_ROWS);
    stop(b, SIGTERM);
    copy_directory(b->data, b->base);
    start_keeping(b);
    insert_many(b, BASE_ROWS + 1, POINT_ROWS);
    (void)snprintf(until, sizeof until, "%llu", (unsigned long long)position(b));
    insert_many(b, POINT_ROWS + 1, ALL_ROWS);
    stop(b, SIGKILL);
    (void)snprintf(log, sizeof log, "%s/log", b->data);
    const char *const to_point[] = {"--restore", "--data-dir",        b->target,  "--restore-base",
                                    b->base,     "--restore-archive", b->archive, "--restore-log",
                                    log,         "--restore-until",   until,      NULL};
    int code = server_run(&b->server, to_point);
    print_message("%s", b->server.printed);
    assert_int_equal(code, 0);
    start(b, b->target, NULL);
    assert_int_equal(count_rows(b), POINT_ROWS);
    assert_int_equal(health_of(b, LOG_COPY_PART), 0);
    stop(b, SIGTERM);
}

/* The copy may lack what the last sync of the first made durable, which no write followed. */
static void a_lost_data_directory_comes_back_from_base_archive_and_copy(void **state) {
    box *b = *state;
    start_keeping(b);
    run(b, "CREATE TABLE t (id INT PRIMARY KEY, words TEXT)");
    stop(b, SIGTERM);
    copy_directory(b->data, b->base);
    start_keeping(b);
    insert_many(b, 1, POINT_ROWS);
    insert_many(b, POINT_ROWS + 1, ALL_ROWS);
    stop(b, SIGKILL);
    const char *const to_end[] = {
        "--restore",         "--data-dir", b->target,       "--restore-base", b->base,
        "--restore-archive", b->archive,   "--restore-log", b->copy,          NULL};
    assert_int_equal(server_run(&b->server, to_end), 0);
    start(b, b->target, NULL);
    int64_t count = count_rows(b);
    assert_true(count == ALL_ROWS || count == POINT_ROWS);
    stop(b, SIGTERM);
}

static void await_health(box *b, const char *part, int wanted) {
    while (health_of(b, part) != wanted) {
        (void)usleep(50000);
    }
}

static void an_archive_that_takes_nothing_is_not_healthy_until_it_does(void **state) {
    box *b = *state;
    char in_the_way[PATH_BYTES + 64];
    (void)snprintf(in_the_way, sizeof in_the_way, "%s/%016x.segment.new", b->archive, 0);
    start_keeping(b);
    run(b, "CREATE TABLE t (id INT PRIMARY KEY, words TEXT)");
    assert_int_equal(mkdir(in_the_way, 0700), 0);
    insert_many(b, 1, POINT_ROWS);
    await_health(b, LOG_ARCHIVE_PART, 2);
    assert_int_equal(health_of(b, LOG_COPY_PART), 1);
    assert_int_equal(count_rows(b), POINT_ROWS); /* the database goes on */
    assert_int_equal(rmdir(in_the_way), 0);
    await_health(b, LOG_ARCHIVE_PART, 1);
    stop(b, SIGTERM);
    assert_non_null(strstr(b->server.printed, "the log's archive refuses a segment"));
    assert_non_null(strstr(b->server.printed, "the log's archive takes segments again"));
}

static void a_copy_that_is_gone_is_left_behind_and_taken_up_at_the_next_start(void **state) {
    box *b = *state;
    start_keeping(b);
    run(b, "CREATE TABLE t (id INT PRIMARY KEY, words TEXT)");
    assert_int_equal(rename(b->copy, b->target), 0); /* as if its device were gone */
    insert_many(b, 1, POINT_ROWS);
    await_health(b, LOG_COPY_PART, 2);
    assert_int_equal(health_of(b, ""), 1);
    insert_many(b, POINT_ROWS + 1, ALL_ROWS);
    stop(b, SIGKILL);
    assert_int_equal(rename(b->target, b->copy), 0);
    start_keeping(b);
    assert_int_equal(health_of(b, LOG_COPY_PART), 1);
    assert_int_equal(count_rows(b), ALL_ROWS);
    stop(b, SIGTERM);
}

static void directories_that_cannot_be_are_refused_with_what_to_do(void **state) {
    box *b = *state;
    const char *const archive_is_data[] = {
        "--data-dir", b->data, "--storage-log-archive", b->data, "--listen", "127.0.0.1:0", NULL};
    const char *const no_base[] = {"--restore", "--data-dir", b->target, NULL};
    const char *const no_point[] = {"--restore", "--data-dir",      b->target,   "--restore-base",
                                    b->data,     "--restore-until", "yesterday", NULL};
    const char *const over_itself[] = {"--restore",      "--data-dir", b->data,
                                       "--restore-base", b->data,      NULL};
    assert_int_equal(server_run(&b->server, archive_is_data), EXIT_DATABASE);
    assert_non_null(strstr(b->server.printed, "needs one of its own"));
    assert_int_equal(server_run(&b->server, no_base), EXIT_CONFIG);
    assert_int_equal(server_run(&b->server, no_point), EXIT_CONFIG);
    assert_non_null(strstr(b->server.printed, "neither a position nor a time"));
    assert_int_equal(server_run(&b->server, over_itself), EXIT_DATABASE);
    assert_non_null(strstr(b->server.printed, "holds a database"));
}

static void a_target_that_is_not_finished_is_not_served(void **state) {
    box *b = *state;
    char missing[PATH_BYTES + 8];
    (void)snprintf(missing, sizeof missing, "%s/none", b->root);
    const char *const failing[] = {"--restore",      "--data-dir", b->target,
                                   "--restore-base", missing,      NULL};
    const char *const serving[] = {"--data-dir", b->target, "--listen", "127.0.0.1:0", NULL};
    assert_int_equal(server_run(&b->server, failing), EXIT_DATABASE);
    assert_int_equal(server_run(&b->server, serving), EXIT_DATABASE);
    assert_non_null(strstr(b->server.printed, "being restored"));
}

#define RESTORE_TEST(name) cmocka_unit_test_setup_teardown(name, open_box, close_box)

int main(void) {
    const struct CMUnitTest tests[] = {
        RESTORE_TEST(a_killed_server_comes_back_at_the_position_that_was_chosen),
        RESTORE_TEST(a_lost_data_directory_comes_back_from_base_archive_and_copy),
        RESTORE_TEST(an_archive_that_takes_nothing_is_not_healthy_until_it_does),
        RESTORE_TEST(a_copy_that_is_gone_is_left_behind_and_taken_up_at_the_next_start),
        RESTORE_TEST(directories_that_cannot_be_are_refused_with_what_to_do),
        RESTORE_TEST(a_target_that_is_not_finished_is_not_served),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
