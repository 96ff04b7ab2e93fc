/* Eviction policies on recorded requests: the whole table of hit ratios, and one line per goal.
 *
 *     NQ_CORPORA=DIR cache_traces
 *
 * DIR or DIR/traces holds the public traces (tests/engine/storage/cache/trace.c names them).
 * Without them only the made-up requests are run. Sizes are shares of a trace's distinct ids. */
#include <stdio.h>
#include <stdlib.h>

#include "tests/engine/storage/cache/simulate.h"

enum { COLUMNS = 7, OURS = 5, ZIPF_IDS = 100000, ZIPF_REQUESTS = 2000000 };

typedef struct column {
    const char *name;
    nq_cache_policy policy;
    uint64_t (*rival)(const trace *t, uint32_t capacity); /* NULL: one of the product's policies */
} column;

static const column columns[COLUMNS] = {
    {"LRU", NQ_CACHE_LRU, NULL},
    {"CLOCK", NQ_CACHE_CLOCK, NULL},
    {"2Q", 0, simulate_2q},
    {"ARC", 0, simulate_arc},
    {"S3-FIFO", NQ_CACHE_S3FIFO_PLAIN, NULL},
    {"ours", NQ_CACHE_S3FIFO, NULL},
    {"MIN", 0, simulate_min},
};
enum { LRU = 0, CLOCK = 1, ARC = 3, S3FIFO = 4 };

typedef struct totals {
    double sums[COLUMNS];
    double least_gain; /* of ours over S3-FIFO */
    uint32_t rows;
} totals;

static void run_row(const trace *t, const char *name, uint32_t percent, totals *all) {
    uint32_t capacity = (uint32_t)((uint64_t)t->id_count * percent / 100);
    double ratios[COLUMNS];
    printf("%-9s %3u%% %7u", name, percent, capacity);
    for (int c = 0; c < COLUMNS; c++) {
        uint64_t hits = columns[c].rival != NULL ? columns[c].rival(t, capacity)
                                                 : simulate(columns[c].policy, t, capacity);
        ratios[c] = simulate_percent(hits, t);
        all->sums[c] += ratios[c];
        printf(" %7.2f", ratios[c]);
    }
    double gain = ratios[OURS] - ratios[S3FIFO];
    printf("  %+.2f\n", gain);
    all->least_gain = all->rows == 0 || gain < all->least_gain ? gain : all->least_gain;
    all->rows++;
}

static void print_head(void) {
    printf("%-9s %4s %7s", "trace", "size", "slots");
    for (int c = 0; c < COLUMNS; c++) {
        printf(" %7s", columns[c].name);
    }
    printf("  ours - S3-FIFO\n");
}

static bool run_files(totals *all) {
    static const uint32_t percents[] = {1, 5, 10, 20};
    for (size_t i = 0; i < trace_file_count; i++) {
        trace t;
        if (!trace_load(&trace_files[i], &t)) {
            return false;
        }
        for (size_t p = 0; p < sizeof percents / sizeof percents[0]; p++) {
            run_row(&t, trace_files[i].name, percents[p], all);
        }
        trace_free(&t);
    }
    printf("%-22s", "mean");
    for (int c = 0; c < COLUMNS; c++) {
        printf(" %7.2f", all->sums[c] / all->rows);
    }
    printf("\n");
    return true;
}

/* In points of a hundred, where the gate is the least difference. */
static void print_goal(const char *name, double ours, double peer, double gate) {
    printf("BENCH %s ours=%.2f peer=%.2f difference=%+.2f gate=%+.2f %s\n", name, ours, peer,
           ours - peer, gate, ours - peer >= gate ? "ok" : "short");
}

int main(void) {
    totals all = {0};
    print_head();
    bool has_files = run_files(&all);
    totals zipf = {0};
    trace t = trace_zipf(ZIPF_IDS, 0.99, ZIPF_REQUESTS, 1);
    run_row(&t, "zipf-0.99", 10, &zipf);
    trace_free(&t);
    if (has_files) {
        print_goal("cache-worst-against-s3fifo", all.least_gain, 0, -0.3);
        print_goal("cache-mean-against-s3fifo", all.sums[OURS] / all.rows,
                   all.sums[S3FIFO] / all.rows, 0);
        print_goal("cache-mean-against-lru", all.sums[OURS] / all.rows, all.sums[LRU] / all.rows,
                   0);
        print_goal("cache-mean-against-clock", all.sums[OURS] / all.rows,
                   all.sums[CLOCK] / all.rows, 0);
        print_goal("cache-mean-against-arc", all.sums[OURS] / all.rows, all.sums[ARC] / all.rows,
                   0);
    } else {
        trace_say_missing();
    }
    print_goal("cache-zipf-against-lru", zipf.sums[OURS], zipf.sums[LRU], 2);
    return 0;
}
