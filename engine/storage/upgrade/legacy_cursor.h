/* Legacy cursor: the entries of one tree of a legacy file, in key order, every page checked on the
 * way. */
#ifndef NQ_STORAGE_UPGRADE_LEGACY_CURSOR_H
#define NQ_STORAGE_UPGRADE_LEGACY_CURSOR_H

#include "engine/storage/btree/btree.h"
#include "engine/storage/upgrade/legacy_file.h"

typedef struct nq_legacy_cursor nq_legacy_cursor;

/* `tree` is an entry of the directory, which has not changed since format 1. */
nq_status nq_legacy_cursor_open(nq_ctx *ctx, nq_legacy_file *file, const nq_tree *tree,
                                nq_legacy_cursor **out_cursor);
void nq_legacy_cursor_close(nq_legacy_cursor *cursor);

/* The next entry, borrowed until the next call; out_key->data is NULL at the end. Fails with
 * NQ_PAGE_CORRUPT, also when the tree has another number of entries than it says. */
nq_status nq_legacy_cursor_next(nq_ctx *ctx, nq_legacy_cursor *cursor, nq_bytes *out_key,
                                nq_bytes *out_value);

/* ---- All trees of a file ---- */

typedef struct nq_legacy_tree {
    uint32_t id;
    nq_tree tree;
} nq_legacy_tree;

typedef struct nq_legacy_trees {
    nq_legacy_tree *items; /* by ascending id */
    size_t count;
} nq_legacy_trees;

/* The directory of the checkpoint. Deinit whatever it returns. */
nq_status nq_legacy_trees_read(nq_ctx *ctx, nq_legacy_file *file, nq_legacy_trees *out_trees);
void nq_legacy_trees_deinit(nq_legacy_trees *trees);

#endif
