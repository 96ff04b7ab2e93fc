/* Confine: one control group, under the memory controller of version 1 or in the tree of version 2.
 */
#include "bench/peers/confine.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench/peers/run.h"

typedef struct control {
    const char *directory;
    const char *limit;
    const char *members;
} control;

static const control controls[] = {
    {"/sys/fs/cgroup/memory/nq-peers", "/sys/fs/cgroup/memory/nq-peers/memory.limit_in_bytes",
     "/sys/fs/cgroup/memory/nq-peers/cgroup.procs"},
    {"/sys/fs/cgroup/nq-peers", "/sys/fs/cgroup/nq-peers/memory.max",
     "/sys/fs/cgroup/nq-peers/cgroup.procs"},
};

static const control *prepared;

static bool write_number(const char *path, uint64_t number) {
    FILE *file = fopen(path, "w");
    if (file == NULL) {
        return false;
    }
    bool is_written = fprintf(file, "%llu\n", (unsigned long long)number) > 0;
    return fclose(file) == 0 && is_written;
}

bool confine_prepare(uint64_t memory_bytes_max) {
    for (size_t i = 0; i < sizeof(controls) / sizeof(controls[0]); i++) {
        (void)mkdir(controls[i].directory, 0755); /* writing the limit says whether it is there */
        if (write_number(controls[i].limit, memory_bytes_max)) {
            prepared = &controls[i];
            return true;
        }
    }
    return false;
}

void confine_self(void) {
    must(prepared != NULL && write_number(prepared->members, (uint64_t)getpid()),
         "cannot enter the control group");
}
