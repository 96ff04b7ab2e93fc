/* One file: see the header. */
#include "tests/fuzz/one_file.h"

#include <string.h>

static const uint8_t *one_file;
static size_t one_file_bytes;

static void file_close(nq_file *file) {
    (void)file;
}

static nq_status file_read_at(nq_ctx *ctx, nq_file *file, uint64_t offset, void *target,
                              size_t bytes, size_t *out_read) {
    (void)ctx;
    (void)file;
    size_t left = offset < one_file_bytes ? one_file_bytes - (size_t)offset : 0;
    *out_read = bytes < left ? bytes : left;
    memcpy(target, one_file + (left > 0 ? offset : 0), *out_read);
    return NQ_OK;
}

static nq_status file_size(nq_ctx *ctx, nq_file *file, uint64_t *out_bytes) {
    (void)ctx;
    (void)file;
    *out_bytes = one_file_bytes;
    return NQ_OK;
}

static const nq_file_vtable file_vtable = {
    .close = file_close, .read_at = file_read_at, .size = file_size};

static nq_status vfs_open(nq_ctx *ctx, nq_vfs *vfs, const char *path, uint32_t flags,
                          nq_file **out_file) {
    static nq_file file = {&file_vtable};
    (void)ctx;
    (void)vfs;
    (void)path;
    (void)flags;
    *out_file = &file;
    return NQ_OK;
}

nq_vfs *one_file_vfs(const uint8_t *bytes, size_t size) {
    static const nq_vfs_vtable vtable = {.open = vfs_open};
    static nq_vfs vfs = {&vtable};
    one_file = bytes;
    one_file_bytes = size;
    return &vfs;
}
