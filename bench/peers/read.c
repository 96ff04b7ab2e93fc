/* Read: point lookups of one thread or several, of keys that are there or are not, and scans. The
 * rate is taken without a clock read a lookup, the latencies in a second part with one.
 *
 * A rate is that of the best window of the timed part: what the machine's other work takes away is
 * not the engine's, and nothing of an engine runs in the background here that could be hidden. */
#include <pthread.h>
#include <stdlib.h>

#include "bench/peers/files.h"
#include "bench/peers/trial.h"

enum {
    TRANSACTIONS_A_LOOK = 500, /* between two looks at the clock, of one lookup each */
    SCANS = 150,
    SCAN_ROWS = 10000,
    FULL_SCANS_MIN = 3,
    THREADS_MAX = 64,
    WINDOW_NS = 50 * 1000 * 1000,
    WINDOWS_MAX = 4096,
};

static const double settle_seconds = 0.3;

/* Lookups by the window of time they ended in. */
typedef struct find_windows {
    uint64_t finds[WINDOWS_MAX];
} find_windows;

typedef struct reader {
    const bench_trial *trial;
    bench_session *session;
    nq_rng rng;
    bool is_absent; /* asks only for keys that are not there */
} reader;

static void find_one(reader *self) {
    const bench_trial *trial = self->trial;
    bench_row row;
    nq_bytes value;
    uint64_t id = nq_rng_below(&self->rng, trial->rows);
    if (self->is_absent) {
        nq_bytes key = row_key(&row, trial_order(trial), id + ID_ABSENT);
        must(trial->backend->find(self->session, key, &value) == OUTCOME_ABSENT,
             "found a row that was never there");
        return;
    }
    nq_bytes key = row_key(&row, trial_order(trial), id);
    must(trial->backend->find(self->session, key, &value) == OUTCOME_DONE, "lost a row");
    must(value_is_of(value, id), "read another row's value");
}

/* One transaction of the phase's batch of lookups. */
static void find_batch(reader *self) {
    trial_begin(self->trial, self->session, BACKEND_READ);
    for (uint32_t i = 0; i < self->trial->phase->batch; i++) {
        find_one(self);
    }
    trial_commit(self->trial, self->session);
}

static void find_for(reader *self, double seconds, find_windows *out_windows) {
    uint32_t batch = self->trial->phase->batch;
    uint32_t rounds = batch == 1 ? TRANSACTIONS_A_LOOK : 1;
    uint64_t length = (uint64_t)(seconds * 1e9);
    uint64_t started = now_ns();
    uint64_t now = started;
    must(length / WINDOW_NS < WINDOWS_MAX, "too long a time");
    memset(out_windows, 0, sizeof(*out_windows));
    while (now - started < length) {
        for (uint32_t i = 0; i < rounds; i++) {
            find_batch(self);
        }
        now = now_ns();
        uint64_t window = (now - started) / WINDOW_NS;
        out_windows->finds[window < WINDOWS_MAX ? window : WINDOWS_MAX - 1] +=
            (uint64_t)rounds * batch;
    }
}

/* Lookups a second in the best window that lies wholly within the time; of all of it when it is
 * shorter than that. */
static double best_rate(const find_windows *windows, double seconds) {
    uint64_t whole = (uint64_t)(seconds * 1e9) / WINDOW_NS;
    uint64_t best = 0;
    if (whole == 0) {
        return (double)windows->finds[0] / seconds;
    }
    for (uint64_t i = 0; i < whole; i++) {
        best = windows->finds[i] > best ? windows->finds[i] : best;
    }
    return (double)best * 1e9 / WINDOW_NS;
}

/* The latency of a lookup, with begin and commit where each has its own transaction. */
static void time_finds(reader *self, double seconds, bench_latency *latency) {
    uint32_t batch = self->trial->phase->batch;
    uint64_t end = now_ns() + (uint64_t)(seconds * 1e9);
    while (now_ns() < end) {
        if (batch == 1) {
            uint64_t started = now_ns();
            find_batch(self);
            latency_record(latency, now_ns() - started);
            continue;
        }
        trial_begin(self->trial, self->session, BACKEND_READ);
        for (uint32_t i = 0; i < batch; i++) {
            uint64_t started = now_ns();
            find_one(self);
            latency_record(latency, now_ns() - started);
        }
        trial_commit(self->trial, self->session);
    }
}

static void run_one_reader(const bench_trial *trial, bool is_absent) {
    bench_database *database = trial_open(trial);
    reader self = {.trial = trial,
                   .session = trial_session_open(trial, database),
                   .rng = {trial->seed},
                   .is_absent = is_absent};
    bench_latency *latency = allocate(sizeof(*latency));
    find_windows *found = allocate(sizeof(*found));
    trial_warm(trial, self.session);
    find_for(&self, settle_seconds, found);
    find_for(&self, trial->settings->seconds, found);
    findings_set(trial->findings, METRIC_ops_per_s, best_rate(found, trial->settings->seconds));
    time_finds(&self, trial->settings->seconds / 2, latency);
    trial_set_latencies(trial, latency);
    findings_set(trial->findings, METRIC_rss_anonymous_mb, process_anonymous_mb());
    trial->backend->session_close(self.session);
    trial_close(trial, database);
    free(latency);
    free(found);
}

void run_find(const bench_trial *trial) {
    run_one_reader(trial, false);
}

void run_find_absent(const bench_trial *trial) {
    run_one_reader(trial, true);
}

typedef struct reader_thread {
    pthread_t thread;
    reader reader;
    bench_database *database;
    pthread_barrier_t *start;
    find_windows found;
} reader_thread;

static void *read_beside_others(void *argument) {
    reader_thread *self = argument;
    const bench_trial *trial = self->reader.trial;
    self->reader.session = trial_session_open(trial, self->database);
    trial_warm(trial, self->reader.session);
    find_for(&self->reader, settle_seconds, &self->found);
    pthread_barrier_wait(self->start);
    find_for(&self->reader, trial->settings->seconds, &self->found);
    trial->backend->session_close(self->reader.session);
    return NULL;
}

void run_find_threads(const bench_trial *trial) {
    uint32_t count = trial->phase->threads;
    reader_thread *threads = allocate(THREADS_MAX * sizeof(*threads));
    find_windows *all = allocate(sizeof(*all));
    pthread_barrier_t start;
    must(count <= THREADS_MAX && pthread_barrier_init(&start, NULL, count) == 0, "threads");
    bench_database *database = trial_open(trial);
    for (uint32_t i = 0; i < count; i++) {
        threads[i].reader = (reader){.trial = trial, .rng = {trial->seed + i}};
        threads[i].database = database;
        threads[i].start = &start;
        must(pthread_create(&threads[i].thread, NULL, read_beside_others, &threads[i]) == 0,
             "cannot start a thread");
    }
    for (uint32_t i = 0; i < count; i++) {
        pthread_join(threads[i].thread, NULL);
        for (int window = 0; window < WINDOWS_MAX; window++) {
            all->finds[window] += threads[i].found.finds[window];
        }
    }
    findings_set(trial->findings, METRIC_ops_per_s, best_rate(all, trial->settings->seconds));
    trial_close(trial, database);
    pthread_barrier_destroy(&start);
    free(threads);
    free(all);
}

static row_sums scan(const bench_trial *trial, bench_session *session, nq_bytes low,
                     uint64_t rows_wanted) {
    row_sums sums = {0};
    uint64_t rows = 0;
    uint64_t rows_max = low.size == 0 ? UINT64_MAX : rows_wanted;
    trial_begin(trial, session, BACKEND_READ);
    must(trial->backend->scan(session, low, rows_max, trial_take_row, &sums, &rows) ==
                 OUTCOME_DONE &&
             rows == rows_wanted,
         "a scan went wrong");
    trial_commit(trial, session);
    return sums;
}

static void scan_parts(const bench_trial *trial, bench_session *session) {
    bench_latency *latency = allocate(sizeof(*latency));
    nq_rng rng = {trial->seed};
    uint64_t wanted = trial->rows / 4 < SCAN_ROWS ? trial->rows / 4 : SCAN_ROWS;
    for (int i = 0; i < SCANS; i++) {
        bench_row row;
        nq_bytes low = row_key(&row, KEYS_SCATTERED, nq_rng_below(&rng, trial->rows));
        row.key[0] &= 0x7f; /* starts in the first half: the rows wanted follow */
        uint64_t started = now_ns();
        (void)scan(trial, session, low, wanted);
        latency_record(latency, now_ns() - started);
    }
    findings_set(trial->findings, METRIC_scan_p50_us, latency_quantile_us(latency, 0.5));
    free(latency);
}

static void scan_all(const bench_trial *trial, bench_session *session) {
    uint64_t end = now_ns() + (uint64_t)(trial->settings->seconds * 1e9);
    uint64_t best_ns = UINT64_MAX;
    for (int scans = 0; scans < FULL_SCANS_MIN || now_ns() < end; scans++) {
        uint64_t started = now_ns();
        row_sums sums = scan(trial, session, nq_bytes_of(NULL, 0), trial->rows);
        uint64_t taken = now_ns() - started;
        must(trial_sums_are_whole(trial, &sums), "a scan handed out other rows");
        best_ns = taken < best_ns ? taken : best_ns;
    }
    findings_set(trial->findings, METRIC_full_rows_per_s,
                 (double)trial->rows * 1e9 / (double)best_ns);
}

void run_scan(const bench_trial *trial) {
    bench_database *database = trial_open(trial);
    bench_session *session = trial_session_open(trial, database);
    trial_warm(trial, session);
    scan_parts(trial, session);
    scan_all(trial, session);
    trial->backend->session_close(session);
    trial_close(trial, database);
}
