/* Files: directories of databases, and what the system knows about disk and memory. */
#ifndef NQ_BENCH_PEERS_FILES_H
#define NQ_BENCH_PEERS_FILES_H

#include <stdbool.h>
#include <stdint.h>

/* Everything below the directory goes as well; one that is not there is no failure. */
void directory_remove(const char *path);
void directory_make_empty(const char *path);
/* `to` becomes a synced copy of `from`. */
void directory_copy(const char *from, const char *to);
bool directory_exists(const char *path);
/* Waits until everything written to the directory's file system is on the disk. */
void directory_sync(const char *path);
/* The space its files take. */
double directory_mb(const char *path);
/* Makes the system forget what it holds of the files' contents. */
void directory_drop_cached(const char *path);

/* Bytes that the disk under `path` has been given to write, by anybody: run alone. Asked of the
 * block device, because write_bytes of /proc/self/io counts whole folios. 0: it does not say. */
uint64_t device_written_bytes(const char *path);

/* Of this process: anonymous memory, all of it, and the most it ever had since it was told to
 * forget. */
double process_anonymous_mb(void);
double process_rss_mb(void);
double process_rss_peak_mb(void);
void process_forget_rss_peak(void);

#endif
