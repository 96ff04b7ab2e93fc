/* Compare: whether a range is the same in two versions. */
#include "engine/storage/btree/btree_internal.h"

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
            NQ_CHECK(nq__btree_cursor_next_leaf(ctx, &a));
            NQ_CHECK(nq__btree_cursor_next_leaf(ctx, &b));
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
