/* Write set: a transaction's own changes in key order — a skip list (Pugh, CACM 1990) in an arena.
 * Keys that come in order are appended through the last node of each level,
 * without a search. Nodes are never removed: rolling back makes them NONE, so a scan may stand on
 * one across writes. */
#include "engine/storage/store/txn_internal.h"

static int compare(const nq_write *write, uint32_t tree, nq_bytes key) {
    if (write->lock.tree != tree) {
        return write->lock.tree < tree ? -1 : 1;
    }
    return nq_bytes_compare(write->lock.key, key);
}

static nq_write *make(nq_arena *arena, uint32_t height, size_t key_bytes) {
    size_t links = height * sizeof(nq_write *);
    nq_write *write = nq_arena_alloc(arena, sizeof *write + links + key_bytes);
    if (write != NULL) {
        memset(write, 0, sizeof *write + links);
        write->lock.key = nq_bytes_of((uint8_t *)write + sizeof *write + links, key_bytes);
    }
    return write;
}

nq_status nq__write_set_init(nq_ctx *ctx, nq_write_set *set, nq_arena *arena,
                             nq_arena *undo_arena) {
    set->arena = arena;
    set->undo_arena = undo_arena;
    set->undo = NULL;
    set->seed = 0x9e3779b97f4a7c15u;
    set->head = make(arena, NQ__WRITE_HEIGHT_MAX, 0);
    if (set->head == NULL) {
        return nq_fail_no_memory(ctx, "a transaction's writes");
    }
    for (uint32_t level = 0; level < NQ__WRITE_HEIGHT_MAX; level++) {
        set->tails[level] = set->head;
    }
    return NQ_OK;
}

/* The last node before (tree, key), and on every level if `path` is asked for. */
static nq_write *find_before(const nq_write_set *set, uint32_t tree, nq_bytes key,
                             nq_write **path) {
    nq_write *at = set->head;
    for (uint32_t level = NQ__WRITE_HEIGHT_MAX; level-- > 0;) {
        while (at->next[level] != NULL && compare(at->next[level], tree, key) < 0) {
            at = at->next[level];
        }
        if (path != NULL) {
            path[level] = at;
        }
    }
    return at;
}

static bool is_behind_all(const nq_write_set *set, uint32_t tree, nq_bytes key) {
    return set->tails[0] == set->head || compare(set->tails[0], tree, key) < 0;
}

nq_write *nq__write_set_seek(const nq_write_set *set, uint32_t tree, nq_bytes key) {
    if (set->head == NULL || is_behind_all(set, tree, key)) {
        return NULL;
    }
    return find_before(set, tree, key, NULL)->next[0];
}

nq_write *nq__write_set_seek_before(const nq_write_set *set, uint32_t tree, nq_bytes key) {
    if (set->head == NULL) {
        return NULL;
    }
    nq_write *write =
        is_behind_all(set, tree, key) ? set->tails[0] : find_before(set, tree, key, NULL);
    return write == set->head ? NULL : write;
}

nq_write *nq__write_set_find(const nq_write_set *set, uint32_t tree, nq_bytes key) {
    nq_write *write = nq__write_set_seek(set, tree, key);
    return write != NULL && compare(write, tree, key) == 0 ? write : NULL;
}

nq_write *nq__write_set_first(const nq_write_set *set) {
    return set->head == NULL ? NULL : set->head->next[0];
}

/* One node in four is of two levels or more, and so on. */
static uint32_t random_height(nq_write_set *set) {
    set->seed ^= set->seed << 13;
    set->seed ^= set->seed >> 7;
    set->seed ^= set->seed << 17;
    uint32_t height = 1 + (uint32_t)__builtin_ctzll(set->seed | (UINT64_C(1) << 40)) / 2;
    return height < NQ__WRITE_HEIGHT_MAX ? height : NQ__WRITE_HEIGHT_MAX;
}

nq_write *nq__write_set_add(nq_write_set *set, uint32_t tree, nq_bytes key) {
    nq_write *path[NQ__WRITE_HEIGHT_MAX];
    if (is_behind_all(set, tree, key)) {
        memcpy(path, set->tails, sizeof path);
    } else {
        nq_write *found = find_before(set, tree, key, path)->next[0];
        if (found != NULL && compare(found, tree, key) == 0) {
            return found;
        }
    }
    uint32_t height = random_height(set);
    nq_write *write = make(set->arena, height, key.size);
    if (write == NULL) {
        return NULL;
    }
    write->lock.tree = tree;
    if (key.size != 0) {
        memcpy((uint8_t *)(uintptr_t)write->lock.key.data, key.data, key.size);
    }
    write->previous = path[0] == set->head ? NULL : path[0];
    if (path[0]->next[0] != NULL) {
        path[0]->next[0]->previous = write;
    }
    for (uint32_t level = 0; level < height; level++) {
        write->next[level] = path[level]->next[level];
        path[level]->next[level] = write;
        if (write->next[level] == NULL) {
            set->tails[level] = write;
        }
    }
    return write;
}

bool nq__write_set_change(nq_write_set *set, nq_write *write, nq_write_kind kind, nq_bytes value,
                          uint64_t undo_number) {
    nq_bytes copy = nq_arena_copy(set->arena, value);
    if (copy.data == NULL) {
        return false;
    }
    if (undo_number != 0) {
        nq_undo *undo = nq_arena_alloc(set->undo_arena, sizeof *undo);
        if (undo == NULL) {
            return false;
        }
        *undo = (nq_undo){set->undo, undo_number, write, write->kind, write->value};
        set->undo = undo;
    }
    write->kind = kind;
    write->value = copy;
    return true;
}

void nq__write_set_undo(nq_write_set *set, uint64_t undo_number) {
    while (set->undo != NULL && set->undo->number > undo_number) {
        const nq_undo *undo = set->undo;
        undo->write->kind = undo->kind;
        undo->write->value = undo->value;
        set->undo = undo->older;
    }
}
