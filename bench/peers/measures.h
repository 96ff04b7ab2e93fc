/* Measures: what was found, from one phase's child process to the figures of the report.
 *
 * findings live in memory that a child shares with the driver, so that what it had measured
 * survives its death. The driver adds them to the measures, and to a file of one line each:
 *
 *     engine <TAB> phase <TAB> repetition <TAB> metric <TAB> value
 */
#ifndef NQ_BENCH_PEERS_MEASURES_H
#define NQ_BENCH_PEERS_MEASURES_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

typedef enum bench_metric {
#define METRIC(name, unit, pick) METRIC_##name,
#include "bench/peers/metrics.def"
#undef METRIC
    METRIC_COUNT
} bench_metric;

typedef struct bench_findings {
    double values[METRIC_COUNT];
    bool is_known[METRIC_COUNT];
    _Atomic uint64_t acknowledged; /* rows whose commit has returned */
} bench_findings;

static inline void findings_set(bench_findings *findings, bench_metric metric, double value) {
    findings->values[metric] = value;
    findings->is_known[metric] = true;
}

typedef struct bench_measures bench_measures;

/* Goes on from the lines of the file at `path`, which is created if missing and appended to. */
bench_measures *measures_open(const char *path);
void measures_close(bench_measures *measures);

void measures_add(bench_measures *measures, const char *engine, const char *phase,
                  uint32_t repetition, const bench_findings *findings);

/* The figure of all repetitions; false: never measured. */
bool measures_find(const bench_measures *measures, const char *engine, const char *phase,
                   bench_metric metric, bool uses_medians, double *out_value);

const char *metric_unit(bench_metric metric);

#endif
