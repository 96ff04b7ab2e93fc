/* Readers: read-only transactions keep the version they began with however many there are, and no
 * version outlives its readers. Run under ThreadSanitizer as well. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/ground/base/rng.h"
#include "engine/ground/os/sim_vfs.h"
#include "engine/ground/os/thread.h"
#include "engine/storage/store/store.h"

enum {
    READERS = 200, /* more than there are seats */
    ROWS = 300,    /* of a few pages */
};

typedef struct fixture {
    nq_ctx ctx;
    nq_sim_vfs *disk;
    nq_store *store;
} fixture;

static nq_bytes key_of(uint32_t *room, uint32_t row) {
    *room = __builtin_bswap32(row);
    return nq_bytes_of(room, sizeof *room);
}

/* Gives every row the value `number`, long enough for the rows to take several pages. */
static nq_status write_rows(nq_ctx *ctx, nq_store *store, uint64_t number) {
    uint64_t value[12] = {number};
    nq_txn *txn;
    nq_txn_options options = {.isolation = NQ_REPEATABLE_READ};
    nq_commit_options commit = {.durability = NQ_LAZY};
    NQ_TRY(nq_txn_begin(ctx, store, &options, &txn));
    for (uint32_t row = 0; row < ROWS; row++) {
        uint32_t room;
        nq_status status = nq_txn_put(ctx, txn, NQ_TREE_CATALOG, key_of(&room, row),
                                      nq_bytes_of(value, sizeof value));
        if (status != NQ_OK) {
            nq_txn_rollback(txn);
            return status;
        }
    }
    return nq_txn_commit(ctx, txn, &commit, NULL);
}

static void set_up(fixture *f, bool is_manual) {
    nq_ctx_init(&f->ctx, NULL);
    nq_sim_options sim = {.seed = 1};
    assert_int_equal(nq_sim_vfs_create(&f->ctx, &sim, &f->disk), NQ_OK);
    nq_store_options options = {.cache_bytes = 1 << 20,
                                .log_segment_bytes = 256 << 10,
                                .checkpoint_log_bytes = 1 << 20,
                                .is_manual = is_manual};
    nq_vfs *vfs = nq_sim_vfs_as_vfs(f->disk);
    assert_int_equal(nq_store_open(&f->ctx, vfs, "db", &options, &f->store), NQ_OK);
    assert_int_equal(write_rows(&f->ctx, f->store, 0), NQ_OK);
}

/* Nothing but the published version and the checkpoint's is left, and no page is lost. */
static void tear_down(fixture *f) {
    nq_store_stats stats;
    nq_store_get_stats(f->store, &stats);
    assert_int_equal(stats.open_txns, 0);
    assert_true(stats.open_snapshots <= 2);
    assert_int_equal(nq_store_verify(&f->ctx, f->store), NQ_OK);
    assert_int_equal(nq_store_close(&f->ctx, f->store), NQ_OK);
    nq_sim_vfs_destroy(f->disk);
}

static nq_status begin_reader(nq_ctx *ctx, nq_store *store, nq_txn **out_txn) {
    nq_txn_options options = {.isolation = NQ_REPEATABLE_READ, .read_only = true};
    return nq_txn_begin(ctx, store, &options, out_txn);
}

static nq_txn *reader(fixture *f) {
    nq_txn *txn;
    assert_int_equal(begin_reader(&f->ctx, f->store, &txn), NQ_OK);
    return txn;
}

/* The value of a row; UINT64_MAX if it is not there. */
static uint64_t read_row(nq_ctx *ctx, nq_txn *txn, uint32_t row) {
    uint32_t room;
    uint64_t number = UINT64_MAX;
    nq_bytes value;
    if (nq_txn_find(ctx, txn, NQ_TREE_CATALOG, key_of(&room, row), &value) == NQ_OK &&
        value.data != NULL) {
        memcpy(&number, value.data, sizeof number);
    }
    return number;
}

static uint64_t open_snapshots(fixture *f) {
    nq_store_stats stats;
    nq_store_get_stats(f->store, &stats);
    return stats.open_snapshots;
}

static void each_of_many_readers_keeps_its_version(void **state) {
    (void)state;
    fixture f;
    set_up(&f, true);
    nq_txn *readers[READERS];
    for (uint64_t i = 0; i < READERS; i++) {
        readers[i] = reader(&f);
        assert_int_equal(write_rows(&f.ctx, f.store, i + 1), NQ_OK);
    }
    nq_store_stats stats;
    nq_store_get_stats(f.store, &stats);
    assert_int_equal(stats.open_txns, READERS);
    nq_rng rng = {1};
    for (uint32_t left = READERS; left > 0; left--) {
        for (uint32_t i = 0; i < READERS; i += 7) {
            if (readers[i] != NULL) {
                assert_int_equal(read_row(&f.ctx, readers[i], i % ROWS), i);
            }
        }
        uint32_t i = (uint32_t)nq_rng_below(&rng, READERS);
        while (readers[i] == NULL) {
            i = (i + 1) % READERS;
        }
        assert_int_equal(read_row(&f.ctx, readers[i], ROWS - 1), i);
        nq_txn_rollback(readers[i]);
        readers[i] = NULL;
    }
    tear_down(&f);
}

static void a_version_goes_with_its_last_reader(void **state) {
    (void)state;
    fixture f;
    set_up(&f, true);
    nq_txn *first = reader(&f);
    nq_txn *second = reader(&f);
    uint64_t before = open_snapshots(&f);
    assert_int_equal(write_rows(&f.ctx, f.store, 1), NQ_OK);
    assert_int_equal(open_snapshots(&f), before + 1);
    nq_txn_rollback(first);
    assert_int_equal(open_snapshots(&f), before + 1);
    assert_int_equal(read_row(&f.ctx, second, 5), 0);
    nq_commit_options commit = {0};
    assert_int_equal(nq_txn_commit(&f.ctx, second, &commit, NULL), NQ_OK);
    assert_int_equal(open_snapshots(&f), before);
    tear_down(&f);
}

static void the_next_reader_sees_what_was_committed_meanwhile(void **state) {
    (void)state;
    fixture f;
    set_up(&f, true);
    for (uint64_t i = 0; i < 5; i++) {
        nq_txn *txn = reader(&f);
        assert_int_equal(read_row(&f.ctx, txn, 7), i);
        assert_int_equal(write_rows(&f.ctx, f.store, i + 1), NQ_OK);
        assert_int_equal(read_row(&f.ctx, txn, 8), i);
        nq_txn_rollback(txn);
    }
    tear_down(&f);
}

static void a_statement_of_a_read_committed_reader_sees_the_newest(void **state) {
    (void)state;
    fixture f;
    set_up(&f, true);
    nq_txn *txn;
    nq_txn_options options = {.isolation = NQ_READ_COMMITTED, .read_only = true};
    assert_int_equal(nq_txn_begin(&f.ctx, f.store, &options, &txn), NQ_OK);
    uint64_t before = open_snapshots(&f);
    for (uint64_t i = 1; i < 5; i++) {
        assert_int_equal(write_rows(&f.ctx, f.store, i), NQ_OK);
        assert_int_equal(read_row(&f.ctx, txn, 7), i - 1);
        assert_int_equal(nq_txn_statement_begin(&f.ctx, txn), NQ_OK);
        assert_int_equal(read_row(&f.ctx, txn, 7), i);
        assert_int_equal(open_snapshots(&f), before);
    }
    nq_txn_rollback(txn);
    tear_down(&f);
}

/* What a scan shows from row `from` on is `number`. */
static void expect_rest(fixture *f, nq_scan *scan, uint32_t from, uint64_t number) {
    nq_bytes key;
    nq_bytes value;
    for (uint32_t row = from; row < ROWS; row++) {
        uint64_t seen;
        assert_int_equal(nq_scan_next(&f->ctx, scan, &key, &value), NQ_OK);
        assert_non_null(key.data);
        memcpy(&seen, value.data, sizeof seen);
        assert_int_equal(seen, number);
    }
    assert_int_equal(nq_scan_next(&f->ctx, scan, &key, &value), NQ_OK);
    assert_null(key.data);
}

static void parked_scans_keep_their_versions(void **state) {
    (void)state;
    fixture f;
    set_up(&f, true);
    nq_txn *readers[READERS];
    nq_scan *scans[READERS];
    const nq_scan_range everything = {0};
    for (uint64_t i = 0; i < READERS; i++) {
        nq_bytes key;
        nq_bytes value;
        readers[i] = reader(&f);
        assert_int_equal(nq_scan_open(&f.ctx, readers[i], NQ_TREE_CATALOG, &everything, &scans[i]),
                         NQ_OK);
        assert_int_equal(nq_scan_next(&f.ctx, scans[i], &key, &value), NQ_OK);
        nq_scan_park(scans[i]);
        assert_int_equal(write_rows(&f.ctx, f.store, i + 1), NQ_OK);
    }
    for (uint64_t i = 0; i < READERS; i++) {
        expect_rest(&f, scans[i], 1, i);
        nq_scan_close(scans[i]);
        nq_txn_rollback(readers[i]);
    }
    tear_down(&f);
}

/* ---- Beside a writer ---- */

enum { THREADS = 3, COMMITS = 300 };

typedef struct crowd {
    nq_store *store;
    _Atomic bool is_over;
    _Atomic uint64_t finds;
    _Atomic int failures;
    _Atomic uint32_t next_seed;
} crowd;

/* All rows of a version are alike, and versions never go back. */
static void read_rows(void *argument) {
    crowd *c = argument;
    nq_rng rng = {atomic_fetch_add(&c->next_seed, 1)};
    nq_ctx ctx;
    nq_ctx_init(&ctx, NULL);
    uint64_t last = 0;
    while (!atomic_load(&c->is_over)) {
        nq_txn *txn;
        if (begin_reader(&ctx, c->store, &txn) != NQ_OK) {
            atomic_fetch_add(&c->failures, 1);
            return;
        }
        uint64_t number = read_row(&ctx, txn, (uint32_t)nq_rng_below(&rng, ROWS));
        for (uint64_t more = nq_rng_below(&rng, 4); more > 0; more--) {
            if (read_row(&ctx, txn, (uint32_t)nq_rng_below(&rng, ROWS)) != number) {
                atomic_fetch_add(&c->failures, 1);
            }
        }
        if (number < last || number == UINT64_MAX) {
            atomic_fetch_add(&c->failures, 1);
        }
        last = number;
        nq_txn_rollback(txn);
        atomic_fetch_add(&c->finds, 1);
    }
}

static void readers_beside_a_writer_see_one_version_each(void **state) {
    (void)state;
    fixture f;
    set_up(&f, false);
    crowd c = {.store = f.store, .next_seed = 1};
    nq_thread threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(nq_thread_start(&f.ctx, &threads[i], "reader", read_rows, &c), NQ_OK);
    }
    for (uint64_t i = 1; i <= COMMITS || atomic_load(&c.finds) < COMMITS; i++) {
        assert_int_equal(write_rows(&f.ctx, f.store, i), NQ_OK);
    }
    atomic_store(&c.is_over, true);
    for (int i = 0; i < THREADS; i++) {
        nq_thread_join(&threads[i]);
    }
    assert_int_equal(atomic_load(&c.failures), 0);
    assert_int_equal(nq_store_checkpoint(&f.ctx, f.store, NULL), NQ_OK);
    tear_down(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_of_many_readers_keeps_its_version),
        cmocka_unit_test(a_version_goes_with_its_last_reader),
        cmocka_unit_test(the_next_reader_sees_what_was_committed_meanwhile),
        cmocka_unit_test(a_statement_of_a_read_committed_reader_sees_the_newest),
        cmocka_unit_test(parked_scans_keep_their_versions),
        cmocka_unit_test(readers_beside_a_writer_see_one_version_each),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
