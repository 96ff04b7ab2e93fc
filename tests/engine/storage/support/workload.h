/* Workload: a seeded run of transactions against a store, and what the store may hold after any
 * part of it — for campaigns that interrupt it.
 *
 * Every commit writes its number, so that whatever is found later names the state it claims to be.
 */
#ifndef NQ_TESTS_STORAGE_SUPPORT_WORKLOAD_H
#define NQ_TESTS_STORAGE_SUPPORT_WORKLOAD_H

#include "engine/ground/base/rng.h"
#include "tests/engine/storage/support/reference.h"

enum { WORKLOAD_TREES_MAX = 64 };

typedef struct workload {
    nq_rng rng;
    reference *states;  /* states[n]: after commit n; states[0]: an empty store */
    size_t state_count; /* commits begun, plus one */
    size_t state_capacity;
    size_t committed;                   /* the newest commit that returned NQ_OK */
    size_t acknowledged;                /* the newest that is durable */
    uint32_t trees[WORKLOAD_TREES_MAX]; /* every tree ever created */
    size_t tree_count;
    bool *has_request;    /* by commit */
    int64_t *periodic_ns; /* by commit: when it was made, if it is periodic; INT64_MAX otherwise */
    bool is_durable_only; /* no lazy or periodic commits */
} workload;

/* Small pages of everything, so that a short run meets evictions, several segments and splits. */
nq_store_options workload_store_options(void);

void workload_init(workload *w, uint64_t seed);
void workload_deinit(workload *w);

/* Runs until `commit_count` commits more were begun; returns the first failure. */
nq_status workload_run(nq_ctx *ctx, workload *w, nq_store *store, size_t commit_count);

/* NULL when the store holds a state that the workload allows: no acknowledged commit is lost, none
 * is there in part, and every invariant holds. Otherwise what is wrong (static storage). *out_state
 * is the state found. */
/* Of a read that failed in the last workload_check; NQ_OK: nothing failed, the content differs. */
extern nq_status workload_check_status;
const char *workload_check(nq_store *store, const workload *w, size_t *out_state);

/* After recovery the run goes on from the state that was found. */
void workload_rewind(workload *w, size_t state);
/* The same as another run, which is not touched. */
void workload_fork(const workload *w, size_t state, uint64_t seed, workload *out_fork);

#endif
