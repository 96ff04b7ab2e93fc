/* Driver: a phase's database made ready, its process run and waited for, and what only an observer
 * sees (peak memory, space, bytes given to the disk) added to its findings. */
#define _GNU_SOURCE
#include "bench/peers/driver.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/peers/confine.h"
#include "bench/peers/files.h"
#include "bench/peers/phase.h"

typedef struct driver {
    const bench_settings *settings;
    bench_measures *measures;
    bench_findings *findings; /* shared with the children */
} driver;

static const char *const base_names[BASE_COUNT] = {
    [BASE_NONE] = "work",
    [BASE_SCATTERED] = "scattered",
    [BASE_ASCENDING] = "ascending",
    [BASE_DOUBLE] = "double",
};

static void path_of(const driver *self, const char *engine, bench_base base, char *out_path) {
    int bytes = snprintf(out_path, RUN_PATH_BYTES, "%s/%s-%s-%llu", self->settings->directory,
                         engine, base_names[base], (unsigned long long)self->settings->rows);
    must(bytes > 0 && bytes < RUN_PATH_BYTES, "the directory's name is too long");
}

/* Runs one step of a trial in a process of its own. Returns how it ended. */
static int run_in_child(void (*step)(const bench_trial *), const bench_trial *trial,
                        struct rusage *out_usage) {
    int ended;
    (void)fflush(NULL);
    pid_t child = fork();
    must(child >= 0, "fork");
    if (child == 0) {
        (void)prctl(PR_SET_NAME, trial->phase->name); /* for profilers, which tell by name */
        if (trial->phase->is_confined) {
            confine_self();
        }
        step(trial);
        _exit(0);
    }
    while (wait4(child, &ended, 0, out_usage) < 0) {
        must(errno == EINTR, "wait");
    }
    return ended;
}

static bool was_killed(int ended) {
    return WIFSIGNALED(ended) && WTERMSIG(ended) == SIGKILL;
}

static void add_observations(const driver *self, const bench_trial *trial, uint64_t device_bytes,
                             const struct rusage *usage) {
    bench_findings *findings = self->findings;
    findings_set(findings, METRIC_rss_peak_mb, (double)usage->ru_maxrss / 1e3);
    findings_set(findings, METRIC_disk_mb, directory_mb(trial->directory));
    if (findings->is_known[METRIC_rows_written] && device_bytes > 0) {
        findings_set(findings, METRIC_device_bytes_per_row_byte,
                     (double)device_bytes / ROW_BYTES / findings->values[METRIC_rows_written]);
    }
}

static void announce(const bench_trial *trial, bool is_well, uint64_t started) {
    (void)fprintf(stderr, "%-10s %-26s %5.1f s%s\n",
                  trial->backend == NULL ? ENGINE_DISK : trial->backend->name, trial->phase->name,
                  (double)(now_ns() - started) / 1e9, is_well ? "" : "  FAILED");
}

/* A damaged database may end the process that reads it; its findings count all the same. */
static bool counts_when_it_dies(const bench_phase *phase) {
    return phase->run == run_flipped_bits || phase->run == run_zeroed_runs;
}

static void run_trial(const driver *self, const bench_trial *trial, uint32_t repetition) {
    struct rusage usage;
    const bench_phase *phase = trial->phase;
    memset(self->findings, 0, sizeof(*self->findings));
    directory_sync(trial->directory);
    uint64_t started = now_ns();
    uint64_t device_start = device_written_bytes(trial->directory);
    if (phase->run_until_killed != NULL &&
        !was_killed(run_in_child(phase->run_until_killed, trial, &usage))) {
        announce(trial, false, started);
        return;
    }
    if (phase->is_cold) {
        directory_drop_cached(trial->directory);
    }
    int ended = run_in_child(phase->run, trial, &usage);
    bool is_well = WIFEXITED(ended) && WEXITSTATUS(ended) == 0;
    directory_sync(trial->directory);
    if (is_well || counts_when_it_dies(phase)) {
        add_observations(self, trial, device_written_bytes(trial->directory) - device_start,
                         &usage);
        measures_add(self->measures, trial->backend == NULL ? ENGINE_DISK : trial->backend->name,
                     phase->name, repetition, self->findings);
    }
    announce(trial, is_well, started);
}

static void run_phase(const driver *self, const bench_phase *phase, const bench_backend *backend,
                      uint32_t repetition);

/* Makes the directory that the phase works in; loads its base first if need be. */
static void prepare(const driver *self, const bench_phase *phase, const bench_backend *backend,
                    char *out_path) {
    char base_path[RUN_PATH_BYTES];
    const char *engine = backend == NULL ? ENGINE_DISK : backend->name;
    path_of(self, engine, phase->base, base_path);
    if (phase->usage != USE_NEW && !directory_exists(base_path)) {
        run_phase(self, phase_of_base(phase->base), backend, 0);
    }
    path_of(self, engine, phase->usage == USE_COPY ? BASE_NONE : phase->base, out_path);
    if (phase->usage == USE_NEW) {
        directory_make_empty(out_path);
    } else if (phase->usage == USE_COPY) {
        directory_copy(base_path, out_path);
    }
}

static uint64_t confined_bytes(const bench_settings *settings) {
    uint64_t bytes = settings->rows * CONFINED_BYTES_A_ROW;
    return bytes < CONFINED_BYTES_MIN ? CONFINED_BYTES_MIN : bytes;
}

static uint64_t cache_bytes_of(const bench_settings *settings, const bench_phase *phase) {
    if (phase->is_confined) {
        return confined_bytes(settings) / 2;
    }
    return phase->cache_bytes != 0 ? phase->cache_bytes : settings->cache_bytes;
}

static void run_phase(const driver *self, const bench_phase *phase, const bench_backend *backend,
                      uint32_t repetition) {
    char path[RUN_PATH_BYTES];
    prepare(self, phase, backend, path);
    const bench_trial trial = {
        .settings = self->settings,
        .backend = backend,
        .phase = phase,
        .directory = path,
        .rows = self->settings->rows * (phase->base == BASE_DOUBLE ? 2 : 1),
        .cache_bytes = cache_bytes_of(self->settings, phase),
        .seed = mix(repetition),
        .findings = self->findings,
    };
    run_trial(self, &trial, repetition);
    if (phase->usage == USE_COPY || phase->base == BASE_NONE) {
        directory_remove(path);
    }
}

static void run_phase_for_all(const driver *self, const bench_phase *phase, uint32_t repetition) {
    if (phase->is_confined && !confine_prepare(confined_bytes(self->settings))) {
        (void)fprintf(stderr, "%s: left out, no control group can be made here\n", phase->name);
        return;
    }
    if (phase->is_of_disk) {
        run_phase(self, phase, NULL, repetition);
        return;
    }
    for (size_t i = 0; backends[i] != NULL; i++) {
        const char *name = backends[i]->name;
        bool is_asked = self->settings->peers == NULL || list_names(self->settings->peers, name);
        if (is_asked && (phase->peers == NULL || list_names(phase->peers, name))) {
            run_phase(self, phase, backends[i], repetition);
        }
    }
}

void driver_run(const bench_settings *settings, bench_measures *measures) {
    driver self = {.settings = settings, .measures = measures};
    self.findings = mmap(NULL, sizeof(*self.findings), PROT_READ | PROT_WRITE,
                         MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    must(self.findings != MAP_FAILED, "mmap");
    for (size_t i = 0; i < phase_count; i++) {
        if (settings->only != NULL && !list_names(settings->only, phases[i].name)) {
            continue;
        }
        for (uint32_t repetition = 0; repetition < settings->repeats; repetition++) {
            run_phase_for_all(&self, &phases[i], repetition);
        }
    }
    (void)munmap(self.findings, sizeof(*self.findings));
}
