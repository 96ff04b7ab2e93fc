/* Cork: a short list, searched; a burst comes from a few connections. */
#include "server/rpc/cork_internal.h"

#include "server/rpc/socket_internal.h"

static bool is_held(const nq_cork *cork, int fd) {
    for (uint32_t i = 0; i < cork->socket_count; i++) {
        if (cork->sockets[i] == fd) {
            return true;
        }
    }
    return false;
}

bool nq__cork_hold(nq_cork *cork, int fd, uint32_t open_calls, int64_t now_ns) {
    if (open_calls < NQ_CORK_CALLS_MIN) {
        return false;
    }
    if (is_held(cork, fd)) {
        return true;
    }
    if (cork->socket_count == NQ_CORK_SOCKETS_MAX) {
        nq__cork_let_go(cork);
    }
    if (cork->socket_count == 0) {
        cork->answer_count = 0;
        cork->since_ns = now_ns;
    }
    nq__socket_hold_back(fd, true);
    cork->sockets[cork->socket_count++] = fd;
    return true;
}

void nq__cork_note_answer(nq_cork *cork, uint32_t open_calls, int64_t now_ns) {
    uint32_t half = open_calls / 2;
    uint32_t answers_max = half < NQ_CORK_ANSWERS_MAX ? half : NQ_CORK_ANSWERS_MAX;
    cork->answer_count++;
    if (cork->answer_count >= answers_max || now_ns - cork->since_ns > NQ_CORK_NS_MAX) {
        nq__cork_let_go(cork);
    }
}

void nq__cork_let_go(nq_cork *cork) {
    for (uint32_t i = 0; i < cork->socket_count; i++) {
        nq__socket_hold_back(cork->sockets[i], false);
    }
    cork->socket_count = 0;
}
