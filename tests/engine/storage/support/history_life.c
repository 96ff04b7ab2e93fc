/* History's store as a whole: opened and recovered, crashed, closed. */
#include "engine/ground/os/sim_clock.h"
#include "engine/ground/os/thread.h"
#include "tests/engine/storage/support/history_internal.h"
#include "tests/engine/storage/support/workload.h"

/* ---- What the store holds ---- */

/* Fills in one tree's values, read the one way or the other. */
static nq_status read_tree(nq_ctx *ctx, nq_txn *txn, uint32_t id, bool is_reverse,
                           uint32_t values[ORACLE_KEYS]) {
    nq_scan *scan;
    nq_scan_range range = {.is_reverse = is_reverse};
    NQ_TRY(nq_scan_open(ctx, txn, (nq_tree_id){id}, &range, &scan));
    nq_entry entry;
    nq_status status = nq_scan_next(ctx, scan, &entry.key, &entry.value);
    while (status == NQ_OK && entry.key.data != NULL) {
        uint32_t number = history__value_number(entry.value);
        uint32_t key = history__key_number(entry.key);
        if (key == 0 || number == 0) {
            status = nq_fail(ctx, NQ_BUG, "tree %u holds what nobody wrote", id);
            break;
        }
        values[key - 1] = number;
        status = nq_scan_next(ctx, scan, &entry.key, &entry.value);
    }
    nq_scan_close(scan);
    return status;
}

static nq_status read_trees(nq_ctx *ctx, const history_world *w, nq_txn *txn, bool is_reverse,
                            oracle_state *out_state) {
    for (uint32_t tree = 0; tree < ORACLE_TREES; tree++) {
        if (w->tree_ids[tree] == 0) {
            continue;
        }
        nq_status status =
            read_tree(ctx, txn, w->tree_ids[tree], is_reverse, out_state->values[tree]);
        if (status != NQ_OK && status != NQ_TABLE_NOT_FOUND) {
            return status;
        }
        out_state->exists[tree] = status == NQ_OK ? 1 : 0;
    }
    return NQ_OK;
}

static nq_status read_requests(nq_ctx *ctx, const history_world *w, oracle_state *out_state) {
    enum { ARENA_BYTES = 1 << 16 };
    nq_arena arena;
    nq_arena_init(&arena, ARENA_BYTES);
    nq_status status = NQ_OK;
    for (uint32_t i = 0; i < ORACLE_REQUESTS && status == NQ_OK; i++) {
        nq_bytes result;
        nq_bytes id = nq_bytes_of(&i, sizeof i);
        status = nq_store_find_request(ctx, w->store, &arena, id, &result);
        if (status == NQ_OK && result.size == sizeof out_state->requests[i]) {
            memcpy(&out_state->requests[i], result.data, result.size);
        }
    }
    nq_arena_deinit(&arena);
    return status;
}

static nq_status read_state(nq_ctx *ctx, const history_world *w, oracle_state *out_state) {
    *out_state = (oracle_state){0};
    oracle_state reverse = {0};
    nq_txn *txn;
    nq_txn_options options = {.isolation = NQ_REPEATABLE_READ, .read_only = true};
    NQ_TRY(nq_txn_begin(ctx, w->store, &options, &txn));
    nq_status status = read_trees(ctx, w, txn, false, out_state);
    if (status == NQ_OK) {
        status = read_trees(ctx, w, txn, true, &reverse);
    }
    nq_txn_rollback(txn);
    NQ_TRY(status);
    if (memcmp(out_state, &reverse, sizeof reverse) != 0) {
        return nq_fail(ctx, NQ_BUG, "a scan is another one in reverse");
    }
    return read_requests(ctx, w, out_state);
}

void history__verify(history_world *w) {
    oracle_state state;
    nq_status status = read_state(&w->ctx, w, &state);
    if (!history__expect(w, &w->ctx, status, NQ_OK, "read all")) {
        return;
    }
    if (memcmp(&state, &w->o.committed, sizeof state) != 0) {
        history__fail(w, "what is there is not what was committed");
    }
    history__expect(w, &w->ctx, nq_store_verify(&w->ctx, w->store), NQ_OK, "verify");
}

/* ---- Opening ---- */

/* The newest of the states that can be what is there becomes the only one. */
static void go_on_from(history_world *w, const oracle_state *found) {
    size_t at = w->state_count;
    while (at > 0 && memcmp(&w->states[at - 1], found, sizeof *found) != 0) {
        at--;
    }
    if (at == 0) {
        history__fail(w, "what is found is none of the %zu states that may be", w->state_count);
        return;
    }
    w->states[0] = *found;
    w->state_count = 1;
    oracle_restart(&w->o, found);
    for (uint32_t tree = 0; tree < ORACLE_TREES; tree++) {
        if (found->exists[tree] == 0) {
            w->tree_ids[tree] = 0;
        }
    }
}

/* Enough memory for a transaction never to spill. */
enum { TXN_BYTES_MAX = 4 << 20 };

static void open_once(history_world *w) {
    nq_store_options options = workload_store_options();
    options.txn_bytes_max = TXN_BYTES_MAX;
    w->counts->openings++;
    nq_status status =
        nq_store_open(&w->ctx, nq_sim_vfs_as_vfs(w->disk), "db", &options, &w->store);
    history__expect(w, &w->ctx, status, NQ_OK, "open");
    if (status != NQ_OK) {
        w->store = NULL;
    }
}

static void close_dead(history_world *w) {
    if (w->store != NULL) {
        (void)nq_store_close(&w->ctx, w->store);
        w->store = NULL;
    }
}

void history__open(history_world *w, uint32_t dice) {
    enum { CUT_EVERY = 3, CUT_WITHIN = 40 };
    bool is_cut = dice % CUT_EVERY == 0;
    nq_sim_vfs_fault_at(w->disk, NQ_SIM_POWER_CUT, is_cut ? 1 + dice / CUT_EVERY % CUT_WITHIN : 0);
    open_once(w);
    if (!nq_sim_vfs_is_on(w->disk)) {
        w->counts->power_cuts++;
        close_dead(w);
        nq_sim_vfs_restart(w->disk);
        open_once(w);
    }
    nq_sim_vfs_fault_at(w->disk, NQ_SIM_POWER_CUT, 0);
    if (w->store == NULL) {
        return;
    }
    oracle_state found;
    nq_status status = read_state(&w->ctx, w, &found);
    if (history__expect(w, &w->ctx, status, NQ_OK, "read all")) {
        go_on_from(w, &found);
        history__expect(w, &w->ctx, nq_store_verify(&w->ctx, w->store), NQ_OK, "verify");
    }
}

/* ---- Ends ---- */

static const int64_t patience_ns = INT64_C(2000000); /* until somebody has noticed the time */

/* Ends those that do not wait; false: there were none. */
static bool end_some(history_world *w) {
    bool has_ended = false;
    for (uint32_t txn = 0; txn < ORACLE_TXNS; txn++) {
        history_txn *t = &w->txns[txn];
        if (t->txn == NULL || lanes_is_running(w->lanes, txn)) {
            continue;
        }
        history__scan_close(t);
        nq_txn_rollback(t->txn);
        t->txn = NULL;
        t->has_call = false;
        has_ended = true;
    }
    return has_ended;
}

static bool has_open(const history_world *w) {
    bool is_open = false;
    for (uint32_t txn = 0; txn < ORACLE_TXNS; txn++) {
        is_open = is_open || w->txns[txn].txn != NULL;
    }
    return is_open;
}

void history__end_all(history_world *w) {
    while (has_open(w)) {
        if (!end_some(w)) {
            /* A circle that the store has not found. */
            nq_sim_clock_advance(2 * HISTORY_LOCK_WAIT_NS);
            nq_thread_sleep_ns(patience_ns);
        }
        lanes_await_quiet(w->lanes, w->store);
    }
}

void history__after_power_cut(history_world *w, uint32_t dice) {
    w->counts->power_cuts++;
    nq_sim_vfs_cut_power(w->disk);
    history__end_all(w);
    close_dead(w);
    nq_sim_vfs_restart(w->disk);
    history__open(w, dice);
}

void history__process_end(history_world *w, uint32_t dice) {
    nq_sim_vfs *survivor;
    nq_status status = nq_sim_vfs_clone(&w->ctx, w->disk, w->value, &survivor);
    if (!history__expect(w, &w->ctx, status, NQ_OK, "clone")) {
        return;
    }
    history__end_all(w);
    close_dead(w);
    nq_sim_vfs_destroy(w->disk);
    w->disk = survivor;
    history__is_durable(w);
    history__open(w, dice - dice % 3 + 1); /* the power would be another matter */
}

void history__reopen(history_world *w, uint32_t dice) {
    history__end_all(w);
    nq_status status = nq_store_close(&w->ctx, w->store);
    w->store = NULL;
    if (history__expect(w, &w->ctx, status, NQ_OK, "close")) {
        history__is_durable(w);
    }
    nq_sim_vfs_restart(w->disk);
    history__open(w, dice);
}
