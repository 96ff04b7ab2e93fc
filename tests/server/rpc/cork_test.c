/* Cork: answers are held back while more are coming, and never longer than that. */
#include "server/rpc/cork_internal.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static int open_socket(void) {
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(fd >= 0);
    return fd;
}

static bool is_held_back(int fd) {
    int value = -1;
    socklen_t value_bytes = sizeof(value);
    assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_CORK, &value, &value_bytes), 0);
    return value != 0;
}

/* How many answers are written, at the time `now_ns`, until the socket is let go of. */
static uint32_t answers_until_let_go(nq_cork *cork, int fd, uint32_t open_calls, int64_t now_ns) {
    uint32_t count = 0;
    do {
        assert_true(nq__cork_hold(cork, fd, open_calls, now_ns));
        assert_true(is_held_back(fd));
        nq__cork_note_answer(cork, open_calls, now_ns);
        count++;
    } while (is_held_back(fd));
    assert_false(nq__cork_is_holding(cork));
    return count;
}

static void few_calls_are_answered_one_by_one(void **state) {
    nq_cork cork = {0};
    int fd = open_socket();
    assert_false(nq__cork_hold(&cork, fd, NQ_CORK_CALLS_MIN - 1, 0));
    assert_false(is_held_back(fd));
    assert_false(nq__cork_is_holding(&cork));
    close(fd);
}

static void of_a_burst_half_leaves_together_but_not_too_many(void **state) {
    nq_cork cork = {0};
    int fd = open_socket();
    assert_int_equal(answers_until_let_go(&cork, fd, 16, 0), 8);
    assert_int_equal(answers_until_let_go(&cork, fd, 20, 0), 10);
    assert_int_equal(answers_until_let_go(&cork, fd, 1000, 0), NQ_CORK_ANSWERS_MAX);
    close(fd);
}

static void no_answer_waits_long_for_the_next(void **state) {
    nq_cork cork = {0};
    int fd = open_socket();
    assert_true(nq__cork_hold(&cork, fd, 64, 1000));
    nq__cork_note_answer(&cork, 64, 1000);
    assert_true(is_held_back(fd));
    assert_true(nq__cork_hold(&cork, fd, 64, 1000 + NQ_CORK_NS_MAX + 1));
    nq__cork_note_answer(&cork, 64, 1000 + NQ_CORK_NS_MAX + 1);
    assert_false(is_held_back(fd));
    close(fd);
}

static void letting_go_reaches_every_socket(void **state) {
    nq_cork cork = {0};
    int fds[NQ_CORK_SOCKETS_MAX + 1];
    for (int i = 0; i < NQ_CORK_SOCKETS_MAX; i++) {
        fds[i] = open_socket();
        assert_true(nq__cork_hold(&cork, fds[i], 64, 0));
        assert_true(is_held_back(fds[i]));
    }
    /* One more than can be remembered: the others go first. */
    fds[NQ_CORK_SOCKETS_MAX] = open_socket();
    assert_true(nq__cork_hold(&cork, fds[NQ_CORK_SOCKETS_MAX], 64, 0));
    for (int i = 0; i <= NQ_CORK_SOCKETS_MAX; i++) {
        assert_int_equal(is_held_back(fds[i]), i == NQ_CORK_SOCKETS_MAX);
    }
    close(fds[0]); /* a number that is gone does no harm */
    nq__cork_let_go(&cork);
    assert_false(nq__cork_is_holding(&cork));
    for (int i = 1; i <= NQ_CORK_SOCKETS_MAX; i++) {
        assert_false(is_held_back(fds[i]));
        close(fds[i]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(few_calls_are_answered_one_by_one),
        cmocka_unit_test(of_a_burst_half_leaves_together_but_not_too_many),
        cmocka_unit_test(no_answer_waits_long_for_the_next),
        cmocka_unit_test(letting_go_reaches_every_socket),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
