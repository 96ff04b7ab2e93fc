/* Context: what every fallible call of one request shares — its error, its scratch memory, its
 * deadline and its cancel flag. First argument of everything that can fail.
 *
 * One thread uses a context at a time. The cancel flag is the only field another thread writes. */
#ifndef NQ_GROUND_BASE_CTX_H
#define NQ_GROUND_BASE_CTX_H

#include <stdatomic.h>
#include <stdint.h>

#include "engine/ground/base/arena.h"
#include "engine/ground/base/status.h"

/* Set from any thread to ask the work to stop; the value is the nq_status it then fails with
 * (NQ_CANCELLED_BY_CLIENT, NQ_CANCELLED_BY_ADMIN, NQ_SHUTTING_DOWN); NQ_OK means run on. */
typedef _Atomic uint32_t nq_cancel_flag;

#define NQ_NO_DEADLINE INT64_MAX

typedef struct nq_ctx {
    nq_error error;
    nq_arena *scratch;            /* statement lifetime; may be NULL below query/ */
    int64_t deadline_ns;          /* on nq_clock_monotonic_ns()'s clock, or NQ_NO_DEADLINE */
    const nq_cancel_flag *cancel; /* may be NULL: cannot be cancelled */
    int64_t (*now_ns)(void);      /* the clock `deadline_ns` is on; NULL: no deadline is checked */
    bool wants_timing;            /* somebody will read how long things took: measure them */
} nq_ctx;

/* No deadline, not cancellable, `scratch` may be NULL. */
void nq_ctx_init(nq_ctx *ctx, nq_arena *scratch);

/* NQ_OK, or the failure that says why the work must stop now. Cheap (one relaxed load and, with a
 * deadline, one clock read): call it once per batch, page or 1024 rows. */
nq_status nq_ctx_poll(nq_ctx *ctx) __attribute__((warn_unused_result));

/* Fails with NQ_MEMORY_LIMIT, naming the scratch arena's budget. */
nq_status nq_fail_no_memory(nq_ctx *ctx, const char *what) __attribute__((warn_unused_result));

#endif
