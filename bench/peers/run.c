/* Run: giving up, complaining, memory, lists and the clock. */
#include "bench/peers/run.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/ground/os/clock.h"

enum { COMPLAINTS_MAX = 5, EXIT_GIVEN_UP = 3 };

void *allocate(size_t bytes) {
    void *memory = calloc(1, bytes);
    must(memory != NULL, "out of memory");
    return memory;
}

void complain(const char *who, const char *words) {
    static _Atomic uint32_t count;
    if (atomic_fetch_add(&count, 1) < COMPLAINTS_MAX) {
        (void)fprintf(stderr, "%s: %s\n", who, words);
    }
}

void die(const char *what) {
    (void)fprintf(stderr, "peers: %s%s%s\n", what, errno != 0 ? ": " : "",
                  errno != 0 ? strerror(errno) : "");
    (void)fflush(stderr);
    _exit(EXIT_GIVEN_UP);
}

void must(bool is_true, const char *what) {
    if (!is_true) {
        die(what);
    }
}

bool list_names(const char *list, const char *name) {
    size_t size = strlen(name);
    const char *at = list;
    while ((at = strstr(at, name)) != NULL) {
        bool starts = at == list || at[-1] == ',';
        bool ends = at[size] == '\0' || at[size] == ',';
        if (starts && ends) {
            return true;
        }
        at += size;
    }
    return false;
}

uint64_t now_ns(void) {
    return (uint64_t)nq_clock_monotonic_ns();
}
