/* Kill: a process that writes to the real file system is killed without warning, round after round;
 * whatever the durability of a commit, what it had been told is there, and nothing is there in
 * part.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "engine/ground/base/rng.h"
#include "engine/ground/os/thread.h"
#include "engine/storage/store/store.h"

enum { ROUNDS = 8, ROWS = 5 };

static nq_store *open_store(const char *directory) {
    static nq_ctx ctx;
    nq_ctx_init(&ctx, NULL);
    nq_store_options options = {.cache_bytes = 1 << 20,
                                .checkpoint_log_bytes = 256 << 10,
                                .log_segment_bytes = 256 << 10,
                                .lane_blocks = 3};
    nq_store *store;
    if (nq_store_open(&ctx, nq_vfs_posix(), directory, &options, &store) != NQ_OK) {
        print_error("%s\n", ctx.error.message);
        return NULL;
    }
    return store;
}

static nq_bytes row_key(char room[32], uint64_t number, uint64_t row) {
    return nq_bytes_of(room, (size_t)snprintf(room, 32, "row%010llu.%u", (unsigned long long)number,
                                              (unsigned)row));
}

/* Transaction `number`: ROWS rows of that number, and the number itself. */
static nq_status write_number(nq_store *store, uint64_t number) {
    nq_ctx ctx;
    nq_ctx_init(&ctx, NULL);
    nq_txn *txn;
    nq_txn_options options = {0};
    nq_commit_options commit = {.durability = (nq_durability)(number % 3)};
    NQ_TRY(nq_txn_begin(&ctx, store, &options, &txn));
    nq_status status = NQ_OK;
    for (uint64_t row = 0; row < ROWS && status == NQ_OK; row++) {
        char room[32];
        nq_bytes key = row_key(room, number, row);
        status = nq_txn_insert(&ctx, txn, NQ_TREE_CATALOG, key, key);
    }
    if (status == NQ_OK) {
        status = nq_txn_put(&ctx, txn, NQ_TREE_CATALOG, NQ_BYTES_LITERAL("number"),
                            nq_bytes_of(&number, sizeof number));
    }
    if (status == NQ_OK) {
        return nq_txn_commit(&ctx, txn, &commit, NULL);
    }
    nq_txn_rollback(txn);
    return status;
}

static uint64_t read_number(nq_store *store) {
    nq_ctx ctx;
    nq_ctx_init(&ctx, NULL);
    nq_txn *txn;
    nq_txn_options options = {.read_only = true};
    nq_bytes value;
    uint64_t number = 0;
    assert_int_equal(nq_txn_begin(&ctx, store, &options, &txn), NQ_OK);
    assert_int_equal(nq_txn_find(&ctx, txn, NQ_TREE_CATALOG, NQ_BYTES_LITERAL("number"), &value),
                     NQ_OK);
    if (value.data != NULL) {
        memcpy(&number, value.data, sizeof number);
    }
    nq_tree_stats stats;
    assert_int_equal(nq_txn_tree_stats(&ctx, txn, NQ_TREE_CATALOG, &stats), NQ_OK);
    assert_int_equal(stats.entry_count, number == 0 ? 0 : number * ROWS + 1);
    nq_txn_rollback(txn);
    return number;
}

/* Writes until it is killed, telling the pipe each number committed. */
static void write_for_ever(const char *directory, int pipe_fd, uint64_t number) {
    nq_store *store = open_store(directory);
    while (store != NULL && write_number(store, ++number) == NQ_OK) {
        if (write(pipe_fd, &number, sizeof number) != sizeof number) {
            break;
        }
    }
    _exit(1);
}

static uint64_t run_until_killed(const char *directory, uint64_t number, int64_t life_ns) {
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        close(ends[0]);
        write_for_ever(directory, ends[1], number);
    }
    close(ends[1]);
    uint64_t told = number;
    uint64_t next;
    /* Lives until it has told something, then a random while. */
    assert_int_equal(read(ends[0], &next, sizeof next), sizeof next);
    told = next;
    nq_thread_sleep_ns(life_ns);
    kill(child, SIGKILL);
    while (read(ends[0], &next, sizeof next) == sizeof next) {
        told = next;
    }
    close(ends[0]);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    return told;
}

static void a_killed_process_loses_nothing_it_was_told_is_committed(void **state) {
    (void)state;
    nq_ctx ctx;
    nq_ctx_init(&ctx, NULL);
    const char *parent = getenv("TEST_TMPDIR");
    char directory[512];
    snprintf(directory, sizeof directory, "%s/nq-kill-%ld", parent == NULL ? "/tmp" : parent,
             (long)getpid());
    nq_rng rng = {7};
    uint64_t number = 0;
    uint64_t recovered = 0;
    for (int round = 0; round < ROUNDS; round++) {
        uint64_t told =
            run_until_killed(directory, number, (int64_t)nq_rng_below(&rng, 60) * 1000000);
        nq_store *store = open_store(directory);
        assert_non_null(store);
        number = read_number(store);
        assert_true(number >= told);
        assert_int_equal(nq_store_verify(&ctx, store), NQ_OK);
        nq_store_stats stats;
        nq_store_get_stats(store, &stats);
        recovered += stats.recovered_commits;
        assert_int_equal(nq_store_close(&ctx, store), NQ_OK);
    }
    print_message("%llu transactions, %llu of them replayed from the log\n",
                  (unsigned long long)number, (unsigned long long)recovered);
    assert_true(recovered != 0);
    char command[600];
    snprintf(command, sizeof command, "rm -rf '%s'", directory);
    assert_int_equal(system(command), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_killed_process_loses_nothing_it_was_told_is_committed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
