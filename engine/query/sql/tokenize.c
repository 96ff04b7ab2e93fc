/* Tokenize: text to tokens, one class-table step per byte.
 *
 * The whole text has been found to be UTF-8 without U+0000 before the first token is asked for, so
 * a byte above 127 is part of a letter and names may hold any script. */
#include "engine/query/sql/sql_internal.h"

#include "engine/query/sql/grammar.h"

/* What a byte can begin or continue. */
enum {
    NAME_START = 1, /* a letter, _ or part of a non-ASCII character */
    DIGIT = 2,
    BLANK = 4,
    HEX = 8,
};

enum { B = BLANK, D = DIGIT | HEX, H = NAME_START | HEX, N = NAME_START };

/* clang-format off */
static const uint8_t classes[256] = {
    0, 0, 0, 0, 0, 0, 0, 0, 0, B, B, B, B, B, 0, 0, /* 00 */
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, /* 10 */
    B, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, /* 20 */
    D, D, D, D, D, D, D, D, D, D, 0, 0, 0, 0, 0, 0, /* 30 */
    0, H, H, H, H, H, H, N, N, N, N, N, N, N, N, N, /* 40 */
    N, N, N, N, N, N, N, N, N, N, N, 0, 0, 0, 0, N, /* 50 */
    0, H, H, H, H, H, H, N, N, N, N, N, N, N, N, N, /* 60 */
    N, N, N, N, N, N, N, N, N, N, N, 0, 0, 0, 0, 0, /* 70 */
    N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, /* 80 */
    N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, /* 90 */
    N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, /* a0 */
    N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, /* b0 */
    N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, /* c0 */
    N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, /* d0 */
    N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, /* e0 */
    N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, /* f0 */
};
/* clang-format on */

static bool is_class(uint8_t byte, uint8_t mask) {
    return (classes[byte] & mask) != 0;
}

/* The byte `ahead` of `at`, or 0 beyond the end: 0 cannot be in the text. */
static uint8_t peek(nq_bytes sql, uint32_t at, uint32_t ahead) {
    return at + ahead < sql.size ? sql.data[at + ahead] : 0;
}

static uint32_t skip_class(nq_bytes sql, uint32_t at, uint8_t mask) {
    while (at < sql.size && is_class(sql.data[at], mask)) {
        ++at;
    }
    return at;
}

/* Past blanks and comments, which nest. */
static nq_status skip_blanks(nq_ctx *ctx, nq_bytes sql, uint32_t *in_out_at) {
    uint32_t at = *in_out_at;
    for (;;) {
        at = skip_class(sql, at, BLANK);
        if (peek(sql, at, 0) == '-' && peek(sql, at, 1) == '-') {
            while (at < sql.size && sql.data[at] != '\n') {
                ++at;
            }
        } else if (peek(sql, at, 0) == '/' && peek(sql, at, 1) == '*') {
            uint32_t start = at, depth = 0;
            do {
                if (at >= sql.size) {
                    return nq_fail_in_sql(ctx, sql, start, NQ_SQL_SYNTAX,
                                          "the comment is never closed");
                }
                if (sql.data[at] == '/' && peek(sql, at, 1) == '*') {
                    ++depth;
                    at += 2;
                } else if (sql.data[at] == '*' && peek(sql, at, 1) == '/') {
                    --depth;
                    at += 2;
                } else {
                    ++at;
                }
            } while (depth > 0);
        } else {
            *in_out_at = at;
            return NQ_OK;
        }
    }
}

/* From the opening quote at `at` to past the closing one; a doubled quote is part of the text. */
static nq_status scan_quoted(nq_ctx *ctx, nq_bytes sql, uint32_t start, uint32_t at,
                             bool has_backslashes, uint32_t *out_end) {
    uint8_t quote = sql.data[at];
    for (++at; at < sql.size; ++at) {
        if (sql.data[at] == quote) {
            if (peek(sql, at, 1) != quote) {
                *out_end = at + 1;
                return NQ_OK;
            }
            ++at;
        } else if (has_backslashes && sql.data[at] == '\\') {
            ++at;
        }
    }
    return nq_fail_in_sql(ctx, sql, start, NQ_SQL_SYNTAX, "the quoted %s is never closed",
                          quote == '"' ? "name" : "string");
}

/* $tag$ ... $tag$; `at` is at the first $. */
static nq_status scan_dollar_quoted(nq_ctx *ctx, nq_bytes sql, uint32_t start, uint32_t *out_end) {
    uint32_t body = skip_class(sql, start + 1, NAME_START | DIGIT) + 1;
    uint32_t tag_size = body - start;
    for (uint32_t at = body; at + tag_size <= sql.size; ++at) {
        if (sql.data[at] == '$' && memcmp(sql.data + at, sql.data + start, tag_size) == 0) {
            *out_end = at + tag_size;
            return NQ_OK;
        }
    }
    return nq_fail_in_sql(ctx, sql, start, NQ_SQL_SYNTAX,
                          "the string quoted with %.*s is never closed",
                          (int)(tag_size > 40 ? 40 : tag_size), (const char *)sql.data + start);
}

static bool is_dollar_quote(nq_bytes sql, uint32_t at) {
    if (is_class(peek(sql, at, 1), DIGIT)) {
        return false;
    }
    return peek(sql, skip_class(sql, at + 1, NAME_START | DIGIT), 0) == '$';
}

static nq_status scan_number(nq_ctx *ctx, nq_bytes sql, uint32_t start, int *out_code,
                             uint32_t *out_end) {
    uint32_t at = start;
    *out_code = NQ_TOKEN_INTEGER;
    if (peek(sql, at, 0) == '0' && (peek(sql, at, 1) == 'x' || peek(sql, at, 1) == 'X')) {
        at = skip_class(sql, at + 2, HEX);
        if (at == start + 2) {
            return nq_fail_in_sql(ctx, sql, start, NQ_SQL_SYNTAX, "0x is followed by no digits");
        }
    } else {
        at = skip_class(sql, at, DIGIT);
        if (peek(sql, at, 0) == '.') {
            *out_code = NQ_TOKEN_NUMBER;
            at = skip_class(sql, at + 1, DIGIT);
        }
        if (peek(sql, at, 0) == 'e' || peek(sql, at, 0) == 'E') {
            uint32_t digits = at + 1;
            if (peek(sql, digits, 0) == '+' || peek(sql, digits, 0) == '-') {
                ++digits;
            }
            if (!is_class(peek(sql, digits, 0), DIGIT)) {
                return nq_fail_in_sql(ctx, sql, start, NQ_SQL_SYNTAX, "the exponent has no digits");
            }
            *out_code = NQ_TOKEN_NUMBER;
            at = skip_class(sql, digits, DIGIT);
        }
    }
    if (is_class(peek(sql, at, 0), NAME_START)) {
        return nq_fail_in_sql(ctx, sql, start, NQ_SQL_SYNTAX,
                              "letters follow the number without a blank");
    }
    *out_end = at;
    return NQ_OK;
}

/* A name, a keyword, or a string with a prefix: E'..', X'..'. */
static nq_status scan_word(nq_ctx *ctx, nq_bytes sql, uint32_t start, int *out_code,
                           uint32_t *out_end) {
    uint8_t first = sql.data[start] | 0x20, second = peek(sql, start, 1);
    if (second == '\'' && first == 'e') {
        *out_code = NQ_TOKEN_STRING;
        return scan_quoted(ctx, sql, start, start + 1, true, out_end);
    }
    if (second == '\'' && first == 'x') {
        *out_code = NQ_TOKEN_BYTES;
        return scan_quoted(ctx, sql, start, start + 1, false, out_end);
    }
    if (second == '&' && first == 'u' &&
        (peek(sql, start, 2) == '\'' || peek(sql, start, 2) == '"')) {
        return nq_fail_in_sql(ctx, sql, start, NQ_FEATURE_UNSUPPORTED,
                              "U& escapes are not supported by this version");
    }
    uint32_t at = start;
    while (at < sql.size && (is_class(sql.data[at], NAME_START | DIGIT) || sql.data[at] == '$')) {
        ++at;
    }
    *out_end = at;
    *out_code = nq__keyword_find(nq_bytes_of(sql.data + start, at - start));
    if (*out_code == 0) {
        *out_code = NQ_TOKEN_ID;
    }
    return NQ_OK;
}

/* Signs, the longer first. */
static const struct {
    char text[4];
    uint8_t size;
    int code;
} signs[] = {
    {"->>", 3, NQ_TOKEN_ARROW_TEXT}, {"!~*", 3, NQ_TOKEN_NOT_MATCH_FOLD},
    {"->", 2, NQ_TOKEN_ARROW},       {"!~", 2, NQ_TOKEN_NOT_MATCH},
    {"~*", 2, NQ_TOKEN_MATCH_FOLD},  {"::", 2, NQ_TOKEN_COLON_COLON},
    {"||", 2, NQ_TOKEN_CONCAT},      {"<>", 2, NQ_TOKEN_NE},
    {"!=", 2, NQ_TOKEN_NE},          {"<=", 2, NQ_TOKEN_LE},
    {">=", 2, NQ_TOKEN_GE},          {"<<", 2, NQ_TOKEN_LSHIFT},
    {">>", 2, NQ_TOKEN_RSHIFT},      {"(", 1, NQ_TOKEN_LP},
    {")", 1, NQ_TOKEN_RP},           {",", 1, NQ_TOKEN_COMMA},
    {"=", 1, NQ_TOKEN_EQ},           {"*", 1, NQ_TOKEN_STAR},
    {".", 1, NQ_TOKEN_DOT},          {";", 1, NQ_TOKEN_SEMICOLON},
    {"+", 1, NQ_TOKEN_PLUS},         {"-", 1, NQ_TOKEN_MINUS},
    {"<", 1, NQ_TOKEN_LT},           {">", 1, NQ_TOKEN_GT},
    {"/", 1, NQ_TOKEN_SLASH},        {"%", 1, NQ_TOKEN_PERCENT},
    {"^", 1, NQ_TOKEN_CARET},        {"&", 1, NQ_TOKEN_BITAND},
    {"|", 1, NQ_TOKEN_BITOR},        {"#", 1, NQ_TOKEN_HASH},
    {"~", 1, NQ_TOKEN_TILDE},        {"[", 1, NQ_TOKEN_LBRACKET},
    {"]", 1, NQ_TOKEN_RBRACKET},
};

static nq_status scan_sign(nq_ctx *ctx, nq_bytes sql, uint32_t start, int *out_code,
                           uint32_t *out_end) {
    for (size_t i = 0; i < sizeof(signs) / sizeof(signs[0]); ++i) {
        if (start + signs[i].size <= sql.size &&
            memcmp(sql.data + start, signs[i].text, signs[i].size) == 0) {
            *out_code = signs[i].code;
            *out_end = start + signs[i].size;
            return NQ_OK;
        }
    }
    nq_status status = nq_fail_in_sql(ctx, sql, start, NQ_SQL_SYNTAX, "unexpected character \"%c\"",
                                      (char)sql.data[start]);
    if (sql.data[start] == '?') {
        nq_error_set_hint(&ctx->error, "Write parameters as $1, $2 or as :name.");
    }
    return status;
}

/* $1 or :name; the token spans sign and all. */
static nq_status scan_parameter(nq_ctx *ctx, nq_bytes sql, uint32_t start, int *out_code,
                                uint32_t *out_end) {
    *out_code = NQ_TOKEN_PARAMETER;
    uint8_t mask = sql.data[start] == '$' ? DIGIT : NAME_START | DIGIT;
    *out_end = skip_class(sql, start + 1, mask);
    if (is_class(peek(sql, *out_end, 0), NAME_START)) {
        return nq_fail_in_sql(ctx, sql, start, NQ_SQL_SYNTAX,
                              "letters follow the parameter without a blank");
    }
    return NQ_OK;
}

static nq_status scan(nq_ctx *ctx, nq_bytes sql, uint32_t start, int *out_code, uint32_t *out_end) {
    uint8_t first = sql.data[start], second = peek(sql, start, 1);
    if (is_class(first, NAME_START)) {
        return scan_word(ctx, sql, start, out_code, out_end);
    }
    if (is_class(first, DIGIT) || (first == '.' && is_class(second, DIGIT))) {
        return scan_number(ctx, sql, start, out_code, out_end);
    }
    if (first == '\'') {
        *out_code = NQ_TOKEN_STRING;
        return scan_quoted(ctx, sql, start, start, false, out_end);
    }
    if (first == '"') {
        *out_code = NQ_TOKEN_ID;
        return scan_quoted(ctx, sql, start, start, false, out_end);
    }
    if (first == '$' && is_dollar_quote(sql, start)) {
        *out_code = NQ_TOKEN_STRING;
        return scan_dollar_quoted(ctx, sql, start, out_end);
    }
    if ((first == '$' && is_class(second, DIGIT)) ||
        (first == ':' && is_class(second, NAME_START))) {
        return scan_parameter(ctx, sql, start, out_code, out_end);
    }
    return scan_sign(ctx, sql, start, out_code, out_end);
}

nq_status nq__token_next(nq_ctx *ctx, nq__tokenizer *tokenizer, int *out_code,
                         nq_sql_token *out_token) {
    *out_code = 0;
    nq_bytes sql = tokenizer->sql;
    NQ_TRY(skip_blanks(ctx, sql, &tokenizer->at));
    uint32_t start = tokenizer->at;
    *out_token = (nq_sql_token){start, 0};
    if (start >= sql.size) {
        return NQ_OK;
    }
    NQ_TRY(scan(ctx, sql, start, out_code, &tokenizer->at));
    out_token->size = tokenizer->at - start;
    return NQ_OK;
}
