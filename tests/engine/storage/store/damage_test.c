/* Damage: what rots in the data file is repaired, counted and moved away from; every row stays
 * right.
 *
 * NQ_DAMAGE_ROWS=n uses n rows instead of the few that fit an ordinary test run. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "engine/ground/base/logger.h"
#include "engine/ground/base/rng.h"
#include "engine/ground/os/sim_vfs.h"
#include "engine/ground/os/thread.h"
#include "engine/storage/store/store.h"

enum {
    ROWS_DEFAULT = 100000,
    ROWS_PER_TXN = 1000,
    VALUE_BYTES = 100,
    FLIPS = 200,
    SEGMENT_BYTES = 4 << 20,
    SUPERBLOCKS_APART = 1 << 20,
    ZEROED_BYTES = 256 << 10,
};

typedef struct fixture {
    nq_ctx ctx;
    nq_sim_vfs *disk;
    nq_store_options options;
    nq_store *store;
    uint32_t rows;
} fixture;

static void must(fixture *f, nq_status status) {
    if (status != NQ_OK) {
        fail_msg("%s", f->ctx.error.message);
    }
}

static void open_store(fixture *f) {
    must(f, nq_store_open(&f->ctx, nq_sim_vfs_as_vfs(f->disk), "db", &f->options, &f->store));
}

static void close_store(fixture *f) {
    must(f, nq_store_close(&f->ctx, f->store));
}

/* Half of a value is noise. */
static nq_bytes value_of(uint8_t room[VALUE_BYTES], uint32_t row) {
    nq_rng rng = {row};
    for (size_t i = 0; i < VALUE_BYTES; i++) {
        room[i] = i < VALUE_BYTES / 2 ? (uint8_t)nq_rng_next(&rng) : 'v';
    }
    return nq_bytes_of(room, VALUE_BYTES);
}

static uint32_t key_of(uint32_t row) {
    return __builtin_bswap32(row);
}

static void put_rows(fixture *f, uint32_t first, uint32_t end) {
    nq_txn *txn;
    nq_txn_options options = {0};
    must(f, nq_txn_begin(&f->ctx, f->store, &options, &txn));
    for (uint32_t row = first; row < end; row++) {
        uint8_t room[VALUE_BYTES];
        uint32_t key = key_of(row);
        must(f, nq_txn_put(&f->ctx, txn, NQ_TREE_CATALOG, nq_bytes_of(&key, sizeof key),
                           value_of(room, row)));
    }
    nq_commit_options commit = {.durability = NQ_LAZY};
    must(f, nq_txn_commit(&f->ctx, txn, &commit, NULL));
}

/* A closed store of `rows` rows. */
static void set_up(fixture *f) {
    const char *wanted = getenv("NQ_DAMAGE_ROWS");
    nq_ctx_init(&f->ctx, NULL);
    nq_logger_configure(&(nq_logger_options){.level_min = NQ_LEVEL_OFF});
    nq_sim_options sim = {.seed = 1};
    assert_int_equal(nq_sim_vfs_create(&f->ctx, &sim, &f->disk), NQ_OK);
    f->options = (nq_store_options){.cache_bytes = 16 << 20, .is_manual = true};
    f->rows = wanted == NULL ? ROWS_DEFAULT : (uint32_t)strtoul(wanted, NULL, 10);
    open_store(f);
    for (uint32_t row = 0; row < f->rows; row += ROWS_PER_TXN) {
        put_rows(f, row, row + ROWS_PER_TXN);
        if (row % (100 * ROWS_PER_TXN) == 0) {
            must(f, nq_store_checkpoint(&f->ctx, f->store, NULL));
        }
    }
    close_store(f);
}

static void tear_down(fixture *f) {
    nq_sim_vfs_destroy(f->disk);
}

static void expect_every_row(fixture *f) {
    nq_txn *txn;
    nq_scan *scan;
    nq_txn_options options = {.read_only = true};
    nq_scan_range range = {0};
    must(f, nq_txn_begin(&f->ctx, f->store, &options, &txn));
    must(f, nq_scan_open(&f->ctx, txn, NQ_TREE_CATALOG, &range, &scan));
    for (uint32_t row = 0; row <= f->rows; row++) {
        uint8_t room[VALUE_BYTES];
        uint32_t expected = key_of(row);
        nq_bytes key;
        nq_bytes value;
        must(f, nq_scan_next(&f->ctx, scan, &key, &value));
        if (row == f->rows) {
            assert_null(key.data);
        } else {
            assert_true(nq_bytes_equal(key, nq_bytes_of(&expected, sizeof expected)));
            assert_true(nq_bytes_equal(value, value_of(room, row)));
        }
    }
    nq_scan_close(scan);
    nq_txn_rollback(txn);
    must(f, nq_store_verify(&f->ctx, f->store));
}

static nq_store_stats stats_of(fixture *f) {
    nq_store_stats stats;
    nq_store_get_stats(f->store, &stats);
    return stats;
}

static uint64_t file_bytes(fixture *f) {
    nq_file *file;
    uint64_t bytes;
    must(f, nq_vfs_open(&f->ctx, nq_sim_vfs_as_vfs(f->disk), "db/data.nqdb", 0, &file));
    must(f, nq_file_size(&f->ctx, file, &bytes));
    nq_file_close(file);
    return bytes;
}

/* All rows are right though damaged; after a checkpoint nothing is damaged any more. `must_hit`:
 * the damage cannot have missed every page. */
static void expect_repair_and_recovery(fixture *f, bool must_hit) {
    open_store(f);
    expect_every_row(f);
    nq_store_stats stats = stats_of(f);
    assert_true(!must_hit || stats.data_images_repaired > 0);
    assert_true(!must_hit || stats.data_segments_damaged > 0);
    assert_int_equal(stats.data_images_lost, 0);
    nq_store_scrub_result found;
    must(f, nq_store_scrub(&f->ctx, f->store, &found));
    assert_int_equal(found.rows_lost, 0);
    must(f, nq_store_checkpoint(&f->ctx, f->store, NULL));
    close_store(f);
    open_store(f);
    expect_every_row(f);
    must(f, nq_store_scrub(&f->ctx, f->store, &found));
    assert_true(found.segments_read > 0);
    assert_int_equal(found.segments_damaged, 0);
    assert_int_equal(stats_of(f).data_images_repaired, 0);
    close_store(f);
}

static void flipped_bits_anywhere_cost_no_row(void **state) {
    (void)state;
    fixture f;
    set_up(&f);
    nq_rng rng = {2};
    for (int round = 0; round < 3; round++) {
        uint64_t bytes = file_bytes(&f);
        for (int i = 0; i < FLIPS; i++) {
            assert_true(nq_sim_vfs_flip_bit(f.disk, "db/data.nqdb", nq_rng_below(&rng, bytes),
                                            (unsigned)nq_rng_below(&rng, 8)));
        }
        expect_repair_and_recovery(&f, true);
    }
    tear_down(&f);
}

static void a_zeroed_quarter_mib_in_every_segment_costs_no_row(void **state) {
    (void)state;
    fixture f;
    set_up(&f);
    static const uint8_t zeros[ZEROED_BYTES];
    nq_rng rng = {3};
    for (int round = 0; round < 3; round++) {
        nq_file *file;
        uint64_t bytes = file_bytes(&f);
        must(&f, nq_vfs_open(&f.ctx, nq_sim_vfs_as_vfs(f.disk), "db/data.nqdb", 0, &file));
        for (uint64_t start = SEGMENT_BYTES; start < bytes; start += SEGMENT_BYTES) {
            /* The first round spoils what every segment uses first, its header included. */
            uint64_t at = round == 0 ? 0 : nq_rng_below(&rng, SEGMENT_BYTES - ZEROED_BYTES);
            must(&f, nq_file_write_at(&f.ctx, file, start + at, zeros, sizeof zeros));
        }
        must(&f, nq_file_sync_data(&f.ctx, file));
        nq_file_close(file);
        /* Later runs may lie where a partly filled segment has nothing. Scrubbing finds what no
         * reader meets: else two rounds add up to more than parity restores. */
        expect_repair_and_recovery(&f, round == 0);
    }
    tear_down(&f);
}

static void any_superblock_may_be_lost(void **state) {
    (void)state;
    fixture f;
    set_up(&f);
    for (uint64_t copy = 0; copy < 4; copy++) {
        for (uint64_t bit = 0; bit < 40; bit++) {
            nq_sim_vfs_flip_bit(f.disk, "db/data.nqdb", copy * SUPERBLOCKS_APART + bit * 3,
                                (unsigned)(bit % 8));
        }
        open_store(&f);
        expect_every_row(&f);
        close_store(&f);
    }
    tear_down(&f);
}

static void a_superblock_that_rots_meanwhile_is_written_anew(void **state) {
    (void)state;
    fixture f;
    set_up(&f);
    open_store(&f);
    for (uint64_t copy = 0; copy < 4; copy++) {
        nq_sim_vfs_flip_bit(f.disk, "db/data.nqdb", copy * SUPERBLOCKS_APART + 50, 1);
    }
    nq_store_scrub_result found;
    must(&f, nq_store_scrub(&f.ctx, f.store, &found));
    assert_int_equal(found.superblocks_repaired, 2); /* the others are of the checkpoint before */
    must(&f, nq_store_scrub(&f.ctx, f.store, &found));
    assert_int_equal(found.superblocks_repaired, 0);
    close_store(&f);
    open_store(&f);
    expect_every_row(&f);
    close_store(&f);
    tear_down(&f);
}

static void damage_that_nobody_reads_is_found_by_scrubbing(void **state) {
    (void)state;
    fixture f;
    set_up(&f);
    open_store(&f);
    nq_store_scrub_result found;
    must(&f, nq_store_scrub(&f.ctx, f.store, &found));
    assert_int_equal(found.segments_damaged, 0);
    assert_int_equal(found.superblocks_repaired, 0);
    uint64_t segments = found.segments_read;
    uint64_t bytes = file_bytes(&f);
    for (uint64_t start = SEGMENT_BYTES; start < bytes; start += SEGMENT_BYTES) {
        nq_sim_vfs_flip_bit(f.disk, "db/data.nqdb", start + 10, 0); /* its first header */
    }
    must(&f, nq_store_scrub(&f.ctx, f.store, &found));
    assert_int_equal(found.segments_read, segments);
    assert_int_equal(found.segments_damaged, segments);
    must(&f, nq_store_checkpoint(&f.ctx, f.store, NULL));
    must(&f, nq_store_scrub(&f.ctx, f.store, &found));
    assert_int_equal(found.segments_damaged, 0);
    expect_every_row(&f);
    close_store(&f);
    tear_down(&f);
}

static void the_background_scrubs_and_moves_away_by_itself(void **state) {
    (void)state;
    fixture f;
    set_up(&f);
    f.options.is_manual = false;
    f.options.scrub_period_s = 1;
    uint64_t bytes = file_bytes(&f);
    for (uint64_t start = SEGMENT_BYTES; start < bytes; start += SEGMENT_BYTES) {
        nq_sim_vfs_flip_bit(f.disk, "db/data.nqdb", start + 10, 0);
    }
    open_store(&f);
    while (stats_of(&f).data_segments_damaged == 0 || stats_of(&f).checkpoints == 0) {
        nq_thread_sleep_ns(10000000);
    }
    expect_every_row(&f);
    close_store(&f);
    tear_down(&f);
}

/* ---- What the log says ---- */

typedef struct spoken {
    uint32_t damage, transient, device;
} spoken;

static void count_line(void *user, const char *line, size_t bytes) {
    spoken *s = user;
    (void)bytes;
    s->damage += strstr(line, "damage found") != NULL;
    s->transient += strstr(line, "succeeded when it was repeated") != NULL;
    s->device += strstr(line, "its device fails") != NULL;
}

static void listen_to_log(spoken *s) {
    nq_logger_configure(&(nq_logger_options){.sink = count_line, .sink_user = s});
}

static nq_status find_row(fixture *f, uint32_t row) {
    nq_txn *txn;
    nq_txn_options options = {.read_only = true};
    uint32_t key = key_of(row);
    nq_bytes value;
    must(f, nq_txn_begin(&f->ctx, f->store, &options, &txn));
    nq_status status =
        nq_txn_find(&f->ctx, txn, NQ_TREE_CATALOG, nq_bytes_of(&key, sizeof key), &value);
    nq_txn_rollback(txn);
    return status;
}

static void a_device_that_is_gone_is_no_damage(void **state) {
    (void)state;
    fixture f;
    spoken said = {0};
    nq_store_scrub_result found;
    set_up(&f);
    open_store(&f);
    listen_to_log(&said);
    nq_sim_vfs_cut_power(f.disk);
    assert_int_equal(nq_store_scrub(&f.ctx, f.store, &found), NQ_IO_ERROR);
    for (uint32_t row = 0; row < f.rows; row += f.rows / 10) {
        assert_int_equal(find_row(&f, row), NQ_IO_ERROR);
    }
    assert_int_equal(stats_of(&f).data_segments_damaged, 0);
    assert_int_equal(stats_of(&f).data_images_lost, 0);
    assert_int_equal(said.damage, 0);
    assert_int_equal(said.device, 1);
    assert_int_not_equal(nq_store_close(&f.ctx, f.store), NQ_OK);
    nq_sim_vfs_restart(f.disk);
    open_store(&f);
    expect_every_row(&f);
    close_store(&f);
    tear_down(&f);
}

/* Each read is repeated once without a word. */
static void a_read_that_fails_twice_and_not_again_is_not_called_damage(void **state) {
    (void)state;
    fixture f;
    spoken said = {0};
    set_up(&f);
    open_store(&f);
    listen_to_log(&said);
    nq_sim_vfs_fault_at(f.disk, NQ_SIM_READ_ERROR, 1);
    nq_sim_vfs_fault_at(f.disk, NQ_SIM_MISDIRECTED_READ, 2);
    expect_every_row(&f);
    assert_int_equal(said.damage, 0);
    assert_int_equal(said.transient, 1);
    close_store(&f);
    tear_down(&f);
}

static void damage_is_said_once(void **state) {
    (void)state;
    fixture f;
    spoken said = {0};
    nq_store_scrub_result found;
    set_up(&f);
    uint64_t bytes = file_bytes(&f);
    for (uint64_t start = SEGMENT_BYTES; start < bytes; start += SEGMENT_BYTES) {
        nq_sim_vfs_flip_bit(f.disk, "db/data.nqdb", start + 10, 0);
    }
    open_store(&f);
    listen_to_log(&said);
    must(&f, nq_store_scrub(&f.ctx, f.store, &found));
    assert_true(found.segments_damaged > 0);
    assert_int_equal(said.damage, found.segments_damaged);
    must(&f, nq_store_scrub(&f.ctx, f.store, &found));
    must(&f, nq_store_checkpoint(&f.ctx, f.store, NULL));
    must(&f, nq_store_scrub(&f.ctx, f.store, &found));
    expect_every_row(&f);
    assert_int_equal(said.damage, stats_of(&f).data_segments_damaged);
    close_store(&f);
    tear_down(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(flipped_bits_anywhere_cost_no_row),
        cmocka_unit_test(a_zeroed_quarter_mib_in_every_segment_costs_no_row),
        cmocka_unit_test(any_superblock_may_be_lost),
        cmocka_unit_test(a_superblock_that_rots_meanwhile_is_written_anew),
        cmocka_unit_test(damage_that_nobody_reads_is_found_by_scrubbing),
        cmocka_unit_test(the_background_scrubs_and_moves_away_by_itself),
        cmocka_unit_test(a_device_that_is_gone_is_no_damage),
        cmocka_unit_test(a_read_that_fails_twice_and_not_again_is_not_called_damage),
        cmocka_unit_test(damage_is_said_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
