/* Warm: leaves are brought near before they are written.
 *
 * What a commit does in its turn nobody else can do meanwhile, so it should find its leaves in
 * memory, and their first lines in the processor's cache. Nothing depends on it: by the time of the
 * turn the leaf may be another. */
#include "engine/storage/btree/btree.h"

void nq_btree_warmer_init(nq_btree_warmer *warmer, nq_pool *pool, const nq_tree *tree) {
    *warmer = (nq_btree_warmer){.pool = pool, .tree = *tree};
}

/* What an inner node says of a key. */
typedef struct turn {
    nq_page_ref child;
    uint16_t position;
    bool is_inner;
    bool is_last;
} turn;

static nq_status look(nq_ctx *ctx, nq_pool *pool, nq_page_ref ref, nq_bytes key, turn *out_turn) {
    bool has_failed = false;
    do {
        nq_view view;
        NQ_TRY(nq_pool_view_begin(ctx, pool, ref, has_failed, &view));
        out_turn->position = nq_node_find_child(view.page, key);
        out_turn->child = nq_node_read_child(view.page, out_turn->position);
        out_turn->is_inner = view.page->kind == NQ_PAGE_INTERNAL;
        out_turn->is_last = out_turn->position == view.page->slot_count;
        has_failed = !nq_pool_view_end(pool, &view);
    } while (has_failed);
    return NQ_OK;
}

/* The key, which is not less than the one before, belongs to the same leaf. */
static bool is_of_same_leaf(nq_ctx *ctx, const nq_btree_warmer *warmer, nq_bytes key) {
    if (!warmer->is_placed || warmer->is_last_leaf) {
        return warmer->is_placed;
    }
    if (warmer->is_last_child) {
        return false; /* where the leaf ends, a node further up knows */
    }
    nq_view view;
    if (nq_pool_view_begin(ctx, warmer->pool, warmer->parent, false, &view) != NQ_OK) {
        return false;
    }
    bool is_below = nq_node_compare(view.page, warmer->position, key) > 0;
    return nq_pool_view_end(warmer->pool, &view) && is_below;
}

static void ask_for_missing(nq_btree_warmer *warmer) {
    uint32_t count = warmer->missing_count - warmer->asked_count;
    nq_pool_read_ahead(warmer->pool, warmer->missing + warmer->asked_count, count);
    warmer->asked_count = warmer->missing_count;
}

/* Leaves that are not in memory are asked for together, so that the disk is given more than one to
 * do; a batch that misses more than are remembered is no hurry's. */
static void fetch(nq_btree_warmer *warmer, nq_page_ref leaf) {
    const nq_page *page = nq_pool_prefetch_address(warmer->pool, leaf);
    if (page != NULL) {
        nq_node_prefetch(page);
        return;
    }
    if (warmer->missing_count == NQ_BTREE_WARM_MAX) {
        return;
    }
    warmer->missing[warmer->missing_count++] = leaf;
    if (warmer->missing_count - warmer->asked_count == NQ_PAGER_AHEAD_MAX) {
        ask_for_missing(warmer);
    }
}

void nq_btree_warmer_finish(nq_ctx *ctx, nq_btree_warmer *warmer) {
    ask_for_missing(warmer);
    for (uint32_t i = 0; i < warmer->missing_count; i++) {
        nq_pin pin;
        if (nq_pool_pin(ctx, warmer->pool, warmer->missing[i], &pin) == NQ_OK) {
            nq_pool_unpin(warmer->pool, &pin);
        }
    }
    warmer->missing_count = 0;
    warmer->asked_count = 0;
}

void nq_btree_warm(nq_ctx *ctx, nq_btree_warmer *warmer, nq_bytes key) {
    if (nq_page_ref_is_none(warmer->tree.root) || is_of_same_leaf(ctx, warmer, key)) {
        return;
    }
    nq_page_ref ref = warmer->tree.root;
    warmer->is_last_leaf = true;
    for (uint32_t level = warmer->tree.level; level > 0; level--) {
        turn next;
        if (look(ctx, warmer->pool, ref, key, &next) != NQ_OK || !next.is_inner) {
            return; /* the commit will say what is wrong */
        }
        warmer->parent = ref;
        warmer->position = next.position;
        warmer->is_last_child = next.is_last;
        warmer->is_last_leaf = warmer->is_last_leaf && next.is_last;
        ref = next.child;
    }
    warmer->is_placed = true;
    fetch(warmer, ref);
}
