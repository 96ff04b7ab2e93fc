/* Log segment: see the header. Stale bytes of a recycled file never verify: checksums are seeded
 * with positions. */
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>

#include "engine/ground/base/assert.h"
#include "engine/ground/base/heap.h"
#include "engine/ground/os/mutex.h"
#include "engine/storage/page/bug.h"
#include "engine/storage/wal/log_segment_internal.h"
#include "engine/storage/wal/record.h"

/* A file: bytes [number * segment_bytes, (number + 1) * segment_bytes) of the log. */
typedef struct segment {
    uint64_t number;
    nq_file *file;
} segment;

typedef struct segments {
    nq_log_sink sink;
    nq_log_segment_options options;
    char directory[NQ__LOG_PATH_BYTES];
    nq_mutex maker_mutex; /* the turn of changing the files; held during I/O */
    nq_mutex list_mutex;  /* guards the list; files stay open while they are in it */
    segment *list;        /* ascending, without gaps, never empty once open */
    size_t count;
    size_t capacity;
    _Atomic uint64_t room_end; /* changed under the list's mutex, read by anybody */
    /* Changed by whoever writes, and whoever syncs, which is one at a time; read by the maker. */
    _Atomic uint64_t written_end;
    _Atomic uint64_t synced_end;
    _Atomic uint64_t bytes_per_sync; /* a moving mean */
} segments;

enum {
    /* A segment that will see fewer is not worth writing twice. Each spares the file system the
     * commit of its journal with which a block written for the first time is made the file's. */
    SYNCS_WORTH_ZEROS = 64,
    SYNCS_REMEMBERED = 16,
};

static nq_status add(nq_ctx *ctx, segments *s, uint64_t number, nq_file *file) {
    nq_status status = NQ_OK;
    nq_mutex_lock(&s->list_mutex);
    if (s->count == s->capacity) {
        size_t capacity = s->capacity * 2 + 8;
        segment *list = nq_heap_realloc(s->list, capacity * sizeof *list);
        if (list == NULL) {
            status = nq_fail_no_memory(ctx, "the list of log segments");
        } else {
            s->list = list;
            s->capacity = capacity;
        }
    }
    if (status == NQ_OK) {
        s->list[s->count++] = (segment){number, file};
        atomic_store(&s->room_end, (number + 1) * s->sink.segment_bytes);
    }
    nq_mutex_unlock(&s->list_mutex);
    return status;
}

/* Takes the oldest out of the list; the file is the caller's. */
static nq_file *drop_oldest(segments *s) {
    nq_mutex_lock(&s->list_mutex);
    nq_file *file = s->list[0].file;
    s->count--;
    memmove(s->list, s->list + 1, s->count * sizeof *s->list);
    nq_mutex_unlock(&s->list_mutex);
    return file;
}

static nq_file *drop_newest(segments *s) {
    nq_mutex_lock(&s->list_mutex);
    nq_file *file = s->list[--s->count].file;
    atomic_store(&s->room_end, s->list[s->count].number * s->sink.segment_bytes);
    nq_mutex_unlock(&s->list_mutex);
    return file;
}

/* ---- Creating ---- */

/* What a creation that a crash interrupted may have left is one segment of zeros; anything else is
 * a log whose data file is gone. */
static nq_status refuse_used(nq_ctx *ctx, const nq_log_segment_options *options,
                             const uint64_t *numbers, size_t count, uint64_t first) {
    uint32_t first_word = 0;
    bool is_other = count > 1 || (count == 1 && numbers[0] != first);
    if (count == 1 && !is_other) {
        nq_file *file;
        size_t read_bytes;
        char path[NQ__LOG_PATH_BYTES];
        NQ_TRY(nq__log_segment_path(ctx, options->directory, first, path));
        NQ_TRY(nq_vfs_open(ctx, options->vfs, path, 0, &file));
        nq_status status =
            nq_file_read_at(ctx, file, 0, &first_word, sizeof first_word, &read_bytes);
        nq_file_close(file);
        NQ_TRY(status);
    }
    if (first_word != 0 || is_other) {
        return nq_fail(ctx, NQ_FILE_FOREIGN, "%s holds a log, but its data file is missing",
                       options->directory);
    }
    return NQ_OK;
}

nq_status nq_log_segments_create(nq_ctx *ctx, const nq_log_segment_options *options, nq_lsn start) {
    uint64_t first = start.value / options->segment_bytes;
    uint64_t *numbers;
    size_t count;
    NQ_TRY(nq__log_segment_list(ctx, options, &numbers, &count));
    nq_status status = refuse_used(ctx, options, numbers, count, first);
    nq_heap_free(numbers);
    NQ_TRY(status);
    nq_file *file;
    NQ_TRY(nq__log_segment_make(ctx, options, first, NQ__LOG_ROOM_WRITTEN, &file));
    nq_file_close(file);
    return NQ_OK;
}

/* ---- How often the log is synced ---- */

static uint64_t mean_with(const segments *s, uint64_t bytes) {
    uint64_t mean = atomic_load_explicit(&s->bytes_per_sync, memory_order_relaxed);
    uint64_t counted = bytes < s->sink.segment_bytes ? bytes : s->sink.segment_bytes;
    return mean - mean / SYNCS_REMEMBERED + counted / SYNCS_REMEMBERED;
}

static void note_sync(segments *s, nq_lsn from, nq_lsn to) {
    uint64_t mean = mean_with(s, to.value - from.value);
    atomic_store_explicit(&s->bytes_per_sync, mean, memory_order_relaxed);
    atomic_store_explicit(&s->synced_end, to.value, memory_order_relaxed);
}

/* What a new segment is to be like if the log goes on being synced as it was. A young log that has
 * met no sync yet counts as synced where it is. */
static nq__log_room room_wanted(const segments *s) {
    uint64_t written_end = atomic_load_explicit(&s->written_end, memory_order_relaxed);
    uint64_t synced_end = atomic_load_explicit(&s->synced_end, memory_order_relaxed);
    uint64_t waiting = written_end > synced_end ? written_end - synced_end : 0;
    uint64_t mean = atomic_load_explicit(&s->bytes_per_sync, memory_order_relaxed);
    uint64_t expected = waiting > mean ? mean_with(s, waiting) : mean;
    return expected * SYNCS_WORTH_ZEROS > s->sink.segment_bytes ? NQ__LOG_ROOM_RESERVED
                                                                : NQ__LOG_ROOM_WRITTEN;
}

/* ---- Bytes ---- */

static segments *of(nq_log_sink *sink) {
    return (segments *)sink;
}

static nq_file *file_at(segments *s, uint64_t lsn) {
    nq_mutex_lock(&s->list_mutex);
    uint64_t number = lsn / s->sink.segment_bytes;
    NQ_ASSERT(s->count != 0 && number >= s->list[0].number);
    uint64_t index = number - s->list[0].number;
    NQ_ASSERT(index < s->count);
    nq_file *file = s->list[index].file;
    nq_mutex_unlock(&s->list_mutex);
    return file;
}

/* How much of [lsn, lsn + size) lies in the segment of `lsn`. */
static size_t bytes_in_segment(const segments *s, uint64_t lsn, uint64_t size) {
    uint64_t left = s->sink.segment_bytes - lsn % s->sink.segment_bytes;
    return (size_t)(size < left ? size : left);
}

static nq_status read_bytes(nq_ctx *ctx, nq_log_sink *sink, uint32_t copy, nq_lsn lsn,
                            uint8_t *out_bytes, size_t size) {
    (void)copy;
    segments *s = of(sink);
    while (size != 0) {
        size_t part = bytes_in_segment(s, lsn.value, size);
        size_t got;
        NQ_TRY(nq_file_read_at(ctx, file_at(s, lsn.value), lsn.value % sink->segment_bytes,
                               out_bytes, part, &got));
        if (got != part) {
            return nq_fail(ctx, NQ_LOG_CORRUPT,
                           "%s: log segment %016" PRIx64 " ends at offset %" PRIu64
                           ", expected %" PRIu64 " bytes",
                           s->directory, lsn.value / sink->segment_bytes,
                           lsn.value % sink->segment_bytes + got, sink->segment_bytes);
        }
        out_bytes += part;
        lsn.value += part;
        size -= part;
    }
    return NQ_OK;
}

static nq_status write_bytes(nq_ctx *ctx, nq_log_sink *sink, nq_lsn lsn, const uint8_t *bytes,
                             size_t size) {
    segments *s = of(sink);
    while (size != 0) {
        size_t part = bytes_in_segment(s, lsn.value, size);
        nq_file *file = file_at(s, lsn.value);
        NQ_TRY(nq_file_write_at(ctx, file, lsn.value % sink->segment_bytes, bytes, part));
        if ((lsn.value + part) % sink->segment_bytes == 0) {
            nq_file_write_back(file, 0, sink->segment_bytes); /* nobody may sync for long */
        }
        bytes += part;
        lsn.value += part;
        size -= part;
    }
    atomic_store_explicit(&s->written_end, lsn.value, memory_order_relaxed);
    return NQ_OK;
}

static nq_status repair_bytes(nq_ctx *ctx, nq_log_sink *sink, uint32_t copy, nq_lsn lsn,
                              const uint8_t *bytes, size_t size) {
    (void)copy;
    return write_bytes(ctx, sink, lsn, bytes, size);
}

static nq_status sync_bytes(nq_ctx *ctx, nq_log_sink *sink, nq_lsn from, nq_lsn to) {
    segments *s = of(sink);
    note_sync(s, from, to);
    while (from.value < to.value && !NQ_HAS_BUG(LOG_NOT_SYNCED)) {
        NQ_TRY(nq_file_sync_data(ctx, file_at(s, from.value)));
        from.value += bytes_in_segment(s, from.value, to.value - from.value);
    }
    return NQ_OK;
}

static void describe(const nq_log_sink *sink, uint32_t copy, nq_lsn lsn, char *out_text,
                     size_t text_bytes) {
    (void)copy;
    const segments *s = (const segments *)sink;
    snprintf(out_text, text_bytes, "%s/%016" PRIx64 ".log, offset %" PRIu64, s->directory,
             lsn.value / sink->segment_bytes, lsn.value % sink->segment_bytes);
}

/* ---- Room ---- */

static nq_lsn first(nq_log_sink *sink) {
    segments *s = of(sink);
    nq_mutex_lock(&s->list_mutex);
    nq_lsn lsn = {s->list[0].number * sink->segment_bytes};
    nq_mutex_unlock(&s->list_mutex);
    return lsn;
}

static nq_lsn room_end(nq_log_sink *sink) {
    return (nq_lsn){atomic_load(&of(sink)->room_end)};
}

static nq_status extend_by_one(nq_ctx *ctx, segments *s) {
    nq_file *file;
    uint64_t number = atomic_load(&s->room_end) / s->sink.segment_bytes;
    NQ_TRY(nq__log_segment_make(ctx, &s->options, number, room_wanted(s), &file));
    nq_status status = add(ctx, s, number, file);
    if (status != NQ_OK) {
        nq_file_close(file);
    }
    return status;
}

static nq_status extend(nq_ctx *ctx, nq_log_sink *sink, nq_lsn end) {
    segments *s = of(sink);
    if (atomic_load(&s->room_end) >= end.value) {
        return NQ_OK;
    }
    nq_status status = NQ_OK;
    nq_mutex_lock(&s->maker_mutex);
    while (status == NQ_OK && atomic_load(&s->room_end) < end.value) {
        status = extend_by_one(ctx, s);
    }
    nq_mutex_unlock(&s->maker_mutex);
    return status;
}

/* The maker's turn; nobody else asks for the oldest segment any more. */
static nq_status recycle_oldest(nq_ctx *ctx, segments *s, uint64_t oldest, uint64_t next,
                                bool is_spare) {
    if (is_spare) {
        NQ_TRY(nq__log_segment_remove(ctx, &s->options, oldest));
        nq_file_close(drop_oldest(s));
        return NQ_OK;
    }
    bool is_unknown;
    nq_status status = nq__log_segment_renumber(ctx, &s->options, oldest, next, &is_unknown);
    if (status != NQ_OK) {
        s->sink.is_broken = s->sink.is_broken || is_unknown;
        return status;
    }
    return add(ctx, s, next, drop_oldest(s)); /* in the place that this has made */
}

static nq_status recycle(nq_ctx *ctx, nq_log_sink *sink, nq_lsn needed, nq_lsn spare_end) {
    segments *s = of(sink);
    nq_status status = NQ_OK;
    nq_mutex_lock(&s->maker_mutex);
    while (status == NQ_OK) {
        uint64_t oldest = first(sink).value / sink->segment_bytes;
        uint64_t next = atomic_load(&s->room_end) / sink->segment_bytes;
        if ((oldest + 1) * sink->segment_bytes > needed.value || oldest + 1 == next) {
            break;
        }
        bool is_spare = next * sink->segment_bytes >= spare_end.value;
        status = recycle_oldest(ctx, s, oldest, next, is_spare);
    }
    nq_mutex_unlock(&s->maker_mutex);
    return status;
}

static nq_status remove_durably(nq_ctx *ctx, segments *s, uint64_t number) {
    NQ_TRY(nq__log_segment_remove(ctx, &s->options, number));
    return nq_vfs_sync_dir(ctx, s->options.vfs, s->directory);
}

/* The newest goes first, and durably: no failure and no crash leaves a gap. Behind the list there
 * may be one that was made but for its name's sync. */
static nq_status trim(nq_ctx *ctx, nq_log_sink *sink, nq_lsn end) {
    segments *s = of(sink);
    nq_mutex_lock(&s->maker_mutex);
    nq_status status = remove_durably(ctx, s, atomic_load(&s->room_end) / sink->segment_bytes);
    while (status == NQ_OK && s->count > 1 &&
           s->list[s->count - 1].number * sink->segment_bytes > end.value) {
        status = remove_durably(ctx, s, s->list[s->count - 1].number);
        if (status == NQ_OK) {
            nq_file_close(drop_newest(s));
        }
    }
    nq_mutex_unlock(&s->maker_mutex);
    return status;
}

/* ---- Opening ---- */

static nq_status open_one(nq_ctx *ctx, segments *s, uint64_t number) {
    nq_file *file;
    NQ_TRY(nq__log_segment_open(ctx, &s->options, number, &file));
    /* What a process that was killed has written and not synced goes to the disk while it is being
     * read: recovery ends with a sync. */
    nq_file_write_back(file, 0, s->options.segment_bytes);
    nq_status status = add(ctx, s, number, file);
    if (status != NQ_OK) {
        nq_file_close(file);
    }
    return status;
}

/* Where `number` stands; `count` when it does not. */
static size_t find_number(const uint64_t *numbers, size_t count, uint64_t number) {
    size_t at = 0;
    while (at < count && numbers[at] != number) {
        at++;
    }
    return at;
}

static nq_status fail_missing(nq_ctx *ctx, const segments *s, uint64_t number) {
    return nq_fail(ctx, NQ_LOG_CORRUPT, "%s: log segment %016" PRIx64 " is missing", s->directory,
                   number);
}

/* Opens the segment of `start`, those behind it and, without a gap, those before it. What is before
 * a gap was recycled together with what is missing. */
static nq_status open_list(nq_ctx *ctx, segments *s, const uint64_t *numbers, size_t count,
                           uint64_t start) {
    size_t run = find_number(numbers, count, start);
    if (run == count) {
        return fail_missing(ctx, s, start);
    }
    while (run > 0 && numbers[run - 1] + 1 == numbers[run]) {
        run--;
    }
    for (size_t i = 0; i < run; i++) {
        NQ_TRY(nq__log_segment_remove(ctx, &s->options, numbers[i]));
    }
    for (size_t i = run; i < count; i++) {
        if (numbers[i] != numbers[run] + (i - run)) {
            return fail_missing(ctx, s, numbers[i - 1] + 1);
        }
        NQ_TRY(open_one(ctx, s, numbers[i]));
    }
    return NQ_OK;
}

static void close_all(nq_log_sink *sink) {
    segments *s = of(sink);
    for (size_t i = 0; i < s->count; i++) {
        nq_file_close(s->list[i].file);
    }
    nq_heap_free(s->list);
    nq_mutex_deinit(&s->list_mutex);
    nq_mutex_deinit(&s->maker_mutex);
    nq_heap_free(s);
}

static const nq_log_sink_vtable vtable = {
    .close = close_all,
    .first = first,
    .room_end = room_end,
    .extend = extend,
    .read = read_bytes,
    .write = write_bytes,
    .repair = repair_bytes,
    .start = sync_bytes,
    .sync = sync_bytes,
    .recycle = recycle,
    .trim = trim,
    .describe = describe,
};

nq_status nq_log_segments_open(nq_ctx *ctx, const nq_log_segment_options *options, nq_lsn start,
                               nq_log_sink **out_sink) {
    *out_sink = NULL;
    NQ_ASSERT(options->segment_bytes % NQ_LOG_BLOCK_BYTES == 0 && options->segment_bytes != 0);
    segments *s = nq_heap_calloc(1, sizeof *s);
    if (s == NULL) {
        return nq_fail_no_memory(ctx, "the log's segments");
    }
    s->sink =
        (nq_log_sink){.vtable = &vtable, .segment_bytes = options->segment_bytes, .copy_count = 1};
    s->options = *options;
    s->options.directory = s->directory;
    nq_mutex_init(&s->maker_mutex, NQ_LOCK_LOG_MAKER);
    nq_mutex_init(&s->list_mutex, NQ_LOCK_LOG_SEGMENTS);
    uint64_t *numbers = NULL;
    size_t count = 0;
    nq_status status = NQ_OK;
    if ((size_t)snprintf(s->directory, sizeof s->directory, "%s", options->directory) >=
        sizeof s->directory) {
        status = nq_fail(ctx, NQ_INVALID_ARGUMENT, "the data directory's path is too long");
    }
    if (status == NQ_OK) {
        status = nq__log_segment_list(ctx, &s->options, &numbers, &count);
    }
    if (status == NQ_OK) {
        status = open_list(ctx, s, numbers, count, start.value / options->segment_bytes);
    }
    nq_heap_free(numbers);
    if (status != NQ_OK) {
        close_all(&s->sink);
        return status;
    }
    *out_sink = &s->sink;
    return NQ_OK;
}

static nq_status remove_all(nq_ctx *ctx, const nq_log_segment_options *options) {
    uint64_t *numbers;
    size_t count;
    NQ_TRY(nq__log_segment_list(ctx, options, &numbers, &count));
    nq_status status = NQ_OK;
    for (size_t i = 0; i < count && status == NQ_OK; i++) {
        status = nq__log_segment_remove(ctx, options, numbers[i]);
    }
    nq_heap_free(numbers);
    return status == NQ_OK ? nq_vfs_sync_dir(ctx, options->vfs, options->directory) : status;
}

nq_status nq_log_segments_open_copy(nq_ctx *ctx, const nq_log_segment_options *options,
                                    nq_lsn start, nq_log_sink **out_sink) {
    nq_status status = nq_log_segments_open(ctx, options, start, out_sink);
    if (status != NQ_LOG_CORRUPT) {
        return status;
    }
    NQ_TRY(remove_all(ctx, options));
    NQ_TRY(nq_log_segments_create(ctx, options, start));
    return nq_log_segments_open(ctx, options, start, out_sink);
}
