/* Trial: opening, transactions and warming, with every outcome checked. */
#include "bench/peers/trial.h"

#define MAP_BYTES_MAX (UINT64_C(64) << 30)

bench_database *trial_open(const bench_trial *trial) {
    bench_database *database = NULL;
    bench_backend_options options = {
        .directory = trial->directory,
        .cache_bytes = trial->cache_bytes,
        .map_bytes = MAP_BYTES_MAX,
        .is_durable = trial->phase->is_durable,
    };
    must(trial->backend->open(&options, &database) == OUTCOME_DONE, "cannot open the database");
    return database;
}

void trial_close(const bench_trial *trial, bench_database *database) {
    must(trial->backend->close(database) == OUTCOME_DONE, "cannot close the database");
}

bench_session *trial_session_open(const bench_trial *trial, bench_database *database) {
    bench_session *session = NULL;
    must(trial->backend->session_open(database, &session) == OUTCOME_DONE, "cannot open a session");
    return session;
}

void trial_begin(const bench_trial *trial, bench_session *session, bench_access access) {
    must(trial->backend->begin(session, access) == OUTCOME_DONE, "cannot begin");
}

void trial_commit(const bench_trial *trial, bench_session *session) {
    must(trial->backend->commit(session) == OUTCOME_DONE, "cannot commit");
}

static bench_outcome write_rows(const bench_trial *trial, bench_session *session,
                                bench_operation operation, const uint64_t *ids, uint32_t count,
                                uint64_t version) {
    bench_outcome done = OUTCOME_DONE;
    for (uint32_t i = 0; i < count && done == OUTCOME_DONE; i++) {
        bench_row row;
        nq_bytes key = row_key(&row, KEYS_SCATTERED, ids[i]);
        if (operation == OPERATION_REMOVE) {
            done = trial->backend->remove(session, key);
            done = done == OUTCOME_ABSENT ? OUTCOME_DONE : done;
        } else {
            done = trial->backend->put(session, key, row_value(&row, ids[i], version));
        }
    }
    return done;
}

void trial_write(const bench_trial *trial, bench_session *session, bench_operation operation,
                 const uint64_t *ids, uint32_t count, uint64_t version) {
    for (;;) {
        bench_outcome done = trial->backend->begin(session, BACKEND_WRITE);
        if (done == OUTCOME_DONE) {
            done = write_rows(trial, session, operation, ids, count, version);
            if (done != OUTCOME_DONE) {
                trial->backend->rollback(session);
            } else {
                done = trial->backend->commit(session);
            }
        }
        if (done == OUTCOME_DONE) {
            return;
        }
        must(done == OUTCOME_RETRY, "cannot write");
    }
}

bool trial_take_row(void *user, nq_bytes key, nq_bytes value) {
    bench_row copy;
    row_sums *sums = user;
    uint64_t id;
    uint64_t head;
    memcpy(copy.key, key.data, KEY_BYTES);
    memcpy(copy.value, value.data, VALUE_BYTES);
    __asm__ volatile("" : : "r"(&copy) : "memory"); /* the copy is made */
    memcpy(&id, copy.value, sizeof(id));
    memcpy(&head, copy.key, sizeof(head));
    sums->ids += id;
    sums->key_heads += head;
    sums->ends += copy.value[VALUE_BYTES - 1];
    return true;
}

bool trial_sums_are_whole(const bench_trial *trial, const row_sums *sums) {
    row_sums wanted = {.ends = trial->rows * VALUE_FILLER};
    for (uint64_t id = 0; id < trial->rows; id++) {
        bench_row row;
        uint64_t head;
        memcpy(&head, row_key(&row, trial_order(trial), id).data, sizeof(head));
        wanted.ids += id;
        wanted.key_heads += head;
    }
    return wanted.ids == sums->ids && wanted.key_heads == sums->key_heads &&
           wanted.ends == sums->ends;
}

void trial_take_all(const bench_trial *trial, bench_session *session) {
    row_sums sums = {0};
    uint64_t rows = 0;
    bench_outcome scanned = trial->backend->scan(session, nq_bytes_of(NULL, 0), UINT64_MAX,
                                                 trial_take_row, &sums, &rows);
    must(scanned == OUTCOME_DONE && rows == trial->rows, "a scan went wrong");
    must(trial_sums_are_whole(trial, &sums), "a scan handed out other rows");
}

void trial_warm(const bench_trial *trial, bench_session *session) {
    trial_begin(trial, session, BACKEND_READ);
    trial_take_all(trial, session);
    trial_commit(trial, session);
}

bench_key_order trial_order(const bench_trial *trial) {
    return trial->phase->base == BASE_ASCENDING || trial->phase->base == BASE_NONE ? KEYS_ASCENDING
                                                                                   : KEYS_SCATTERED;
}

void trial_set_latencies(const bench_trial *trial, const bench_latency *latency) {
    findings_set(trial->findings, METRIC_p50_us, latency_quantile_us(latency, 0.50));
    findings_set(trial->findings, METRIC_p99_us, latency_quantile_us(latency, 0.99));
    findings_set(trial->findings, METRIC_p999_us, latency_quantile_us(latency, 0.999));
}
