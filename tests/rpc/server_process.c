/* Server process. */
#include "tests/rpc/server_process.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/ground/base/assert.h"

#define BINARY "server/neuroquantumd"

enum { ARGUMENTS_MAX = 24 };

static void spawn(server_process *server, char *const *arguments) {
    int pipe_fds[2];
    memset(server, 0, sizeof *server);
    NQ_ASSERT(pipe(pipe_fds) == 0);
    server->pid = fork();
    NQ_ASSERT(server->pid >= 0);
    if (server->pid == 0) {
        (void)dup2(pipe_fds[1], STDOUT_FILENO);
        (void)dup2(pipe_fds[1], STDERR_FILENO);
        close(pipe_fds[0]);
        close(pipe_fds[1]);
        execv(BINARY, arguments);
        _exit(127);
    }
    close(pipe_fds[1]);
    server->output = pipe_fds[0];
}

/* false at the end of its output. */
static bool read_more(server_process *server) {
    size_t room = sizeof server->printed - 1 - server->printed_bytes;
    if (room == 0) {
        /* The beginning is what tests look at; the rest is read so that it never blocks. */
        char rest[4096];
        return read(server->output, rest, sizeof rest) > 0;
    }
    ssize_t bytes = 0;
    do {
        bytes = read(server->output, server->printed + server->printed_bytes, room);
    } while (bytes < 0 && errno == EINTR);
    if (bytes <= 0) {
        return false;
    }
    server->printed_bytes += (size_t)bytes;
    return true;
}

void server_start(server_process *server, const char *directory, const char *const *arguments,
                  bool waits) {
    static const char mark[] = " on 127.0.0.1:";
    const char *list[ARGUMENTS_MAX] = {BINARY, "--data-dir", directory, "--listen", "127.0.0.1:0"};
    size_t count = 5;
    while (arguments != NULL && *arguments != NULL) {
        NQ_ASSERT(count < ARGUMENTS_MAX - 1);
        list[count++] = *arguments++;
    }
    spawn(server, (char *const *)list);
    const char *found = NULL;
    while (waits && (found = strstr(server->printed, mark)) == NULL) {
        NQ_ASSERT(read_more(server));
    }
    if (found != NULL) {
        server->port = (uint16_t)atoi(found + sizeof mark - 1);
        (void)snprintf(server->target, sizeof server->target, "127.0.0.1:%u", server->port);
    }
}

int server_run(server_process *server, const char *const *arguments) {
    const char *list[ARGUMENTS_MAX] = {BINARY};
    for (size_t i = 0; arguments[i] != NULL; i++) {
        list[i + 1] = arguments[i];
    }
    spawn(server, (char *const *)list);
    return server_wait(server);
}

void server_signal(const server_process *server, int number) {
    NQ_ASSERT(kill(server->pid, number) == 0);
}

void server_read_until(server_process *server, const char *text) {
    while (strstr(server->printed, text) == NULL) {
        NQ_ASSERT(read_more(server));
    }
}

int server_wait(server_process *server) {
    int status = 0;
    while (read_more(server)) {
    }
    NQ_ASSERT(waitpid(server->pid, &status, 0) == server->pid);
    close(server->output);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

void server_make_directory(char directory[256]) {
    const char *base = getenv("TEST_TMPDIR");
    (void)snprintf(directory, 256, "%s/nq-XXXXXX", base == NULL ? "/tmp" : base);
    NQ_ASSERT(mkdtemp(directory) != NULL);
}
