/* Shelf: slots for images, found by a chained hash table; cells for their bytes, chained too.
 *
 *     bucket --> slot {id, bytes, tag} --> slot
 *                  |
 *                  +--> cell --> cell --> cell          512 bytes each, anywhere
 *
 * H1 A cell below `fresh` is in exactly one chain: an image's or that of the free ones.
 * H2 Cells in use are at most `capacity`, and blocks exist for those below `fresh` only. */
#include "engine/storage/cache/shelf.h"

#include "engine/ground/base/assert.h"
#include "engine/ground/base/heap.h"
#include "engine/ground/simd/hash.h"
#include "engine/storage/cache/cache.h"

enum {
    CELL_BYTES = 512,
    BLOCK_BYTES = 1 << 20, /* what the heap gives back to the system when it is freed */
    BLOCK_CELLS = BLOCK_BYTES / CELL_BYTES,
    /* Slots are made for images of this size; when they are smaller, slots run out before cells. */
    EXPECTED_BYTES = 2048,
};

typedef struct slot {
    uint32_t id;
    uint32_t first; /* cell + 1 */
    uint32_t next;  /* in its bucket, or of the free ones: slot + 1; 0: last */
    nq_cache_mark mark;
    uint16_t bytes;
    uint8_t tag;
} slot;

struct nq_shelf {
    slot *slots;
    uint32_t slot_count;
    uint32_t slots_used; /* ever; later ones were never filled */
    uint32_t free_slot;  /* slot + 1; 0: none */
    uint32_t image_count;
    uint32_t *buckets; /* slot + 1 */
    uint32_t bucket_mask;
    uint32_t *next_cell; /* cell + 1; 0: last */
    uint8_t **blocks;
    uint32_t cell_count; /* at most */
    uint32_t capacity;   /* cells that may be in use */
    uint32_t fresh;      /* cells ever used; H1 */
    uint32_t free_cell;  /* cell + 1; 0: none */
    uint32_t cells_used;
    nq_cache *order;
    uint32_t order_capacity; /* images that the order's proportions are made for */
    uint64_t hits;
};

/* ---- Life ---- */

static uint32_t cells_for(uint64_t bytes) {
    uint64_t blocks = bytes / BLOCK_BYTES;
    uint64_t blocks_max = UINT32_MAX / BLOCK_CELLS / 2;
    return (uint32_t)(blocks < blocks_max ? blocks : blocks_max) * BLOCK_CELLS;
}

static uint32_t slots_for(uint32_t cell_count) {
    uint32_t slots = cell_count / (EXPECTED_BYTES / CELL_BYTES);
    return slots != 0 ? slots : 1;
}

static uint32_t buckets_for(uint32_t slot_count) {
    uint32_t buckets = 1;
    while (buckets < slot_count) {
        buckets *= 2;
    }
    return buckets;
}

uint64_t nq_shelf_bytes_beside(uint64_t bytes_max) {
    uint32_t cells = cells_for(bytes_max);
    uint32_t slots = slots_for(cells);
    return sizeof(nq_shelf) + (uint64_t)slots * sizeof(slot) +
           (uint64_t)buckets_for(slots) * sizeof(uint32_t) + (uint64_t)cells * sizeof(uint32_t) +
           (uint64_t)(cells / BLOCK_CELLS) * sizeof(uint8_t *) +
           nq_cache_bytes(NQ_CACHE_S3FIFO, slots);
}

nq_status nq_shelf_create(nq_ctx *ctx, uint64_t bytes_max, nq_shelf **out_shelf) {
    *out_shelf = NULL;
    nq_shelf *shelf = nq_heap_calloc(1, sizeof *shelf);
    if (shelf == NULL) {
        return nq_fail_no_memory(ctx, "compressed pages");
    }
    shelf->cell_count = cells_for(bytes_max);
    shelf->slot_count = slots_for(shelf->cell_count);
    shelf->bucket_mask = buckets_for(shelf->slot_count) - 1;
    shelf->slots = nq_heap_calloc(shelf->slot_count, sizeof *shelf->slots);
    shelf->buckets = nq_heap_calloc((size_t)shelf->bucket_mask + 1, sizeof *shelf->buckets);
    shelf->next_cell = nq_heap_calloc((size_t)shelf->cell_count + 1, sizeof *shelf->next_cell);
    shelf->blocks =
        nq_heap_calloc((size_t)shelf->cell_count / BLOCK_CELLS + 1, sizeof *shelf->blocks);
    nq_status status = NQ_OK;
    if (shelf->slots == NULL || shelf->buckets == NULL || shelf->next_cell == NULL ||
        shelf->blocks == NULL) {
        status = nq_fail_no_memory(ctx, "compressed pages");
    }
    if (status == NQ_OK) {
        status = nq_cache_create(ctx, NQ_CACHE_S3FIFO, shelf->slot_count, &shelf->slots[0].mark,
                                 sizeof *shelf->slots, &shelf->order);
    }
    if (status != NQ_OK) {
        nq_shelf_destroy(shelf);
        return status;
    }
    shelf->order_capacity = shelf->slot_count;
    *out_shelf = shelf;
    return NQ_OK;
}

void nq_shelf_destroy(nq_shelf *shelf) {
    if (shelf == NULL) {
        return;
    }
    for (uint32_t i = 0; shelf->blocks != NULL && i < shelf->cell_count / BLOCK_CELLS; i++) {
        nq_heap_free(shelf->blocks[i]);
    }
    nq_cache_destroy(shelf->order);
    nq_heap_free(shelf->slots);
    nq_heap_free(shelf->buckets);
    nq_heap_free(shelf->next_cell);
    nq_heap_free((void *)shelf->blocks);
    nq_heap_free(shelf);
}

/* ---- Cells ---- */

static uint8_t *cell_bytes(const nq_shelf *shelf, uint32_t cell) {
    return shelf->blocks[cell / BLOCK_CELLS] + (size_t)(cell % BLOCK_CELLS) * CELL_BYTES;
}

static uint32_t cells_of(uint32_t bytes) {
    return (bytes + CELL_BYTES - 1) / CELL_BYTES;
}

static uint32_t take_free_cell(nq_shelf *shelf) {
    uint32_t cell = shelf->free_cell - 1;
    shelf->free_cell = shelf->next_cell[cell];
    return cell;
}

static void give_cell(nq_shelf *shelf, uint32_t cell) {
    shelf->next_cell[cell] = shelf->free_cell;
    shelf->free_cell = cell + 1;
}

/* A cell, as long as fewer than the capacity are in use. False: the heap has no block for it. */
static bool take_cell(nq_shelf *shelf, uint32_t *out_cell) {
    if (shelf->free_cell != 0) {
        *out_cell = take_free_cell(shelf);
    } else {
        uint8_t **block = &shelf->blocks[shelf->fresh / BLOCK_CELLS];
        if (*block == NULL) {
            *block = nq_heap_alloc(BLOCK_BYTES);
        }
        if (*block == NULL) {
            return false;
        }
        *out_cell = shelf->fresh++;
    }
    shelf->cells_used++;
    return true;
}

static void give_chain(nq_shelf *shelf, uint32_t first) {
    while (first != 0) {
        uint32_t next = shelf->next_cell[first - 1];
        give_cell(shelf, first - 1);
        shelf->cells_used--;
        first = next;
    }
}

/* Copies an image to cells of its own. False: the heap had none; nothing has changed. */
static bool store(nq_shelf *shelf, const uint8_t *image, uint32_t bytes, uint32_t *out_first) {
    *out_first = 0;
    /* From the last cell to the first, so that each finds the next one known. */
    for (uint32_t i = cells_of(bytes); i-- > 0;) {
        uint32_t cell;
        if (!take_cell(shelf, &cell)) {
            give_chain(shelf, *out_first);
            return false;
        }
        uint32_t start = i * CELL_BYTES;
        uint32_t piece = bytes - start < CELL_BYTES ? bytes - start : CELL_BYTES;
        memcpy(cell_bytes(shelf, cell), image + start, piece);
        shelf->next_cell[cell] = *out_first;
        *out_first = cell + 1;
    }
    return true;
}

/* ---- Slots ---- */

static uint32_t *bucket_of(const nq_shelf *shelf, uint32_t id) {
    return &shelf->buckets[nq_hash64_word(id, 0) & shelf->bucket_mask];
}

static slot *find(const nq_shelf *shelf, uint32_t id) {
    uint32_t at = *bucket_of(shelf, id);
    while (at != 0 && shelf->slots[at - 1].id != id) {
        at = shelf->slots[at - 1].next;
    }
    return at == 0 ? NULL : &shelf->slots[at - 1];
}

static uint32_t index_of(const nq_shelf *shelf, const slot *s) {
    return (uint32_t)(s - shelf->slots);
}

/* Makes a slot, which the order no longer has, a free one. */
static void empty(nq_shelf *shelf, slot *s) {
    uint32_t *link = bucket_of(shelf, s->id);
    while (*link != index_of(shelf, s) + 1) {
        link = &shelf->slots[*link - 1].next;
    }
    *link = s->next;
    give_chain(shelf, s->first);
    s->id = 0;
    s->next = shelf->free_slot;
    shelf->free_slot = index_of(shelf, s) + 1;
    shelf->image_count--;
}

/* A slot without an image; NULL: there is none. */
static slot *take_slot(nq_shelf *shelf) {
    if (shelf->free_slot != 0) {
        slot *s = &shelf->slots[shelf->free_slot - 1];
        shelf->free_slot = s->next;
        return s;
    }
    return shelf->slots_used < shelf->slot_count ? &shelf->slots[shelf->slots_used++] : NULL;
}

/* ---- Letting go ---- */

static bool always(void *user, uint32_t slot_index) {
    (void)user;
    (void)slot_index;
    return true;
}

/* How many images there are depends on how well they compress. */
static void fit_order(nq_shelf *shelf) {
    uint32_t count = shelf->image_count;
    uint32_t before = shelf->order_capacity;
    if (count + before / 8 < before || count > before) {
        shelf->order_capacity = count;
        nq_cache_set_capacity(shelf->order, count);
    }
}

/* False: there is nothing to let go of. */
static bool evict(nq_shelf *shelf) {
    if (shelf->image_count == 0) {
        return false;
    }
    fit_order(shelf);
    uint32_t victim = nq_cache_choose(shelf->order, always, NULL);
    NQ_ASSERT(victim != NQ_CACHE_NO_SLOT);
    nq_cache_evict(shelf->order, victim, shelf->slots[victim].id);
    empty(shelf, &shelf->slots[victim]);
    return true;
}

/* ---- What the owner does ---- */

void nq_shelf_remove(nq_shelf *shelf, uint32_t id) {
    slot *s = find(shelf, id);
    if (s != NULL) {
        nq_cache_remove(shelf->order, index_of(shelf, s));
        empty(shelf, s);
    }
}

bool nq_shelf_put(nq_shelf *shelf, uint32_t id, const void *image, uint32_t bytes, uint8_t tag) {
    NQ_ASSERT(id != 0 && bytes != 0 && bytes <= NQ_SHELF_IMAGE_BYTES_MAX);
    nq_shelf_remove(shelf, id);
    uint32_t needed = cells_of(bytes);
    while (shelf->cells_used + needed > shelf->capacity ||
           (shelf->free_slot == 0 && shelf->slots_used == shelf->slot_count)) {
        if (!evict(shelf)) {
            return false;
        }
    }
    uint32_t first;
    if (!store(shelf, image, bytes, &first)) {
        return false;
    }
    slot *s = take_slot(shelf);
    uint32_t *bucket = bucket_of(shelf, id);
    s->id = id;
    s->first = first;
    s->bytes = (uint16_t)bytes;
    s->tag = tag;
    s->next = *bucket;
    *bucket = index_of(shelf, s) + 1;
    shelf->image_count++;
    return nq_cache_insert(shelf->order, index_of(shelf, s), id);
}

bool nq_shelf_find(nq_shelf *shelf, uint32_t id, nq_shelf_image *out_image) {
    slot *s = find(shelf, id);
    if (s == NULL) {
        return false;
    }
    out_image->bytes = s->bytes;
    out_image->tag = s->tag;
    uint32_t copied = 0;
    for (uint32_t cell = s->first; cell != 0; cell = shelf->next_cell[cell - 1]) {
        uint32_t piece = s->bytes - copied < CELL_BYTES ? s->bytes - copied : CELL_BYTES;
        memcpy(out_image->data + copied, cell_bytes(shelf, cell - 1), piece);
        copied += piece;
    }
    (void)nq_cache_touch(shelf->order, &s->mark);
    shelf->hits++;
    return true;
}

bool nq_shelf_renew(nq_shelf *shelf, uint32_t id) {
    slot *s = find(shelf, id);
    if (s != NULL) {
        nq_cache_promote(shelf->order, index_of(shelf, s));
    }
    return s != NULL;
}

/* ---- Size ---- */

/* Leaves no free cell at or beyond `end` in the list. */
static void drop_free_cells(nq_shelf *shelf, uint32_t end) {
    uint32_t *link = &shelf->free_cell;
    while (*link != 0) {
        if (*link - 1 >= end) {
            *link = shelf->next_cell[*link - 1];
        } else {
            link = &shelf->next_cell[*link - 1];
        }
    }
}

/* Moves an image's cells at or beyond `end` to free ones before it. */
static void move_cells(nq_shelf *shelf, uint32_t *link, uint32_t end) {
    for (; *link != 0; link = &shelf->next_cell[*link - 1]) {
        uint32_t cell = *link - 1;
        if (cell >= end) {
            uint32_t other = take_free_cell(shelf);
            memcpy(cell_bytes(shelf, other), cell_bytes(shelf, cell), CELL_BYTES);
            shelf->next_cell[other] = shelf->next_cell[cell];
            *link = other + 1;
        }
    }
}

void nq_shelf_set_capacity(nq_shelf *shelf, uint64_t bytes) {
    uint32_t end = cells_for(bytes);
    shelf->capacity = end < shelf->cell_count ? end : shelf->cell_count;
    while (shelf->cells_used > shelf->capacity) {
        (void)evict(shelf);
    }
    if (shelf->fresh <= shelf->capacity) {
        return;
    }
    end = shelf->capacity;
    drop_free_cells(shelf, end); /* every cell before `end` is free or used: there are enough */
    for (uint32_t i = 0; i < shelf->slots_used; i++) {
        if (shelf->slots[i].id != 0) {
            move_cells(shelf, &shelf->slots[i].first, end);
        }
    }
    for (uint32_t block = end / BLOCK_CELLS; block * BLOCK_CELLS < shelf->fresh; block++) {
        nq_heap_free(shelf->blocks[block]);
        shelf->blocks[block] = NULL;
    }
    shelf->fresh = end;
}

uint64_t nq_shelf_capacity(const nq_shelf *shelf) {
    return (uint64_t)shelf->capacity * CELL_BYTES;
}

nq_shelf_stats nq_shelf_get_stats(const nq_shelf *shelf) {
    uint64_t blocks = (shelf->fresh + BLOCK_CELLS - 1) / BLOCK_CELLS;
    return (nq_shelf_stats){
        .hits = shelf->hits,
        .evictions = nq_cache_get_stats(shelf->order).evictions,
        .image_count = shelf->image_count,
        .bytes_held = blocks * BLOCK_BYTES,
    };
}
