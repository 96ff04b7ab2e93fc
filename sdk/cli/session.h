/* Session: one connection of the shell, its transaction, and how it shows results. */
#ifndef NQ_SDK_CLI_SESSION_H
#define NQ_SDK_CLI_SESSION_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stdio.h>

#include "sdk/c/nq.h"
#include "sdk/cli/printer.h"

/* What the program returns. A call that failed: NQ_EXIT_CALL + its gRPC code. */
enum {
    NQ_EXIT_OK = 0,
    NQ_EXIT_LOCAL = 1, /* a file, a terminal, a record of the input */
    NQ_EXIT_USAGE = 2,
    NQ_EXIT_CALL = 10,
    NQ_EXIT_INTERRUPTED = 130,
};

typedef struct nq_session {
    nq_client *client;
    nq_print_options print;
    FILE *output; /* stdout, or what \o named */
    bool shows_timing;
    bool is_quiet;       /* no command tags, no notes */
    uint32_t timeout_ms; /* of one statement; 0: none */
    uint8_t transaction_id[64];
    size_t transaction_id_bytes; /* 0: none open */
    bool transaction_failed;     /* only ROLLBACK will do */
    bool cannot_stream;          /* the server does not serve ExecuteStream */
} nq_session;

/* Connects lazily; ends the program's wish to talk to a malformed address. */
int nq_session_open(nq_session *session, const char *server, double timeout_s);
void nq_session_close(nq_session *session);

/* Runs one statement and shows its result or its error. Returns an exit code. */
int nq_session_run(nq_session *session, const char *sql, size_t sql_bytes);
/* Runs statements until one fails; `keep_going`: to the end, with the first failure's exit code. */
int nq_session_run_all(nq_session *session, const char *sql, size_t sql_bytes, bool keep_going);

/* One unary call with the generated messages; the caller frees the response. The failure is shown.
 * Returns an exit code. */
int nq_session_call(nq_session *session, const char *method, const ProtobufCMessage *request,
                    const ProtobufCMessageDescriptor *response_type,
                    ProtobufCMessage **out_response);

/* Shows a failure as psql does, with the place in `sql` (may be NULL); returns its exit code. */
int nq_session_report(const nq_failure *failure, const char *sql, size_t sql_bytes);

#endif
