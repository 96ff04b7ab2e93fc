/* Drop: giving back every page of a tree.
 *
 * Leaves are given back unread, by their parents' references, unless the tree has long values. */
#include "engine/storage/btree/btree_internal.h"

static nq_status drop_long_values(nq_ctx *ctx, nq_pool *pool, const nq_page_source *source,
                                  nq_tree *tree, const nq_page *leaf) {
    for (uint16_t slot = 0; slot < leaf->slot_count; slot++) {
        bool is_overflow;
        nq_bytes payload = nq_node_payload(leaf, slot, &is_overflow);
        if (is_overflow) {
            nq_overflow_ref ref;
            memcpy(&ref, payload.data, sizeof ref);
            NQ_TRY(nq__btree_overflow_drop(ctx, pool, source, tree, ref));
        }
    }
    return NQ_OK;
}

static nq_status drop_node(nq_ctx *ctx, nq_pool *pool, const nq_page_source *source, nq_tree *tree,
                           nq_page_ref ref, uint32_t level) {
    if (level == 0 && tree->overflow_page_count == 0) {
        tree->page_count--;
        return source->give(ctx, source->user, (nq_page_id){ref.page}, 0);
    }
    NQ_TRY(nq_ctx_poll(ctx));
    nq_pin pin;
    NQ_TRY(nq_pool_pin(ctx, pool, ref, &pin));
    nq_status status = NQ_OK;
    uint64_t birth = pin.page->generation;
    if (pin.page->level != level || (pin.page->kind == NQ_PAGE_LEAF) != (level == 0)) {
        status = nq_fail(ctx, NQ_PAGE_CORRUPT, "page %u: its level is not its parent's less one",
                         ref.page);
    } else if (level == 0) {
        status = drop_long_values(ctx, pool, source, tree, pin.page);
    } else {
        for (uint32_t i = 0; i <= pin.page->slot_count && status == NQ_OK; i++) {
            status =
                drop_node(ctx, pool, source, tree, nq_node_child(pin.page, (uint16_t)i), level - 1);
        }
    }
    nq_pool_unpin(pool, &pin);
    tree->page_count--;
    return status != NQ_OK ? status
                           : source->give(ctx, source->user, (nq_page_id){ref.page}, birth);
}

nq_status nq_btree_drop(nq_ctx *ctx, nq_pool *pool, const nq_page_source *source, nq_tree *tree) {
    if (!nq_page_ref_is_none(tree->root)) {
        NQ_TRY(drop_node(ctx, pool, source, tree, tree->root, tree->level));
    }
    *tree = (nq_tree){0};
    return NQ_OK;
}
