/* Cork: the answers of one burst leave together.
 *
 * The core writes to the socket once an answer, and that write (the segment, its way through the
 * network stack, waking the client) is the dearest part of a short call. A thread that has a whole
 * burst of calls to answer therefore tells the kernel to hold back what it writes (TCP_CORK), and
 * to let go after some answers, after a moment, or when there is nothing more to do: always before
 * it sleeps. Should anything go wrong, the kernel itself lets go after 200 ms.
 *
 * Not all are held until the end: the client would have nothing to do meanwhile, and then we. */
#ifndef NQ_SERVER_RPC_CORK_INTERNAL_H
#define NQ_SERVER_RPC_CORK_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>

enum {
    NQ_CORK_SOCKETS_MAX = 8,
    NQ_CORK_ANSWERS_MAX = 16,
    NQ_CORK_NS_MAX = 100000,
    /* With fewer calls under way on a connection, a client waits for answers more than it gains. */
    NQ_CORK_CALLS_MIN = 16,
};

/* Zeroed at first; of one thread. Sockets are remembered by number: one that was closed meanwhile,
 * even if its number means another now, is let go of without harm. */
typedef struct nq_cork {
    uint32_t socket_count; /* held back */
    uint32_t answer_count; /* written since the first of them is */
    int64_t since_ns;
    int sockets[NQ_CORK_SOCKETS_MAX];
} nq_cork;

/* Before an answer is written to `fd`, a TCP socket, while `open_calls` calls of its connection are
 * under way: holds it back, if that is worth it. `now_ns` need not be exact. */
bool nq__cork_hold(nq_cork *cork, int fd, uint32_t open_calls, int64_t now_ns);
/* After that answer was written, if it was held back: lets go when that is due. */
void nq__cork_note_answer(nq_cork *cork, uint32_t open_calls, int64_t now_ns);
void nq__cork_let_go(nq_cork *cork);

static inline bool nq__cork_is_holding(const nq_cork *cork) {
    return cork->socket_count > 0;
}

#endif
