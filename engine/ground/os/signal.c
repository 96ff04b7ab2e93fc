/* Signal: POSIX's sigwait. */
#define _GNU_SOURCE

#include "engine/ground/os/signal.h"

#include <signal.h>
#include <unistd.h>

static void fill_set(sigset_t *set) {
    sigemptyset(set);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGHUP);
    sigaddset(set, SIGUSR1);
}

void nq_signal_block(void) {
    sigset_t set;
    fill_set(&set);
    (void)pthread_sigmask(SIG_BLOCK, &set, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
}

nq_signal nq_signal_wait(void) {
    sigset_t set;
    int number = 0;
    fill_set(&set);
    while (sigwait(&set, &number) != 0) {
        /* EINTR: wait on. */
    }
    switch (number) {
    case SIGHUP:
        return NQ_SIGNAL_RELOAD;
    case SIGUSR1:
        return NQ_SIGNAL_WAKE;
    default:
        return NQ_SIGNAL_TERMINATE;
    }
}

void nq_signal_wake(void) {
    (void)kill(getpid(), SIGUSR1);
}

_Noreturn void nq_signal_exit_now(int exit_code) {
    _exit(exit_code);
}
