/* Redo sort: the order in which gathered changes go into the trees. A merge sort, for the log often
 * has long stretches in order, which cost one comparison each. */
#include "engine/storage/store/redo_internal.h"

enum { INSERTED_MAX = 8 };

/* <0, 0, >0: by key. */
static int compare_keys(const nq_redo_change *left, const nq_redo_change *right) {
    if (left->head != right->head) {
        return left->head < right->head ? -1 : 1;
    }
    return nq_bytes_compare(nq__redo_key(left), nq__redo_key(right));
}

static bool is_before(const nq_redo_change *left, const nq_redo_change *right) {
    if (left->tree != right->tree) {
        return left->tree < right->tree;
    }
    bool is_left_of_key = nq__redo_is_of_key(left);
    if (is_left_of_key != nq__redo_is_of_key(right)) {
        return !is_left_of_key;
    }
    int order = is_left_of_key ? compare_keys(left, right) : 0;
    return order != 0 ? order < 0 : left->sequence < right->sequence;
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
    uint32_t left = 0;
    uint32_t right = left_count;
    for (uint32_t to = 0; left < left_count; to++) {
        bool is_right = right < count && is_before(&changes[right], &scratch[left]);
        changes[to] = is_right ? changes[right++] : scratch[left++];
    }
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
