/* Interrupt: Ctrl-C stops what the server is doing for us, not the program.
 *
 * SIGINT is blocked in every thread but one that waits for it and cancels the client's calls. A
 * second Ctrl-C before the first was dealt with ends the program. */
#ifndef NQ_SDK_CLI_INTERRUPT_H
#define NQ_SDK_CLI_INTERRUPT_H

#include <stdbool.h>

#include "sdk/c/nq.h"

/* Once, before any other thread is started. */
void nq_interrupt_start(void);
/* Whose calls to cancel; NULL: nobody's. */
void nq_interrupt_watch(nq_client *client);
/* True when Ctrl-C was pressed since the last clear. */
bool nq_interrupt_pending(void);
void nq_interrupt_clear(void);
/* True when a read from standard input may block; Ctrl-C then ends the program at once. */
void nq_interrupt_set_idle(bool is_idle);

#endif
