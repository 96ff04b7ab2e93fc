/* Redo find: the sorted changes as an index, in which keys are found and walked in order. Of a key
 * that was changed often they stand side by side, and the last one counts. */
#include "engine/storage/store/redo_internal.h"

typedef enum place_kind {
    BEFORE_KEYS, /* of the tree, behind what happened to the tree itself */
    AT_KEY,
    BEHIND_KEYS,
} place_kind;

typedef struct place {
    place_kind kind;
    uint32_t tree;
    uint64_t head;
    nq_bytes key;
} place;

static place place_of(uint32_t tree, nq_bytes key) {
    return (place){AT_KEY, tree, nq__redo_head(key), key};
}

/* <0, 0, >0: where the change stands, seen from the place. */
static int compare(const nq_redo_change *change, const place *at) {
    if (change->tree != at->tree) {
        return change->tree < at->tree ? -1 : 1;
    }
    if (!nq__redo_is_of_key(change)) {
        return -1;
    }
    if (at->kind != AT_KEY) {
        return at->kind == BEFORE_KEYS ? 1 : -1;
    }
    if (change->head != at->head) {
        return change->head < at->head ? -1 : 1;
    }
    return nq_bytes_compare(nq__redo_key(change), at->key);
}

/* The first change behind a place, or at it. */
static uint32_t first_from(const nq_redo *redo, const place *at) {
    uint32_t from = 0;
    uint32_t to = redo->committed_count;
    while (from < to) {
        uint32_t middle = from + (to - from) / 2;
        if (compare(&redo->changes[middle], at) < 0) {
            from = middle + 1;
        } else {
            to = middle;
        }
    }
    return from;
}

static bool is_of_same_key(const nq_redo *redo, uint32_t left, uint32_t right) {
    const nq_redo_change *a = &redo->changes[left];
    const nq_redo_change *b = &redo->changes[right];
    return a->tree == b->tree && a->head == b->head && nq__redo_is_of_key(a) &&
           nq__redo_is_of_key(b) && nq_bytes_equal(nq__redo_key(a), nq__redo_key(b));
}

/* From any change of a key to the last. */
static uint32_t last_of_key(const nq_redo *redo, uint32_t at) {
    while (at + 1 < redo->committed_count && is_of_same_key(redo, at, at + 1)) {
        at++;
    }
    return at;
}

const nq_redo_change *nq__redo_at(const nq_redo *redo, uint32_t tree, uint32_t at) {
    bool is_there = at < redo->committed_count && redo->changes[at].tree == tree &&
                    nq__redo_is_of_key(&redo->changes[at]);
    return is_there ? &redo->changes[at] : NULL;
}

const nq_redo_change *nq__redo_find(const nq_redo *redo, uint32_t tree, nq_bytes key) {
    const nq_redo_change *change = nq__redo_at(redo, tree, nq__redo_seek(redo, tree, key));
    return change != NULL && nq_bytes_equal(nq__redo_key(change), key) ? change : NULL;
}

bool nq__redo_has_tree(const nq_redo *redo, uint32_t tree) {
    const place at = {.kind = BEFORE_KEYS, .tree = tree};
    uint32_t first = first_from(redo, &at);
    return first != 0 && redo->changes[first - 1].tree == tree;
}

uint32_t nq__redo_seek(const nq_redo *redo, uint32_t tree, nq_bytes key) {
    const place start = {.kind = BEFORE_KEYS, .tree = tree};
    const place at = key.data == NULL ? start : place_of(tree, key);
    return last_of_key(redo, first_from(redo, &at));
}

uint32_t nq__redo_seek_before(const nq_redo *redo, uint32_t tree, nq_bytes key) {
    const place end = {.kind = BEHIND_KEYS, .tree = tree};
    const place at = key.data == NULL ? end : place_of(tree, key);
    return first_from(redo, &at) - 1;
}

uint32_t nq__redo_next(const nq_redo *redo, uint32_t at) {
    return last_of_key(redo, at + 1);
}

uint32_t nq__redo_previous(const nq_redo *redo, uint32_t at) {
    while (at > 0 && is_of_same_key(redo, at, at - 1)) {
        at--;
    }
    return at - 1;
}
