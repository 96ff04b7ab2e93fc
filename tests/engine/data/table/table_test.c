/* Tables: rows by key, their order, their constraints. */
#include "tests/engine/data/table/fixture.h"

static void rows_come_back_in_key_order(void **state) {
    (void)state;
    fixture f;
    char text[1024];
    fixture_init(&f);
    nq_data_txn *txn = begin(&f);
    assert_ok(&f, create(&f, txn, "t", true));
    static const int64_t ids[] = {5, -1, 300, 0, INT64_MIN, 7};
    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
        assert_ok(&f, insert(&f, txn, "t", ids[i], i % 2 == 0 ? "even" : NULL));
    }
    commit(&f, txn);
    txn = begin_reading(&f);
    assert_string_equal(read_all(&f, txn, "t", NULL, text),
                        "-9223372036854775808:even -1:null 0:null 5:even 7:null 300:even ");
    const nq_key_range reverse = {.is_reverse = true};
    assert_string_equal(read_all(&f, txn, "t", &reverse, text),
                        "300:even 7:null 5:even 0:null -1:null -9223372036854775808:even ");
    nq_data_txn_rollback(txn);
    fixture_deinit(&f);
}

static void ranges_include_and_exclude_their_ends(void **state) {
    (void)state;
    fixture f;
    char text[1024];
    fixture_init(&f);
    nq_data_txn *txn = begin(&f);
    assert_ok(&f, create(&f, txn, "t", true));
    for (int64_t id = 1; id <= 6; id++) {
        assert_ok(&f, insert(&f, txn, "t", id, "x"));
    }
    const nq_value two = NQ_VALUE_INT64(2), five = NQ_VALUE_INT64(5);
    const nq_value last = NQ_VALUE_INT64(INT64_MAX);
    const nq_key_range closed = {.low = &two, .low_count = 1, .high = &five, .high_count = 1};
    nq_key_range open = closed;
    open.low_is_exclusive = open.high_is_exclusive = true;
    const nq_key_range inverted = {.low = &five, .low_count = 1, .high = &two, .high_count = 1};
    const nq_key_range above = {.low = &last, .low_count = 1, .low_is_exclusive = true};
    const nq_key_range below = {.high = &two, .high_count = 1, .high_is_exclusive = true};
    assert_string_equal(read_all(&f, txn, "t", &closed, text), "2:x 3:x 4:x 5:x ");
    assert_string_equal(read_all(&f, txn, "t", &open, text), "3:x 4:x ");
    assert_string_equal(read_all(&f, txn, "t", &inverted, text), "");
    assert_string_equal(read_all(&f, txn, "t", &above, text), "");
    assert_string_equal(read_all(&f, txn, "t", &below, text), "1:x ");
    nq_data_txn_rollback(txn);
    fixture_deinit(&f);
}

static void rows_without_a_key_keep_the_order_they_came_in_across_reopening(void **state) {
    (void)state;
    fixture f;
    char text[1024];
    fixture_init(&f);
    nq_data_txn *txn = begin(&f);
    assert_ok(&f, create(&f, txn, "t", false));
    assert_ok(&f, insert(&f, txn, "t", 9, "a"));
    assert_ok(&f, insert(&f, txn, "t", 1, "b"));
    commit(&f, txn);
    fixture_close(&f);
    fixture_open(&f);
    txn = begin(&f);
    assert_ok(&f, insert(&f, txn, "t", 5, "c"));
    assert_ok(&f, insert(&f, txn, "t", 9, "a"));
    assert_string_equal(read_all(&f, txn, "t", NULL, text), "9:a 1:b 5:c 9:a ");
    commit(&f, txn);
    fixture_deinit(&f);
}

static void a_duplicate_key_names_constraint_and_key_and_changes_nothing(void **state) {
    (void)state;
    fixture f;
    char text[1024];
    fixture_init(&f);
    nq_data_txn *txn = begin(&f);
    assert_ok(&f, create(&f, txn, "t", true));
    assert_ok(&f, insert(&f, txn, "t", 42, "first"));
    assert_int_equal(insert(&f, txn, "t", 42, "second"), NQ_UNIQUE_VIOLATION);
    assert_string_equal(f.ctx.error.object, "t_pkey");
    assert_non_null(strstr(f.ctx.error.message, "(id)=(42)"));
    assert_string_equal(read_all(&f, txn, "t", NULL, text), "42:first ");
    nq_data_txn_rollback(txn);
    fixture_deinit(&f);
}

static void null_in_a_not_null_column_names_the_column(void **state) {
    (void)state;
    fixture f;
    fixture_init(&f);
    nq_data_txn *txn = begin(&f);
    assert_ok(&f, create(&f, txn, "t", true));
    nq_batch batch = one_row(&f, 1, "x");
    const uint8_t null = 1;
    ((nq_vector *)(uintptr_t)batch.columns)[2].nulls = &null;
    nq_table_writer *writer;
    uint32_t count;
    assert_ok(&f, nq_table_writer_open(&f.ctx, txn, find(&f, txn, "t"), &writer));
    assert_int_equal(nq_table_writer_insert(&f.ctx, writer, &batch, 0, &count),
                     NQ_NOT_NULL_VIOLATION);
    assert_string_equal(f.ctx.error.object, "number");
    nq_table_writer_close(writer);
    nq_data_txn_rollback(txn);
    fixture_deinit(&f);
}

/* The row key of the row with this id. */
static nq_bytes row_key(fixture *f, nq_data_txn *txn, int64_t id) {
    static const uint32_t columns[] = {NQ_COLUMN_ROW_KEY};
    const nq_type type = NQ_TYPE(NQ_TYPE_BYTES);
    const nq_table *table = find(f, txn, "t");
    const nq_value key = NQ_VALUE_INT64(id);
    nq_row_decoder decoder;
    nq_batch_builder builder;
    bool is_found;
    assert_ok(f, nq_row_decoder_init(&f->ctx, &decoder, &f->arena, &table->layout, columns, 1));
    assert_ok(f, nq_batch_builder_init(&f->ctx, &builder, &f->arena, &f->arena, &type, 1, 1));
    assert_ok(f, nq_table_find(&f->ctx, txn, table, &key, &decoder, &builder, &is_found));
    return is_found ? builder.columns[0].bytes[0] : (nq_bytes){NULL, 0};
}

static void updates_replace_and_move_rows(void **state) {
    (void)state;
    fixture f;
    char text[1024];
    bool is_found;
    nq_table_writer *writer;
    fixture_init(&f);
    nq_data_txn *txn = begin(&f);
    assert_ok(&f, create(&f, txn, "t", true));
    assert_ok(&f, insert(&f, txn, "t", 1, "a"));
    assert_ok(&f, insert(&f, txn, "t", 2, "b"));
    assert_ok(&f, nq_table_writer_open(&f.ctx, txn, find(&f, txn, "t"), &writer));
    nq_batch same_key = one_row(&f, 1, "A"), new_key = one_row(&f, 9, "B");
    nq_batch taken = one_row(&f, 1, "C");
    nq_bytes one = row_key(&f, txn, 1), two = row_key(&f, txn, 2);
    assert_ok(&f, nq_table_writer_update(&f.ctx, writer, one, &same_key, 0, &is_found));
    assert_true(is_found);
    assert_ok(&f, nq_table_writer_update(&f.ctx, writer, two, &new_key, 0, &is_found));
    assert_true(is_found);
    assert_string_equal(read_all(&f, txn, "t", NULL, text), "1:A 9:B ");
    assert_ok(&f, nq_table_writer_update(&f.ctx, writer, two, &new_key, 0, &is_found));
    assert_false(is_found);
    nq_bytes nine = row_key(&f, txn, 9);
    assert_int_equal(nq_table_writer_update(&f.ctx, writer, nine, &taken, 0, &is_found),
                     NQ_UNIQUE_VIOLATION);
    nq_table_writer_close(writer);
    nq_data_txn_rollback(txn);
    fixture_deinit(&f);
}

static void deleted_rows_are_not_found(void **state) {
    (void)state;
    fixture f;
    char text[1024];
    bool is_found;
    nq_table_writer *writer;
    nq_table_stats stats;
    fixture_init(&f);
    nq_data_txn *txn = begin(&f);
    assert_ok(&f, create(&f, txn, "t", true));
    assert_ok(&f, insert(&f, txn, "t", 1, "a"));
    assert_ok(&f, insert(&f, txn, "t", 2, "b"));
    commit(&f, txn);
    txn = begin(&f);
    assert_ok(&f, nq_table_get_stats(&f.ctx, txn, find(&f, txn, "t"), &stats));
    assert_int_equal(stats.row_count, 2);
    nq_bytes one = row_key(&f, txn, 1);
    assert_ok(&f, nq_table_writer_open(&f.ctx, txn, find(&f, txn, "t"), &writer));
    assert_ok(&f, nq_table_writer_delete(&f.ctx, writer, one, &is_found));
    assert_true(is_found);
    assert_ok(&f, nq_table_writer_delete(&f.ctx, writer, one, &is_found));
    assert_false(is_found);
    nq_table_writer_close(writer);
    assert_null(row_key(&f, txn, 1).data);
    assert_string_equal(read_all(&f, txn, "t", NULL, text), "2:b ");
    commit(&f, txn);
    txn = begin_reading(&f);
    assert_ok(&f, nq_table_get_stats(&f.ctx, txn, find(&f, txn, "t"), &stats));
    assert_int_equal(stats.row_count, 1);
    nq_data_txn_rollback(txn);
    fixture_deinit(&f);
}

static void upserts_replace_rows_of_the_same_key(void **state) {
    (void)state;
    fixture f;
    char text[1024];
    uint32_t count;
    nq_table_writer *writer;
    fixture_init(&f);
    nq_data_txn *txn = begin(&f);
    assert_ok(&f, create(&f, txn, "t", true));
    assert_ok(&f, insert(&f, txn, "t", 1, "a"));
    assert_ok(&f, nq_table_writer_open(&f.ctx, txn, find(&f, txn, "t"), &writer));
    nq_batch old = one_row(&f, 1, "A"), new = one_row(&f, 2, "B");
    assert_ok(&f, nq_table_writer_upsert(&f.ctx, writer, &old, 0, &count));
    assert_ok(&f, nq_table_writer_upsert(&f.ctx, writer, &new, 0, &count));
    nq_table_writer_close(writer);
    assert_string_equal(read_all(&f, txn, "t", NULL, text), "1:A 2:B ");
    nq_data_txn_rollback(txn);
    fixture_deinit(&f);
}

static void a_scan_left_alone_keeps_its_snapshot(void **state) {
    (void)state;
    static const uint32_t columns[] = {0};
    fixture f;
    nq_table_scan *scan;
    nq_batch batch;
    fixture_init(&f);
    nq_data_txn *txn = begin(&f);
    assert_ok(&f, create(&f, txn, "t", true));
    for (int64_t id = 0; id < 3000; id++) {
        assert_ok(&f, insert(&f, txn, "t", id * 2, "x"));
    }
    commit(&f, txn);
    nq_data_txn *reader = begin_reading(&f);
    assert_ok(&f, nq_table_scan_open(&f.ctx, &f.arena, reader, find(&f, reader, "t"), columns, 1,
                                     NULL, &scan));
    assert_ok(&f, nq_table_scan_next(&f.ctx, scan, 10, &batch));
    assert_int_equal(batch.row_count, 10);
    txn = begin(&f);
    for (int64_t id = 0; id < 3000; id++) {
        assert_ok(&f, insert(&f, txn, "t", id * 2 + 1, "y"));
    }
    commit(&f, txn);
    uint32_t rows = batch.row_count;
    do {
        assert_ok(&f, nq_table_scan_next(&f.ctx, scan, NQ_BATCH_ROWS_MAX, &batch));
        for (uint32_t i = 0; i < batch.row_count; i++) {
            assert_int_equal(batch.columns[0].integers[i], (int64_t)(rows + i) * 2);
        }
        rows += batch.row_count;
    } while (batch.row_count > 0);
    assert_int_equal(rows, 3000);
    nq_table_scan_close(scan);
    nq_data_txn_rollback(reader);
    fixture_deinit(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_come_back_in_key_order),
        cmocka_unit_test(ranges_include_and_exclude_their_ends),
        cmocka_unit_test(rows_without_a_key_keep_the_order_they_came_in_across_reopening),
        cmocka_unit_test(a_duplicate_key_names_constraint_and_key_and_changes_nothing),
        cmocka_unit_test(null_in_a_not_null_column_names_the_column),
        cmocka_unit_test(updates_replace_and_move_rows),
        cmocka_unit_test(deleted_rows_are_not_found),
        cmocka_unit_test(upserts_replace_rows_of_the_same_key),
        cmocka_unit_test(a_scan_left_alone_keeps_its_snapshot),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
