/* Session: SQL text in, rows out, over engine/api on a simulated disk — what a client of the server
 * gets, without the server. Transaction control is carried out as the service carries it out. */
#ifndef NQ_TESTS_SQL_SESSION_H
#define NQ_TESTS_SQL_SESSION_H

#include "engine/api/database.h"
#include "engine/ground/os/sim_vfs.h"

typedef struct nq_session {
    nq_ctx ctx;
    nq_arena arena; /* reset for each statement */
    nq_sim_vfs *disk;
    nq_database *database;
    nq_transaction *transaction; /* NULL: autocommit */
    uint32_t rows_max;           /* of one batch; 0: the engine's choice */
} nq_session;

/* Called for each row; the batch is valid during the call. */
typedef void (*session_row)(void *user, const nq_batch *batch, uint32_t row);

/* A new database on a new disk. */
nq_status session_open(nq_session *s);
/* Another session on the same database, for concurrency. */
void session_join(nq_session *s, const nq_session *other);
void session_leave(nq_session *s);
void session_close(nq_session *s);

/* Runs one statement to its end. `out_affected` may be NULL. */
nq_status session_run(nq_session *s, nq_bytes sql, const nq_parameter *parameters,
                      uint32_t parameter_count, session_row visit, void *user,
                      uint64_t *out_affected);

#endif
