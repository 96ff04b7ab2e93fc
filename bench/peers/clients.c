/* Clients: many threads of small durable transactions, which is what group commit is for; and one
 * reader beside one writer. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "bench/peers/trial.h"
#include "engine/ground/os/thread.h"

enum { CLIENTS_MAX = 64, BATCH_MAX = 1000, CLIENT_ID_SHIFT = 40 };

typedef struct client {
    pthread_t thread;
    const bench_trial *trial;
    bench_database *database;
    const atomic_bool *is_stopping;
    uint64_t number;
    uint64_t count; /* operations done */
    bench_latency latency;
} client;

static void *insert_until_stopped(void *argument) {
    client *self = argument;
    bench_session *session = trial_session_open(self->trial, self->database);
    uint32_t batch = self->trial->phase->batch;
    uint64_t ids[BATCH_MAX];
    uint64_t next = self->trial->rows + ((self->number + 1) << CLIENT_ID_SHIFT);
    while (!atomic_load_explicit(self->is_stopping, memory_order_relaxed)) {
        for (uint32_t i = 0; i < batch; i++) {
            ids[i] = next++;
        }
        uint64_t started = now_ns();
        trial_write(self->trial, session, OPERATION_INSERT, ids, batch, 1);
        latency_record(&self->latency, now_ns() - started);
        self->count += batch;
    }
    self->trial->backend->session_close(session);
    return NULL;
}

static void *find_until_stopped(void *argument) {
    client *self = argument;
    const bench_trial *trial = self->trial;
    bench_session *session = trial_session_open(trial, self->database);
    nq_rng rng = {trial->seed};
    while (!atomic_load_explicit(self->is_stopping, memory_order_relaxed)) {
        bench_row row;
        nq_bytes value;
        uint64_t id = nq_rng_below(&rng, trial->rows);
        uint64_t started = now_ns();
        trial_begin(trial, session, BACKEND_READ);
        must(trial->backend->find(session, row_key(&row, KEYS_SCATTERED, id), &value) ==
                     OUTCOME_DONE &&
                 value_is_of(value, id),
             "read a wrong value");
        trial_commit(trial, session);
        latency_record(&self->latency, now_ns() - started);
        self->count++;
    }
    trial->backend->session_close(session);
    return NULL;
}

static void start(client *self, void *(*run)(void *)) {
    must(pthread_create(&self->thread, NULL, run, self) == 0, "cannot start a thread");
}

static void warm(const bench_trial *trial, bench_database *database) {
    bench_session *session = trial_session_open(trial, database);
    trial_warm(trial, session);
    trial->backend->session_close(session);
}

/* Lets the clients run for the phase's time; returns the seconds they ran. */
static double run_for_a_while(const bench_trial *trial, client *clients, uint32_t count,
                              atomic_bool *is_stopping, uint64_t started) {
    nq_thread_sleep_ns((int64_t)(trial->settings->seconds * 1e9));
    atomic_store(is_stopping, true);
    for (uint32_t i = 0; i < count; i++) {
        pthread_join(clients[i].thread, NULL);
    }
    return (double)(now_ns() - started) / 1e9;
}

void run_clients(const bench_trial *trial) {
    uint32_t count = trial->phase->threads;
    atomic_bool is_stopping = false;
    client *clients = allocate(CLIENTS_MAX * sizeof(*clients));
    bench_latency *latency = allocate(sizeof(*latency));
    uint64_t rows = 0;
    must(count <= CLIENTS_MAX, "too many clients");
    bench_database *database = trial_open(trial);
    warm(trial, database);
    uint64_t started = now_ns();
    for (uint32_t i = 0; i < count; i++) {
        clients[i].trial = trial;
        clients[i].database = database;
        clients[i].is_stopping = &is_stopping;
        clients[i].number = i;
        start(&clients[i], insert_until_stopped);
    }
    double seconds = run_for_a_while(trial, clients, count, &is_stopping, started);
    for (uint32_t i = 0; i < count; i++) {
        rows += clients[i].count;
        latency_merge(latency, &clients[i].latency);
    }
    findings_set(trial->findings, METRIC_ops_per_s, (double)rows / seconds);
    findings_set(trial->findings, METRIC_rows_written, (double)rows);
    trial_set_latencies(trial, latency);
    trial_close(trial, database);
    free(clients);
    free(latency);
}

void run_read_beside_write(const bench_trial *trial) {
    enum { READER, WRITER, BOTH };
    atomic_bool is_stopping = false;
    client *clients = allocate(BOTH * sizeof(*clients));
    bench_database *database = trial_open(trial);
    warm(trial, database);
    for (uint64_t i = 0; i < BOTH; i++) {
        clients[i].trial = trial;
        clients[i].database = database;
        clients[i].is_stopping = &is_stopping;
        clients[i].number = i;
    }
    uint64_t started = now_ns();
    start(&clients[READER], find_until_stopped);
    start(&clients[WRITER], insert_until_stopped);
    double seconds = run_for_a_while(trial, clients, BOTH, &is_stopping, started);
    findings_set(trial->findings, METRIC_reads_per_s, (double)clients[READER].count / seconds);
    findings_set(trial->findings, METRIC_read_p99_us,
                 latency_quantile_us(&clients[READER].latency, 0.99));
    findings_set(trial->findings, METRIC_writes_per_s, (double)clients[WRITER].count / seconds);
    trial_close(trial, database);
    free(clients);
}
