/* B+tree: ordered byte keys and values over pages, copied on write.
 *
 * A tree is a value (nq_tree): its root and its counts as of one version. Whoever holds the value
 * of a published version reads it without locks for as long as the version's pages are kept. A
 * commit changes a tree through a writer, which copies every page of an older generation before it
 * changes it, and leaves the old value readable. Leaves are not linked: a neighbour is found
 * through the parents, whose references never go stale within a version. */
#ifndef NQ_STORAGE_BTREE_BTREE_H
#define NQ_STORAGE_BTREE_BTREE_H

#include "engine/storage/buffer/pool.h"
#include "engine/storage/page/node.h"

enum {
    NQ_BTREE_LEVELS_MAX = 16,
    NQ_BTREE_VALUE_BYTES_MAX = 16 << 20,
};

/* A tree as of one version; stored as is, in the tree of trees. */
typedef struct nq_tree {
    nq_page_ref root; /* none: empty */
    uint32_t level;   /* of the root; 0: a leaf, or empty */
    uint32_t zero;
    uint64_t entry_count;
    uint64_t page_count;          /* nodes and overflow pages */
    uint64_t overflow_page_count; /* of these */
} nq_tree;

static_assert(sizeof(nq_tree) == 40, "stored as is");

/* ---- Reading ---- */

/* An entry found: its leaf pinned until nq_btree_entry_release. */
typedef struct nq_btree_entry {
    nq_pin pin;       /* page NULL: absent */
    nq_bytes payload; /* the value, or an nq_overflow_ref */
    bool is_overflow;
} nq_btree_entry;

nq_status nq_btree_find(nq_ctx *ctx, nq_pool *pool, const nq_tree *tree, nq_bytes key,
                        nq_btree_entry *out_entry);

static inline void nq_btree_entry_release(nq_pool *pool, nq_btree_entry *entry) {
    nq_pool_unpin(pool, &entry->pin);
}

/* Whether nothing at this key was changed after `generation`, at which the tree was not empty;
 * false when that is not known without comparing. */
nq_status nq_btree_is_unchanged_since(nq_ctx *ctx, nq_pool *pool, const nq_tree *tree, nq_bytes key,
                                      uint64_t generation, bool *out_is_unchanged);

/* The same without a pin: the payload is copied to `room`, NQ_NODE_PAYLOAD_BYTES_MAX of it.
 * out_payload->data is NULL when the key is absent. */
nq_status nq_btree_find_copy(nq_ctx *ctx, nq_pool *pool, const nq_tree *tree, nq_bytes key,
                             uint8_t *room, nq_bytes *out_payload, bool *out_is_overflow);

/* How long the value of an entry is. */
size_t nq_btree_value_bytes(nq_bytes payload, bool is_overflow);

/* Copies the value of an entry to `out_value` (nq_btree_value_bytes of room). */
nq_status nq_btree_copy_value(nq_ctx *ctx, nq_pool *pool, nq_bytes payload, bool is_overflow,
                              uint8_t *out_value);

/* Walks a version in key order, both ways. Borrowed keys and payloads last until the next call. */
typedef struct nq_btree_step {
    nq_page_ref ref;
    uint16_t position; /* of the child taken */
    uint16_t slot_count;
} nq_btree_step;

typedef struct nq_btree_cursor {
    nq_pool *pool;
    nq_tree tree;
    nq_btree_step path[NQ_BTREE_LEVELS_MAX]; /* path[level], the leaf at 0 */
    nq_pin leaf;                             /* not pinned while parked */
    nq_page_ref neighbour;                   /* the leaf it will come to next, if known */
    uint16_t slot;
    bool is_at_entry;
    bool is_leaf_new;      /* nothing of it has been listed */
    uint16_t prefix_bytes; /* of the leaf, already in key_buffer */
    uint8_t key_buffer[NQ_NODE_KEY_BYTES_MAX];
} nq_btree_cursor;

void nq_btree_cursor_init(nq_btree_cursor *cursor, nq_pool *pool, const nq_tree *tree);
void nq_btree_cursor_deinit(nq_btree_cursor *cursor);

/* To the first entry >= `key`, or behind the last. */
nq_status nq_btree_cursor_seek(nq_ctx *ctx, nq_btree_cursor *cursor, nq_bytes key);

/* To the last entry < `key` (NULL data: the last of all), or before the first. */
nq_status nq_btree_cursor_seek_before(nq_ctx *ctx, nq_btree_cursor *cursor, nq_bytes key);

nq_status nq_btree_cursor_next(nq_ctx *ctx, nq_btree_cursor *cursor);
nq_status nq_btree_cursor_previous(nq_ctx *ctx, nq_btree_cursor *cursor);

/* The entry it stands at; only while is_at_entry and not parked. */
nq_bytes nq_btree_cursor_key(nq_btree_cursor *cursor);
nq_bytes nq_btree_cursor_payload(const nq_btree_cursor *cursor, bool *out_is_overflow);

/* Lets go of the leaf; the next call pins it again. */
void nq_btree_cursor_park(nq_btree_cursor *cursor);
nq_status nq_btree_cursor_unpark(nq_ctx *ctx, nq_btree_cursor *cursor);

/* Where a scan ends, in its direction; data NULL: nowhere. */
typedef struct nq_btree_stop {
    nq_bytes key;
    bool is_inclusive;
} nq_btree_stop;

/* Lists the entry it stands at and those that follow in the leaf, up to `stop`, as far as `list`
 * has room and none is long; stands at the last of them then. Lists nothing when it stands beyond
 * the stop, or at a long value. Only while is_at_entry and not parked; what is listed is borrowed
 * until the next call. */
void nq_btree_cursor_list(nq_btree_cursor *cursor, const nq_btree_stop *stop, bool is_reverse,
                          nq_node_list *list);

/* Keys in ascending order, of which some may be equal. */
typedef struct nq_btree_keys {
    const void *user;
    nq_bytes (*at)(const void *user, uint32_t index);
    uint32_t count;
} nq_btree_keys;

/* A leaf, and the first of some keys that belong there. */
typedef struct nq_btree_leaf {
    nq_page_ref ref;
    uint32_t first_key;
} nq_btree_leaf;

/* The leaves where keys belong, in order, without reading them; `out_leaves` has room for as many
 * as there are keys. */
nq_status nq_btree_list_leaves(nq_ctx *ctx, nq_pool *pool, const nq_tree *tree,
                               const nq_btree_keys *keys, nq_btree_leaf *out_leaves,
                               uint32_t *out_count);

/* Whether two versions of a tree hold the same entries with low <= key < high (NULL data: open).
 * Shared leaves are skipped, so the cost is that of what differs. A long value written anew counts
 * as different. */
nq_status nq_btree_range_is_equal(nq_ctx *ctx, nq_pool *pool, const nq_tree *left,
                                  const nq_tree *right, nq_bytes low, nq_bytes high,
                                  bool *out_is_equal);

/* ---- Writing ---- */

/* Where a writer's pages come from and go to. */
typedef struct nq_page_source {
    void *user;
    nq_status (*take)(nq_ctx *ctx, void *user, nq_page_id *out_page);
    /* The page, of generation `birth` (0: an unknown older one), is no longer part of the version.
     */
    nq_status (*give)(nq_ctx *ctx, void *user, nq_page_id page, uint64_t birth);
    bool is_old_unread; /* nobody reads what is replaced: it need not stay in memory */
} nq_page_source;

/* Changes one tree on behalf of one generation. Keeps its place, so keys in order are cheap. After
 * a failure the tree is only good for being forgotten, with every page taken. */
typedef struct nq_btree_writer {
    nq_pool *pool;
    const nq_page_source *source;
    nq_tree *tree;
    uint64_t generation;
    nq_pin pins[NQ_BTREE_LEVELS_MAX];        /* pins[level]: the path, all of this generation */
    uint16_t positions[NQ_BTREE_LEVELS_MAX]; /* positions[level]: which child of pins[level] */
    bool is_placed;                          /* the path leads to a leaf */
    uint32_t low_level;  /* the leaf's keys are >= entry positions[low_level] - 1 of that node */
    uint32_t high_level; /* and < entry positions[high_level] of that one; 0: open */
} nq_btree_writer;

void nq_btree_writer_init(nq_btree_writer *writer, nq_pool *pool, const nq_page_source *source,
                          uint64_t generation, nq_tree *tree);
void nq_btree_writer_deinit(nq_btree_writer *writer);

/* Inserts or replaces. */
nq_status nq_btree_put(nq_ctx *ctx, nq_btree_writer *writer, nq_bytes key, nq_bytes value);

/* Puts a tombstone, which says that the key was removed from another tree: a long value of no
 * bytes, as no put makes one. */
nq_status nq_btree_bury(nq_ctx *ctx, nq_btree_writer *writer, nq_bytes key);

static inline bool nq_btree_is_tombstone(nq_bytes payload, bool is_overflow) {
    return is_overflow && nq_btree_value_bytes(payload, true) == 0;
}

/* Removing an absent key is allowed. */
nq_status nq_btree_remove(nq_ctx *ctx, nq_btree_writer *writer, nq_bytes key);

/* Where a builder's pages go. */
typedef struct nq_page_sink {
    void *user;
    nq_status (*take)(nq_ctx *ctx, void *user, nq_page_id *out_page);
    /* The page is complete: it is not handed over twice. Borrowed during the call. */
    nq_status (*write)(nq_ctx *ctx, void *user, const nq_page *page);
} nq_page_sink;

/* Builds a new tree from entries in ascending order, whose pages it fills to about 95 %, in memory
 * for one node a level. Pages are of `generation`; `sink` is copied.
 *
 * An entry that is refused changes nothing, and others may follow: with NQ_UNIQUE_VIOLATION a key
 * like the one before, with NQ_INVALID_ARGUMENT one that is less, with NQ_LIMIT_EXCEEDED a key or
 * value that is too long. After any other failure, and after finish, the builder is only good for
 * being destroyed; which pages it took is for the sink to know. */
typedef struct nq_btree_builder nq_btree_builder;
nq_status nq_btree_builder_create(nq_ctx *ctx, const nq_page_sink *sink, uint64_t generation,
                                  nq_btree_builder **out_builder);
nq_status nq_btree_builder_add(nq_ctx *ctx, nq_btree_builder *builder, nq_bytes key,
                               nq_bytes value);
nq_status nq_btree_builder_finish(nq_ctx *ctx, nq_btree_builder *builder, nq_tree *out_tree);
/* NULL is allowed. */
void nq_btree_builder_destroy(nq_btree_builder *builder);

/* Gives back every page of a tree, which becomes empty. */
nq_status nq_btree_drop(nq_ctx *ctx, nq_pool *pool, const nq_page_source *source, nq_tree *tree);

/* ---- Checking ---- */

/* Checks order, fences, levels, counts and the disk's copy of every page; `visit` is called once
 * for each page reference and may fail. */
nq_status nq_btree_verify(nq_ctx *ctx, nq_pool *pool, const nq_tree *tree,
                          nq_status (*visit)(nq_ctx *ctx, void *user, nq_page_ref ref), void *user);

/* ---- Warming ---- */

enum { NQ_BTREE_WARM_MAX = 2 * NQ_PAGER_AHEAD_MAX };

/* For keys that do not descend, of one tree. */
typedef struct nq_btree_warmer {
    nq_pool *pool;
    nq_tree tree;
    bool is_placed;     /* the next four say where the leaf fetched last is */
    bool is_last_leaf;  /* of the tree */
    bool is_last_child; /* of its parent */
    uint16_t position;  /* in its parent */
    nq_page_ref parent;
    uint32_t missing_count; /* leaves that are not in memory, */
    uint32_t asked_count;   /* and of these, asked of the disk */
    nq_page_ref missing[NQ_BTREE_WARM_MAX];
} nq_btree_warmer;

void nq_btree_warmer_init(nq_btree_warmer *warmer, nq_pool *pool, const nq_tree *tree);

/* Has the leaf where `key` belongs begun to be fetched. What fails will fail again when the leaf is
 * needed. */
void nq_btree_warm(nq_ctx *ctx, nq_btree_warmer *warmer, nq_bytes key);

/* Reads the leaves that were not in memory, up to NQ_BTREE_WARM_MAX of them. */
void nq_btree_warmer_finish(nq_ctx *ctx, nq_btree_warmer *warmer);

#endif
