/* Legacy cursor: a stack of pages from the root to a leaf. Since each page may be read once, even a
 * hostile file leads to an end. */
#include "engine/storage/upgrade/legacy_cursor.h"

#include "engine/ground/base/heap.h"
#include "engine/storage/page/node.h"
#include "engine/storage/store/store.h"

struct nq_legacy_cursor {
    nq_legacy_file *file;
    nq_tree tree;
    nq_page *path;                           /* path[level]; one more for overflow pages */
    uint32_t positions[NQ_BTREE_LEVELS_MAX]; /* of path[level]: the next slot or child */
    bool is_begun;
    uint64_t entry_count; /* so far */
    size_t key_bytes;
    uint8_t key[NQ_NODE_KEY_BYTES_MAX];
    uint8_t *value;
    size_t value_capacity;
};

static nq_status fail_corrupt(nq_ctx *ctx, uint32_t page, const char *rule) {
    return nq_fail(ctx, NQ_PAGE_CORRUPT, "the old data file's page %u: %s", page, rule);
}

nq_status nq_legacy_cursor_open(nq_ctx *ctx, nq_legacy_file *file, const nq_tree *tree,
                                nq_legacy_cursor **out_cursor) {
    *out_cursor = NULL;
    if (tree->level >= NQ_BTREE_LEVELS_MAX) {
        return fail_corrupt(ctx, tree->root.page, "a tree of too many levels begins there");
    }
    nq_legacy_cursor *cursor = nq_heap_calloc(1, sizeof *cursor);
    if (cursor == NULL) {
        return nq_fail_no_memory(ctx, "an old tree");
    }
    *cursor = (nq_legacy_cursor){.file = file, .tree = *tree};
    cursor->path = nq_heap_calloc((size_t)tree->level + 2, sizeof *cursor->path);
    if (cursor->path == NULL) {
        nq_legacy_cursor_close(cursor);
        return nq_fail_no_memory(ctx, "an old tree");
    }
    *out_cursor = cursor;
    return NQ_OK;
}

void nq_legacy_cursor_close(nq_legacy_cursor *cursor) {
    if (cursor == NULL) {
        return;
    }
    nq_heap_free(cursor->path);
    nq_heap_free(cursor->value);
    nq_heap_free(cursor);
}

/* ---- Nodes ---- */

static nq_status load(nq_ctx *ctx, nq_legacy_cursor *cursor, nq_page_ref ref, uint32_t level) {
    nq_page *page = &cursor->path[level];
    NQ_TRY(nq_legacy_file_read(ctx, cursor->file, ref, page));
    bool is_node = page->kind == (level == 0 ? NQ_PAGE_LEAF : NQ_PAGE_INTERNAL);
    cursor->positions[level] = 0;
    return is_node && page->level == level ? NQ_OK
                                           : fail_corrupt(ctx, ref.page, "a node of another level");
}

/* Goes down from `level`, whose page is loaded, to the next leaf. */
static nq_status descend(nq_ctx *ctx, nq_legacy_cursor *cursor, uint32_t level) {
    for (; level > 0; level--) {
        nq_page_ref child =
            nq_node_child(&cursor->path[level], (uint16_t)cursor->positions[level]++);
        NQ_TRY(load(ctx, cursor, child, level - 1));
    }
    return NQ_OK;
}

/* Stands before the next entry of a leaf; *out_is_end when there is none. */
static nq_status find_leaf(nq_ctx *ctx, nq_legacy_cursor *cursor, bool *out_is_end) {
    *out_is_end = false;
    if (!cursor->is_begun) {
        cursor->is_begun = true;
        *out_is_end = nq_page_ref_is_none(cursor->tree.root);
        if (*out_is_end) {
            return NQ_OK;
        }
        NQ_TRY(load(ctx, cursor, cursor->tree.root, cursor->tree.level));
        NQ_TRY(descend(ctx, cursor, cursor->tree.level));
    } else if (nq_page_ref_is_none(cursor->tree.root)) {
        *out_is_end = true;
        return NQ_OK;
    }
    while (cursor->positions[0] >= cursor->path[0].slot_count) {
        uint32_t level = 1;
        while (level <= cursor->tree.level &&
               cursor->positions[level] > cursor->path[level].slot_count) {
            level++;
        }
        if (level > cursor->tree.level) {
            *out_is_end = true;
            return NQ_OK;
        }
        NQ_TRY(descend(ctx, cursor, level));
    }
    return NQ_OK;
}

/* ---- Entries ---- */

static nq_status take_key(nq_ctx *ctx, nq_legacy_cursor *cursor, const nq_page *leaf,
                          uint16_t slot) {
    uint8_t key[NQ_NODE_KEY_BYTES_MAX];
    size_t bytes = nq_node_copy_key(leaf, slot, key);
    bool ascends =
        cursor->entry_count == 0 ||
        nq_bytes_compare(nq_bytes_of(cursor->key, cursor->key_bytes), nq_bytes_of(key, bytes)) < 0;
    if (!ascends) {
        return fail_corrupt(ctx, leaf->id, "keys do not ascend from the leaf before");
    }
    memcpy(cursor->key, key, bytes);
    cursor->key_bytes = bytes;
    return NQ_OK;
}

static nq_status reserve_value(nq_ctx *ctx, nq_legacy_cursor *cursor, size_t bytes) {
    if (bytes <= cursor->value_capacity) {
        return NQ_OK;
    }
    uint8_t *value = nq_heap_realloc(cursor->value, bytes);
    if (value == NULL) {
        return nq_fail_no_memory(ctx, "an old value");
    }
    cursor->value = value;
    cursor->value_capacity = bytes;
    return NQ_OK;
}

static nq_status read_long_value(nq_ctx *ctx, nq_legacy_cursor *cursor, nq_overflow_ref ref,
                                 nq_bytes *out_value) {
    nq_page *page = &cursor->path[cursor->tree.level + 1];
    size_t bytes = 0;
    if (ref.value_bytes > NQ_STORE_VALUE_BYTES_MAX) {
        return fail_corrupt(ctx, ref.first.page, "a value is too long");
    }
    NQ_TRY(reserve_value(ctx, cursor, ref.value_bytes));
    for (nq_page_ref next = ref.first; bytes < ref.value_bytes; next = page->link) {
        NQ_TRY(nq_legacy_file_read(ctx, cursor->file, next, page));
        if (page->kind != NQ_PAGE_OVERFLOW || page->payload_bytes > ref.value_bytes - bytes) {
            return fail_corrupt(ctx, next.page, "it is no piece of the value that leads to it");
        }
        memcpy(cursor->value + bytes, page->body, page->payload_bytes);
        bytes += page->payload_bytes;
    }
    *out_value = nq_bytes_of(cursor->value, bytes);
    return NQ_OK;
}

static nq_status end(nq_ctx *ctx, const nq_legacy_cursor *cursor) {
    if (cursor->entry_count == cursor->tree.entry_count) {
        return NQ_OK;
    }
    return nq_fail(ctx, NQ_PAGE_CORRUPT,
                   "the old data file's tree at page %u has %llu entries, its directory says %llu",
                   cursor->tree.root.page, (unsigned long long)cursor->entry_count,
                   (unsigned long long)cursor->tree.entry_count);
}

nq_status nq_legacy_cursor_next(nq_ctx *ctx, nq_legacy_cursor *cursor, nq_bytes *out_key,
                                nq_bytes *out_value) {
    *out_key = *out_value = (nq_bytes){0};
    bool is_end;
    NQ_TRY(find_leaf(ctx, cursor, &is_end));
    if (is_end) {
        return end(ctx, cursor);
    }
    const nq_page *leaf = &cursor->path[0];
    uint16_t slot = (uint16_t)cursor->positions[0]++;
    bool is_overflow;
    nq_bytes value = nq_node_payload(leaf, slot, &is_overflow);
    NQ_TRY(take_key(ctx, cursor, leaf, slot));
    if (is_overflow) {
        nq_overflow_ref ref;
        memcpy(&ref, value.data, sizeof ref);
        NQ_TRY(read_long_value(ctx, cursor, ref, &value));
    }
    cursor->entry_count++;
    *out_key = nq_bytes_of(cursor->key, cursor->key_bytes);
    *out_value = value;
    return NQ_OK;
}

/* ---- All trees ---- */

static nq_status add_tree(nq_ctx *ctx, nq_legacy_trees *trees, size_t *io_capacity, nq_bytes key,
                          nq_bytes value, uint32_t next_tree) {
    uint32_t big_endian;
    if (key.size != sizeof big_endian || value.size != sizeof(nq_tree)) {
        return nq_fail(ctx, NQ_PAGE_CORRUPT,
                       "the old data file's directory has an entry that is "
                       "no tree");
    }
    memcpy(&big_endian, key.data, sizeof big_endian);
    nq_legacy_tree tree = {.id = __builtin_bswap32(big_endian)};
    memcpy(&tree.tree, value.data, sizeof tree.tree);
    if (tree.id == 0 || tree.id >= next_tree) {
        return nq_fail(ctx, NQ_PAGE_CORRUPT, "the old data file's directory has a tree %u of %u",
                       tree.id, next_tree);
    }
    if (trees->count == *io_capacity) {
        *io_capacity = *io_capacity * 2 + 64;
        void *items = nq_heap_realloc(trees->items, *io_capacity * sizeof *trees->items);
        if (items == NULL) {
            return nq_fail_no_memory(ctx, "the list of old trees");
        }
        trees->items = items;
    }
    trees->items[trees->count++] = tree;
    return NQ_OK;
}

nq_status nq_legacy_trees_read(nq_ctx *ctx, nq_legacy_file *file, nq_legacy_trees *out_trees) {
    *out_trees = (nq_legacy_trees){0};
    const nq_legacy_superblock *superblock = nq_legacy_file_superblock(file);
    const nq_tree directory = {.root = superblock->directory,
                               .level = superblock->directory_level,
                               .entry_count = superblock->directory_entry_count};
    nq_legacy_cursor *cursor;
    size_t capacity = 0;
    nq_bytes key;
    nq_bytes value;
    NQ_TRY(nq_legacy_cursor_open(ctx, file, &directory, &cursor));
    nq_status status = nq_legacy_cursor_next(ctx, cursor, &key, &value);
    while (status == NQ_OK && key.data != NULL) {
        NQ_CHECK(add_tree(ctx, out_trees, &capacity, key, value, superblock->next_tree));
        status = nq_legacy_cursor_next(ctx, cursor, &key, &value);
    }
done:
    nq_legacy_cursor_close(cursor);
    return status;
}

void nq_legacy_trees_deinit(nq_legacy_trees *trees) {
    nq_heap_free(trees->items);
    *trees = (nq_legacy_trees){0};
}
