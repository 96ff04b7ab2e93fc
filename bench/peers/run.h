/* Run: what every part of the driver needs — how it was asked to run, and how it gives up.
 *
 * A phase runs in a process of its own, so giving up ends only that phase of that engine. */
#ifndef NQ_BENCH_PEERS_RUN_H
#define NQ_BENCH_PEERS_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { RUN_PATH_BYTES = 512, RUN_PEERS_MAX = 8 };

typedef struct bench_settings {
    char directory[RUN_PATH_BYTES]; /* holds every engine's databases */
    uint64_t rows;                  /* of a loaded database */
    uint64_t cache_bytes;
    double seconds; /* of a timed part */
    uint32_t repeats;
    bool uses_medians; /* of the repetitions, rather than the best */
    const char *only;  /* phases by name, comma-separated; NULL: all */
    const char *peers; /* engines by name, comma-separated; NULL: all */
} bench_settings;

/* Zeroed memory; ends the process when there is none. */
void *allocate(size_t bytes) __attribute__((malloc, alloc_size(1)));

/* Says on stderr what an engine found wrong; nothing ends. The first few lines of a process only:
 * a damaged database has one for every row. */
void complain(const char *who, const char *words);

void die(const char *what) __attribute__((noreturn));
/* Ends the process, saying `what`, unless it is true. */
void must(bool is_true, const char *what);

/* Whether a comma-separated list names it. */
bool list_names(const char *list, const char *name);

uint64_t now_ns(void);

#endif
