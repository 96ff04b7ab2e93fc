/* Report: goals.def and figures.def filled in. */
#include "bench/peers/report.h"

#include <math.h>
#include <stdio.h>

#include "bench/peers/backend.h"

typedef enum comparison {
    AT_LEAST,
    AT_MOST,
} comparison;

typedef struct bench_goal {
    int number;
    const char *name;
    const char *phase;
    bench_metric metric;
    const char *peer; /* NULL: the gate is a figure, not a ratio */
    const char *peer_phase;
    comparison comparison;
    double gate;
    double stretch;
} bench_goal;

static const bench_goal goals[] = {
#define GOAL(number, name, phase, metric, peer, peer_phase, comparison, gate, stretch) \
    {number, #name, #phase, METRIC_##metric, peer, #peer_phase, comparison, gate, stretch},
#define GOAL_FIXED(number, name, phase, metric, comparison, gate, stretch) \
    {number, #name, #phase, METRIC_##metric, NULL, NULL, comparison, gate, stretch},
#include "bench/peers/goals.def"
#undef GOAL
#undef GOAL_FIXED
};

static const struct {
    const char *title;
    const char *phase;
    bench_metric metric;
} figures[] = {
#define FIGURE(title, phase, metric) {title, #phase, METRIC_##metric},
#include "bench/peers/figures.def"
#undef FIGURE
};

enum {
    GOAL_COUNT = sizeof(goals) / sizeof(goals[0]),
    FIGURE_COUNT = sizeof(figures) / sizeof(figures[0]),
    FIGURE_BYTES = 32,
};

typedef struct bench_verdict {
    double ours;
    double peer;
    double ratio;
    double gate; /* for the ratio */
    double stretch;
    bool is_ok;
} bench_verdict;

static double ratio_of(double ours, double peer) {
    return ours == peer ? 1 : ours / peer;
}

/* False when a side was not measured. */
static bool judge(const bench_measures *measures, bool uses_medians, const bench_goal *goal,
                  bench_verdict *out_verdict) {
    bench_verdict verdict = {.peer = goal->gate, .gate = goal->gate, .stretch = goal->stretch};
    if (!measures_find(measures, backend_ours.name, goal->phase, goal->metric, uses_medians,
                       &verdict.ours)) {
        return false;
    }
    if (goal->peer == NULL) {
        verdict.gate = 1;
        verdict.stretch = ratio_of(goal->stretch, goal->gate);
    } else if (!measures_find(measures, goal->peer, goal->peer_phase, goal->metric, uses_medians,
                              &verdict.peer)) {
        return false;
    }
    verdict.ratio = ratio_of(verdict.ours, verdict.peer);
    verdict.is_ok = goal->comparison == AT_LEAST ? verdict.ratio >= verdict.gate
                                                 : verdict.ratio <= verdict.gate;
    *out_verdict = verdict;
    return true;
}

static const char *sign_of(const bench_goal *goal) {
    return goal->comparison == AT_LEAST ? ">=" : "<=";
}

void report_bench_lines(const bench_measures *measures, bool uses_medians) {
    for (int i = 0; i < GOAL_COUNT; i++) {
        bench_verdict verdict;
        if (judge(measures, uses_medians, &goals[i], &verdict)) {
            printf("BENCH %s ours=%.6g peer=%.6g ratio=%.3g gate=%s%.3g %s\n", goals[i].name,
                   verdict.ours, verdict.peer, verdict.ratio, sign_of(&goals[i]), verdict.gate,
                   verdict.is_ok ? "ok" : "short");
        }
    }
}

/* Three digits that matter, with K or M; counts below 10,000 in full. */
static const char *shorten(double value, char *buffer) {
    const double kilo = 9999.5;
    const double mega = 999950;
    double size = fabs(value);
    if (size >= mega) {
        (void)snprintf(buffer, FIGURE_BYTES, "%.2fM", value / 1e6);
    } else if (size >= kilo) {
        (void)snprintf(buffer, FIGURE_BYTES, "%.1fK", value / 1e3);
    } else {
        (void)snprintf(buffer, FIGURE_BYTES, size >= 100 ? "%.0f" : "%.3g", value);
    }
    return buffer;
}

void report_goals(const bench_measures *measures, bool uses_medians) {
    printf("| goal | comparison | unit | ours | peer | ratio | gate | stretch | |\n");
    printf("|---:|---|---|---:|---:|---:|---:|---:|---|\n");
    for (int i = 0; i < GOAL_COUNT; i++) {
        bench_verdict verdict;
        char ours[FIGURE_BYTES];
        char peer[FIGURE_BYTES];
        if (!judge(measures, uses_medians, &goals[i], &verdict)) {
            continue;
        }
        printf("| %d | %s | %s | %s | %s | %.3g | %s %.3g | %.3g | %s |\n", goals[i].number,
               goals[i].name, metric_unit(goals[i].metric), shorten(verdict.ours, ours),
               shorten(verdict.peer, peer), verdict.ratio, sign_of(&goals[i]), verdict.gate,
               verdict.stretch, verdict.is_ok ? "ok" : "**short**");
    }
}

static void report_figure(const bench_measures *measures, bool uses_medians, int index) {
    double ours;
    char text[FIGURE_BYTES];
    bool has_ours = measures_find(measures, backend_ours.name, figures[index].phase,
                                  figures[index].metric, uses_medians, &ours);
    printf("| %s |", figures[index].title);
    for (size_t i = 0; backends[i] != NULL; i++) {
        double value;
        if (!measures_find(measures, backends[i]->name, figures[index].phase, figures[index].metric,
                           uses_medians, &value)) {
            printf(" - |");
            continue;
        }
        printf(" %s", shorten(value, text));
        if (has_ours && backends[i] != &backend_ours && value != 0 && ours != 0) {
            printf(" (%.2g)", ours / value);
        }
        printf(" |");
    }
    printf("\n");
}

static bool is_measured(const bench_measures *measures, int index) {
    double value;
    for (size_t i = 0; backends[i] != NULL; i++) {
        if (measures_find(measures, backends[i]->name, figures[index].phase, figures[index].metric,
                          false, &value)) {
            return true;
        }
    }
    return false;
}

void report_figures(const bench_measures *measures, bool uses_medians) {
    printf("| |");
    for (size_t i = 0; backends[i] != NULL; i++) {
        printf(" %s %s |", backends[i]->name, backends[i]->version);
    }
    printf("\n|---|");
    for (size_t i = 0; backends[i] != NULL; i++) {
        printf("---:|");
    }
    printf("\n");
    for (int i = 0; i < FIGURE_COUNT; i++) {
        if (is_measured(measures, i)) {
            report_figure(measures, uses_medians, i);
        }
    }
}
