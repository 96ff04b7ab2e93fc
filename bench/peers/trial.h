/* Trial: the steps that phases share, on top of a backend. Any failure ends the phase. */
#ifndef NQ_BENCH_PEERS_TRIAL_H
#define NQ_BENCH_PEERS_TRIAL_H

#include "bench/peers/latency.h"
#include "bench/peers/phase.h"

bench_database *trial_open(const bench_trial *trial);
void trial_close(const bench_trial *trial, bench_database *database);
bench_session *trial_session_open(const bench_trial *trial, bench_database *database);

void trial_begin(const bench_trial *trial, bench_session *session, bench_access access);
void trial_commit(const bench_trial *trial, bench_session *session);

/* Commits `count` operations on these rows in one transaction, again if it meets a conflict. */
void trial_write(const bench_trial *trial, bench_session *session, bench_operation operation,
                 const uint64_t *ids, uint32_t count, uint64_t version);

/* Reads every row once, inside the session's transaction. */
void trial_take_all(const bench_trial *trial, bench_session *session);

/* Reads every row once, so that engines start a timed part equally warm. */
void trial_warm(const bench_trial *trial, bench_session *session);

/* What a scan has seen, in sums that do not care about order. */
typedef struct row_sums {
    uint64_t ids;       /* as the values say */
    uint64_t key_heads; /* first eight bytes of the keys */
    uint64_t ends;      /* last bytes of the values */
} row_sums;

/* A row_visitor that reads all of a row; `user` is a row_sums. */
bool trial_take_row(void *user, nq_bytes key, nq_bytes value);

/* Whether they are those of every loaded row, once each. Not fast: ask outside of a timed part. */
bool trial_sums_are_whole(const bench_trial *trial, const row_sums *sums);

/* The order of the keys in the phase's base. */
bench_key_order trial_order(const bench_trial *trial);

/* Records p50, p99 and p999. */
void trial_set_latencies(const bench_trial *trial, const bench_latency *latency);

#endif
