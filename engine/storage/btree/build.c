/* Build: a whole tree from its entries in key order, from the leaves up.
 *
 *   adding ---> [leaf being filled] --full--> its page, and its reference
 *                                                |  with the key that parts it from the one before
 *               [inner node being filled] <------+
 *                       |  full
 *               [the one above] ...
 *
 * Each node is filled in memory of its own and is handed over when it is complete, as are the pages
 * of long values: nobody else ever sees a page that will still change. */
#include "engine/ground/base/heap.h"
#include "engine/storage/btree/btree_internal.h"

/* A twentieth is left free, so that the first changes to a loaded tree need not split. */
enum { FILL_BYTES = NQ_PAGE_BODY_BYTES / 20 * 19 };

/* The node being filled at one level. */
typedef struct nq_build_level {
    nq_page node;
    bool is_begun;     /* has an entry, or a first child */
    uint32_t low_size; /* of the key that parts it from its left neighbour */
    uint8_t low[NQ_NODE_KEY_BYTES_MAX];
} nq_build_level;

struct nq_btree_builder {
    nq_tree tree;
    nq_page_sink sink;
    uint64_t generation;
    uint32_t level_count;
    nq_build_level *levels[NQ_BTREE_LEVELS_MAX];
    nq_page piece; /* of a long value */
    uint32_t last_size;
    uint8_t last[NQ_NODE_KEY_BYTES_MAX]; /* the newest key */
};

/* ---- Life ---- */

static nq_status add_level(nq_ctx *ctx, nq_btree_builder *builder) {
    uint32_t level = builder->level_count;
    if (level == NQ_BTREE_LEVELS_MAX) {
        return nq_fail(ctx, NQ_DISK_FULL, "a tree of %u levels cannot grow", level);
    }
    builder->levels[level] = nq_heap_alloc(sizeof *builder->levels[level]);
    if (builder->levels[level] == NULL) {
        return nq_fail_no_memory(ctx, "building a tree");
    }
    builder->levels[level]->is_begun = false;
    builder->levels[level]->low_size = 0;
    builder->level_count++;
    return NQ_OK;
}

nq_status nq_btree_builder_create(nq_ctx *ctx, const nq_page_sink *sink, uint64_t generation,
                                  nq_btree_builder **out_builder) {
    *out_builder = NULL;
    nq_btree_builder *builder = nq_heap_calloc(1, sizeof *builder);
    if (builder == NULL) {
        return nq_fail_no_memory(ctx, "building a tree");
    }
    builder->sink = *sink;
    builder->generation = generation;
    nq_status status = add_level(ctx, builder);
    if (status != NQ_OK) {
        nq_btree_builder_destroy(builder);
        return status;
    }
    *out_builder = builder;
    return NQ_OK;
}

void nq_btree_builder_destroy(nq_btree_builder *builder) {
    if (builder == NULL) {
        return;
    }
    for (uint32_t i = 0; i < builder->level_count; i++) {
        nq_heap_free(builder->levels[i]);
    }
    nq_heap_free(builder);
}

/* ---- Pages ---- */

/* Gives a page that is complete its name and hands it over. */
static nq_status complete(nq_ctx *ctx, nq_btree_builder *builder, nq_page *page,
                          nq_page_ref *out_ref) {
    nq_page_id id;
    NQ_TRY(builder->sink.take(ctx, builder->sink.user, &id));
    page->id = id.value;
    NQ_TRY(builder->sink.write(ctx, builder->sink.user, page));
    builder->tree.page_count++;
    *out_ref = nq_page_ref_of(page);
    return NQ_OK;
}

/* From the last piece to the first, as the writer does. */
static nq_status write_long(nq_ctx *ctx, nq_btree_builder *builder, nq_bytes value,
                            nq_overflow_ref *out_ref) {
    nq_page *piece = &builder->piece;
    nq_page_ref next = NQ_PAGE_REF_NONE;
    size_t end = value.size;
    while (end != 0) {
        nq_page_init(piece, (nq_page_id){0}, builder->generation, NQ_PAGE_OVERFLOW);
        nq__btree_overflow_fill(piece, value, &end, next);
        NQ_TRY(complete(ctx, builder, piece, &next));
        builder->tree.overflow_page_count++;
    }
    *out_ref = (nq_overflow_ref){(uint32_t)value.size, next};
    return NQ_OK;
}

/* ---- Nodes ---- */

/* Begins the next node of a level; `low` parts it from the one before. */
static void begin(nq_btree_builder *builder, uint32_t level, nq_bytes low, nq_bytes prefix) {
    nq_build_level *at = builder->levels[level];
    nq_page_kind kind = level == 0 ? NQ_PAGE_LEAF : NQ_PAGE_INTERNAL;
    nq_page_init(&at->node, (nq_page_id){0}, builder->generation, kind);
    at->node.level = (uint8_t)level;
    nq_node_start(&at->node, prefix);
    at->is_begun = true;
    at->low_size = (uint32_t)low.size;
    if (low.size != 0) {
        memcpy(at->low, low.data, low.size);
    }
}

/* Appends an entry. False: the node is as full as it shall be. */
static bool append(nq_page *node, nq_bytes key, nq_bytes payload, bool is_overflow) {
    size_t rest_bytes = key.size > node->prefix_bytes ? key.size - node->prefix_bytes : 0;
    uint32_t bytes =
        (uint32_t)(NQ_NODE_SLOT_BYTES + NQ_NODE_CELL_HEADER_BYTES + rest_bytes + payload.size);
    if (node->slot_count > 1 && nq_node_used_bytes(node) + bytes > FILL_BYTES) {
        uint16_t before = node->prefix_bytes;
        nq_node_tighten(node);
        if (node->prefix_bytes == before || nq_node_used_bytes(node) + bytes > FILL_BYTES) {
            return false;
        }
    }
    return nq_node_insert(node, node->slot_count, key, payload, is_overflow);
}

/* Completes the node of a level and makes it the newest child of the one above. */
static nq_status hand_up(nq_ctx *ctx, nq_btree_builder *builder, uint32_t level) {
    if (level + 1 == builder->level_count) {
        NQ_TRY(add_level(ctx, builder));
    }
    nq_build_level *child = builder->levels[level];
    nq_build_level *parent = builder->levels[level + 1];
    nq_bytes low = nq_bytes_of(child->low, child->low_size);
    nq_page_ref ref;
    NQ_TRY(complete(ctx, builder, &child->node, &ref));
    if (parent->is_begun) {
        if (append(&parent->node, low, nq_bytes_of(&ref, sizeof ref), false)) {
            return NQ_OK;
        }
        NQ_TRY(hand_up(ctx, builder, level + 1));
    }
    begin(builder, level + 1, low, (nq_bytes){0});
    parent->node.link = ref;
    return NQ_OK;
}

/* ---- Entries ---- */

static nq_status check_limits(nq_ctx *ctx, nq_bytes key, nq_bytes value) {
    if (key.size > NQ_NODE_KEY_BYTES_MAX) {
        return nq_fail(ctx, NQ_LIMIT_EXCEEDED, "a key of %zu bytes is longer than %d", key.size,
                       NQ_NODE_KEY_BYTES_MAX);
    }
    if (value.size > NQ_BTREE_VALUE_BYTES_MAX) {
        return nq_fail(ctx, NQ_LIMIT_EXCEEDED, "a value of %zu bytes is longer than %d", value.size,
                       NQ_BTREE_VALUE_BYTES_MAX);
    }
    return NQ_OK;
}

static nq_status check_order(nq_ctx *ctx, const nq_btree_builder *builder, nq_bytes key) {
    if (builder->tree.entry_count == 0) {
        return NQ_OK;
    }
    int order = nq_bytes_compare(nq_bytes_of(builder->last, builder->last_size), key);
    if (order < 0) {
        return NQ_OK;
    }
    unsigned long long number = builder->tree.entry_count + 1;
    return order == 0 ? nq_fail(ctx, NQ_UNIQUE_VIOLATION,
                                "row %llu of a load has the key of the row before", number)
                      : nq_fail(ctx, NQ_INVALID_ARGUMENT,
                                "row %llu of a load has a lesser key than the row before: rows are "
                                "loaded in ascending order of their keys",
                                number);
}

/* Begins the leaf after the one that is full with the key that did not fit it. */
static nq_status begin_next_leaf(nq_ctx *ctx, nq_btree_builder *builder, nq_bytes key) {
    const nq_build_level *leaf = builder->levels[0];
    nq_bytes last = nq_bytes_of(builder->last, builder->last_size);
    size_t low_bytes = nq_node_separator_bytes(last, key);
    /* Most likely its keys share what those of the last one did. */
    size_t prefix_bytes = leaf->node.prefix_bytes;
    prefix_bytes = prefix_bytes < low_bytes ? prefix_bytes : low_bytes - 1;
    NQ_TRY(hand_up(ctx, builder, 0));
    begin(builder, 0, nq_bytes_of(key.data, low_bytes), nq_bytes_of(key.data, prefix_bytes));
    return NQ_OK;
}

nq_status nq_btree_builder_add(nq_ctx *ctx, nq_btree_builder *builder, nq_bytes key,
                               nq_bytes value) {
    NQ_TRY(check_limits(ctx, key, value));
    NQ_TRY(check_order(ctx, builder, key));
    bool is_overflow = value.size > NQ_NODE_PAYLOAD_BYTES_MAX;
    nq_overflow_ref ref;
    if (is_overflow) {
        NQ_TRY(write_long(ctx, builder, value, &ref));
        value = nq_bytes_of(&ref, sizeof ref);
    }
    nq_build_level *leaf = builder->levels[0];
    if (!leaf->is_begun) {
        begin(builder, 0, (nq_bytes){0}, (nq_bytes){0});
    }
    if (!append(&leaf->node, key, value, is_overflow)) {
        NQ_TRY(begin_next_leaf(ctx, builder, key));
        (void)append(&leaf->node, key, value, is_overflow); /* an empty node has room for any */
    }
    builder->tree.entry_count++;
    builder->last_size = (uint32_t)key.size;
    if (key.size != 0) {
        memcpy(builder->last, key.data, key.size);
    }
    return NQ_OK;
}

nq_status nq_btree_builder_finish(nq_ctx *ctx, nq_btree_builder *builder, nq_tree *out_tree) {
    *out_tree = (nq_tree){0};
    if (builder->tree.entry_count == 0) {
        return NQ_OK;
    }
    uint32_t level = 0;
    for (; level + 1 < builder->level_count; level++) {
        NQ_TRY(hand_up(ctx, builder, level));
    }
    NQ_TRY(complete(ctx, builder, &builder->levels[level]->node, &builder->tree.root));
    builder->tree.level = level;
    *out_tree = builder->tree;
    return NQ_OK;
}
