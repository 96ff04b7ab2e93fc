/* Server process: the real binary, started on a directory of its own and a free port. */
#ifndef NQ_TESTS_RPC_SERVER_PROCESS_H
#define NQ_TESTS_RPC_SERVER_PROCESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

typedef struct server_process {
    pid_t pid;
    int output; /* its standard output and error */
    uint16_t port;
    char target[64];     /* "127.0.0.1:port" */
    char printed[65536]; /* what it has printed so far */
    size_t printed_bytes;
} server_process;

/* Starts `server:neuroquantumd` with --data-dir and --listen, and further arguments
 * (NULL-terminated; may be NULL). With `waits` returns when it has said where it listens. */
void server_start(server_process *server, const char *directory, const char *const *arguments,
                  bool waits);

/* Runs it with these arguments alone until it ends; returns its exit code. */
int server_run(server_process *server, const char *const *arguments);

void server_signal(const server_process *server, int number);

/* Reads until it has printed `text`. */
void server_read_until(server_process *server, const char *text);

/* Reads until it ends; returns the exit code, or -signal. */
int server_wait(server_process *server);

/* A fresh directory under TEST_TMPDIR. */
void server_make_directory(char directory[256]);

#endif
