/* Balance: how much of one budget goes to pages ready for use and how much to compressed images.
 *
 * A page that is missed not long after it went is a regret. Read from disk, it says that a larger
 * shelf would have had it; unpacked from the shelf, that more room for pages would have. Per byte,
 * a regret counts by what it cost, and the border moves to where the next byte saves more — as ARC
 * moves its target (Megiddo and Modha, FAST 2003), with two prices. Without regrets it stays: a
 * working set that fits never pays for unpacking. A decision waits until the last one shows; a move
 * back goes half as far, so that the border comes to rest.
 *
 * Until the first regrets have been weighed, pages that are read although memory is full move the
 * border towards the middle: the shelf fills while it is not known yet what will be asked for.
 *
 * Plain numbers; the caller's lock. */
#ifndef NQ_STORAGE_CACHE_BALANCE_H
#define NQ_STORAGE_CACHE_BALANCE_H

#include <stdbool.h>
#include <stdint.h>

typedef struct nq_balance {
    uint64_t total_bytes;
    uint64_t shelf_bytes; /* of the total; in steps */
    uint64_t step_bytes;
    uint64_t move_bytes;     /* how far the border goes next */
    bool is_moving_to_shelf; /* where it went last */
    bool has_weighed;
    uint32_t page_regrets;
    uint32_t shelf_regrets;
    uint32_t overflows;
} nq_balance;

/* At most this part of the total goes to the shelf: three quarters. */
static inline uint64_t nq_balance_shelf_bytes_max(uint64_t total_bytes) {
    return total_bytes / 4 * 3;
}

/* Everything to pages. `step_bytes` divides what the shelf gets. */
void nq_balance_init(nq_balance *balance, uint64_t total_bytes, uint64_t step_bytes);

/* The total has changed; the shelf keeps its share as far as it is allowed to. */
void nq_balance_set_total(nq_balance *balance, uint64_t total_bytes);

/* A page was missed that went not long ago. True: the border has moved. */
bool nq_balance_regret(nq_balance *balance, bool was_on_shelf);

/* A page was read while memory was full. True: the border has moved. */
bool nq_balance_overflow(nq_balance *balance);

#endif
