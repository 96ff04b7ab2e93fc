/* Writer: one commit's changes to one tree.
 *
 * The path from the root to a leaf is pinned and owned: every page on it is of the writer's
 * generation, made from the old one, whose reference in the parent is changed on the way
 * down. It is kept from one key to the next, and so is where its bounds stand: the next key of a
 * sorted batch needs no descent, or one from the lowest node that it shares with the path. */
#include "engine/ground/base/assert.h"
#include "engine/storage/btree/btree_internal.h"

void nq_btree_writer_init(nq_btree_writer *writer, nq_pool *pool, const nq_page_source *source,
                          uint64_t generation, nq_tree *tree) {
    writer->pool = pool;
    writer->source = source;
    writer->tree = tree;
    writer->generation = generation;
    memset(writer->pins, 0, sizeof writer->pins);
    writer->is_placed = false;
}

void nq_btree_writer_deinit(nq_btree_writer *writer) {
    nq__btree_unplace(writer);
}

void nq__btree_unplace(nq_btree_writer *writer) {
    for (uint32_t level = 0; level < NQ_BTREE_LEVELS_MAX; level++) {
        nq_pool_unpin(writer->pool, &writer->pins[level]);
    }
    writer->is_placed = false;
}

nq_status nq__btree_page_new(nq_ctx *ctx, nq_btree_writer *writer, nq_page_kind kind,
                             nq_pin *out_pin) {
    *out_pin = (nq_pin){0};
    nq_page_id id;
    NQ_TRY(writer->source->take(ctx, writer->source->user, &id));
    NQ_TRY(nq_pool_pin_new(ctx, writer->pool, id, writer->generation, kind, out_pin));
    writer->tree->page_count++;
    return NQ_OK;
}

nq_status nq__btree_page_drop(nq_ctx *ctx, nq_btree_writer *writer, nq_pin *pin) {
    nq_page_id id = {pin->page->id};
    uint64_t birth = pin->page->generation;
    nq_pool_unpin(writer->pool, pin);
    writer->tree->page_count--;
    return writer->source->give(ctx, writer->source->user, id, birth);
}

/* Points whoever refers to pins[level] at `ref`. */
static void set_parent_ref(nq_btree_writer *writer, uint32_t level, nq_page_ref ref) {
    if (level == writer->tree->level) {
        writer->tree->root = ref;
        return;
    }
    nq_node_set_child(writer->pins[level + 1].page, writer->positions[level + 1], ref);
}

/* Makes an older page one of the writer's generation, under a new id: by copying it, or where it
 * stands if nobody wants to read the older one. */
static nq_status renew(nq_ctx *ctx, nq_btree_writer *writer, nq_pin *pin) {
    nq_page_id id;
    NQ_TRY(writer->source->take(ctx, writer->source->user, &id));
    if (writer->source->is_old_unread &&
        nq_pool_rename(writer->pool, *pin, id, writer->generation)) {
        return NQ_OK;
    }
    nq_pin copy;
    NQ_TRY(nq_pool_pin_copy(ctx, writer->pool, id, writer->generation, pin->page, &copy));
    nq_pool_unpin(writer->pool, pin);
    *pin = copy;
    return NQ_OK;
}

nq_status nq__btree_own(nq_ctx *ctx, nq_btree_writer *writer, uint32_t level) {
    nq_pin *pin = &writer->pins[level];
    if (pin->page->generation == writer->generation) {
        nq_pool_mark_dirty(writer->pool, *pin);
        return NQ_OK;
    }
    nq_page_id old = {pin->page->id};
    uint64_t birth = pin->page->generation;
    NQ_TRY(renew(ctx, writer, pin));
    set_parent_ref(writer, level, nq_page_ref_of(pin->page));
    return writer->source->give(ctx, writer->source->user, old, birth);
}

/* ---- Finding the place ---- */

/* Whether the key lies right of everything that the path's left neighbours hold. */
static bool is_above_low(const nq_btree_writer *writer, nq_bytes key) {
    uint32_t level = writer->low_level;
    return level == 0 || nq_node_compare(writer->pins[level].page,
                                         (uint16_t)(writer->positions[level] - 1), key) <= 0;
}

static bool is_below_separator(const nq_btree_writer *writer, uint32_t level, nq_bytes key) {
    return nq_node_compare(writer->pins[level].page, writer->positions[level], key) > 0;
}

/* The lowest level above `level` at which the path has something to its right; 0: none. */
static uint32_t next_turn(const nq_btree_writer *writer, uint32_t level) {
    for (level++; level <= writer->tree->level; level++) {
        if (writer->positions[level] < writer->pins[level].page->slot_count) {
            return level;
        }
    }
    return 0;
}

/* The lowest level at which a key right of the path's leaf is still under the path's node. */
static uint32_t lowest_common_level(const nq_btree_writer *writer, nq_bytes key) {
    uint32_t level = writer->high_level;
    uint32_t above = next_turn(writer, level);
    while (above != 0 && !is_below_separator(writer, above, key)) {
        level = above;
        above = next_turn(writer, level);
    }
    return level;
}

static void set_bounds(nq_btree_writer *writer) {
    writer->high_level = next_turn(writer, 0);
    writer->low_level = 0;
    for (uint32_t level = writer->tree->level; level > 0; level--) {
        writer->low_level = writer->positions[level] > 0 ? level : writer->low_level;
    }
}

/* Pins and owns the page at `level` of the path. */
static nq_status step_to(nq_ctx *ctx, nq_btree_writer *writer, nq_page_ref ref, uint32_t level) {
    nq_pool_unpin(writer->pool, &writer->pins[level]);
    NQ_TRY(nq_pool_pin(ctx, writer->pool, ref, &writer->pins[level]));
    const nq_page *page = writer->pins[level].page;
    if (page->level != level || (page->kind == NQ_PAGE_LEAF) != (level == 0)) {
        return nq_fail(ctx, NQ_PAGE_CORRUPT, "page %u: its level is not its parent's less one",
                       page->id);
    }
    return nq__btree_own(ctx, writer, level);
}

/* Leads the path on from the node at `level`. */
static nq_status descend(nq_ctx *ctx, nq_btree_writer *writer, uint32_t level, nq_bytes key) {
    writer->is_placed = false;
    for (; level > 0; level--) {
        const nq_page *page = writer->pins[level].page;
        uint16_t position = nq_node_find_child(page, key);
        writer->positions[level] = position;
        NQ_TRY(step_to(ctx, writer, nq_node_child(page, position), level - 1));
    }
    set_bounds(writer);
    writer->is_placed = true;
    return NQ_OK;
}

/* The first leaf of an empty tree. */
static nq_status plant(nq_ctx *ctx, nq_btree_writer *writer) {
    NQ_TRY(nq__btree_page_new(ctx, writer, NQ_PAGE_LEAF, &writer->pins[0]));
    writer->tree->root = nq_page_ref_of(writer->pins[0].page);
    writer->tree->level = 0;
    set_bounds(writer);
    writer->is_placed = true;
    return NQ_OK;
}

/* Leads the path to the leaf of `key`. *out_is_last: the key is greater than all of that leaf's,
 * as the keys of a sorted load are. */
static nq_status place(nq_ctx *ctx, nq_btree_writer *writer, nq_bytes key, bool *out_is_last) {
    *out_is_last = false;
    if (writer->is_placed) {
        const nq_page *leaf = writer->pins[0].page;
        uint16_t count = leaf->slot_count;
        bool is_last = count != 0 && nq_node_compare(leaf, (uint16_t)(count - 1), key) < 0;
        if (is_last || is_above_low(writer, key)) {
            if (writer->high_level != 0 && !is_below_separator(writer, writer->high_level, key)) {
                return descend(ctx, writer, lowest_common_level(writer, key), key);
            }
            *out_is_last = is_last;
            return NQ_OK;
        }
    }
    nq__btree_unplace(writer);
    if (nq_page_ref_is_none(writer->tree->root)) {
        return plant(ctx, writer);
    }
    NQ_TRY(step_to(ctx, writer, writer->tree->root, writer->tree->level));
    return descend(ctx, writer, writer->tree->level, key);
}

/* ---- Put and remove ---- */

/* Frees the overflow pages of the entry at `slot`, if it has any. */
static nq_status drop_value(nq_ctx *ctx, nq_btree_writer *writer, uint16_t slot) {
    bool is_overflow;
    nq_bytes payload = nq_node_payload(writer->pins[0].page, slot, &is_overflow);
    if (!is_overflow) {
        return NQ_OK;
    }
    nq_overflow_ref ref;
    memcpy(&ref, payload.data, sizeof ref);
    return nq__btree_overflow_drop(ctx, writer->pool, writer->source, writer->tree, ref);
}

/* Makes `payload` the entry of the key. */
static nq_status put_payload(nq_ctx *ctx, nq_btree_writer *writer, nq_bytes key, nq_bytes payload,
                             bool is_overflow) {
    bool is_equal = false;
    bool is_last;
    NQ_TRY(place(ctx, writer, key, &is_last));
    const nq_page *leaf = writer->pins[0].page;
    uint16_t slot = is_last ? leaf->slot_count : nq_node_find(leaf, key, &is_equal);
    if (is_equal) {
        NQ_TRY(drop_value(ctx, writer, slot));
        if (nq_node_set_payload(writer->pins[0].page, slot, payload, is_overflow)) {
            return NQ_OK;
        }
        nq_node_remove(writer->pins[0].page, slot);
    } else {
        writer->tree->entry_count++;
    }
    return nq__btree_insert_at(ctx, writer, 0, slot, key, payload, is_overflow);
}

nq_status nq_btree_put(nq_ctx *ctx, nq_btree_writer *writer, nq_bytes key, nq_bytes value) {
    NQ_ASSERT(key.size <= NQ_NODE_KEY_BYTES_MAX && value.size <= NQ_BTREE_VALUE_BYTES_MAX);
    if (value.size <= NQ_NODE_PAYLOAD_BYTES_MAX) {
        return put_payload(ctx, writer, key, value, false);
    }
    nq_overflow_ref ref;
    NQ_TRY(nq__btree_overflow_write(ctx, writer, value, &ref));
    return put_payload(ctx, writer, key, nq_bytes_of(&ref, sizeof ref), true);
}

nq_status nq_btree_bury(nq_ctx *ctx, nq_btree_writer *writer, nq_bytes key) {
    static const nq_overflow_ref nothing = {0};
    return put_payload(ctx, writer, key, nq_bytes_of(&nothing, sizeof nothing), true);
}

nq_status nq_btree_remove(nq_ctx *ctx, nq_btree_writer *writer, nq_bytes key) {
    if (nq_page_ref_is_none(writer->tree->root)) {
        return NQ_OK;
    }
    bool is_equal;
    bool is_last;
    NQ_TRY(place(ctx, writer, key, &is_last));
    uint16_t slot = nq_node_find(writer->pins[0].page, key, &is_equal);
    if (!is_equal) {
        return NQ_OK;
    }
    NQ_TRY(drop_value(ctx, writer, slot));
    nq_node_remove(writer->pins[0].page, slot);
    writer->tree->entry_count--;
    return nq__btree_shrink(ctx, writer, 0);
}
