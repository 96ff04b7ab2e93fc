/* Memory: a thousand readers at once, each with its own snapshot, over a database larger than the
 * cache; how far the process grows beyond the cache it was given. The readers are sessions of one
 * thread: a thousand stacks would be measured otherwise. */
#include "bench/peers/files.h"
#include "bench/peers/trial.h"

enum { READERS = 1000, ROUNDS = 20, SCAN_ROWS = 100 };

static void read_round(const bench_trial *trial, bench_session *session, nq_rng *rng) {
    bench_row row;
    nq_bytes value;
    row_sums sums = {0};
    uint64_t rows = 0;
    uint64_t id = nq_rng_below(rng, trial->rows);
    nq_bytes key = row_key(&row, trial_order(trial), id);
    must(trial->backend->find(session, key, &value) == OUTCOME_DONE && value_is_of(value, id),
         "read a wrong value");
    must(trial->backend->scan(session, key, SCAN_ROWS, trial_take_row, &sums, &rows) ==
             OUTCOME_DONE,
         "a scan went wrong");
}

void run_memory(const bench_trial *trial) {
    bench_session *sessions[READERS];
    nq_rng rng = {trial->seed};
    double before_mb = process_rss_mb();
    process_forget_rss_peak();
    bench_database *database = trial_open(trial);
    for (int i = 0; i < READERS; i++) {
        sessions[i] = trial_session_open(trial, database);
        trial_begin(trial, sessions[i], BACKEND_READ);
    }
    trial_take_all(trial, sessions[0]);
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < READERS; i++) {
            read_round(trial, sessions[i], &rng);
        }
    }
    findings_set(trial->findings, METRIC_rss_over_budget_mb,
                 process_rss_peak_mb() - before_mb - (double)trial->cache_bytes / 1e6);
    for (int i = 0; i < READERS; i++) {
        trial_commit(trial, sessions[i]);
        trial->backend->session_close(sessions[i]);
    }
    trial_close(trial, database);
}
