/* VFS: files as the engine sees them. The product runs on the posix implementation
 * (nq_vfs_posix), the tests also on a simulated disk that crashes, lies and rots by seed.
 *
 * Paths are UTF-8, NUL-terminated, '/'-separated. Every failure is written to the context with the
 * path and the operating system's words: NQ_DISK_FULL for ENOSPC and EDQUOT, NQ_IO_ERROR otherwise.
 * Threads: a vfs is shared; a file may be read and written at different places by several threads.
 */
#ifndef NQ_GROUND_OS_VFS_H
#define NQ_GROUND_OS_VFS_H

#include "engine/ground/base/bytes.h"
#include "engine/ground/base/ctx.h"

typedef struct nq_vfs nq_vfs;
typedef struct nq_file nq_file;

typedef enum nq_open_flags {
    NQ_OPEN_READ_ONLY = 1,
    NQ_OPEN_CREATE = 2,    /* if it is not there */
    NQ_OPEN_EXCLUSIVE = 4, /* with CREATE: fail if it is there */
    NQ_OPEN_TRUNCATE = 8,
} nq_open_flags;

/* What an implementation fills. An nq_file is the first member of its own struct. */
typedef struct nq_file_vtable {
    void (*close)(nq_file *file);
    nq_status (*read_at)(nq_ctx *ctx, nq_file *file, uint64_t offset, void *target, size_t bytes,
                         size_t *out_read);
    nq_status (*write_at)(nq_ctx *ctx, nq_file *file, uint64_t offset, const void *source,
                          size_t bytes);
    nq_status (*sync_data)(nq_ctx *ctx, nq_file *file);
    nq_status (*size)(nq_ctx *ctx, nq_file *file, uint64_t *out_bytes);
    nq_status (*truncate)(nq_ctx *ctx, nq_file *file, uint64_t bytes);
    nq_status (*allocate)(nq_ctx *ctx, nq_file *file, uint64_t offset, uint64_t bytes,
                          bool *out_is_reserved);
    void (*discard)(nq_file *file, uint64_t offset, uint64_t bytes);
    void (*prefetch)(nq_file *file, uint64_t offset, uint64_t bytes);   /* NULL: nothing to gain, */
    void (*write_back)(nq_file *file, uint64_t offset, uint64_t bytes); /* likewise */
    void (*write_out)(nq_file *file, uint64_t offset, uint64_t bytes);  /* likewise */
} nq_file_vtable;

struct nq_file {
    const nq_file_vtable *vtable;
};

typedef struct nq_vfs_vtable {
    nq_status (*open)(nq_ctx *ctx, nq_vfs *vfs, const char *path, uint32_t flags,
                      nq_file **out_file);
    nq_status (*exists)(nq_ctx *ctx, nq_vfs *vfs, const char *path, bool *out_exists);
    nq_status (*rename)(nq_ctx *ctx, nq_vfs *vfs, const char *from, const char *to);
    nq_status (*unlink)(nq_ctx *ctx, nq_vfs *vfs, const char *path);
    nq_status (*make_dir)(nq_ctx *ctx, nq_vfs *vfs, const char *path);
    nq_status (*remove_dir)(nq_ctx *ctx, nq_vfs *vfs, const char *path);
    nq_status (*sync_dir)(nq_ctx *ctx, nq_vfs *vfs, const char *path);
    nq_status (*list_dir)(nq_ctx *ctx, nq_vfs *vfs, const char *path,
                          void (*visit)(void *user, const char *name), void *user);
    nq_status (*lock_file)(nq_ctx *ctx, nq_vfs *vfs, const char *path, nq_file **out_lock);
} nq_vfs_vtable;

struct nq_vfs {
    const nq_vfs_vtable *vtable;
};

/* The operating system's files. Static; never released. */
nq_vfs *nq_vfs_posix(void);

/* Opens for reading and writing unless flags say otherwise. */
static inline nq_status nq_vfs_open(nq_ctx *ctx, nq_vfs *vfs, const char *path, uint32_t flags,
                                    nq_file **out_file) {
    return vfs->vtable->open(ctx, vfs, path, flags, out_file);
}

static inline nq_status nq_vfs_exists(nq_ctx *ctx, nq_vfs *vfs, const char *path,
                                      bool *out_exists) {
    return vfs->vtable->exists(ctx, vfs, path, out_exists);
}

/* Replaces `to`; durable after sync_dir of the directory. */
static inline nq_status nq_vfs_rename(nq_ctx *ctx, nq_vfs *vfs, const char *from, const char *to) {
    return vfs->vtable->rename(ctx, vfs, from, to);
}

/* A file that is not there is no failure. Durable after sync_dir. */
static inline nq_status nq_vfs_unlink(nq_ctx *ctx, nq_vfs *vfs, const char *path) {
    return vfs->vtable->unlink(ctx, vfs, path);
}

/* One level; one that is there is no failure. */
static inline nq_status nq_vfs_make_dir(nq_ctx *ctx, nq_vfs *vfs, const char *path) {
    return vfs->vtable->make_dir(ctx, vfs, path);
}

/* Which must be empty; one that is not there is no failure. Durable after sync_dir of its parent.
 */
static inline nq_status nq_vfs_remove_dir(nq_ctx *ctx, nq_vfs *vfs, const char *path) {
    return vfs->vtable->remove_dir(ctx, vfs, path);
}

/* Makes creations, renames and unlinks in the directory durable. */
static inline nq_status nq_vfs_sync_dir(nq_ctx *ctx, nq_vfs *vfs, const char *path) {
    return vfs->vtable->sync_dir(ctx, vfs, path);
}

/* Makes a directory and its name durable; its parent must exist. One that is there is no failure.
 */
nq_status nq_vfs_make_dir_durably(nq_ctx *ctx, nq_vfs *vfs, const char *path);

/* Moves every file of a directory that holds files only to another directory, or removes it when
 * that is NULL; durably. */
nq_status nq_vfs_empty_dir(nq_ctx *ctx, nq_vfs *vfs, const char *from, const char *to);

/* Calls `visit` for every entry but "." and "..", in no order; `name` is valid during the call. */
static inline nq_status nq_vfs_list_dir(nq_ctx *ctx, nq_vfs *vfs, const char *path,
                                        void (*visit)(void *user, const char *name), void *user) {
    return vfs->vtable->list_dir(ctx, vfs, path, visit, user);
}

/* Creates the file if need be and locks it until it is closed or the process dies. Fails with
 * NQ_DATABASE_LOCKED when somebody else (this process included) holds it. */
static inline nq_status nq_vfs_lock_file(nq_ctx *ctx, nq_vfs *vfs, const char *path,
                                         nq_file **out_lock) {
    return vfs->vtable->lock_file(ctx, vfs, path, out_lock);
}

/* NULL is ignored. */
static inline void nq_file_close(nq_file *file) {
    if (file != NULL) {
        file->vtable->close(file);
    }
}

/* Reads up to `bytes`; *out_read is less only at the end of the file. */
static inline nq_status nq_file_read_at(nq_ctx *ctx, nq_file *file, uint64_t offset, void *target,
                                        size_t bytes, size_t *out_read) {
    return file->vtable->read_at(ctx, file, offset, target, bytes, out_read);
}

/* Writes all of it or fails; what a failed write left behind is unknown. Not durable yet. */
static inline nq_status nq_file_write_at(nq_ctx *ctx, nq_file *file, uint64_t offset,
                                         const void *source, size_t bytes) {
    return file->vtable->write_at(ctx, file, offset, source, bytes);
}

/* Returns when everything written before is on stable storage (fdatasync). After a failure the
 * kernel may have dropped the pages: never sync again and believe it. */
static inline nq_status nq_file_sync_data(nq_ctx *ctx, nq_file *file) {
    return file->vtable->sync_data(ctx, file);
}

static inline nq_status nq_file_size(nq_ctx *ctx, nq_file *file, uint64_t *out_bytes) {
    return file->vtable->size(ctx, file, out_bytes);
}

static inline nq_status nq_file_truncate(nq_ctx *ctx, nq_file *file, uint64_t bytes) {
    return file->vtable->truncate(ctx, file, bytes);
}

/* Makes the file reach to `offset` + `bytes` at least, the new part reading as zeros, and reserves
 * its space where the file system can: *out_is_reserved says whether writes there can no longer be
 * refused for want of it. */
static inline nq_status nq_file_allocate(nq_ctx *ctx, nq_file *file, uint64_t offset,
                                         uint64_t bytes, bool *out_is_reserved) {
    return file->vtable->allocate(ctx, file, offset, bytes, out_is_reserved);
}

/* Gives the space of these bytes back where the file system can: nobody needs them, and what they
 * read as is unknown until they are written. The file stays as long; allocate takes the space
 * again. */
static inline void nq_file_discard(nq_file *file, uint64_t offset, uint64_t bytes) {
    file->vtable->discard(file, offset, bytes);
}

/* These bytes will be read soon: the system may fetch them meanwhile. Promises nothing, waits for
 * nothing. */
static inline void nq_file_prefetch(nq_file *file, uint64_t offset, uint64_t bytes) {
    if (file->vtable->prefetch != NULL) {
        file->vtable->prefetch(file, offset, bytes);
    }
}

/* These bytes have been written and will be synced: the system may begin with it. Promises nothing,
 * waits for nothing. */
static inline void nq_file_write_back(nq_file *file, uint64_t offset, uint64_t bytes) {
    if (file->vtable->write_back != NULL) {
        file->vtable->write_back(file, offset, bytes);
    }
}

/* The same, but brings them there in small parts, of which few are on their way at a time, so that
 * nobody else's sync waits behind many of them: takes about as long as that takes. Promises
 * nothing: what goes wrong is for the sync to find. */
static inline void nq_file_write_out(nq_file *file, uint64_t offset, uint64_t bytes) {
    if (file->vtable->write_out != NULL) {
        file->vtable->write_out(file, offset, bytes);
    }
}

#endif
