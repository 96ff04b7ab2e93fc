/* Backends: the list of engines that are compared. */
#include <string.h>

#include "bench/peers/backend.h"

const bench_backend *const backends[] = {
    &backend_ours,     &backend_lmdb, &backend_rocksdb, &backend_sqlite, &backend_wiredtiger,
    &backend_berkeley, NULL,
};

const bench_backend *backend_find(const char *name) {
    for (size_t i = 0; backends[i] != NULL; i++) {
        if (strcmp(backends[i]->name, name) == 0) {
            return backends[i];
        }
    }
    return NULL;
}
