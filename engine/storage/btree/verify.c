/* Verify: every invariant of one tree, page by page, from the disk's copy where there is one.
 *
 * B1 a child's level is its parent's less one; leaves are at level 0
 * B2 every key of a subtree lies within the separators around it
 * B3 keys ascend within a page (checked when a page is read)
 * B4 the tree's counts are those of its pages and entries
 * B5 a long value's pieces add up to its length */
#include "engine/storage/btree/btree_internal.h"

typedef struct verifier {
    nq_pool *pool;
    nq_page *scratch;
    nq_status (*visit)(nq_ctx *ctx, void *user, nq_page_ref ref);
    void *user;
    uint64_t entry_count;
    uint64_t page_count;
    uint64_t overflow_page_count;
} verifier;

/* Counts the page, checks its bytes on disk and pins it. */
static nq_status enter_page(nq_ctx *ctx, verifier *v, nq_page_ref ref, nq_pin *out_pin) {
    *out_pin = (nq_pin){0};
    NQ_TRY(nq_ctx_poll(ctx));
    NQ_TRY(v->visit(ctx, v->user, ref));
    v->page_count++;
    NQ_TRY(nq_pool_check_disk(ctx, v->pool, ref, v->scratch));
    NQ_TRY(nq_pool_pin(ctx, v->pool, ref, out_pin));
    const char *rule = nq_page_broken_rule(out_pin->page);
    if (rule == NULL) {
        return NQ_OK;
    }
    nq_pool_unpin(v->pool, out_pin);
    return nq_fail(ctx, NQ_PAGE_CORRUPT, "page %u, in memory: %s", ref.page, rule);
}

static nq_status verify_long_value(nq_ctx *ctx, verifier *v, nq_overflow_ref ref) {
    nq_page_ref next = ref.first;
    uint64_t left = ref.value_bytes;
    while (left != 0) {
        nq_pin pin;
        NQ_TRY(enter_page(ctx, v, next, &pin));
        v->overflow_page_count++;
        uint32_t bytes = pin.page->payload_bytes;
        bool is_piece = pin.page->kind == NQ_PAGE_OVERFLOW && bytes <= left;
        nq_page_ref behind = pin.page->link;
        nq_pool_unpin(v->pool, &pin);
        if (!is_piece) {
            return nq_fail(ctx, NQ_PAGE_CORRUPT, "page %u breaks B5: not a piece of its value",
                           next.page);
        }
        left -= bytes;
        next = behind;
    }
    return NQ_OK;
}

static nq_status verify_leaf(nq_ctx *ctx, verifier *v, const nq_page *page) {
    v->entry_count += page->slot_count;
    for (uint16_t slot = 0; slot < page->slot_count; slot++) {
        bool is_overflow;
        nq_bytes payload = nq_node_payload(page, slot, &is_overflow);
        if (is_overflow) {
            nq_overflow_ref ref;
            memcpy(&ref, payload.data, sizeof ref);
            NQ_TRY(verify_long_value(ctx, v, ref));
        }
    }
    return NQ_OK;
}

/* B2; bounds with NULL data are open. */
static bool is_within(const nq_page *page, nq_bytes low, nq_bytes high) {
    if (page->slot_count == 0) {
        return true;
    }
    return (low.data == NULL || nq_node_compare(page, 0, low) >= 0) &&
           (high.data == NULL || nq_node_compare(page, (uint16_t)(page->slot_count - 1), high) < 0);
}

static nq_status verify_node(nq_ctx *ctx, verifier *v, nq_page_ref ref, uint32_t level,
                             nq_bytes low, nq_bytes high) {
    nq_status status;
    nq_pin pin;
    uint8_t keys[2][NQ_NODE_KEY_BYTES_MAX];
    NQ_TRY(enter_page(ctx, v, ref, &pin));
    const nq_page *page = pin.page;
    if (page->level != level || (page->kind == NQ_PAGE_LEAF) != (level == 0)) {
        status = nq_fail(ctx, NQ_PAGE_CORRUPT, "page %u breaks B1: level %u where %u belongs",
                         ref.page, page->level, level);
        goto done;
    }
    if (!is_within(page, low, high)) {
        status = nq_fail(ctx, NQ_PAGE_CORRUPT, "page %u breaks B2: a key beyond its separators",
                         ref.page);
        goto done;
    }
    if (level == 0) {
        status = verify_leaf(ctx, v, page);
        goto done;
    }
    nq_bytes child_low = low;
    for (uint32_t i = 0; i <= page->slot_count; i++) {
        nq_bytes child_high = high;
        if (i < page->slot_count) {
            uint8_t *key = keys[i % 2];
            child_high = nq_bytes_of(key, nq_node_copy_key(page, (uint16_t)i, key));
        }
        NQ_CHECK(verify_node(ctx, v, nq_node_child(page, (uint16_t)i), level - 1, child_low,
                             child_high));
        child_low = child_high;
    }
    status = NQ_OK;
done:
    nq_pool_unpin(v->pool, &pin);
    return status;
}

nq_status nq_btree_verify(nq_ctx *ctx, nq_pool *pool, const nq_tree *tree,
                          nq_status (*visit)(nq_ctx *ctx, void *user, nq_page_ref ref),
                          void *user) {
    nq_page scratch;
    verifier v = {.pool = pool, .scratch = &scratch, .visit = visit, .user = user};
    if (!nq_page_ref_is_none(tree->root)) {
        if (tree->level >= NQ_BTREE_LEVELS_MAX) {
            return nq_fail(ctx, NQ_PAGE_CORRUPT, "a tree claims %u levels", tree->level);
        }
        NQ_TRY(verify_node(ctx, &v, tree->root, tree->level, (nq_bytes){0}, (nq_bytes){0}));
    }
    if (v.entry_count != tree->entry_count || v.page_count != tree->page_count ||
        v.overflow_page_count != tree->overflow_page_count) {
        return nq_fail(ctx, NQ_PAGE_CORRUPT,
                       "root page %u breaks B4: %llu entries, %llu pages, %llu of overflow claimed,"
                       " %llu, %llu, %llu found",
                       tree->root.page, (unsigned long long)tree->entry_count,
                       (unsigned long long)tree->page_count,
                       (unsigned long long)tree->overflow_page_count,
                       (unsigned long long)v.entry_count, (unsigned long long)v.page_count,
                       (unsigned long long)v.overflow_page_count);
    }
    return NQ_OK;
}
