/* CPU: the affinity mask, /proc and cgroup v2. In a container the cgroup's own files are mounted at
 * the root of /sys/fs/cgroup; outside of one they are the root's, which has no limits. */
#define _GNU_SOURCE
#include "engine/ground/os/cpu.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

enum { TEXT_BYTES = 128 };

/* The start of a small file; false if there is none. */
static bool read_text(const char *path, char text[TEXT_BYTES]) {
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) {
        return false;
    }
    ssize_t size;
    do {
        size = read(descriptor, text, TEXT_BYTES - 1);
    } while (size < 0 && errno == EINTR);
    (void)close(descriptor);
    text[size > 0 ? size : 0] = '\0';
    return size > 0;
}

uint32_t nq_cpu_count(void) {
    cpu_set_t set;
    CPU_ZERO(&set);
    /* Fails on machines with more processors than the set holds: then ask how many are online. */
    long count = sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set)
                                                              : sysconf(_SC_NPROCESSORS_ONLN);
    char text[TEXT_BYTES];
    if (read_text("/sys/fs/cgroup/cpu.max", text)) {
        /* "QUOTA PERIOD", or "max PERIOD", which reads as 0. */
        char *rest = NULL;
        unsigned long long quota = strtoull(text, &rest, 10);
        unsigned long long period = strtoull(rest, NULL, 10);
        if (quota > 0 && period > 0 && (quota + period - 1) / period < (unsigned long long)count) {
            count = (long)((quota + period - 1) / period);
        }
    }
    return count > 0 ? (uint32_t)count : 1;
}

uint64_t nq_cpu_memory_bytes(void) {
    long pages = sysconf(_SC_PHYS_PAGES);
    long page_bytes = sysconf(_SC_PAGESIZE);
    uint64_t bytes = pages > 0 && page_bytes > 0 ? (uint64_t)pages * (uint64_t)page_bytes : 0;
    char text[TEXT_BYTES];
    if (read_text("/sys/fs/cgroup/memory.max", text)) {
        uint64_t limit = strtoull(text, NULL, 10); /* "max" reads as 0 */
        if (limit > 0 && (bytes == 0 || limit < bytes)) {
            bytes = limit;
        }
    }
    return bytes;
}

uint64_t nq_cpu_resident_bytes(void) {
    char text[TEXT_BYTES];
    if (!read_text("/proc/self/statm", text)) {
        return 0;
    }
    char *after_total = NULL;
    (void)strtoull(text, &after_total, 10);
    return strtoull(after_total, NULL, 10) * (uint64_t)sysconf(_SC_PAGESIZE);
}
