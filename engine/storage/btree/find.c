/* Find: one key in one version, and the bytes of long values.
 *
 * The way down is a chain of views, each proved good before the child it named is looked at; only a
 * leaf that is handed out is pinned. A reader therefore writes to nothing that others read. */
#include "engine/storage/btree/btree.h"

static nq_status fail_shape(nq_ctx *ctx, uint32_t page, const char *rule) {
    return nq_fail(ctx, NQ_PAGE_CORRUPT, "page %u: %s", page, rule);
}

/* Replaces a reference to an inner node at `level` by one to its child that holds `key`. */
static nq_status descend(nq_ctx *ctx, nq_pool *pool, nq_bytes key, uint32_t level, nq_page_ref *ref,
                         uint32_t *hit_count) {
    nq_page_ref child;
    bool is_inner;
    bool has_failed = false;
    do {
        nq_view view;
        NQ_TRY(nq_pool_view_begin(ctx, pool, *ref, has_failed, &view));
        is_inner = view.page->level == level && view.page->kind == NQ_PAGE_INTERNAL;
        child = nq_node_read_child(view.page, nq_node_find_child(view.page, key));
        *hit_count += view.is_pinned ? 0 : 1;
        has_failed = !nq_pool_view_end(pool, &view);
    } while (has_failed);
    if (!is_inner) {
        return fail_shape(ctx, ref->page, "its level is not its parent's less one");
    }
    *ref = child;
    return NQ_OK;
}

/* The leaf of a tree that is not empty where `key` belongs, and how many pages were seen unpinned.
 */
static nq_status descend_to_leaf(nq_ctx *ctx, nq_pool *pool, const nq_tree *tree, nq_bytes key,
                                 nq_page_ref *out_leaf, uint32_t *out_hit_count) {
    *out_hit_count = 0;
    *out_leaf = tree->root;
    for (uint32_t level = tree->level; level > 0; level--) {
        NQ_TRY(descend(ctx, pool, key, level, out_leaf, out_hit_count));
    }
    return NQ_OK;
}

nq_status nq_btree_find(nq_ctx *ctx, nq_pool *pool, const nq_tree *tree, nq_bytes key,
                        nq_btree_entry *out_entry) {
    *out_entry = (nq_btree_entry){0};
    if (nq_page_ref_is_none(tree->root)) {
        return NQ_OK;
    }
    nq_page_ref leaf;
    nq_pin pin;
    uint32_t hit_count;
    NQ_TRY(descend_to_leaf(ctx, pool, tree, key, &leaf, &hit_count));
    nq_pool_count_hits(pool, hit_count);
    NQ_TRY(nq_pool_pin(ctx, pool, leaf, &pin));
    if (pin.page->kind != NQ_PAGE_LEAF) {
        nq_pool_unpin(pool, &pin);
        return fail_shape(ctx, leaf.page, "it is not a leaf");
    }
    bool is_equal;
    uint16_t slot = nq_node_find(pin.page, key, &is_equal);
    if (!is_equal) {
        nq_pool_unpin(pool, &pin);
        return NQ_OK;
    }
    out_entry->payload = nq_node_payload(pin.page, slot, &out_entry->is_overflow);
    out_entry->pin = pin;
    return NQ_OK;
}

/* What a view of a leaf has to say of a key. */
typedef struct sight {
    bool is_leaf;
    bool is_present;
    bool is_overflow;
    uint32_t payload_bytes;
} sight;

static sight look_at_leaf(const nq_page *page, nq_bytes key, uint8_t *room) {
    nq_node_prefetch(page);
    sight seen = {.is_leaf = page->kind == NQ_PAGE_LEAF};
    uint16_t slot = nq_node_find(page, key, &seen.is_present);
    nq_bytes payload;
    if (!seen.is_present || !nq_node_read_payload(page, slot, &payload, &seen.is_overflow) ||
        payload.size > NQ_NODE_PAYLOAD_BYTES_MAX) {
        return seen;
    }
    memcpy(room, payload.data, payload.size);
    seen.payload_bytes = (uint32_t)payload.size;
    return seen;
}

nq_status nq_btree_find_copy(nq_ctx *ctx, nq_pool *pool, const nq_tree *tree, nq_bytes key,
                             uint8_t *room, nq_bytes *out_payload, bool *out_is_overflow) {
    *out_payload = (nq_bytes){0};
    *out_is_overflow = false;
    if (nq_page_ref_is_none(tree->root)) {
        return NQ_OK;
    }
    nq_page_ref leaf;
    uint32_t hit_count;
    NQ_TRY(descend_to_leaf(ctx, pool, tree, key, &leaf, &hit_count));
    sight seen;
    bool has_failed = false;
    do {
        nq_view view;
        NQ_TRY(nq_pool_view_begin(ctx, pool, leaf, has_failed, &view));
        seen = look_at_leaf(view.page, key, room);
        hit_count += view.is_pinned ? 0 : 1;
        has_failed = !nq_pool_view_end(pool, &view);
    } while (has_failed);
    nq_pool_count_hits(pool, hit_count);
    if (!seen.is_leaf) {
        return fail_shape(ctx, leaf.page, "it is not a leaf");
    }
    if (seen.is_present) {
        *out_payload = nq_bytes_of(room, seen.payload_bytes);
        *out_is_overflow = seen.is_overflow;
    }
    return NQ_OK;
}

size_t nq_btree_value_bytes(nq_bytes payload, bool is_overflow) {
    if (!is_overflow) {
        return payload.size;
    }
    nq_overflow_ref ref;
    memcpy(&ref, payload.data, sizeof ref);
    return ref.value_bytes;
}

nq_status nq_btree_copy_value(nq_ctx *ctx, nq_pool *pool, nq_bytes payload, bool is_overflow,
                              uint8_t *out_value) {
    if (!is_overflow) {
        if (payload.size != 0) {
            memcpy(out_value, payload.data, payload.size);
        }
        return NQ_OK;
    }
    nq_overflow_ref ref;
    memcpy(&ref, payload.data, sizeof ref);
    nq_page_ref next = ref.first;
    size_t left = ref.value_bytes;
    while (left != 0) {
        nq_pin pin;
        NQ_TRY(nq_pool_pin(ctx, pool, next, &pin));
        const nq_page *page = pin.page;
        if (page->kind != NQ_PAGE_OVERFLOW || page->payload_bytes > left) {
            nq_status status = fail_shape(ctx, page->id, "it does not belong to its long value");
            nq_pool_unpin(pool, &pin);
            return status;
        }
        memcpy(out_value, page->body, page->payload_bytes);
        out_value += page->payload_bytes;
        left -= page->payload_bytes;
        next = page->link;
        nq_pool_unpin(pool, &pin);
    }
    return NQ_OK;
}
