/* Gap: what one subscriber lost, by channel, until it has been told. Counts are exact.
 *
 * A list of gaps belongs to a place in a subscriber's queue: everything in it lies before the
 * message behind that place. Losses of one channel at one place are one gap. */
#ifndef NQ_LIVE_PUBSUB_GAP_H
#define NQ_LIVE_PUBSUB_GAP_H

#include <stdbool.h>
#include <stdint.h>

typedef enum nq_gap_reason {
    NQ_GAP_DROP_OLDEST,
    NQ_GAP_DROP_NEWEST,
    NQ_GAP_DROP_ALL,
    NQ_GAP_CONFLATE,
    NQ_GAP_HISTORY_TRIMMED,
} nq_gap_reason;

typedef struct nq_gap {
    uint32_t channel_number;
    nq_gap_reason reason; /* of the first loss */
    uint64_t first_sequence;
    uint64_t last_sequence;
    uint64_t count;
} nq_gap;

typedef struct nq_gap_list {
    nq_gap *gaps;
    uint32_t count;
    uint32_t capacity;
} nq_gap_list;

/* Adds a loss, merging it with the channel's gap. False when memory is exhausted: nothing changed.
 */
bool nq_gap_list_add(nq_gap_list *list, const nq_gap *loss);
/* Moves everything of `source` behind `target`'s; on false some remain in `source`, none is lost.
 */
bool nq_gap_list_move(nq_gap_list *target, nq_gap_list *source);
void nq_gap_list_clear(nq_gap_list *list);

#endif
