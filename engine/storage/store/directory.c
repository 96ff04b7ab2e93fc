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
    uint8_t room[NQ_NODE_PAYLOAD_BYTES_MAX];
    nq_bytes entry;
    bool is_overflow;
    NQ_TRY(nq_btree_find_copy(ctx, store->pool, &version->directory, nq_bytes_of(key, sizeof key),
                              room, &entry, &is_overflow));
    if (entry.data == NULL) {
        *out_exists = tree < NQ__TREE_USER_FIRST;
        return NQ_OK;
    }
    if (is_overflow || entry.size != sizeof *out_tree) {
        return nq_fail(ctx, NQ_PAGE_CORRUPT, "the directory's entry of tree %u is broken", tree);
    }
    memcpy(out_tree, room, sizeof *out_tree);
    if (out_tree->level >= NQ_BTREE_LEVELS_MAX) {
        return nq_fail(ctx, NQ_PAGE_CORRUPT, "tree %u claims %u levels", tree, out_tree->level);
    }
    return NQ_OK;
}
