/* Reference: what a store should hold, as the simplest thing that can be right — a sorted array.
 *
 * Used by the model test and the crash campaign. Every function aborts the program on lack of
 * memory. */
#ifndef NQ_TESTS_STORAGE_SUPPORT_REFERENCE_H
#define NQ_TESTS_STORAGE_SUPPORT_REFERENCE_H

#include "engine/ground/base/bytes.h"
#include "engine/storage/store/store.h"

typedef struct reference_entry {
    uint32_t tree;
    nq_bytes key; /* owned, as the value */
    nq_bytes value;
} reference_entry;

typedef struct reference {
    reference_entry *entries; /* by tree, then key */
    size_t count;
    size_t capacity;
} reference;

void reference_deinit(reference *map);
void reference_copy(const reference *source, reference *out_copy);
void reference_put(reference *map, uint32_t tree, nq_bytes key, nq_bytes value);
/* False: it was not there. */
bool reference_remove(reference *map, uint32_t tree, nq_bytes key);
void reference_remove_tree(reference *map, uint32_t tree);
/* data NULL: absent. */
nq_bytes reference_find(const reference *map, uint32_t tree, nq_bytes key);
/* The first entry at or after (tree, key); count at the end. */
size_t reference_seek(const reference *map, uint32_t tree, nq_bytes key);

/* NULL when the transaction's view of every tree the reference names is the reference, read both
 * ways; otherwise what differs (static storage). *out_status: of the read that failed, if one did.
 */
const char *reference_compare(const reference *map, nq_txn *txn, nq_status *out_status);

#endif
