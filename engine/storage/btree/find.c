/* Find: one key in one version, and the bytes of long values. */
#include "engine/storage/btree/btree.h"

static nq_status fail_shape(nq_ctx *ctx, const nq_page *page, const char *rule) {
    return nq_fail(ctx, NQ_PAGE_CORRUPT, "page %u: %s", page->id, rule);
}

nq_status nq_btree_find(nq_ctx *ctx, nq_pool *pool, const nq_tree *tree, nq_bytes key,
                        nq_btree_entry *out_entry) {
    *out_entry = (nq_btree_entry){0};
    if (nq_page_ref_is_none(tree->root)) {
        return NQ_OK;
    }
    nq_pin pin;
    NQ_TRY(nq_pool_pin(ctx, pool, tree->root, &pin));
    for (uint32_t level = tree->level; level > 0; level--) {
        if (pin.page->level != level) {
            nq_status status = fail_shape(ctx, pin.page, "its level is not its parent's less one");
            nq_pool_unpin(pool, &pin);
            return status;
        }
        nq_page_ref child = nq_node_child(pin.page, nq_node_find_child(pin.page, key));
        nq_pool_unpin(pool, &pin);
        NQ_TRY(nq_pool_pin(ctx, pool, child, &pin));
    }
    if (pin.page->kind != NQ_PAGE_LEAF) {
        nq_status status = fail_shape(ctx, pin.page, "it is not a leaf");
        nq_pool_unpin(pool, &pin);
        return status;
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
            nq_status status = fail_shape(ctx, page, "it does not belong to its long value");
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
