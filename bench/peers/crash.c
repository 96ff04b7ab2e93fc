/* Crash: a process that writes and ends itself by SIGKILL; then how long opening takes until the
 * first row has been read, and until one has been written, and which of the rows that were
 * acknowledged are gone. */
#include <signal.h>
#include <unistd.h>

#include "bench/peers/trial.h"

enum { BATCH_MAX = 1000 };

static const uint64_t patience_ns = UINT64_C(20000000000);

void run_until_killed(const bench_trial *trial) {
    bench_database *database = trial_open(trial);
    bench_session *session = trial_session_open(trial, database);
    uint32_t batch = trial->phase->batch;
    uint64_t ids[BATCH_MAX];
    uint64_t first = trial->rows;
    uint64_t wanted = first * trial->phase->rows_per_mille / 1000;
    uint64_t end = now_ns() + patience_ns;
    for (uint64_t written = 0; written < wanted && now_ns() < end; written += batch) {
        for (uint32_t i = 0; i < batch; i++) {
            ids[i] = first + written + i;
        }
        trial_write(trial, session, OPERATION_INSERT, ids, batch, 0);
        atomic_store(&trial->findings->acknowledged, written + batch);
    }
    (void)kill(getpid(), SIGKILL);
}

static bool has_row(const bench_trial *trial, bench_session *session, uint64_t id) {
    bench_row row;
    nq_bytes value;
    nq_bytes key = row_key(&row, KEYS_SCATTERED, id);
    return trial->backend->find(session, key, &value) == OUTCOME_DONE && value_is_of(value, id);
}

void run_reopen(const bench_trial *trial) {
    uint64_t acknowledged = atomic_load(&trial->findings->acknowledged);
    uint64_t lost = 0;
    uint64_t started = now_ns();
    bench_database *database = trial_open(trial);
    bench_session *session = trial_session_open(trial, database);
    trial_begin(trial, session, BACKEND_READ);
    must(has_row(trial, session, 0), "the first row is gone");
    trial_commit(trial, session);
    findings_set(trial->findings, METRIC_reopen_ms, (double)(now_ns() - started) / 1e6);
    uint64_t beyond = 2 * trial->rows; /* whatever was acknowledged */
    trial_write(trial, session, OPERATION_INSERT, &beyond, 1, 0);
    findings_set(trial->findings, METRIC_reopen_write_ms, (double)(now_ns() - started) / 1e6);
    trial_begin(trial, session, BACKEND_READ);
    for (uint64_t i = 0; i < acknowledged; i++) {
        lost += !has_row(trial, session, trial->rows + i);
    }
    trial_commit(trial, session);
    findings_set(trial->findings, METRIC_rows_acknowledged, (double)acknowledged);
    findings_set(trial->findings, METRIC_rows_lost, (double)lost);
    trial->backend->session_close(session);
    trial_close(trial, database);
}
