/* Split: room for an entry that does not fit its node.
 *
 * The left half stays in its page, the right half moves to a new one, and the key between them goes
 * up as the shortest bytes that tell the two apart. A leaf filled at its end keeps its entries, so
 * loads in key order leave full pages. */
#include "engine/ground/base/assert.h"
#include "engine/storage/btree/btree_internal.h"

/* A new root over the old one, which becomes its only child. */
static nq_status grow(nq_ctx *ctx, nq_btree_writer *writer) {
    uint32_t level = writer->tree->level + 1;
    if (level >= NQ_BTREE_LEVELS_MAX) {
        return nq_fail(ctx, NQ_LIMIT_EXCEEDED, "a tree of %u levels cannot grow", level);
    }
    NQ_TRY(nq__btree_page_new(ctx, writer, NQ_PAGE_INTERNAL, &writer->pins[level]));
    nq_page *root = writer->pins[level].page;
    root->level = (uint8_t)level;
    root->link = writer->tree->root;
    writer->positions[level] = 0;
    writer->tree->root = nq_page_ref_of(root);
    writer->tree->level = level;
    return NQ_OK;
}

/* Tells the parent of pins[level] of its new right neighbour. */
static nq_status insert_into_parent(nq_ctx *ctx, nq_btree_writer *writer, uint32_t level,
                                    nq_bytes separator, nq_page_ref right) {
    if (level == writer->tree->level) {
        NQ_TRY(grow(ctx, writer));
    }
    uint16_t slot = writer->positions[level + 1];
    return nq__btree_insert_at(ctx, writer, level + 1, slot, separator,
                               nq_bytes_of(&right, sizeof right), false);
}

/* Tells a parent that has room of a leaf's new right neighbour; the path goes on through whichever
 * of the two has the new entry. False: there is no room, or no parent. */
static bool insert_beside(nq_btree_writer *writer, nq_bytes separator, nq_pin *right,
                          bool is_left) {
    if (writer->tree->level == 0) {
        return false;
    }
    nq_page_ref ref = nq_page_ref_of(right->page);
    uint16_t position = writer->positions[1];
    if (!nq_node_insert(writer->pins[1].page, position, separator, nq_bytes_of(&ref, sizeof ref),
                        false)) {
        return false;
    }
    if (is_left) {
        writer->high_level = 1;
        nq_pool_unpin(writer->pool, right);
    } else {
        writer->low_level = 1;
        writer->positions[1] = (uint16_t)(position + 1);
        nq_pool_unpin(writer->pool, &writer->pins[0]);
        writer->pins[0] = *right;
    }
    return true;
}

static nq_status split_leaf(nq_ctx *ctx, nq_btree_writer *writer, uint16_t slot, nq_bytes key,
                            nq_bytes payload, bool is_overflow) {
    nq_page *left = writer->pins[0].page;
    nq_pin pin;
    NQ_TRY(nq__btree_page_new(ctx, writer, NQ_PAGE_LEAF, &pin));
    nq_page *right = pin.page;
    bool is_left;
    uint16_t at = nq_node_split_point(left, slot, key, payload.size, &is_left);
    nq_node_split(left, at, right);
    nq_page *target = is_left ? left : right;
    bool fits =
        nq_node_insert(target, (uint16_t)(is_left ? slot : slot - at), key, payload, is_overflow);
    NQ_ASSERT(fits);
    (void)fits;
    uint8_t low[NQ_NODE_KEY_BYTES_MAX];
    uint8_t high[NQ_NODE_KEY_BYTES_MAX];
    size_t low_bytes = nq_node_copy_key(left, (uint16_t)(left->slot_count - 1), low);
    size_t high_bytes = nq_node_copy_key(right, 0, high);
    nq_bytes separator = nq_bytes_of(
        high, nq_node_separator_bytes(nq_bytes_of(low, low_bytes), nq_bytes_of(high, high_bytes)));
    if (insert_beside(writer, separator, &pin, is_left)) {
        return NQ_OK;
    }
    nq_page_ref ref = nq_page_ref_of(right);
    nq_pool_unpin(writer->pool, &pin);
    nq_status status = insert_into_parent(ctx, writer, 0, separator, ref);
    nq__btree_unplace(writer);
    return status;
}

/* Splits an inner node at entry `at`, whose key goes up into `out_separator` while its child
 * becomes the right node's leftmost; returns the key's size. */
static size_t split_inner(nq_page *left, uint16_t at, nq_page *right, uint8_t *out_separator) {
    size_t separator_bytes = nq_node_copy_key(left, at, out_separator);
    nq_node_split(left, at, right);
    right->link = nq_node_child(right, 1);
    nq_node_remove(right, 0);
    return separator_bytes;
}

static nq_status split_inner_for(nq_ctx *ctx, nq_btree_writer *writer, uint32_t level,
                                 uint16_t slot, nq_bytes key, nq_bytes payload) {
    nq_page *left = writer->pins[level].page;
    nq_pin pin;
    NQ_TRY(nq__btree_page_new(ctx, writer, NQ_PAGE_INTERNAL, &pin));
    nq_page *right = pin.page;
    right->level = left->level;
    uint8_t separator[NQ_NODE_KEY_BYTES_MAX];
    size_t separator_bytes;
    bool is_left;
    uint16_t at = nq_node_split_point(left, slot, key, payload.size, &is_left);
    bool is_between = at == slot && (!is_left || slot == 0);
    if (is_between) {
        /* The new key itself parts the two. */
        nq_node_split(left, at, right);
        memcpy(&right->link, payload.data, sizeof right->link);
        memcpy(separator, key.data, key.size);
        separator_bytes = key.size;
    } else {
        separator_bytes = split_inner(left, at, right, separator);
        bool fits = is_left ? nq_node_insert(left, slot, key, payload, false)
                            : nq_node_insert(right, (uint16_t)(slot - at - 1), key, payload, false);
        NQ_ASSERT(fits);
        (void)fits;
    }
    nq_page_ref ref = nq_page_ref_of(right);
    nq_pool_unpin(writer->pool, &pin);
    return insert_into_parent(ctx, writer, level, nq_bytes_of(separator, separator_bytes), ref);
}

nq_status nq__btree_insert_at(nq_ctx *ctx, nq_btree_writer *writer, uint32_t level, uint16_t slot,
                              nq_bytes key, nq_bytes payload, bool is_overflow) {
    if (nq_node_insert(writer->pins[level].page, slot, key, payload, is_overflow)) {
        return NQ_OK;
    }
    return level == 0 ? split_leaf(ctx, writer, slot, key, payload, is_overflow)
                      : split_inner_for(ctx, writer, level, slot, key, payload);
}
