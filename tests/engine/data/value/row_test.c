/* Rows: every selection of columns of every layout comes back, and foreign bytes are refused. */
#include "engine/data/value/row.h"
#include "tests/engine/data/value/random_values.h"

enum { COLUMN_COUNT_MAX = 20, ROW_COUNT = 8 };

typedef struct table {
    nq_type types[COLUMN_COUNT_MAX];
    uint32_t column_count;
    uint32_t key_columns[3];
    uint32_t key_count;
    nq_row_layout layout;
    nq_batch_builder rows;
    nq_arena bytes;
} table;

static bool is_key(const table *t, uint32_t column) {
    for (uint32_t i = 0; i < t->key_count; i++) {
        if (t->key_columns[i] == column) {
            return true;
        }
    }
    return false;
}

static void make_table(fixture *f, nq_rng *rng, table *t) {
    t->column_count = 1 + (uint32_t)nq_rng_below(rng, COLUMN_COUNT_MAX);
    for (uint32_t i = 0; i < t->column_count; i++) {
        t->types[i] = NQ_TYPE(storable_types[nq_rng_below(rng, STORABLE_TYPE_COUNT)]);
    }
    t->key_count = 0;
    for (uint32_t i = 0; i < t->column_count && t->key_count < 3; i++) {
        if (nq_rng_below(rng, 4) == 0) {
            t->key_columns[t->key_count++] = t->column_count - 1 - i;
        }
    }
    assert_int_equal(nq_row_layout_init(&f->ctx, &t->layout, &f->arena, t->types, t->column_count,
                                        t->key_columns, t->key_count),
                     NQ_OK);
    nq_arena_init(&t->bytes, 64 << 20);
    assert_int_equal(nq_batch_builder_init(&f->ctx, &t->rows, &f->arena, &t->bytes, t->types,
                                           t->column_count, ROW_COUNT),
                     NQ_OK);
}

static void fill_rows(fixture *f, nq_rng *rng, table *t) {
    for (uint32_t row = 0; row < ROW_COUNT; row++) {
        for (uint32_t i = 0; i < t->column_count; i++) {
            bool is_null = !is_key(t, i) && nq_rng_below(rng, 3) == 0;
            nq_value value = is_null ? NQ_VALUE_NULL(t->types[i].id)
                                     : random_value(rng, &f->arena, t->types[i].id);
            assert_int_equal(nq_batch_builder_set(&f->ctx, &t->rows, i, value), NQ_OK);
        }
        t->rows.row_count++;
    }
}

static void assert_same(nq_value left, nq_value right) {
    assert_int_equal(left.is_null, right.is_null);
    if (!left.is_null) {
        assert_int_equal(nq_value_compare(left, right), 0);
    }
    if (!left.is_null && nq_type_form(left.type) == NQ_FORM_FLOAT64 && left.number == 0) {
        assert_int_equal(signbit(left.number) != 0, signbit(right.number) != 0);
    }
}

/* A random selection in random order, each column at most once; now and then the key too. */
static uint32_t select_columns(nq_rng *rng, const table *t, uint32_t *columns, nq_type *types) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < t->column_count; i++) {
        if (nq_rng_below(rng, 2) == 0) {
            uint32_t at = (uint32_t)nq_rng_below(rng, count + 1);
            columns[count] = columns[at];
            columns[at] = i;
            count++;
        }
    }
    if (nq_rng_below(rng, 3) == 0) {
        columns[count++] = NQ_COLUMN_ROW_KEY;
    }
    for (uint32_t i = 0; i < count; i++) {
        types[i] = columns[i] == NQ_COLUMN_ROW_KEY ? NQ_TYPE(NQ_TYPE_BYTES) : t->types[columns[i]];
    }
    return count;
}

static void check_rows(fixture *f, nq_rng *rng, table *t) {
    uint32_t columns[COLUMN_COUNT_MAX + 1];
    nq_type types[COLUMN_COUNT_MAX + 1];
    nq_row_decoder decoder;
    nq_batch_builder out;
    nq_arena bytes;
    nq_row_buffer row = {0};
    nq_key_buffer key;
    uint32_t count = select_columns(rng, t, columns, types);
    nq_arena_init(&bytes, 64 << 20);
    assert_int_equal(nq_row_decoder_init(&f->ctx, &decoder, &f->arena, &t->layout, columns, count),
                     NQ_OK);
    assert_int_equal(
        nq_batch_builder_init(&f->ctx, &out, &f->arena, &bytes, types, count, ROW_COUNT), NQ_OK);
    nq_batch in = nq_batch_builder_batch(&t->rows);
    for (uint32_t i = 0; i < ROW_COUNT; i++) {
        assert_int_equal(nq_row_encode(&f->ctx, &t->layout, &in, i, &row), NQ_OK);
        assert_int_equal(nq_row_encode_key(&f->ctx, &t->layout, &in, i, &key), NQ_OK);
        assert_int_equal(nq_row_decode(&f->ctx, &decoder, nq_key_bytes(&key),
                                       nq_bytes_of(row.data, row.size), &out),
                         NQ_OK);
        if (decoder.row_key_column != UINT32_MAX) {
            assert_true(
                nq_bytes_equal(out.columns[decoder.row_key_column].bytes[i], nq_key_bytes(&key)));
        }
    }
    nq_batch got = nq_batch_builder_batch(&out);
    for (uint32_t i = 0; i < ROW_COUNT; i++) {
        for (uint32_t c = 0; c < count; c++) {
            if (columns[c] != NQ_COLUMN_ROW_KEY) {
                assert_same(nq_batch_value(&got, c, i), nq_batch_value(&in, columns[c], i));
            }
        }
    }
    nq_row_buffer_deinit(&row);
    nq_arena_deinit(&bytes);
}

static void any_columns_of_any_row_come_back(void **state) {
    (void)state;
    fixture f;
    fixture_init(&f);
    nq_rng rng = {21};
    for (int round = 0; round < 3000; round++) {
        table t;
        nq_arena_reset(&f.arena);
        make_table(&f, &rng, &t);
        fill_rows(&f, &rng, &t);
        check_rows(&f, &rng, &t);
        nq_arena_deinit(&t.bytes);
    }
    fixture_deinit(&f);
}

static void long_texts_widen_the_offsets(void **state) {
    (void)state;
    fixture f;
    fixture_init(&f);
    enum { LONG = 70000 };
    const nq_type types[] = {NQ_TYPE(NQ_TYPE_TEXT), NQ_TYPE(NQ_TYPE_BYTES)};
    const uint32_t columns[] = {0, 1};
    uint8_t *data = nq_arena_alloc(&f.arena, LONG);
    memset(data, 'y', LONG);
    nq_bytes first[] = {NQ_BYTES_LITERAL("short")}, second[] = {{data, LONG}};
    const nq_vector vectors[] = {{.type = types[0], .bytes = first},
                                 {.type = types[1], .bytes = second}};
    const nq_batch batch = {1, 2, vectors};
    nq_row_layout layout;
    nq_row_decoder decoder;
    nq_batch_builder out;
    nq_row_buffer row = {0};
    assert_int_equal(nq_row_layout_init(&f.ctx, &layout, &f.arena, types, 2, NULL, 0), NQ_OK);
    assert_int_equal(nq_row_encode(&f.ctx, &layout, &batch, 0, &row), NQ_OK);
    assert_int_equal(row.size, 2 + 8 + 5 + LONG);
    assert_int_equal(nq_row_decoder_init(&f.ctx, &decoder, &f.arena, &layout, columns, 2), NQ_OK);
    assert_int_equal(nq_batch_builder_init(&f.ctx, &out, &f.arena, &f.arena, types, 2, 1), NQ_OK);
    assert_int_equal(
        nq_row_decode(&f.ctx, &decoder, (nq_bytes){NULL, 0}, nq_bytes_of(row.data, row.size), &out),
        NQ_OK);
    assert_true(nq_bytes_equal(out.columns[0].bytes[0], first[0]));
    assert_true(nq_bytes_equal(out.columns[1].bytes[0], second[0]));
    nq_row_buffer_deinit(&row);
    fixture_deinit(&f);
}

static void a_row_beyond_the_limit_is_refused(void **state) {
    (void)state;
    fixture f;
    fixture_init(&f);
    const nq_type type = NQ_TYPE(NQ_TYPE_BYTES);
    uint8_t *data = nq_arena_calloc(&f.arena, NQ_ROW_BYTES_MAX, 1);
    nq_bytes cell = {data, NQ_ROW_BYTES_MAX};
    const nq_vector vector = {.type = type, .bytes = &cell};
    const nq_batch batch = {1, 1, &vector};
    nq_row_layout layout;
    nq_row_buffer row = {0};
    assert_int_equal(nq_row_layout_init(&f.ctx, &layout, &f.arena, &type, 1, NULL, 0), NQ_OK);
    assert_int_equal(nq_row_encode(&f.ctx, &layout, &batch, 0, &row), NQ_LIMIT_EXCEEDED);
    nq_row_buffer_deinit(&row);
    fixture_deinit(&f);
}

static void damaged_rows_are_corrupt_and_leave_the_batch_as_it_was(void **state) {
    (void)state;
    fixture f;
    fixture_init(&f);
    nq_rng rng = {22};
    uint64_t refused = 0;
    for (int round = 0; round < 3000; round++) {
        table t;
        uint32_t columns[COLUMN_COUNT_MAX];
        nq_row_decoder decoder;
        nq_batch_builder out;
        nq_row_buffer row = {0};
        nq_key_buffer key;
        nq_arena_reset(&f.arena);
        make_table(&f, &rng, &t);
        fill_rows(&f, &rng, &t);
        for (uint32_t i = 0; i < t.column_count; i++) {
            columns[i] = i;
        }
        nq_batch in = nq_batch_builder_batch(&t.rows);
        assert_int_equal(
            nq_row_decoder_init(&f.ctx, &decoder, &f.arena, &t.layout, columns, t.column_count),
            NQ_OK);
        assert_int_equal(nq_batch_builder_init(&f.ctx, &out, &f.arena, &f.arena, t.types,
                                               t.column_count, ROW_COUNT),
                         NQ_OK);
        assert_int_equal(nq_row_encode(&f.ctx, &t.layout, &in, 0, &row), NQ_OK);
        assert_int_equal(nq_row_encode_key(&f.ctx, &t.layout, &in, 0, &key), NQ_OK);
        size_t size = nq_rng_below(&rng, row.size + 1);
        if (size > 0 && nq_rng_below(&rng, 2) == 0) {
            row.data[nq_rng_below(&rng, size)] ^= (uint8_t)(1 + nq_rng_below(&rng, 255));
        }
        /* An exact copy on the heap, so that a read past it is caught. */
        uint8_t *exact = test_malloc(size + 1);
        memcpy(exact, row.data, size);
        nq_status status =
            nq_row_decode(&f.ctx, &decoder, nq_key_bytes(&key), nq_bytes_of(exact, size), &out);
        assert_true(status == NQ_OK || status == NQ_PAGE_CORRUPT);
        assert_int_equal(out.row_count, status == NQ_OK);
        refused += status != NQ_OK;
        test_free(exact);
        nq_row_buffer_deinit(&row);
        nq_arena_deinit(&t.bytes);
    }
    assert_true(refused > 500);
    fixture_deinit(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_columns_of_any_row_come_back),
        cmocka_unit_test(long_texts_widen_the_offsets),
        cmocka_unit_test(a_row_beyond_the_limit_is_refused),
        cmocka_unit_test(damaged_rows_are_corrupt_and_leave_the_batch_as_it_was),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
