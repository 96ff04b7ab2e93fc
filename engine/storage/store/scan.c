/* Scan: a range in order, the transaction's own writes merged over its snapshot.
 *
 *   snapshot   a   c   d           cursor over the tree
 *   own          b   c'  (d gone)  cursor over the transaction's writes
 *   scan       a b c'
 *
 * Own entries are copied out, because the transaction may write, and its writes leave memory, while
 * they are borrowed. Between calls a scan holds two pages of the cache at most, and none when
 * parked. */
#include "engine/ground/base/assert.h"
#include "engine/ground/base/heap.h"
#include "engine/storage/store/txn_internal.h"

enum { KEY_ROOM_BYTES = 16 << 10 }; /* for the keys of a batch */

struct nq_scan {
    nq_txn *txn;
    nq_scan *next; /* of the transaction's that are open */
    nq_scan **link;
    bool is_reverse;
    bool is_started;
    bool is_base_returned; /* the entry the cursor stands at has been returned */
    bool is_own_returned;  /* so has the own write */
    uint64_t spill_epoch;  /* that `own` was sought in */
    nq_bytes low, high;    /* data NULL: open */
    nq_bytes last;         /* the key returned last */
    nq_own_cursor own;
    nq_btree_cursor cursor;
    nq_long_value value; /* a long one, or an own one */
    nq_node_list list;   /* of the batch; its room stays */
    uint8_t own_key[NQ_STORE_KEY_BYTES_MAX];
    uint8_t bounds[]; /* low, then high */
};

nq_status nq_scan_open(nq_ctx *ctx, nq_txn *txn, nq_tree_id tree, const nq_scan_range *range,
                       nq_scan **out_scan) {
    *out_scan = NULL;
    nq_txn_tree *found;
    NQ_TRY(nq__backlog_prepare_read(ctx, txn, tree.value));
    NQ_TRY(nq__txn_get_tree(ctx, txn, tree.value, &found));
    NQ_TRY(nq__txn_note_read(ctx, txn, tree.value, range->low, range->high));
    nq_scan *scan = nq_heap_alloc(sizeof *scan + range->low.size + range->high.size);
    if (scan == NULL) {
        return nq_fail_no_memory(ctx, "a scan");
    }
    memset(scan, 0, offsetof(nq_scan, cursor));
    scan->txn = txn;
    scan->is_reverse = range->is_reverse;
    scan->value = (nq_long_value){0};
    scan->list = (nq_node_list){0};
    nq__own_cursor_init(&scan->own, txn, tree.value, range->is_reverse);
    scan->own.backlog = nq__backlog_share(txn);
    if (range->low.data != NULL) {
        memcpy(scan->bounds, range->low.data, range->low.size);
        scan->low = nq_bytes_of(scan->bounds, range->low.size);
    }
    if (range->high.data != NULL) {
        memcpy(scan->bounds + range->low.size, range->high.data, range->high.size);
        scan->high = nq_bytes_of(scan->bounds + range->low.size, range->high.size);
    }
    nq_btree_cursor_init(&scan->cursor, txn->store->pool, &found->tree);
    scan->next = txn->scans;
    scan->link = &txn->scans;
    if (scan->next != NULL) {
        scan->next->link = &scan->next;
    }
    txn->scans = scan;
    *out_scan = scan;
    return NQ_OK;
}

void nq_scan_close(nq_scan *scan) {
    if (scan == NULL) {
        return;
    }
    nq_btree_cursor_deinit(&scan->cursor);
    nq__own_cursor_deinit(&scan->own);
    nq__backlog_release(scan->own.backlog);
    *scan->link = scan->next;
    if (scan->next != NULL) {
        scan->next->link = scan->link;
    }
    nq_heap_free(scan->value.data);
    nq_heap_free(scan->list.room);
    nq_heap_free(scan);
}

void nq_scan_park(nq_scan *scan) {
    nq_btree_cursor_park(&scan->cursor);
    nq__own_cursor_park(&scan->own);
    if (scan->txn->seat != NULL) {
        nq__reader_leave_seat(scan->txn);
    }
}

void nq__scans_unsettle(nq_txn *txn) {
    for (nq_scan *scan = txn->scans; scan != NULL; scan = scan->next) {
        nq__own_cursor_deinit(&scan->own);
    }
}

/* Whether a key is on the near side of the bound the scan runs towards. */
static inline bool is_within(const nq_scan *scan, nq_bytes key) {
    if (scan->is_reverse) {
        return scan->low.data == NULL || nq_bytes_compare(key, scan->low) >= 0;
    }
    return scan->high.data == NULL || nq_bytes_compare(key, scan->high) < 0;
}

/* Seeks the own writes anew, behind what was returned last. */
static nq_status seek_own(nq_ctx *ctx, nq_scan *scan) {
    nq_bytes from = scan->is_reverse ? scan->high : scan->low;
    scan->spill_epoch = scan->txn->spill_epoch;
    scan->is_own_returned = false;
    if (scan->last.data == NULL) {
        return nq__own_cursor_seek(ctx, &scan->own, from);
    }
    NQ_TRY(nq__own_cursor_seek(ctx, &scan->own, scan->last));
    bool is_at_last =
        scan->own.write.kind != NQ__WRITE_NONE && nq_bytes_equal(scan->own.key, scan->last);
    return is_at_last ? nq__own_cursor_next(ctx, &scan->own) : NQ_OK;
}

static nq_status start(nq_ctx *ctx, nq_scan *scan) {
    NQ_TRY(scan->is_reverse ? nq_btree_cursor_seek_before(ctx, &scan->cursor, scan->high)
                            : nq_btree_cursor_seek(ctx, &scan->cursor, scan->low));
    NQ_TRY(seek_own(ctx, scan));
    scan->is_started = true;
    return NQ_OK;
}

/* Leaves what the last call returned. */
static nq_status advance(nq_ctx *ctx, nq_scan *scan) {
    if (!scan->is_started) {
        return start(ctx, scan);
    }
    if (scan->spill_epoch != scan->txn->spill_epoch) {
        NQ_TRY(seek_own(ctx, scan));
    } else if (scan->is_own_returned) {
        scan->is_own_returned = false;
        NQ_TRY(nq__own_cursor_next(ctx, &scan->own));
    }
    if (scan->is_base_returned) {
        scan->is_base_returned = false;
        return scan->is_reverse ? nq_btree_cursor_previous(ctx, &scan->cursor)
                                : nq_btree_cursor_next(ctx, &scan->cursor);
    }
    return nq_btree_cursor_unpark(ctx, &scan->cursor);
}

static nq_status return_base(nq_ctx *ctx, nq_scan *scan, nq_bytes key, nq_bytes *out_key,
                             nq_bytes *out_value) {
    bool is_overflow;
    nq_bytes payload = nq_btree_cursor_payload(&scan->cursor, &is_overflow);
    scan->is_base_returned = true;
    if (is_overflow) {
        NQ_TRY(nq__value_load(ctx, scan->txn->store, payload, &scan->value, out_value));
    } else {
        *out_value = payload;
    }
    scan->last = key;
    *out_key = key;
    return NQ_OK;
}

/* Copies the own entry to where no spill touches it. */
static nq_status return_own(nq_ctx *ctx, nq_scan *scan, nq_bytes *out_key, nq_bytes *out_value) {
    const nq_own_write *write = &scan->own.write;
    if (write->is_long) {
        NQ_TRY(nq__value_load(ctx, scan->txn->store, write->value, &scan->value, out_value));
    } else {
        NQ_TRY(nq__value_reserve(ctx, &scan->value, write->value.size));
        memcpy(scan->value.data, write->value.data, write->value.size);
        *out_value = nq_bytes_of(scan->value.data, write->value.size);
    }
    size_t key_bytes = scan->own.key.size;
    memcpy(scan->own_key, scan->own.key.data, key_bytes);
    scan->last = nq_bytes_of(scan->own_key, key_bytes);
    *out_key = scan->last;
    return NQ_OK;
}

/* Whether an own write is still to come. */
static bool has_own(const nq_scan *scan) {
    return scan->own.write.kind != NQ__WRITE_NONE && is_within(scan, scan->own.key);
}

/* Returns the nearer of the tree's entry and the own write, or what comes after a removed one. */
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
        if (!has_own(scan)) {
            return has_base ? return_base(ctx, scan, key, out_key, out_value) : NQ_OK;
        }
        int order = !has_base ? -1 : nq_bytes_compare(scan->own.key, key);
        order = has_base && scan->is_reverse ? -order : order;
        if (order > 0) {
            return return_base(ctx, scan, key, out_key, out_value);
        }
        scan->is_own_returned = true;
        scan->is_base_returned = order == 0; /* the own write stands over it */
        if (scan->own.write.kind == NQ__WRITE_PUT) {
            return return_own(ctx, scan, out_key, out_value);
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

/* Up to where the tree's entries need no look at the own writes. */
static nq_btree_stop quiet_until(const nq_scan *scan) {
    if (has_own(scan)) {
        return (nq_btree_stop){.key = scan->own.key};
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
        scan->last = entries[*out_count - 1].key;
        return NQ_OK;
    }
    NQ_TRY(choose(ctx, scan, &entries[0].key, &entries[0].value));
    *out_count = entries[0].key.data != NULL ? 1 : 0;
    return NQ_OK;
}
