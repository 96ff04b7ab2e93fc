/* Core version: 1.51 declares server credentials in grpc_security.h; later cores moved them to
 * credentials.h and route sockets through an event engine whose own thread pool costs a fifth to
 * two fifths of the unary throughput on one core, unless it is told not to. */
#define _GNU_SOURCE
#include "server/rpc/core_version_internal.h"

/* The core's headers carry no version number; each of these appeared with what we ask about. */
#if __has_include(<grpc/credentials.h>)
#include <grpc/credentials.h>
#endif
#if __has_include(<grpc/grpc_audit_logging.h>)
#define NQ_CORE_HAS_EVENT_ENGINE_LISTENER 1
#else
#define NQ_CORE_HAS_EVENT_ENGINE_LISTENER 0
#endif
#include <grpc/grpc_security.h>
#include <grpc/support/alloc.h>

#include <stdlib.h>
#include <string.h>

void nq__core_init(void) {
#if NQ_CORE_HAS_EVENT_ENGINE_LISTENER
    /* Respected only if nobody chose otherwise. Must precede the first grpc_init. */
    (void)setenv("GRPC_EXPERIMENTS",
                 "-event_engine_listener,-event_engine_client,-event_engine_dns", 0);
#endif
    grpc_init();
}

void nq__core_add_socket(grpc_server *server, int fd) {
    grpc_server_credentials *credentials = grpc_insecure_server_credentials_create();
    grpc_server_add_channel_from_fd(server, fd, credentials);
    grpc_server_credentials_release(credentials);
}

int nq__core_call_socket(grpc_call *call) {
    char *peer = grpc_call_get_peer(call);
    long fd = -1;
    if (peer != NULL && strncmp(peer, "fd:", 3) == 0) {
        char *end = NULL;
        fd = strtol(peer + 3, &end, 10);
        fd = end == peer + 3 || *end != '\0' || fd < 0 || fd > INT32_MAX ? -1 : fd;
    }
    gpr_free(peer);
    return (int)fd;
}

/* The core tells its own number, which several releases share, and what their 'g' stands for, which
 * names one: doc/g_stands_for.md in gRPC's source. From Debian 12's on. */
static const struct {
    const char *stands_for;
    const char *release;
} releases[] = {
    {"galaxy", "1.51"},     {"gribkoff", "1.52"},    {"glockenspiel", "1.53"}, {"gracious", "1.54"},
    {"grandslam", "1.55"},  {"galvanized", "1.56"},  {"grounded", "1.57"},     {"goku", "1.58"},
    {"generative", "1.59"}, {"gjallarhorn", "1.60"},
};

const char *nq__core_release(void) {
    const char *stands_for = grpc_g_stands_for();
    for (size_t i = 0; i < sizeof releases / sizeof releases[0]; i++) {
        if (strcmp(stands_for, releases[i].stands_for) == 0) {
            return releases[i].release;
        }
    }
    return NULL;
}
