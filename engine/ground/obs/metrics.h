/* Metrics: everything obs has measured, one sample at a time, for whoever exports it. */
#ifndef NQ_GROUND_OBS_METRICS_H
#define NQ_GROUND_OBS_METRICS_H

#include "engine/ground/obs/counter.h"

typedef enum nq_metric_kind {
    NQ_METRIC_COUNTER,
    NQ_METRIC_GAUGE,
    NQ_METRIC_HISTOGRAM,
} nq_metric_kind;

typedef enum nq_metric_unit {
    NQ_UNIT_OPERATIONS,
    NQ_UNIT_BYTES,
    NQ_UNIT_SECONDS, /* histograms: recorded in nanoseconds */
    NQ_UNIT_TASKS,
    NQ_UNIT_ROWS,
    NQ_UNIT_PAGES,
    NQ_UNIT_MESSAGES,
    NQ_UNIT_CALLS,
    NQ_UNIT_CONNECTIONS,
    NQ_UNIT_ITEMS,
} nq_metric_unit;

/* Texts are static; `histogram` is valid during the call that shows it. */
typedef struct nq_metric_sample {
    nq_metric_kind kind;
    nq_metric_unit unit;
    const char *name;
    const char *labels; /* Prometheus' form without braces; "" for none */
    const char *help;
    uint64_t count;                /* counters */
    int64_t level;                 /* gauges */
    const nq_histogram *histogram; /* histograms */
} nq_metric_sample;

/* Calls `visit` for every row of metrics.def: counters, then gauges, then histograms. */
void nq_metrics_visit(void (*visit)(void *user, const nq_metric_sample *sample), void *user);

/* "bytes", "seconds" … */
const char *nq_metric_unit_name(nq_metric_unit unit);

#endif
