/* Write: a page becomes an image and gets a place. */
#include "engine/ground/base/assert.h"
#include "engine/ground/os/thread.h"
#include "engine/storage/page/bug.h"
#include "engine/storage/pager/pager_internal.h"

/* ---- Coders ---- */

nq__coder *nq__coder_take(nq_pager *pager) {
    enum { PAUSE_NS = 5000 };
    for (;;) {
        for (uint32_t i = 0; i < NQ__CODERS; i++) {
            nq__coder *coder = &pager->coders[i];
            if (!atomic_load_explicit(&coder->is_taken, memory_order_relaxed) &&
                !atomic_exchange_explicit(&coder->is_taken, true, memory_order_acquire)) {
                return coder;
            }
        }
        nq_thread_sleep_ns(PAUSE_NS); /* they are held for the time of one page only */
    }
}

void nq__coder_give(nq__coder *coder) {
    size_t bytes = nq_image_encoder_bytes(coder->encoder) + nq_image_decoder_bytes(coder->decoder);
    atomic_store_explicit(&coder->heap_bytes, bytes, memory_order_relaxed);
    atomic_store_explicit(&coder->is_taken, false, memory_order_release);
}

void nq__image_make(nq__coder *coder, uint32_t id, const void *bytes, nq_image_codec wish,
                    nq__image *out_image) {
    out_image->bytes =
        nq_image_encode(coder->encoder, bytes, wish, out_image->data, &out_image->codec);
    out_image->crc = nq_image_crc(id, out_image->data, out_image->bytes);
}

/* ---- Pages ---- */

nq_status nq_pager_write(nq_ctx *ctx, nq_pager *pager, const nq_page *page,
                         nq_pager_image *out_image) {
    NQ_ASSERT(page->id >= NQ_PAGE_ID_FIRST && page->id < NQ_MAP_PAGES_MAX);
    nq__image image = {.purpose = NQ__FOR_PAGES, .stamp = (uint32_t)page->generation};
    nq__coder *coder = nq__coder_take(pager);
    nq_image_prepare(page, &coder->page);
    nq__image_make(coder, page->id, &coder->page, NQ_IMAGE_LZ4, &image);
    nq__coder_give(coder);
    if (out_image != NULL) {
        out_image->codec = image.codec;
        out_image->bytes = image.bytes;
        memcpy(out_image->data, image.data, image.bytes);
    }
    nq_mutex_lock(&pager->mutex);
    nq_place place;
    nq_status status = nq__map_reserve(ctx, pager, page->id);
    if (status == NQ_OK) {
        status = nq__stream_append(ctx, pager, &image, &place);
    }
    if (status == NQ_OK) {
        nq__map_set(pager, page->id, place);
    }
    nq_mutex_unlock(&pager->mutex);
    if (status == NQ_OK) {
        atomic_fetch_add_explicit(&pager->counters.flushed_bytes, image.bytes,
                                  memory_order_relaxed);
    }
    return status;
}

void nq_pager_pack(nq_pager *pager, const nq_page *page, nq_pager_image *out_image) {
    nq__coder *coder = nq__coder_take(pager);
    nq_image_prepare(page, &coder->page);
    out_image->bytes = nq_image_encode(coder->encoder, &coder->page, NQ_IMAGE_LZ4, out_image->data,
                                       &out_image->codec);
    nq__coder_give(coder);
}

void nq_pager_forget(nq_pager *pager, nq_page_id id) {
    nq_mutex_lock(&pager->mutex);
    nq__map_set(pager, id.value, NQ_PLACE_NONE);
    nq_mutex_unlock(&pager->mutex);
}

void nq_pager_list_free(nq_pager *pager, nq_space *space) {
    nq_mutex_lock(&pager->mutex);
    for (uint32_t page = NQ_PAGE_ID_FIRST; page < space->page_count; page++) {
        if (nq_place_is_none(nq__map_place(pager, page))) {
            nq_space_give(space, (nq_page_id){page});
        }
    }
    nq_mutex_unlock(&pager->mutex);
}

bool nq_pager_has(nq_pager *pager, nq_page_id id) {
    nq_mutex_lock(&pager->mutex);
    bool has = !nq_place_is_none(nq__map_place(pager, id.value));
    nq_mutex_unlock(&pager->mutex);
    return has;
}
