/* Balance: decisions, each after a quarter as many regrets as there is room for pages. */
#include "engine/storage/cache/balance.h"

enum {
    PAGE_BYTES = 8192,
    EPOCH_SHARE = 4, /* regrets between decisions, as a part of the pages there is room for, */
    EPOCH_REGRETS_MIN = 128,
    /* Reading a page costs so many times what unpacking it does: 60 µs against 2 on a fast disk,
     * far more on an SD card. */
    READ_PRICE = 32,
    MOVE_SHARE = 16, /* the largest move, as a part of the total */
    HYSTERESIS = 2,  /* times better, to be worth moving for */
};

static uint64_t floor_to_step(const nq_balance *balance, uint64_t bytes) {
    return bytes / balance->step_bytes * balance->step_bytes;
}

void nq_balance_init(nq_balance *balance, uint64_t total_bytes, uint64_t step_bytes) {
    *balance = (nq_balance){.total_bytes = total_bytes,
                            .step_bytes = step_bytes,
                            .move_bytes = total_bytes,
                            .is_moving_to_shelf = true};
}

static uint64_t shelf_max(const nq_balance *balance) {
    return floor_to_step(balance, nq_balance_shelf_bytes_max(balance->total_bytes));
}

void nq_balance_set_total(nq_balance *balance, uint64_t total_bytes) {
    balance->total_bytes = total_bytes;
    uint64_t most = shelf_max(balance);
    balance->shelf_bytes = balance->shelf_bytes < most ? balance->shelf_bytes : most;
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

static bool move(nq_balance *balance, bool is_to_shelf) {
    uint64_t most = floor_to_step(balance, balance->total_bytes / MOVE_SHARE);
    uint64_t by = balance->move_bytes;
    by = is_to_shelf == balance->is_moving_to_shelf ? 2 * by : floor_to_step(balance, by / 2);
    by = by < most ? by : most;
    by = by > balance->step_bytes ? by : balance->step_bytes;
    balance->move_bytes = by;
    balance->is_moving_to_shelf = is_to_shelf;
    uint64_t before = balance->shelf_bytes;
    if (is_to_shelf) {
        balance->shelf_bytes = before + by < shelf_max(balance) ? before + by : shelf_max(balance);
    } else {
        balance->shelf_bytes = before > by ? before - by : 0;
    }
    return balance->shelf_bytes != before;
}

static uint64_t epoch_regrets(const nq_balance *balance) {
    uint64_t regrets = balance->total_bytes / PAGE_BYTES / EPOCH_SHARE;
    return regrets > EPOCH_REGRETS_MIN ? regrets : EPOCH_REGRETS_MIN;
}

bool nq_balance_regret(nq_balance *balance, bool was_on_shelf) {
    *(was_on_shelf ? &balance->page_regrets : &balance->shelf_regrets) += 1;
    if (balance->page_regrets + balance->shelf_regrets < epoch_regrets(balance)) {
        return false;
    }
    double shelf;
    double pages;
    compare(balance, &shelf, &pages);
    balance->page_regrets = 0;
    balance->shelf_regrets = 0;
    balance->has_weighed = true;
    if (shelf > HYSTERESIS * pages) {
        return move(balance, true);
    }
    return pages > HYSTERESIS * shelf && move(balance, false);
}

bool nq_balance_overflow(nq_balance *balance) {
    uint64_t next = balance->shelf_bytes + balance->step_bytes;
    /* Reading a step's worth of pages makes the shelf a step larger. */
    if (balance->has_weighed || next > balance->total_bytes / 2 ||
        ++balance->overflows * (uint64_t)PAGE_BYTES < balance->step_bytes) {
        return false;
    }
    balance->overflows = 0;
    balance->shelf_bytes = next;
    return true;
}
