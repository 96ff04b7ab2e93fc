/* Segment: the log's files. A new segment is written full of zeros and synced before use, because
 * overwriting a block costs half of what extending a file does; one that is no longer needed gets
 * the next free number instead of being removed. Its stale bytes never verify: checksums are seeded
 * with positions. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine/ground/base/assert.h"
#include "engine/ground/base/heap.h"
#include "engine/storage/page/bug.h"
#include "engine/storage/wal/log_internal.h"

enum { ZERO_BYTES = 1 << 18 };

static nq_status path_of(nq_ctx *ctx, const nq_log *log, uint64_t number, char *out_path) {
    int bytes =
        snprintf(out_path, NQ__LOG_PATH_BYTES, "%s/%016" PRIx64 ".log", log->directory, number);
    if (bytes < 0 || bytes >= NQ__LOG_PATH_BYTES) {
        return nq_fail(ctx, NQ_INVALID_ARGUMENT, "the data directory's path is too long");
    }
    return NQ_OK;
}

/* The number in a segment's name; false: not such a name. */
static bool parse_name(const char *name, uint64_t *out_number) {
    uint64_t number = 0;
    for (int i = 0; i < 16; i++) {
        char c = name[i];
        uint64_t digit;
        if (c >= '0' && c <= '9') {
            digit = (uint64_t)(c - '0');
        } else if (c >= 'a' && c <= 'f') {
            digit = (uint64_t)(c - 'a') + 10;
        } else {
            return false;
        }
        number = number << 4 | digit;
    }
    *out_number = number;
    return strcmp(name + 16, ".log") == 0;
}

static nq_status add_segment(nq_ctx *ctx, nq_log *log, uint64_t number, nq_file *file) {
    if (log->segment_count == log->segment_capacity) {
        size_t capacity = log->segment_capacity * 2 + 8;
        nq_log_segment *segments = nq_heap_realloc(log->segments, capacity * sizeof *segments);
        if (segments == NULL) {
            return nq_fail_no_memory(ctx, "the list of log segments");
        }
        log->segments = segments;
        log->segment_capacity = capacity;
    }
    log->segments[log->segment_count++] = (nq_log_segment){number, file};
    atomic_store(&log->segments_end, (number + 1) * log->segment_bytes);
    return NQ_OK;
}

/* ---- Making ---- */

static nq_status fill_with_zeros(nq_ctx *ctx, nq_file *file, uint64_t bytes) {
    uint8_t *zeros = nq_heap_calloc(1, ZERO_BYTES);
    if (zeros == NULL) {
        return nq_fail_no_memory(ctx, "a new log segment");
    }
    nq_status status = NQ_OK;
    for (uint64_t offset = 0; offset < bytes && status == NQ_OK; offset += ZERO_BYTES) {
        uint64_t left = bytes - offset;
        status = nq_file_write_at(ctx, file, offset, zeros, left < ZERO_BYTES ? left : ZERO_BYTES);
    }
    nq_heap_free(zeros);
    return status == NQ_OK ? nq_file_sync_data(ctx, file) : status;
}

/* Under a name that recovery does not know until it is whole. */
static nq_status make_segment(nq_ctx *ctx, nq_log *log, uint64_t number, nq_file **out_file) {
    *out_file = NULL;
    char path[NQ__LOG_PATH_BYTES];
    char temporary[NQ__LOG_PATH_BYTES + 8];
    NQ_TRY(path_of(ctx, log, number, path));
    snprintf(temporary, sizeof temporary, "%s.new", path);
    nq_file *file = NULL;
    nq_status status =
        nq_vfs_open(ctx, log->vfs, temporary, NQ_OPEN_CREATE | NQ_OPEN_TRUNCATE, &file);
    if (status != NQ_OK) {
        return status;
    }
    NQ_CHECK(fill_with_zeros(ctx, file, log->segment_bytes));
    NQ_CHECK(nq_vfs_rename(ctx, log->vfs, temporary, path));
    if (!NQ_HAS_BUG(SEGMENT_NAME_NOT_SYNCED)) {
        NQ_CHECK(nq_vfs_sync_dir(ctx, log->vfs, log->directory)); /* L5 */
    }
    *out_file = file;
    file = NULL;
done:
    if (file != NULL) {
        nq_ctx forgiving;
        nq_ctx_init(&forgiving, NULL);
        nq_file_close(file);
        if (nq_vfs_unlink(&forgiving, log->vfs, temporary) != NQ_OK) {
            return status; /* the next attempt begins by emptying it */
        }
    }
    return status;
}

uint64_t nq__log_segments_end(nq_log *log) {
    return atomic_load(&log->segments_end);
}

static nq_status add_segment_locked(nq_ctx *ctx, nq_log *log, uint64_t number, nq_file *file) {
    nq_mutex_lock(&log->segment_mutex);
    nq_status status = add_segment(ctx, log, number, file);
    nq_mutex_unlock(&log->segment_mutex);
    return status;
}

nq_status nq__log_segments_extend(nq_ctx *ctx, nq_log *log, nq_lsn end) {
    if (nq__log_segments_end(log) >= end.value) {
        return NQ_OK;
    }
    nq_status status = NQ_OK;
    nq_mutex_lock(&log->maker_mutex);
    uint64_t have = nq__log_segments_end(log);
    for (; have < end.value && status == NQ_OK; have += log->segment_bytes) {
        nq_file *file;
        uint64_t number = have / log->segment_bytes;
        status = make_segment(ctx, log, number, &file);
        if (status == NQ_OK) {
            status = add_segment_locked(ctx, log, number, file);
            if (status != NQ_OK) {
                nq_file_close(file);
            }
        }
    }
    nq_mutex_unlock(&log->maker_mutex);
    return status;
}

/* ---- Opening ---- */

typedef struct listing {
    uint64_t *numbers;
    size_t count;
    size_t capacity;
    bool is_out_of_memory;
} listing;

static void visit_name(void *user, const char *name) {
    listing *list = user;
    uint64_t number;
    if (strlen(name) < 16 || !parse_name(name, &number)) {
        return;
    }
    if (list->count == list->capacity) {
        size_t capacity = list->capacity * 2 + 16;
        uint64_t *numbers = nq_heap_realloc(list->numbers, capacity * sizeof *numbers);
        if (numbers == NULL) {
            list->is_out_of_memory = true;
            return;
        }
        list->numbers = numbers;
        list->capacity = capacity;
    }
    list->numbers[list->count++] = number;
}

static int compare_numbers(const void *left, const void *right) {
    uint64_t a;
    uint64_t b;
    memcpy(&a, left, sizeof a);
    memcpy(&b, right, sizeof b);
    return (a > b) - (a < b);
}

/* What a creation that a crash interrupted may have left is one segment of zeros; anything else is
 * a log whose data file is gone. */
static nq_status refuse_used(nq_ctx *ctx, nq_log *log, const listing *list) {
    uint32_t first_word = 0;
    if (list->count == 1 && list->numbers[0] == 0) {
        char path[NQ__LOG_PATH_BYTES];
        NQ_TRY(path_of(ctx, log, 0, path));
        nq_file *file;
        size_t read_bytes;
        NQ_TRY(nq_vfs_open(ctx, log->vfs, path, 0, &file));
        nq_status status =
            nq_file_read_at(ctx, file, 0, &first_word, sizeof first_word, &read_bytes);
        nq_file_close(file);
        NQ_TRY(status);
    }
    bool is_other = list->count > 1 || (list->count == 1 && list->numbers[0] != 0);
    if (first_word != 0 || is_other) {
        return nq_fail(ctx, NQ_FILE_FOREIGN, "%s holds a log, but its data file is missing",
                       log->directory);
    }
    return NQ_OK;
}

nq_status nq_log_create(nq_ctx *ctx, const nq_log_options *options) {
    nq_log log = {
        .vfs = options->vfs, .salt = options->salt, .segment_bytes = options->segment_bytes};
    if ((size_t)snprintf(log.directory, sizeof log.directory, "%s", options->directory) >=
        sizeof log.directory) {
        return nq_fail(ctx, NQ_INVALID_ARGUMENT, "the data directory's path is too long");
    }
    listing list = {0};
    nq_status status = nq_vfs_list_dir(ctx, log.vfs, log.directory, visit_name, &list);
    if (status == NQ_OK) {
        status = list.is_out_of_memory ? nq_fail_no_memory(ctx, "the list of log segments")
                                       : refuse_used(ctx, &log, &list);
    }
    nq_heap_free(list.numbers);
    NQ_TRY(status);
    nq_file *file;
    NQ_TRY(make_segment(ctx, &log, 0, &file));
    nq_file_close(file);
    return NQ_OK;
}

static nq_status open_segment(nq_ctx *ctx, nq_log *log, uint64_t number) {
    char path[NQ__LOG_PATH_BYTES];
    NQ_TRY(path_of(ctx, log, number, path));
    nq_file *file;
    NQ_TRY(nq_vfs_open(ctx, log->vfs, path, 0, &file));
    uint64_t bytes;
    nq_status status = nq_file_size(ctx, file, &bytes);
    if (status == NQ_OK && bytes != log->segment_bytes) {
        status = nq_fail(ctx, NQ_FILE_FOREIGN, "%s: %" PRIu64 " bytes long, expected %" PRIu64,
                         path, bytes, log->segment_bytes);
    }
    if (status == NQ_OK) {
        status = add_segment(ctx, log, number, file);
    }
    if (status != NQ_OK) {
        nq_file_close(file);
    }
    return status;
}

static nq_status remove_segment(nq_ctx *ctx, nq_log *log, uint64_t number) {
    char path[NQ__LOG_PATH_BYTES];
    NQ_TRY(path_of(ctx, log, number, path));
    return nq_vfs_unlink(ctx, log->vfs, path);
}

nq_status nq__log_segments_open(nq_ctx *ctx, nq_log *log, nq_lsn start) {
    nq_status status;
    listing list = {0};
    NQ_CHECK(nq_vfs_list_dir(ctx, log->vfs, log->directory, visit_name, &list));
    if (list.is_out_of_memory) {
        status = nq_fail_no_memory(ctx, "the list of log segments");
        goto done;
    }
    if (list.count > 1) {
        qsort(list.numbers, list.count, sizeof *list.numbers, compare_numbers);
    }
    uint64_t next = start.value / log->segment_bytes;
    for (size_t i = 0; i < list.count; i++) {
        uint64_t number = list.numbers[i];
        if (number < next && log->segment_count == 0) {
            NQ_CHECK(remove_segment(ctx, log, number));
            continue;
        }
        if (number != next) {
            status = nq_fail(ctx, NQ_LOG_CORRUPT, "%s: log segment %016" PRIx64 " is missing",
                             log->directory, next);
            goto done;
        }
        NQ_CHECK(open_segment(ctx, log, number));
        next++;
    }
    if (log->segment_count == 0) {
        status = nq_fail(ctx, NQ_LOG_CORRUPT, "%s: log segment %016" PRIx64 " is missing",
                         log->directory, next);
        goto done;
    }
done:
    nq_heap_free(list.numbers);
    return status;
}

void nq__log_segments_close(nq_log *log) {
    for (size_t i = 0; i < log->segment_count; i++) {
        nq_file_close(log->segments[i].file);
    }
    nq_heap_free(log->segments);
    log->segments = NULL;
    log->segment_count = 0;
}

/* ---- Bytes ---- */

static nq_file *file_at(nq_log *log, uint64_t lsn) {
    nq_mutex_lock(&log->segment_mutex);
    uint64_t number = lsn / log->segment_bytes;
    NQ_ASSERT(log->segment_count != 0 && number >= log->segments[0].number);
    uint64_t index = number - log->segments[0].number;
    NQ_ASSERT(index < log->segment_count);
    nq_file *file = log->segments[index].file;
    nq_mutex_unlock(&log->segment_mutex);
    return file;
}

/* How much of [lsn, lsn + size) lies in the segment of `lsn`. */
static size_t bytes_in_segment(const nq_log *log, uint64_t lsn, size_t size) {
    uint64_t left = log->segment_bytes - lsn % log->segment_bytes;
    return size < left ? size : (size_t)left;
}

nq_status nq__log_bytes_read(nq_ctx *ctx, nq_log *log, nq_lsn lsn, uint8_t *out_bytes,
                             size_t size) {
    while (size != 0) {
        size_t bytes = bytes_in_segment(log, lsn.value, size);
        size_t read_bytes;
        NQ_TRY(nq_file_read_at(ctx, file_at(log, lsn.value), lsn.value % log->segment_bytes,
                               out_bytes, bytes, &read_bytes));
        if (read_bytes != bytes) {
            return nq_fail(ctx, NQ_LOG_CORRUPT, "%s: log segment %016" PRIx64 " is cut off",
                           log->directory, lsn.value / log->segment_bytes);
        }
        out_bytes += bytes;
        lsn.value += bytes;
        size -= bytes;
    }
    return NQ_OK;
}

nq_status nq__log_bytes_write(nq_ctx *ctx, nq_log *log, nq_lsn lsn, const uint8_t *bytes,
                              size_t size) {
    while (size != 0) {
        size_t part = bytes_in_segment(log, lsn.value, size);
        NQ_TRY(nq_file_write_at(ctx, file_at(log, lsn.value), lsn.value % log->segment_bytes, bytes,
                                part));
        bytes += part;
        lsn.value += part;
        size -= part;
    }
    return NQ_OK;
}

nq_status nq__log_bytes_sync(nq_ctx *ctx, nq_log *log, nq_lsn lsn, size_t size) {
    while (size != 0 && !NQ_HAS_BUG(LOG_NOT_SYNCED)) {
        size_t part = bytes_in_segment(log, lsn.value, size);
        NQ_TRY(nq_file_sync_data(ctx, file_at(log, lsn.value)));
        lsn.value += part;
        size -= part;
    }
    return NQ_OK;
}

/* ---- Recycling: the maker's turn; nobody else asks for the oldest segment any more ---- */

/* Renames the oldest segment to the next free number. Each name is made durable by itself: two
 * renames of which a crash keeps only the second would leave a gap. */
static nq_status renumber_oldest(nq_ctx *ctx, nq_log *log, uint64_t oldest, uint64_t number) {
    char old_path[NQ__LOG_PATH_BYTES];
    char new_path[NQ__LOG_PATH_BYTES];
    NQ_TRY(path_of(ctx, log, oldest, old_path));
    NQ_TRY(path_of(ctx, log, number, new_path));
    NQ_TRY(nq_vfs_rename(ctx, log->vfs, old_path, new_path));
    nq_status status = NQ_HAS_BUG(SEGMENT_NAME_NOT_SYNCED)
                           ? NQ_OK
                           : nq_vfs_sync_dir(ctx, log->vfs, log->directory); /* L5 */
    if (status != NQ_OK) {
        nq__log_fail(log, ctx); /* which name it has is unknown */
        return status;
    }
    nq_mutex_lock(&log->segment_mutex);
    nq_log_segment segment = {number, log->segments[0].file};
    memmove(log->segments, log->segments + 1, (log->segment_count - 1) * sizeof segment);
    log->segments[log->segment_count - 1] = segment;
    atomic_store(&log->segments_end, (number + 1) * log->segment_bytes);
    nq_mutex_unlock(&log->segment_mutex);
    return NQ_OK;
}

static nq_status remove_oldest(nq_ctx *ctx, nq_log *log, uint64_t oldest) {
    NQ_TRY(remove_segment(ctx, log, oldest));
    nq_mutex_lock(&log->segment_mutex);
    nq_file *file = log->segments[0].file;
    log->segment_count--;
    memmove(log->segments, log->segments + 1, log->segment_count * sizeof *log->segments);
    nq_mutex_unlock(&log->segment_mutex);
    nq_file_close(file);
    return NQ_OK;
}

nq_status nq_log_recycle(nq_ctx *ctx, nq_log *log, nq_lsn lsn, uint64_t spare_bytes) {
    nq_status status = NQ_OK;
    nq_mutex_lock(&log->maker_mutex);
    while (status == NQ_OK) {
        nq_mutex_lock(&log->segment_mutex);
        uint64_t oldest = log->segments[0].number;
        uint64_t next = log->segments[log->segment_count - 1].number + 1;
        nq_mutex_unlock(&log->segment_mutex);
        if ((oldest + 1) * log->segment_bytes > lsn.value || oldest + 1 == next) {
            break;
        }
        uint64_t end = nq_log_end(log).value;
        bool is_spare = next * log->segment_bytes >= end + spare_bytes;
        status =
            is_spare ? remove_oldest(ctx, log, oldest) : renumber_oldest(ctx, log, oldest, next);
    }
    nq_mutex_unlock(&log->maker_mutex);
    return status;
}
