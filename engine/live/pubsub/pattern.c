/* Pattern: one pass cuts and checks; matching keeps the set of reachable pattern positions in a bit
 * mask, so that no pattern can make it exponential. */
#include "engine/live/pubsub/pattern.h"

static bool is_word_byte(uint8_t byte) {
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
           (byte >= '0' && byte <= '9') || byte == '_' || byte == '-';
}

static nq_status refuse(nq_ctx *ctx, nq_bytes text, const char *rule) {
    size_t shown = text.size < 64 ? text.size : 64;
    nq_status status =
        nq_fail(ctx, NQ_BAD_PATTERN, "\"%.*s\": %s", (int)shown, (const char *)text.data, rule);
    nq_error_set_object(&ctx->error, (const char *)text.data, text.size);
    nq_error_set_hint(&ctx->error,
                      "Names look like sensors.kitchen.temperature; in patterns * is one "
                      "token and ** any number of tokens.");
    return status;
}

static nq_status classify(nq_ctx *ctx, nq_bytes text, nq_bytes token, nq_token_kind *out_kind) {
    *out_kind = NQ_TOKEN_WORD;
    if (token.size == 0) {
        return refuse(ctx, text, "a token is empty");
    }
    if (token.data[0] == '*') {
        bool is_deep = token.size == 2 && token.data[1] == '*';
        if (token.size > 1 && !is_deep) {
            return refuse(ctx, text, "a wildcard must be a whole token: * or **");
        }
        *out_kind = is_deep ? NQ_TOKEN_DEEP : NQ_TOKEN_ONE;
        return NQ_OK;
    }
    for (size_t i = 0; i < token.size; i++) {
        if (!is_word_byte(token.data[i])) {
            return refuse(ctx, text, "tokens are letters, digits, _ and -");
        }
    }
    return NQ_OK;
}

nq_status nq_pattern_parse(nq_ctx *ctx, nq_bytes text, nq_pattern *out_pattern) {
    *out_pattern = (nq_pattern){.is_name = true};
    if (text.size == 0) {
        return refuse(ctx, text, "a channel needs a name");
    }
    if (text.size > NQ_CHANNEL_BYTES_MAX) {
        return refuse(ctx, text, "longer than 255 bytes");
    }
    uint32_t deep_count = 0;
    for (size_t start = 0; start <= text.size;) {
        const uint8_t *dot = memchr(text.data + start, '.', text.size - start);
        size_t end = dot == NULL ? text.size : (size_t)(dot - text.data);
        if (out_pattern->token_count == NQ_CHANNEL_TOKENS_MAX) {
            return refuse(ctx, text, "more than 16 tokens");
        }
        nq_bytes token = nq_bytes_of(text.data + start, end - start);
        nq_token_kind kind;
        NQ_TRY(classify(ctx, text, token, &kind));
        deep_count += kind == NQ_TOKEN_DEEP;
        if (deep_count > NQ_PATTERN_DEEP_MAX) {
            return refuse(ctx, text, "more than two **");
        }
        out_pattern->is_name = out_pattern->is_name && kind == NQ_TOKEN_WORD;
        out_pattern->tokens[out_pattern->token_count] = token;
        out_pattern->kinds[out_pattern->token_count++] = kind;
        start = end + 1;
    }
    return NQ_OK;
}

nq_status nq_channel_name_parse(nq_ctx *ctx, nq_bytes text, nq_pattern *out_name) {
    NQ_TRY(nq_pattern_parse(ctx, text, out_name));
    return out_name->is_name ? NQ_OK
                             : refuse(ctx, text, "a channel's name may not hold a wildcard");
}

/* Position i of the pattern is reachable when bit i is set; a `**` lets the next position be
 * reached for nothing. */
static uint32_t skip_deep(const nq_pattern *pattern, uint32_t reachable) {
    for (uint32_t i = 0; i < pattern->token_count; i++) {
        if ((reachable & (1U << i)) != 0 && pattern->kinds[i] == NQ_TOKEN_DEEP) {
            reachable |= 1U << (i + 1);
        }
    }
    return reachable;
}

bool nq_pattern_matches(const nq_pattern *pattern, const nq_pattern *name) {
    uint32_t reachable = skip_deep(pattern, 1);
    for (uint32_t at = 0; at < name->token_count; at++) {
        uint32_t next = 0;
        for (uint32_t i = 0; i < pattern->token_count; i++) {
            if ((reachable & (1U << i)) == 0) {
                continue;
            }
            if (pattern->kinds[i] == NQ_TOKEN_DEEP) {
                next |= 1U << i;
            } else if (pattern->kinds[i] == NQ_TOKEN_ONE ||
                       nq_bytes_equal(pattern->tokens[i], name->tokens[at])) {
                next |= 1U << (i + 1);
            }
        }
        reachable = skip_deep(pattern, next);
    }
    return (reachable & (1U << pattern->token_count)) != 0;
}
