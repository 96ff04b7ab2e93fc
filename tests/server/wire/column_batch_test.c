/* Column batches: what is written reads back the same, by the generated code and by our reader;
 * what a stranger sends is refused when any length, offset or text is wrong. */
#include <neuroquantum/v1/types.pb-c.h>
#include <stdlib.h>
#include <string.h>

#include "engine/ground/base/rng.h"
#include "server/wire/column_batch_internal.h"
#include "tests/server/wire/wire_fixture.h"

enum { COLUMNS = 12, ARENA_BYTES = 64 << 20, FIELD = 4 };

static const nq_type_id column_types[COLUMNS] = {
    NQ_TYPE_BOOL, NQ_TYPE_INT16, NQ_TYPE_INT32, NQ_TYPE_INT64,     NQ_TYPE_FLOAT32, NQ_TYPE_FLOAT64,
    NQ_TYPE_TEXT, NQ_TYPE_BYTES, NQ_TYPE_DATE,  NQ_TYPE_TIMESTAMP, NQ_TYPE_TIME,    NQ_TYPE_UUID,
};

static const char *const words[] = {"", "a", "Grüße", "世界",
                                    "a longer text, of more than sixteen bytes"};

/* Random rows of every type, some of them null, in the arena. */
static nq_batch make_batch(nq_arena *arena, nq_rng *rng, uint32_t row_count, bool with_nulls) {
    nq_vector *columns = nq_arena_calloc(arena, COLUMNS, sizeof *columns);
    for (uint32_t c = 0; c < COLUMNS; c++) {
        nq_form form = nq_type_form(column_types[c]);
        uint8_t *values = nq_arena_calloc(arena, row_count + 1, nq_form_bytes(form));
        uint8_t *nulls = nq_arena_calloc(arena, row_count + 1, 1);
        for (uint32_t r = 0; r < row_count; r++) {
            nulls[r] = with_nulls && nq_rng_below(rng, 5) == 0;
            uint64_t bits = nulls[r] ? 0 : nq_rng_next(rng);
            switch (form) {
            case NQ_FORM_BOOL:
                values[r] = bits & 1;
                break;
            case NQ_FORM_FLOAT64:
                ((double *)values)[r] = (double)(float)((double)(int64_t)bits / 1e6);
                break;
            case NQ_FORM_INT64:
                ((int64_t *)values)[r] =
                    column_types[c] == NQ_TYPE_INT16 ? (int16_t)bits
                    : column_types[c] == NQ_TYPE_INT32 || column_types[c] == NQ_TYPE_DATE
                        ? (int32_t)bits
                    : column_types[c] == NQ_TYPE_TIME ? (int64_t)(bits % 86400000001)
                                                      : (int64_t)bits;
                break;
            case NQ_FORM_BYTES:
                if (nulls[r]) {
                    break;
                }
                if (column_types[c] == NQ_TYPE_UUID) {
                    uint64_t *id = nq_arena_calloc(arena, 2, 8);
                    id[0] = bits;
                    id[1] = nq_rng_next(rng);
                    ((nq_bytes *)values)[r] = nq_bytes_of(id, 16);
                } else {
                    ((nq_bytes *)values)[r] = nq_bytes_of_cstr(words[bits % 5]);
                }
                break;
            }
        }
        columns[c] = (nq_vector){
            .type = NQ_TYPE(column_types[c]), .nulls = with_nulls ? nulls : NULL, .values = values};
    }
    return (nq_batch){.row_count = row_count, .column_count = COLUMNS, .columns = columns};
}

static void assert_same_value(nq_value want, nq_value have) {
    assert_int_equal(want.is_null, have.is_null);
    if (want.is_null) {
        return;
    }
    switch (nq_type_form(want.type)) {
    case NQ_FORM_BOOL:
        assert_int_equal(want.boolean, have.boolean);
        return;
    case NQ_FORM_INT64:
        assert_int_equal(want.integer, have.integer);
        return;
    case NQ_FORM_FLOAT64:
        assert_memory_equal(&want.number, &have.number, sizeof want.number);
        return;
    case NQ_FORM_BYTES:
        assert_true(nq_bytes_equal(want.bytes, have.bytes));
        return;
    }
}

/* Row `row` of a column as the generated code sees it. */
static nq_value unpacked_value(const Neuroquantum__V1__Column *column, nq_type_id type,
                               uint32_t row) {
    nq_value value = {.type = type};
    const uint8_t *data = column->data.data;
    int16_t i16;
    int32_t i32, offsets[2];
    float f32;
    if (column->validity.len > 0 && !(column->validity.data[row / 8] >> (row % 8) & 1)) {
        return NQ_VALUE_NULL(type);
    }
    switch (type) {
    case NQ_TYPE_BOOL:
        value.boolean = data[row / 8] >> (row % 8) & 1;
        break;
    case NQ_TYPE_INT16:
        memcpy(&i16, data + row * 2, 2);
        value.integer = i16;
        break;
    case NQ_TYPE_INT32:
    case NQ_TYPE_DATE:
        memcpy(&i32, data + row * 4, 4);
        value.integer = i32;
        break;
    case NQ_TYPE_FLOAT32:
        memcpy(&f32, data + row * 4, 4);
        value.number = f32;
        break;
    case NQ_TYPE_UUID:
        value.bytes = nq_bytes_of(data + row * 16, 16);
        break;
    case NQ_TYPE_TEXT:
    case NQ_TYPE_BYTES:
        memcpy(offsets, column->offsets.data + row * 4, 8);
        value.bytes = nq_bytes_of(data + offsets[0], (size_t)(offsets[1] - offsets[0]));
        break;
    default:
        memcpy(&value.integer, data + row * 8, 8);
        break;
    }
    return value;
}

static void assert_unpacks_to(const Neuroquantum__V1__ColumnBatch *have, const nq_batch *want,
                              uint32_t first_row) {
    assert_int_equal(have->n_columns, want->column_count);
    assert_int_equal(have->compression, NEUROQUANTUM__V1__COMPRESSION__COMPRESSION_NONE);
    for (uint32_t c = 0; c < want->column_count; c++) {
        const Neuroquantum__V1__Column *column = have->columns[c];
        assert_int_equal(column->encoding, NEUROQUANTUM__V1__ENCODING__ENCODING_PLAIN);
        assert_int_equal(column->dictionary.len, 0);
        for (uint32_t r = 0; r < want->row_count; r++) {
            assert_same_value(nq_batch_value(want, c, r),
                              unpacked_value(column, column_types[c], first_row + r));
        }
    }
}

/* The body of field FIELD, which is all the writer holds. */
static nq_bytes written_body(nq_writer *writer) {
    assert_int_equal(writer->status, NQ_OK);
    const uint8_t *at = writer->start + 1;
    while (*at >= 0x80) {
        at++;
    }
    at++;
    return nq_bytes_of(at, (size_t)(writer->at - at));
}

static void every_batch_unpacks_to_the_same_values(void **state) {
    (void)state;
    static const uint32_t sizes[] = {0, 1, 7, 8, 9, 63, 64, 65, 1000, 1024};
    nq_rng rng = {1};
    for (size_t i = 0; i < 2 * sizeof sizes / sizeof sizes[0]; i++) {
        wire_fixture fixture;
        nq_writer writer;
        wire_fixture_init(&fixture, ARENA_BYTES);
        nq_batch batch = make_batch(&fixture.arena, &rng, sizes[i / 2], i % 2 == 1);
        nq_writer_init(&writer, 16, 4 << 20);
        size_t bound = nq_column_batch_bytes_max(&batch);
        nq_column_batch_write(&writer, FIELD, &batch);
        assert_true(nq_writer_size(&writer) <= bound);
        nq_bytes body = written_body(&writer);
        Neuroquantum__V1__ColumnBatch *have =
            neuroquantum__v1__column_batch__unpack(NULL, body.size, body.data);
        assert_non_null(have);
        assert_int_equal(have->row_count, batch.row_count);
        assert_unpacks_to(have, &batch, 0);
        wire_free(have);
        nq_writer_deinit(&writer);
        wire_fixture_deinit(&fixture);
    }
}

static void a_column_without_nulls_has_no_bitmap_even_when_it_might_have_had_some(void **state) {
    (void)state;
    wire_fixture fixture;
    nq_writer writer;
    wire_fixture_init(&fixture, ARENA_BYTES);
    static const uint8_t nulls[3] = {0};
    static const int64_t values[3] = {1, 2, 3};
    nq_vector column = {.type = NQ_TYPE(NQ_TYPE_INT64), .nulls = nulls, .integers = values};
    nq_batch batch = {.row_count = 3, .column_count = 1, .columns = &column};
    nq_writer_init(&writer, 16, 1 << 20);
    nq_column_batch_write(&writer, FIELD, &batch);
    nq_bytes body = written_body(&writer);
    Neuroquantum__V1__ColumnBatch *have =
        neuroquantum__v1__column_batch__unpack(NULL, body.size, body.data);
    assert_int_equal(have->columns[0]->validity.len, 0);
    assert_int_equal(have->columns[0]->null_count, 0);
    assert_int_equal(have->columns[0]->data.len, 24);
    wire_free(have);
    nq_writer_deinit(&writer);
    wire_fixture_deinit(&fixture);
}

static void many_batches_collect_into_one(void **state) {
    (void)state;
    static const uint32_t sizes[] = {5, 1024, 1, 13, 64};
    wire_fixture fixture;
    nq_writer writer;
    nq_rng rng = {2};
    nq_batch batches[5];
    nq_column_info columns[COLUMNS];
    nq_column_collector *collector = NULL;
    wire_fixture_init(&fixture, ARENA_BYTES);
    for (uint32_t c = 0; c < COLUMNS; c++) {
        columns[c] = (nq_column_info){.type = NQ_TYPE(column_types[c])};
    }
    assert_int_equal(
        nq_column_collector_create(&fixture.ctx, columns, COLUMNS, 4 << 20, &collector), NQ_OK);
    for (uint32_t i = 0; i < 5; i++) {
        batches[i] = make_batch(&fixture.arena, &rng, sizes[i], i != 1);
        assert_int_equal(nq_column_collector_append(&fixture.ctx, collector, &batches[i]), NQ_OK);
    }
    nq_writer_init(&writer, 16, 4 << 20);
    nq_column_collector_write(collector, &writer, FIELD);
    nq_bytes body = written_body(&writer);
    Neuroquantum__V1__ColumnBatch *have =
        neuroquantum__v1__column_batch__unpack(NULL, body.size, body.data);
    assert_non_null(have);
    uint32_t first = 0;
    for (uint32_t i = 0; i < 5; i++) {
        assert_unpacks_to(have, &batches[i], first);
        first += sizes[i];
    }
    assert_int_equal(have->row_count, first);
    wire_free(have);
    nq_writer_deinit(&writer);
    wire_fixture_deinit(&fixture);
}

static void collecting_more_than_a_response_holds_is_refused(void **state) {
    (void)state;
    wire_fixture fixture;
    nq_rng rng = {3};
    nq_column_collector *collector = NULL;
    nq_column_info columns[COLUMNS] = {0};
    wire_fixture_init(&fixture, ARENA_BYTES);
    nq_batch batch = make_batch(&fixture.arena, &rng, 1024, false);
    assert_int_equal(
        nq_column_collector_create(&fixture.ctx, columns, COLUMNS, 256 << 10, &collector), NQ_OK);
    nq_status status = NQ_OK;
    for (uint32_t i = 0; i < 100 && status == NQ_OK; i++) {
        status = nq_column_collector_append(&fixture.ctx, collector, &batch);
    }
    assert_int_equal(status, NQ_RESULT_TOO_LARGE);
    assert_true(fixture.ctx.error.hint[0] != '\0');
    wire_fixture_deinit(&fixture);
}

static void the_reader_gives_back_what_the_writer_wrote(void **state) {
    (void)state;
    nq_rng rng = {4};
    nq_type types[COLUMNS];
    for (uint32_t c = 0; c < COLUMNS; c++) {
        types[c] = NQ_TYPE(column_types[c]);
    }
    for (uint32_t round = 0; round < 60; round++) {
        wire_fixture fixture;
        nq_writer writer;
        nq_batch_list have;
        wire_fixture_init(&fixture, ARENA_BYTES);
        uint32_t row_count = (uint32_t)nq_rng_below(&rng, 3000);
        nq_batch batch = make_batch(&fixture.arena, &rng, row_count, round % 2 == 1);
        nq_writer_init(&writer, 16, 4 << 20);
        nq_column_batch_write(&writer, FIELD, &batch);
        assert_int_equal(
            nq_column_batch_read(&fixture.ctx, written_body(&writer), types, COLUMNS, &have),
            NQ_OK);
        assert_int_equal(have.row_count, row_count);
        uint32_t row = 0;
        for (uint32_t b = 0; b < have.batch_count; b++) {
            assert_true(have.batches[b].row_count <= NQ_BATCH_ROWS_MAX);
            for (uint32_t r = 0; r < have.batches[b].row_count; r++, row++) {
                for (uint32_t c = 0; c < COLUMNS; c++) {
                    assert_same_value(nq_batch_value(&batch, c, row),
                                      nq_batch_value(&have.batches[b], c, r));
                }
            }
        }
        assert_int_equal(row, row_count);
        nq_writer_deinit(&writer);
        wire_fixture_deinit(&fixture);
    }
}

/* ---- Strangers ---- */

typedef struct hostile_case {
    const char *name;
    nq_type_id type;
    uint32_t row_count;
    uint32_t null_count;
    const char *validity;
    size_t validity_bytes;
    const char *data;
    size_t data_bytes;
    const char *offsets;
    size_t offsets_bytes;
    int encoding;
    nq_status want;
} hostile_case;

static nq_bytes pack_case(wire_fixture *fixture, const hostile_case *c) {
    Neuroquantum__V1__ColumnBatch batch = NEUROQUANTUM__V1__COLUMN_BATCH__INIT;
    Neuroquantum__V1__Column column = NEUROQUANTUM__V1__COLUMN__INIT;
    Neuroquantum__V1__Column *columns[] = {&column};
    batch.row_count = c->row_count;
    batch.n_columns = 1;
    batch.columns = columns;
    column.encoding = (Neuroquantum__V1__Encoding)c->encoding;
    column.null_count = c->null_count;
    column.validity = (ProtobufCBinaryData){c->validity_bytes, (uint8_t *)c->validity};
    column.data = (ProtobufCBinaryData){c->data_bytes, (uint8_t *)c->data};
    column.offsets = (ProtobufCBinaryData){c->offsets_bytes, (uint8_t *)c->offsets};
    return PACKED(fixture, &batch);
}

static void every_lie_about_a_column_is_refused(void **state) {
    (void)state;
    static const hostile_case cases[] = {
        {"honest", NQ_TYPE_INT16, 2, 0, "", 0, "\1\0\2\0", 4, "", 0, 1, NQ_OK},
        {"encoding unspecified", NQ_TYPE_INT16, 2, 0, "", 0, "\1\0\2\0", 4, "", 0, 0, NQ_OK},
        {"data too short", NQ_TYPE_INT16, 2, 0, "", 0, "\1\0\2", 3, "", 0, 1, NQ_INVALID_REQUEST},
        {"data too long", NQ_TYPE_INT16, 1, 0, "", 0, "\1\0\2\0", 4, "", 0, 1, NQ_INVALID_REQUEST},
        {"rows without data", NQ_TYPE_INT64, 2000000000, 0, "", 0, "", 0, "", 0, 1,
         NQ_INVALID_REQUEST},
        {"nulls without bitmap", NQ_TYPE_INT16, 1, 1, "", 0, "\1\0", 2, "", 0, 1,
         NQ_INVALID_REQUEST},
        {"bitmap too long", NQ_TYPE_INT16, 1, 1, "\0\0", 2, "\1\0", 2, "", 0, 1,
         NQ_INVALID_REQUEST},
        {"wrong null count", NQ_TYPE_INT16, 1, 1, "\1", 1, "\1\0", 2, "", 0, 1, NQ_INVALID_REQUEST},
        {"right null count", NQ_TYPE_INT16, 1, 1, "\0", 1, "\1\0", 2, "", 0, 1, NQ_OK},
        {"offsets for a number", NQ_TYPE_INT16, 1, 0, "", 0, "\1\0", 2, "\0\0\0\0", 4, 1,
         NQ_INVALID_REQUEST},
        {"text", NQ_TYPE_TEXT, 2, 0, "", 0, "abc", 3, "\0\0\0\0\1\0\0\0\3\0\0\0", 12, 1, NQ_OK},
        {"text without offsets", NQ_TYPE_TEXT, 2, 0, "", 0, "abc", 3, "", 0, 1, NQ_INVALID_REQUEST},
        {"first offset not 0", NQ_TYPE_TEXT, 1, 0, "", 0, "abc", 3, "\1\0\0\0\3\0\0\0", 8, 1,
         NQ_INVALID_REQUEST},
        {"offset past the data", NQ_TYPE_TEXT, 1, 0, "", 0, "abc", 3, "\0\0\0\0\4\0\0\0", 8, 1,
         NQ_INVALID_REQUEST},
        {"negative offset", NQ_TYPE_TEXT, 1, 0, "", 0, "abc", 3, "\0\0\0\0\377\377\377\377", 8, 1,
         NQ_INVALID_REQUEST},
        {"falling offsets", NQ_TYPE_TEXT, 2, 0, "", 0, "abc", 3, "\0\0\0\0\3\0\0\0\1\0\0\0", 12, 1,
         NQ_INVALID_REQUEST},
        {"data past the last offset", NQ_TYPE_TEXT, 1, 0, "", 0, "abc", 3, "\0\0\0\0\2\0\0\0", 8, 1,
         NQ_INVALID_REQUEST},
        {"invalid UTF-8", NQ_TYPE_TEXT, 1, 0, "", 0, "a\377c", 3, "\0\0\0\0\3\0\0\0", 8, 1,
         NQ_INVALID_UTF8},
        {"NUL in text", NQ_TYPE_TEXT, 1, 0, "", 0, "a\0c", 3, "\0\0\0\0\3\0\0\0", 8, 1,
         NQ_INVALID_UTF8},
        {"a character cut in two", NQ_TYPE_TEXT, 2, 0, "", 0, "\303\274", 2,
         "\0\0\0\0\1\0\0\0\2\0\0\0", 12, 1, NQ_INVALID_UTF8},
        {"any bytes are BYTES", NQ_TYPE_BYTES, 2, 0, "", 0, "\303\0", 2, "\0\0\0\0\1\0\0\0\2\0\0\0",
         12, 1, NQ_OK},
        {"a time past midnight", NQ_TYPE_TIME, 1, 0, "", 0, "\377\377\377\377\377\0\0\0", 8, "", 0,
         1, NQ_INVALID_REQUEST},
        {"a dictionary", NQ_TYPE_INT16, 1, 0, "", 0, "\1\0", 2, "", 0, 3, NQ_FEATURE_UNSUPPORTED},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        wire_fixture fixture;
        nq_batch_list have;
        nq_type type = NQ_TYPE(cases[i].type);
        wire_fixture_init(&fixture, ARENA_BYTES);
        nq_status status =
            nq_column_batch_read(&fixture.ctx, pack_case(&fixture, &cases[i]), &type, 1, &have);
        if (status != cases[i].want) {
            print_error("%s: %s\n", cases[i].name, nq_status_name(status));
        }
        assert_int_equal(status, cases[i].want);
        wire_fixture_deinit(&fixture);
    }
}

static void the_number_of_columns_must_be_the_one_expected(void **state) {
    (void)state;
    wire_fixture fixture;
    nq_batch_list have;
    nq_type types[2] = {NQ_TYPE(NQ_TYPE_INT16), NQ_TYPE(NQ_TYPE_INT16)};
    hostile_case one = {"", NQ_TYPE_INT16, 1, 0, "", 0, "\1\0", 2, "", 0, 1, NQ_OK};
    wire_fixture_init(&fixture, ARENA_BYTES);
    nq_bytes message = pack_case(&fixture, &one);
    assert_int_equal(nq_column_batch_read(&fixture.ctx, message, types, 2, &have),
                     NQ_INVALID_REQUEST);
    assert_int_equal(nq_column_batch_read(&fixture.ctx, message, types, 0, &have),
                     NQ_INVALID_REQUEST);
    wire_fixture_deinit(&fixture);
}

static void no_flipped_byte_makes_the_reader_stumble(void **state) {
    (void)state;
    wire_fixture fixture;
    nq_writer writer;
    nq_rng rng = {5};
    nq_type types[COLUMNS];
    uint32_t refused = 0;
    wire_fixture_init(&fixture, ARENA_BYTES);
    for (uint32_t c = 0; c < COLUMNS; c++) {
        types[c] = NQ_TYPE(column_types[c]);
    }
    nq_batch batch = make_batch(&fixture.arena, &rng, 70, true);
    nq_writer_init(&writer, 16, 4 << 20);
    nq_column_batch_write(&writer, FIELD, &batch);
    nq_bytes body = written_body(&writer);
    for (uint32_t round = 0; round < 20000; round++) {
        nq_arena_mark mark = nq_arena_get_mark(&fixture.arena);
        uint8_t *copy = malloc(body.size); /* its end is the heap's: asan sees a byte too far */
        nq_batch_list have;
        memcpy(copy, body.data, body.size);
        for (uint32_t flips = 0; flips <= round % 3; flips++) {
            copy[nq_rng_below(&rng, body.size)] ^= (uint8_t)(1 + nq_rng_below(&rng, 255));
        }
        refused += nq_column_batch_read(&fixture.ctx, nq_bytes_of(copy, body.size), types, COLUMNS,
                                        &have) != NQ_OK;
        free(copy);
        nq_arena_reset_to(&fixture.arena, mark);
    }
    assert_true(refused > 100);
    nq_writer_deinit(&writer);
    wire_fixture_deinit(&fixture);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_batch_unpacks_to_the_same_values),
        cmocka_unit_test(a_column_without_nulls_has_no_bitmap_even_when_it_might_have_had_some),
        cmocka_unit_test(many_batches_collect_into_one),
        cmocka_unit_test(collecting_more_than_a_response_holds_is_refused),
        cmocka_unit_test(the_reader_gives_back_what_the_writer_wrote),
        cmocka_unit_test(every_lie_about_a_column_is_refused),
        cmocka_unit_test(the_number_of_columns_must_be_the_one_expected),
        cmocka_unit_test(no_flipped_byte_makes_the_reader_stumble),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
