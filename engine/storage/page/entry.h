/* Entry: a key and what stands under it, both borrowed. */
#ifndef NQ_STORAGE_PAGE_ENTRY_H
#define NQ_STORAGE_PAGE_ENTRY_H

#include "engine/ground/base/bytes.h"

typedef struct nq_entry {
    nq_bytes key;
    nq_bytes value;
} nq_entry;

#endif
