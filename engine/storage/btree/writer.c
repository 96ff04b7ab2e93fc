/* Writer: one commit's changes to one tree.
 *
 * The path from the root to a leaf is pinned and owned: every page on it is of the writer's
 * generation, made by copying the old one, whose reference in the parent is changed on the way
 * down. The leaf's bounds are kept, so that the next key of a sorted batch usually needs no
 * descent. */
#include "engine/storage/btree/btree_internal.h"

#include "engine/ground/base/assert.h"
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

nq_status nq__btree_own(nq_ctx *ctx, nq_btree_writer *writer, uint32_t level) {
    nq_pin *pin = &writer->pins[level];
    if (pin->page->generation == writer->generation) {
        nq_pool_mark_dirty(writer->pool, *pin);
        return NQ_OK;
    }
    nq_page_id id;
    nq_pin copy;
    NQ_TRY(writer->source->take(ctx, writer->source->user, &id));
    NQ_TRY(nq_pool_pin_copy(ctx, writer->pool, id, writer->generation, pin->page, &copy));
    writer->tree->page_count++;
    nq_pin old = *pin;
    *pin = copy;
    set_parent_ref(writer, level, nq_page_ref_of(copy.page));
    return nq__btree_page_drop(ctx, writer, &old);
}

/* ---- Finding the place ---- */

static bool is_in_bounds(const nq_btree_writer *writer, nq_bytes key) {
    return nq_bytes_compare(key, nq_bytes_of(writer->low, writer->low_bytes)) >= 0 &&
           (!writer->has_high ||
            nq_bytes_compare(key, nq_bytes_of(writer->high, writer->high_bytes)) < 0);
}

/* The first leaf of an empty tree. */
static nq_status plant(nq_ctx *ctx, nq_btree_writer *writer) {
    NQ_TRY(nq__btree_page_new(ctx, writer, NQ_PAGE_LEAF, &writer->pins[0]));
    writer->tree->root = nq_page_ref_of(writer->pins[0].page);
    writer->tree->level = 0;
    return NQ_OK;
}

/* Leads the path to the leaf of `key`, owning every page on it. */
static nq_status place(nq_ctx *ctx, nq_btree_writer *writer, nq_bytes key) {
    if (writer->is_placed && is_in_bounds(writer, key)) {
        return NQ_OK;
    }
    nq__btree_unplace(writer);
    writer->low_bytes = 0;
    writer->has_high = false;
    if (nq_page_ref_is_none(writer->tree->root)) {
        NQ_TRY(plant(ctx, writer));
        writer->is_placed = true;
        return NQ_OK;
    }
    nq_page_ref ref = writer->tree->root;
    for (uint32_t level = writer->tree->level;; level--) {
        NQ_TRY(nq_pool_pin(ctx, writer->pool, ref, &writer->pins[level]));
        const nq_page *page = writer->pins[level].page;
        if (page->level != level || (page->kind == NQ_PAGE_LEAF) != (level == 0)) {
            return nq_fail(ctx, NQ_PAGE_CORRUPT, "page %u: its level is not its parent's less one",
                           page->id);
        }
        NQ_TRY(nq__btree_own(ctx, writer, level));
        if (level == 0) {
            break;
        }
        page = writer->pins[level].page;
        uint16_t position = nq_node_find_child(page, key);
        writer->positions[level] = position;
        /* Deeper separators are tighter bounds. */
        if (position > 0) {
            writer->low_bytes =
                (uint16_t)nq_node_copy_key(page, (uint16_t)(position - 1), writer->low);
        }
        if (position < page->slot_count) {
            writer->high_bytes = (uint16_t)nq_node_copy_key(page, position, writer->high);
            writer->has_high = true;
        }
        ref = nq_node_child(page, position);
    }
    writer->is_placed = true;
    return NQ_OK;
}

/* The slot of `key` in the leaf; keys in ascending order find it at the end at once. */
static uint16_t find_slot(const nq_page *leaf, nq_bytes key, bool *out_is_equal) {
    uint16_t count = leaf->slot_count;
    *out_is_equal = false;
    if (count != 0 && nq_node_compare(leaf, (uint16_t)(count - 1), key) < 0) {
        return count;
    }
    return nq_node_find(leaf, key, out_is_equal);
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

nq_status nq_btree_put(nq_ctx *ctx, nq_btree_writer *writer, nq_bytes key, nq_bytes value) {
    NQ_ASSERT(key.size <= NQ_NODE_KEY_BYTES_MAX && value.size <= NQ_BTREE_VALUE_BYTES_MAX);
    NQ_TRY(place(ctx, writer, key));
    bool is_equal;
    uint16_t slot = find_slot(writer->pins[0].page, key, &is_equal);
    bool is_overflow = value.size > NQ_NODE_PAYLOAD_BYTES_MAX;
    nq_overflow_ref ref;
    if (is_equal) {
        NQ_TRY(drop_value(ctx, writer, slot));
    }
    if (is_overflow) {
        NQ_TRY(nq__btree_overflow_write(ctx, writer, value, &ref));
        value = nq_bytes_of(&ref, sizeof ref);
    }
    if (!is_equal) {
        writer->tree->entry_count++;
    } else if (nq_node_set_payload(writer->pins[0].page, slot, value, is_overflow)) {
        return NQ_OK;
    } else {
        nq_node_remove(writer->pins[0].page, slot);
    }
    return nq__btree_insert_at(ctx, writer, 0, slot, key, value, is_overflow);
}

nq_status nq_btree_remove(nq_ctx *ctx, nq_btree_writer *writer, nq_bytes key) {
    if (nq_page_ref_is_none(writer->tree->root)) {
        return NQ_OK;
    }
    NQ_TRY(place(ctx, writer, key));
    bool is_equal;
    uint16_t slot = nq_node_find(writer->pins[0].page, key, &is_equal);
    if (!is_equal) {
        return NQ_OK;
    }
    NQ_TRY(drop_value(ctx, writer, slot));
    nq_node_remove(writer->pins[0].page, slot);
    writer->tree->entry_count--;
    return nq__btree_shrink(ctx, writer, 0);
}
