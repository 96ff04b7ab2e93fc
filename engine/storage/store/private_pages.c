/* Private pages: pages of the data file that one transaction alone can reach.
 *
 * The store knows which they are, because a checkpoint must count them as free: nothing durable
 * leads to them, so after a crash they are. */
#include "engine/storage/store/txn_internal.h"

void nq__private_begin(nq_store *store, nq_private_pages *pages) {
    *pages = (nq_private_pages){.store = store};
    nq_mutex_lock(&store->space_mutex);
    pages->next = store->private_pages;
    pages->link = &store->private_pages;
    if (pages->next != NULL) {
        pages->next->link = &pages->next;
    }
    store->private_pages = pages;
    nq_mutex_unlock(&store->space_mutex);
}

nq_status nq__private_take(nq_ctx *ctx, nq_private_pages *pages, nq_page_id *out_page) {
    nq_store *store = pages->store;
    NQ_TRY(nq__room_promise(ctx, store, 1, false));
    nq_mutex_lock(&store->space_mutex);
    nq_status status = nq_space_take(ctx, &store->space, out_page);
    if (status == NQ_OK) {
        status = nq__held_add(ctx, &pages->taken, (nq_held_page){0, out_page->value});
        if (status == NQ_OK) {
            pages->taken_count++;
        } else {
            nq_space_give(&store->space, *out_page);
        }
    }
    nq_mutex_unlock(&store->space_mutex);
    nq__room_taken(store, 1);
    return status;
}

void nq__private_give(nq_private_pages *pages, uint64_t count) {
    nq_store *store = pages->store;
    while (pages->taken_count > count) {
        /* Forgotten before it is free: whoever takes it next begins with it. */
        nq_held_chunk *chunk = pages->taken;
        nq_page_id page = {chunk->pages[chunk->count - 1].page};
        nq_pool_forget(store->pool, page);
        nq_mutex_lock(&store->space_mutex);
        pages->taken_count--;
        if (--chunk->count == 0) {
            pages->taken = chunk->next;
            chunk->next = NULL;
        } else {
            chunk = NULL;
        }
        nq_space_give(&store->space, page);
        nq_mutex_unlock(&store->space_mutex);
        nq__held_free(chunk);
    }
}

static void unlink_pages(nq_private_pages *pages) {
    nq_mutex_lock(&pages->store->space_mutex);
    *pages->link = pages->next;
    if (pages->next != NULL) {
        pages->next->link = pages->link;
    }
    nq_mutex_unlock(&pages->store->space_mutex);
}

void nq__private_end(nq_private_pages *pages) {
    nq__private_give(pages, 0);
    unlink_pages(pages);
}

void nq__private_hand_over(nq_private_pages *pages) {
    nq_mutex_lock(&pages->store->space_mutex);
    nq_held_chunk *taken = pages->taken;
    pages->taken = NULL;
    pages->taken_count = 0;
    nq_mutex_unlock(&pages->store->space_mutex);
    nq__held_free(taken);
}

void nq__private_set_reached(nq_private_pages *pages, bool is_reached) {
    nq_mutex_lock(&pages->store->space_mutex);
    pages->is_reached = is_reached;
    nq_mutex_unlock(&pages->store->space_mutex);
}
