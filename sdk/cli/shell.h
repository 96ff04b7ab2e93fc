/* Shell: statements and backslash commands, line by line, from a person or a file. */
#ifndef NQ_SDK_CLI_SHELL_H
#define NQ_SDK_CLI_SHELL_H

#include "sdk/cli/session.h"

/* A person at a terminal: line editing, history in ~/.nq_history. Returns an exit code. */
int nq_shell_interact(nq_session *session);
/* Everything `file` holds. Stops at the first failure unless `keep_going`. Returns an exit code. */
int nq_shell_run_file(nq_session *session, FILE *file, bool keep_going);
/* -c: statements, or one backslash command. Returns an exit code. */
int nq_shell_run_text(nq_session *session, const char *text, bool keep_going);

#endif
