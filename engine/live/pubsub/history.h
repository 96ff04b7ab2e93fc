/* History: a channel's latest messages, bounded by count, bytes and age. The channel's lock covers
 * it. */
#ifndef NQ_LIVE_PUBSUB_HISTORY_H
#define NQ_LIVE_PUBSUB_HISTORY_H

#include "engine/live/pubsub/message.h"

typedef struct nq_history {
    nq_message **messages; /* ring, sequences consecutive */
    uint32_t capacity;     /* power of two */
    uint32_t head;
    uint32_t count;
    uint64_t bytes;
} nq_history;

typedef struct nq_history_limits {
    uint64_t messages_max; /* 0: keep nothing */
    uint64_t bytes_max;
    int64_t ttl_us; /* 0: no limit of age */
} nq_history_limits;

/* Takes a reference, then trims. False when memory is exhausted: the message is not kept. */
bool nq_history_append(nq_history *history, nq_message *message, const nq_history_limits *limits);
void nq_history_trim(nq_history *history, const nq_history_limits *limits, int64_t now_us);
void nq_history_clear(nq_history *history);

/* The oldest number kept, 0 when nothing is. */
uint64_t nq_history_first(const nq_history *history);
/* The message of a number, NULL when it is not kept. Borrowed. */
nq_message *nq_history_find(const nq_history *history, uint64_t sequence);
/* The first number kept that was published at or after `time_us`; 0 when none was. */
uint64_t nq_history_find_time(const nq_history *history, int64_t time_us);

#endif
