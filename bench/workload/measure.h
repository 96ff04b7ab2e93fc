/* Measure: what the parts of the smoke bench share — a clock, medians, the lines they end in. */
#ifndef NQ_BENCH_WORKLOAD_MEASURE_H
#define NQ_BENCH_WORKLOAD_MEASURE_H

#include <stddef.h>
#include <stdint.h>

#include "sdk/c/nq.h"

enum { ROUNDS = 5 };

/* One row of the data set. */
typedef struct reading {
    const char *series;
    int64_t time_us;
    double value;
} reading;

typedef struct data_set {
    reading *rows;
    size_t count;
} data_set;

double seconds_now(void);
double median(double *values, size_t count);

/* Prints "BENCH name ours=… peer=… ratio=… gate=… ok|short" for rates, where more is better. */
void bench_line(const char *name, double ours, double peer, double ratio_gate);

/* Ends the program with the failure's words. */
void die(const char *what, const char *why) __attribute__((noreturn));
void check(nq_code code, const char *what, const nq_failure *failure);

/* rows.c: import, aggregate, stream. */
void bench_rows(nq_client *client, const data_set *data, const char *sqlite_path);
/* fanout.c */
void bench_fanout(const char *server, int redis_port);
void bench_stalled(const char *server);

#endif
