/* Strand: runs the callbacks of one call one after another, on whichever thread has cause to.
 *
 * One atomic word per call: event bits, RUNNING, DONE. Whoever adds an event to a word without
 * RUNNING becomes responsible for running the strand; everybody else just leaves the bit. The
 * runner takes all bits at once, works them off lowest first, and leaves by swapping RUNNING for 0,
 * which fails if a bit arrived meanwhile. RUNNING may travel: to a worker (submit) or to the queue
 * thread (kick); it is owned by exactly one of them, so the hand-over needs nothing else. */
#include "server/rpc/call_internal.h"

void nq__call_post(nq_call *call, uint32_t events, bool is_on_queue_thread) {
    uint32_t before =
        atomic_fetch_or_explicit(&call->strand, events | NQ_STRAND_RUNNING, memory_order_acq_rel);
    if (before & (NQ_STRAND_RUNNING | NQ_STRAND_DONE)) {
        return;
    }
    if (is_on_queue_thread) {
        nq_call_run_strand(call, false);
    } else if (call->method->flags & NQ_METHOD_INLINE) {
        call->transport->kick(call);
    } else {
        call->transport->submit(call);
    }
}

/* Takes what was posted. false: nothing was, and the strand is no longer ours. */
static bool take_events(nq_call *call) {
    for (;;) {
        uint32_t seen = atomic_load_explicit(&call->strand, memory_order_acquire);
        if (seen & NQ_STRAND_EVENTS) {
            seen = atomic_exchange_explicit(&call->strand, NQ_STRAND_RUNNING, memory_order_acq_rel);
            call->todo = seen & NQ_STRAND_EVENTS;
            return true;
        }
        if (nq__call_is_complete(call)) {
            call->todo = NQ_EVENT_DONE;
            return true;
        }
        if (atomic_compare_exchange_strong_explicit(&call->strand, &seen, 0, memory_order_acq_rel,
                                                    memory_order_acquire)) {
            return false;
        }
    }
}

void nq_call_run_strand(nq_call *call, bool is_on_worker) {
    for (;;) {
        if (call->work != NULL) {
            if (!is_on_worker) {
                call->transport->submit(call);
                return;
            }
            void (*work)(nq_call *) = call->work;
            call->work = NULL;
            work(call);
            nq__call_let_go(call);
            if (call->work == NULL) {
                nq__call_drop_message(call);
                nq__call_finish_cancelled(call);
            }
            continue;
        }
        if (call->todo == 0 && !take_events(call)) {
            return;
        }
        nq_call_event event = (nq_call_event)(call->todo & -call->todo);
        if (!is_on_worker && nq__call_needs_worker(call, event)) {
            call->transport->submit(call);
            return;
        }
        call->todo &= ~(uint32_t)event;
        nq__call_dispatch(call, event);
        if (event == NQ_EVENT_DONE) {
            /* The word says DONE before the reference goes: a late wake then finds nothing to run.
             */
            atomic_store_explicit(&call->strand, NQ_STRAND_DONE, memory_order_release);
            nq_call_release(call);
            return;
        }
    }
}

void nq_call_run(nq_call *call, void (*work)(nq_call *call)) {
    NQ_ASSERT(call->work == NULL);
    call->work = work;
    if (!call->is_watched && !call->status_started) {
        /* Unary inline calls are not watched; one that goes to a worker may take long enough for
         * its client to lose interest. */
        call->is_watched = call->transport->watch_close(call);
    }
}

void nq_call_wake(nq_call *call) {
    nq__call_post(call, NQ_EVENT_WAKE, false);
}

void nq_call_cancel(nq_call *call, nq_status reason) {
    NQ_ASSERT(reason != NQ_OK);
    uint32_t wanted = NQ_OK;
    if (atomic_compare_exchange_strong(&call->cancel, &wanted, (uint32_t)reason)) {
        nq__call_post(call, NQ_EVENT_CANCEL, false);
    }
}

nq_call *nq_call_acquire(nq_call *call) {
    atomic_fetch_add_explicit(&call->references, 1, memory_order_relaxed);
    return call;
}

void nq_call_release(nq_call *call) {
    if (atomic_fetch_sub_explicit(&call->references, 1, memory_order_acq_rel) == 1) {
        call->transport->recycle(call);
    }
}
