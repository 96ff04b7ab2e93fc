/* The catalog: versions, who sees which, claims, numbers, notes. */
#include "engine/ground/os/clock.h"
#include "tests/engine/data/table/fixture.h"

static uint64_t snapshot_id(fixture *f, nq_data_txn *txn) {
    const nq_catalog_snapshot *snapshot;
    assert_ok(f, nq_data_txn_snapshot(&f->ctx, txn, &snapshot));
    return nq_catalog_snapshot_id(snapshot);
}

static void a_reader_keeps_the_version_it_began_with(void **state) {
    (void)state;
    fixture f;
    fixture_init(&f);
    nq_data_txn *before = begin_reading(&f);
    /* Looked up only after the change: the store's snapshot decides, not the moment of looking. */
    nq_data_txn *txn = begin(&f);
    assert_ok(&f, create(&f, txn, "t", true));
    commit(&f, txn);
    nq_data_txn *after = begin_reading(&f);
    assert_null(find(&f, before, "t"));
    assert_non_null(find(&f, after, "t"));
    assert_int_not_equal(snapshot_id(&f, before), snapshot_id(&f, after));
    nq_data_txn_rollback(before);
    nq_data_txn_rollback(after);
    fixture_deinit(&f);
}

static void versions_older_than_those_kept_are_read_again(void **state) {
    (void)state;
    fixture f;
    char name[16];
    fixture_init(&f);
    nq_data_txn *first = begin(&f);
    assert_ok(&f, create(&f, first, "first", true));
    commit(&f, first);
    nq_data_txn *old = begin_reading(&f);
    for (int i = 0; i < 30; i++) {
        (void)snprintf(name, sizeof name, "t%d", i);
        nq_data_txn *txn = begin(&f);
        assert_ok(&f, create(&f, txn, name, true));
        if (i > 0) {
            (void)snprintf(name, sizeof name, "t%d", i - 1);
            assert_ok(&f, nq_data_txn_drop_table(&f.ctx, txn, nq_bytes_of_cstr(name)));
        }
        commit(&f, txn);
    }
    assert_non_null(find(&f, old, "first"));
    assert_null(find(&f, old, "t29"));
    nq_data_txn *now = begin_reading(&f);
    assert_non_null(find(&f, now, "t29"));
    assert_null(find(&f, now, "t28"));
    nq_data_txn_rollback(old);
    nq_data_txn_rollback(now);
    fixture_deinit(&f);
}

static void equal_ids_mean_equal_content_and_private_ones_are_not_shared(void **state) {
    (void)state;
    fixture f;
    const nq_catalog_snapshot *snapshot;
    fixture_init(&f);
    nq_data_txn *one = begin(&f), *two = begin_reading(&f);
    uint64_t shared = snapshot_id(&f, two);
    assert_int_equal(snapshot_id(&f, one), shared);
    assert_ok(&f, create(&f, one, "t", true));
    assert_ok(&f, nq_data_txn_snapshot(&f.ctx, one, &snapshot));
    assert_false(nq_catalog_snapshot_is_committed(snapshot));
    assert_int_not_equal(nq_catalog_snapshot_id(snapshot), shared);
    assert_int_equal(snapshot_id(&f, two), shared);
    commit(&f, one);
    assert_int_not_equal(nq_catalog_current_id(f.catalog), shared);
    nq_data_txn_rollback(two);
    fixture_deinit(&f);
}

static void a_kept_snapshot_outlives_its_table(void **state) {
    (void)state;
    fixture f;
    const nq_catalog_snapshot *snapshot;
    fixture_init(&f);
    nq_data_txn *txn = begin(&f);
    assert_ok(&f, create(&f, txn, "t", true));
    commit(&f, txn);
    txn = begin_reading(&f);
    assert_ok(&f, nq_data_txn_snapshot(&f.ctx, txn, &snapshot));
    nq_catalog_snapshot_acquire(snapshot);
    nq_data_txn_rollback(txn);
    txn = begin(&f);
    assert_ok(&f, nq_data_txn_drop_table(&f.ctx, txn, NQ_BYTES_LITERAL("t")));
    commit(&f, txn);
    const nq_table *table = nq_catalog_snapshot_find(snapshot, NQ_BYTES_LITERAL("t"));
    assert_non_null(table);
    assert_int_equal(nq_table_find_column(table, NQ_BYTES_LITERAL("label")), 1);
    assert_int_equal(nq_table_find_column(table, NQ_BYTES_LITERAL("nope")), UINT32_MAX);
    nq_catalog_snapshot_release(snapshot);
    fixture_deinit(&f);
}

static void names_and_definitions_have_limits(void **state) {
    (void)state;
    fixture f;
    char name[80];
    static const uint32_t twice[] = {0, 0};
    const nq_column_definition column = {.name = NQ_BYTES_LITERAL("c"),
                                         .type = NQ_TYPE(NQ_TYPE_TEXT)};
    nq_column_definition bad = column;
    nq_table_definition definition = {
        .name = NQ_BYTES_LITERAL("t"), .column_count = 1, .columns = &column};
    fixture_init(&f);
    nq_data_txn *txn = begin(&f);
    memset(name, 'n', sizeof name);
    definition.name = nq_bytes_of(name, 64);
    assert_int_equal(nq_data_txn_create_table(&f.ctx, txn, &definition), NQ_NAME_TOO_LONG);
    definition.name = nq_bytes_of(name, 63);
    assert_ok(&f, nq_data_txn_create_table(&f.ctx, txn, &definition));
    assert_int_equal(nq_data_txn_create_table(&f.ctx, txn, &definition), NQ_TABLE_EXISTS);
    definition.name = NQ_BYTES_LITERAL("u");
    definition.column_count = 0;
    assert_int_equal(nq_data_txn_create_table(&f.ctx, txn, &definition), NQ_LIMIT_EXCEEDED);
    definition.column_count = 1;
    definition.key_columns = twice;
    definition.key_column_count = 2;
    assert_int_equal(nq_data_txn_create_table(&f.ctx, txn, &definition), NQ_DUPLICATE_COLUMN);
    definition.key_column_count = 0;
    definition.columns = &bad;
    bad.type = NQ_TYPE(NQ_TYPE_DECIMAL);
    assert_int_equal(nq_data_txn_create_table(&f.ctx, txn, &definition), NQ_FEATURE_UNSUPPORTED);
    bad.type = NQ_TYPE(NQ_TYPE_TEXT);
    bad.generation = NQ_GENERATED_ALWAYS;
    assert_int_equal(nq_data_txn_create_table(&f.ctx, txn, &definition), NQ_INVALID_DEFINITION);
    nq_data_txn_rollback(txn);
    fixture_deinit(&f);
}

/* With a deadline close by, so that a wait shows. */
static nq_status drop_soon(fixture *f, nq_data_txn *txn) {
    f->ctx.now_ns = nq_clock_monotonic_ns;
    f->ctx.deadline_ns = nq_clock_monotonic_ns() + 30000000;
    nq_status status = nq_data_txn_drop_table(&f->ctx, txn, NQ_BYTES_LITERAL("t"));
    f->ctx.deadline_ns = NQ_NO_DEADLINE;
    return status;
}

static void a_table_is_not_dropped_under_a_writer(void **state) {
    (void)state;
    fixture f;
    fixture_init(&f);
    nq_data_txn *txn = begin(&f);
    assert_ok(&f, create(&f, txn, "t", true));
    commit(&f, txn);
    nq_data_txn *writer = begin(&f), *dropper = begin(&f);
    assert_ok(&f, insert(&f, writer, "t", 1, "a"));
    assert_int_equal(drop_soon(&f, dropper), NQ_STATEMENT_TIMEOUT);
    nq_data_txn_rollback(dropper);
    commit(&f, writer);
    dropper = begin(&f);
    assert_ok(&f, drop_soon(&f, dropper));
    commit(&f, dropper);
    fixture_deinit(&f);
}

static void a_write_to_a_table_dropped_meanwhile_conflicts(void **state) {
    (void)state;
    fixture f;
    fixture_init(&f);
    nq_data_txn *txn = begin(&f);
    assert_ok(&f, create(&f, txn, "t", true));
    commit(&f, txn);
    nq_data_txn *writer = begin(&f);
    assert_non_null(find(&f, writer, "t")); /* Bound before the drop. */
    txn = begin(&f);
    assert_ok(&f, drop_soon(&f, txn));
    commit(&f, txn);
    assert_int_equal(insert(&f, writer, "t", 1, "a"), NQ_WRITE_CONFLICT);
    assert_ok(&f, nq_data_txn_statement_begin(&f.ctx, writer));
    assert_null(find(&f, writer, "t"));
    nq_data_txn_rollback(writer);
    fixture_deinit(&f);
}

static void a_dropped_table_rolled_back_is_written_to_again(void **state) {
    (void)state;
    fixture f;
    char text[256];
    nq_savepoint savepoint;
    fixture_init(&f);
    nq_data_txn *txn = begin(&f);
    assert_ok(&f, create(&f, txn, "t", true));
    commit(&f, txn);
    txn = begin(&f);
    assert_ok(&f, nq_data_txn_savepoint(&f.ctx, txn, &savepoint));
    assert_ok(&f, drop_soon(&f, txn));
    assert_null(find(&f, txn, "t"));
    assert_ok(&f, nq_data_txn_rollback_to(&f.ctx, txn, savepoint));
    assert_ok(&f, insert(&f, txn, "t", 1, "back"));
    commit(&f, txn);
    txn = begin(&f);
    assert_ok(&f, insert(&f, txn, "t", 2, "too"));
    assert_string_equal(read_all(&f, txn, "t", NULL, text), "1:back 2:too ");
    commit(&f, txn);
    fixture_deinit(&f);
}

static void truncating_empties_for_later_readers_only(void **state) {
    (void)state;
    fixture f;
    char text[256];
    fixture_init(&f);
    nq_data_txn *txn = begin(&f);
    assert_ok(&f, create(&f, txn, "t", false));
    assert_ok(&f, insert(&f, txn, "t", 1, "a"));
    commit(&f, txn);
    nq_data_txn *reader = begin_reading(&f);
    txn = begin(&f);
    assert_ok(&f, nq_data_txn_truncate_table(&f.ctx, txn, NQ_BYTES_LITERAL("t"), false));
    assert_ok(&f, insert(&f, txn, "t", 2, "b"));
    commit(&f, txn);
    assert_string_equal(read_all(&f, reader, "t", NULL, text), "1:a ");
    nq_data_txn_rollback(reader);
    reader = begin_reading(&f);
    assert_string_equal(read_all(&f, reader, "t", NULL, text), "2:b ");
    nq_data_txn_rollback(reader);
    fixture_deinit(&f);
}

static int64_t next_number(fixture *f, uint32_t count) {
    nq_data_txn *txn = begin(f);
    int64_t first;
    assert_ok(f, nq_data_txn_next_numbers(&f->ctx, txn, find(f, txn, "t"), 2, count, &first));
    commit(f, txn);
    return first;
}

static void numbers_never_come_twice_even_after_a_crash(void **state) {
    (void)state;
    fixture f;
    fixture_init(&f);
    nq_data_txn *txn = begin(&f);
    assert_ok(&f, create(&f, txn, "t", true));
    commit(&f, txn);
    assert_int_equal(next_number(&f, 1), 1);
    assert_int_equal(next_number(&f, 100), 2);
    assert_int_equal(next_number(&f, 1), 102);
    fixture_close(&f);
    fixture_open(&f);
    assert_int_equal(next_number(&f, 1), 103);
    /* A number that a durable commit used survives: so must its reservation. */
    txn = begin(&f);
    int64_t used;
    assert_ok(&f, nq_data_txn_next_numbers(&f.ctx, txn, find(&f, txn, "t"), 2, 1, &used));
    assert_ok(&f, insert(&f, txn, "t", used, "x"));
    commit(&f, txn);
    nq_sim_vfs_cut_power(f.disk);
    (void)(nq_catalog_close(&f.ctx, f.catalog) == NQ_OK);
    (void)(nq_store_close(&f.ctx, f.store) == NQ_OK);
    nq_sim_vfs_restart(f.disk);
    fixture_open(&f);
    assert_true(next_number(&f, 1) > used);
    fixture_deinit(&f);
}

static void a_sequence_ends_with_its_type(void **state) {
    (void)state;
    fixture f;
    int64_t first;
    const nq_column_definition column = {.name = NQ_BYTES_LITERAL("n"),
                                         .type = NQ_TYPE(NQ_TYPE_INT16),
                                         .generation = NQ_GENERATED_ALWAYS};
    const nq_table_definition definition = {
        .name = NQ_BYTES_LITERAL("t"), .column_count = 1, .columns = &column};
    fixture_init(&f);
    nq_data_txn *txn = begin(&f);
    assert_ok(&f, nq_data_txn_create_table(&f.ctx, txn, &definition));
    const nq_table *table = find(&f, txn, "t");
    assert_ok(&f, nq_data_txn_next_numbers(&f.ctx, txn, table, 0, INT16_MAX - 1, &first));
    assert_ok(&f, nq_data_txn_next_numbers(&f.ctx, txn, table, 0, 1, &first));
    assert_int_equal(first, INT16_MAX);
    assert_int_equal(nq_data_txn_next_numbers(&f.ctx, txn, table, 0, 1, &first),
                     NQ_NUMBER_OUT_OF_RANGE);
    nq_data_txn_rollback(txn);
    fixture_deinit(&f);
}

static nq_bytes find_note(fixture *f, nq_data_txn *txn) {
    nq_bytes value;
    assert_ok(
        f, nq_data_txn_find_note(&f->ctx, txn, find(f, txn, "t"), NQ_BYTES_LITERAL("n"), &value));
    return value;
}

static void notes_are_kept_and_lost_with_the_rows(void **state) {
    (void)state;
    fixture f;
    fixture_init(&f);
    nq_data_txn *txn = begin(&f);
    assert_ok(&f, create(&f, txn, "t", true));
    assert_null(find_note(&f, txn).data);
    assert_ok(&f, nq_data_txn_put_note(&f.ctx, txn, find(&f, txn, "t"), NQ_BYTES_LITERAL("n"),
                                       NQ_BYTES_LITERAL("value")));
    commit(&f, txn);
    fixture_close(&f);
    fixture_open(&f);
    txn = begin(&f);
    assert_true(nq_bytes_equal(find_note(&f, txn), NQ_BYTES_LITERAL("value")));
    assert_ok(&f, nq_data_txn_truncate_table(&f.ctx, txn, NQ_BYTES_LITERAL("t"), false));
    assert_null(find_note(&f, txn).data);
    commit(&f, txn);
    fixture_deinit(&f);
}

static void a_damaged_record_is_corrupt_not_a_crash(void **state) {
    (void)state;
    fixture f;
    nq_bytes record;
    static const uint8_t key[] = {'T', 't'};
    const nq_commit_options durable = {.durability = NQ_DURABLE};
    const nq_txn_options options = {.isolation = NQ_READ_COMMITTED};
    fixture_init(&f);
    nq_data_txn *txn = begin(&f);
    assert_ok(&f, create(&f, txn, "t", true));
    commit(&f, txn);
    nq_txn *raw;
    assert_ok(&f, nq_txn_begin(&f.ctx, f.store, &options, &raw));
    assert_ok(&f, nq_txn_find(&f.ctx, raw, NQ_TREE_CATALOG, nq_bytes_of(key, 2), &record));
    record = nq_arena_copy(&f.arena, record);
    nq_txn_rollback(raw);
    for (size_t size = 0; size < record.size; size++) {
        nq_catalog *again;
        assert_ok(&f, nq_txn_begin(&f.ctx, f.store, &options, &raw));
        assert_ok(&f, nq_txn_put(&f.ctx, raw, NQ_TREE_CATALOG, nq_bytes_of(key, 2),
                                 nq_bytes_of(record.data, size)));
        assert_ok(&f, nq_txn_commit(&f.ctx, raw, &durable, NULL));
        assert_int_equal(nq_catalog_open(&f.ctx, f.store, fixed_wall_us, &again), NQ_PAGE_CORRUPT);
    }
    fixture_deinit(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_reader_keeps_the_version_it_began_with),
        cmocka_unit_test(versions_older_than_those_kept_are_read_again),
        cmocka_unit_test(equal_ids_mean_equal_content_and_private_ones_are_not_shared),
        cmocka_unit_test(a_kept_snapshot_outlives_its_table),
        cmocka_unit_test(names_and_definitions_have_limits),
        cmocka_unit_test(a_table_is_not_dropped_under_a_writer),
        cmocka_unit_test(a_write_to_a_table_dropped_meanwhile_conflicts),
        cmocka_unit_test(a_dropped_table_rolled_back_is_written_to_again),
        cmocka_unit_test(truncating_empties_for_later_readers_only),
        cmocka_unit_test(numbers_never_come_twice_even_after_a_crash),
        cmocka_unit_test(a_sequence_ends_with_its_type),
        cmocka_unit_test(notes_are_kept_and_lost_with_the_rows),
        cmocka_unit_test(a_damaged_record_is_corrupt_not_a_crash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
