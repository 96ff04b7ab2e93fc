/* Cursor: an ordered walk over one version.
 *
 * The path is kept as references, not pins: within a version they stay good, so a cursor at rest
 * holds one pin at most, and none when parked. */
#include "engine/ground/base/assert.h"
#include "engine/storage/btree/btree_internal.h"

void nq_btree_cursor_init(nq_btree_cursor *cursor, nq_pool *pool, const nq_tree *tree) {
    cursor->pool = pool;
    cursor->tree = *tree;
    cursor->leaf = (nq_pin){0};
    cursor->slot = 0;
    cursor->is_at_entry = false;
    cursor->is_leaf_new = false;
    cursor->neighbour = NQ_PAGE_REF_NONE;
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

static nq_status fail_level(nq_ctx *ctx, nq_page_ref ref) {
    return nq_fail(ctx, NQ_PAGE_CORRUPT, "page %u: its level is not its parent's less one",
                   ref.page);
}

/* Where a cursor goes from an inner node. */
typedef struct direction {
    enum { TO_KEY, TO_FIRST, TO_LAST, TO_POSITION } way;
    bool is_forward;   /* after the leaf is reached */
    bool is_walk;      /* from a leaf to its neighbour */
    uint16_t position; /* of the child */
    nq_bytes key;
} direction;

static uint16_t choose_position(const nq_page *page, const direction *to) {
    switch (to->way) {
    case TO_KEY:
        return nq_node_find_child(page, to->key);
    case TO_FIRST:
        return 0;
    case TO_LAST:
        return page->slot_count;
    case TO_POSITION:
        return to->position;
    }
    NQ_UNREACHABLE();
}

/* ---- Reading ahead: the leaves to come, asked of the disk before they are wanted ---- */

enum { AHEAD_LEAVES = NQ_PAGER_AHEAD_MAX / 2 };

typedef struct ahead {
    nq_page_ref leaves[NQ_PAGER_AHEAD_MAX];
    uint32_t count;
} ahead;

/* A walk from leaf to leaf asks at every sixteenth for the second sixteen from there, and where it
 * enters a parent for both, so that sixteen to thirty-two are on their way. */
static void list_ahead(const nq_page *page, uint16_t position, const direction *to,
                       ahead *out_ahead) {
    bool is_entering = to->way != TO_POSITION;
    if (position % AHEAD_LEAVES != 0 && !is_entering) {
        return;
    }
    for (int i = is_entering ? 1 : AHEAD_LEAVES; i < 2 * AHEAD_LEAVES; i++) {
        int at = to->is_forward ? position + i : position - i;
        if (at < 0 || at > page->slot_count) {
            return;
        }
        out_ahead->leaves[out_ahead->count++] = nq_node_read_child(page, (uint16_t)at);
    }
}

/* Goes from *ref, an inner node at `level`, to one of its children. */
static nq_status step_down(nq_ctx *ctx, nq_btree_cursor *cursor, uint32_t level,
                           const direction *to, nq_page_ref *ref) {
    nq_page_ref child;
    nq_page_ref neighbour;
    nq_btree_step step;
    ahead next;
    bool is_inner;
    bool has_failed = false;
    do {
        nq_view view;
        next.count = 0;
        NQ_TRY(nq_pool_view_begin(ctx, cursor->pool, *ref, has_failed, &view));
        is_inner = view.page->level == level && view.page->kind == NQ_PAGE_INTERNAL;
        uint16_t position = choose_position(view.page, to);
        step = (nq_btree_step){*ref, position, view.page->slot_count};
        child = nq_node_read_child(view.page, position);
        bool has_neighbour = to->is_forward ? position < step.slot_count : position > 0;
        neighbour = has_neighbour
                        ? nq_node_read_child(
                              view.page, (uint16_t)(to->is_forward ? position + 1 : position - 1))
                        : NQ_PAGE_REF_NONE;
        if (to->is_walk && level == 1) {
            list_ahead(view.page, position, to, &next);
        }
        nq_pool_count_hits(cursor->pool, view.is_pinned ? 0 : 1);
        has_failed = !nq_pool_view_end(cursor->pool, &view);
    } while (has_failed);
    if (!is_inner) {
        return fail_level(ctx, *ref);
    }
    nq_pool_read_ahead(cursor->pool, next.leaves, next.count);
    cursor->path[level] = step;
    cursor->neighbour = neighbour;
    *ref = child;
    return NQ_OK;
}

/* Goes down from `ref` at `level` to a leaf, which becomes the cursor's. */
static nq_status descend(nq_ctx *ctx, nq_btree_cursor *cursor, nq_page_ref ref, uint32_t level,
                         direction to) {
    nq_pool_unpin(cursor->pool, &cursor->leaf);
    cursor->is_at_entry = false;
    cursor->neighbour = NQ_PAGE_REF_NONE;
    for (; level > 0; level--) {
        NQ_TRY(step_down(ctx, cursor, level, &to, &ref));
        if (to.way == TO_POSITION) {
            to.way = to.is_forward ? TO_FIRST : TO_LAST;
        }
    }
    nq_pin pin;
    NQ_TRY(nq_pool_pin(ctx, cursor->pool, ref, &pin));
    if (pin.page->kind != NQ_PAGE_LEAF) {
        nq_pool_unpin(cursor->pool, &pin);
        return fail_level(ctx, ref);
    }
    cursor->path[0] = (nq_btree_step){ref, 0, pin.page->slot_count};
    cursor->leaf = pin;
    cursor->is_leaf_new = true;
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
    const nq_btree_step *step = &cursor->path[level];
    direction to = {.way = TO_POSITION,
                    .is_forward = is_forward,
                    .is_walk = true,
                    .position = (uint16_t)(is_forward ? step->position + 1 : step->position - 1)};
    return descend(ctx, cursor, step->ref, level, to);
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
    direction to = {.way = TO_KEY, .is_forward = true, .key = key};
    NQ_TRY(descend(ctx, cursor, cursor->tree.root, cursor->tree.level, to));
    bool is_equal;
    return settle_forward(ctx, cursor, nq_node_find(cursor->leaf.page, key, &is_equal));
}

nq_status nq_btree_cursor_seek_before(nq_ctx *ctx, nq_btree_cursor *cursor, nq_bytes key) {
    if (nq_page_ref_is_none(cursor->tree.root)) {
        return NQ_OK;
    }
    direction to = {.way = key.data == NULL ? TO_LAST : TO_KEY, .key = key};
    NQ_TRY(descend(ctx, cursor, cursor->tree.root, cursor->tree.level, to));
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

nq_status nq__btree_cursor_next_leaf(nq_ctx *ctx, nq_btree_cursor *cursor) {
    return settle_forward(ctx, cursor, cursor->leaf.page->slot_count);
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

/* ---- Many at once ---- */

/* The slots from where the cursor stands on, as far as `stop`, which may lie anywhere. */
static void run_until(const nq_btree_cursor *cursor, const nq_btree_stop *stop, bool is_reverse,
                      uint16_t *out_from, uint16_t *out_to) {
    const nq_page *leaf = cursor->leaf.page;
    *out_from = is_reverse ? 0 : cursor->slot;
    *out_to = is_reverse ? (uint16_t)(cursor->slot + 1) : leaf->slot_count;
    if (stop->key.data == NULL) {
        return;
    }
    bool is_equal;
    uint16_t at = nq_node_find(leaf, stop->key, &is_equal);
    /* The first slot behind the stop, seen in key order. */
    uint16_t split = (uint16_t)(at + (is_equal && is_reverse != stop->is_inclusive ? 1 : 0));
    if (is_reverse) {
        *out_from = split < *out_to ? split : *out_to;
    } else {
        *out_to = split > *out_from ? split : *out_from;
    }
}

void nq_btree_cursor_list(nq_btree_cursor *cursor, const nq_btree_stop *stop, bool is_reverse,
                          nq_node_list *list) {
    NQ_ASSERT(cursor->is_at_entry && cursor->leaf.page != NULL);
    if (cursor->is_leaf_new) {
        cursor->is_leaf_new = false;
        nq_node_list_ahead(list, cursor->leaf.page,
                           nq_pool_prefetch_address(cursor->pool, cursor->neighbour));
    }
    uint16_t from;
    uint16_t to;
    run_until(cursor, stop, is_reverse, &from, &to);
    uint32_t count = list->count;
    nq_node_list_run(list, cursor->leaf.page, from, to, is_reverse);
    count = list->count - count;
    if (count != 0) {
        cursor->slot =
            (uint16_t)(is_reverse ? cursor->slot - (count - 1) : cursor->slot + count - 1);
    }
}
