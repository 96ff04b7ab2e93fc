/* Read-ahead: the leaves that sorted changes of a tree will meet, brought into the cache by threads
 * beside the one that applies them. */
#ifndef NQ_STORAGE_STORE_READ_AHEAD_INTERNAL_H
#define NQ_STORAGE_STORE_READ_AHEAD_INTERNAL_H

#include "engine/storage/store/redo_internal.h"

typedef struct nq_read_ahead nq_read_ahead;

/* Begins reading for `changes`, of keys in ascending order, which are borrowed until the end of
 * this call, and `tree`, whose pages stay until nq__read_ahead_end. *out_ahead is NULL where
 * threads are not wanted, or not worth it. */
nq_status nq__read_ahead_start(nq_ctx *ctx, nq_store *store, const nq_tree *tree,
                               const nq_redo_change *changes, uint32_t count,
                               nq_read_ahead **out_ahead);

/* Before a change is applied, in ascending order: returns when its leaf has been read. NULL is
 * allowed here and in the next. */
void nq__read_ahead_reach(nq_read_ahead *ahead, uint32_t change);

void nq__read_ahead_end(nq_read_ahead *ahead);

#endif
