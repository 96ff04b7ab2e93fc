/* Read-ahead: the leaves that sorted changes will meet come into the cache on several threads,
 * ahead of the one that applies the changes.
 *
 * The leaves are dealt with in parts of a few. Whoever has nothing else to do takes the next part:
 * the helpers, as far as they may be ahead, and the applying thread itself whenever it has come to
 * a part that is not there yet — so every thread is busy, and none waits for a page that it could
 * have read. A page that cannot be read is left for whoever needs it, and fails there. */
#include "engine/storage/store/read_ahead_internal.h"

#include "engine/ground/base/assert.h"
#include "engine/ground/base/heap.h"
#include "engine/ground/os/mutex.h"
#include "engine/ground/os/thread.h"

enum {
    HELPERS = 3, /* a cold disk answers several at once */
    PART_LEAVES = 32,
    PARTS_MIN = 4,   /* less is not worth a thread */
    AHEAD_MAX = 64,  /* parts that may be there before they are needed, */
    CACHE_SHARE = 8, /* in no more than so small a part of the cache */
};

struct nq_read_ahead {
    nq_pool *pool;
    nq_btree_leaf *leaves;
    uint32_t leaf_count;
    uint32_t part_count;
    uint32_t ahead_max;
    uint32_t next_change; /* the first of the next part: when the applying thread must ask again */
    nq_thread helpers[HELPERS];
    uint32_t helper_count;
    nq_mutex mutex; /* guards what follows */
    nq_cond changed;
    bool *is_there;   /* by part */
    uint32_t taken;   /* parts, from the first on */
    uint32_t reached; /* the part whose changes are being applied */
    bool is_ending;
};

/* ---- Parts ---- */

static void load(nq_read_ahead *ahead, uint32_t part) {
    nq_ctx ctx;
    nq_ctx_init(&ctx, NULL);
    uint32_t end = (part + 1) * PART_LEAVES;
    end = end < ahead->leaf_count ? end : ahead->leaf_count;
    for (uint32_t i = part * PART_LEAVES; i < end; i++) {
        nq_pin pin;
        if (nq_pool_pin(&ctx, ahead->pool, ahead->leaves[i].ref, &pin) == NQ_OK) {
            nq_pool_unpin(ahead->pool, &pin);
        }
    }
}

static bool may_take(const nq_read_ahead *ahead) {
    return ahead->taken < ahead->part_count && ahead->taken < ahead->reached + ahead->ahead_max;
}

/* Loads the next part. The mutex is held on entry and return, and not in between. */
static void take(nq_read_ahead *ahead) {
    uint32_t part = ahead->taken++;
    nq_mutex_unlock(&ahead->mutex);
    load(ahead, part);
    nq_mutex_lock(&ahead->mutex);
    ahead->is_there[part] = true;
    nq_cond_broadcast(&ahead->changed);
}

static void help(void *argument) {
    nq_read_ahead *ahead = argument;
    nq_mutex_lock(&ahead->mutex);
    while (!ahead->is_ending && ahead->taken < ahead->part_count) {
        if (may_take(ahead)) {
            take(ahead);
        } else {
            nq_cond_wait(&ahead->changed, &ahead->mutex);
        }
    }
    nq_mutex_unlock(&ahead->mutex);
}

/* ---- Life ---- */

static nq_bytes key_at(const void *user, uint32_t index) {
    const nq_redo_change *changes = user;
    return nq__redo_key(&changes[index]);
}

static uint32_t ahead_max(const nq_store *store) {
    uint64_t parts =
        store->options.cache_bytes / CACHE_SHARE / ((uint64_t)PART_LEAVES * NQ_PAGE_BYTES);
    return parts < AHEAD_MAX ? (uint32_t)parts : AHEAD_MAX;
}

static nq_status list(nq_ctx *ctx, nq_read_ahead *ahead, const nq_tree *tree,
                      const nq_redo_change *changes, uint32_t count) {
    ahead->leaves = nq_heap_alloc(count * sizeof *ahead->leaves);
    if (ahead->leaves == NULL) {
        return nq_fail_no_memory(ctx, "reading ahead");
    }
    const nq_btree_keys keys = {.user = changes, .at = key_at, .count = count};
    NQ_TRY(nq_btree_list_leaves(ctx, ahead->pool, tree, &keys, ahead->leaves, &ahead->leaf_count));
    ahead->part_count = (ahead->leaf_count + PART_LEAVES - 1) / PART_LEAVES;
    ahead->is_there = nq_heap_calloc(ahead->part_count + 1, sizeof *ahead->is_there);
    return ahead->is_there != NULL ? NQ_OK : nq_fail_no_memory(ctx, "reading ahead");
}

static void start_helpers(nq_read_ahead *ahead) {
    nq_ctx ctx; /* without them the applying thread reads everything */
    nq_ctx_init(&ctx, NULL);
    while (ahead->helper_count < HELPERS && ahead->part_count >= PARTS_MIN &&
           nq_thread_start(&ctx, &ahead->helpers[ahead->helper_count], "nq-replay", help, ahead) ==
               NQ_OK) {
        ahead->helper_count++;
    }
}

nq_status nq__read_ahead_start(nq_ctx *ctx, nq_store *store, const nq_tree *tree,
                               const nq_redo_change *changes, uint32_t count,
                               nq_read_ahead **out_ahead) {
    *out_ahead = NULL;
    if (store->options.is_manual || ahead_max(store) == 0 || tree->level == 0) {
        return NQ_OK;
    }
    nq_read_ahead *ahead = nq_heap_calloc(1, sizeof *ahead);
    if (ahead == NULL) {
        return nq_fail_no_memory(ctx, "reading ahead");
    }
    ahead->pool = store->pool;
    ahead->ahead_max = ahead_max(store);
    nq_mutex_init(&ahead->mutex, NQ_LOCK_STORE_READ_AHEAD);
    nq_cond_init(&ahead->changed);
    nq_status status = list(ctx, ahead, tree, changes, count);
    if (status != NQ_OK) {
        nq__read_ahead_end(ahead);
        return status;
    }
    start_helpers(ahead);
    *out_ahead = ahead;
    return NQ_OK;
}

void nq__read_ahead_end(nq_read_ahead *ahead) {
    if (ahead == NULL) {
        return;
    }
    nq_mutex_lock(&ahead->mutex);
    ahead->is_ending = true;
    nq_cond_broadcast(&ahead->changed);
    nq_mutex_unlock(&ahead->mutex);
    for (uint32_t i = 0; i < ahead->helper_count; i++) {
        nq_thread_join(&ahead->helpers[i]);
    }
    nq_mutex_deinit(&ahead->mutex);
    nq_cond_deinit(&ahead->changed);
    nq_heap_free(ahead->leaves);
    nq_heap_free(ahead->is_there);
    nq_heap_free(ahead);
}

/* ---- Applying ---- */

static uint32_t part_of(const nq_read_ahead *ahead, uint32_t part, uint32_t change) {
    while (part + 1 < ahead->part_count &&
           ahead->leaves[(part + 1) * PART_LEAVES].first_key <= change) {
        part++;
    }
    return part;
}

static void await_part(nq_read_ahead *ahead, uint32_t change) {
    nq_mutex_lock(&ahead->mutex);
    uint32_t part = part_of(ahead, ahead->reached, change);
    ahead->reached = part;
    nq_cond_broadcast(&ahead->changed);
    while (!ahead->is_there[part]) {
        if (may_take(ahead)) {
            take(ahead);
        } else {
            nq_cond_wait(&ahead->changed, &ahead->mutex);
        }
    }
    nq_mutex_unlock(&ahead->mutex);
    uint32_t next_leaf = (part + 1) * PART_LEAVES;
    ahead->next_change =
        next_leaf < ahead->leaf_count ? ahead->leaves[next_leaf].first_key : UINT32_MAX;
}

void nq__read_ahead_reach(nq_read_ahead *ahead, uint32_t change) {
    if (ahead != NULL && change >= ahead->next_change) {
        await_part(ahead, change);
    }
}
