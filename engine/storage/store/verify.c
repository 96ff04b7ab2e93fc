/* Verify: the whole store, with commits held up.
 *
 * V1 every page of the newest version is whole and where it belongs (btree/verify.c)
 * V2 no page is reached twice
 * V3 every page id is reached, free, or held for an older version
 * V4 a page that is free has no image; the pager's accounts are right (pager/verify.c) */
#include "engine/ground/base/heap.h"
#include "engine/storage/store/txn_internal.h"

typedef struct verifier {
    nq_store *store;
    nq_space seen; /* a page is "free" in it once it has been met */
} verifier;

static nq_status meet(nq_ctx *ctx, verifier *v, uint32_t page, const char *as) {
    if (page < NQ_PAGE_ID_FIRST || page >= v->seen.page_count) {
        return nq_fail(ctx, NQ_PAGE_CORRUPT, "page %u, %s, was never given out", page, as);
    }
    if (nq_space_is_free(&v->seen, (nq_page_id){page})) {
        return nq_fail(ctx, NQ_PAGE_CORRUPT, "page %u breaks V2: %s, and met before", page, as);
    }
    nq_space_give(&v->seen, (nq_page_id){page});
    return NQ_OK;
}

static nq_status visit(nq_ctx *ctx, void *user, nq_page_ref ref) {
    return meet(ctx, user, ref.page, "reached");
}

static nq_status meet_list(nq_ctx *ctx, verifier *v, const nq_held_chunk *pages, const char *as) {
    for (const nq_held_chunk *chunk = pages; chunk != NULL; chunk = chunk->next) {
        for (uint32_t i = 0; i < chunk->count; i++) {
            NQ_TRY(meet(ctx, v, chunk->pages[i].page, as));
        }
    }
    return NQ_OK;
}

/* Every tree the directory names. */
static nq_status verify_trees(nq_ctx *ctx, verifier *v, const nq_version *version) {
    nq_btree_cursor cursor;
    nq_btree_cursor_init(&cursor, v->store->pool, &version->directory);
    nq_status status = nq_btree_cursor_seek(ctx, &cursor, (nq_bytes){0});
    while (status == NQ_OK && cursor.is_at_entry) {
        nq_tree tree;
        bool is_overflow;
        nq_bytes payload = nq_btree_cursor_payload(&cursor, &is_overflow);
        uint32_t id = nq__tree_key_decode(nq_btree_cursor_key(&cursor));
        if (is_overflow || payload.size != sizeof tree || id >= atomic_load(&v->store->next_tree)) {
            status =
                nq_fail(ctx, NQ_PAGE_CORRUPT, "the directory's entry of tree %u is broken", id);
            break;
        }
        memcpy(&tree, payload.data, sizeof tree);
        status = nq_btree_verify(ctx, v->store->pool, &tree, visit, v);
        if (status == NQ_OK) {
            status = nq_btree_cursor_next(ctx, &cursor);
        }
    }
    nq_btree_cursor_deinit(&cursor);
    return status;
}

/* V3, once every page that is in use has been met. */
static nq_status verify_rest(nq_ctx *ctx, verifier *v) {
    nq_store *store = v->store;
    nq_status status = NQ_OK;
    nq__version_lock_quiet(store);
    for (const nq_version *version = store->oldest; version != NULL && status == NQ_OK;
         version = version->newer) {
        status = meet_list(ctx, v, version->held, "held for a snapshot");
    }
    nq_mutex_lock(&store->space_mutex);
    for (const nq_private_pages *pages = store->private_pages; pages != NULL && status == NQ_OK;
         pages = pages->next) {
        status = meet_list(ctx, v, pages->taken, "a transaction's own");
    }
    for (uint32_t page = NQ_PAGE_ID_FIRST; page < v->seen.page_count && status == NQ_OK; page++) {
        bool is_free = nq_space_is_free(&store->space, (nq_page_id){page});
        if (is_free && nq_pager_has(store->pager, (nq_page_id){page})) {
            status = nq_fail(ctx, NQ_PAGE_CORRUPT, "page %u breaks V4: free, and stored", page);
        } else if (is_free) {
            status = meet(ctx, v, page, "free");
        } else if (!nq_space_is_free(&v->seen, (nq_page_id){page})) {
            status = nq_fail(ctx, NQ_PAGE_CORRUPT, "page %u breaks V3: it is lost", page);
        }
    }
    nq_mutex_unlock(&store->space_mutex);
    nq_mutex_unlock(&store->version_mutex);
    return status;
}

nq_status nq_store_verify(nq_ctx *ctx, nq_store *store) {
    verifier v = {.store = store};
    nq_status status;
    NQ_TRY(nq__backlog_await(ctx, store));
    nq_mutex_lock(&store->checkpoint_mutex);
    nq_mutex_lock(&store->commit_mutex);
    const nq_version *version = store->newest;
    nq_mutex_lock(&store->space_mutex);
    uint32_t page_count = store->space.page_count;
    nq_mutex_unlock(&store->space_mutex);
    NQ_CHECK(nq_space_init(ctx, &v.seen, page_count));
    NQ_CHECK(nq_btree_verify(ctx, store->pool, &version->directory, visit, &v));
    NQ_CHECK(verify_trees(ctx, &v, version));
    NQ_CHECK(verify_rest(ctx, &v));
    NQ_CHECK(nq_pager_verify(ctx, store->pager));
done:
    nq_space_deinit(&v.seen);
    nq_mutex_unlock(&store->commit_mutex);
    nq_mutex_unlock(&store->checkpoint_mutex);
    return status;
}
