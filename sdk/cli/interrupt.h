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
/* Who is at the keyboard. Nobody (a script): Ctrl-C with no call under way ends the program. A
 * person whose statement runs: as the top says. A person at the prompt: nothing; there Ctrl-C is a
 * key, and one that comes as a signal was meant for a statement that has just ended. */
typedef enum nq_interrupt_mode {
    NQ_INTERRUPT_SCRIPT,
    NQ_INTERRUPT_BUSY,
    NQ_INTERRUPT_PROMPT,
} nq_interrupt_mode;

void nq_interrupt_set_mode(nq_interrupt_mode mode);

#endif
