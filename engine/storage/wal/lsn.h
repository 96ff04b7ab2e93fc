/* LSN: a position in the log, in bytes since the store was created. Grows with every commit. */
#ifndef NQ_STORAGE_WAL_LSN_H
#define NQ_STORAGE_WAL_LSN_H

#include <stdint.h>

typedef struct nq_lsn {
    uint64_t value;
} nq_lsn;

#endif
