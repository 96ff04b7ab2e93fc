/* Pattern: channel names and the wildcards over them.
 *
 * A name is tokens [A-Za-z0-9_-]+ joined by '.', at most 16 of them and 255 bytes. In a pattern `*`
 * stands for exactly one token and `**` for any number, also none; at most two `**`. */
#ifndef NQ_LIVE_PUBSUB_PATTERN_H
#define NQ_LIVE_PUBSUB_PATTERN_H

#include "engine/ground/base/ctx.h"

enum { NQ_CHANNEL_BYTES_MAX = 255, NQ_CHANNEL_TOKENS_MAX = 16, NQ_PATTERN_DEEP_MAX = 2 };

typedef enum nq_token_kind {
    NQ_TOKEN_WORD,
    NQ_TOKEN_ONE,  /* * */
    NQ_TOKEN_DEEP, /* ** */
} nq_token_kind;

/* A name or pattern cut at its dots. Tokens borrow from the text. */
typedef struct nq_pattern {
    uint32_t token_count;
    bool is_name; /* no wildcard */
    nq_bytes tokens[NQ_CHANNEL_TOKENS_MAX];
    nq_token_kind kinds[NQ_CHANNEL_TOKENS_MAX];
} nq_pattern;

/* Fails with NQ_BAD_PATTERN, saying which rule and where. */
nq_status nq_pattern_parse(nq_ctx *ctx, nq_bytes text, nq_pattern *out_pattern);

/* The same for a channel's name: wildcards are refused. */
nq_status nq_channel_name_parse(nq_ctx *ctx, nq_bytes text, nq_pattern *out_name);

/* Whether a parsed pattern covers a parsed name. Linear in their lengths for each `**`. */
bool nq_pattern_matches(const nq_pattern *pattern, const nq_pattern *name);

#endif
