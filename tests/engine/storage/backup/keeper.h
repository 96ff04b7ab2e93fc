/* Keeper: a store on a simulated disk with an archive in a directory, for the tests of this room.
 */
#ifndef NQ_TESTS_STORAGE_BACKUP_KEEPER_H
#define NQ_TESTS_STORAGE_BACKUP_KEEPER_H

#include "engine/ground/os/sim_vfs.h"
#include "engine/storage/backup/archive_directory.h"
#include "engine/storage/store/store.h"

enum { KEEPER_SEGMENT_BYTES = 64 << 10, KEEPER_LANE_BLOCKS = 3 };

typedef struct keeper {
    nq_ctx ctx;
    nq_sim_vfs *disk;
    nq_vfs *vfs;
    nq_store_options options;
    nq_archive_directory *archive;
    nq_store *store;
} keeper;

void keeper_init(keeper *k, uint64_t seed);
/* Another on the disk that `of` has, or on a copy of it. */
void keeper_share(keeper *k, const keeper *of);
void keeper_deinit(keeper *k);

/* Opens the store of a directory; `archive` NULL: with none. */
nq_status keeper_open(keeper *k, const char *directory, const char *archive);
nq_status keeper_close(keeper *k);
/* The store's process ends without closing it, and the power with it. */
void keeper_crash(keeper *k);

/* Commits key `number` in the catalog's tree, durably, with a value of 2000 bytes that says it, and
 * archives what is full. */
nq_lsn keeper_put(keeper *k, uint32_t number);
void keeper_put_range(keeper *k, uint32_t from, uint32_t to);

/* How many of the keys are there, from 0 on and without a gap; fails the test if others are. */
uint32_t keeper_count(keeper *k);

/* The archived segment `number` of a directory. */
void keeper_segment_path(char path[128], const char *directory, uint64_t number);

#endif
