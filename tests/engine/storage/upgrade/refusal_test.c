/* Upgrade, refusing: what is damaged, foreign, newer, in use or in the way is left alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/ground/simd/crc32c.h"
#include "engine/storage/upgrade/legacy_file.h"
#include "tests/engine/storage/upgrade/old_store.h"

enum { VERSION_AT = 8, CRC_AT = 124 };

/* The upgrade fails, says this, and has changed nothing of `old`, which is what the disk holds. */
static void expect_refusal(const old_store *old, nq_status wanted, const char *words) {
    fixture f;
    set_up(&f, old);
    assert_int_equal(upgrade(&f), wanted);
    if (strstr(f.ctx.error.message, words) == NULL) {
        print_error("\"%s\" is not in \"%s\"\n", words, f.ctx.error.message);
        fail();
    }
    expect_untouched(&f, old);
    tear_down(&f);
}

static uint8_t *superblock_of(old_store *old, size_t copy) {
    return old->data.bytes + copy * NQ_PAGE_BYTES;
}

static void a_foreign_file_is_refused(void **state) {
    (void)state;
    old_store old = copy_of(&clean);
    for (size_t i = 0; i < NQ_LEGACY_SUPERBLOCK_COUNT; i++) {
        memcpy(superblock_of(&old, i), "SQLite format 3", 16);
    }
    expect_refusal(&old, NQ_FILE_FOREIGN, DATA_PATH ": is no data file");
    free_copy(&old);
}

static void a_newer_file_is_refused(void **state) {
    (void)state;
    old_store old = copy_of(&clean);
    size_t newest = 0;
    uint64_t sequence = 0;
    for (size_t i = 0; i < NQ_LEGACY_SUPERBLOCK_COUNT; i++) {
        nq_legacy_superblock superblock;
        uint32_t version;
        if (nq_legacy_superblock_decode(superblock_of(&old, i), &superblock, &version) ==
                NQ_LEGACY_VALID &&
            superblock.sequence > sequence) {
            sequence = superblock.sequence;
            newest = i;
        }
    }
    uint8_t *bytes = superblock_of(&old, newest);
    bytes[VERSION_AT] = 3;
    uint32_t crc = nq_crc32c(0, bytes, CRC_AT);
    memcpy(bytes + CRC_AT, &crc, sizeof crc);
    expect_refusal(&old, NQ_FILE_FOREIGN, "format version 3");
    free_copy(&old);
}

static void a_truncated_file_is_refused(void **state) {
    (void)state;
    old_store old = clean;
    old.data.size--;
    expect_refusal(&old, NQ_FILE_FOREIGN, DATA_PATH ": truncated at offset");
    old.data.size = 100;
    expect_refusal(&old, NQ_FILE_FOREIGN, DATA_PATH);
    old.data.size = 0;
    expect_refusal(&old, NQ_FILE_FOREIGN, DATA_PATH);
}

static void a_truncated_log_is_refused(void **state) {
    (void)state;
    old_store old = killed;
    old.log.size--;
    expect_refusal(&old, NQ_LOG_CORRUPT, LOG_PATH ": has 4194303 bytes, expected 4194304");
}

static void a_lost_log_is_refused(void **state) {
    (void)state;
    fixture f;
    set_up(&f, &clean);
    assert_int_equal(nq_vfs_unlink(&f.ctx, f.vfs, LOG_PATH), NQ_OK);
    assert_int_equal(upgrade(&f), NQ_LOG_CORRUPT);
    assert_non_null(strstr(f.ctx.error.message, LOG_PATH " is missing"));
    assert_true(has_content(&f, DATA_PATH, &clean.data));
    tear_down(&f);
}

static void a_log_broken_before_its_end_is_refused(void **state) {
    (void)state;
    old_store old = copy_of(&killed);
    fixture f;
    nq_legacy_file *file;
    set_up(&f, &killed);
    assert_int_equal(nq_legacy_file_open(&f.ctx, f.vfs, DATA_PATH, &file), NQ_OK);
    uint64_t start = nq_legacy_file_superblock(file)->lsn;
    nq_legacy_file_close(file);
    tear_down(&f);
    old.log.bytes[start + 100] ^= 1;
    expect_refusal(&old, NQ_LOG_CORRUPT, LOG_PATH);
    free_copy(&old);
}

/* One bit of any page: either it is not in use, or of an older checkpoint, and nothing changes; or
 * it is noticed before anything is written. */
static void no_damaged_page_is_copied(void **state) {
    (void)state;
    fixture f;
    set_up(&f, &clean);
    assert_int_equal(upgrade(&f), NQ_OK);
    uint32_t digest = digest_of_new(&f);
    tear_down(&f);
    size_t noticed = 0;
    size_t pages = clean.data.size / NQ_PAGE_BYTES;
    for (size_t page = 0; page < pages; page++) {
        old_store old = copy_of(&clean);
        old.data.bytes[page * NQ_PAGE_BYTES + (page * 977) % (page < 4 ? 128 : NQ_PAGE_BYTES)] ^=
            0x10;
        set_up(&f, &old);
        nq_status status = upgrade(&f);
        if (status == NQ_OK) {
            assert_int_equal(digest_of_new(&f), digest);
        } else {
            assert_true(status == NQ_PAGE_CORRUPT || status == NQ_FILE_FOREIGN);
            expect_untouched(&f, &old);
            noticed++;
        }
        tear_down(&f);
        free_copy(&old);
    }
    assert_true(noticed > pages / 2);
}

static void a_directory_in_use_is_refused(void **state) {
    (void)state;
    fixture f;
    nq_file *lock;
    set_up(&f, &clean);
    assert_int_equal(nq_vfs_lock_file(&f.ctx, f.vfs, "db/LOCK", &lock), NQ_OK);
    assert_int_equal(upgrade(&f), NQ_DATABASE_LOCKED);
    nq_file_close(lock);
    expect_untouched(&f, &clean);
    tear_down(&f);
}

static void a_directory_without_a_database_is_refused(void **state) {
    (void)state;
    fixture f;
    set_up(&f, &clean);
    assert_int_equal(nq_upgrade_run(&f.ctx, f.vfs, "nowhere", NULL, &f.result), NQ_IO_ERROR);
    assert_false(exists(&f, "nowhere"));
    tear_down(&f);
}

static void old_files_of_an_earlier_upgrade_are_not_replaced(void **state) {
    (void)state;
    fixture f;
    set_up(&f, &clean);
    assert_int_equal(nq_vfs_make_dir(&f.ctx, f.vfs, "db/format-1"), NQ_OK);
    write_file(&f, "db/format-1/data.nqdb", (const uint8_t *)"precious", 8);
    assert_int_equal(upgrade(&f), NQ_INVALID_ARGUMENT);
    const content precious = {(uint8_t *)"precious", 8};
    assert_true(has_content(&f, "db/format-1/data.nqdb", &precious));
    assert_true(has_content(&f, DATA_PATH, &clean.data));
    tear_down(&f);
}

static void a_full_disk_changes_nothing(void **state) {
    (void)state;
    fixture f;
    set_up(&f, &clean);
    nq_sim_vfs_set_capacity(f.disk, clean.data.size + clean.log.size + (1 << 20));
    assert_int_equal(upgrade(&f), NQ_DISK_FULL);
    expect_untouched(&f, &clean);
    nq_sim_vfs_set_capacity(f.disk, 0);
    assert_int_equal(upgrade(&f), NQ_OK);
    tear_down(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_foreign_file_is_refused),
        cmocka_unit_test(a_newer_file_is_refused),
        cmocka_unit_test(a_truncated_file_is_refused),
        cmocka_unit_test(a_truncated_log_is_refused),
        cmocka_unit_test(a_lost_log_is_refused),
        cmocka_unit_test(a_log_broken_before_its_end_is_refused),
        cmocka_unit_test(no_damaged_page_is_copied),
        cmocka_unit_test(a_directory_in_use_is_refused),
        cmocka_unit_test(a_directory_without_a_database_is_refused),
        cmocka_unit_test(old_files_of_an_earlier_upgrade_are_not_replaced),
        cmocka_unit_test(a_full_disk_changes_nothing),
    };
    return cmocka_run_group_tests(tests, load_fixtures, free_fixtures);
}
