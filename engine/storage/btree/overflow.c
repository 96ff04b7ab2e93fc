/* Overflow: a value longer than a quarter page is a chain of pages, each naming the next. */
#include "engine/storage/btree/btree_internal.h"

void nq__btree_overflow_fill(nq_page *page, nq_bytes value, size_t *end, nq_page_ref next) {
    size_t bytes = *end % NQ_PAGE_BODY_BYTES;
    bytes = bytes == 0 ? NQ_PAGE_BODY_BYTES : bytes;
    *end -= bytes;
    memcpy(page->body, value.data + *end, bytes);
    page->payload_bytes = (uint32_t)bytes;
    page->link = next;
}

nq_status nq__btree_overflow_write(nq_ctx *ctx, nq_btree_writer *writer, nq_bytes value,
                                   nq_overflow_ref *out_ref) {
    *out_ref = (nq_overflow_ref){0};
    nq_page_ref next = NQ_PAGE_REF_NONE;
    size_t end = value.size;
    /* From the last piece to the first: each must know the one behind it. */
    while (end != 0) {
        nq_pin pin;
        NQ_TRY(nq__btree_page_new(ctx, writer, NQ_PAGE_OVERFLOW, &pin));
        nq__btree_overflow_fill(pin.page, value, &end, next);
        next = nq_page_ref_of(pin.page);
        nq_pool_unpin(writer->pool, &pin);
        writer->tree->overflow_page_count++;
    }
    *out_ref = (nq_overflow_ref){(uint32_t)value.size, next};
    return NQ_OK;
}

nq_status nq__btree_overflow_drop(nq_ctx *ctx, nq_pool *pool, const nq_page_source *source,
                                  nq_tree *tree, nq_overflow_ref ref) {
    nq_page_ref next = ref.first;
    uint64_t left = ref.value_bytes;
    while (left != 0) {
        nq_pin pin;
        NQ_TRY(nq_pool_pin(ctx, pool, next, &pin));
        uint32_t bytes = pin.page->payload_bytes;
        bool is_piece = pin.page->kind == NQ_PAGE_OVERFLOW && bytes <= left;
        uint64_t birth = pin.page->generation;
        nq_page_id id = {pin.page->id};
        next = pin.page->link;
        nq_pool_unpin(pool, &pin);
        if (!is_piece) {
            return nq_fail(ctx, NQ_PAGE_CORRUPT, "page %u: it does not belong to its long value",
                           id.value);
        }
        left -= bytes;
        tree->page_count--;
        tree->overflow_page_count--;
        NQ_TRY(source->give(ctx, source->user, id, birth));
    }
    return NQ_OK;
}
