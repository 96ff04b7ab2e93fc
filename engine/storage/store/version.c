/* Version: what snapshots read, and which pages must be kept for them.
 *
 * Every commit makes a version: a root from which all trees of that moment are reached. Live
 * versions stand in a list by generation. A commit copies the pages it changes; the old copies are
 * held by the version before it. When a version goes, each page it holds is handed to the next
 * older live version that reaches it (one not older than the page), or is free: nobody else can
 * reach it. So a long snapshot keeps the pages of its own version and none that were born and
 * replaced after it. */
#include "engine/ground/base/assert.h"
#include "engine/ground/base/heap.h"
#include "engine/storage/page/bug.h"
#include "engine/storage/store/store_internal.h"

/* ---- Lists of pages ---- */

nq_status nq__held_add(nq_ctx *ctx, nq_held_chunk **list, nq_held_page page) {
    nq_held_chunk *chunk = *list;
    if (chunk == NULL || chunk->count == NQ__HELD_CHUNK_PAGES) {
        chunk = nq_heap_alloc(sizeof *chunk);
        if (chunk == NULL) {
            return nq_fail_no_memory(ctx, "the list of replaced pages");
        }
        chunk->next = *list;
        chunk->count = 0;
        *list = chunk;
    }
    chunk->pages[chunk->count++] = page;
    return NQ_OK;
}

void nq__held_free(nq_held_chunk *list) {
    while (list != NULL) {
        nq_held_chunk *next = list->next;
        nq_heap_free(list);
        list = next;
    }
}

/* Gives back the pages of a chunk from `first` on. */
static void give_rest(nq_store *store, nq_held_chunk *chunk, uint32_t first) {
    for (uint32_t i = first; i < chunk->count; i++) {
        nq_pool_forget(store->pool, (nq_page_id){chunk->pages[i].page});
    }
    nq_mutex_lock(&store->space_mutex);
    for (uint32_t i = first; i < chunk->count; i++) {
        nq_space_give(&store->space, (nq_page_id){chunk->pages[i].page});
    }
    nq_mutex_unlock(&store->space_mutex);
    chunk->count = first;
}

void nq__pages_give(nq_store *store, nq_held_chunk *pages) {
    for (nq_held_chunk *chunk = pages; chunk != NULL; chunk = chunk->next) {
        give_rest(store, chunk, 0);
    }
    nq__held_free(pages);
}

/* Moves the pages born no later than `generation` to the chunk's front; returns how many. */
static uint32_t part(nq_held_chunk *chunk, uint64_t generation) {
    uint32_t kept = 0;
    for (uint32_t i = 0; i < chunk->count; i++) {
        if (chunk->pages[i].birth <= generation) {
            nq_held_page page = chunk->pages[kept];
            chunk->pages[kept++] = chunk->pages[i];
            chunk->pages[i] = page;
        }
    }
    return kept;
}

/* Adds a chunk's pages to a version's; needs no memory, the chunk brings its own. */
static void hold(nq_version *version, nq_held_chunk *chunk) {
    nq_held_chunk *head = version->held;
    while (head != NULL && chunk->count != 0 && head->count < NQ__HELD_CHUNK_PAGES) {
        head->pages[head->count++] = chunk->pages[--chunk->count];
    }
    if (chunk->count == 0) {
        nq_heap_free(chunk);
        return;
    }
    chunk->next = version->held;
    version->held = chunk;
}

/* The version is only there for a restart: nobody reads it, or will. */
static bool is_at_rest(nq_store *store, const nq_version *version) {
    nq_mutex_lock(&store->version_mutex);
    bool is_at_rest = (version == store->durable || version == store->being_written) &&
                      version != atomic_load(&store->published);
    nq_mutex_unlock(&store->version_mutex);
    return is_at_rest;
}

/* Hands the pages of `list` to `keeper` (may be NULL), as far as it reaches them, and gives back
 * the others. The keeper is counted by the caller. Frames are not kept with pages that wait for the
 * next checkpoint only: the next commit's copies go there, memory that is already in use. */
static void settle(nq_store *store, nq_held_chunk *list, nq_version *keeper) {
    bool is_unread = list != NULL && keeper != NULL && is_at_rest(store, keeper);
    while (list != NULL) {
        nq_held_chunk *chunk = list;
        list = chunk->next;
        chunk->next = NULL;
        uint32_t kept =
            keeper == NULL || NQ_HAS_BUG(PAGES_REUSED_EARLY) ? 0 : part(chunk, keeper->generation);
        if (kept != chunk->count) {
            give_rest(store, chunk, kept); /* S2 */
        }
        if (kept == 0) {
            nq_heap_free(chunk);
            continue;
        }
        for (uint32_t i = 0; is_unread && i < kept; i++) {
            nq_pool_drop(store->pool, (nq_page_id){chunk->pages[i].page});
        }
        nq_mutex_lock(&store->version_mutex);
        hold(keeper, chunk);
        nq_mutex_unlock(&store->version_mutex);
    }
}

/* ---- Counting ---- */

nq_version *nq__version_acquire(nq_store *store) {
    nq_mutex_lock(&store->version_mutex);
    nq_version *version = atomic_load(&store->published);
    version->refs++;
    nq_mutex_unlock(&store->version_mutex);
    return version;
}

void nq__version_share(nq_store *store, nq_version *version) {
    nq_mutex_lock(&store->version_mutex);
    version->refs++;
    nq_mutex_unlock(&store->version_mutex);
}

/* Takes a version out of the list if nobody holds it (S7); its older neighbour is counted. False:
 * it stays. */
static bool detach(nq_store *store, nq_version *version, nq_version **out_older) {
    if (version->refs != 0 || nq__version_is_announced(store, version)) {
        return false;
    }
    nq_version *older = version->older;
    NQ_ASSERT(version != store->newest && version != atomic_load(&store->published));
    if (older != NULL) {
        older->newer = version->newer;
        older->refs++;
    } else {
        store->oldest = version->newer;
    }
    version->newer->older = older;
    store->reclaiming++;
    *out_older = older;
    return true;
}

/* The end of a version that has been taken out of the list. */
static void finish(nq_store *store, nq_version *version, nq_version *older) {
    settle(store, version->held, older);
    nq_heap_free(version);
    nq_mutex_lock(&store->version_mutex);
    store->reclaiming--;
    nq_cond_broadcast(&store->reclaimed);
    nq_mutex_unlock(&store->version_mutex);
}

void nq__version_release(nq_store *store, nq_version *version) {
    while (version != NULL) {
        nq_version *older;
        nq_mutex_lock(&store->version_mutex);
        NQ_ASSERT(version->refs != 0);
        version->refs--;
        bool has_gone = detach(store, version, &older);
        nq_mutex_unlock(&store->version_mutex);
        if (!has_gone) {
            return;
        }
        finish(store, version, older);
        version = older;
    }
}

void nq__version_retract(nq_store *store, const nq_version *version, uint64_t generation_min) {
    nq_version *older = NULL;
    nq_mutex_lock(&store->version_mutex);
    nq_version *found = store->newest;
    while (found != NULL && found != version && found->generation > generation_min) {
        found = found->older;
    }
    bool has_gone = found == version && detach(store, found, &older);
    nq_mutex_unlock(&store->version_mutex);
    if (has_gone) {
        finish(store, found, older);
        nq__version_release(store, older);
    }
}

void nq__version_lock_quiet(nq_store *store) {
    nq_mutex_lock(&store->version_mutex);
    while (store->reclaiming != 0) {
        nq_cond_wait(&store->reclaimed, &store->version_mutex);
    }
}

/* ---- The newest, the published and the durable ---- */

void nq__version_install(nq_store *store, nq_version *version, nq_held_chunk *freed) {
    nq_mutex_lock(&store->version_mutex);
    nq_version *before = store->newest;
    before->refs++;
    version->older = before;
    version->newer = NULL;
    version->refs = 1; /* until a newer one is published */
    before->newer = version;
    store->newest = version;
    store->reclaiming++;
    nq_mutex_unlock(&store->version_mutex);
    settle(store, freed, before);
    nq_mutex_lock(&store->version_mutex);
    store->reclaiming--;
    nq_cond_broadcast(&store->reclaimed);
    nq_mutex_unlock(&store->version_mutex);
    nq__version_release(store, before);
}

/* What the log must be durable up to for `version` and all behind it, up to `generation`, to be
 * published: one wait for all of them. Under the versions' lock. */
static nq_lsn needed_lsn(const nq_version *version, uint64_t generation) {
    nq_lsn lsn = version->lsn;
    for (; version != NULL && version->generation <= generation; version = version->newer) {
        lsn = version->is_durable ? version->lsn : lsn;
    }
    return lsn;
}

/* Publishes what may be. False: the rest needs the log durable up to *out_needed. */
static bool publish_ready(nq_store *store, uint64_t generation, nq_lsn *out_needed) {
    nq_lsn durable_end = nq_log_durable_end(store->log);
    bool is_done = true;
    nq_mutex_lock(&store->version_mutex);
    for (;;) {
        nq_version *before = atomic_load(&store->published);
        if (before->generation >= generation) {
            break;
        }
        nq_version *next = before->newer;
        if (next->is_durable && next->lsn.value > durable_end.value &&
            !NQ_HAS_BUG(COMMIT_NOT_AWAITED)) { /* S3 */
            *out_needed = needed_lsn(next, generation);
            is_done = false;
            break;
        }
        atomic_store(&store->published, next);
        atomic_store(&store->published_generation, next->generation);
        nq_mutex_unlock(&store->version_mutex);
        nq__version_release(store, before);
        nq_mutex_lock(&store->version_mutex);
    }
    nq_mutex_unlock(&store->version_mutex);
    return is_done;
}

nq_status nq__version_publish(nq_ctx *ctx, nq_store *store, uint64_t generation) {
    nq_lsn needed;
    while (atomic_load(&store->published_generation) < generation &&
           !publish_ready(store, generation, &needed)) {
        nq_status status = nq_log_sync(ctx, store->log, needed);
        if (status != NQ_OK) {
            nq__store_fail(store, ctx);
            return status;
        }
    }
    return NQ_OK;
}

void nq__version_set_being_written(nq_store *store, nq_version *version) {
    nq_mutex_lock(&store->version_mutex);
    store->being_written = version;
    nq_mutex_unlock(&store->version_mutex);
}

void nq__version_set_durable(nq_store *store, nq_version *version) {
    nq_mutex_lock(&store->version_mutex);
    nq_version *before = store->durable;
    store->durable = version;
    store->being_written = NULL;
    nq_mutex_unlock(&store->version_mutex);
    nq__version_release(store, before);
}
