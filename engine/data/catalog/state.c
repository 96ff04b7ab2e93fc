/* Table states: what belongs to a tree of rows whatever versions of the catalog name it. */
#include "engine/data/catalog/catalog_internal.h"
#include "engine/ground/base/heap.h"

static nq_table_state **bucket_of(nq_catalog *catalog, uint32_t tree) {
    return &catalog->states[tree & (NQ__STATE_BUCKET_COUNT - 1)];
}

nq_table_state *nq__table_state_acquire(nq_catalog *catalog, nq_tree_id tree) {
    nq_mutex_lock(&catalog->mutex);
    nq_table_state **bucket = bucket_of(catalog, tree.value);
    nq_table_state *state = *bucket;
    while (state != NULL && state->tree != tree.value) {
        state = state->next;
    }
    if (state == NULL) {
        state = nq_heap_calloc(1, sizeof *state);
        if (state != NULL) {
            state->catalog = catalog;
            state->tree = tree.value;
            state->next = *bucket;
            *bucket = state;
        }
    }
    if (state != NULL) {
        state->reference_count++;
    }
    nq_mutex_unlock(&catalog->mutex);
    return state;
}

void nq__table_state_release(nq_table_state *state) {
    nq_catalog *catalog = state->catalog;
    nq_mutex_lock(&catalog->mutex);
    bool is_dead = --state->reference_count == 0;
    if (is_dead) {
        nq_table_state **link = bucket_of(catalog, state->tree);
        while (*link != state) {
            link = &(*link)->next;
        }
        *link = state->next;
    }
    nq_mutex_unlock(&catalog->mutex);
    if (is_dead) {
        nq_heap_free(state);
    }
}
