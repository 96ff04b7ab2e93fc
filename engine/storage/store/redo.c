/* Redo: gathering commits, and bringing them into the trees.
 *
 * Of a key that was changed often only the last change counts, and each leaf is copied once for all
 * commits that met it, so replaying costs about what the log's distinct keys do. What is not about
 * keys keeps its order: trees come and go as they did, and what a tree held before it was dropped
 * is void; request ids are remembered and forgotten one commit after the other.
 *
 *   log -> open commit --commit--> gathered --full, or the end--> sorted -> trees -> one version
 *              |
 *              +-- alone too long: goes into the trees of a version that nobody sees before it ends
 *
 * So no more is held than twice `bytes_max` and a record, whatever the commits' sizes. */
#include "engine/storage/store/redo_internal.h"

#include "engine/ground/base/heap.h"
#include "engine/storage/store/read_ahead_internal.h"

enum {
    BYTES_MAX = 128 << 20, /* a log of the usual bound goes in at once */
    BYTES_MIN = 16 << 10,
    CACHE_SHARE = 2, /* of a small cache no more than a part goes to it */
    COUNT_FIRST = 1024,
};

void nq__redo_init(nq_redo *redo, nq_store *store) {
    uint64_t share = store->options.cache_bytes / CACHE_SHARE;
    share = share < BYTES_MIN ? BYTES_MIN : share;
    *redo = (nq_redo){.store = store,
                      .bytes_max = share < BYTES_MAX ? share : BYTES_MAX,
                      .generation = store->newest->generation};
    nq_arena_init(&redo->arena, SIZE_MAX);
}

/* Tells the cache how much memory is held beside it. */
static void charge(nq_redo *redo, uint64_t bytes) {
    if (bytes != redo->bytes_charged) {
        (void)nq_pool_charge(redo->store->pool, (int64_t)bytes - (int64_t)redo->bytes_charged);
        redo->bytes_charged = bytes;
    }
}

static uint64_t held_bytes(const nq_redo *redo) {
    return redo->arena.taken_bytes + redo->count_max * sizeof *redo->changes +
           redo->request_count_max * sizeof *redo->requests;
}

void nq__redo_deinit(nq_redo *redo) {
    nq__apply_abort(&redo->apply);
    nq_arena_deinit(&redo->arena);
    nq_heap_free(redo->changes);
    nq_heap_free(redo->requests);
    charge(redo, 0);
    *redo = (nq_redo){.store = redo->store};
}

/* ---- Into the trees ---- */

static nq_status begin(nq_ctx *ctx, nq_redo *redo, uint64_t generation) {
    if (redo->apply.is_begun) {
        return NQ_OK;
    }
    NQ_TRY(nq__apply_begin(ctx, redo->store, generation, &redo->apply));
    redo->apply.may_use_reserve = true;      /* it had room once */
    redo->apply.source.is_old_unread = true; /* nobody has a snapshot yet */
    return NQ_OK;
}

static nq_status apply_change(nq_ctx *ctx, nq_redo *redo, const nq_redo_change *change) {
    nq_log_record record = {
        .kind = (nq_record_kind)change->kind,
        .tree = change->tree,
        .key = nq__redo_key(change),
        .value = nq__redo_value(change),
    };
    return nq__apply_record(ctx, &redo->apply, &record);
}

static bool is_same_key(const nq_redo_change *left, const nq_redo_change *right) {
    return left->head == right->head &&
           nq_bytes_compare(nq__redo_key(left), nq__redo_key(right)) == 0;
}

/* In the order of the keys their bytes lie anywhere: has those of a change to come fetched. */
static void fetch_ahead(const nq_redo_change *changes, uint32_t i, uint32_t count) {
    enum { AHEAD = 8, LINE_BYTES = 64 };
    if (i + AHEAD < count) {
        __builtin_prefetch(changes[i + AHEAD].bytes);
        __builtin_prefetch(changes[i + AHEAD].bytes + LINE_BYTES);
    }
}

/* The changes of a tree's keys, sorted; those before `valid_from` in the log are void. */
static nq_status apply_keys(nq_ctx *ctx, nq_redo *redo, const nq_redo_change *changes,
                            uint32_t count, uint32_t valid_from) {
    nq_tree tree;
    nq_read_ahead *ahead;
    NQ_TRY(nq__apply_find_tree(ctx, &redo->apply, changes->tree, &tree));
    NQ_TRY(nq__read_ahead_start(ctx, redo->store, &tree, changes, count, &ahead));
    nq_status status = NQ_OK;
    for (uint32_t i = 0; i < count && status == NQ_OK; i++) {
        fetch_ahead(changes, i, count);
        bool is_last = i + 1 == count || !is_same_key(&changes[i], &changes[i + 1]);
        if (is_last && changes[i].sequence >= valid_from) {
            nq__read_ahead_reach(ahead, i);
            status = apply_change(ctx, redo, &changes[i]);
        }
    }
    nq__read_ahead_end(ahead);
    return status;
}

/* The changes of one tree, sorted. */
static nq_status apply_tree(nq_ctx *ctx, nq_redo *redo, const nq_redo_change *changes,
                            uint32_t count) {
    uint32_t i = 0;
    uint32_t valid_from = 0;
    for (; i < count && !nq__redo_is_of_key(&changes[i]); i++) {
        NQ_TRY(apply_change(ctx, redo, &changes[i]));
        bool is_drop = changes[i].kind == NQ_RECORD_TREE_DROP;
        valid_from = is_drop ? changes[i].sequence : valid_from;
    }
    return i == count ? NQ_OK : apply_keys(ctx, redo, changes + i, count - i, valid_from);
}

static nq_status sort(nq_ctx *ctx, nq_redo *redo, nq_redo_change *changes, uint32_t count) {
    nq_redo_change *scratch = nq_heap_alloc(count / 2 * sizeof *scratch);
    if (scratch == NULL) {
        return nq_fail_no_memory(ctx, "sorting what the log holds");
    }
    /* And afterwards for reading ahead, which needs less. */
    charge(redo, held_bytes(redo) + count / 2 * sizeof *scratch);
    nq__redo_sort(changes, count, scratch);
    nq_heap_free(scratch);
    return NQ_OK;
}

/* Sorted ones. */
static nq_status apply_changes(nq_ctx *ctx, nq_redo *redo, const nq_redo_change *changes,
                               uint32_t count) {
    for (uint32_t from = 0, to; from < count; from = to) {
        for (to = from + 1; to < count && changes[to].tree == changes[from].tree;) {
            to++;
        }
        NQ_TRY(apply_tree(ctx, redo, changes + from, to - from));
    }
    return NQ_OK;
}

nq_status nq__redo_sort_gathered(nq_ctx *ctx, nq_redo *redo) {
    if (!redo->is_sorted) {
        NQ_TRY(sort(ctx, redo, redo->changes, redo->committed_count));
        redo->is_sorted = true;
    }
    return NQ_OK;
}

nq_status nq__redo_install(nq_ctx *ctx, nq_redo *redo) {
    if (redo->commit_count == 0) {
        return NQ_OK;
    }
    NQ_TRY(nq__redo_sort_gathered(ctx, redo));
    NQ_TRY(begin(ctx, redo, redo->generation));
    NQ_TRY(apply_changes(ctx, redo, redo->changes, redo->committed_count));
    for (uint32_t i = 0; i < redo->request_count; i++) {
        const nq_log_record *request = &redo->requests[i];
        NQ_TRY(
            nq__apply_request(ctx, &redo->apply, request->key, request->value, request->time_us));
    }
    NQ_TRY(nq__apply_finish(ctx, &redo->apply));
    nq__apply_install(&redo->apply, redo->end, false);
    redo->commit_count = 0;
    return nq__version_publish(ctx, redo->store, redo->store->newest->generation);
}

/* Nothing gathered is needed any more. */
static void clear(nq_redo *redo) {
    nq_arena_reset(&redo->arena);
    redo->committed_mark = nq_arena_get_mark(&redo->arena);
    redo->count = redo->committed_count = redo->request_count = 0;
    redo->committed_bytes = redo->open_bytes = 0;
    redo->is_sorted = false;
}

/* The commit that is being read is too long: what there is of it goes into the trees. */
static nq_status apply_open(nq_ctx *ctx, nq_redo *redo) {
    NQ_TRY(nq__redo_install(ctx, redo));
    NQ_TRY(begin(ctx, redo, redo->generation + 1));
    nq_redo_change *open = redo->changes + redo->committed_count;
    uint32_t open_count = redo->count - redo->committed_count;
    NQ_TRY(sort(ctx, redo, open, open_count));
    NQ_TRY(apply_changes(ctx, redo, open, open_count));
    clear(redo);
    return NQ_OK;
}

/* What is gathered goes into the trees, and nothing of it stays. */
static nq_status finish(nq_ctx *ctx, nq_redo *redo) {
    NQ_TRY(nq__redo_install(ctx, redo));
    clear(redo);
    return NQ_OK;
}

/* ---- Gathering ---- */

/* The array with room for one more; NULL: there is no memory. */
static void *with_room(void *items, size_t item_bytes, uint32_t count, uint32_t *count_max) {
    if (count < *count_max) {
        return items;
    }
    uint32_t wanted = *count_max == 0 ? COUNT_FIRST : 2 * *count_max;
    void *grown = nq_heap_realloc(items, wanted * item_bytes);
    *count_max = grown == NULL ? *count_max : wanted;
    return grown;
}

/* A record's key and value, one behind the other; NULL: there is no memory. */
static uint8_t *keep(nq_redo *redo, const nq_log_record *record) {
    uint8_t *bytes = nq_arena_alloc(&redo->arena, record->key.size + record->value.size);
    if (bytes == NULL) {
        return NULL;
    }
    if (record->key.size != 0) {
        memcpy(bytes, record->key.data, record->key.size);
    }
    if (record->value.size != 0) {
        memcpy(bytes + record->key.size, record->value.data, record->value.size);
    }
    return bytes;
}

nq_status nq__redo_add(nq_ctx *ctx, nq_redo *redo, const nq_log_record *record) {
    nq_redo_change *changes =
        with_room(redo->changes, sizeof *changes, redo->count, &redo->count_max);
    redo->changes = changes == NULL ? redo->changes : changes;
    uint8_t *bytes = changes == NULL ? NULL : keep(redo, record);
    if (bytes == NULL) {
        return nq_fail_no_memory(ctx, "what the log holds");
    }
    redo->changes[redo->count] = (nq_redo_change){.head = nq__redo_head(record->key),
                                                  .bytes = bytes,
                                                  .value_bytes = (uint32_t)record->value.size,
                                                  .tree = record->tree,
                                                  .sequence = redo->count,
                                                  .key_bytes = (uint16_t)record->key.size,
                                                  .kind = (uint8_t)record->kind};
    redo->count++;
    redo->open_bytes += sizeof *redo->changes + record->key.size + record->value.size;
    charge(redo, held_bytes(redo));
    return redo->open_bytes < redo->bytes_max ? NQ_OK : apply_open(ctx, redo);
}

static nq_status add_request(nq_ctx *ctx, nq_redo *redo, const nq_log_record *commit) {
    nq_log_record *requests =
        with_room(redo->requests, sizeof *requests, redo->request_count, &redo->request_count_max);
    redo->requests = requests == NULL ? redo->requests : requests;
    uint8_t *bytes = requests == NULL ? NULL : keep(redo, commit);
    if (bytes == NULL) {
        return nq_fail_no_memory(ctx, "the requests that the log holds");
    }
    nq_log_record *request = &redo->requests[redo->request_count++];
    *request = *commit;
    request->key.data = bytes;
    request->value.data = bytes + commit->key.size;
    redo->open_bytes += sizeof *request + commit->key.size + commit->value.size;
    return NQ_OK;
}

nq_status nq__redo_commit(nq_ctx *ctx, nq_redo *redo, const nq_log_record *record, nq_lsn end) {
    if (record->generation != redo->generation + 1) {
        return nq_fail(ctx, NQ_LOG_CORRUPT, "the log at %llu commits %llu where %llu is next",
                       (unsigned long long)end.value, (unsigned long long)record->generation,
                       (unsigned long long)redo->generation + 1);
    }
    if (record->key.size != 0) {
        NQ_TRY(add_request(ctx, redo, record));
    }
    redo->generation = record->generation;
    redo->end = end;
    redo->commit_count++;
    redo->store->recovered_commits++;
    redo->committed_count = redo->count;
    redo->committed_bytes += redo->open_bytes;
    redo->open_bytes = 0;
    redo->committed_mark = nq_arena_get_mark(&redo->arena);
    bool is_full = redo->apply.is_begun || redo->committed_bytes >= redo->bytes_max;
    return is_full ? finish(ctx, redo) : NQ_OK;
}

void nq__redo_forget_open(nq_redo *redo) {
    nq__apply_abort(&redo->apply);
    redo->count = redo->committed_count;
    redo->open_bytes = 0;
    nq_arena_reset_to(&redo->arena, redo->committed_mark);
}

bool nq__redo_has_open(const nq_redo *redo) {
    return redo->apply.is_begun || redo->count != redo->committed_count;
}
