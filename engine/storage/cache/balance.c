/* Balance: a decision every few hundred regrets. */
#include "engine/storage/cache/balance.h"

enum {
    EPOCH_REGRETS = 256,
    /* Reading a page costs so many times what unpacking it does: 60 µs against 2 on a fast disk,
     * far more on an SD card. */
    READ_PRICE = 32,
    STEPS = 32,     /* from nothing to all of the budget */
    HYSTERESIS = 2, /* times better, to be worth moving for */
};

static uint64_t floor_to_step(const nq_balance *balance, uint64_t bytes) {
    return bytes / balance->step_bytes * balance->step_bytes;
}

void nq_balance_init(nq_balance *balance, uint64_t total_bytes, uint64_t step_bytes) {
    *balance = (nq_balance){.total_bytes = total_bytes, .step_bytes = step_bytes};
}

void nq_balance_set_total(nq_balance *balance, uint64_t total_bytes) {
    uint64_t shelf_max = floor_to_step(balance, nq_balance_shelf_bytes_max(total_bytes));
    balance->total_bytes = total_bytes;
    balance->shelf_bytes = balance->shelf_bytes < shelf_max ? balance->shelf_bytes : shelf_max;
}

/* How much the next byte would have saved, were it the shelf's, and were it the pages'. What has
 * gone is remembered for about as long again as it had stayed: so many bytes more would have kept
 * all of it. */
static void compare(const nq_balance *balance, double *out_shelf, double *out_pages) {
    double page_bytes = (double)(balance->total_bytes - balance->shelf_bytes);
    double shelf_bytes = (double)balance->shelf_bytes;
    /* A small shelf's regrets are remembered by the pages' order, twice as long as images take. */
    shelf_bytes = shelf_bytes > page_bytes / 2 ? shelf_bytes : page_bytes / 2;
    *out_shelf = READ_PRICE * (double)balance->shelf_regrets / shelf_bytes;
    *out_pages = (double)balance->page_regrets / page_bytes;
}

bool nq_balance_regret(nq_balance *balance, bool was_on_shelf) {
    *(was_on_shelf ? &balance->page_regrets : &balance->shelf_regrets) += 1;
    if (balance->page_regrets + balance->shelf_regrets < EPOCH_REGRETS) {
        return false;
    }
    double shelf;
    double pages;
    compare(balance, &shelf, &pages);
    balance->page_regrets = 0;
    balance->shelf_regrets = 0;
    uint64_t before = balance->shelf_bytes;
    uint64_t most = floor_to_step(balance, nq_balance_shelf_bytes_max(balance->total_bytes));
    uint64_t move = floor_to_step(balance, balance->total_bytes / STEPS);
    move = move != 0 ? move : balance->step_bytes;
    if (shelf > HYSTERESIS * pages) {
        balance->shelf_bytes = before + move < most ? before + move : most;
    } else if (pages > HYSTERESIS * shelf) {
        balance->shelf_bytes = before > move ? before - move : 0;
    }
    return balance->shelf_bytes != before;
}
