/* Interrupt: a thread that waits for SIGINT. */
#include "sdk/cli/interrupt.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static nq_client *watched; /* guarded by lock */
static atomic_int pressed;
static atomic_int current_mode;

enum { EXIT_INTERRUPTED = 130 };

static void *wait_for_signal(void *set) {
    for (;;) {
        int signal_number;
        if (sigwait(set, &signal_number) != 0) {
            continue;
        }
        int mode = atomic_load(&current_mode);
        if (mode == NQ_INTERRUPT_PROMPT) {
            continue;
        }
        bool is_second = atomic_fetch_add(&pressed, 1) > 0;
        pthread_mutex_lock(&lock);
        size_t cancelled = watched != NULL ? nq_client_cancel(watched) : 0;
        pthread_mutex_unlock(&lock);
        if (is_second || (cancelled == 0 && mode == NQ_INTERRUPT_SCRIPT)) {
            _exit(EXIT_INTERRUPTED);
        }
    }
    return NULL;
}

void nq_interrupt_start(void) {
    static sigset_t set;
    pthread_t thread;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    if (pthread_create(&thread, NULL, wait_for_signal, &set) == 0) {
        pthread_detach(thread);
    } else {
        pthread_sigmask(SIG_UNBLOCK, &set, NULL);
    }
}

void nq_interrupt_watch(nq_client *client) {
    pthread_mutex_lock(&lock);
    watched = client;
    pthread_mutex_unlock(&lock);
}

bool nq_interrupt_pending(void) {
    return atomic_load(&pressed) > 0;
}

void nq_interrupt_clear(void) {
    atomic_store(&pressed, 0);
}

void nq_interrupt_set_mode(nq_interrupt_mode mode) {
    atomic_store(&current_mode, (int)mode);
}
