/* Legacy log: a sink that only reads. */
#include "engine/storage/upgrade/legacy_log.h"

#include <inttypes.h>
#include <stdio.h>

#include "engine/ground/base/heap.h"

enum { PATH_BYTES = 1024 };

typedef struct legacy_sink {
    nq_log_sink base;
    nq_vfs *vfs;
    uint64_t first; /* number of the checkpoint's segment */
    uint64_t count; /* segments from it on, without a gap */
    char directory[PATH_BYTES];
} legacy_sink;

static void path_of(const legacy_sink *sink, uint64_t number, char out_path[PATH_BYTES + 32]) {
    snprintf(out_path, PATH_BYTES + 32, "%s/%016" PRIx64 ".log", sink->directory, number);
}

static void sink_close(nq_log_sink *sink) {
    nq_heap_free(sink);
}

static nq_lsn sink_first(nq_log_sink *base) {
    return (nq_lsn){((legacy_sink *)base)->first * base->segment_bytes};
}

static nq_lsn sink_room_end(nq_log_sink *base) {
    const legacy_sink *sink = (legacy_sink *)base;
    return (nq_lsn){(sink->first + sink->count) * base->segment_bytes};
}

static nq_status read_segment(nq_ctx *ctx, const legacy_sink *sink, uint64_t number,
                              uint64_t offset, uint8_t *out_bytes, size_t size) {
    char path[PATH_BYTES + 32];
    nq_file *file;
    size_t read_bytes;
    path_of(sink, number, path);
    NQ_TRY(nq_vfs_open(ctx, sink->vfs, path, NQ_OPEN_READ_ONLY, &file));
    nq_status status = nq_file_read_at(ctx, file, offset, out_bytes, size, &read_bytes);
    nq_file_close(file);
    if (status == NQ_OK && read_bytes != size) {
        status = nq_fail(ctx, NQ_LOG_CORRUPT, "%s: ends at offset %llu", path,
                         (unsigned long long)(offset + read_bytes));
    }
    return status;
}

static nq_status sink_read(nq_ctx *ctx, nq_log_sink *base, uint32_t copy, nq_lsn lsn,
                           uint8_t *out_bytes, size_t size) {
    const legacy_sink *sink = (legacy_sink *)base;
    (void)copy;
    while (size > 0) {
        uint64_t offset = lsn.value % base->segment_bytes;
        uint64_t left = base->segment_bytes - offset;
        size_t part = size < left ? size : (size_t)left;
        NQ_TRY(read_segment(ctx, sink, lsn.value / base->segment_bytes, offset, out_bytes, part));
        lsn.value += part;
        out_bytes += part;
        size -= part;
    }
    return NQ_OK;
}

static void sink_describe(const nq_log_sink *base, uint32_t copy, nq_lsn lsn, char *out_text,
                          size_t text_bytes) {
    char path[PATH_BYTES + 32];
    (void)copy;
    path_of((const legacy_sink *)base, lsn.value / base->segment_bytes, path);
    snprintf(out_text, text_bytes, "%s, offset %llu", path,
             (unsigned long long)(lsn.value % base->segment_bytes));
}

/* A log that is only read needs no more than this: it has one copy, and is never started. */
static const nq_log_sink_vtable legacy_sink_vtable = {
    .close = sink_close,
    .first = sink_first,
    .room_end = sink_room_end,
    .read = sink_read,
    .describe = sink_describe,
};

static nq_status check_length(nq_ctx *ctx, const legacy_sink *sink, const char *path) {
    nq_file *file;
    uint64_t bytes;
    NQ_TRY(nq_vfs_open(ctx, sink->vfs, path, NQ_OPEN_READ_ONLY, &file));
    nq_status status = nq_file_size(ctx, file, &bytes);
    nq_file_close(file);
    if (status == NQ_OK && bytes != sink->base.segment_bytes) {
        status = nq_fail(ctx, NQ_LOG_CORRUPT, "%s: has %llu bytes, expected %llu", path,
                         (unsigned long long)bytes, (unsigned long long)sink->base.segment_bytes);
    }
    return status;
}

static nq_status count_segments(nq_ctx *ctx, legacy_sink *sink) {
    bool exists = true;
    while (exists) {
        char path[PATH_BYTES + 32];
        path_of(sink, sink->first + sink->count, path);
        NQ_TRY(nq_vfs_exists(ctx, sink->vfs, path, &exists));
        if (!exists && sink->count == 0) {
            return nq_fail(ctx, NQ_LOG_CORRUPT, "%s is missing", path);
        }
        if (exists) {
            NQ_TRY(check_length(ctx, sink, path));
            sink->count++;
        }
    }
    return NQ_OK;
}

nq_status nq_legacy_log_open(nq_ctx *ctx, nq_vfs *vfs, const char *directory,
                             const nq_legacy_superblock *superblock, nq_log **out_log) {
    *out_log = NULL;
    legacy_sink *sink = nq_heap_calloc(1, sizeof *sink);
    if (sink == NULL) {
        return nq_fail_no_memory(ctx, "the old log");
    }
    sink->base = (nq_log_sink){.vtable = &legacy_sink_vtable,
                               .segment_bytes = superblock->log_segment_bytes,
                               .copy_count = 1};
    sink->vfs = vfs;
    sink->first = superblock->lsn / superblock->log_segment_bytes;
    snprintf(sink->directory, sizeof sink->directory, "%s", directory);
    nq_status status = count_segments(ctx, sink);
    if (status != NQ_OK) {
        sink_close(&sink->base);
        return status;
    }
    nq_log_options options = {.sink = &sink->base, .salt = superblock->log_salt};
    return nq_log_open(ctx, &options, (nq_lsn){superblock->lsn}, out_log);
}
