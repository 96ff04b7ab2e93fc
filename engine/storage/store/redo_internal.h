/* Redo: committed changes on their way from the log into the trees, many commits at a time.
 *
 * Commits are gathered as they are read, until they fill `bytes_max`; then their changes are sorted
 * and go into the trees in key order, as one version. */
#ifndef NQ_STORAGE_STORE_REDO_INTERNAL_H
#define NQ_STORAGE_STORE_REDO_INTERNAL_H

#include "engine/ground/base/arena.h"
#include "engine/storage/store/store_internal.h"

/* A change of a tree or of one of its keys. */
typedef struct nq_redo_change {
    uint64_t head;        /* the first bytes of the key, to be compared as a number */
    const uint8_t *bytes; /* the key, then the value */
    uint32_t value_bytes;
    uint32_t tree;
    uint32_t sequence; /* its place in the log */
    uint16_t key_bytes;
    uint8_t kind; /* nq_record_kind */
} nq_redo_change;

/* Those in log order from `committed_count` on are of a commit that is still being read. */
typedef struct nq_redo {
    nq_store *store;
    uint64_t bytes_max;     /* of commits gathered, and again of one that is being read */
    uint64_t bytes_charged; /* to the cache */
    nq_arena arena;         /* what the changes and requests point to */
    nq_redo_change *changes;
    uint32_t count, count_max;
    uint32_t committed_count;
    nq_log_record *requests; /* the commits that carried one, in log order */
    uint32_t request_count, request_count_max;
    uint64_t committed_bytes, open_bytes;
    nq_arena_mark committed_mark;
    uint64_t commit_count; /* gathered */
    bool is_sorted;        /* are the committed changes */
    uint64_t generation;   /* of the newest commit seen */
    nq_lsn end;            /* behind it */
    nq_apply apply;        /* begun: holds the first part of a commit too long to be gathered */
} nq_redo;

void nq__redo_init(nq_redo *redo, nq_store *store);

/* Forgets what is not in the trees yet, and holds nothing more. */
void nq__redo_deinit(nq_redo *redo);

/* Gathers the next change of the log; copies what it borrows. */
nq_status nq__redo_add(nq_ctx *ctx, nq_redo *redo, const nq_log_record *record);

/* The changes since the last commit happened, in the commit of this record, which ends at `end`. */
nq_status nq__redo_commit(nq_ctx *ctx, nq_redo *redo, const nq_log_record *record, nq_lsn end);

/* They never happened. */
void nq__redo_forget_open(nq_redo *redo);

/* Whether there are any. */
bool nq__redo_has_open(const nq_redo *redo);

/* Everything committed goes into the trees, and is published; what was gathered stays. */
nq_status nq__redo_install(nq_ctx *ctx, nq_redo *redo);

/* Sorts what is committed: for nq__redo_find, and for nq__redo_install, which does it otherwise. */
nq_status nq__redo_sort_gathered(nq_ctx *ctx, nq_redo *redo);

/* ---- redo_sort.c ---- */

/* Sorts by tree: first what happened to the tree itself, as it happened, then what happened to its
 * keys, by key and what happened later behind. `scratch` has room for half of them. */
void nq__redo_sort(nq_redo_change *changes, uint32_t count, nq_redo_change *scratch);

/* ---- redo_find.c: among the changes that are committed, once they are sorted ---- */

/* Whether the tree itself was made or dropped by any of them. */
bool nq__redo_has_tree(const nq_redo *redo, uint32_t tree);

/* The last change of a key; NULL: there is none. */
const nq_redo_change *nq__redo_find(const nq_redo *redo, uint32_t tree, nq_bytes key);

/* Walks the keys of a tree by the last change of each: to the first one >= `key` (NULL data: of
 * all); to the last one < `key` (NULL data: of all); and on from a change where it stands. */
uint32_t nq__redo_seek(const nq_redo *redo, uint32_t tree, nq_bytes key);
uint32_t nq__redo_seek_before(const nq_redo *redo, uint32_t tree, nq_bytes key);
uint32_t nq__redo_next(const nq_redo *redo, uint32_t at);
uint32_t nq__redo_previous(const nq_redo *redo, uint32_t at);

/* Where the walk stands; NULL: beyond the tree's keys. */
const nq_redo_change *nq__redo_at(const nq_redo *redo, uint32_t tree, uint32_t at);

static inline bool nq__redo_is_of_key(const nq_redo_change *change) {
    return change->kind == NQ_RECORD_PUT || change->kind == NQ_RECORD_REMOVE;
}

static inline nq_bytes nq__redo_key(const nq_redo_change *change) {
    return nq_bytes_of(change->bytes, change->key_bytes);
}

static inline nq_bytes nq__redo_value(const nq_redo_change *change) {
    return nq_bytes_of(change->bytes + change->key_bytes, change->value_bytes);
}

/* The first bytes of a key as a number that orders likewise. */
static inline uint64_t nq__redo_head(nq_bytes key) {
    uint8_t head[sizeof(uint64_t)] = {0};
    if (key.size != 0) {
        memcpy(head, key.data, key.size < sizeof head ? key.size : sizeof head);
    }
    uint64_t big_endian;
    memcpy(&big_endian, head, sizeof big_endian);
    return __builtin_bswap64(big_endian);
}

#endif
