/* Record: what is written is read at its own position and nowhere else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/storage/wal/record.h"

enum { SALT = 99, RUN = 3 };

static const nq_lsn here = {8192 + 48};

static nq_log_record put(void) {
    return (nq_log_record){.kind = NQ_RECORD_PUT,
                           .tree = 17,
                           .key = NQ_BYTES_LITERAL("a key"),
                           .value = NQ_BYTES_LITERAL("a value")};
}

static void assert_same(const nq_log_record *left, const nq_log_record *right) {
    assert_int_equal(left->kind, right->kind);
    assert_int_equal(left->tree, right->tree);
    assert_true(nq_bytes_equal(left->key, right->key));
    assert_true(nq_bytes_equal(left->value, right->value));
    assert_int_equal(left->generation, right->generation);
    assert_int_equal(left->time_us, right->time_us);
}

static void every_kind_survives(void **state) {
    (void)state;
    const nq_log_record records[] = {
        put(),
        {.kind = NQ_RECORD_REMOVE, .tree = 1, .key = NQ_BYTES_LITERAL("k")},
        {.kind = NQ_RECORD_TREE_CREATE, .tree = 18},
        {.kind = NQ_RECORD_TREE_DROP, .tree = 18},
        {.kind = NQ_RECORD_COMMIT,
         .generation = 1234567890123,
         .time_us = -5,
         .key = NQ_BYTES_LITERAL("request"),
         .value = NQ_BYTES_LITERAL("result")},
        {.kind = NQ_RECORD_COMMIT, .generation = 1},
        {.kind = NQ_RECORD_START},
    };
    for (size_t i = 0; i < sizeof records / sizeof records[0]; i++) {
        uint8_t bytes[256];
        nq_log_record read;
        size_t size;
        nq_record_encode(&records[i], here, nq_log_key_of(SALT, RUN), bytes);
        assert_true(nq_record_decode(nq_bytes_of(bytes, sizeof bytes), here,
                                     nq_log_key_of(SALT, RUN), &read, &size));
        assert_int_equal(size, nq_record_bytes(&records[i]));
        assert_same(&records[i], &read);
    }
}

static void a_record_is_valid_only_where_it_was_meant(void **state) {
    (void)state;
    uint8_t bytes[256];
    nq_log_record record = put();
    nq_log_record read;
    size_t size;
    nq_record_encode(&record, here, nq_log_key_of(SALT, RUN), bytes);
    nq_bytes all = nq_bytes_of(bytes, nq_record_bytes(&record));
    assert_false(
        nq_record_decode(all, (nq_lsn){here.value + 4096}, nq_log_key_of(SALT, RUN), &read, &size));
    assert_false(nq_record_decode(all, here, nq_log_key_of(SALT + 1, RUN), &read, &size));
    assert_false(nq_record_decode(all, here, nq_log_key_of(SALT, RUN + 1), &read, &size));
    for (size_t cut = 0; cut < all.size; cut++) {
        assert_false(nq_record_decode(nq_bytes_of(bytes, cut), here, nq_log_key_of(SALT, RUN),
                                      &read, &size));
    }
    for (size_t bit = 0; bit < all.size * 8; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        assert_false(nq_record_decode(all, here, nq_log_key_of(SALT, RUN), &read, &size));
        bytes[bit / 8] ^= (uint8_t)(1u << (bit % 8));
    }
}

static void a_group_is_valid_only_with_all_its_records(void **state) {
    (void)state;
    uint8_t payload[256];
    uint8_t header[NQ_LOG_GROUP_HEADER_BYTES];
    nq_log_record record = put();
    size_t one = nq_record_bytes(&record);
    nq_record_encode(&record, here, nq_log_key_of(SALT, RUN), payload);
    nq_record_encode(&record, (nq_lsn){here.value + one}, nq_log_key_of(SALT, RUN), payload + one);
    nq_log_group group = {.lsn = {8192},
                          .previous = {4096},
                          .run = RUN,
                          .payload_bytes = (uint32_t)(2 * one),
                          .record_count = 2,
                          .unsynced_bytes = 96};
    nq_log_group_encode(&group, SALT, header);
    nq_log_group read;
    assert_true(nq_log_group_decode(header, group.lsn, SALT, &read));
    assert_int_equal(read.previous.value, 4096);
    assert_int_equal(read.run, RUN);
    assert_int_equal(nq_log_group_durable(&read).value, 8192 - 96);
    assert_true(nq_log_group_is_valid(&read, nq_bytes_of(payload, 2 * one), SALT));
    assert_false(nq_log_group_is_valid(&read, nq_bytes_of(payload, 2 * one - 1), SALT));
    read.record_count = 1;
    assert_false(nq_log_group_is_valid(&read, nq_bytes_of(payload, 2 * one), SALT));
    read.record_count = 3;
    assert_false(nq_log_group_is_valid(&read, nq_bytes_of(payload, 2 * one), SALT));
    read.record_count = 2;
    payload[2 * one - 1] ^= 1;
    assert_false(nq_log_group_is_valid(&read, nq_bytes_of(payload, 2 * one), SALT));
    assert_false(nq_log_group_decode(header, (nq_lsn){8192 + 4096}, SALT, &read));
    for (size_t bit = 0; bit < sizeof header * 8; bit++) {
        header[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        assert_false(nq_log_group_decode(header, group.lsn, SALT, &read));
        header[bit / 8] ^= (uint8_t)(1u << (bit % 8));
    }
}

/* As the first format wrote it: one put of "a key" at position 8192. */
static const uint8_t version_1[] = {
    0x06, 0xcc, 0x3f, 0x8d, 0x4e, 0x51, 0x4c, 0x47, 0x01, 0x00, 0x00, 0x00, 0x1c, 0x00, 0x00, 0x00,
    0x00, 0x20, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x10, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x63, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x1c, 0xc9, 0xb0, 0x48, 0x1c, 0x00, 0x00, 0x00, 0x01, 0x00, 0x05, 0x00, 0x11, 0x00, 0x00, 0x00,
    0x61, 0x20, 0x6b, 0x65, 0x79, 0x61, 0x20, 0x76, 0x61, 0x6c, 0x75, 0x65,
};

static void a_group_of_the_first_format_is_read(void **state) {
    (void)state;
    nq_log_group group;
    nq_log_record expected = put();
    nq_log_record read;
    size_t size;
    nq_bytes payload = nq_bytes_of(version_1 + NQ_LOG_GROUP_HEADER_BYTES,
                                   sizeof version_1 - NQ_LOG_GROUP_HEADER_BYTES);
    assert_true(nq_log_group_decode(version_1, (nq_lsn){8192}, SALT, &group));
    assert_int_equal(group.previous.value, 4096);
    assert_int_equal(group.run, 0);
    assert_int_equal(nq_log_group_durable(&group).value, 8192);
    assert_true(nq_log_group_is_valid(&group, payload, SALT));
    assert_true(nq_record_decode(payload, here, nq_log_key_of(SALT, 0), &read, &size));
    assert_same(&expected, &read);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_survives),
        cmocka_unit_test(a_record_is_valid_only_where_it_was_meant),
        cmocka_unit_test(a_group_is_valid_only_with_all_its_records),
        cmocka_unit_test(a_group_of_the_first_format_is_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
