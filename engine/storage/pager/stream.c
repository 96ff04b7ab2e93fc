/* Stream: images on their way into segments.
 *
 *     EMPTY --a free segment--> OPEN --no room, or flush--> FULL --> WRITING --> EMPTY
 *                                                             ^         |
 *                                                             +--failed-+
 *
 * While one buffer is written the other takes images. A buffer whose writing failed stays FULL: its
 * images are read from it (D5), and whoever needs an empty one tries again. */
#include "engine/ground/base/assert.h"
#include "engine/storage/page/bug.h"
#include "engine/storage/pager/pager_internal.h"

/* Readers of the file wait no longer than for one of these where a file system locks it. */
enum { WRITE_BYTES_MAX = 256 << 10 };

const uint8_t *nq__stream_find(const nq_pager *pager, uint32_t segment) {
    for (uint32_t i = 0; i < NQ__BUFFERS; i++) {
        const nq__buffer *buffer = &pager->buffers[i];
        if (buffer->state != NQ__BUFFER_EMPTY && buffer->segment == segment) {
            return buffer->bytes;
        }
    }
    return NULL;
}

uint32_t nq__stream_room(const nq_pager *pager) {
    return pager->open == NULL ? 0 : pager->data_bytes_max - pager->open->data_bytes;
}

/* ---- Writing a full buffer ---- */

static nq_status write_run(nq_ctx *ctx, nq_pager *pager, uint64_t offset, const uint8_t *bytes,
                           uint32_t size) {
    while (size != 0) {
        uint32_t part = size < WRITE_BYTES_MAX ? size : WRITE_BYTES_MAX;
        NQ_TRY(nq_file_write_at(ctx, pager->file, offset, bytes, part));
        offset += part;
        bytes += part;
        size -= part;
    }
    return NQ_OK;
}

/* Nobody changes the buffer's data any more; the mutex is not held. */
static nq_status write_segment(nq_ctx *ctx, nq_pager *pager, const nq__buffer *buffer) {
    const nq_segment_info info = {
        .number = buffer->segment,
        .data_bytes = buffer->data_bytes,
        .sequence = buffer->sequence,
        .checkpoint = buffer->checkpoint,
        .salt = pager->salt,
    };
    nq_segment_seal(pager->layout, &info, buffer->bytes);
    nq_segment_extent extents[NQ_SEGMENT_EXTENTS_MAX];
    size_t count = nq_segment_extents(pager->layout, buffer->data_bytes, extents);
    for (size_t i = 0; i < count; i++) {
        uint64_t offset = (uint64_t)buffer->segment * pager->segment_bytes + extents[i].offset;
        NQ_TRY(write_run(ctx, pager, offset, buffer->bytes + extents[i].offset, extents[i].bytes));
        /* A checkpoint's sync finds little left, and the log's does not wait behind a segment. */
        nq_file_write_out(pager->file, offset, extents[i].bytes);
        atomic_fetch_add_explicit(&pager->counters.written_bytes, extents[i].bytes,
                                  memory_order_relaxed);
    }
    return NQ_OK;
}

/* The full buffer that waits longest; NULL: there is none. */
static nq__buffer *oldest_full(nq_pager *pager) {
    nq__buffer *oldest = NULL;
    for (uint32_t i = 0; i < NQ__BUFFERS; i++) {
        nq__buffer *buffer = &pager->buffers[i];
        if (buffer->state == NQ__BUFFER_FULL &&
            (oldest == NULL || buffer->sequence < oldest->sequence)) {
            oldest = buffer;
        }
    }
    return oldest;
}

/* Writes the oldest full buffer, or waits for somebody who writes one. The mutex is let go of. */
static nq_status write_or_wait(nq_ctx *ctx, nq_pager *pager) {
    nq__buffer *buffer = oldest_full(pager);
    if (buffer == NULL) {
        nq_cond_wait(&pager->changed, &pager->mutex);
        return NQ_OK;
    }
    buffer->state = NQ__BUFFER_WRITING;
    nq_mutex_unlock(&pager->mutex);
    nq_status status = write_segment(ctx, pager, buffer);
    nq_mutex_lock(&pager->mutex);
    buffer->state = status == NQ_OK ? NQ__BUFFER_EMPTY : NQ__BUFFER_FULL;
    if (status == NQ_OK) {
        nq__segment_written(pager, buffer->segment);
    }
    nq_cond_broadcast(&pager->changed);
    return status;
}

static void retire_open(nq_pager *pager) {
    pager->open->state = NQ__BUFFER_FULL;
    pager->open = NULL;
}

/* ---- Room ---- */

/* Reserves the space of a segment, so that nothing written there is refused for want of it. The
 * mutex is let go of. */
static nq_status allocate_segment(nq_ctx *ctx, nq_pager *pager, uint32_t segment) {
    bool is_reserved; /* or not: nothing better is to be had of this file system */
    nq_mutex_unlock(&pager->mutex);
    nq_status status = nq_file_allocate(ctx, pager->file, (uint64_t)segment * pager->segment_bytes,
                                        pager->segment_bytes, &is_reserved);
    nq_mutex_lock(&pager->mutex);
    return status;
}

/* The first hole that has space, or may have some; the end of the file when there is none. Some
 * holes of a file that has just been opened never lost theirs: on a full disk these are found. */
static nq_status take_space(nq_ctx *ctx, nq_pager *pager, uint32_t *out_segment) {
    nq_status status = NQ_DISK_FULL;
    uint32_t segment = 0;
    while (status == NQ_DISK_FULL && segment < pager->segments.count) {
        segment = nq__segments_find_hole(pager, segment + 1);
        status = allocate_segment(ctx, pager, segment);
    }
    *out_segment = segment;
    return status;
}

nq_status nq__stream_extend(nq_ctx *ctx, nq_pager *pager) {
    if (pager->is_extending) {
        nq_cond_wait(&pager->changed, &pager->mutex);
        return NQ_OK;
    }
    NQ_TRY(nq__segments_reserve(ctx, pager, pager->segments.count + 1));
    pager->is_extending = true;
    uint32_t segment;
    nq_status status = take_space(ctx, pager, &segment);
    pager->is_extending = false;
    pager->is_disk_full = status == NQ_DISK_FULL;
    if (status == NQ_OK && segment < pager->segments.count) {
        nq__segments_fill(pager, segment);
    } else if (status == NQ_OK) {
        nq__segments_set_count(pager, segment + 1);
    }
    nq_cond_broadcast(&pager->changed);
    return status;
}

uint32_t nq__stream_kept_back(const nq_pager *pager, nq__purpose purpose) {
    if (purpose == NQ__FOR_MAP) {
        return 0;
    }
    /* One for what the last segment of a checkpoint leaves unused. */
    uint64_t map_bytes = (uint64_t)pager->map.chunk_count * NQ_PAGE_BYTES;
    uint32_t for_map = 1 + (uint32_t)(map_bytes / pager->data_bytes_max);
    return purpose == NQ__FOR_PAGES ? for_map : for_map + pager->promised_segments;
}

bool nq__stream_is_short(const nq_pager *pager) {
    uint32_t shares = nq__stream_kept_back(pager, NQ__FOR_COLLECTION) + nq__reserve(pager);
    return pager->is_disk_full && pager->segments.free_count <= shares;
}

static void open_buffer(nq_pager *pager, nq__buffer *buffer) {
    uint32_t segment = nq__segments_take(pager);
    nq__segment *s = &pager->segments.items[segment];
    s->is_buffered = true;
    s->sequence = ++pager->segment_sequence;
    buffer->state = NQ__BUFFER_OPEN;
    buffer->segment = segment;
    buffer->data_bytes = 0;
    buffer->sequence = s->sequence;
    buffer->checkpoint = pager->checkpoint_sequence;
    pager->open = buffer;
    pager->segments_opened++;
}

static nq__buffer *find_empty(nq_pager *pager) {
    for (uint32_t i = 0; i < NQ__BUFFERS; i++) {
        if (pager->buffers[i].state == NQ__BUFFER_EMPTY) {
            return &pager->buffers[i];
        }
    }
    return NULL;
}

/* Sees to it that the open buffer has room. The mutex may be let go of. */
static nq_status make_room(nq_ctx *ctx, nq_pager *pager, uint32_t bytes, nq__purpose purpose) {
    while (nq__stream_room(pager) < bytes) {
        if (pager->open != NULL) {
            retire_open(pager);
        }
        nq__buffer *buffer = find_empty(pager);
        if (buffer == NULL) {
            NQ_TRY(write_or_wait(ctx, pager));
        } else if (pager->segments.free_count > nq__stream_kept_back(pager, purpose)) {
            open_buffer(pager, buffer);
        } else {
            NQ_TRY(nq__stream_extend(ctx, pager));
        }
    }
    return NQ_OK;
}

/* ---- The two ways in ---- */

nq_status nq__stream_append(nq_ctx *ctx, nq_pager *pager, const nq__image *image,
                            nq_place *out_place) {
    *out_place = NQ_PLACE_NONE;
    NQ_TRY(make_room(ctx, pager, nq__aligned_bytes(image->bytes), image->purpose));
    nq__buffer *buffer = pager->open;
    *out_place = nq_place_of(buffer->segment, buffer->data_bytes, image->bytes, image->codec,
                             image->crc, image->stamp);
    uint8_t *target = nq_segment_data(buffer->bytes) + buffer->data_bytes;
    uint32_t aligned = nq_place_aligned_bytes(*out_place);
    memcpy(target, image->data, image->bytes);
    memset(target + image->bytes, 0, aligned - image->bytes);
    buffer->data_bytes += aligned;
    return NQ_OK;
}

/* A buffer that was filled before `sequence` ended is not yet in the file. */
static bool has_unwritten(const nq_pager *pager, uint64_t sequence) {
    for (uint32_t i = 0; i < NQ__BUFFERS; i++) {
        const nq__buffer *buffer = &pager->buffers[i];
        if (buffer->state != NQ__BUFFER_EMPTY && buffer->sequence <= sequence) {
            return true;
        }
    }
    return false;
}

nq_status nq__stream_flush(nq_ctx *ctx, nq_pager *pager) {
    nq_status status = NQ_OK;
    nq_mutex_lock(&pager->mutex);
    uint64_t sequence = pager->segment_sequence;
    if (pager->open != NULL) {
        retire_open(pager);
    }
    while (status == NQ_OK && has_unwritten(pager, sequence)) {
        status = write_or_wait(ctx, pager);
    }
    nq_mutex_unlock(&pager->mutex);
    return status;
}
