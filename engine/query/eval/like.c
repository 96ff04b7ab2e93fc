/* LIKE and ILIKE: one pass over the text, falling back only to the last `%`.
 *
 * A failed match after a `%` restarts one character further behind that `%`; an earlier one never
 * needs to be reconsidered, because whatever a longer run of it could reach, the last one reaches
 * too. So the cost is at most text × pattern, and close to linear for the patterns people write. */
#include <utf8proc.h>

#include "engine/query/eval/kernel_internal.h"

typedef struct like_cursor {
    const uint8_t *at;
    const uint8_t *end;
} like_cursor;

static size_t character_bytes(const like_cursor *cursor) {
    uint8_t lead = *cursor->at;
    size_t bytes = lead < 0x80 ? 1 : (lead < 0xE0 ? 2 : (lead < 0xF0 ? 3 : 4));
    size_t left = (size_t)(cursor->end - cursor->at);
    return bytes < left ? bytes : left;
}

static uint32_t take_character(like_cursor *cursor, bool folds) {
    size_t bytes = character_bytes(cursor);
    utf8proc_int32_t character = *cursor->at;
    if (bytes > 1) {
        (void)utf8proc_iterate(cursor->at, (utf8proc_ssize_t)bytes, &character);
    }
    cursor->at += bytes;
    return (uint32_t)(folds ? utf8proc_tolower(character) : character);
}

typedef struct like_pattern {
    uint32_t escape; /* 0: none */
    bool folds;
} like_pattern;

/* One element of the pattern: `%`, `_` or a character. */
typedef enum like_element { LIKE_RUN, LIKE_ANY, LIKE_CHARACTER, LIKE_BROKEN } like_element;

static like_element take_element(like_cursor *pattern, like_pattern how, uint32_t *out_character) {
    like_cursor before = *pattern;
    uint32_t raw = take_character(pattern, false);
    if (how.escape != 0 && raw == how.escape) {
        if (pattern->at == pattern->end) {
            return LIKE_BROKEN;
        }
        *out_character = take_character(pattern, how.folds);
        return LIKE_CHARACTER;
    }
    if (raw == '%') {
        return LIKE_RUN;
    }
    if (raw == '_') {
        return LIKE_ANY;
    }
    *out_character = how.folds ? take_character(&before, true) : raw;
    return LIKE_CHARACTER;
}

static nq_status fail_escape(nq_ctx *ctx) {
    return nq_fail(ctx, NQ_INVALID_ESCAPE, "LIKE pattern must not end with its escape character");
}

/* A byte of the pattern that stands for itself and is a whole character. */
static bool is_plain(uint8_t byte, like_pattern how) {
    return byte < 0x80 && byte != '%' && byte != '_' && byte != how.escape && !how.folds;
}

/* Where the text behind a `%` is tried next: one character on, or at the first byte that can match.
 */
static bool advance_run(like_cursor *run_text, const like_cursor *run_pattern, like_pattern how) {
    if (run_text->at == run_text->end) {
        return false;
    }
    run_text->at += character_bytes(run_text);
    if (run_pattern->at == run_pattern->end || !is_plain(*run_pattern->at, how)) {
        return true;
    }
    size_t left = (size_t)(run_text->end - run_text->at);
    const uint8_t *found = left == 0 ? NULL : memchr(run_text->at, *run_pattern->at, left);
    run_text->at = found == NULL ? run_text->end : found;
    return true;
}

static nq_status match(nq_ctx *ctx, nq_bytes text, nq_bytes pattern, like_pattern how,
                       bool *out_matches) {
    like_cursor t = {text.data, text.data + text.size};
    like_cursor p = {pattern.data, pattern.data + pattern.size};
    like_cursor run_pattern = {NULL, NULL}; /* behind the last `%`, once there was one */
    like_cursor run_text = {NULL, NULL};    /* what it covers ends here */
    *out_matches = false;
    for (;;) {
        if (p.at == p.end && t.at == t.end) {
            *out_matches = true;
            return NQ_OK;
        }
        if (p.at != p.end && t.at != t.end && *p.at == *t.at && is_plain(*p.at, how)) {
            p.at++;
            t.at++;
            continue;
        }
        if (p.at != p.end) {
            like_cursor next = p;
            uint32_t wanted = 0;
            like_element element = take_element(&next, how, &wanted);
            if (element == LIKE_BROKEN) {
                return fail_escape(ctx);
            }
            if (element == LIKE_RUN) {
                p = run_pattern = next;
                run_text = t;
                if (p.at == p.end) {
                    *out_matches = true;
                    return NQ_OK;
                }
                continue;
            }
            if (t.at != t.end) {
                like_cursor after = t;
                uint32_t found = take_character(&after, how.folds);
                if (element == LIKE_ANY || found == wanted) {
                    p = next;
                    t = after;
                    continue;
                }
            }
        }
        if (run_pattern.at == NULL || !advance_run(&run_text, &run_pattern, how)) {
            return NQ_OK;
        }
        p = run_pattern;
        t = run_text;
    }
}

nq_status nq__like_match(nq_ctx *ctx, nq_bytes text, nq_bytes pattern, uint32_t escape,
                         bool *out_matches) {
    return match(ctx, text, pattern, (like_pattern){.escape = escape, .folds = false}, out_matches);
}

/* The escape character of one row: ESCAPE '' switches it off, and more than one is refused. */
static nq_status take_escape(nq_kernel_call *call, uint32_t row, uint32_t *out_escape) {
    *out_escape = '\\';
    if (call->arg_count < 3) {
        return NQ_OK;
    }
    nq_bytes text = call->args[2]->bytes[row];
    *out_escape = 0;
    if (text.size == 0) {
        return NQ_OK;
    }
    like_cursor cursor = {text.data, text.data + text.size};
    *out_escape = take_character(&cursor, false);
    if (cursor.at != cursor.end) {
        nq_status status = nq_fail(call->ctx, NQ_INVALID_ESCAPE, "invalid escape string");
        nq_error_set_hint(&call->ctx->error, "ESCAPE takes one character, or none.");
        return status;
    }
    return NQ_OK;
}

static nq_status like(nq_kernel_call *call, bool folds, bool is_negated) {
    for (NQ_ROWS(call, row)) {
        like_pattern how = {.folds = folds};
        bool matches;
        NQ_TRY(take_escape(call, row, &how.escape));
        NQ_TRY(
            match(call->ctx, call->args[0]->bytes[row], call->args[1]->bytes[row], how, &matches));
        call->result.booleans[row] = matches != is_negated;
    }
    return NQ_OK;
}

nq_status nq__kernel_like(nq_kernel_call *call) {
    return like(call, false, false);
}

nq_status nq__kernel_not_like(nq_kernel_call *call) {
    return like(call, false, true);
}

nq_status nq__kernel_ilike(nq_kernel_call *call) {
    return like(call, true, false);
}

nq_status nq__kernel_not_ilike(nq_kernel_call *call) {
    return like(call, true, true);
}
