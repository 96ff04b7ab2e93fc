/* A simulated file's content: page cache, disk, and what lies between them.
 *
 *   write    now := data, dirty          sync     durable := now, before := durable where dirty
 *   resize   now := zeros beyond         settle   durable := per dirty sector one of
 *                                                 {durable, now, garbage}; now := durable
 *
 * I1  Beyond now_bytes `now` is zero; beyond durable_bytes `durable` is, but for dirty blocks that
 *     reached the disk on their own: whoever moves durable_bytes zeroes what lies behind it.
 * I2  `durable` of a sector that is not dirty equals `now` below cut_bytes.
 * I3  A block with more than one reference is not changed: own_block first. */
#include <string.h>

#include "engine/ground/base/assert.h"
#include "engine/ground/base/heap.h"
#include "engine/ground/os/sim_disk_internal.h"

void *nq__sim_alloc(size_t bytes) {
    void *memory = nq_heap_calloc(1, bytes);
    NQ_ASSERT(memory != NULL);
    return memory;
}

nq__sim_inode *nq__sim_inode_create(nq_sim_vfs *disk, bool is_dir) {
    nq__sim_inode *inode = nq__sim_alloc(sizeof(*inode));
    inode->references = 1;
    inode->is_dir = is_dir;
    inode->next = disk->inodes;
    disk->inodes = inode;
    return inode;
}

static void release_block(nq__sim_block *block) {
    if (block != NULL &&
        atomic_fetch_sub_explicit(&block->references, 1, memory_order_acq_rel) == 1) {
        nq_heap_free(block);
    }
}

void nq__sim_inode_release(nq_sim_vfs *disk, nq__sim_inode *inode) {
    if (inode == NULL || --inode->references > 0) {
        return;
    }
    nq__sim_inode **link = &disk->inodes;
    while (*link != inode) {
        link = &(*link)->next;
    }
    *link = inode->next;
    for (size_t i = 0; i < inode->block_count; i++) {
        release_block(inode->blocks[i]);
    }
    nq_heap_free(inode->blocks);
    nq_heap_free(inode->holes);
    nq_heap_free(inode);
}

static size_t hole_bytes(size_t hole_room) {
    return hole_room / 8;
}

nq__sim_inode *nq__sim_inode_clone(nq_sim_vfs *copy, const nq__sim_inode *inode) {
    nq__sim_inode *clone = nq__sim_inode_create(copy, inode->is_dir);
    clone->now_bytes = inode->now_bytes;
    clone->durable_bytes = inode->durable_bytes;
    clone->cut_bytes = inode->cut_bytes;
    clone->dirty_low = inode->dirty_low;
    clone->dirty_high = inode->dirty_high;
    clone->block_count = inode->block_count;
    if (inode->block_count > 0) {
        clone->blocks = nq__sim_alloc(inode->block_count * sizeof(nq__sim_block *));
    }
    clone->hole_count = inode->hole_count;
    clone->hole_room = inode->hole_room;
    if (inode->hole_room > 0) {
        clone->holes = nq__sim_alloc(hole_bytes(inode->hole_room));
        memcpy(clone->holes, inode->holes, hole_bytes(inode->hole_room));
    }
    for (size_t i = 0; i < inode->block_count; i++) {
        clone->blocks[i] = inode->blocks[i];
        if (inode->blocks[i] != NULL) {
            atomic_fetch_add_explicit(&inode->blocks[i]->references, 1, memory_order_relaxed);
        }
    }
    return clone;
}

static nq__sim_block *block_at(const nq__sim_inode *inode, uint64_t index) {
    return index < inode->block_count ? inode->blocks[index] : NULL;
}

/* The block, which is there, to be changed. */
static nq__sim_block *own_block(nq__sim_inode *inode, size_t index) {
    nq__sim_block *shared = inode->blocks[index];
    if (atomic_load_explicit(&shared->references, memory_order_acquire) == 1) {
        return shared;
    }
    nq__sim_block *own = nq_heap_alloc(sizeof(*own));
    NQ_ASSERT(own != NULL);
    memcpy(own, shared, sizeof(*own));
    atomic_init(&own->references, 1);
    inode->blocks[index] = own;
    release_block(shared);
    return own;
}

/* The block, to be changed, whether it was there or not. */
static nq__sim_block *make_block(nq__sim_inode *inode, uint64_t index) {
    if (index >= inode->block_count) {
        size_t count = inode->block_count * 2 > index + 1 ? inode->block_count * 2 : index + 1;
        nq__sim_block **blocks = nq__sim_alloc(count * sizeof(nq__sim_block *));
        if (inode->block_count > 0) {
            memcpy(blocks, inode->blocks, inode->block_count * sizeof(nq__sim_block *));
        }
        nq_heap_free(inode->blocks);
        inode->blocks = blocks;
        inode->block_count = count;
    }
    if (inode->blocks[index] == NULL) {
        inode->blocks[index] = nq__sim_alloc(sizeof(nq__sim_block));
        atomic_init(&inode->blocks[index]->references, 1);
    }
    return own_block(inode, index);
}

static void mark_dirty(nq__sim_inode *inode, size_t index, uint32_t from, uint32_t to) {
    for (uint32_t sector = from / NQ_SIM_SECTOR_BYTES; sector * NQ_SIM_SECTOR_BYTES < to;
         sector++) {
        inode->blocks[index]->dirty |= (uint8_t)(1u << sector);
        inode->blocks[index]->unreadable &= (uint8_t) ~(1u << sector);
    }
    bool is_clean = inode->dirty_low == inode->dirty_high;
    if (is_clean || index < inode->dirty_low) {
        inode->dirty_low = index;
    }
    if (is_clean || index >= inode->dirty_high) {
        inode->dirty_high = index + 1;
    }
}

void nq__sim_content_write(nq__sim_inode *inode, uint64_t offset, const uint8_t *data,
                           size_t bytes) {
    for (size_t done = 0; done < bytes;) {
        uint64_t index = (offset + done) / SIM_BLOCK_BYTES;
        uint32_t from = (uint32_t)((offset + done) % SIM_BLOCK_BYTES);
        size_t part = SIM_BLOCK_BYTES - from < bytes - done ? SIM_BLOCK_BYTES - from : bytes - done;
        memcpy(make_block(inode, index)->now + from, data + done, part);
        mark_dirty(inode, index, from, from + (uint32_t)part);
        done += part;
    }
    if (bytes > 0 && offset + bytes > inode->now_bytes) {
        inode->now_bytes = offset + bytes;
    }
}

void nq__sim_content_read(const nq__sim_inode *inode, uint64_t offset, uint8_t *out_data,
                          size_t bytes, bool is_stale) {
    for (size_t done = 0; done < bytes;) {
        uint64_t at = offset + done;
        uint32_t from = (uint32_t)(at % NQ_SIM_SECTOR_BYTES);
        size_t part = NQ_SIM_SECTOR_BYTES - from;
        part = part < bytes - done ? part : bytes - done;
        const nq__sim_block *block = block_at(inode, at / SIM_BLOCK_BYTES);
        uint32_t sector = (uint32_t)(at % SIM_BLOCK_BYTES) / NQ_SIM_SECTOR_BYTES;
        if (block == NULL) {
            memset(out_data + done, 0, part);
        } else {
            bool is_dirty = (block->dirty >> sector & 1) != 0;
            const uint8_t *source = is_stale && !is_dirty ? block->before : block->now;
            memcpy(out_data + done, source + at % SIM_BLOCK_BYTES, part);
        }
        done += part;
    }
}

/* Zeroes the page cache's, or the disk's, bytes from `size` on. */
static void zero_beyond(nq__sim_inode *inode, uint64_t size, bool on_disk) {
    for (uint64_t i = size / SIM_BLOCK_BYTES; i < inode->block_count; i++) {
        uint32_t from = i == size / SIM_BLOCK_BYTES ? (uint32_t)(size % SIM_BLOCK_BYTES) : 0;
        if (inode->blocks[i] == NULL) {
            continue;
        }
        nq__sim_block *block = own_block(inode, i);
        memset((on_disk ? block->durable : block->now) + from, 0, SIM_BLOCK_BYTES - from);
        if (!on_disk) {
            /* A sector cut in two keeps its dirt; whole ones have nothing left to be written. */
            uint32_t first = (from + NQ_SIM_SECTOR_BYTES - 1) / NQ_SIM_SECTOR_BYTES;
            block->dirty &= (uint8_t)((1u << first) - 1);
        }
    }
}

void nq__sim_content_resize(nq__sim_inode *inode, uint64_t bytes) {
    if (bytes < inode->now_bytes) {
        nq__sim_content_fill(inode, bytes, UINT64_MAX - bytes);
        zero_beyond(inode, bytes, false);
        if (bytes < inode->cut_bytes) {
            inode->cut_bytes = bytes;
        }
    }
    inode->now_bytes = bytes;
}

static uint8_t *sector_of(uint8_t *image, uint32_t sector) {
    return image + (size_t)sector * NQ_SIM_SECTOR_BYTES;
}

static void settled(nq__sim_inode *inode) {
    inode->cut_bytes = inode->durable_bytes;
    inode->dirty_low = 0;
    inode->dirty_high = 0;
}

void nq__sim_content_sync(nq__sim_inode *inode) {
    if (inode->cut_bytes < inode->durable_bytes) {
        zero_beyond(inode, inode->cut_bytes, true);
    }
    for (size_t i = inode->dirty_low; i < inode->dirty_high; i++) {
        if (inode->blocks[i] == NULL || inode->blocks[i]->dirty == 0) {
            continue;
        }
        nq__sim_block *block = own_block(inode, i);
        for (uint32_t sector = 0; sector < SIM_SECTORS_PER_BLOCK; sector++) {
            if ((block->dirty >> sector & 1) != 0) {
                memcpy(sector_of(block->before, sector), sector_of(block->durable, sector),
                       NQ_SIM_SECTOR_BYTES);
                memcpy(sector_of(block->durable, sector), sector_of(block->now, sector),
                       NQ_SIM_SECTOR_BYTES);
            }
        }
        block->dirty = 0;
    }
    inode->durable_bytes = inode->now_bytes;
    zero_beyond(inode, inode->durable_bytes, true); /* I1 */
    settled(inode);
}

bool nq__sim_content_is_durable(const nq__sim_inode *inode) {
    return inode->dirty_low == inode->dirty_high && inode->now_bytes == inode->durable_bytes &&
           inode->cut_bytes == inode->durable_bytes;
}

void nq__sim_content_write_back(nq__sim_inode *inode, nq_rng *rng) {
    /* While a cut is undecided the disk below it must stay as it was. */
    if (inode->dirty_low == inode->dirty_high || inode->cut_bytes < inode->durable_bytes) {
        return;
    }
    size_t index =
        inode->dirty_low + (size_t)nq_rng_below(rng, inode->dirty_high - inode->dirty_low);
    if (inode->blocks[index] == NULL) {
        return;
    }
    nq__sim_block *block = own_block(inode, index);
    for (uint32_t sector = 0; sector < SIM_SECTORS_PER_BLOCK; sector++) {
        if ((block->dirty >> sector & 1) != 0) {
            memcpy(sector_of(block->durable, sector), sector_of(block->now, sector),
                   NQ_SIM_SECTOR_BYTES);
        }
    }
}

/* What a sector may hold that was being written: noise, zeros, or the new up to somewhere. */
static void garble(nq_rng *rng, uint8_t *sector, const uint8_t *written) {
    uint64_t kind = nq_rng_below(rng, 4);
    size_t at = (size_t)nq_rng_below(rng, NQ_SIM_SECTOR_BYTES);
    if (kind == 0) {
        memset(sector, 0, NQ_SIM_SECTOR_BYTES);
    } else if (kind == 1) {
        memset(sector, 0xFF, NQ_SIM_SECTOR_BYTES);
    } else if (kind == 2) {
        memcpy(sector, written, at);
    } else {
        for (size_t i = 0; i < NQ_SIM_SECTOR_BYTES; i++) {
            sector[i] = (uint8_t)nq_rng_next(rng);
        }
    }
}

/* Which size a cut left: the cut may have been lost, and of an extension any part. */
static uint64_t settle_size(nq__sim_inode *inode, nq_rng *rng) {
    uint64_t base = inode->durable_bytes;
    if (inode->cut_bytes < base && nq_rng_below(rng, 2) == 0) {
        base = inode->cut_bytes;
        zero_beyond(inode, base, true);
    }
    if (inode->now_bytes <= base) {
        return base;
    }
    switch (nq_rng_below(rng, 3)) {
    case 0:
        return base;
    case 1:
        return inode->now_bytes;
    default: {
        uint64_t size = base + nq_rng_below(rng, inode->now_bytes - base);
        size = (size + NQ_SIM_SECTOR_BYTES - 1) / NQ_SIM_SECTOR_BYTES * NQ_SIM_SECTOR_BYTES;
        return size < inode->now_bytes ? size : inode->now_bytes;
    }
    }
}

/* One file's mood: everything, nothing, or each sector by itself. */
static uint32_t draw_keep_percent(nq_rng *rng) {
    static const uint32_t PERCENTS[] = {0, 100, 50, 50, 10, 90};
    return PERCENTS[nq_rng_below(rng, sizeof(PERCENTS) / sizeof(PERCENTS[0]))];
}

static void settle_block(nq_sim_vfs *disk, nq__sim_block *block, uint32_t keep_percent) {
    for (uint32_t sector = 0; sector < SIM_SECTORS_PER_BLOCK; sector++) {
        if ((block->dirty >> sector & 1) == 0) {
            continue;
        }
        uint8_t *durable = sector_of(block->durable, sector);
        const uint8_t *now = sector_of(block->now, sector);
        bool may_garble = keep_percent > 0 && keep_percent < 100;
        if (may_garble && nq_rng_below(&disk->rng, 100) < disk->options.garble_percent) {
            garble(&disk->rng, durable, now);
            disk->stats.sectors_garbled++;
        } else if (nq_rng_below(&disk->rng, 100) < keep_percent) {
            memcpy(durable, now, NQ_SIM_SECTOR_BYTES);
            disk->stats.sectors_kept++;
        } else {
            disk->stats.sectors_dropped++;
        }
    }
    block->dirty = 0;
}

/* The first block of which page cache and disk may differ when the size becomes `size`; I2. */
static size_t first_undecided(const nq__sim_inode *inode, uint64_t size) {
    uint64_t decided = inode->cut_bytes < size ? inode->cut_bytes : size;
    size_t first = (size_t)(decided / SIM_BLOCK_BYTES);
    bool has_dirt = inode->dirty_low < inode->dirty_high;
    return has_dirt && inode->dirty_low < first ? inode->dirty_low : first;
}

void nq__sim_content_settle(nq_sim_vfs *disk, nq__sim_inode *inode, bool keeps_size) {
    if (nq__sim_content_is_durable(inode)) {
        return;
    }
    uint64_t size = keeps_size ? inode->now_bytes : settle_size(inode, &disk->rng);
    size_t first = first_undecided(inode, size);
    if (keeps_size && inode->cut_bytes < inode->durable_bytes) {
        zero_beyond(inode, inode->cut_bytes, true);
    }
    uint32_t keep_percent = draw_keep_percent(&disk->rng);
    for (size_t i = inode->dirty_low; i < inode->dirty_high; i++) {
        if (inode->blocks[i] != NULL && inode->blocks[i]->dirty != 0) {
            settle_block(disk, own_block(inode, i), keep_percent);
        }
    }
    zero_beyond(inode, size, true); /* I1 */
    inode->durable_bytes = size;
    inode->now_bytes = size;
    nq__sim_content_fill(inode, size, UINT64_MAX - size);
    settled(inode);
    for (size_t i = first; i < inode->block_count; i++) {
        const nq__sim_block *block = inode->blocks[i];
        if (block != NULL && memcmp(block->now, block->durable, SIM_BLOCK_BYTES) != 0) {
            memcpy(own_block(inode, i)->now, block->durable, SIM_BLOCK_BYTES);
        }
    }
}

/* ---- Holes ---- */

enum { HOLE_ROOM_STEP = 512 }; /* blocks; a multiple of the bits of a word */

static bool is_hole(const nq__sim_inode *inode, uint64_t index) {
    return index < inode->hole_room && (inode->holes[index / 64] >> (index % 64) & 1) != 0;
}

static void set_hole(nq__sim_inode *inode, uint64_t index, bool is_one) {
    if (is_hole(inode, index) != is_one) {
        inode->holes[index / 64] ^= UINT64_C(1) << (index % 64);
        inode->hole_count += is_one ? 1 : (size_t)-1;
    }
}

static void make_hole_room(nq__sim_inode *inode, uint64_t end) {
    if (end <= inode->hole_room) {
        return;
    }
    size_t room = (size_t)(end + HOLE_ROOM_STEP - 1) / HOLE_ROOM_STEP * HOLE_ROOM_STEP;
    uint64_t *holes = nq__sim_alloc(hole_bytes(room));
    if (inode->hole_room > 0) {
        memcpy(holes, inode->holes, hole_bytes(inode->hole_room));
    }
    nq_heap_free(inode->holes);
    inode->holes = holes;
    inode->hole_room = room;
}

void nq__sim_content_punch(nq__sim_inode *inode, uint64_t offset, uint64_t bytes) {
    static const uint8_t zeros[SIM_BLOCK_BYTES];
    uint64_t end = offset + bytes < inode->now_bytes ? offset + bytes : inode->now_bytes;
    uint64_t first = (offset + SIM_BLOCK_BYTES - 1) / SIM_BLOCK_BYTES;
    for (uint64_t at = offset; at < end;) {
        uint64_t part = SIM_BLOCK_BYTES - at % SIM_BLOCK_BYTES;
        part = part < end - at ? part : end - at;
        nq__sim_content_write(inode, at, zeros, (size_t)part);
        at += part;
    }
    make_hole_room(inode, end / SIM_BLOCK_BYTES);
    for (uint64_t i = first; i < end / SIM_BLOCK_BYTES; i++) {
        set_hole(inode, i, true);
    }
}

/* Behind the last block that a range touches and that may be a hole. */
static uint64_t holes_end(const nq__sim_inode *inode, uint64_t offset, uint64_t bytes) {
    uint64_t end = (offset + bytes - 1) / SIM_BLOCK_BYTES + 1;
    return bytes == 0 ? 0 : end < inode->hole_room ? end : inode->hole_room;
}

void nq__sim_content_fill(nq__sim_inode *inode, uint64_t offset, uint64_t bytes) {
    uint64_t end = holes_end(inode, offset, bytes);
    for (uint64_t i = offset / SIM_BLOCK_BYTES; i < end; i++) {
        set_hole(inode, i, false);
    }
}

uint64_t nq__sim_content_used_bytes(const nq__sim_inode *inode) {
    return inode->now_bytes - (uint64_t)inode->hole_count * SIM_BLOCK_BYTES;
}

uint64_t nq__sim_content_lacking_bytes(const nq__sim_inode *inode, uint64_t offset,
                                       uint64_t bytes) {
    uint64_t lacking = offset + bytes > inode->now_bytes ? offset + bytes - inode->now_bytes : 0;
    uint64_t end = holes_end(inode, offset, bytes);
    for (uint64_t i = offset / SIM_BLOCK_BYTES; i < end; i++) {
        lacking += is_hole(inode, i) ? SIM_BLOCK_BYTES : 0;
    }
    return lacking;
}

/* ---- Collateral damage ---- */

static bool is_dirty(const nq__sim_inode *inode, uint64_t sector) {
    const nq__sim_block *block = block_at(inode, sector / SIM_SECTORS_PER_BLOCK);
    return block != NULL && (block->dirty >> (sector % SIM_SECTORS_PER_BLOCK) & 1) != 0;
}

/* Garbles the disk's sectors of [start, end). What awaits a sync keeps its place in the page cache,
 * to be settled. */
static void garble_range(nq_sim_vfs *disk, nq__sim_inode *inode, uint64_t start, uint64_t end) {
    for (uint64_t sector = start / NQ_SIM_SECTOR_BYTES; sector * NQ_SIM_SECTOR_BYTES < end;
         sector++) {
        nq__sim_block *block = make_block(inode, sector / SIM_SECTORS_PER_BLOCK);
        uint32_t within = (uint32_t)(sector % SIM_SECTORS_PER_BLOCK);
        uint8_t *durable = sector_of(block->durable, within);
        garble(&disk->rng, durable, sector_of(block->before, within));
        if (!is_dirty(inode, sector)) {
            memcpy(sector_of(block->now, within), durable, NQ_SIM_SECTOR_BYTES);
        }
        disk->stats.sectors_garbled++;
    }
}

/* Garbles some, or now and then all, of what the disk has in [low, high). */
static void garble_within(nq_sim_vfs *disk, nq__sim_inode *inode, uint64_t low, uint64_t high) {
    enum { ALL_EVERY = 4 };
    high = high < inode->durable_bytes ? high : inode->durable_bytes;
    if (low >= high) {
        return;
    }
    uint64_t start = low + nq_rng_below(&disk->rng, high - low);
    uint64_t end = start + 1 + nq_rng_below(&disk->rng, high - start);
    bool is_all = nq_rng_below(&disk->rng, ALL_EVERY) == 0;
    garble_range(disk, inode, is_all ? low : start, is_all ? high : end);
}

void nq__sim_content_damage(nq_sim_vfs *disk, nq__sim_inode *inode) {
    uint64_t reach = disk->options.collateral_bytes;
    uint64_t last = (uint64_t)inode->dirty_high * SIM_SECTORS_PER_BLOCK;
    for (uint64_t at = (uint64_t)inode->dirty_low * SIM_SECTORS_PER_BLOCK; at < last; at++) {
        if (!is_dirty(inode, at)) {
            continue;
        }
        uint64_t low = at * NQ_SIM_SECTOR_BYTES;
        while (is_dirty(inode, at)) {
            at++;
        }
        uint64_t high = at * NQ_SIM_SECTOR_BYTES;
        if (nq_rng_below(&disk->rng, 2) == 0) {
            garble_within(disk, inode, low > reach ? low - reach : 0, low);
        }
        if (nq_rng_below(&disk->rng, 2) == 0) {
            garble_within(disk, inode, high, high + reach);
        }
    }
    zero_beyond(inode, inode->durable_bytes, true); /* I1 */
    zero_beyond(inode, inode->now_bytes, false);
}

/* ---- Spoiling ---- */

bool nq__sim_content_flip_bit(nq__sim_inode *inode, uint64_t offset, unsigned bit) {
    if (offset >= inode->now_bytes || bit > 7) {
        return false;
    }
    nq__sim_block *block = make_block(inode, offset / SIM_BLOCK_BYTES);
    block->now[offset % SIM_BLOCK_BYTES] ^= (uint8_t)(1u << bit);
    if (offset < inode->durable_bytes) {
        block->durable[offset % SIM_BLOCK_BYTES] ^= (uint8_t)(1u << bit);
    }
    return true;
}

/* How much of a block lies below `size`. */
static uint32_t bytes_below(uint64_t index, uint64_t size) {
    uint64_t start = index * SIM_BLOCK_BYTES;
    uint64_t bytes = size > start ? size - start : 0;
    return bytes < SIM_BLOCK_BYTES ? (uint32_t)bytes : SIM_BLOCK_BYTES;
}

void nq__sim_content_rot(nq__sim_inode *inode, uint64_t offset, nq_rng *rng) {
    uint64_t index = offset / SIM_BLOCK_BYTES;
    nq__sim_block *block = make_block(inode, index);
    for (uint32_t i = 0; i < bytes_below(index, inode->now_bytes); i++) {
        block->now[i] = (uint8_t)nq_rng_next(rng);
    }
    memcpy(block->durable, block->now, bytes_below(index, inode->durable_bytes)); /* I1 */
}

bool nq__sim_content_wipe(nq__sim_inode *inode, uint64_t offset, uint64_t bytes) {
    if (offset + bytes > inode->now_bytes) {
        return false;
    }
    for (uint64_t done = 0; done < bytes;) {
        uint32_t from = (uint32_t)((offset + done) % SIM_BLOCK_BYTES);
        size_t part = SIM_BLOCK_BYTES - from < bytes - done ? SIM_BLOCK_BYTES - from : bytes - done;
        nq__sim_block *block = make_block(inode, (offset + done) / SIM_BLOCK_BYTES);
        memset(block->now + from, 0, part);
        memset(block->durable + from, 0, part);
        done += part;
    }
    return true;
}

void nq__sim_content_lose(nq__sim_inode *inode, uint64_t offset) {
    make_block(inode, offset / SIM_BLOCK_BYTES)->unreadable = UINT8_MAX;
}

bool nq__sim_content_is_readable(const nq__sim_inode *inode, uint64_t offset, size_t bytes) {
    for (uint64_t sector = offset / NQ_SIM_SECTOR_BYTES;
         sector * NQ_SIM_SECTOR_BYTES < offset + bytes; sector++) {
        const nq__sim_block *block = block_at(inode, sector / SIM_SECTORS_PER_BLOCK);
        if (block != NULL && (block->unreadable >> (sector % SIM_SECTORS_PER_BLOCK) & 1) != 0) {
            return false;
        }
    }
    return true;
}
