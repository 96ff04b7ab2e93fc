/* Channels: publishing and subscribing from the command line. */
#ifndef NQ_SDK_CLI_CHANNELS_H
#define NQ_SDK_CLI_CHANNELS_H

#include "sdk/cli/session.h"

typedef struct nq_publish_options {
    const char *channel;
    const char *payload; /* "-": standard input */
    const char *key;     /* NULL: none */
    bool by_line;        /* each line of standard input is a message */
} nq_publish_options;

/* Returns an exit code. */
int nq_publish(nq_session *session, const nq_publish_options *options);

typedef struct nq_subscribe_options {
    const char *const *patterns;
    size_t pattern_count;
    uint64_t history; /* messages of each channel to begin with */
    bool from_earliest;
    bool as_json;
    uint64_t count; /* stop after so many; 0: never */
    double seconds; /* stop after so long; 0: never */
} nq_subscribe_options;

/* Until Ctrl-C, the end of the feed, or what the options say. Returns an exit code. */
int nq_subscribe(nq_session *session, const nq_subscribe_options *options);

#endif
