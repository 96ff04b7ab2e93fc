/* Since: whether a key can have changed after a version, from the generations of the pages on its
 * way. A page is never younger than what it leads to was last changed, so the first old page on the
 * way answers for all below it. */
#include "engine/storage/btree/btree.h"

nq_status nq_btree_is_unchanged_since(nq_ctx *ctx, nq_pool *pool, const nq_tree *tree, nq_bytes key,
                                      uint64_t generation, bool *out_is_unchanged) {
    nq_page_ref ref = tree->root;
    *out_is_unchanged = false;
    if (nq_page_ref_is_none(ref)) {
        return NQ_OK;
    }
    for (uint32_t level = tree->level; !*out_is_unchanged; level--) {
        nq_pin pin;
        NQ_TRY(nq_pool_pin(ctx, pool, ref, &pin));
        *out_is_unchanged = pin.page->generation <= generation;
        bool is_inner = pin.page->kind == NQ_PAGE_INTERNAL;
        if (is_inner) {
            ref = nq_node_child(pin.page, nq_node_find_child(pin.page, key));
        }
        nq_pool_unpin(pool, &pin);
        if (!is_inner || level == 0) {
            break;
        }
    }
    return NQ_OK;
}
