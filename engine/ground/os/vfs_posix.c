/* VFS on posix: pread, pwrite, fdatasync, flock. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/ground/base/heap.h"
#include "engine/ground/obs/counter.h"
#include "engine/ground/os/clock.h"
#include "engine/ground/os/vfs.h"

/* The path follows the struct. */
typedef struct posix_file {
    nq_file file;
    int descriptor;
    char path[];
} posix_file;

static nq_status fail_errno(nq_ctx *ctx, int code, const char *what, const char *path) {
    char words[128];
    const char *text = strerror_r(code, words, sizeof(words));
    bool is_full = code == ENOSPC || code == EDQUOT;
    nq_counter_add(NQ_COUNTER_FILE_FAILURES, 1);
    return nq_fail(ctx, is_full ? NQ_DISK_FULL : NQ_IO_ERROR, "%s %s: %s", what, path, text);
}

static void posix_close(nq_file *file) {
    posix_file *self = (posix_file *)file;
    (void)close(self->descriptor);
    nq_gauge_add(NQ_GAUGE_FILE_OPEN, -1);
    nq_heap_free(self);
}

static nq_status posix_read_at(nq_ctx *ctx, nq_file *file, uint64_t offset, void *target,
                               size_t bytes, size_t *out_read) {
    posix_file *self = (posix_file *)file;
    *out_read = 0;
    while (*out_read < bytes) {
        ssize_t got = pread(self->descriptor, (uint8_t *)target + *out_read, bytes - *out_read,
                            (off_t)(offset + *out_read));
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return fail_errno(ctx, errno, "cannot read", self->path);
        }
        if (got == 0) {
            break;
        }
        *out_read += (size_t)got;
    }
    nq_counter_add(NQ_COUNTER_FILE_READS, 1);
    nq_counter_add(NQ_COUNTER_FILE_READ_BYTES, *out_read);
    return NQ_OK;
}

static nq_status posix_write_at(nq_ctx *ctx, nq_file *file, uint64_t offset, const void *source,
                                size_t bytes) {
    posix_file *self = (posix_file *)file;
    for (size_t done = 0; done < bytes;) {
        ssize_t put = pwrite(self->descriptor, (const uint8_t *)source + done, bytes - done,
                             (off_t)(offset + done));
        if (put < 0 && errno == EINTR) {
            continue;
        }
        if (put < 0) {
            return fail_errno(ctx, errno, "cannot write", self->path);
        }
        done += (size_t)put;
    }
    nq_counter_add(NQ_COUNTER_FILE_WRITES, 1);
    nq_counter_add(NQ_COUNTER_FILE_WRITTEN_BYTES, bytes);
    return NQ_OK;
}

static nq_status posix_sync_data(nq_ctx *ctx, nq_file *file) {
    posix_file *self = (posix_file *)file;
    int64_t start_ns = nq_clock_monotonic_ns();
    /* EINTR says nothing about what was written: it counts as a failure like any other. */
    if (fdatasync(self->descriptor) != 0) {
        return fail_errno(ctx, errno, "cannot sync", self->path);
    }
    nq_counter_add(NQ_COUNTER_FILE_SYNCS, 1);
    nq_histogram_observe(NQ_HISTOGRAM_FILE_SYNC_TIME,
                         (uint64_t)(nq_clock_monotonic_ns() - start_ns));
    return NQ_OK;
}

static nq_status posix_size(nq_ctx *ctx, nq_file *file, uint64_t *out_bytes) {
    posix_file *self = (posix_file *)file;
    struct stat status;
    *out_bytes = 0;
    if (fstat(self->descriptor, &status) != 0) {
        return fail_errno(ctx, errno, "cannot stat", self->path);
    }
    *out_bytes = (uint64_t)status.st_size;
    return NQ_OK;
}

static nq_status posix_truncate(nq_ctx *ctx, nq_file *file, uint64_t bytes) {
    posix_file *self = (posix_file *)file;
    while (ftruncate(self->descriptor, (off_t)bytes) != 0) {
        if (errno != EINTR) {
            return fail_errno(ctx, errno, "cannot truncate", self->path);
        }
    }
    return NQ_OK;
}

static nq_status posix_allocate(nq_ctx *ctx, nq_file *file, uint64_t offset, uint64_t bytes,
                                bool *out_is_reserved) {
    posix_file *self = (posix_file *)file;
    int code;
    do {
        code = fallocate(self->descriptor, 0, (off_t)offset, (off_t)bytes) == 0 ? 0 : errno;
    } while (code == EINTR);
    *out_is_reserved = code == 0;
    if (code == EOPNOTSUPP) {
        /* posix_fallocate would write a byte to each block, and race with whoever writes there. */
        uint64_t size;
        NQ_TRY(posix_size(ctx, file, &size));
        return size >= offset + bytes ? NQ_OK : posix_truncate(ctx, file, offset + bytes);
    }
    return code == 0 ? NQ_OK : fail_errno(ctx, code, "cannot allocate space in", self->path);
}

/* What cannot be given back stays: that does no harm. */
static void posix_discard(nq_file *file, uint64_t offset, uint64_t bytes) {
    (void)fallocate(((posix_file *)file)->descriptor, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                    (off_t)offset, (off_t)bytes);
}

static void posix_prefetch(nq_file *file, uint64_t offset, uint64_t bytes) {
    (void)posix_fadvise(((posix_file *)file)->descriptor, (off_t)offset, (off_t)bytes,
                        POSIX_FADV_WILLNEED);
}

static void posix_write_back(nq_file *file, uint64_t offset, uint64_t bytes) {
    (void)sync_file_range(((posix_file *)file)->descriptor, (off_t)offset, (off_t)bytes,
                          SYNC_FILE_RANGE_WRITE);
}

/* The file once more, open for itself: who waits for writing takes note of its errors, and the
 * file's own sync is to meet them. -1: the system cannot. */
static int open_again(const posix_file *self) {
    char path[32];
    snprintf(path, sizeof path, "/proc/self/fd/%d", self->descriptor);
    return open(path, O_RDONLY | O_CLOEXEC);
}

static void posix_write_out(nq_file *file, uint64_t offset, uint64_t bytes) {
    const uint64_t part_bytes = 128 << 10;
    const uint64_t under_way_bytes = 2 * part_bytes;
    int descriptor = open_again((posix_file *)file);
    if (descriptor < 0) {
        posix_write_back(file, offset, bytes);
        return;
    }
    for (uint64_t done = 0; done < bytes; done += part_bytes) {
        uint64_t left = bytes - done;
        (void)sync_file_range(descriptor, (off_t)(offset + done),
                              (off_t)(left < part_bytes ? left : part_bytes),
                              SYNC_FILE_RANGE_WRITE);
        if (done >= under_way_bytes) {
            (void)sync_file_range(descriptor, (off_t)(offset + done - under_way_bytes),
                                  (off_t)part_bytes, SYNC_FILE_RANGE_WAIT_BEFORE);
        }
    }
    (void)close(descriptor);
}

static const nq_file_vtable file_vtable = {
    .close = posix_close,
    .read_at = posix_read_at,
    .write_at = posix_write_at,
    .sync_data = posix_sync_data,
    .size = posix_size,
    .truncate = posix_truncate,
    .allocate = posix_allocate,
    .discard = posix_discard,
    .prefetch = posix_prefetch,
    .write_back = posix_write_back,
    .write_out = posix_write_out,
};

static nq_status wrap(nq_ctx *ctx, int descriptor, const char *path, nq_file **out_file) {
    size_t path_bytes = strlen(path) + 1;
    posix_file *self = nq_heap_alloc(sizeof(*self) + path_bytes);
    if (self == NULL) {
        (void)close(descriptor);
        return nq_fail_no_memory(ctx, "an open file");
    }
    self->file.vtable = &file_vtable;
    self->descriptor = descriptor;
    memcpy(self->path, path, path_bytes);
    nq_gauge_add(NQ_GAUGE_FILE_OPEN, 1);
    *out_file = &self->file;
    return NQ_OK;
}

static int open_retrying(const char *path, int mode) {
    int descriptor;
    do {
        descriptor = open(path, mode | O_CLOEXEC, 0640);
    } while (descriptor < 0 && errno == EINTR);
    return descriptor;
}

static nq_status posix_open(nq_ctx *ctx, nq_vfs *vfs, const char *path, uint32_t flags,
                            nq_file **out_file) {
    (void)vfs;
    *out_file = NULL;
    int mode = (flags & NQ_OPEN_READ_ONLY) != 0 ? O_RDONLY : O_RDWR;
    mode |= (flags & NQ_OPEN_CREATE) != 0 ? O_CREAT : 0;
    mode |= (flags & NQ_OPEN_EXCLUSIVE) != 0 ? O_EXCL : 0;
    mode |= (flags & NQ_OPEN_TRUNCATE) != 0 ? O_TRUNC : 0;
    int descriptor = open_retrying(path, mode);
    return descriptor < 0 ? fail_errno(ctx, errno, "cannot open", path)
                          : wrap(ctx, descriptor, path, out_file);
}

static nq_status posix_exists(nq_ctx *ctx, nq_vfs *vfs, const char *path, bool *out_exists) {
    (void)vfs;
    struct stat status;
    *out_exists = stat(path, &status) == 0;
    if (!*out_exists && errno != ENOENT && errno != ENOTDIR) {
        return fail_errno(ctx, errno, "cannot look for", path);
    }
    return NQ_OK;
}

static nq_status posix_rename(nq_ctx *ctx, nq_vfs *vfs, const char *from, const char *to) {
    (void)vfs;
    return rename(from, to) == 0 ? NQ_OK : fail_errno(ctx, errno, "cannot rename", from);
}

static nq_status posix_unlink(nq_ctx *ctx, nq_vfs *vfs, const char *path) {
    (void)vfs;
    return unlink(path) == 0 || errno == ENOENT ? NQ_OK
                                                : fail_errno(ctx, errno, "cannot remove", path);
}

static nq_status posix_make_dir(nq_ctx *ctx, nq_vfs *vfs, const char *path) {
    (void)vfs;
    if (mkdir(path, 0750) == 0) {
        return NQ_OK;
    }
    int code = errno;
    struct stat status;
    if (code == EEXIST && stat(path, &status) == 0 && S_ISDIR(status.st_mode)) {
        return NQ_OK;
    }
    return fail_errno(ctx, code, "cannot make the directory", path);
}

static nq_status posix_remove_dir(nq_ctx *ctx, nq_vfs *vfs, const char *path) {
    (void)vfs;
    return rmdir(path) == 0 || errno == ENOENT
               ? NQ_OK
               : fail_errno(ctx, errno, "cannot remove the directory", path);
}

static nq_status posix_sync_dir(nq_ctx *ctx, nq_vfs *vfs, const char *path) {
    (void)vfs;
    int descriptor = open_retrying(path, O_RDONLY | O_DIRECTORY);
    if (descriptor < 0) {
        return fail_errno(ctx, errno, "cannot open the directory", path);
    }
    int code = fsync(descriptor) == 0 ? 0 : errno;
    (void)close(descriptor);
    return code == 0 ? NQ_OK : fail_errno(ctx, code, "cannot sync the directory", path);
}

static nq_status posix_list_dir(nq_ctx *ctx, nq_vfs *vfs, const char *path,
                                void (*visit)(void *user, const char *name), void *user) {
    (void)vfs;
    DIR *directory = opendir(path);
    if (directory == NULL) {
        return fail_errno(ctx, errno, "cannot list", path);
    }
    errno = 0;
    for (struct dirent *entry; (entry = readdir(directory)) != NULL; errno = 0) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
            visit(user, entry->d_name);
        }
    }
    int code = errno;
    (void)closedir(directory);
    return code == 0 ? NQ_OK : fail_errno(ctx, code, "cannot list", path);
}

static nq_status posix_lock_file(nq_ctx *ctx, nq_vfs *vfs, const char *path, nq_file **out_lock) {
    (void)vfs;
    *out_lock = NULL;
    int descriptor = open_retrying(path, O_RDWR | O_CREAT);
    if (descriptor < 0) {
        return fail_errno(ctx, errno, "cannot open", path);
    }
    /* flock belongs to the open file, so that a second open in this process is refused too. */
    if (flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
        int code = errno;
        (void)close(descriptor);
        return code == EWOULDBLOCK
                   ? nq_fail(ctx, NQ_DATABASE_LOCKED, "%s is held by another process", path)
                   : fail_errno(ctx, code, "cannot lock", path);
    }
    return wrap(ctx, descriptor, path, out_lock);
}

static const nq_vfs_vtable vfs_vtable = {
    .open = posix_open,
    .exists = posix_exists,
    .rename = posix_rename,
    .unlink = posix_unlink,
    .make_dir = posix_make_dir,
    .remove_dir = posix_remove_dir,
    .sync_dir = posix_sync_dir,
    .list_dir = posix_list_dir,
    .lock_file = posix_lock_file,
};

nq_vfs *nq_vfs_posix(void) {
    static nq_vfs posix = {&vfs_vtable};
    return &posix;
}
