/* Reference: see the header. */
#include "tests/engine/storage/support/reference.h"

#include <stdio.h>
#include <stdlib.h>

static nq_bytes copy_bytes(nq_bytes bytes) {
    uint8_t *copy = malloc(bytes.size + 1);
    if (copy == NULL) {
        abort();
    }
    if (bytes.size != 0) {
        memcpy(copy, bytes.data, bytes.size);
    }
    return nq_bytes_of(copy, bytes.size);
}

static void free_entry(reference_entry *entry) {
    free((void *)(uintptr_t)entry->key.data);
    free((void *)(uintptr_t)entry->value.data);
}

void reference_deinit(reference *map) {
    for (size_t i = 0; i < map->count; i++) {
        free_entry(&map->entries[i]);
    }
    free(map->entries);
    *map = (reference){0};
}

void reference_copy(const reference *source, reference *out_copy) {
    *out_copy = (reference){0};
    for (size_t i = 0; i < source->count; i++) {
        const reference_entry *entry = &source->entries[i];
        reference_put(out_copy, entry->tree, entry->key, entry->value);
    }
}

static int compare(const reference_entry *entry, uint32_t tree, nq_bytes key) {
    if (entry->tree != tree) {
        return entry->tree < tree ? -1 : 1;
    }
    return nq_bytes_compare(entry->key, key);
}

size_t reference_seek(const reference *map, uint32_t tree, nq_bytes key) {
    size_t low = 0;
    size_t high = map->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (compare(&map->entries[middle], tree, key) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static bool is_at(const reference *map, size_t at, uint32_t tree, nq_bytes key) {
    return at < map->count && compare(&map->entries[at], tree, key) == 0;
}

void reference_put(reference *map, uint32_t tree, nq_bytes key, nq_bytes value) {
    size_t at = reference_seek(map, tree, key);
    if (is_at(map, at, tree, key)) {
        free((void *)(uintptr_t)map->entries[at].value.data);
        map->entries[at].value = copy_bytes(value);
        return;
    }
    if (map->count == map->capacity) {
        map->capacity = map->capacity * 2 + 64;
        map->entries = realloc(map->entries, map->capacity * sizeof *map->entries);
        if (map->entries == NULL) {
            abort();
        }
    }
    memmove(map->entries + at + 1, map->entries + at, (map->count - at) * sizeof *map->entries);
    map->entries[at] = (reference_entry){tree, copy_bytes(key), copy_bytes(value)};
    map->count++;
}

bool reference_remove(reference *map, uint32_t tree, nq_bytes key) {
    size_t at = reference_seek(map, tree, key);
    if (!is_at(map, at, tree, key)) {
        return false;
    }
    free_entry(&map->entries[at]);
    map->count--;
    memmove(map->entries + at, map->entries + at + 1, (map->count - at) * sizeof *map->entries);
    return true;
}

void reference_remove_tree(reference *map, uint32_t tree) {
    size_t at = reference_seek(map, tree, (nq_bytes){0});
    while (at < map->count && map->entries[at].tree == tree) {
        reference_remove(map, tree, map->entries[at].key);
    }
}

nq_bytes reference_find(const reference *map, uint32_t tree, nq_bytes key) {
    size_t at = reference_seek(map, tree, key);
    return is_at(map, at, tree, key) ? map->entries[at].value : (nq_bytes){0};
}

/* Compares one direction of one tree, entries [from, to). */
static const char *compare_scan(const reference *map, nq_txn *txn, size_t from, size_t to,
                                bool is_reverse, nq_status *out_status) {
    static char words[400];
    nq_ctx ctx;
    nq_ctx_init(&ctx, NULL);
    uint32_t tree = map->entries[from].tree;
    nq_scan *scan;
    nq_scan_range range = {.is_reverse = is_reverse};
    *out_status = nq_scan_open(&ctx, txn, (nq_tree_id){tree}, &range, &scan);
    if (*out_status != NQ_OK) {
        snprintf(words, sizeof words, "tree %u: %s", tree, ctx.error.message);
        return words;
    }
    words[0] = 0;
    for (size_t i = 0; i <= to - from && words[0] == 0; i++) {
        nq_bytes key;
        nq_bytes value;
        *out_status = nq_scan_next(&ctx, scan, &key, &value);
        if (*out_status != NQ_OK) {
            snprintf(words, sizeof words, "tree %u: %s", tree, ctx.error.message);
        } else if (i == to - from) {
            if (key.data != NULL) {
                snprintf(words, sizeof words, "tree %u: more than %zu entries", tree, to - from);
            }
        } else {
            const reference_entry *e = &map->entries[is_reverse ? to - 1 - i : from + i];
            if (key.data == NULL || !nq_bytes_equal(key, e->key) ||
                !nq_bytes_equal(value, e->value)) {
                snprintf(words, sizeof words, "tree %u: entry %zu of %zu differs (reverse %d)",
                         tree, i, to - from, is_reverse);
            }
        }
    }
    nq_scan_close(scan);
    return words[0] == 0 ? NULL : words;
}

const char *reference_compare(const reference *map, nq_txn *txn, nq_status *out_status) {
    *out_status = NQ_OK;
    const char *difference = NULL;
    for (size_t from = 0; from < map->count && difference == NULL;) {
        size_t to = from;
        while (to < map->count && map->entries[to].tree == map->entries[from].tree) {
            to++;
        }
        difference = compare_scan(map, txn, from, to, false, out_status);
        if (difference == NULL) {
            difference = compare_scan(map, txn, from, to, true, out_status);
        }
        from = to;
    }
    return difference;
}
