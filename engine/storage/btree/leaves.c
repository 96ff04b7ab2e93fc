/* Leaves: where many keys belong, for whoever wants to read the leaves ahead. Only inner nodes are
 * looked at, each once. */
#include "engine/ground/base/assert.h"
#include "engine/storage/btree/btree.h"

/* Keys [from, to) belong under a node. */
typedef struct span {
    uint32_t from;
    uint32_t to;
} span;

typedef struct listing {
    nq_pool *pool;
    const nq_btree_keys *keys;
    nq_btree_leaf *leaves;
    uint32_t count;
} listing;

static bool is_beyond(const listing *list, const nq_page *page, uint16_t position, uint32_t key) {
    return nq_node_compare(page, position, list->keys->at(list->keys->user, key)) <= 0;
}

/* The first of the keys that lies right of a node's child; the first is not. In steps that grow,
 * for a leaf has few of them and an inner node many. */
static uint32_t end_of_child(const listing *list, const nq_page *page, uint16_t position,
                             span keys) {
    if (position == page->slot_count) {
        return keys.to;
    }
    uint32_t inside = keys.from;
    uint32_t step = 1;
    while (step < keys.to - inside && !is_beyond(list, page, position, inside + step)) {
        inside += step;
        step *= 2;
    }
    uint32_t beyond = step < keys.to - inside ? inside + step : keys.to;
    while (beyond - inside > 1) {
        uint32_t middle = inside + (beyond - inside) / 2;
        if (is_beyond(list, page, position, middle)) {
            beyond = middle;
        } else {
            inside = middle;
        }
    }
    return beyond;
}

static nq_status list_under(nq_ctx *ctx, listing *list, nq_page_ref ref, uint32_t level,
                            span keys) {
    if (level == 0) {
        list->leaves[list->count++] = (nq_btree_leaf){ref, keys.from};
        return NQ_OK;
    }
    nq_pin pin;
    NQ_TRY(nq_pool_pin(ctx, list->pool, ref, &pin));
    nq_status status = NQ_OK;
    if (pin.page->level != level || pin.page->kind != NQ_PAGE_INTERNAL) {
        status = nq_fail(ctx, NQ_PAGE_CORRUPT, "page %u: its level is not its parent's less one",
                         ref.page);
    }
    for (uint32_t from = keys.from, to; from < keys.to && status == NQ_OK; from = to) {
        uint16_t position = nq_node_find_child(pin.page, list->keys->at(list->keys->user, from));
        to = end_of_child(list, pin.page, position, (span){from, keys.to});
        status =
            list_under(ctx, list, nq_node_child(pin.page, position), level - 1, (span){from, to});
    }
    nq_pool_unpin(list->pool, &pin);
    return status;
}

nq_status nq_btree_list_leaves(nq_ctx *ctx, nq_pool *pool, const nq_tree *tree,
                               const nq_btree_keys *keys, nq_btree_leaf *out_leaves,
                               uint32_t *out_count) {
    listing list = {.pool = pool, .keys = keys, .leaves = out_leaves};
    nq_status status = NQ_OK;
    if (!nq_page_ref_is_none(tree->root) && keys->count != 0) {
        NQ_ASSERT(tree->level < NQ_BTREE_LEVELS_MAX);
        status = list_under(ctx, &list, tree->root, tree->level, (span){0, keys->count});
    }
    *out_count = list.count;
    return status;
}
