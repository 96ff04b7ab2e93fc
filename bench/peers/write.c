/* Write: one client's transactions, in batches, alone or between reads; and churn. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "bench/peers/files.h"
#include "bench/peers/trial.h"

enum { BATCH_MAX = 1000, CHURN_BATCH = 100, READ_PERCENT = 95 };

/* Where the next ids of an operation come from. */
typedef struct id_source {
    bench_operation operation;
    uint64_t rows;
    uint64_t count; /* given so far */
    nq_rng rng;
} id_source;

static uint64_t next_id(id_source *self) {
    uint64_t given = self->count++;
    switch (self->operation) {
    case OPERATION_INSERT:
        return self->rows + given;
    case OPERATION_UPDATE:
        return nq_rng_below(&self->rng, self->rows);
    default: {
        /* An odd stride walks rows in no order and seldom meets one twice. */
        uint64_t stride = UINT64_C(0x9E3779B1) % self->rows | 1;
        return given * stride % self->rows;
    }
    }
}

/* A run ends after its time, or before most rows have been touched. */
static uint64_t rows_written_max(const bench_trial *trial) {
    const uint64_t enough = 400000;
    uint64_t share = trial->rows / 5 * 2;
    return share < enough ? share : enough;
}

static void write_for(const bench_trial *trial, bench_session *session) {
    uint32_t batch = trial->phase->batch;
    uint64_t ids[BATCH_MAX];
    id_source source = {
        .operation = trial->phase->operation, .rows = trial->rows, .rng = {trial->seed}};
    bench_latency *latency = allocate(sizeof(*latency));
    uint64_t rows_max = rows_written_max(trial);
    uint64_t started = now_ns();
    uint64_t end = started + (uint64_t)(trial->settings->seconds * 1e9);
    uint64_t now = started;
    while (now < end && source.count < rows_max) {
        for (uint32_t i = 0; i < batch; i++) {
            ids[i] = next_id(&source);
        }
        uint64_t begun = now_ns();
        trial_write(trial, session, trial->phase->operation, ids, batch, source.count);
        now = now_ns();
        latency_record(latency, now - begun);
    }
    findings_set(trial->findings, METRIC_ops_per_s,
                 (double)source.count * 1e9 / (double)(now - started));
    findings_set(trial->findings, METRIC_rows_written, (double)source.count);
    trial_set_latencies(trial, latency);
    free(latency);
}

void run_write(const bench_trial *trial) {
    bench_database *database = trial_open(trial);
    bench_session *session = trial_session_open(trial, database);
    trial_warm(trial, session);
    write_for(trial, session);
    uint64_t started = now_ns();
    must(trial->backend->checkpoint(database) == OUTCOME_DONE, "cannot checkpoint");
    findings_set(trial->findings, METRIC_checkpoint_ms, (double)(now_ns() - started) / 1e6);
    findings_set(trial->findings, METRIC_rss_anonymous_mb, process_anonymous_mb());
    trial->backend->session_close(session);
    trial_close(trial, database);
}

typedef struct checkpointer {
    const bench_trial *trial;
    bench_database *database;
    atomic_bool is_stopping;
    uint32_t count;
} checkpointer;

static void *checkpoint_all_the_time(void *argument) {
    checkpointer *self = argument;
    while (!atomic_load(&self->is_stopping)) {
        must(self->trial->backend->checkpoint(self->database) == OUTCOME_DONE, "cannot checkpoint");
        self->count++;
    }
    return NULL;
}

void run_write_beside_checkpoints(const bench_trial *trial) {
    pthread_t thread;
    bench_database *database = trial_open(trial);
    bench_session *session = trial_session_open(trial, database);
    checkpointer beside = {.trial = trial, .database = database};
    trial_warm(trial, session);
    must(pthread_create(&thread, NULL, checkpoint_all_the_time, &beside) == 0,
         "cannot start a thread");
    write_for(trial, session);
    atomic_store(&beside.is_stopping, true);
    pthread_join(thread, NULL);
    findings_set(trial->findings, METRIC_checkpoints, beside.count);
    trial->backend->session_close(session);
    trial_close(trial, database);
}

static void read_one(const bench_trial *trial, bench_session *session, uint64_t id) {
    bench_row row;
    nq_bytes value;
    trial_begin(trial, session, BACKEND_READ);
    must(trial->backend->find(session, row_key(&row, KEYS_SCATTERED, id), &value) == OUTCOME_DONE &&
             value_is_of(value, id),
         "read a wrong value");
    trial_commit(trial, session);
}

void run_mixed(const bench_trial *trial) {
    bench_database *database = trial_open(trial);
    bench_session *session = trial_session_open(trial, database);
    bench_latency *reads = allocate(sizeof(*reads));
    bench_latency *writes = allocate(sizeof(*writes));
    nq_rng rng = {trial->seed};
    uint64_t count = 0;
    trial_warm(trial, session);
    uint64_t started = now_ns();
    uint64_t end = started + (uint64_t)(trial->settings->seconds * 1e9);
    uint64_t now = started;
    while (now < end) {
        uint64_t id = nq_rng_below(&rng, trial->rows);
        bool is_read = nq_rng_below(&rng, 100) < READ_PERCENT;
        uint64_t begun = now_ns();
        if (is_read) {
            read_one(trial, session, id);
        } else {
            trial_write(trial, session, OPERATION_UPDATE, &id, 1, count);
        }
        now = now_ns();
        latency_record(is_read ? reads : writes, now - begun);
        count++;
    }
    findings_set(trial->findings, METRIC_ops_per_s, (double)count * 1e9 / (double)(now - started));
    findings_set(trial->findings, METRIC_read_p99_us, latency_quantile_us(reads, 0.99));
    findings_set(trial->findings, METRIC_write_p99_us, latency_quantile_us(writes, 0.99));
    trial->backend->session_close(session);
    trial_close(trial, database);
    free(reads);
    free(writes);
}

/* Half of the rows removed and as many others inserted, then a checkpoint. */
void run_churn(const bench_trial *trial) {
    bench_database *database = trial_open(trial);
    bench_session *session = trial_session_open(trial, database);
    uint64_t ids[CHURN_BATCH];
    uint64_t rows = trial->rows;
    uint64_t count = 0;
    uint64_t started = now_ns();
    for (uint64_t first = 0; first + CHURN_BATCH <= rows / 2; first += CHURN_BATCH) {
        for (uint64_t i = 0; i < CHURN_BATCH; i++) {
            ids[i] = 2 * (first + i);
        }
        trial_write(trial, session, OPERATION_REMOVE, ids, CHURN_BATCH, 0);
        for (uint64_t i = 0; i < CHURN_BATCH; i++) {
            ids[i] = rows + first + i;
        }
        trial_write(trial, session, OPERATION_INSERT, ids, CHURN_BATCH, 0);
        count += 2ull * CHURN_BATCH;
    }
    must(trial->backend->checkpoint(database) == OUTCOME_DONE, "cannot checkpoint");
    findings_set(trial->findings, METRIC_ops_per_s,
                 (double)count * 1e9 / (double)(now_ns() - started));
    findings_set(trial->findings, METRIC_rows_written, (double)count);
    trial->backend->session_close(session);
    trial_close(trial, database);
}
