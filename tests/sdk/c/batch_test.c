/* Batch: reading what types.proto promises, and refusing what breaks the promise. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "sdk/c/client_internal.h"

/* A batch of one column over buffers of the test's own. */
typedef struct fixture {
    Neuroquantum__V1__Column column;
    Neuroquantum__V1__Column *columns[1];
    Neuroquantum__V1__ColumnBatch message;
    nq_column meta;
    nq_row_batch batch;
} fixture;

#define BYTES(array) ((ProtobufCBinaryData){sizeof(array), (uint8_t *)(uintptr_t)(array)})

static void init(fixture *f, nq_data_type type, uint32_t rows) {
    neuroquantum__v1__column__init(&f->column);
    neuroquantum__v1__column_batch__init(&f->message);
    f->columns[0] = &f->column;
    f->message.n_columns = 1;
    f->message.columns = f->columns;
    f->message.row_count = rows;
    f->meta = (nq_column){.name = "c", .type = type};
    f->batch = (nq_row_batch){
        .row_count = rows, .column_count = 1, .columns = &f->meta, .message = &f->message};
}

static bool is_sound(const fixture *f) {
    nq_failure failure;
    return nq__row_batch_check(&f->batch, &failure) == NQ_CODE_OK;
}

static void integers_of_every_width_are_read(void **state) {
    (void)state;
    fixture f;
    static const int16_t narrow[] = {-1, 32767};
    static const int32_t middle[] = {-2, 3};
    static const int64_t wide[] = {INT64_MIN, 5};
    init(&f, NQ_DATA_INT16, 2);
    f.column.data = BYTES(narrow);
    assert_true(is_sound(&f));
    assert_int_equal(nq_row_batch_get(&f.batch, 0, 0).integer, -1);
    assert_int_equal(nq_row_batch_get(&f.batch, 0, 1).integer, 32767);
    init(&f, NQ_DATA_DATE, 2);
    f.column.data = BYTES(middle);
    assert_true(is_sound(&f));
    assert_int_equal(nq_row_batch_get(&f.batch, 0, 0).integer, -2);
    init(&f, NQ_DATA_TIMESTAMP, 2);
    f.column.data = BYTES(wide);
    assert_true(is_sound(&f));
    assert_true(nq_row_batch_get(&f.batch, 0, 0).integer == INT64_MIN);
}

static void nulls_and_truths_are_bits_from_the_lowest(void **state) {
    (void)state;
    fixture f;
    static const uint8_t bits[] = {0x05, 0x01};  /* rows 0, 2 and 8 */
    static const uint8_t valid[] = {0xfd, 0x01}; /* all but row 1 */
    init(&f, NQ_DATA_BOOL, 9);
    f.column.data = BYTES(bits);
    f.column.validity = BYTES(valid);
    f.column.null_count = 1;
    assert_true(is_sound(&f));
    assert_true(nq_row_batch_get(&f.batch, 0, 0).boolean);
    assert_true(nq_row_batch_get(&f.batch, 0, 1).is_null);
    assert_true(nq_row_batch_get(&f.batch, 0, 2).boolean);
    assert_false(nq_row_batch_get(&f.batch, 0, 3).boolean);
    assert_true(nq_row_batch_get(&f.batch, 0, 8).boolean);
}

static void texts_lie_between_their_offsets(void **state) {
    (void)state;
    fixture f;
    static const char data[] = {'a', 'b', 'c'};
    static const int32_t offsets[] = {0, 2, 2, 3};
    init(&f, NQ_DATA_TEXT, 3);
    f.column.data = BYTES(data);
    f.column.offsets = BYTES(offsets);
    assert_true(is_sound(&f));
    nq_datum first = nq_row_batch_get(&f.batch, 0, 0);
    assert_int_equal(first.text_bytes, 2);
    assert_memory_equal(first.text, "ab", 2);
    assert_int_equal(nq_row_batch_get(&f.batch, 0, 1).text_bytes, 0);
    assert_memory_equal(nq_row_batch_get(&f.batch, 0, 2).text, "c", 1);
}

static void buffers_that_are_too_short_are_refused(void **state) {
    (void)state;
    fixture f;
    static const int64_t one[] = {1};
    static const uint8_t one_byte[] = {0xff};
    init(&f, NQ_DATA_INT64, 2);
    f.column.data = BYTES(one);
    assert_false(is_sound(&f));
    init(&f, NQ_DATA_BOOL, 9);
    f.column.data = BYTES(one_byte);
    assert_false(is_sound(&f));
    init(&f, NQ_DATA_INT64, 1);
    f.column.data = BYTES(one);
    f.column.null_count = 1; /* but no bitmap */
    assert_false(is_sound(&f));
}

static void offsets_that_lead_astray_are_refused(void **state) {
    (void)state;
    fixture f;
    static const char data[] = {'a', 'b', 'c'};
    static const int32_t beyond[] = {0, 2, 4};
    static const int32_t backwards[] = {0, 3, 2};
    static const int32_t late[] = {1, 2, 3};
    static const int32_t negative[] = {0, -1, 3};
    static const int32_t *const wrong[] = {beyond, backwards, late, negative};
    for (size_t i = 0; i < 4; i++) {
        init(&f, NQ_DATA_TEXT, 2);
        f.column.data = BYTES(data);
        f.column.offsets = (ProtobufCBinaryData){12, (uint8_t *)(uintptr_t)wrong[i]};
        assert_false(is_sound(&f));
    }
    init(&f, NQ_DATA_TEXT, 3); /* one offset too few */
    f.column.data = BYTES(data);
    f.column.offsets = (ProtobufCBinaryData){12, (uint8_t *)(uintptr_t)beyond};
    assert_false(is_sound(&f));
}

static void what_was_not_asked_for_is_refused(void **state) {
    (void)state;
    fixture f;
    static const int64_t one[] = {1};
    init(&f, NQ_DATA_INT64, 1);
    f.column.data = BYTES(one);
    f.column.encoding = NEUROQUANTUM__V1__ENCODING__ENCODING_RUN_LENGTH;
    assert_false(is_sound(&f));
    f.column.encoding = NEUROQUANTUM__V1__ENCODING__ENCODING_PLAIN;
    assert_true(is_sound(&f));
    f.message.compression = NEUROQUANTUM__V1__COMPRESSION__COMPRESSION_ZSTD;
    assert_false(is_sound(&f));
    f.message.compression = NEUROQUANTUM__V1__COMPRESSION__COMPRESSION_NONE;
    f.message.n_columns = 0;
    assert_false(is_sound(&f));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integers_of_every_width_are_read),
        cmocka_unit_test(nulls_and_truths_are_bits_from_the_lowest),
        cmocka_unit_test(texts_lie_between_their_offsets),
        cmocka_unit_test(buffers_that_are_too_short_are_refused),
        cmocka_unit_test(offsets_that_lead_astray_are_refused),
        cmocka_unit_test(what_was_not_asked_for_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
