/* Split: a scanner of just enough SQL to find statement ends and words. */
#include "sdk/cli/split.h"

#include <string.h>

static bool is_word(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           (unsigned char)c >= 0x80;
}

static bool is_blank(char c) {
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v';
}

/* After the closing quote, or the end. */
static size_t skip_quoted(const char *sql, size_t bytes, size_t at, bool has_backslashes) {
    char quote = sql[at++];
    while (at < bytes) {
        if (has_backslashes && sql[at] == '\\') {
            at += 2;
        } else if (sql[at] != quote) {
            at++;
        } else if (at + 1 < bytes && sql[at + 1] == quote) {
            at += 2;
        } else {
            return at + 1;
        }
    }
    return bytes;
}

static size_t skip_comment(const char *sql, size_t bytes, size_t at) {
    size_t depth = 0;
    while (at < bytes) {
        if (strncmp(sql + at, "/*", 2) == 0 && at + 1 < bytes) {
            depth++;
            at += 2;
        } else if (strncmp(sql + at, "*/", 2) == 0 && at + 1 < bytes) {
            at += 2;
            if (--depth == 0) {
                return at;
            }
        } else {
            at++;
        }
    }
    return bytes;
}

/* $tag$ … $tag$; `at` itself when it is no such thing ($1). */
static size_t skip_dollar_quoted(const char *sql, size_t bytes, size_t at) {
    size_t tag_end = at + 1;
    if (tag_end < bytes && sql[tag_end] >= '0' && sql[tag_end] <= '9') {
        return at;
    }
    while (tag_end < bytes && is_word(sql[tag_end])) {
        tag_end++;
    }
    if (tag_end >= bytes || sql[tag_end] != '$') {
        return at;
    }
    size_t tag_bytes = tag_end + 1 - at;
    for (size_t i = tag_end + 1; i + tag_bytes <= bytes; i++) {
        if (memcmp(sql + i, sql + at, tag_bytes) == 0) {
            return i + tag_bytes;
        }
    }
    return bytes;
}

/* Past a blank or a comment at `at`; `at` itself when there is none. */
static size_t skip_space(const char *sql, size_t bytes, size_t at) {
    if (is_blank(sql[at])) {
        return at + 1;
    }
    if (at + 1 < bytes && sql[at] == '-' && sql[at + 1] == '-') {
        const char *newline = memchr(sql + at, '\n', bytes - at);
        return newline != NULL ? (size_t)(newline - sql) + 1 : bytes;
    }
    if (at + 1 < bytes && sql[at] == '/' && sql[at + 1] == '*') {
        return skip_comment(sql, bytes, at);
    }
    return at;
}

/* Past one token or one character at `at`, which is neither blank nor comment. */
static size_t skip_token(const char *sql, size_t bytes, size_t at) {
    if (sql[at] == '\'' || sql[at] == '"') {
        return skip_quoted(sql, bytes, at, false);
    }
    if ((sql[at] == 'e' || sql[at] == 'E') && at + 1 < bytes && sql[at + 1] == '\'') {
        return skip_quoted(sql, bytes, at + 1, true);
    }
    if (sql[at] == '$') {
        size_t after = skip_dollar_quoted(sql, bytes, at);
        return after != at ? after : at + 1;
    }
    if (is_word(sql[at])) {
        while (at < bytes && is_word(sql[at])) {
            at++;
        }
        return at;
    }
    return at + 1;
}

size_t nq_statement_skip(const char *sql, size_t bytes, size_t at) {
    size_t after = skip_space(sql, bytes, at);
    after = after != at ? after : skip_token(sql, bytes, at);
    return after < bytes ? after : bytes;
}

nq_statement_span nq_statement_find(const char *sql, size_t bytes, size_t from) {
    nq_statement_span span = {.start = bytes, .end = bytes, .next = bytes, .is_empty = true};
    size_t at = from;
    while (at < bytes) {
        size_t after = skip_space(sql, bytes, at);
        if (after != at) {
            at = after;
            continue;
        }
        if (sql[at] == ';') {
            span.start = span.is_empty ? at : span.start;
            span.end = at;
            span.next = at + 1;
            span.is_complete = true;
            return span;
        }
        if (span.is_empty) {
            span.is_empty = false;
            span.start = at;
        }
        at = skip_token(sql, bytes, at);
        at = at < bytes ? at : bytes;
    }
    return span;
}

static char upper(char c) {
    return c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
}

void nq_statement_first_word(const char *sql, size_t bytes, char *out_word, size_t word_bytes) {
    size_t at = 0;
    size_t length = 0;
    while (at < bytes && skip_space(sql, bytes, at) != at) {
        at = skip_space(sql, bytes, at);
    }
    for (; at < bytes && is_word(sql[at]) && length + 1 < word_bytes; at++) {
        out_word[length++] = upper(sql[at]);
    }
    out_word[length] = '\0';
}

bool nq_statement_has_word(const char *sql, size_t bytes, const char *word) {
    size_t word_bytes = strlen(word);
    size_t at = 0;
    while (at < bytes) {
        size_t after = skip_space(sql, bytes, at);
        if (after != at) {
            at = after;
            continue;
        }
        after = skip_token(sql, bytes, at);
        if (after - at == word_bytes) {
            size_t i = 0;
            while (i < word_bytes && upper(sql[at + i]) == word[i]) {
                i++;
            }
            if (i == word_bytes) {
                return true;
            }
        }
        at = after;
    }
    return false;
}
