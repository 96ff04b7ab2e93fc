/* Old store: what a server of format 1 left behind, on a simulated disk, and what is asked of it.
 * Functions fail the cmocka test that calls them. */
#ifndef NQ_TESTS_STORAGE_UPGRADE_OLD_STORE_H
#define NQ_TESTS_STORAGE_UPGRADE_OLD_STORE_H

#include "engine/ground/os/sim_vfs.h"
#include "engine/storage/store/store.h"
#include "engine/storage/upgrade/upgrade.h"

#define DATA_PATH "db/data.nqdb"
#define LOG_PATH  "db/log/0000000000000000.log"

enum { LANE_BLOCKS = 3 };

typedef struct content {
    uint8_t *bytes;
    size_t size;
} content;

typedef struct old_store {
    content data;
    content log;
} old_store;

typedef struct fixture {
    nq_ctx ctx;
    nq_sim_vfs *disk;
    nq_vfs *vfs;
    nq_upgrade_result result;
} fixture;

extern const nq_upgrade_options small_options;
extern old_store clean; /* its server was stopped */
extern old_store killed;

/* Of a group of tests: the two, from the repository's files. */
int load_fixtures(void **state);
int free_fixtures(void **state);

/* Its bytes are the caller's, until free_copy. */
old_store copy_of(const old_store *old);
void free_copy(old_store *copy);

/* A disk with an old store on it. */
void set_up(fixture *f, const old_store *old);
void tear_down(fixture *f);

void write_file(fixture *f, const char *path, const uint8_t *bytes, size_t size);
bool exists(fixture *f, const char *path);
bool has_content(fixture *f, const char *path, const content *wanted);
void expect_untouched(fixture *f, const old_store *old);

/* With the small options, into the fixture's result. */
nq_status upgrade(fixture *f);
nq_status open_store(fixture *f, nq_store **out_store);

/* What a store holds, as one number. */
uint32_t digest_of_new(fixture *f);
uint32_t digest_of_old(fixture *f);

#endif
