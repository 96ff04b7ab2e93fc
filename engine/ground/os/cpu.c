/* CPU: sched_getaffinity and /proc/self/statm. */
#define _GNU_SOURCE
#include "engine/ground/os/cpu.h"

#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <unistd.h>

uint32_t nq_cpu_count(void) {
    cpu_set_t set;
    CPU_ZERO(&set);
    if (sched_getaffinity(0, sizeof(set), &set) != 0) {
        return 1;
    }
    int count = CPU_COUNT(&set);
    return count > 0 ? (uint32_t)count : 1;
}

uint64_t nq_cpu_resident_bytes(void) {
    int descriptor = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) {
        return 0;
    }
    char text[128];
    ssize_t size = read(descriptor, text, sizeof(text) - 1);
    (void)close(descriptor);
    if (size <= 0) {
        return 0;
    }
    text[size] = '\0';
    char *after_total = NULL;
    (void)strtoull(text, &after_total, 10);
    return strtoull(after_total, NULL, 10) * (uint64_t)sysconf(_SC_PAGESIZE);
}
