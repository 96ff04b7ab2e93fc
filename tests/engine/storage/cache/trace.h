/* Trace: which page (or object) was asked for, one after the other, as others have recorded it.
 *
 * Read from the public collections as they are distributed: ARC's `.lis` (start, count, 0, number),
 * LIRS's `.trace` (a number a line, `*` marks), cache2k's `.trace` (32 bits, big-endian); packed by
 * zstd, gzip or xz, whose commands unpack them. The ids are made dense: 1, 2, 3 … in order of
 * appearance. */
#ifndef NQ_TESTS_STORAGE_CACHE_TRACE_H
#define NQ_TESTS_STORAGE_CACHE_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct trace {
    uint32_t *ids;
    size_t count;
    uint32_t id_count; /* distinct */
} trace;

/* A trace of the collection, and where its name says how it is written. */
typedef struct trace_file {
    const char *name;
    const char *file;
} trace_file;
extern const trace_file trace_files[];
extern const size_t trace_file_count;

/* Reads a file of NQ_CORPORA or of its folder `traces`; false: it is not there. A file that cannot
 * be unpacked or understood ends the process. */
bool trace_load(const trace_file *file, trace *out_trace);
void trace_free(trace *t);

/* `count` independent requests over ids 1 … id_count, the k-th most popular with probability
 * proportional to 1 / k^theta; popularity is not in the order of ids. */
trace trace_zipf(uint32_t id_count, double theta, size_t count, uint64_t seed);

/* Where a test says what it did without. */
void trace_say_missing(void);

#endif
