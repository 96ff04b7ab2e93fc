/* History's scans: opened, stepped, parked and left, while others commit. */
#include "tests/engine/storage/support/history_internal.h"

enum { BATCH_MAX = 8 };

static nq_bytes bound(uint32_t key, bool is_open, char room[HISTORY_KEY_BYTES_MAX]) {
    return is_open ? (nq_bytes){0} : history__key(key, room);
}

void history__scan_open(history_world *w, const history_op *op) {
    history_txn *t = &w->txns[op->txn];
    history__scan_close(t);
    bool is_open_low = op->dice % 4 == 0;
    bool is_open_high = op->dice / 4 % 4 == 0;
    t->scan = (history_scan){.is_reverse = op->dice / 16 % 2 == 0,
                             .low = is_open_low ? 0 : op->key,
                             .high = is_open_high ? ORACLE_KEYS : op->high};
    char low[HISTORY_KEY_BYTES_MAX];
    char high[HISTORY_KEY_BYTES_MAX];
    nq_scan_range range = {.low = bound(op->key, is_open_low, low),
                           .high = bound(op->high, is_open_high, high),
                           .is_reverse = t->scan.is_reverse};
    bool is_seen = oracle_sees_tree(&w->o, op->txn, op->tree);
    nq_status status =
        nq_scan_open(&w->ctx, t->txn, (nq_tree_id){w->tree_ids[op->tree]}, &range, &t->scan.scan);
    if (!history__expect(w, &w->ctx, status, is_seen ? NQ_OK : NQ_TABLE_NOT_FOUND, "open scan")) {
        return;
    }
    oracle_note_scan(&w->o, op->txn, op->tree, t->scan.low, t->scan.high);
    for (uint32_t key = 0; key < ORACLE_KEYS; key++) {
        t->scan.values[key] = oracle_sees(&w->o, op->txn, op->tree, key);
    }
}

void history__scan_close(history_txn *t) {
    nq_scan_close(t->scan.scan);
    t->scan.scan = NULL;
}

/* The next key that the scan must return, which it then has returned; ORACLE_KEYS: none. */
static uint32_t next_key(history_scan *s) {
    while (s->low < s->high) {
        uint32_t key = s->is_reverse ? --s->high : s->low++;
        if (s->values[key] != 0) {
            return key;
        }
    }
    return ORACLE_KEYS;
}

static void compare(history_world *w, history_scan *s, const nq_entry *entry) {
    uint32_t key = next_key(s);
    if (key == ORACLE_KEYS) {
        history__fail(w, "a scan returns %.*s, which is not there", NQ_BYTES_FORMAT(entry->key));
    } else if (history__key_number(entry->key) != key + 1) {
        history__fail(w, "a scan returns %.*s instead of key %u", NQ_BYTES_FORMAT(entry->key), key);
    } else if (history__value_number(entry->value) != s->values[key]) {
        history__fail(w, "a scan returns value %u of key %u instead of %u",
                      history__value_number(entry->value), key, s->values[key]);
    }
}

/* One entry, or a batch. */
static nq_status next_entries(nq_ctx *ctx, nq_scan *scan, uint32_t count_max, nq_entry *entries,
                              uint32_t *out_count) {
    if (count_max != 1) {
        return nq_scan_next_batch(ctx, scan, entries, count_max, out_count);
    }
    nq_status status = nq_scan_next(ctx, scan, &entries[0].key, &entries[0].value);
    *out_count = status == NQ_OK && entries[0].key.data != NULL ? 1 : 0;
    return status;
}

void history__scan_step(history_world *w, const history_op *op, uint32_t count) {
    history_txn *t = &w->txns[op->txn];
    uint32_t batch_max = 1 + op->dice / 64 % BATCH_MAX;
    nq_entry entries[BATCH_MAX];
    while (t->scan.scan != NULL && count != 0 && w->failure[0] == 0) {
        uint32_t got;
        uint32_t wanted = batch_max < count ? batch_max : count;
        nq_status status = next_entries(&w->ctx, t->scan.scan, wanted, entries, &got);
        if (!history__expect(w, &w->ctx, status, NQ_OK, "step scan")) {
            return;
        }
        for (uint32_t i = 0; i < got; i++) {
            compare(w, &t->scan, &entries[i]);
        }
        if (got == 0) {
            uint32_t key = next_key(&t->scan);
            if (key != ORACLE_KEYS) {
                history__fail(w, "a scan ends before key %u", key);
            }
            history__scan_close(t);
            return;
        }
        count -= got;
        if (op->dice / 512 % 2 == 0) {
            nq_scan_park(t->scan.scan);
        }
    }
}
