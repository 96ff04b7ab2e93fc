/* Scan: a range in order, the transaction's own writes merged over its snapshot.
 *
 *   snapshot   a   c   d           cursor over the tree
 *   writes       b   c'  (d gone)  a node of the write set
 *   scan       a b c'
 *
 * Between calls it holds one page of the cache at most, and none when parked. */
#include "engine/ground/base/assert.h"
#include "engine/ground/base/heap.h"
#include "engine/storage/store/txn_internal.h"

enum { KEY_ROOM_BYTES = 16 << 10 }; /* for the keys of a batch */

struct nq_scan {
    nq_txn *txn;
    uint32_t tree;
    bool is_reverse;
    bool is_started;
    bool is_base_returned;  /* the entry the cursor stands at has been returned */
    bool is_write_returned; /* so has the write */
    nq_bytes low, high;     /* data NULL: open */
    const nq_write *write;  /* the next of the transaction's own; NULL: none left */
    nq_btree_cursor cursor;
    nq_long_value value;
    nq_node_list list; /* of the batch; its room stays */
    uint8_t bounds[];  /* low, then high */
};

nq_status nq_scan_open(nq_ctx *ctx, nq_txn *txn, nq_tree_id tree, const nq_scan_range *range,
                       nq_scan **out_scan) {
    *out_scan = NULL;
    nq_txn_tree *found;
    NQ_TRY(nq__txn_get_tree(ctx, txn, tree.value, &found));
    NQ_TRY(nq__txn_note_read(ctx, txn, tree.value, range->low, range->high));
    nq_scan *scan = nq_heap_alloc(sizeof *scan + range->low.size + range->high.size);
    if (scan == NULL) {
        return nq_fail_no_memory(ctx, "a scan");
    }
    memset(scan, 0, offsetof(nq_scan, cursor));
    scan->txn = txn;
    scan->tree = tree.value;
    scan->is_reverse = range->is_reverse;
    scan->value = (nq_long_value){0};
    scan->list = (nq_node_list){0};
    if (range->low.data != NULL) {
        memcpy(scan->bounds, range->low.data, range->low.size);
        scan->low = nq_bytes_of(scan->bounds, range->low.size);
    }
    if (range->high.data != NULL) {
        memcpy(scan->bounds + range->low.size, range->high.data, range->high.size);
        scan->high = nq_bytes_of(scan->bounds + range->low.size, range->high.size);
    }
    nq_btree_cursor_init(&scan->cursor, txn->store->pool, &found->tree);
    txn->scan_count++;
    *out_scan = scan;
    return NQ_OK;
}

void nq_scan_close(nq_scan *scan) {
    if (scan == NULL) {
        return;
    }
    nq_btree_cursor_deinit(&scan->cursor);
    NQ_ASSERT(scan->txn->scan_count != 0);
    scan->txn->scan_count--;
    nq_heap_free(scan->value.data);
    nq_heap_free(scan->list.room);
    nq_heap_free(scan);
}

void nq_scan_park(nq_scan *scan) {
    nq_btree_cursor_park(&scan->cursor);
    if (scan->txn->seat != NULL) {
        nq__reader_leave_seat(scan->txn);
    }
}

/* Whether a key is on the near side of the bound the scan runs towards. */
static inline bool is_within(const nq_scan *scan, nq_bytes key) {
    if (scan->is_reverse) {
        return scan->low.data == NULL || nq_bytes_compare(key, scan->low) >= 0;
    }
    return scan->high.data == NULL || nq_bytes_compare(key, scan->high) < 0;
}

/* The write if it belongs to the scan; else NULL. */
static const nq_write *admit(const nq_scan *scan, const nq_write *write) {
    return write != NULL && write->lock.tree == scan->tree && is_within(scan, write->lock.key)
               ? write
               : NULL;
}

/* The nearest of the transaction's writes from `write` on that says something. */
static const nq_write *skip_silent(const nq_scan *scan, const nq_write *write) {
    write = admit(scan, write);
    while (write != NULL && write->kind == NQ__WRITE_NONE) {
        write = admit(scan, scan->is_reverse ? write->previous : write->next[0]);
    }
    return write;
}

static nq_status start(nq_ctx *ctx, nq_scan *scan) {
    const nq_write_set *writes = &scan->txn->writes;
    const nq_write *write;
    if (!scan->is_reverse) {
        write = nq__write_set_seek(writes, scan->tree, scan->low);
        NQ_TRY(nq_btree_cursor_seek(ctx, &scan->cursor, scan->low));
    } else {
        write = scan->high.data != NULL
                    ? nq__write_set_seek_before(writes, scan->tree, scan->high)
                    : nq__write_set_seek_before(writes, scan->tree + 1, (nq_bytes){0});
        NQ_TRY(nq_btree_cursor_seek_before(ctx, &scan->cursor, scan->high));
    }
    scan->write = skip_silent(scan, write);
    scan->is_started = true;
    return NQ_OK;
}

/* Leaves what the last call returned. */
static nq_status advance(nq_ctx *ctx, nq_scan *scan) {
    if (!scan->is_started) {
        return start(ctx, scan);
    }
    if (scan->is_write_returned) {
        scan->write =
            skip_silent(scan, scan->is_reverse ? scan->write->previous : scan->write->next[0]);
        scan->is_write_returned = false;
    }
    if (scan->is_base_returned) {
        scan->is_base_returned = false;
        return scan->is_reverse ? nq_btree_cursor_previous(ctx, &scan->cursor)
                                : nq_btree_cursor_next(ctx, &scan->cursor);
    }
    return nq_btree_cursor_unpark(ctx, &scan->cursor);
}

static nq_status base_value(nq_ctx *ctx, nq_scan *scan, nq_bytes *out_value) {
    bool is_overflow;
    nq_bytes payload = nq_btree_cursor_payload(&scan->cursor, &is_overflow);
    if (!is_overflow) {
        *out_value = payload;
        return NQ_OK;
    }
    return nq__value_load(ctx, scan->txn->store, payload, &scan->value, out_value);
}

static nq_status return_base(nq_ctx *ctx, nq_scan *scan, nq_bytes key, nq_bytes *out_key,
                             nq_bytes *out_value) {
    scan->is_base_returned = true;
    NQ_TRY(base_value(ctx, scan, out_value));
    *out_key = key;
    return NQ_OK;
}

/* Returns the nearer of the tree's entry and the transaction's write, or what comes after a removed
 * one. */
static nq_status choose(nq_ctx *ctx, nq_scan *scan, nq_bytes *out_key, nq_bytes *out_value) {
    *out_key = (nq_bytes){0};
    *out_value = (nq_bytes){0};
    for (;;) {
        nq_bytes key = {0};
        bool has_base = scan->cursor.is_at_entry;
        if (has_base) {
            key = nq_btree_cursor_key(&scan->cursor);
            has_base = is_within(scan, key);
        }
        if (scan->write == NULL) {
            return has_base ? return_base(ctx, scan, key, out_key, out_value) : NQ_OK;
        }
        int order = !has_base ? -1 : nq_bytes_compare(scan->write->lock.key, key);
        order = has_base && scan->is_reverse ? -order : order;
        if (order > 0) {
            return return_base(ctx, scan, key, out_key, out_value);
        }
        scan->is_write_returned = true;
        scan->is_base_returned = order == 0; /* the write stands over it */
        if (scan->write->kind == NQ__WRITE_PUT) {
            *out_key = scan->write->lock.key;
            *out_value = scan->write->value;
            return NQ_OK;
        }
        NQ_TRY(advance(ctx, scan));
    }
}

nq_status nq_scan_next(nq_ctx *ctx, nq_scan *scan, nq_bytes *out_key, nq_bytes *out_value) {
    *out_key = (nq_bytes){0};
    *out_value = (nq_bytes){0};
    NQ_TRY(advance(ctx, scan));
    return choose(ctx, scan, out_key, out_value);
}

/* ---- Many at once ---- */

/* Up to where the tree's entries need no look at the transaction's writes. */
static nq_btree_stop quiet_until(const nq_scan *scan) {
    if (scan->write != NULL) {
        return (nq_btree_stop){.key = scan->write->lock.key};
    }
    return scan->is_reverse ? (nq_btree_stop){.key = scan->low, .is_inclusive = true}
                            : (nq_btree_stop){.key = scan->high};
}

static nq_status reserve_keys(nq_ctx *ctx, nq_scan *scan) {
    if (scan->list.room != NULL) {
        return NQ_OK;
    }
    scan->list.room = nq_heap_alloc(KEY_ROOM_BYTES);
    scan->list.room_bytes = KEY_ROOM_BYTES;
    return scan->list.room == NULL ? nq_fail_no_memory(ctx, "a scan") : NQ_OK;
}

nq_status nq_scan_next_batch(nq_ctx *ctx, nq_scan *scan, nq_entry *entries, uint32_t count_max,
                             uint32_t *out_count) {
    *out_count = 0;
    NQ_ASSERT(count_max != 0);
    NQ_TRY(reserve_keys(ctx, scan));
    NQ_TRY(advance(ctx, scan));
    if (scan->cursor.is_at_entry) {
        nq_node_list *list = &scan->list;
        list->entries = entries;
        list->count_max = count_max;
        list->count = 0;
        list->room_used = 0;
        nq_btree_stop stop = quiet_until(scan);
        nq_btree_cursor_list(&scan->cursor, &stop, scan->is_reverse, list);
        scan->is_base_returned = list->count != 0;
        *out_count = list->count;
    }
    if (*out_count != 0) {
        return NQ_OK;
    }
    NQ_TRY(choose(ctx, scan, &entries[0].key, &entries[0].value));
    *out_count = entries[0].key.data != NULL ? 1 : 0;
    return NQ_OK;
}
