/* Shelve: pages that leave their frames stay as compressed images, while the budget has room for
 * them.
 *
 *     disk --> frame <-- packed when evicted, unpacked when asked for --> shelf
 *
 * A page is in a frame or on the shelf, not in both. Packing one costs a tenth of reading it from a
 * disk, but several times what reading it from the system's cache does: once the shelf is full only
 * pages that were there not long ago, or went past it, are packed.
 *
 * H1 An image on the shelf is its page as it was last written: writing a page replaces or removes
 * it. A page in a frame may be newer, and is written before it leaves. H2 Whoever puts, takes or
 * removes a page's image has the page to himself: its frame is LOADING, WRITING or EXCLUSIVE. So
 * images of one page are put in the order of its writes. H3 A closed shelf is empty; who sees it
 * closed has nothing to remove. */
#include "engine/storage/buffer/pool_internal.h"

static bool is_open(nq_pool *pool) {
    return atomic_load_explicit(&pool->is_shelf_open, memory_order_acquire);
}

static nq_shelf_label label_of(const nq_pager_image *image) {
    return (nq_shelf_label){.bytes = image->bytes, .tag = (uint8_t)image->codec};
}

/* A page has been missed that went not long ago. */
static void regret(nq_pool *pool, bool was_on_shelf) {
    nq_mutex_lock(&pool->shelf_mutex);
    bool has_moved = pool->shelf != NULL && nq_balance_regret(&pool->balance, was_on_shelf);
    atomic_store_explicit(&pool->has_weighed, pool->balance.has_weighed, memory_order_relaxed);
    nq_mutex_unlock(&pool->shelf_mutex);
    if (has_moved) {
        nq__budget_share(pool);
    }
}

/* A page has been read, and memory may have been full. */
static void overflow(nq_pool *pool) {
    nq_mutex_lock(&pool->shelf_mutex);
    bool is_full = nq__pool_is_full(pool);
    bool has_moved = pool->shelf != NULL && is_full && nq_balance_overflow(&pool->balance);
    nq_mutex_unlock(&pool->shelf_mutex);
    if (has_moved) {
        nq__budget_share(pool);
    }
}

bool nq__shelf_fetch(nq_pool *pool, uint32_t page, bool was_ghost, nq_page *out_page) {
    if (!is_open(pool)) {
        return false;
    }
    nq_pager_image image;
    nq_shelf_label label;
    nq_mutex_lock(&pool->shelf_mutex);
    bool is_found = nq_shelf_take(pool->shelf, page, image.data, &label);
    nq_mutex_unlock(&pool->shelf_mutex);
    if (!is_found) {
        return false;
    }
    image.bytes = label.bytes;
    image.codec = (nq_image_codec)label.tag;
    if (was_ghost) {
        regret(pool, true);
    }
    return nq_pager_unpack(pool->pager, &image, out_page);
}

void nq__shelf_note_read(nq_pool *pool, uint32_t page, bool was_ghost) {
    if (!was_ghost && is_open(pool)) {
        nq_mutex_lock(&pool->shelf_mutex);
        was_ghost = nq_shelf_remembers(pool->shelf, page);
        nq_mutex_unlock(&pool->shelf_mutex);
    }
    if (was_ghost) {
        regret(pool, false);
    } else if (!atomic_load_explicit(&pool->has_weighed, memory_order_relaxed)) {
        overflow(pool);
    }
}

void nq__shelf_note_write(nq_pool *pool, uint32_t page, const nq_pager_image *image) {
    if (!is_open(pool)) {
        return; /* H3 */
    }
    nq_mutex_lock(&pool->shelf_mutex);
    if (image != NULL && nq_shelf_admits(pool->shelf, page)) {
        nq_shelf_put(pool->shelf, page, image->data, label_of(image));
    } else {
        nq_shelf_remove(pool->shelf, page);
    }
    nq_mutex_unlock(&pool->shelf_mutex);
}

static void put(nq_pool *pool, uint32_t page, const nq_pager_image *image) {
    nq_mutex_lock(&pool->shelf_mutex);
    nq_shelf_put(pool->shelf, page, image->data, label_of(image));
    nq_mutex_unlock(&pool->shelf_mutex);
}

/* Whether a page that leaves its frame, as it was last written, is to be packed. */
static bool is_wanted(nq_pool *pool, uint32_t page) {
    nq_mutex_lock(&pool->shelf_mutex);
    bool is_wanted = !nq_shelf_has(pool->shelf, page) && nq_shelf_admits(pool->shelf, page);
    nq_mutex_unlock(&pool->shelf_mutex);
    return is_wanted;
}

void nq__shelf_keep(nq_pool *pool, const nq_frame *frame) {
    uint32_t page = atomic_load(&frame->page);
    if (is_open(pool) && is_wanted(pool, page)) {
        nq_pager_image image;
        nq_pager_pack(pool->pager, nq__frame_page(pool, frame), &image);
        put(pool, page, &image);
    }
}

void nq__shelf_forget(nq_pool *pool, uint32_t page) {
    nq__shelf_note_write(pool, page, NULL);
}

bool nq__shelf_has(nq_pool *pool, uint32_t page) {
    if (!is_open(pool)) {
        return false;
    }
    nq_mutex_lock(&pool->shelf_mutex);
    bool has = nq_shelf_has(pool->shelf, page);
    nq_mutex_unlock(&pool->shelf_mutex);
    return has;
}
