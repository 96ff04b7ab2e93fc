/* Apply: a commit's records go into the trees, at commit and again at recovery.
 *
 * Works on pages of its own generation only, so until it is installed nobody can see it and
 * forgetting it is giving its pages back. */
#include "engine/ground/base/assert.h"
#include "engine/ground/base/heap.h"
#include "engine/storage/store/store_internal.h"

nq_status nq__room_promise(nq_ctx *ctx, nq_store *store, uint32_t count, bool may_use_reserve) {
    enum { WRITING_PAGES = 8 }; /* are neither dirty nor written: one a thread, of few */
    uint64_t promised = atomic_fetch_add(&store->promised_pages, count) + count;
    uint64_t pages = nq_pool_dirty_count(store->pool) + promised + WRITING_PAGES;
    nq_status status = nq_pager_promise(ctx, store->pager, pages, may_use_reserve);
    if (status != NQ_OK) {
        nq__room_taken(store, count);
    }
    return status;
}

void nq__room_taken(nq_store *store, uint32_t count) {
    atomic_fetch_sub(&store->promised_pages, count);
}

/* Room is promised for several pages at once: one question a commit, for most. On a full disk the
 * last pages are asked for one by one. */
static nq_status ensure_room(nq_ctx *ctx, nq_apply *apply) {
    enum { STEP = 64 };
    if (apply->promised_count != 0) {
        return NQ_OK;
    }
    uint32_t count = STEP;
    nq_status status = nq__room_promise(ctx, apply->store, count, apply->may_use_reserve);
    if (status == NQ_DISK_FULL) {
        count = 1;
        status = nq__room_promise(ctx, apply->store, count, apply->may_use_reserve);
    }
    apply->promised_count = status == NQ_OK ? count : 0;
    return status;
}

static nq_status take_page(nq_ctx *ctx, void *user, nq_page_id *out_page) {
    nq_apply *apply = user;
    nq_store *store = apply->store;
    NQ_TRY(ensure_room(ctx, apply));
    nq_mutex_lock(&store->space_mutex);
    nq_status status = nq_space_take(ctx, &store->space, out_page);
    nq_mutex_unlock(&store->space_mutex);
    NQ_TRY(status);
    nq_held_page taken = {apply->version->generation, out_page->value};
    status = nq__held_add(ctx, &apply->taken, taken);
    if (status != NQ_OK) {
        nq_mutex_lock(&store->space_mutex);
        nq_space_give(&store->space, *out_page);
        nq_mutex_unlock(&store->space_mutex);
        return status;
    }
    apply->promised_count--;
    nq__room_taken(store, 1);
    return NQ_OK;
}

static nq_status give_page(nq_ctx *ctx, void *user, nq_page_id page, uint64_t birth) {
    nq_apply *apply = user;
    if (apply->source.is_old_unread) {
        nq_pool_drop(apply->store->pool, page);
    }
    return nq__held_add(ctx, &apply->freed, (nq_held_page){birth, page.value});
}

nq_status nq__apply_begin(nq_ctx *ctx, nq_store *store, uint64_t generation, nq_apply *apply) {
    *apply = (nq_apply){.store = store};
    apply->version = nq_heap_calloc(1, sizeof *apply->version);
    if (apply->version == NULL) {
        return nq_fail_no_memory(ctx, "a commit");
    }
    apply->version->generation = generation;
    apply->version->directory = store->newest->directory;
    apply->source = (nq_page_source){.user = apply, .take = take_page, .give = give_page};
    apply->is_begun = true;
    nq_btree_writer_init(&apply->directory, store->pool, &apply->source, apply->version->generation,
                         &apply->version->directory);
    return NQ_OK;
}

/* ---- One tree after another ---- */

/* Writes a tree's root and counts into the directory. */
static nq_status put_tree(nq_ctx *ctx, nq_apply *apply, uint32_t tree, const nq_tree *value) {
    uint8_t key[4];
    nq__tree_key_encode(tree, key);
    return nq_btree_put(ctx, &apply->directory, nq_bytes_of(key, sizeof key),
                        nq_bytes_of(value, sizeof *value));
}

static nq_status leave_tree(nq_ctx *ctx, nq_apply *apply) {
    if (apply->tree_id == NQ__TREE_DIRECTORY) {
        return NQ_OK;
    }
    nq_btree_writer_deinit(&apply->tree);
    uint32_t tree = apply->tree_id;
    apply->tree_id = NQ__TREE_DIRECTORY;
    return put_tree(ctx, apply, tree, &apply->tree_value);
}

static nq_status enter_tree(nq_ctx *ctx, nq_apply *apply, uint32_t tree) {
    if (apply->tree_id == tree) {
        return NQ_OK;
    }
    NQ_TRY(leave_tree(ctx, apply));
    bool exists;
    NQ_TRY(nq__tree_find(ctx, apply->store, apply->version, tree, &apply->tree_value, &exists));
    if (!exists) {
        return nq_fail(ctx, NQ_WRITE_CONFLICT, "tree %u has been dropped", tree);
    }
    apply->tree_id = tree;
    nq_btree_writer_init(&apply->tree, apply->store->pool, &apply->source,
                         apply->version->generation, &apply->tree_value);
    return NQ_OK;
}

static nq_status create_tree(nq_ctx *ctx, nq_apply *apply, uint32_t tree) {
    NQ_TRY(leave_tree(ctx, apply));
    nq_tree empty = {0};
    uint32_t next = atomic_load(&apply->store->next_tree);
    while (next <= tree &&
           !atomic_compare_exchange_weak(&apply->store->next_tree, &next, tree + 1)) {
    }
    return put_tree(ctx, apply, tree, &empty);
}

static nq_status drop_tree(nq_ctx *ctx, nq_apply *apply, uint32_t tree) {
    NQ_TRY(leave_tree(ctx, apply));
    nq_tree value;
    bool exists;
    NQ_TRY(nq__tree_find(ctx, apply->store, apply->version, tree, &value, &exists));
    if (!exists) {
        return nq_fail(ctx, NQ_WRITE_CONFLICT, "tree %u has been dropped", tree);
    }
    NQ_TRY(nq_btree_drop(ctx, apply->store->pool, &apply->source, &value));
    uint8_t key[4];
    nq__tree_key_encode(tree, key);
    return nq_btree_remove(ctx, &apply->directory, nq_bytes_of(key, sizeof key));
}

nq_status nq__apply_find_tree(nq_ctx *ctx, nq_apply *apply, uint32_t tree, nq_tree *out_tree) {
    NQ_TRY(leave_tree(ctx, apply));
    bool exists;
    return nq__tree_find(ctx, apply->store, apply->version, tree, out_tree, &exists);
}

nq_status nq__apply_loaded(nq_ctx *ctx, nq_apply *apply, uint32_t tree, const nq_tree *loaded) {
    NQ_TRY(leave_tree(ctx, apply));
    nq_tree before;
    bool exists;
    NQ_TRY(nq__tree_find(ctx, apply->store, apply->version, tree, &before, &exists));
    if (!exists || !nq_page_ref_is_none(before.root)) {
        return nq_fail(ctx, NQ_WRITE_CONFLICT, "tree %u is no longer there and empty", tree);
    }
    return put_tree(ctx, apply, tree, loaded);
}

nq_status nq__apply_record(nq_ctx *ctx, nq_apply *apply, const nq_log_record *record) {
    switch (record->kind) {
    case NQ_RECORD_PUT:
        NQ_TRY(enter_tree(ctx, apply, record->tree));
        return nq_btree_put(ctx, &apply->tree, record->key, record->value);
    case NQ_RECORD_REMOVE:
        NQ_TRY(enter_tree(ctx, apply, record->tree));
        return nq_btree_remove(ctx, &apply->tree, record->key);
    case NQ_RECORD_TREE_CREATE:
        return create_tree(ctx, apply, record->tree);
    case NQ_RECORD_TREE_DROP:
        return drop_tree(ctx, apply, record->tree);
    case NQ_RECORD_COMMIT:
    case NQ_RECORD_START:
        break;
    }
    NQ_UNREACHABLE();
}

/* ---- The end ---- */

nq_status nq__apply_finish(nq_ctx *ctx, nq_apply *apply) {
    NQ_TRY(leave_tree(ctx, apply));
    nq_btree_writer_deinit(&apply->directory);
    return NQ_OK;
}

/* What was promised and not taken is anybody's again. */
static void end(nq_apply *apply) {
    nq__room_taken(apply->store, apply->promised_count);
    *apply = (nq_apply){0};
}

void nq__apply_install(nq_apply *apply, nq_lsn lsn, bool is_durable) {
    apply->version->lsn = lsn;
    apply->version->is_durable = is_durable;
    nq__held_free(apply->taken);
    nq__version_install(apply->store, apply->version, apply->freed);
    end(apply);
}

void nq__apply_abort(nq_apply *apply) {
    if (!apply->is_begun) {
        return;
    }
    if (apply->tree_id != NQ__TREE_DIRECTORY) {
        nq_btree_writer_deinit(&apply->tree);
    }
    nq_btree_writer_deinit(&apply->directory);
    nq__pages_give(apply->store, apply->taken);
    nq__held_free(apply->freed);
    nq_heap_free(apply->version);
    end(apply);
}
