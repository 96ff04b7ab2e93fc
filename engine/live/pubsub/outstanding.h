/* Outstanding: deliveries that were sent and not yet acknowledged. Ids are consecutive, so a ring
 * indexed by id says of each whether it is still open. */
#ifndef NQ_LIVE_PUBSUB_OUTSTANDING_H
#define NQ_LIVE_PUBSUB_OUTSTANDING_H

#include <stdbool.h>
#include <stdint.h>

typedef struct nq_outstanding {
    uint32_t *open_bytes; /* ring by id: bytes of an open delivery, 0 when done */
    uint32_t capacity;    /* power of two */
    uint64_t first_id;    /* the oldest that may be open */
    uint64_t end_id;      /* one past the newest */
    uint64_t message_count;
    uint64_t bytes;
} nq_outstanding;

/* `id` is one more than the last one added. False when memory is exhausted. */
bool nq_outstanding_add(nq_outstanding *self, uint64_t id, uint32_t bytes);
/* False when the id was never added or is done. */
bool nq_outstanding_remove(nq_outstanding *self, uint64_t id);
void nq_outstanding_remove_through(nq_outstanding *self, uint64_t id);
void nq_outstanding_deinit(nq_outstanding *self);

#endif
