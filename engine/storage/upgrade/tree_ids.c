/* Tree ids: a growing list. */
#include <stdlib.h>

#include "engine/ground/base/heap.h"
#include "engine/storage/upgrade/upgrade_internal.h"

nq_status nq__tree_ids_add(nq_ctx *ctx, nq__tree_ids *ids, uint32_t id) {
    if (ids->count == ids->capacity) {
        size_t capacity = ids->capacity * 2 + 64;
        uint32_t *items = nq_heap_realloc(ids->items, capacity * sizeof *items);
        if (items == NULL) {
            return nq_fail_no_memory(ctx, "the list of old trees");
        }
        ids->items = items;
        ids->capacity = capacity;
    }
    ids->items[ids->count++] = id;
    return NQ_OK;
}

static int compare(const void *left, const void *right) {
    uint32_t a;
    uint32_t b;
    memcpy(&a, left, sizeof a);
    memcpy(&b, right, sizeof b);
    return (a > b) - (a < b);
}

void nq__tree_ids_sort(nq__tree_ids *ids) {
    if (ids->count == 0) {
        return;
    }
    qsort(ids->items, ids->count, sizeof *ids->items, compare);
    size_t kept = 1;
    for (size_t i = 1; i < ids->count; i++) {
        if (ids->items[i] != ids->items[kept - 1]) {
            ids->items[kept++] = ids->items[i];
        }
    }
    ids->count = kept;
}

void nq__tree_ids_deinit(nq__tree_ids *ids) {
    nq_heap_free(ids->items);
    *ids = (nq__tree_ids){0};
}
