/* Describe: what there is to see, as tables: tables, one table, the server, running statements. */
#ifndef NQ_SDK_CLI_DESCRIBE_H
#define NQ_SDK_CLI_DESCRIBE_H

#include "sdk/cli/session.h"

/* All return an exit code. `pattern` may be NULL; * and ? are accepted beside % and _. */
int nq_describe_tables(nq_session *session, const char *pattern);
int nq_describe_table(nq_session *session, const char *name);
int nq_describe_server(nq_session *session);
int nq_describe_stats(nq_session *session, const char *pattern);
int nq_describe_queries(nq_session *session);
int nq_describe_connections(nq_session *session);
int nq_describe_channels(nq_session *session, const char *pattern);
int nq_describe_health(nq_session *session, const char *service);

#endif
