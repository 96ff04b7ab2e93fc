/* Signal: the few that a server obeys, waited for by one thread instead of interrupting any. */
#ifndef NQ_GROUND_OS_SIGNAL_H
#define NQ_GROUND_OS_SIGNAL_H

typedef enum nq_signal {
    NQ_SIGNAL_TERMINATE, /* SIGTERM, SIGINT */
    NQ_SIGNAL_RELOAD,    /* SIGHUP */
    NQ_SIGNAL_WAKE,      /* nq_signal_wake */
} nq_signal;

/* Blocks these in the calling thread and in all it starts, and ignores SIGPIPE: call first in main.
 */
void nq_signal_block(void);

/* Waits for the next one. One thread at a time. */
nq_signal nq_signal_wait(void);

/* Any thread: makes the wait return NQ_SIGNAL_WAKE. */
void nq_signal_wake(void);

/* Ends the process now, without any clean-up. */
_Noreturn void nq_signal_exit_now(int exit_code);

#endif
