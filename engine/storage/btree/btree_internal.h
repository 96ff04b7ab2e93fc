/* What the writer's files share. */
#ifndef NQ_STORAGE_BTREE_BTREE_INTERNAL_H
#define NQ_STORAGE_BTREE_BTREE_INTERNAL_H

#include "engine/storage/btree/btree.h"

/* A new page of the writer's generation, pinned and counted. */
nq_status nq__btree_page_new(nq_ctx *ctx, nq_btree_writer *writer, nq_page_kind kind,
                             nq_pin *out_pin);

/* Unpins the page and gives it back; it is counted no more. Clears *pin even when it fails. */
nq_status nq__btree_page_drop(nq_ctx *ctx, nq_btree_writer *writer, nq_pin *pin);

/* Makes pins[level] a page of the writer's generation, copying it if need be; everything above it
 * on the path already is. */
nq_status nq__btree_own(nq_ctx *ctx, nq_btree_writer *writer, uint32_t level);

/* Inserts into pins[level], splitting it and its parents as needed. `payload` of an inner node is
 * the child right of `key`. May lose the place. */
nq_status nq__btree_insert_at(nq_ctx *ctx, nq_btree_writer *writer, uint32_t level, uint16_t slot,
                              nq_bytes key, nq_bytes payload, bool is_overflow);

/* Merges pins[level] with a neighbour, or drops it, if it has become too empty; then its parent. */
nq_status nq__btree_shrink(nq_ctx *ctx, nq_btree_writer *writer, uint32_t level);

/* Fills an overflow page with the piece of a long value that ends at *end, and moves that to its
 * start; `next` holds the piece behind it. */
void nq__btree_overflow_fill(nq_page *page, nq_bytes value, size_t *end, nq_page_ref next);

/* Writes a long value; *out_ref goes into the leaf. */
nq_status nq__btree_overflow_write(nq_ctx *ctx, nq_btree_writer *writer, nq_bytes value,
                                   nq_overflow_ref *out_ref);
nq_status nq__btree_overflow_drop(nq_ctx *ctx, nq_pool *pool, const nq_page_source *source,
                                  nq_tree *tree, nq_overflow_ref ref);

/* From a cursor's leaf, pinned, to the next that has an entry, or behind the last. */
nq_status nq__btree_cursor_next_leaf(nq_ctx *ctx, nq_btree_cursor *cursor);

/* Forgets the path. */
void nq__btree_unplace(nq_btree_writer *writer);

#endif
