/* What the pager's files share: the map in memory, the table of segments, the buffers, and who may
 * touch them.
 *
 *                       room found                 written
 *     free segment ------------------> BUFFERED -----------> in the file
 *          ^                          (a buffer:                |
 *          |                         OPEN, FULL, WRITING)       | live_bytes 0 and led_bytes 0
 *          +----------------------------------------------------+
 *
 * D1 A segment is written only while it is free: no place in the map, none in the newest durable
 *    checkpoint or in one being written, leads into it.
 * D2 `live_bytes` of a segment is the sum over the places in memory (pages, chunks, roots) that
 * lead there; `led_bytes` that of places which the durable checkpoint may still lead to although
 * the memory no longer does. Both change only with the map, under the mutex. D3 An image whose page
 * id is given back is dead at once (S1 and S2 of store: neither the durable checkpoint nor one
 * being written reaches it); one that was moved is led to until the next checkpoint is durable,
 * since only checkpoints move. D4 A chunk's `written` names the entries its image holds. Whatever
 * changes one of those makes it stale; a checkpoint writes the chunks that are stale or of which it
 * reaches another set. D5 A place says where its image is at every moment: in a buffer until the
 * file has it, then in the file. A buffer is not emptied before its bytes were written. D6 The
 * first copy of a superblock is written after everything it leads to is durable, the second after
 * the first is durable; nothing that the checkpoint before leads to is written over before both
 * are. So any one copy may be lost at any moment. D7 The mutex is never held during I/O. */
#ifndef NQ_STORAGE_PAGER_PAGER_INTERNAL_H
#define NQ_STORAGE_PAGER_PAGER_INTERNAL_H

#include <stdatomic.h>

#include "engine/ground/os/mutex.h"
#include "engine/storage/pager/pager.h"
#include "engine/storage/segment/damage.h"

enum {
    NQ__CHUNK_WORDS = NQ_MAP_CHUNK_PLACES / 64,
    NQ__BUFFERS = 2,
    NQ__CODERS = 4,
};

/* ---- The map ---- */

typedef struct nq__chunk {
    nq_place places[NQ_MAP_CHUNK_PLACES];
    uint64_t present[NQ__CHUNK_WORDS]; /* bit set: the place is one */
    uint64_t written[NQ__CHUNK_WORDS]; /* D4 */
    bool is_stale;                     /* D4 */
    nq_place image;
} nq__chunk;

typedef struct nq__map {
    nq__chunk **chunks;
    uint32_t chunk_count;
    uint32_t chunk_room;
    bool root_is_stale[NQ_MAP_ROOTS_MAX];
    nq_place roots[NQ_MAP_ROOTS_MAX];
} nq__map;

/* ---- Segments ---- */

typedef struct nq__segment {
    uint32_t live_bytes; /* D2 */
    uint32_t led_bytes;  /* D2 */
    uint32_t pins;       /* of those who read all of it: it is not reused */
    bool is_free;        /* counted as such: it has space, and nobody needs what is there */
    bool is_hole;        /* counted as such: as free, but for the space, which may be others' */
    bool is_buffered;
    bool is_damaged;      /* to be emptied */
    bool has_losses;      /* and cannot be: some image is beyond repair */
    uint32_t victim_rank; /* being emptied, in this order; 0: not */
    uint64_t sequence;    /* of its writing; 0: before this run */
} nq__segment;

typedef struct nq__segment_table {
    nq__segment *items;
    uint32_t count; /* of the file; item 0 is the superblocks' */
    uint32_t room;
    uint32_t free_count;
    uint32_t hole_count;
    uint32_t lowest_free; /* no free segment is below */
} nq__segment_table;

/* ---- Buffers ---- */

typedef enum nq__buffer_state {
    NQ__BUFFER_EMPTY,
    NQ__BUFFER_OPEN,    /* takes images */
    NQ__BUFFER_FULL,    /* takes no more */
    NQ__BUFFER_WRITING, /* somebody writes it to the file */
} nq__buffer_state;

typedef struct nq__buffer {
    nq__buffer_state state;
    uint32_t segment;
    uint32_t data_bytes;
    uint64_t sequence;
    uint64_t checkpoint; /* that it is written for */
    uint8_t *bytes;      /* a whole segment */
} nq__buffer;

/* Compressors, and the room they work in; used by one thread at a time. */
typedef struct nq__coder {
    _Atomic bool is_taken;
    nq_image_encoder *encoder;
    nq_image_decoder *decoder;
    _Atomic size_t heap_bytes; /* of both, when they were last used */
    nq_page page;
} nq__coder;

/* The segment that was repaired last, whole again in memory. */
typedef struct nq__repaired {
    uint32_t segment; /* 0: none */
    uint64_t sequence;
    bool is_searchable; /* its headers are lost, but not all of it */
    uint8_t *bytes;     /* NULL until there is one */
    _Atomic uint32_t heap_bytes;
} nq__repaired;

typedef struct nq__pager_counters {
    _Atomic uint64_t images_read, images_hinted, flushed_bytes, moved_bytes, map_bytes,
        written_bytes;
    _Atomic uint64_t images_repaired, images_lost, segments_damaged, segments_scrubbed;
} nq__pager_counters;

struct nq_pager {
    nq_file *file;
    char *path;
    void (*on_damage)(void *user);
    void *on_damage_user;
    nq_segment_layout layout;
    uint64_t salt;
    uint32_t segment_bytes;
    uint32_t data_bytes_max;
    nq_superblock superblock; /* the newest on disk; the checkpoint's alone, like the next */
    nq_superblock next_superblock;
    bool is_closing;               /* likewise */
    uint64_t map_bytes_before;     /* of the map's images at the last checkpoint */
    uint64_t flushed_bytes_before; /* the counter then */

    nq_mutex mutex;  /* guards what follows */
    nq_cond changed; /* a buffer is no longer being written; the file is no longer being extended */
    nq__map map;
    nq__segment_table segments;
    nq__buffer buffers[NQ__BUFFERS];
    nq__buffer *open; /* NULL: none */
    uint64_t segment_sequence;
    uint64_t checkpoint_sequence; /* of the next checkpoint */
    uint32_t promised_segments;   /* that pages yet to be written may need */
    uint32_t segments_opened;     /* since the last checkpoint */
    bool is_extending;
    bool is_disk_full; /* when the file last had to grow */
    nq_status failure; /* of a sync or a superblock */

    nq_mutex repair_mutex; /* guards the next; held during I/O */
    nq__repaired repaired;

    nq__coder coders[NQ__CODERS];
    nq__pager_counters counters;
    atomic_bool is_unreadable; /* it has been said that nothing of the file can be read */
};

/* ---- page_map.c: under the mutex ---- */

nq_place nq__map_place(const nq_pager *pager, uint32_t page);
/* Room for a page's place. Fails with NQ_MEMORY_LIMIT. */
nq_status nq__map_reserve(nq_ctx *ctx, nq_pager *pager, uint32_t page);
/* The page has another place, or none; that of before is dead. */
void nq__map_set(nq_pager *pager, uint32_t page, nq_place place);
/* The same page has another place; the checkpoint leads to that of before. */
void nq__map_move(nq_pager *pager, uint32_t page, nq_place place);
/* Likewise of a chunk's and a root's image. */
void nq__map_set_chunk_image(nq_pager *pager, uint32_t chunk, nq_place place);
void nq__map_set_root_image(nq_pager *pager, uint32_t root, nq_place place);

/* What a checkpoint that does not reach the pages in `not_reached` has to write of a chunk: false,
 * nothing. Otherwise its places; *out_is_empty: there are none. The chunk counts as written. */
bool nq__map_take_chunk(nq_pager *pager, uint32_t chunk, const nq_space *not_reached,
                        nq_place out_places[NQ_MAP_CHUNK_PLACES], bool *out_is_empty);

/* A page id below not_reached->page_count that has no place though it is reached; 0: none. */
uint32_t nq__map_find_missing(const nq_pager *pager, const nq_space *not_reached);

void nq__map_deinit(nq__map *map);

/* ---- segments.c: under the mutex ---- */

/* The file has `count` segments; the new ones are free. Fails with NQ_MEMORY_LIMIT. */
nq_status nq__segments_reserve(nq_ctx *ctx, nq_pager *pager, uint32_t count);
void nq__segments_set_count(nq_pager *pager, uint32_t count);
/* The lowest free segment is no longer free. There is one. */
uint32_t nq__segments_take(nq_pager *pager);
/* The map leads to the place; leads there no more; led there until now and the checkpoint still
 * does. */
void nq__segments_add(nq_pager *pager, nq_place place);
void nq__segments_drop(nq_pager *pager, nq_place place);
void nq__segments_lead_away(nq_pager *pager, nq_place place);
/* The checkpoint leads only to what the map does. */
void nq__segments_release(nq_pager *pager);
/* After the map was loaded: what it does not lead to is a hole, for all we know. */
void nq__segments_settle(nq_pager *pager);
/* The highest free segment gives its space up. There is one. */
uint32_t nq__segments_give_up(nq_pager *pager);
/* The first hole from `segment` on; the table's count: there is none. */
uint32_t nq__segments_find_hole(const nq_pager *pager, uint32_t segment);
/* The hole has space again. */
void nq__segments_fill(nq_pager *pager, uint32_t hole);
/* Its bytes are in the file. */
void nq__segment_written(nq_pager *pager, uint32_t segment);
void nq__segment_pin(nq_pager *pager, uint32_t segment);
void nq__segment_unpin(nq_pager *pager, uint32_t segment);

/* What an image of so many bytes takes of a segment. */
static inline uint32_t nq__aligned_bytes(uint32_t bytes) {
    return (bytes + NQ_IMAGE_ALIGNMENT - 1) / NQ_IMAGE_ALIGNMENT * NQ_IMAGE_ALIGNMENT;
}

/* Where a data byte of a segment is in the file. */
static inline uint64_t nq__data_offset(const nq_pager *pager, nq_place place) {
    return (uint64_t)place.segment * pager->segment_bytes +
           nq_segment_data_offset(nq_place_data_byte(place));
}

/* ---- stream.c ---- */

/* What an image is written for: when the disk is full, what makes room comes first. */
typedef enum nq__purpose {
    NQ__FOR_PAGES,      /* leaves the segments that a checkpoint's map may need */
    NQ__FOR_COLLECTION, /* leaves those and what dirty pages may need */
    NQ__FOR_MAP,
} nq__purpose;

/* An image on its way into a segment. */
typedef struct nq__image {
    nq__purpose purpose;
    nq_image_codec codec;
    uint32_t bytes;
    uint32_t crc;
    uint32_t stamp;
    uint8_t data[NQ_IMAGE_BYTES_MAX];
} nq__image;

/* Appends the image. The mutex is held before and after, not always in between. */
nq_status nq__stream_append(nq_ctx *ctx, nq_pager *pager, const nq__image *image,
                            nq_place *out_place);

/* Writes everything appended so far to the file. Does not sync. The mutex is not held. */
nq_status nq__stream_flush(nq_ctx *ctx, nq_pager *pager);

/* What is left of the open segment. Under the mutex. */
uint32_t nq__stream_room(const nq_pager *pager);

/* Free segments that are not there for this purpose. Under the mutex. */
uint32_t nq__stream_kept_back(const nq_pager *pager, nq__purpose purpose);

/* The disk was full when the file last had to grow, and there is still less than everybody's share.
 * Under the mutex. */
bool nq__stream_is_short(const nq_pager *pager);

/* Segments for whoever makes room. Under the mutex. */
uint32_t nq__reserve(const nq_pager *pager);

/* Takes space for one segment more, in a hole or at the file's end, unless somebody else does.
 * Under the mutex, which is let go of. */
nq_status nq__stream_extend(nq_ctx *ctx, nq_pager *pager);

/* The buffered bytes of a segment; NULL: the file has them. Under the mutex. */
const uint8_t *nq__stream_find(const nq_pager *pager, uint32_t segment);

/* ---- write.c ---- */

nq__coder *nq__coder_take(nq_pager *pager);
void nq__coder_give(nq__coder *coder);

/* Makes an image of NQ_PAGE_BYTES under an id (of a page, chunk or root). */
void nq__image_make(nq__coder *coder, uint32_t id, const void *bytes, nq_image_codec wish,
                    nq__image *out_image);

/* ---- read.c ---- */

/* The image of a page and the place it was read from, which may be none. From a buffer, the file or
 * parity. Fails with NQ_PAGE_CORRUPT when it is not to be had. */
nq_status nq__page_image_read(nq_ctx *ctx, nq_pager *pager, uint32_t page, nq_place *out_place,
                              uint8_t *out_image);

/* Gives back the NQ_PAGE_BYTES that were encoded. False: it is no such image. */
bool nq__image_unpack(nq_pager *pager, nq_place place, const uint8_t *image, void *out_bytes);

/* A chunk or root of the map, as it stands in the file; its places are not checked. */
nq_status nq__map_image_read(nq_ctx *ctx, nq_pager *pager, uint32_t id, nq_place place,
                             nq_place out_places[NQ_MAP_CHUNK_PLACES]);

static inline bool nq__place_is_same(nq_place left, nq_place right) {
    return memcmp(&left, &right, sizeof left) == 0;
}

/* ---- repair.c ---- */

/* The image at a place whose bytes in the file are not those that were written, or cannot be read.
 * Marks its segment, which is pinned or cannot be reused. */
nq_status nq__place_repair(nq_ctx *ctx, nq_pager *pager, uint32_t id, nq_place place,
                           uint8_t *out_image);

/* All of a segment's bytes, those that cannot be read as zeros, and what is wrong with them.
 * *out_has_any is false when none of it can be read. Fails with NQ_IO_ERROR when nothing of the
 * whole file can: that is no damage. */
nq_status nq__segment_inspect(nq_ctx *ctx, nq_pager *pager, uint32_t segment, uint8_t *out_bytes,
                              nq_segment_damage *out_damage, bool *out_has_any);

/* The segment is to be emptied by the next checkpoint. */
void nq__segment_mark(nq_pager *pager, uint32_t segment, const nq_segment_damage *damage);

/* Gives the memory of the last repair back. */
void nq__repaired_drop(nq_pager *pager);

/* ---- collect.c, checkpoint.c, open.c ---- */

/* Moves pages out of damaged and sparsely used segments. */
nq_status nq__pager_collect(nq_ctx *ctx, nq_pager *pager, uint64_t *out_pages_moved);

/* Nobody knows what the disk holds: no further checkpoint. Returns the status. */
nq_status nq__pager_fail(nq_pager *pager, nq_status status);

/* Writes the copies of the newest superblock that are not what they should be; returns how many. */
nq_status nq__superblock_complete(nq_ctx *ctx, nq_pager *pager, uint32_t *out_written);

/* Writes one copy of a superblock and syncs it. */
nq_status nq__superblock_write(nq_ctx *ctx, nq_pager *pager, const nq_superblock *superblock,
                               uint32_t turn);

/* Reads the map that the superblock leads to. */
nq_status nq__map_load(nq_ctx *ctx, nq_pager *pager);

#endif
