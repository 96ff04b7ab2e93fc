/* Report: the measures as tables, and the verdict on each goal. */
#ifndef NQ_BENCH_PEERS_REPORT_H
#define NQ_BENCH_PEERS_REPORT_H

#include "bench/peers/measures.h"

/* A Markdown table of every figure that was measured, engines side by side; in brackets what ours
 * is as a multiple of theirs. */
void report_figures(const bench_measures *measures, bool uses_medians);

/* A Markdown table of the goals of which both sides were measured. */
void report_goals(const bench_measures *measures, bool uses_medians);

/* One line for each of those goals:
 *
 *     BENCH name ours=… peer=… ratio=… gate=… ok|short
 */
void report_bench_lines(const bench_measures *measures, bool uses_medians);

#endif
