/* Dedup: the message ids a channel has seen within its window, so that a retried publish is
 * recognised. Bounded: when full, the oldest id is forgotten. The channel's lock covers it. */
#ifndef NQ_LIVE_PUBSUB_DEDUP_H
#define NQ_LIVE_PUBSUB_DEDUP_H

#include "engine/ground/base/bytes.h"

enum { NQ_MESSAGE_ID_BYTES_MAX = 64, NQ_DEDUP_IDS_MAX = 8192 };

typedef struct nq_dedup_entry {
    int64_t time_us;
    uint64_t sequence;
    uint32_t next; /* in its bucket, 1 + index; 0: none */
    uint8_t size;
    uint8_t id[NQ_MESSAGE_ID_BYTES_MAX];
} nq_dedup_entry;

typedef struct nq_dedup {
    nq_dedup_entry *entries; /* ring of NQ_DEDUP_IDS_MAX, by age */
    uint32_t *buckets;
    uint32_t head;
    uint32_t count;
} nq_dedup;

/* The number the id was published under since `now_us - window_us`, or 0. */
uint64_t nq_dedup_find(nq_dedup *dedup, nq_bytes id, int64_t now_us, int64_t window_us);
/* False when memory is exhausted: the id is not remembered. */
bool nq_dedup_add(nq_dedup *dedup, nq_bytes id, uint64_t sequence, int64_t now_us);
void nq_dedup_clear(nq_dedup *dedup);

#endif
