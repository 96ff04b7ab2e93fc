/* Shrink: a node that lost entries joins a neighbour, or goes.
 *
 * A node below a quarter is merged with a sibling under the same parent if the two fill at most
 * three quarters of a page; otherwise it stays as it is, since borrowing would copy two pages for
 * little. Only an empty node must go. Every change loses the writer's place. */
#include "engine/storage/btree/btree_internal.h"

enum {
    UNDERFULL_BYTES = NQ_PAGE_BODY_BYTES / 4,
    MERGED_BYTES_MAX = NQ_PAGE_BODY_BYTES / 4 * 3,
};

/* A root of one child hands over to it; an empty leaf leaves an empty tree. */
static nq_status shrink_root(nq_ctx *ctx, nq_btree_writer *writer) {
    nq_tree *tree = writer->tree;
    uint32_t level = tree->level;
    nq_page *root = writer->pins[level].page;
    if (root->slot_count != 0) {
        return NQ_OK;
    }
    if (level == 0) {
        tree->root = NQ_PAGE_REF_NONE;
        writer->is_placed = false;
        return nq__btree_page_drop(ctx, writer, &writer->pins[0]);
    }
    tree->root = root->link;
    tree->level = level - 1;
    return nq__btree_page_drop(ctx, writer, &writer->pins[level]);
}

/* Drops an empty leaf, or an inner node without children, and shrinks what held it. */
static nq_status drop_empty(nq_ctx *ctx, nq_btree_writer *writer, uint32_t level) {
    for (;; level++) {
        if (level == writer->tree->level) {
            writer->tree->root = NQ_PAGE_REF_NONE;
            writer->tree->level = 0;
            nq_status status = nq__btree_page_drop(ctx, writer, &writer->pins[level]);
            nq__btree_unplace(writer);
            return status;
        }
        NQ_TRY(nq__btree_page_drop(ctx, writer, &writer->pins[level]));
        nq_page *parent = writer->pins[level + 1].page;
        if (parent->slot_count != 0) {
            nq_node_remove_child(parent, writer->positions[level + 1]);
            break;
        }
        /* It was an only child: the parent is empty too. */
    }
    return nq__btree_shrink(ctx, writer, level + 1);
}

/* Merges the child right of `position` of the parent into the one at `position`. */
static nq_status merge_children(nq_ctx *ctx, nq_btree_writer *writer, uint32_t level,
                                uint16_t position, bool is_own_left, bool *out_is_merged) {
    *out_is_merged = false;
    nq_page *parent = writer->pins[level + 1].page;
    nq_page_ref sibling_ref =
        nq_node_child(parent, (uint16_t)(is_own_left ? position + 1 : position));
    nq_pin sibling;
    NQ_TRY(nq_pool_pin(ctx, writer->pool, sibling_ref, &sibling));
    const nq_page *own = writer->pins[level].page;
    if (sibling.page->kind != own->kind || sibling.page->level != own->level ||
        nq_node_used_bytes(sibling.page) + nq_node_used_bytes(own) > MERGED_BYTES_MAX) {
        nq_pool_unpin(writer->pool, &sibling);
        return NQ_OK;
    }
    nq_pin right = sibling;
    if (!is_own_left) {
        /* The left sibling takes the path's place and must be owned to be written. */
        right = writer->pins[level];
        writer->pins[level] = sibling;
        writer->positions[level + 1] = position;
        nq_status status = nq__btree_own(ctx, writer, level);
        if (status != NQ_OK) {
            nq_pool_unpin(writer->pool, &right);
            return status;
        }
    }
    uint8_t separator[NQ_NODE_KEY_BYTES_MAX];
    size_t separator_bytes = nq_node_copy_key(parent, position, separator);
    if (!nq_node_merge(writer->pins[level].page, right.page,
                       nq_bytes_of(separator, separator_bytes))) {
        nq_pool_unpin(writer->pool, &right);
        return NQ_OK;
    }
    *out_is_merged = true;
    nq_node_remove_child(parent, (uint16_t)(position + 1));
    return nq__btree_page_drop(ctx, writer, &right);
}

nq_status nq__btree_shrink(nq_ctx *ctx, nq_btree_writer *writer, uint32_t level) {
    nq_page *page = writer->pins[level].page;
    bool is_empty = page->slot_count == 0 && level == 0;
    if (level == writer->tree->level) {
        nq_status status = shrink_root(ctx, writer);
        if (level != 0) {
            nq__btree_unplace(writer);
        }
        return status;
    }
    if (is_empty) {
        nq_status status = drop_empty(ctx, writer, level);
        nq__btree_unplace(writer);
        return status;
    }
    nq_page *parent = writer->pins[level + 1].page;
    if (nq_node_used_bytes(page) >= UNDERFULL_BYTES || parent->slot_count == 0) {
        if (level != 0) {
            nq__btree_unplace(writer);
        }
        return NQ_OK;
    }
    uint16_t position = writer->positions[level + 1];
    bool is_own_left = position < parent->slot_count;
    bool is_merged = false;
    nq_status status =
        merge_children(ctx, writer, level, (uint16_t)(is_own_left ? position : position - 1),
                       is_own_left, &is_merged);
    if (status == NQ_OK && is_merged) {
        status = nq__btree_shrink(ctx, writer, level + 1);
    }
    nq__btree_unplace(writer);
    return status;
}
