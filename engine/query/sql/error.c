/* Error: where a failure stands in the text, and what a syntax error tells its reader. */
#include <stdio.h>

#include "engine/ground/base/utf8.h"
#include "engine/query/sql/grammar.h"
#include "engine/query/sql/sql_internal.h"

static bool is_continuation(uint8_t byte) {
    return (byte & 0xc0) == 0x80;
}

nq_position nq_sql_position(nq_bytes sql, uint32_t offset) {
    if (offset > sql.size) {
        offset = (uint32_t)sql.size;
    }
    nq_position position = {.offset = offset, .line = 1, .column = 1};
    for (uint32_t i = 0; i < offset; ++i) {
        if (sql.data[i] == '\n') {
            ++position.line;
            position.column = 1;
        } else if (!is_continuation(sql.data[i])) {
            ++position.column;
        }
    }
    return position;
}

nq_status nq_sql_fail_done(nq_ctx *ctx, nq_bytes sql, uint32_t offset, nq_status status) {
    ctx->error.position = nq_sql_position(sql, offset);
    return status;
}

nq_status nq__sql_check_utf8(nq_ctx *ctx, nq_bytes sql) {
    size_t valid = nq_utf8_valid_prefix(sql);
    const uint8_t *zero = valid == 0 ? NULL : memchr(sql.data, 0, valid);
    if (zero != NULL) {
        return nq_fail_in_sql(ctx, sql, (uint32_t)(zero - sql.data), NQ_INVALID_UTF8,
                              "the text holds U+0000");
    }
    if (valid < sql.size) {
        return nq_fail_in_sql(ctx, sql, (uint32_t)valid, NQ_INVALID_UTF8, "the text is not UTF-8");
    }
    return NQ_OK;
}

/* ---- Syntax errors ---- */

/* Listing more would not help anybody. */
enum { EXPECTED_MAX = 6 };

/* The tokens an expression may start with are told as one. */
static bool starts_expression(int code) {
    static const int starts[] = {
        NQ_TOKEN_ID,           NQ_TOKEN_LP,
        NQ_TOKEN_INTEGER,      NQ_TOKEN_NUMBER,
        NQ_TOKEN_STRING,       NQ_TOKEN_BYTES,
        NQ_TOKEN_PARAMETER,    NQ_TOKEN_NULL,
        NQ_TOKEN_TRUE,         NQ_TOKEN_FALSE,
        NQ_TOKEN_NOT,          NQ_TOKEN_EXISTS,
        NQ_TOKEN_CASE,         NQ_TOKEN_CAST,
        NQ_TOKEN_PLUS,         NQ_TOKEN_MINUS,
        NQ_TOKEN_TILDE,        NQ_TOKEN_TIMESTAMP,
        NQ_TOKEN_TIME,         NQ_TOKEN_DOUBLE,
        NQ_TOKEN_LEFT,         NQ_TOKEN_RIGHT,
        NQ_TOKEN_EXTRACT,      NQ_TOKEN_SUBSTRING,
        NQ_TOKEN_TRIM,         NQ_TOKEN_CURRENT_DATE,
        NQ_TOKEN_CURRENT_TIME, NQ_TOKEN_CURRENT_TIMESTAMP,
        NQ_TOKEN_LOCALTIME,    NQ_TOKEN_LOCALTIMESTAMP,
    };
    for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); ++i) {
        if (starts[i] == code) {
            return true;
        }
    }
    return false;
}

/* ", expected X, Y or Z" into `out`, or nothing when the list would be long. */
static void describe_expected(const void *grammar, char *out, size_t out_bytes) {
    const char *names[EXPECTED_MAX];
    uint32_t count = 0;
    bool is_expression = nq__grammar_accepts(grammar, NQ_TOKEN_INTEGER) &&
                         nq__grammar_accepts(grammar, NQ_TOKEN_CASE);
    out[0] = '\0';
    if (is_expression) {
        names[count++] = "an expression";
    }
    for (int code = 0; code < NQ__TOKEN_COUNT; ++code) {
        if ((is_expression && starts_expression(code)) || code == NQ_TOKEN_SEMICOLON ||
            !nq__grammar_accepts(grammar, code)) {
            continue;
        }
        if (count == EXPECTED_MAX) {
            return;
        }
        names[count++] = nq__token_describe(code);
    }
    size_t used = 0;
    for (uint32_t i = 0; i < count && used < out_bytes; ++i) {
        const char *before = i == 0 ? "; expected " : i + 1 == count ? " or " : ", ";
        int written = snprintf(out + used, out_bytes - used, "%s%s", before, names[i]);
        used += written > 0 ? (size_t)written : 0;
    }
}

static bool is_foreign(int code) {
    nq__keyword_class class = nq__keyword_get_class(code);
    return class == NQ__KEYWORD_FOREIGN || class == NQ__KEYWORD_FOREIGN_RESERVED ||
           code == NQ_TOKEN_ARROW || code == NQ_TOKEN_ARROW_TEXT || code == NQ_TOKEN_MATCH_FOLD ||
           code == NQ_TOKEN_NOT_MATCH || code == NQ_TOKEN_NOT_MATCH_FOLD ||
           code == NQ_TOKEN_TILDE || code == NQ_TOKEN_LBRACKET;
}

void nq__parser_unexpected(nq_parser *p, int code, nq_sql_token token, const void *grammar) {
    if (p->status != NQ_OK) {
        return;
    }
    nq_bytes text = nq__parser_text(p, token);
    if (is_foreign(code)) {
        nq__parser_fail(p, token.offset, NQ_FEATURE_UNSUPPORTED,
                        "%.*s is not supported by this version", NQ_BYTES_FORMAT(text));
        nq_error_set_object(&p->ctx->error, (const char *)text.data, text.size);
        return;
    }
    char expected[NQ_ERROR_MESSAGE_BYTES];
    describe_expected(grammar, expected, sizeof(expected));
    if (code == 0) {
        nq__parser_fail(p, token.offset, NQ_SQL_SYNTAX,
                        "syntax error at the end of the statement%s", expected);
        return;
    }
    nq__parser_fail(p, token.offset, NQ_SQL_SYNTAX, "syntax error at \"%.*s\"%s",
                    (int)(text.size > 60 ? 60 : text.size), (const char *)text.data, expected);
    nq_error_set_object(&p->ctx->error, (const char *)text.data, text.size);
}

void nq__parser_refuse(nq_parser *p, nq_sql_token at, const char *what) {
    nq__parser_fail(p, at.offset, NQ_FEATURE_UNSUPPORTED, "%s is not supported by this version",
                    what);
}

void nq__parser_too_deep(nq_parser *p) {
    if (p->status == NQ_OK) {
        p->status = nq_fail(p->ctx, NQ_STATEMENT_TOO_COMPLEX, "the statement is nested too deeply");
    }
}

/* ---- The caret ---- */

enum { CARET_CONTEXT = 60 }; /* characters kept on either side of the place */

static uint32_t step_back(nq_bytes sql, uint32_t at, uint32_t low, uint32_t characters) {
    while (at > low && characters > 0) {
        --at;
        characters -= !is_continuation(sql.data[at]);
    }
    return at;
}

static uint32_t step_forward(nq_bytes sql, uint32_t at, uint32_t high, uint32_t characters) {
    while (at < high && characters > 0) {
        ++at;
        while (at < high && is_continuation(sql.data[at])) {
            ++at;
        }
        --characters;
    }
    return at;
}

typedef struct line_buffer {
    char *text;
    size_t size, capacity;
} line_buffer;

static void put(line_buffer *out, const char *text, size_t size) {
    if (out->size + size + 1 > out->capacity) {
        out->capacity = out->size + 1; /* whole characters only, and nothing after the first cut */
        return;
    }
    memcpy(out->text + out->size, text, size);
    out->size += size;
}

size_t nq_sql_caret(nq_bytes sql, nq_position position, char *out_text, size_t text_bytes) {
    if (text_bytes == 0) {
        return 0;
    }
    uint32_t place = position.offset > sql.size ? (uint32_t)sql.size : position.offset;
    uint32_t low = place, high = place;
    while (low > 0 && sql.data[low - 1] != '\n') {
        --low;
    }
    while (high < sql.size && sql.data[high] != '\n') {
        ++high;
    }
    uint32_t start = step_back(sql, place, low, CARET_CONTEXT);
    uint32_t end = step_forward(sql, place, high, CARET_CONTEXT);
    line_buffer out = {out_text, 0, text_bytes};
    char label[40];
    int label_size =
        snprintf(label, sizeof(label), "LINE %u: %s", position.line, start > low ? "..." : "");
    put(&out, label, (size_t)label_size);
    uint32_t indent = (uint32_t)label_size;
    for (uint32_t at = start; at < end;) {
        uint32_t next = step_forward(sql, at, end, 1);
        bool is_blank = sql.data[at] == '\t' || sql.data[at] == '\r';
        put(&out, is_blank ? " " : (const char *)sql.data + at, is_blank ? 1 : next - at);
        indent += at < place;
        at = next;
    }
    put(&out, end < high ? "...\n" : "\n", end < high ? 4 : 1);
    for (uint32_t i = 0; i < indent; ++i) {
        put(&out, " ", 1);
    }
    put(&out, "^", 1);
    out_text[out.size] = '\0';
    return out.size;
}
