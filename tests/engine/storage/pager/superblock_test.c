/* Superblock: what is written is read, and everything else is told apart. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/ground/simd/crc32c.h"
#include "engine/storage/pager/superblock.h"

/* Where what stands: docs/format/superblock.md. */
enum { VERSION_AT = 8, PAGE_BYTES_AT = 12, MAP_ROOTS_CRC_AT = 104, CRC_AT = 124 };

static nq_superblock example(void) {
    return (nq_superblock){
        .root = {.generation = 77,
                 .lsn = 4096 * 9,
                 .log_salt = 0x123456789abcdef0u,
                 .directory = {8, 77},
                 .directory_entry_count = 4,
                 .directory_page_count = 1,
                 .directory_level = 2,
                 .page_count = NQ_MAP_ROOT_PAGES + 20,
                 .next_tree = 18,
                 .log_segment_bytes = 65536},
        .sequence = 5,
        .segment_sequence = 1234,
        .layout = {7},
        .segment_count = 9,
        .map_roots = {nq_place_of(3, 640, 500, NQ_IMAGE_LZ4, 99, 5),
                      nq_place_of(8, 0, NQ_PAGE_BYTES, NQ_IMAGE_RAW, 98, 4)},
    };
}

static void reseal(uint8_t *bytes) {
    uint32_t crc = nq_crc32c(0, bytes, CRC_AT);
    memcpy(bytes + CRC_AT, &crc, sizeof crc);
}

static void what_is_written_is_read(void **state) {
    (void)state;
    uint8_t bytes[NQ_SUPERBLOCK_BYTES];
    nq_superblock written = example();
    nq_superblock read;
    nq_superblock_encode(&written, bytes);
    assert_int_equal(nq_superblock_decode(bytes, &read), NQ_SUPERBLOCK_VALID);
    assert_memory_equal(&read.map_roots, &written.map_roots, sizeof written.map_roots);
    assert_int_equal(read.sequence, written.sequence);
    assert_int_equal(read.segment_sequence, written.segment_sequence);
    assert_int_equal(read.layout.lane_blocks, written.layout.lane_blocks);
    assert_int_equal(read.segment_count, written.segment_count);
    assert_int_equal(read.root.generation, written.root.generation);
    assert_int_equal(read.root.lsn, written.root.lsn);
    assert_true(read.root.log_salt == written.root.log_salt);
    assert_int_equal(read.root.directory.page, written.root.directory.page);
    assert_int_equal(read.root.directory.stamp, written.root.directory.stamp);
    assert_int_equal(read.root.directory_entry_count, written.root.directory_entry_count);
    assert_int_equal(read.root.directory_page_count, written.root.directory_page_count);
    assert_int_equal(read.root.directory_level, written.root.directory_level);
    assert_int_equal(read.root.page_count, written.root.page_count);
    assert_int_equal(read.root.next_tree, written.root.next_tree);
    assert_int_equal(read.root.log_segment_bytes, written.root.log_segment_bytes);
}

static void every_flipped_bit_that_counts_is_noticed(void **state) {
    (void)state;
    uint8_t bytes[NQ_SUPERBLOCK_BYTES];
    nq_superblock written = example();
    nq_superblock read;
    nq_superblock_encode(&written, bytes);
    unsigned used_bits = (NQ_SUPERBLOCK_HEAD_BYTES + 2 * sizeof(nq_place)) * 8;
    for (unsigned bit = 0; bit < used_bits; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        nq_superblock_verdict verdict = nq_superblock_decode(bytes, &read);
        assert_int_equal(verdict, bit < 64 ? NQ_SUPERBLOCK_FOREIGN : NQ_SUPERBLOCK_DAMAGED);
        bytes[bit / 8] ^= (uint8_t)(1u << (bit % 8));
    }
}

static void other_versions_and_page_sizes_are_told_apart(void **state) {
    (void)state;
    uint8_t bytes[NQ_SUPERBLOCK_BYTES];
    nq_superblock written = example();
    nq_superblock read;
    nq_superblock_encode(&written, bytes);
    bytes[VERSION_AT] = NQ_FORMAT_VERSION + 1;
    reseal(bytes);
    assert_int_equal(nq_superblock_decode(bytes, &read), NQ_SUPERBLOCK_VERSION);
    nq_superblock_encode(&written, bytes);
    bytes[PAGE_BYTES_AT + 1] = 0x40;
    reseal(bytes);
    assert_int_equal(nq_superblock_decode(bytes, &read), NQ_SUPERBLOCK_PAGE_SIZE);
    memset(bytes, 0, sizeof bytes);
    assert_int_equal(nq_superblock_decode(bytes, &read), NQ_SUPERBLOCK_FOREIGN);
}

static void what_leads_outside_the_file_is_refused(void **state) {
    (void)state;
    uint8_t bytes[NQ_SUPERBLOCK_BYTES];
    nq_superblock written = example();
    nq_superblock read;
    written.root.directory.page = written.root.page_count;
    nq_superblock_encode(&written, bytes);
    assert_int_equal(nq_superblock_decode(bytes, &read), NQ_SUPERBLOCK_DAMAGED);
    written = example();
    written.segment_count = 8;
    nq_superblock_encode(&written, bytes);
    assert_int_equal(nq_superblock_decode(bytes, &read), NQ_SUPERBLOCK_DAMAGED);
    written = example();
    written.layout.lane_blocks = NQ_SEGMENT_LANE_BLOCKS_MAX + 1;
    nq_superblock_encode(&written, bytes);
    assert_int_equal(nq_superblock_decode(bytes, &read), NQ_SUPERBLOCK_DAMAGED);
}

static void the_copies_of_two_checkpoints_stand_apart(void **state) {
    (void)state;
    nq_segment_layout layout = {NQ_SEGMENT_LANE_BLOCKS_MAX};
    bool is_met[NQ_SUPERBLOCK_COPIES] = {false};
    for (uint64_t sequence = 1; sequence <= 2; sequence++) {
        for (uint32_t turn = 0; turn < NQ_SUPERBLOCK_PAIR; turn++) {
            uint32_t copy = nq_superblock_copy(sequence, turn);
            assert_true(copy < NQ_SUPERBLOCK_COPIES && !is_met[copy]);
            is_met[copy] = true;
            assert_int_equal(nq_superblock_offset(layout, copy), copy << 20);
        }
    }
    assert_int_equal(nq_superblock_copy(1, 0), 0); /* where every program looks first */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(every_flipped_bit_that_counts_is_noticed),
        cmocka_unit_test(other_versions_and_page_sizes_are_told_apart),
        cmocka_unit_test(what_leads_outside_the_file_is_refused),
        cmocka_unit_test(the_copies_of_two_checkpoints_stand_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
