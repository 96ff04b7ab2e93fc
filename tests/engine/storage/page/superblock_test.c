/* Superblock: what is written is read, and everything else is told apart. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/ground/simd/crc32c.h"
#include "engine/storage/page/superblock.h"

static nq_superblock example(void) {
    return (nq_superblock){.sequence = 5,
                           .generation = 77,
                           .lsn = 4096 * 9,
                           .log_salt = 0x123456789abcdef0u,
                           .freelist_count = 3,
                           .directory = {8, 77},
                           .directory_entry_count = 4,
                           .directory_page_count = 1,
                           .freelist = {9, 77},
                           .page_count = 20,
                           .next_tree = 18,
                           .log_segment_bytes = 65536};
}

static void reseal(nq_page *page) {
    uint32_t crc = nq_crc32c(0, page, NQ_SUPERBLOCK_BYTES - 4);
    memcpy((uint8_t *)page + NQ_SUPERBLOCK_BYTES - 4, &crc, sizeof crc);
}

static void what_is_written_is_read(void **state) {
    (void)state;
    nq_page page;
    nq_superblock written = example();
    nq_superblock read;
    nq_superblock_encode(&written, &page);
    assert_int_equal(nq_superblock_decode((const uint8_t *)&page, &read), NQ_SUPERBLOCK_VALID);
    assert_int_equal(read.sequence, written.sequence);
    assert_int_equal(read.generation, written.generation);
    assert_int_equal(read.lsn, written.lsn);
    assert_true(read.log_salt == written.log_salt);
    assert_int_equal(read.freelist_count, written.freelist_count);
    assert_int_equal(read.directory.page, written.directory.page);
    assert_int_equal(read.directory_entry_count, written.directory_entry_count);
    assert_int_equal(read.freelist.stamp, written.freelist.stamp);
    assert_int_equal(read.page_count, written.page_count);
    assert_int_equal(read.next_tree, written.next_tree);
    assert_int_equal(read.log_segment_bytes, written.log_segment_bytes);
}

static void every_flipped_bit_is_noticed(void **state) {
    (void)state;
    nq_page page;
    nq_superblock written = example();
    nq_superblock read;
    nq_superblock_encode(&written, &page);
    for (unsigned bit = 0; bit < NQ_SUPERBLOCK_BYTES * 8; bit++) {
        ((uint8_t *)&page)[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        nq_superblock_verdict verdict = nq_superblock_decode((const uint8_t *)&page, &read);
        assert_int_equal(verdict, bit < 64 ? NQ_SUPERBLOCK_FOREIGN : NQ_SUPERBLOCK_DAMAGED);
        ((uint8_t *)&page)[bit / 8] ^= (uint8_t)(1u << (bit % 8));
    }
}

static void other_versions_and_page_sizes_are_told_apart(void **state) {
    (void)state;
    nq_page page;
    nq_superblock written = example();
    nq_superblock read;
    nq_superblock_encode(&written, &page);
    ((uint8_t *)&page)[8] = NQ_FORMAT_VERSION + 1;
    reseal(&page);
    assert_int_equal(nq_superblock_decode((const uint8_t *)&page, &read), NQ_SUPERBLOCK_VERSION);
    nq_superblock_encode(&written, &page);
    ((uint8_t *)&page)[13] = 0x40;
    reseal(&page);
    assert_int_equal(nq_superblock_decode((const uint8_t *)&page, &read), NQ_SUPERBLOCK_PAGE_SIZE);
    memset(&page, 0, sizeof page);
    assert_int_equal(nq_superblock_decode((const uint8_t *)&page, &read), NQ_SUPERBLOCK_FOREIGN);
}

static void references_outside_the_file_are_refused(void **state) {
    (void)state;
    nq_page page;
    nq_superblock written = example();
    nq_superblock read;
    written.directory.page = written.page_count;
    nq_superblock_encode(&written, &page);
    assert_int_equal(nq_superblock_decode((const uint8_t *)&page, &read), NQ_SUPERBLOCK_DAMAGED);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(every_flipped_bit_is_noticed),
        cmocka_unit_test(other_versions_and_page_sizes_are_told_apart),
        cmocka_unit_test(references_outside_the_file_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
