/* Redo sort: the order in which gathered changes go into the trees. A merge sort, for the log often
 * has long stretches in order, which cost one comparison each. */
#include "engine/storage/store/redo_internal.h"

enum { INSERTED_MAX = 8 };

/* Of one tree, with equal heads: what happened to the tree itself has none, and comes first. */
static bool is_before_beyond_head(const nq_redo_change *left, const nq_redo_change *right) {
    bool is_left_of_key = nq__redo_is_of_key(left);
    if (is_left_of_key != nq__redo_is_of_key(right)) {
        return !is_left_of_key;
    }
    int order = nq_bytes_compare(nq__redo_key(left), nq__redo_key(right));
    return order != 0 ? order < 0 : left->sequence < right->sequence;
}

/* Mostly the heads tell. */
static inline bool is_before(const nq_redo_change *left, const nq_redo_change *right) {
    if (left->tree != right->tree) {
        return left->tree < right->tree;
    }
    if (left->head != right->head) {
        return left->head < right->head;
    }
    return is_before_beyond_head(left, right);
}

static void sort_few(nq_redo_change *changes, uint32_t count) {
    for (uint32_t i = 1; i < count; i++) {
        nq_redo_change change = changes[i];
        uint32_t at = i;
        for (; at > 0 && is_before(&change, &changes[at - 1]); at--) {
            changes[at] = changes[at - 1];
        }
        changes[at] = change;
    }
}

/* Merges the sorted left and right parts of `changes`. */
static void merge(nq_redo_change *changes, uint32_t left_count, uint32_t count,
                  nq_redo_change *scratch) {
    memcpy(scratch, changes, left_count * sizeof *scratch);
    const nq_redo_change *left = scratch;
    const nq_redo_change *right = changes + left_count;
    const nq_redo_change *left_end = scratch + left_count;
    const nq_redo_change *right_end = changes + count;
    for (; left < left_end && right < right_end; changes++) {
        bool is_right = is_before(right, left);
        *changes = *(is_right ? right : left);
        right += is_right;
        left += !is_right;
    }
    memcpy(changes, left, (size_t)(left_end - left) * sizeof *left);
}

void nq__redo_sort(nq_redo_change *changes, uint32_t count, nq_redo_change *scratch) {
    if (count <= INSERTED_MAX) {
        sort_few(changes, count);
        return;
    }
    uint32_t half = count / 2;
    nq__redo_sort(changes, half, scratch);
    nq__redo_sort(changes + half, count - half, scratch);
    if (is_before(&changes[half], &changes[half - 1])) {
        merge(changes, half, count, scratch);
    }
}
