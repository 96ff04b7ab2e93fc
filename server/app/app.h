/* App: the server as one object, from configuration to the last byte written.
 *
 *     open: database → registries → workers → network        close: the same, backwards
 *
 * Nothing below knows the process: signals, exit codes and what is printed are main's. */
#ifndef NQ_SERVER_APP_APP_H
#define NQ_SERVER_APP_APP_H

#include "server/service/service.h"

typedef struct nq_app nq_app;

/* Where an open failed, for the exit code. */
typedef enum nq_app_stage {
    NQ_STAGE_START,    /* threads, memory */
    NQ_STAGE_DATABASE, /* the data directory */
    NQ_STAGE_LISTEN,   /* the addresses */
} nq_app_stage;

/* Opens the database, listens and serves. `config` must outlive the app. `request_drain` is called
 * (on any thread) when a client asks for a drain. */
nq_status nq_app_open(nq_ctx *ctx, const nq_config *config,
                      void (*request_drain)(void *self, int64_t grace_ns), void *self,
                      nq_app **out_app, nq_app_stage *out_stage);

/* The port that was bound: the configured one, or the one the kernel chose. */
uint16_t nq_app_port(const nq_app *app);

/* Stops taking calls, gives those under way `grace_ms`. Blocks; any thread. */
void nq_app_drain(nq_app *app, uint32_t grace_ms);

/* Drains with no grace if that was not done, closes the database with a checkpoint. NULL is
 * allowed. */
nq_status nq_app_close(nq_ctx *ctx, nq_app *app);

#endif
