/* Meta, inside: the backslash commands, for the shell. */
#ifndef NQ_SDK_CLI_META_INTERNAL_H
#define NQ_SDK_CLI_META_INTERNAL_H

#include "sdk/cli/session.h"

/* What a command wants the shell to do next. */
typedef enum nq_meta_outcome {
    NQ_META_DONE,
    NQ_META_QUIT,
    NQ_META_FAILED, /* said why */
} nq_meta_outcome;

/* Runs one line that begins with a backslash. `last_sql` is the statement run last (for \e, \watch,
 * \g), which \e replaces. `*out_exit_code` is that of what it ran. */
nq_meta_outcome nq__meta_run(nq_session *session, const char *line, nq_text *last_sql,
                             int *out_exit_code);

/* What may stand behind a command, for completion. */
typedef enum nq_meta_argument {
    NQ_META_ARGUMENT_OTHER, /* none, or nothing to choose from */
    NQ_META_ARGUMENT_TABLE,
    NQ_META_ARGUMENT_SWITCH,
    NQ_META_ARGUMENT_FORMAT,
} nq_meta_argument;

/* The names of the commands, without the backslash; NULL behind the last. */
const char *nq__meta_name(size_t index);
nq_meta_argument nq__meta_argument(const char *name, size_t name_bytes);

#endif
