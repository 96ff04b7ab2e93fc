/* Since: whether a key can have changed after a version, from the generations of the pages on its
 * way. A page is never younger than what it leads to was last changed, so the first old page on the
 * way answers for all below it. */
#include "engine/storage/btree/btree.h"

/* What one page on the way says; *ref goes on to its child. */
typedef struct evidence {
    bool is_old; /* not changed after the version, nor anything below it */
    bool is_inner;
} evidence;

static nq_status ask(nq_ctx *ctx, nq_pool *pool, nq_bytes key, uint64_t generation,
                     nq_page_ref *ref, evidence *out_evidence) {
    nq_page_ref child;
    bool has_failed = false;
    do {
        nq_view view;
        NQ_TRY(nq_pool_view_begin(ctx, pool, *ref, has_failed, &view));
        out_evidence->is_old = view.page->generation <= generation;
        out_evidence->is_inner = view.page->kind == NQ_PAGE_INTERNAL;
        child = nq_node_read_child(view.page, nq_node_find_child(view.page, key));
        nq_pool_count_hits(pool, view.is_pinned ? 0 : 1);
        has_failed = !nq_pool_view_end(pool, &view);
    } while (has_failed);
    *ref = child;
    return NQ_OK;
}

nq_status nq_btree_is_unchanged_since(nq_ctx *ctx, nq_pool *pool, const nq_tree *tree, nq_bytes key,
                                      uint64_t generation, bool *out_is_unchanged) {
    nq_page_ref ref = tree->root;
    *out_is_unchanged = false;
    if (nq_page_ref_is_none(ref)) {
        return NQ_OK;
    }
    evidence found = {.is_inner = true};
    for (uint32_t level = tree->level + 1; level > 0 && found.is_inner && !found.is_old; level--) {
        NQ_TRY(ask(ctx, pool, key, generation, &ref, &found));
    }
    *out_is_unchanged = found.is_old;
    return NQ_OK;
}
