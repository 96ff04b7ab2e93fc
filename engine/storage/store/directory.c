/* Directory: the tree of trees. A tree's entry is its nq_tree; the trees that exist from creation
 * on have none until something is put into them. */
#include "engine/storage/store/store_internal.h"

nq_status nq__tree_find(nq_ctx *ctx, nq_store *store, const nq_version *version, uint32_t tree,
                        nq_tree *out_tree, bool *out_exists) {
    *out_tree = (nq_tree){0};
    *out_exists = true;
    if (tree == NQ__TREE_DIRECTORY) {
        *out_tree = version->directory;
        return NQ_OK;
    }
    uint8_t key[4];
    nq__tree_key_encode(tree, key);
    nq_btree_entry entry;
    NQ_TRY(
        nq_btree_find(ctx, store->pool, &version->directory, nq_bytes_of(key, sizeof key), &entry));
    nq_status status = NQ_OK;
    if (entry.pin.page == NULL) {
        *out_exists = tree < NQ__TREE_USER_FIRST;
    } else if (entry.is_overflow || entry.payload.size != sizeof *out_tree) {
        status = nq_fail(ctx, NQ_PAGE_CORRUPT, "page %u: tree %u has no valid entry",
                         entry.pin.page->id, tree);
    } else {
        memcpy(out_tree, entry.payload.data, sizeof *out_tree);
    }
    nq_btree_entry_release(store->pool, &entry);
    if (status == NQ_OK && out_tree->level >= NQ_BTREE_LEVELS_MAX) {
        status = nq_fail(ctx, NQ_PAGE_CORRUPT, "tree %u claims %u levels", tree, out_tree->level);
    }
    return status;
}
