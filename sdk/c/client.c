/* Client: one gRPC channel, and the list of calls that a cancel must reach. */
#include <stdlib.h>

#include <grpc/grpc_security.h>

#include "sdk/c/client_internal.h"

enum { MESSAGE_BYTES_MAX = 64 * 1024 * 1024 };

static grpc_channel *make_channel(const char *target, const nq_client_options *options) {
    int message_bytes_max =
        options->message_bytes_max != 0 ? (int)options->message_bytes_max : (int)MESSAGE_BYTES_MAX;
    char *agent = (char *)(options->user_agent != NULL ? options->user_agent : "libnq/0.1");
    grpc_arg list[] = {
        {.type = GRPC_ARG_INTEGER,
         .key = (char *)GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH,
         .value.integer = message_bytes_max},
        /* Two clients of one process are two connections. */
        {.type = GRPC_ARG_INTEGER,
         .key = (char *)GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL,
         .value.integer = 1},
        {.type = GRPC_ARG_STRING,
         .key = (char *)GRPC_ARG_PRIMARY_USER_AGENT_STRING,
         .value.string = agent},
        /* A server that restarts is found again within a second, not within two minutes. */
        {.type = GRPC_ARG_INTEGER,
         .key = (char *)GRPC_ARG_MAX_RECONNECT_BACKOFF_MS,
         .value.integer = 1000},
        {.type = GRPC_ARG_INTEGER, .key = (char *)GRPC_ARG_ENABLE_HTTP_PROXY, .value.integer = 0},
    };
    grpc_channel_args arguments = {.num_args = sizeof list / sizeof list[0], .args = list};
    grpc_channel_credentials *credentials = grpc_insecure_credentials_create();
    grpc_channel *channel = grpc_channel_create(target, credentials, &arguments);
    grpc_channel_credentials_release(credentials);
    return channel;
}

nq_code nq_client_open(const char *uri, const nq_client_options *options, nq_client **out_client,
                       nq_failure *out_failure) {
    static const nq_client_options defaults;
    *out_client = NULL;
    options = options != NULL ? options : &defaults;
    if (out_failure != NULL) {
        out_failure->code = NQ_CODE_RESOURCE_EXHAUSTED;
    }
    char *target = nq__target_parse(uri, out_failure);
    if (target == NULL) {
        return out_failure != NULL ? out_failure->code : NQ_CODE_INVALID_ARGUMENT;
    }
    nq_client *client = calloc(1, sizeof *client);
    if (client == NULL) {
        free(target);
        return nq__fail(out_failure, NQ_CODE_RESOURCE_EXHAUSTED, "MEMORY_LIMIT", "out of memory");
    }
    grpc_init();
    client->target = target;
    client->timeout_ms = options->timeout_ms;
    pthread_mutex_init(&client->lock, NULL);
    client->channel = make_channel(target, options);
    *out_client = client;
    return NQ_CODE_OK;
}

void nq_client_close(nq_client *client) {
    if (client == NULL) {
        return;
    }
    grpc_channel_destroy(client->channel);
    grpc_shutdown();
    pthread_mutex_destroy(&client->lock);
    free(client->target);
    free(client);
}

const char *nq_client_target(const nq_client *client) {
    return client->target;
}
