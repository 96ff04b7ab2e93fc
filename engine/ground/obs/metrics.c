/* Metrics: metrics.def as arrays, and the walk over them. */
#include "engine/ground/obs/metrics.h"

typedef struct metric_row {
    const char *name;
    const char *labels;
    const char *help;
    nq_metric_unit unit;
} metric_row;

/* One more than there are, since C has no empty array. */
static const metric_row COUNTERS[NQ_COUNTER_COUNT + 1] = {
#define NQ_COUNTER(id, name, labels, unit, help) {name, labels, help, NQ_UNIT_##unit},
#include "engine/ground/obs/metrics.def"
};

static const metric_row GAUGES[NQ_GAUGE_COUNT + 1] = {
#define NQ_GAUGE(id, name, labels, unit, help) {name, labels, help, NQ_UNIT_##unit},
#include "engine/ground/obs/metrics.def"
};

static const metric_row HISTOGRAMS[NQ_HISTOGRAM_COUNT + 1] = {
#define NQ_HISTOGRAM(id, name, labels, unit, help) {name, labels, help, NQ_UNIT_##unit},
#include "engine/ground/obs/metrics.def"
};

static nq_metric_sample sample_of(nq_metric_kind kind, const metric_row *row) {
    return (nq_metric_sample){
        .kind = kind,
        .unit = row->unit,
        .name = row->name,
        .labels = row->labels,
        .help = row->help,
    };
}

void nq_metrics_visit(void (*visit)(void *user, const nq_metric_sample *sample), void *user) {
    for (uint32_t i = 0; i < NQ_COUNTER_COUNT; i++) {
        nq_metric_sample sample = sample_of(NQ_METRIC_COUNTER, &COUNTERS[i]);
        sample.count = nq_counter_read((nq_counter)i);
        visit(user, &sample);
    }
    for (uint32_t i = 0; i < NQ_GAUGE_COUNT; i++) {
        nq_metric_sample sample = sample_of(NQ_METRIC_GAUGE, &GAUGES[i]);
        sample.level = nq_gauge_read((nq_gauge)i);
        visit(user, &sample);
    }
    for (uint32_t i = 0; i < NQ_HISTOGRAM_COUNT; i++) {
        nq_metric_sample sample = sample_of(NQ_METRIC_HISTOGRAM, &HISTOGRAMS[i]);
        nq_histogram histogram;
        nq_histogram_read((nq_histogram_id)i, &histogram);
        sample.histogram = &histogram;
        visit(user, &sample);
    }
}

const char *nq_metric_unit_name(nq_metric_unit unit) {
    static const char *const NAMES[] = {
        [NQ_UNIT_OPERATIONS] = "operations",
        [NQ_UNIT_BYTES] = "bytes",
        [NQ_UNIT_SECONDS] = "seconds",
        [NQ_UNIT_TASKS] = "tasks",
        [NQ_UNIT_ROWS] = "rows",
        [NQ_UNIT_PAGES] = "pages",
        [NQ_UNIT_MESSAGES] = "messages",
        [NQ_UNIT_CALLS] = "calls",
        [NQ_UNIT_CONNECTIONS] = "connections",
        [NQ_UNIT_ITEMS] = "items",
    };
    return NAMES[unit];
}
