/* Shelf: slots for images, found by a chained hash table; cells for their bytes, chained too.
 *
 *     bucket --> slot {id, bytes, tag} --> slot
 *                  |
 *                  +--> cell --> cell --> cell          512 bytes each, anywhere
 *
 * H1 A cell below `fresh` is in exactly one chain: an image's or that of the free ones.
 * H2 Cells in use are at most `capacity`; those from `fresh` on have no memory. */
#include "engine/storage/cache/shelf.h"

#include "engine/ground/base/assert.h"
#include "engine/ground/base/heap.h"
#include "engine/ground/os/memory.h"
#include "engine/ground/simd/hash.h"
#include "engine/storage/cache/cache.h"

enum {
    CELL_BYTES = 512,
    STEP_CELLS = NQ_SHELF_STEP_BYTES / CELL_BYTES,
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
    uint8_t *cells;
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
    uint64_t steps = bytes / NQ_SHELF_STEP_BYTES;
    uint64_t steps_max = UINT32_MAX / STEP_CELLS / 2;
    return (uint32_t)(steps < steps_max ? steps : steps_max) * STEP_CELLS;
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
    shelf->cells = nq_heap_alloc_aligned(CELL_BYTES, (size_t)shelf->cell_count * CELL_BYTES);
    nq_status status = NQ_OK;
    if (shelf->slots == NULL || shelf->buckets == NULL || shelf->next_cell == NULL ||
        shelf->cells == NULL) {
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
    nq_cache_destroy(shelf->order);
    nq_heap_free(shelf->slots);
    nq_heap_free(shelf->buckets);
    nq_heap_free(shelf->next_cell);
    nq_heap_free(shelf->cells);
    nq_heap_free(shelf);
}

/* ---- Cells ---- */

static uint8_t *cell_bytes(const nq_shelf *shelf, uint32_t cell) {
    return shelf->cells + (size_t)cell * CELL_BYTES;
}

static uint32_t cells_of(uint32_t bytes) {
    return (bytes + CELL_BYTES - 1) / CELL_BYTES;
}

static uint32_t take_free_cell(nq_shelf *shelf) {
    uint32_t cell = shelf->free_cell - 1;
    shelf->free_cell = shelf->next_cell[cell];
    return cell;
}

static uint32_t take_cell(nq_shelf *shelf) {
    shelf->cells_used++;
    return shelf->free_cell != 0 ? take_free_cell(shelf) : shelf->fresh++;
}

static void give_cell(nq_shelf *shelf, uint32_t cell) {
    shelf->next_cell[cell] = shelf->free_cell;
    shelf->free_cell = cell + 1;
}

static void give_chain(nq_shelf *shelf, uint32_t first) {
    while (first != 0) {
        uint32_t next = shelf->next_cell[first - 1];
        give_cell(shelf, first - 1);
        shelf->cells_used--;
        first = next;
    }
}

/* Copies an image to cells of its own; returns the first. */
static uint32_t store(nq_shelf *shelf, const uint8_t *image, uint32_t bytes) {
    uint32_t first = 0;
    /* From the last cell to the first, so that each finds the next one known. */
    for (uint32_t i = cells_of(bytes); i-- > 0;) {
        uint32_t cell = take_cell(shelf);
        uint32_t start = i * CELL_BYTES;
        uint32_t piece = bytes - start < CELL_BYTES ? bytes - start : CELL_BYTES;
        memcpy(cell_bytes(shelf, cell), image + start, piece);
        shelf->next_cell[cell] = first;
        first = cell + 1;
    }
    return first;
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

static bool has_room(const nq_shelf *shelf, uint32_t cells) {
    return shelf->cells_used + cells <= shelf->capacity &&
           (shelf->free_slot != 0 || shelf->slots_used < shelf->slot_count);
}

bool nq_shelf_admits(nq_shelf *shelf, uint32_t id) {
    if (has_room(shelf, cells_of(NQ_SHELF_IMAGE_BYTES_MAX)) ||
        nq_cache_remembers(shelf->order, id)) {
        return true;
    }
    nq_cache_turn_away(shelf->order, id);
    return false;
}

void nq_shelf_remove(nq_shelf *shelf, uint32_t id) {
    slot *s = find(shelf, id);
    if (s != NULL) {
        nq_cache_remove(shelf->order, index_of(shelf, s));
        empty(shelf, s);
    }
}

void nq_shelf_put(nq_shelf *shelf, uint32_t id, const void *image, nq_shelf_label label) {
    NQ_ASSERT(id != 0 && label.bytes != 0 && label.bytes <= NQ_SHELF_IMAGE_BYTES_MAX);
    nq_shelf_remove(shelf, id);
    uint32_t needed = cells_of(label.bytes);
    while (!has_room(shelf, needed)) {
        if (!evict(shelf)) {
            return;
        }
    }
    uint32_t first = store(shelf, image, label.bytes);
    slot *s = take_slot(shelf);
    uint32_t *bucket = bucket_of(shelf, id);
    s->id = id;
    s->first = first;
    s->bytes = (uint16_t)label.bytes;
    s->tag = label.tag;
    s->next = *bucket;
    *bucket = index_of(shelf, s) + 1;
    shelf->image_count++;
    nq_cache_insert(shelf->order, index_of(shelf, s), id);
}

static void copy_out(const nq_shelf *shelf, const slot *s, uint8_t *out_image) {
    uint32_t copied = 0;
    for (uint32_t cell = s->first; cell != 0; cell = shelf->next_cell[cell - 1]) {
        uint32_t piece = s->bytes - copied < CELL_BYTES ? s->bytes - copied : CELL_BYTES;
        memcpy(out_image + copied, cell_bytes(shelf, cell - 1), piece);
        copied += piece;
    }
}

bool nq_shelf_take(nq_shelf *shelf, uint32_t id, void *out_image, nq_shelf_label *out_label) {
    slot *s = find(shelf, id);
    if (s == NULL) {
        return false;
    }
    *out_label = (nq_shelf_label){s->bytes, s->tag};
    copy_out(shelf, s, out_image);
    nq_cache_lend(shelf->order, index_of(shelf, s), id);
    empty(shelf, s);
    shelf->hits++;
    return true;
}

bool nq_shelf_has(const nq_shelf *shelf, uint32_t id) {
    return find(shelf, id) != NULL;
}

bool nq_shelf_remembers(const nq_shelf *shelf, uint32_t id) {
    return nq_cache_remembers(shelf->order, id);
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
    nq_memory_discard(cell_bytes(shelf, end), (size_t)(shelf->fresh - end) * CELL_BYTES);
    shelf->fresh = end;
}

uint64_t nq_shelf_capacity(const nq_shelf *shelf) {
    return (uint64_t)shelf->capacity * CELL_BYTES;
}

nq_shelf_stats nq_shelf_get_stats(const nq_shelf *shelf) {
    return (nq_shelf_stats){
        .hits = shelf->hits,
        .evictions = nq_cache_get_stats(shelf->order).evictions,
        .image_count = shelf->image_count,
        .bytes_held = (uint64_t)shelf->fresh * CELL_BYTES,
    };
}
