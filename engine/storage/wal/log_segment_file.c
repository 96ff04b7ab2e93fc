/* Log segment file: making, naming and listing the log's files. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine/ground/base/heap.h"
#include "engine/storage/page/bug.h"
#include "engine/storage/wal/log_segment_internal.h"

enum { ZERO_BYTES = 1 << 18, NAME_DIGITS = 16 };

nq_status nq__log_segment_path(nq_ctx *ctx, const char *directory, uint64_t number,
                               char out_path[NQ__LOG_PATH_BYTES]) {
    int bytes = snprintf(out_path, NQ__LOG_PATH_BYTES, "%s/%016" PRIx64 ".log", directory, number);
    if (bytes < 0 || bytes >= NQ__LOG_PATH_BYTES) {
        return nq_fail(ctx, NQ_INVALID_ARGUMENT, "the data directory's path is too long");
    }
    return NQ_OK;
}

/* The number in a segment's name; false: not such a name. */
static bool parse_name(const char *name, uint64_t *out_number) {
    if (strlen(name) < NAME_DIGITS) {
        return false;
    }
    uint64_t number = 0;
    for (int i = 0; i < NAME_DIGITS; i++) {
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
    return strcmp(name + NAME_DIGITS, ".log") == 0;
}

/* ---- Making ---- */

static nq_status write_zeros(nq_ctx *ctx, nq_file *file, uint64_t bytes) {
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
    return status;
}

/* Makes the blocks of an empty file the segment's own, durably. */
static nq_status make_room(nq_ctx *ctx, nq_file *file, uint64_t bytes, nq__log_room room) {
    bool is_reserved;
    NQ_TRY(nq_file_allocate(ctx, file, 0, bytes, &is_reserved));
    if (room == NQ__LOG_ROOM_WRITTEN || !is_reserved) {
        NQ_TRY(write_zeros(ctx, file, bytes));
    }
    return nq_file_sync_data(ctx, file);
}

static nq_status sync_names(nq_ctx *ctx, const nq_log_segment_options *options) {
    if (NQ_HAS_BUG(SEGMENT_NAME_NOT_SYNCED)) {
        return NQ_OK;
    }
    return nq_vfs_sync_dir(ctx, options->vfs, options->directory); /* L5 */
}

/* Under a name that recovery does not know until it is whole. */
nq_status nq__log_segment_make(nq_ctx *ctx, const nq_log_segment_options *options, uint64_t number,
                               nq__log_room room, nq_file **out_file) {
    *out_file = NULL;
    char path[NQ__LOG_PATH_BYTES];
    char temporary[NQ__LOG_PATH_BYTES + 8];
    NQ_TRY(nq__log_segment_path(ctx, options->directory, number, path));
    snprintf(temporary, sizeof temporary, "%s.new", path);
    nq_file *file = NULL;
    nq_status status =
        nq_vfs_open(ctx, options->vfs, temporary, NQ_OPEN_CREATE | NQ_OPEN_TRUNCATE, &file);
    if (status != NQ_OK) {
        return status;
    }
    NQ_CHECK(make_room(ctx, file, options->segment_bytes, room));
    NQ_CHECK(nq_vfs_rename(ctx, options->vfs, temporary, path));
    NQ_CHECK(sync_names(ctx, options));
    *out_file = file;
    file = NULL;
done:
    if (file != NULL) {
        nq_ctx forgiving;
        nq_ctx_init(&forgiving, NULL);
        nq_file_close(file);
        if (nq_vfs_unlink(&forgiving, options->vfs, temporary) != NQ_OK) {
            return status; /* the next attempt begins by emptying it */
        }
    }
    return status;
}

nq_status nq__log_segment_open(nq_ctx *ctx, const nq_log_segment_options *options, uint64_t number,
                               nq_file **out_file) {
    char path[NQ__LOG_PATH_BYTES];
    NQ_TRY(nq__log_segment_path(ctx, options->directory, number, path));
    NQ_TRY(nq_vfs_open(ctx, options->vfs, path, 0, out_file));
    uint64_t bytes;
    nq_status status = nq_file_size(ctx, *out_file, &bytes);
    if (status == NQ_OK && bytes != options->segment_bytes) {
        status = nq_fail(ctx, NQ_FILE_FOREIGN, "%s: %" PRIu64 " bytes long, expected %" PRIu32,
                         path, bytes, options->segment_bytes);
    }
    if (status != NQ_OK) {
        nq_file_close(*out_file);
        *out_file = NULL;
    }
    return status;
}

nq_status nq__log_segment_remove(nq_ctx *ctx, const nq_log_segment_options *options,
                                 uint64_t number) {
    char path[NQ__LOG_PATH_BYTES];
    NQ_TRY(nq__log_segment_path(ctx, options->directory, number, path));
    return nq_vfs_unlink(ctx, options->vfs, path);
}

/* Each name is made durable by itself: two renames of which a crash keeps only the second would
 * leave a gap. */
nq_status nq__log_segment_renumber(nq_ctx *ctx, const nq_log_segment_options *options,
                                   uint64_t from, uint64_t to, bool *out_is_unknown) {
    char old_path[NQ__LOG_PATH_BYTES];
    char new_path[NQ__LOG_PATH_BYTES];
    *out_is_unknown = false;
    NQ_TRY(nq__log_segment_path(ctx, options->directory, from, old_path));
    NQ_TRY(nq__log_segment_path(ctx, options->directory, to, new_path));
    NQ_TRY(nq_vfs_rename(ctx, options->vfs, old_path, new_path));
    nq_status status = sync_names(ctx, options);
    *out_is_unknown = status != NQ_OK;
    return status;
}

/* ---- Listing ---- */

typedef struct listing {
    uint64_t *numbers;
    size_t count;
    size_t capacity;
    bool is_out_of_memory;
} listing;

static void visit_name(void *user, const char *name) {
    listing *list = user;
    uint64_t number;
    if (!parse_name(name, &number)) {
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

/* What is listed may be a name that the kernel alone knows, given by a process killed since. */
nq_status nq__log_segment_list(nq_ctx *ctx, const nq_log_segment_options *options,
                               uint64_t **out_numbers, size_t *out_count) {
    *out_numbers = NULL;
    *out_count = 0;
    listing list = {0};
    nq_status status = NQ_HAS_BUG(FOUND_NOT_SYNCED) ? NQ_OK : sync_names(ctx, options); /* L5 */
    if (status == NQ_OK) {
        status = nq_vfs_list_dir(ctx, options->vfs, options->directory, visit_name, &list);
    }
    if (status == NQ_OK && list.is_out_of_memory) {
        status = nq_fail_no_memory(ctx, "the list of log segments");
    }
    if (status != NQ_OK) {
        nq_heap_free(list.numbers);
        return status;
    }
    if (list.count > 1) {
        qsort(list.numbers, list.count, sizeof *list.numbers, compare_numbers);
    }
    *out_numbers = list.numbers;
    *out_count = list.count;
    return NQ_OK;
}
