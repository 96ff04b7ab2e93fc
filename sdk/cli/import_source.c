/* Import source: a plain file, a file behind an unpacking program, or standard input. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sdk/cli/import_internal.h"
#include "sdk/cli/spawn.h"

static bool ends_with(const char *text, const char *end) {
    size_t text_bytes = strlen(text), end_bytes = strlen(end);
    return text_bytes >= end_bytes && strcmp(text + text_bytes - end_bytes, end) == 0;
}

static int fail(const char *path) {
    fprintf(stderr, "nq: %s: %s\n", path, strerror(errno));
    return NQ_EXIT_LOCAL;
}

/* Keeps what can be read only once. */
static int spool(nq_import_source *source, FILE *file) {
    char *buffer = nq_must_allocate(256 * 1024);
    size_t bytes;
    source->spool = tmpfile();
    while (source->spool != NULL && (bytes = fread(buffer, 1, 256 * 1024, file)) > 0) {
        if (fwrite(buffer, 1, bytes, source->spool) != bytes) {
            free(buffer);
            return fail("temporary file");
        }
    }
    free(buffer);
    return source->spool == NULL || ferror(file) ? fail(source->path) : NQ_EXIT_OK;
}

int nq__import_source_init(nq_import_source *source, const char *path) {
    struct stat info;
    *source = (nq_import_source){.path = path};
    if (strcmp(path, "-") == 0) {
        return spool(source, stdin);
    }
    if (stat(path, &info) != 0) {
        return fail(path);
    }
    if (!S_ISREG(info.st_mode)) {
        FILE *file = fopen(path, "re");
        int exit_code = file != NULL ? spool(source, file) : fail(path);
        if (file != NULL) {
            fclose(file);
        }
        return exit_code;
    }
    source->packed_bytes = (uint64_t)info.st_size;
    source->program = ends_with(path, ".zst") ? "zstd" : ends_with(path, ".gz") ? "gzip" : NULL;
    return NQ_EXIT_OK;
}

static int open_unpacked(nq_import_source *source) {
    int ends[2];
    char *arguments[] = {(char *)(uintptr_t)source->program, (char *)"-dc", (char *)"--",
                         (char *)(uintptr_t)source->path, NULL};
    if (pipe2(ends, O_CLOEXEC) != 0) {
        return fail(source->path);
    }
    errno = nq_spawn(arguments, ends[1], &source->child);
    close(ends[1]);
    if (errno != 0) {
        close(ends[0]);
        return fail(source->program);
    }
    source->file = fdopen(ends[0], "r");
    return source->file != NULL ? NQ_EXIT_OK : fail(source->path);
}

int nq__import_source_open(nq_import_source *source) {
    if (source->spool != NULL) {
        source->file = source->spool;
        rewind(source->spool);
        return NQ_EXIT_OK;
    }
    if (source->program != NULL) {
        return open_unpacked(source);
    }
    source->file = fopen(source->path, "re");
    return source->file != NULL ? NQ_EXIT_OK : fail(source->path);
}

double nq__import_source_fraction(const nq_import_source *source) {
    if (source->spool != NULL || source->program != NULL || source->packed_bytes == 0) {
        return -1;
    }
    return (double)ftello(source->file) / (double)source->packed_bytes;
}

int nq__import_source_close(nq_import_source *source) {
    int exit_code = NQ_EXIT_OK;
    if (source->file == NULL) {
        return exit_code;
    }
    bool at_end = feof(source->file) != 0;
    if (source->file != source->spool) {
        fclose(source->file);
    }
    source->file = NULL;
    if (source->child != 0) {
        int status = nq_spawn_wait(source->child);
        source->child = 0;
        /* Closed early, it dies of a broken pipe, and that is right. */
        if (at_end && status != 0) {
            fprintf(stderr, "nq: %s could not unpack %s\n", source->program, source->path);
            exit_code = NQ_EXIT_LOCAL;
        }
    }
    return exit_code;
}

void nq__import_source_deinit(nq_import_source *source) {
    nq__import_source_close(source);
    if (source->spool != NULL) {
        fclose(source->spool);
        source->spool = NULL;
    }
}
