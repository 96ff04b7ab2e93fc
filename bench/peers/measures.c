/* Measures: the list of all figures, its file, and picking one of the repetitions. */
#include "bench/peers/measures.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/peers/run.h"

enum { NAME_BYTES = 40, LINE_BYTES = 256, REPETITIONS_MAX = 256, FIRST_CAPACITY = 1024 };

typedef enum pick {
    PICK_LARGEST,
    PICK_SMALLEST,
    PICK_MEDIAN,
} pick;

static const struct {
    const char *name;
    const char *unit;
    pick pick;
} kinds[METRIC_COUNT] = {
#define METRIC(name, unit, pick) {#name, unit, pick},
#include "bench/peers/metrics.def"
#undef METRIC
};

typedef struct figure {
    char engine[NAME_BYTES];
    char phase[NAME_BYTES];
    bench_metric metric;
    double value;
} figure;

struct bench_measures {
    FILE *file;
    figure *figures;
    size_t count;
    size_t capacity;
};

const char *metric_unit(bench_metric metric) {
    return kinds[metric].unit;
}

static void append(bench_measures *self, const char *engine, const char *phase, bench_metric metric,
                   double value) {
    if (self->count == self->capacity) {
        self->capacity = self->capacity == 0 ? FIRST_CAPACITY : 2 * self->capacity;
        self->figures = realloc(self->figures, self->capacity * sizeof(*self->figures));
        must(self->figures != NULL, "out of memory");
    }
    figure *added = &self->figures[self->count++];
    (void)snprintf(added->engine, sizeof(added->engine), "%s", engine);
    (void)snprintf(added->phase, sizeof(added->phase), "%s", phase);
    added->metric = metric;
    added->value = value;
}

static void append_line(bench_measures *self, const char *line) {
    char engine[NAME_BYTES];
    char phase[NAME_BYTES];
    char name[NAME_BYTES];
    double value;
    if (sscanf(line, "%39s %39s %*u %39s %lf", engine, phase, name, &value) != 4) {
        return;
    }
    for (int metric = 0; metric < METRIC_COUNT; metric++) {
        if (strcmp(kinds[metric].name, name) == 0) {
            append(self, engine, phase, (enum bench_metric)metric, value);
        }
    }
}

bench_measures *measures_open(const char *path) {
    char line[LINE_BYTES];
    bench_measures *self = allocate(sizeof(*self));
    self->file = fopen(path, "a+");
    must(self->file != NULL, path);
    while (fgets(line, sizeof(line), self->file) != NULL) {
        append_line(self, line);
    }
    return self;
}

void measures_close(bench_measures *self) {
    must(fclose(self->file) == 0, "results file");
    free(self->figures);
    free(self);
}

void measures_add(bench_measures *self, const char *engine, const char *phase, uint32_t repetition,
                  const bench_findings *findings) {
    for (int metric = 0; metric < METRIC_COUNT; metric++) {
        if (findings->is_known[metric]) {
            double value = findings->values[metric];
            append(self, engine, phase, (enum bench_metric)metric, value);
            (void)fprintf(self->file, "%s\t%s\t%u\t%s\t%.9g\n", engine, phase, repetition,
                          kinds[metric].name, value);
        }
    }
    must(fflush(self->file) == 0, "results file");
}

static int compare(const void *left, const void *right) {
    double a = *(const double *)left;
    double b = *(const double *)right;
    return (a > b) - (a < b);
}

bool measures_find(const bench_measures *self, const char *engine, const char *phase,
                   bench_metric metric, bool uses_medians, double *out_value) {
    double values[REPETITIONS_MAX];
    size_t count = 0;
    for (size_t i = 0; i < self->count && count < REPETITIONS_MAX; i++) {
        const figure *seen = &self->figures[i];
        if (seen->metric == metric && strcmp(seen->engine, engine) == 0 &&
            strcmp(seen->phase, phase) == 0) {
            values[count++] = seen->value;
        }
    }
    if (count == 0) {
        return false;
    }
    qsort(values, count, sizeof(values[0]), compare);
    pick how = uses_medians ? PICK_MEDIAN : kinds[metric].pick;
    *out_value = values[how == PICK_LARGEST ? count - 1 : how == PICK_SMALLEST ? 0 : count / 2];
    return true;
}
