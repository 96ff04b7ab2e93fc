/* kill -9 of a real server on a real file system, while clients write through its API: nothing that
 * was acknowledged is lost, nothing is there twice, and a bulk load goes on where the server says
 * it ended.
 *
 * The server is the binary given as the argument; it listens on a unix socket in a fresh directory.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "sdk/c/nq.h"

enum { WRITERS = 8, LOAD_ROWS = 400000 };

static const char *server_binary;
static char directory[256];
static char uri[300];
static pid_t server = -1;

static int rounds(void) {
    const char *asked = getenv("NQ_KILL_ROUNDS");
    return asked == NULL ? 10 : (int)strtol(asked, NULL, 10);
}

static void sleep_ms(long duration_ms) {
    struct timespec span = {duration_ms / 1000, duration_ms % 1000 * 1000000};
    nanosleep(&span, NULL);
}

static void start_server(void) {
    char data[300];
    char socket[300];
    snprintf(data, sizeof(data), "%s/data", directory);
    snprintf(socket, sizeof(socket), "%s/socket", directory);
    server = fork();
    assert_true(server >= 0);
    if (server == 0) {
        if (freopen("/dev/null", "w", stdout) == NULL) {
            _exit(126);
        }
        execl(server_binary, server_binary, "--data-dir", data, "--listen", "127.0.0.1:0",
              "--listen-unix", socket, (char *)NULL);
        _exit(127);
    }
}

static void kill_server(void) {
    assert_int_equal(kill(server, SIGKILL), 0);
    int state;
    assert_int_equal(waitpid(server, &state, 0), server);
    assert_true(WIFSIGNALED(state)); /* it was running until now */
}

static nq_client *connect_to_server(void) {
    nq_client *client;
    nq_failure failure;
    for (int attempt = 0; attempt < 200; attempt++) {
        nq_client_options options = {.timeout_ms = 5000};
        if (nq_client_open(uri, &options, &client, &failure) != NQ_CODE_OK) {
            fail_msg("%s", failure.message);
        }
        nq_query ping = {.sql = "SELECT 1", .mode = NQ_DELIVERY_WHOLE};
        nq_rows *rows;
        if (nq_client_query(client, &ping, &rows, &failure) == NQ_CODE_OK) {
            nq_rows_close(rows);
            return client;
        }
        nq_client_close(client);
        sleep_ms(25);
    }
    fail_msg("the server does not answer: %s", failure.message);
    return NULL;
}

/* The one value of the one row, or the failure. */
static nq_code ask(nq_client *client, const char *sql, const nq_datum *parameters, size_t count,
                   int64_t *out_value, nq_failure *failure) {
    nq_query query = {
        .sql = sql, .parameters = parameters, .parameter_count = count, .mode = NQ_DELIVERY_WHOLE};
    nq_rows *rows;
    nq_code code = nq_client_query(client, &query, &rows, failure);
    if (code != NQ_CODE_OK) {
        return code;
    }
    const nq_row_batch *batch;
    nq_step step;
    *out_value = 0;
    while ((step = nq_rows_next(rows, &batch, failure)) == NQ_STEP_ITEM) {
        *out_value = nq_row_batch_get(batch, 0, 0).integer;
    }
    code = step == NQ_STEP_END ? NQ_CODE_OK : failure->code;
    nq_rows_close(rows);
    return code;
}

static int64_t must_ask(nq_client *client, const char *sql, const nq_datum *parameters,
                        size_t count) {
    int64_t value = 0;
    nq_failure failure;
    if (ask(client, sql, parameters, count, &value, &failure) != NQ_CODE_OK) {
        fail_msg("%s: %s", sql, failure.message);
    }
    return value;
}

static nq_datum number(int64_t value) {
    return (nq_datum){.type = NQ_DATA_INT64, .integer = value};
}

/* ---- Single writes ---- */

typedef struct writer {
    int64_t id;
    int64_t acknowledged; /* every number up to this one was */
    int64_t attempted;
} writer;

static void *write_until_cut(void *argument) {
    writer *self = argument;
    nq_client *client;
    nq_failure failure;
    nq_client_options options = {.timeout_ms = 5000};
    if (nq_client_open(uri, &options, &client, &failure) != NQ_CODE_OK) {
        return NULL;
    }
    for (;;) {
        nq_datum row[2] = {number(self->id), number(self->acknowledged + 1)};
        int64_t unused;
        self->attempted = self->acknowledged + 1;
        if (ask(client, "INSERT INTO acked VALUES ($1, $2)", row, 2, &unused, &failure) !=
            NQ_CODE_OK) {
            break;
        }
        self->acknowledged++;
    }
    nq_client_close(client);
    return NULL;
}

static void check_writers(nq_client *client, writer *writers) {
    for (int i = 0; i < WRITERS; i++) {
        nq_datum id = number(writers[i].id);
        int64_t last =
            must_ask(client, "SELECT coalesce(max(n), 0) FROM acked WHERE writer = $1", &id, 1);
        int64_t count = must_ask(client, "SELECT count(*) FROM acked WHERE writer = $1", &id, 1);
        assert_true(last >= writers[i].acknowledged); /* nothing acknowledged is lost */
        assert_true(last <= writers[i].attempted);    /* nothing is there that was not sent */
        assert_int_equal(count, last);                /* no hole below */
        writers[i].acknowledged = last;
    }
}

static void no_acknowledged_commit_is_lost(void **state) {
    (void)state;
    start_server();
    nq_client *client = connect_to_server();
    (void)must_ask(client, "CREATE TABLE acked (writer BIGINT, n BIGINT, PRIMARY KEY (writer, n))",
                   NULL, 0);
    nq_client_close(client);
    writer writers[WRITERS];
    for (int i = 0; i < WRITERS; i++) {
        writers[i] = (writer){.id = i + 1};
    }
    unsigned seed = 1;
    for (int round = 0; round < rounds(); round++) {
        pthread_t threads[WRITERS];
        for (int i = 0; i < WRITERS; i++) {
            assert_int_equal(pthread_create(&threads[i], NULL, write_until_cut, &writers[i]), 0);
        }
        sleep_ms(30 + rand_r(&seed) % 200);
        kill_server();
        for (int i = 0; i < WRITERS; i++) {
            pthread_join(threads[i], NULL);
        }
        start_server();
        client = connect_to_server();
        check_writers(client, writers);
        nq_client_close(client);
    }
    int64_t total = 0;
    for (int i = 0; i < WRITERS; i++) {
        total += writers[i].acknowledged;
    }
    print_message("%d kills, %lld acknowledged commits, none lost\n", rounds(), (long long)total);
    assert_true(total > rounds());
    kill_server();
}

/* ---- Bulk load ---- */

static const char *const load_columns[] = {"id", "text"};
static const nq_data_type load_types[] = {NQ_DATA_INT64, NQ_DATA_TEXT};
static const nq_load load = {.table = "loaded",
                             .column_names = load_columns,
                             .column_types = load_types,
                             .column_count = 2,
                             .ingest_id = "kill-test",
                             .rows_per_transaction = 1000};

static bool load_from(nq_client *client, int64_t offset) {
    nq_loader *loader;
    nq_failure failure;
    if (nq_client_load(client, &load, (uint64_t)offset, &loader, &failure) != NQ_CODE_OK) {
        return false;
    }
    nq_code code = NQ_CODE_OK;
    for (int64_t id = offset; id < LOAD_ROWS && code == NQ_CODE_OK; id++) {
        char text[40];
        nq_datum row[2] = {number(id), {.type = NQ_DATA_TEXT, .text = text}};
        row[1].text_bytes = (size_t)snprintf(text, sizeof(text), "row number %lld", (long long)id);
        code = nq_loader_append(loader, row, &failure);
    }
    nq_load_result result;
    if (code == NQ_CODE_OK) {
        code = nq_loader_finish(loader, &result, &failure);
    }
    nq_loader_close(loader);
    return code == NQ_CODE_OK;
}

static void *load_until_cut(void *argument) {
    nq_client *client;
    nq_failure failure;
    nq_client_options options = {.timeout_ms = 60000};
    if (nq_client_open(uri, &options, &client, &failure) != NQ_CODE_OK) {
        return NULL;
    }
    (void)load_from(client, *(int64_t *)argument);
    nq_client_close(client);
    return NULL;
}

static void a_bulk_load_goes_on_where_the_server_says_it_ended(void **state) {
    (void)state;
    start_server();
    nq_client *client = connect_to_server();
    nq_failure failure;
    (void)must_ask(client, "CREATE TABLE loaded (id BIGINT, text TEXT)", NULL, 0);
    int64_t offset = 0;
    unsigned seed = 2;
    for (int round = 0; round < rounds(); round++) {
        nq_client_close(client);
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, load_until_cut, &offset), 0);
        sleep_ms(10 + rand_r(&seed) % 60);
        kill_server();
        pthread_join(thread, NULL);
        start_server();
        client = connect_to_server();
        uint64_t durable;
        if (nq_client_load_offset(client, &load, &durable, &failure) != NQ_CODE_OK) {
            fail_msg("%s", failure.message);
        }
        assert_true((int64_t)durable >= offset);
        offset = (int64_t)durable;
        assert_int_equal(must_ask(client, "SELECT count(*) FROM loaded", NULL, 0), offset);
    }
    assert_true(load_from(client, offset));
    assert_int_equal(must_ask(client, "SELECT count(*) FROM loaded", NULL, 0), LOAD_ROWS);
    int64_t sum = (int64_t)LOAD_ROWS * (LOAD_ROWS - 1) / 2;
    assert_int_equal(must_ask(client, "SELECT sum(id) FROM loaded", NULL, 0), sum);
    nq_client_close(client);
    kill_server();
}

static int make_directory(void **state) {
    (void)state;
    const char *parent = getenv("TEST_TMPDIR");
    /* Unix socket paths are short. */
    snprintf(directory, sizeof(directory), "%s/nqXXXXXX",
             parent != NULL && strlen(parent) < 60 ? parent : "/tmp");
    snprintf(uri, sizeof(uri), "unix:%s/socket", mkdtemp(directory));
    return 0;
}

static int remove_directory(void **state) {
    (void)state;
    char command[300];
    snprintf(command, sizeof(command), "rm -rf '%s'", directory);
    return system(command);
}

int main(int argc, char **argv) {
    if (argc < 2) {
        fprintf(stderr, "usage: kill_test SERVER-BINARY\n");
        return 2;
    }
    server_binary = argv[1];
    signal(SIGPIPE, SIG_IGN);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(no_acknowledged_commit_is_lost, make_directory,
                                        remove_directory),
        cmocka_unit_test_setup_teardown(a_bulk_load_goes_on_where_the_server_says_it_ended,
                                        make_directory, remove_directory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
