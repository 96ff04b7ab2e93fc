/* Files: nftw walks for directories, /sys/dev/block and /proc/self/status for the rest. */
#define _GNU_SOURCE
#include "bench/peers/files.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "bench/peers/run.h"

enum { OPEN_MAX_WALK = 16, LINE_BYTES = 256, SECTOR_BYTES = 512, COPY_BYTES_MAX = 1 << 30 };

/* nftw hands no context to its visitor. */
static double walked_bytes;
static const char *copy_from;
static const char *copy_to;

static int remove_entry(const char *path, const struct stat *stat, int kind, struct FTW *walk) {
    (void)stat;
    (void)kind;
    (void)walk;
    return remove(path);
}

void directory_remove(const char *path) {
    if (directory_exists(path)) {
        must(nftw(path, remove_entry, OPEN_MAX_WALK, FTW_DEPTH | FTW_PHYS) == 0, path);
    }
}

void directory_make_empty(const char *path) {
    directory_remove(path);
    must(mkdir(path, 0755) == 0, path);
}

static void copy_file(const char *from, const char *to) {
    int source = open(from, O_RDONLY | O_CLOEXEC);
    int target = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    must(source >= 0 && target >= 0, from);
    ssize_t copied;
    do {
        copied = copy_file_range(source, NULL, target, NULL, COPY_BYTES_MAX, 0);
        must(copied >= 0, to);
    } while (copied > 0);
    must(close(source) == 0 && close(target) == 0, to);
}

static int copy_entry(const char *path, const struct stat *stat, int kind, struct FTW *walk) {
    char target[2 * RUN_PATH_BYTES];
    (void)stat;
    (void)walk;
    (void)snprintf(target, sizeof(target), "%s%s", copy_to, path + strlen(copy_from));
    if (kind == FTW_D) {
        must(mkdir(target, 0755) == 0, target);
    } else if (kind == FTW_F) {
        copy_file(path, target);
    }
    return 0;
}

void directory_copy(const char *from, const char *to) {
    directory_remove(to);
    copy_from = from;
    copy_to = to;
    must(nftw(from, copy_entry, OPEN_MAX_WALK, FTW_PHYS) == 0, from);
    directory_sync(to);
}

bool directory_exists(const char *path) {
    struct stat about;
    return stat(path, &about) == 0;
}

void directory_sync(const char *path) {
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    must(fd >= 0 && syncfs(fd) == 0 && close(fd) == 0, path);
}

static int add_entry(const char *path, const struct stat *stat, int kind, struct FTW *walk) {
    (void)path;
    (void)walk;
    walked_bytes += kind == FTW_F ? (double)stat->st_blocks * SECTOR_BYTES : 0;
    return 0;
}

double directory_mb(const char *path) {
    walked_bytes = 0;
    must(nftw(path, add_entry, OPEN_MAX_WALK, FTW_PHYS) == 0, path);
    return walked_bytes / 1e6;
}

static int drop_entry(const char *path, const struct stat *stat, int kind, struct FTW *walk) {
    (void)stat;
    (void)walk;
    int fd = kind == FTW_F ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (fd >= 0) {
        (void)fdatasync(fd);
        (void)posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
        close(fd);
    }
    return 0;
}

void directory_drop_cached(const char *path) {
    must(nftw(path, drop_entry, OPEN_MAX_WALK, FTW_PHYS) == 0, path);
}

uint64_t device_written_bytes(const char *path) {
    char stat_path[LINE_BYTES];
    unsigned long long sectors = 0;
    struct stat about;
    must(stat(path, &about) == 0, path);
    (void)snprintf(stat_path, sizeof(stat_path), "/sys/dev/block/%u:%u/stat", major(about.st_dev),
                   minor(about.st_dev));
    FILE *file = fopen(stat_path, "r");
    if (file == NULL) {
        return 0;
    }
    /* The seventh field, of Documentation/block/stat.rst. */
    if (fscanf(file, "%*u %*u %*u %*u %*u %*u %llu", &sectors) != 1) {
        sectors = 0;
    }
    (void)fclose(file);
    return sectors * SECTOR_BYTES;
}

static double process_status_mb(const char *field) {
    char line[LINE_BYTES];
    size_t size = strlen(field);
    double kilobytes = 0;
    FILE *file = fopen("/proc/self/status", "r");
    must(file != NULL, "/proc/self/status");
    while (kilobytes == 0 && fgets(line, sizeof(line), file) != NULL) {
        if (strncmp(line, field, size) == 0) {
            kilobytes = strtod(line + size, NULL);
        }
    }
    (void)fclose(file);
    return kilobytes * 1024 / 1e6;
}

double process_anonymous_mb(void) {
    return process_status_mb("RssAnon:");
}

double process_rss_mb(void) {
    return process_status_mb("VmRSS:");
}

double process_rss_peak_mb(void) {
    return process_status_mb("VmHWM:");
}

/* Documentation/filesystems/proc.rst: 5 resets the peak. */
void process_forget_rss_peak(void) {
    FILE *file = fopen("/proc/self/clear_refs", "w");
    must(file != NULL && fputs("5", file) >= 0 && fclose(file) == 0, "/proc/self/clear_refs");
}
