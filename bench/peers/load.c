/* Load: an empty database filled, by transactions or by the engine's bulk load. The checkpoint that
 * brings the rows home is inside the time. */
#include <stdlib.h>

#include "bench/peers/trial.h"

static void load_batch(const bench_trial *trial, bench_session *session, uint64_t first,
                       uint64_t end) {
    bench_row row;
    trial_begin(trial, session, BACKEND_WRITE);
    for (uint64_t id = first; id < end; id++) {
        nq_bytes key = row_key(&row, trial_order(trial), id);
        must(trial->backend->put(session, key, row_value(&row, id, 0)) == OUTCOME_DONE,
             "cannot put");
    }
    trial_commit(trial, session);
}

static void load_by_transactions(const bench_trial *trial, bench_session *session, uint64_t batch) {
    uint64_t rows = trial->rows;
    for (uint64_t id = 0; id < rows; id += batch) {
        load_batch(trial, session, id, id + batch < rows ? id + batch : rows);
    }
}

static void finish(const bench_trial *trial, bench_database *database, bench_session *session,
                   uint64_t started) {
    uint64_t rows = trial->rows;
    uint64_t checkpoint_started = now_ns();
    must(trial->backend->checkpoint(database) == OUTCOME_DONE, "cannot checkpoint");
    uint64_t ended = now_ns();
    findings_set(trial->findings, METRIC_ops_per_s, (double)rows * 1e9 / (double)(ended - started));
    findings_set(trial->findings, METRIC_checkpoint_ms, (double)(ended - checkpoint_started) / 1e6);
    findings_set(trial->findings, METRIC_rows_written, (double)rows);
    trial->backend->session_close(session);
    trial_close(trial, database);
}

void run_load(const bench_trial *trial) {
    bench_database *database = trial_open(trial);
    bench_session *session = trial_session_open(trial, database);
    uint64_t started = now_ns();
    load_by_transactions(trial, session, trial->phase->batch);
    finish(trial, database, session, started);
}

typedef struct ascending_rows {
    uint64_t next;
    uint64_t end;
    bench_row row;
} ascending_rows;

static bool next_row(void *user, nq_bytes *out_key, nq_bytes *out_value) {
    ascending_rows *self = user;
    if (self->next == self->end) {
        return false;
    }
    *out_key = row_key(&self->row, KEYS_ASCENDING, self->next);
    *out_value = row_value(&self->row, self->next, 0);
    self->next++;
    return true;
}

void run_bulk_load(const bench_trial *trial) {
    bench_database *database = trial_open(trial);
    bench_session *session = trial_session_open(trial, database);
    ascending_rows rows = {.end = trial->rows};
    uint64_t started = now_ns();
    if (trial->backend->bulk_load == NULL) {
        load_by_transactions(trial, session, trial->phase->batch);
    } else {
        must(trial->backend->bulk_load(session, next_row, &rows) == OUTCOME_DONE,
             "cannot bulk load");
    }
    finish(trial, database, session, started);
}
