/* Upgrade, inside: copying (copy.c, replay.c), comparing (compare.c) and the swap (swap.c), for
 * upgrade.c. */
#ifndef NQ_STORAGE_UPGRADE_UPGRADE_INTERNAL_H
#define NQ_STORAGE_UPGRADE_UPGRADE_INTERNAL_H

#include "engine/storage/store/store.h"
#include "engine/storage/upgrade/legacy_cursor.h"
#include "engine/storage/upgrade/legacy_log.h"
#include "engine/storage/upgrade/upgrade.h"

enum { NQ__UPGRADE_PATH_BYTES = 1024, NQ__UPGRADE_DIRECTORY_BYTES = 900 };

/* Tree ids, ascending, each once. */
typedef struct nq__tree_ids {
    uint32_t *items;
    size_t count;
    size_t capacity;
} nq__tree_ids;

nq_status nq__tree_ids_add(nq_ctx *ctx, nq__tree_ids *ids, uint32_t id);
void nq__tree_ids_sort(nq__tree_ids *ids);
void nq__tree_ids_deinit(nq__tree_ids *ids);

/* ---- copy.c ---- */

/* Makes trees with these ids in a new store, whose next id is then `next_tree` at least. Fails with
 * NQ_LIMIT_EXCEEDED when there are more ids than anybody has used. */
nq_status nq__copy_make_trees(nq_ctx *ctx, nq_store *store, const nq__tree_ids *ids,
                              uint32_t next_tree);
/* Copies every entry. Counts them. */
nq_status nq__copy_trees(nq_ctx *ctx, nq_legacy_file *file, const nq_legacy_trees *trees,
                         nq_store *store, uint64_t *io_entries);

/* A checkpoint once in so much log: the new store has no background. After a commit. */
nq_status nq__copy_checkpoint(nq_ctx *ctx, nq_store *store);

/* ---- compare.c ---- */

/* Reads both again, side by side; a difference is NQ_BUG. */
nq_status nq__compare_trees(nq_ctx *ctx, nq_legacy_file *file, const nq_legacy_trees *trees,
                            nq_store *store);

/* ---- replay.c ---- */

/* Reads the log to its end and adds the trees that its commits made. */
nq_status nq__replay_find_trees(nq_ctx *ctx, nq_log *log, uint64_t generation, nq__tree_ids *ids);
/* Repeats the log's commits in the new store, in which all trees exist. Counts them. */
nq_status nq__replay_commits(nq_ctx *ctx, nq_log *log, uint64_t generation, nq_store *store,
                             uint64_t *io_commits);

/* ---- swap.c ---- */

/* Says that the new store is whole and takes the old one's place. Durable. */
nq_status nq__swap_decide(nq_ctx *ctx, nq_vfs *vfs, const char *directory);
nq_status nq__swap_is_decided(nq_ctx *ctx, nq_vfs *vfs, const char *directory, bool *out_is_it);
/* Moves the old files out and the new ones in, from wherever that stands. */
nq_status nq__swap_finish(nq_ctx *ctx, nq_vfs *vfs, const char *directory);
/* Fails with NQ_INVALID_ARGUMENT when old files of an earlier upgrade are there. */
nq_status nq__swap_check_room(nq_ctx *ctx, nq_vfs *vfs, const char *directory);
/* Removes a new store that was not decided for. */
nq_status nq__swap_clear(nq_ctx *ctx, nq_vfs *vfs, const char *directory);

#endif
