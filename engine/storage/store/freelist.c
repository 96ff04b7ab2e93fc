/* Freelist: the free pages of a checkpoint, as runs on pages of their own.
 *
 * Written anew by every checkpoint, to pages that were free: the list of the checkpoint before
 * stays whole until the new superblock is durable. */
#include "engine/ground/base/heap.h"
#include "engine/storage/store/store_internal.h"

enum { RUNS_PER_PAGE = NQ_PAGE_BODY_BYTES / sizeof(nq_page_run) };

static_assert(sizeof(nq_page_run) == 8, "stored as is");

/* ---- Reading ---- */

static nq_status read_runs(nq_ctx *ctx, nq_store *store, const nq_page *page) {
    for (uint32_t at = 0; at < page->payload_bytes; at += sizeof(nq_page_run)) {
        nq_page_run run;
        memcpy(&run, page->body + at, sizeof run);
        uint64_t end = (uint64_t)run.first + run.count;
        if (run.first < NQ_SUPERBLOCK_COUNT || end > store->space.page_count) {
            return nq_fail(ctx, NQ_PAGE_CORRUPT, "page %u: a free run leads outside the file",
                           page->id);
        }
        for (uint32_t i = 0; i < run.count; i++) {
            nq_page_id id = {run.first + i};
            if (nq_space_is_free(&store->space, id)) {
                return nq_fail(ctx, NQ_PAGE_CORRUPT, "page %u: page %u is free twice", page->id,
                               id.value);
            }
            nq_space_give(&store->space, id);
        }
    }
    return NQ_OK;
}

nq_status nq__freelist_read(nq_ctx *ctx, nq_store *store) {
    const nq_superblock *superblock = &store->superblock;
    NQ_TRY(nq_space_init(ctx, &store->space, superblock->page_count));
    nq_page_ref next = superblock->freelist;
    for (uint32_t count = 0; !nq_page_ref_is_none(next); count++) {
        nq_pin pin;
        NQ_TRY(nq_pool_pin(ctx, store->pool, next, &pin));
        nq_status status = NQ_OK;
        if (pin.page->kind != NQ_PAGE_FREELIST || count >= superblock->page_count) {
            status =
                nq_fail(ctx, NQ_PAGE_CORRUPT, "page %u is not a page of the freelist", next.page);
        }
        if (status == NQ_OK) {
            status = read_runs(ctx, store, pin.page);
        }
        if (status == NQ_OK) {
            status = nq__held_add(ctx, &store->freelist_pages,
                                  (nq_held_page){pin.page->generation, next.page});
        }
        nq_page_ref link = pin.page->link;
        nq_pool_unpin(store->pool, &pin);
        NQ_TRY(status);
        nq_pool_forget(store->pool, (nq_page_id){next.page});
        next = link;
    }
    if (store->space.free_count != superblock->freelist_count) {
        return nq_fail(ctx, NQ_PAGE_CORRUPT, "the freelist has %u pages, the superblock says %llu",
                       store->space.free_count, (unsigned long long)superblock->freelist_count);
    }
    return NQ_OK;
}

/* ---- Writing ---- */

nq_status nq__freelist_take(nq_ctx *ctx, nq_store *store, nq_space *space, uint64_t generation,
                            nq_held_chunk **out_pages) {
    *out_pages = NULL;
    uint32_t run_count = nq_space_count_runs(space);
    uint32_t page_count = 0;
    /* Taking a page may part a run in two. */
    while ((uint64_t)page_count * RUNS_PER_PAGE < (uint64_t)run_count + page_count) {
        nq_page_id page;
        nq_mutex_lock(&store->space_mutex);
        nq_status status = nq_space_take(ctx, &store->space, &page);
        nq_mutex_unlock(&store->space_mutex);
        NQ_TRY(status);
        status = nq__held_add(ctx, out_pages, (nq_held_page){generation, page.value});
        if (status != NQ_OK) {
            nq_mutex_lock(&store->space_mutex);
            nq_space_give(&store->space, page);
            nq_mutex_unlock(&store->space_mutex);
            return status;
        }
        if (page.value < space->page_count) {
            nq_space_remove(space, page);
        }
        page_count++;
    }
    return NQ_OK;
}

/* Fills one page with the runs from *from on. */
static void fill(nq_page *page, const nq_space *space, uint32_t *from) {
    while (page->payload_bytes + sizeof(nq_page_run) <= NQ_PAGE_BODY_BYTES) {
        nq_page_run run = nq_space_find_run(space, *from);
        if (run.count == 0) {
            return;
        }
        memcpy(page->body + page->payload_bytes, &run, sizeof run);
        page->payload_bytes += (uint32_t)sizeof run;
        *from = run.first + run.count;
    }
}

nq_status nq__freelist_write(nq_ctx *ctx, nq_store *store, const nq_space *space,
                             uint64_t generation, const nq_held_chunk *pages,
                             nq_page_ref *out_first) {
    *out_first = NQ_PAGE_REF_NONE;
    uint32_t from = 0;
    for (const nq_held_chunk *chunk = pages; chunk != NULL; chunk = chunk->next) {
        for (uint32_t i = 0; i < chunk->count; i++) {
            nq_page page;
            nq_page_init(&page, (nq_page_id){chunk->pages[i].page}, generation, NQ_PAGE_FREELIST);
            page.link = *out_first;
            fill(&page, space, &from);
            nq_page_seal(&page);
            NQ_TRY(nq_file_write_at(ctx, store->data_file, (uint64_t)page.id * NQ_PAGE_BYTES, &page,
                                    sizeof page));
            *out_first = nq_page_ref_of(&page);
        }
    }
    return NQ_OK;
}
