/* Cursor: an ordered walk over one version.
 *
 * The path is kept as references, not pins: within a version they stay good, so a cursor at rest
 * holds one pin at most, and none when parked. */
#include "engine/storage/btree/btree.h"

#include "engine/ground/base/assert.h"
void nq_btree_cursor_init(nq_btree_cursor *cursor, nq_pool *pool, const nq_tree *tree) {
    cursor->pool = pool;
    cursor->tree = *tree;
    cursor->leaf = (nq_pin){0};
    cursor->slot = 0;
    cursor->is_at_entry = false;
    cursor->prefix_bytes = 0;
}

void nq_btree_cursor_deinit(nq_btree_cursor *cursor) {
    nq_pool_unpin(cursor->pool, &cursor->leaf);
    cursor->is_at_entry = false;
}

void nq_btree_cursor_park(nq_btree_cursor *cursor) {
    nq_pool_unpin(cursor->pool, &cursor->leaf);
}

nq_status nq_btree_cursor_unpark(nq_ctx *ctx, nq_btree_cursor *cursor) {
    if (cursor->leaf.page != NULL || !cursor->is_at_entry) {
        return NQ_OK;
    }
    return nq_pool_pin(ctx, cursor->pool, cursor->path[0].ref, &cursor->leaf);
}

/* Pins a page of the path and checks that it stands where the path says. */
static nq_status pin_at_level(nq_ctx *ctx, nq_btree_cursor *cursor, nq_page_ref ref, uint32_t level,
                              nq_pin *out_pin) {
    NQ_TRY(nq_pool_pin(ctx, cursor->pool, ref, out_pin));
    uint8_t kind = level == 0 ? NQ_PAGE_LEAF : NQ_PAGE_INTERNAL;
    if (out_pin->page->kind == kind && out_pin->page->level == level) {
        return NQ_OK;
    }
    nq_pool_unpin(cursor->pool, out_pin);
    return nq_fail(ctx, NQ_PAGE_CORRUPT, "page %u: its level is not its parent's less one",
                   ref.page);
}

typedef enum descent { TO_KEY, TO_FIRST, TO_LAST } descent;

/* Goes down from `ref` at `level` to a leaf, which becomes the cursor's. */
static nq_status descend(nq_ctx *ctx, nq_btree_cursor *cursor, nq_page_ref ref, uint32_t level,
                         descent way, nq_bytes key) {
    nq_pool_unpin(cursor->pool, &cursor->leaf);
    cursor->is_at_entry = false;
    nq_pin pin;
    for (; level > 0; level--) {
        NQ_TRY(pin_at_level(ctx, cursor, ref, level, &pin));
        uint16_t count = pin.page->slot_count;
        uint16_t position = way == TO_KEY    ? nq_node_find_child(pin.page, key)
                            : way == TO_LAST ? count
                                             : 0;
        cursor->path[level] = (nq_btree_step){ref, position, count};
        ref = nq_node_child(pin.page, position);
        nq_pool_unpin(cursor->pool, &pin);
    }
    NQ_TRY(pin_at_level(ctx, cursor, ref, 0, &pin));
    cursor->path[0] = (nq_btree_step){ref, 0, pin.page->slot_count};
    cursor->leaf = pin;
    nq_bytes prefix = nq_node_prefix(pin.page);
    memcpy(cursor->key_buffer, prefix.data, prefix.size);
    cursor->prefix_bytes = (uint16_t)prefix.size;
    return NQ_OK;
}

/* To the leaf before or after this one; *out_is_end when there is none. */
static nq_status move_to_neighbour(nq_ctx *ctx, nq_btree_cursor *cursor, bool is_forward,
                                   bool *out_is_end) {
    *out_is_end = false;
    uint32_t level = 1;
    for (; level <= cursor->tree.level; level++) {
        nq_btree_step *step = &cursor->path[level];
        if (is_forward ? step->position < step->slot_count : step->position > 0) {
            break;
        }
    }
    if (level > cursor->tree.level) {
        nq_pool_unpin(cursor->pool, &cursor->leaf);
        cursor->is_at_entry = false;
        *out_is_end = true;
        return NQ_OK;
    }
    nq_btree_step *step = &cursor->path[level];
    step->position = (uint16_t)(is_forward ? step->position + 1 : step->position - 1);
    nq_pin pin;
    NQ_TRY(pin_at_level(ctx, cursor, step->ref, level, &pin));
    nq_page_ref child = nq_node_child(pin.page, step->position);
    nq_pool_unpin(cursor->pool, &pin);
    return descend(ctx, cursor, child, level - 1, is_forward ? TO_FIRST : TO_LAST, (nq_bytes){0});
}

/* Stands at `slot` of the leaf, or of the next leaf that has an entry. */
static nq_status settle_forward(nq_ctx *ctx, nq_btree_cursor *cursor, uint16_t slot) {
    while (slot >= cursor->leaf.page->slot_count) {
        bool is_end;
        NQ_TRY(move_to_neighbour(ctx, cursor, true, &is_end));
        if (is_end) {
            return NQ_OK;
        }
        slot = 0;
    }
    cursor->slot = slot;
    cursor->is_at_entry = true;
    return NQ_OK;
}

/* Stands before `slot` of the leaf, or at the last entry of a leaf before. */
static nq_status settle_backward(nq_ctx *ctx, nq_btree_cursor *cursor, uint16_t slot) {
    while (slot == 0) {
        bool is_end;
        NQ_TRY(move_to_neighbour(ctx, cursor, false, &is_end));
        if (is_end) {
            return NQ_OK;
        }
        slot = cursor->leaf.page->slot_count;
    }
    cursor->slot = (uint16_t)(slot - 1);
    cursor->is_at_entry = true;
    return NQ_OK;
}

nq_status nq_btree_cursor_seek(nq_ctx *ctx, nq_btree_cursor *cursor, nq_bytes key) {
    if (nq_page_ref_is_none(cursor->tree.root)) {
        return NQ_OK;
    }
    NQ_TRY(descend(ctx, cursor, cursor->tree.root, cursor->tree.level, TO_KEY, key));
    bool is_equal;
    return settle_forward(ctx, cursor, nq_node_find(cursor->leaf.page, key, &is_equal));
}

nq_status nq_btree_cursor_seek_before(nq_ctx *ctx, nq_btree_cursor *cursor, nq_bytes key) {
    if (nq_page_ref_is_none(cursor->tree.root)) {
        return NQ_OK;
    }
    descent way = key.data == NULL ? TO_LAST : TO_KEY;
    NQ_TRY(descend(ctx, cursor, cursor->tree.root, cursor->tree.level, way, key));
    bool is_equal;
    uint16_t slot = key.data == NULL ? cursor->leaf.page->slot_count
                                     : nq_node_find(cursor->leaf.page, key, &is_equal);
    return settle_backward(ctx, cursor, slot);
}

nq_status nq_btree_cursor_next(nq_ctx *ctx, nq_btree_cursor *cursor) {
    if (!cursor->is_at_entry) {
        return NQ_OK;
    }
    NQ_TRY(nq_btree_cursor_unpark(ctx, cursor));
    uint16_t slot = (uint16_t)(cursor->slot + 1);
    if (slot < cursor->leaf.page->slot_count) {
        cursor->slot = slot;
        return NQ_OK;
    }
    return settle_forward(ctx, cursor, slot);
}

nq_status nq_btree_cursor_previous(nq_ctx *ctx, nq_btree_cursor *cursor) {
    if (!cursor->is_at_entry) {
        return NQ_OK;
    }
    NQ_TRY(nq_btree_cursor_unpark(ctx, cursor));
    return settle_backward(ctx, cursor, cursor->slot);
}

nq_bytes nq_btree_cursor_key(nq_btree_cursor *cursor) {
    NQ_ASSERT(cursor->is_at_entry && cursor->leaf.page != NULL);
    nq_bytes suffix = nq_node_suffix(cursor->leaf.page, cursor->slot);
    if (suffix.size != 0) {
        memcpy(cursor->key_buffer + cursor->prefix_bytes, suffix.data, suffix.size);
    }
    return nq_bytes_of(cursor->key_buffer, cursor->prefix_bytes + suffix.size);
}

nq_bytes nq_btree_cursor_payload(const nq_btree_cursor *cursor, bool *out_is_overflow) {
    NQ_ASSERT(cursor->is_at_entry && cursor->leaf.page != NULL);
    return nq_node_payload(cursor->leaf.page, cursor->slot, out_is_overflow);
}

/* ---- Comparing two versions ---- */

static bool is_within(nq_btree_cursor *cursor, nq_bytes high) {
    return cursor->is_at_entry &&
           (high.data == NULL || nq_bytes_compare(nq_btree_cursor_key(cursor), high) < 0);
}

static bool is_same_entry(nq_btree_cursor *left, nq_btree_cursor *right) {
    bool is_left_overflow;
    bool is_right_overflow;
    return nq_bytes_equal(nq_btree_cursor_key(left), nq_btree_cursor_key(right)) &&
           nq_bytes_equal(nq_btree_cursor_payload(left, &is_left_overflow),
                          nq_btree_cursor_payload(right, &is_right_overflow)) &&
           is_left_overflow == is_right_overflow;
}

nq_status nq_btree_range_is_equal(nq_ctx *ctx, nq_pool *pool, const nq_tree *left,
                                  const nq_tree *right, nq_bytes low, nq_bytes high,
                                  bool *out_is_equal) {
    *out_is_equal = true;
    if (left->root.page == right->root.page && left->root.stamp == right->root.stamp) {
        return NQ_OK;
    }
    *out_is_equal = false;
    nq_status status;
    nq_btree_cursor a;
    nq_btree_cursor b;
    nq_btree_cursor_init(&a, pool, left);
    nq_btree_cursor_init(&b, pool, right);
    NQ_CHECK(nq_btree_cursor_seek(ctx, &a, low));
    NQ_CHECK(nq_btree_cursor_seek(ctx, &b, low));
    for (;;) {
        bool is_a_within = is_within(&a, high);
        bool is_b_within = is_within(&b, high);
        if (!is_a_within || !is_b_within) {
            *out_is_equal = is_a_within == is_b_within;
            goto done;
        }
        if (a.leaf.page == b.leaf.page && a.slot == b.slot) {
            /* One page of both versions: nothing in the rest of it can differ. */
            NQ_CHECK(settle_forward(ctx, &a, a.leaf.page->slot_count));
            NQ_CHECK(settle_forward(ctx, &b, b.leaf.page->slot_count));
            continue;
        }
        if (!is_same_entry(&a, &b)) {
            goto done;
        }
        NQ_CHECK(nq_btree_cursor_next(ctx, &a));
        NQ_CHECK(nq_btree_cursor_next(ctx, &b));
    }
done:
    nq_btree_cursor_deinit(&a);
    nq_btree_cursor_deinit(&b);
    return status;
}
