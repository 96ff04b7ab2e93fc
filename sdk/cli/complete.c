/* Complete: reads the statement word by word up to the cursor, noting which tables it names and
 * whether a table's name is what comes next; then offers what fits there. */
#include "sdk/cli/complete.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "sdk/cli/meta_internal.h"
#include "sdk/cli/split.h"
#include "sdk/cli/text.h"

enum { RELATIONS_MAX = 16 };

typedef struct piece {
    const char *data;
    size_t bytes;
} piece;

/* A table that the statement names. */
typedef struct relation {
    piece name;
    piece alias; /* or none */
} relation;

typedef struct reading {
    piece word;     /* at the cursor, perhaps empty */
    piece before;   /* the token before it */
    piece before_2; /* and the one before that */
    relation relations[RELATIONS_MAX];
    size_t relation_count;
    bool is_in_from;     /* a comma leads to another table */
    bool expects_table;  /* a table's name comes next */
    bool expects_alias;  /* one has just come */
    bool is_in_a_string; /* or comment: nothing to complete */
} reading;

/* ---- Words ---- */

static const struct {
    const char *word;
    bool begins_statement;
} keywords[] = {
#define NQ_CLI_KEYWORD(word, begins_statement) {#word, begins_statement},
#include "sdk/cli/keywords.def"
#undef NQ_CLI_KEYWORD
};

enum { KEYWORD_COUNT = sizeof keywords / sizeof keywords[0] };

static bool is(piece p, const char *word) {
    return strlen(word) == p.bytes && strncasecmp(p.data, word, p.bytes) == 0;
}

static bool is_one_of(piece p, const char *const *words) {
    for (; *words != NULL; words++) {
        if (is(p, *words)) {
            return true;
        }
    }
    return false;
}

static bool is_keyword(piece p) {
    for (size_t i = 0; i < KEYWORD_COUNT; i++) {
        if (is(p, keywords[i].word)) {
            return true;
        }
    }
    return false;
}

static bool is_name_byte(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (unsigned char)c >= 0x80;
}

static bool is_name(piece p) {
    return p.bytes > 0 && (p.data[0] == '"' || is_name_byte(p.data[0]));
}

/* The name as the server knows it: without quotes, or in lower case. */
static char *name_of(piece p) {
    nq_text name = {0};
    bool is_quoted = p.data[0] == '"';
    size_t end = p.bytes - (is_quoted && p.bytes > 1 ? 1 : 0);
    for (size_t i = is_quoted; i < end; i++) {
        bool is_upper = !is_quoted && p.data[i] >= 'A' && p.data[i] <= 'Z';
        nq_text_append_char(&name, is_upper ? (char)(p.data[i] - 'A' + 'a') : p.data[i]);
        i += is_quoted && p.data[i] == '"';
    }
    char *copy = nq_must_copy(nq_text_string(&name), name.bytes);
    nq_text_deinit(&name);
    return copy;
}

static bool is_same_name(piece left, piece right) {
    char *left_name = name_of(left);
    char *right_name = name_of(right);
    bool is_same = strcmp(left_name, right_name) == 0;
    free(left_name);
    free(right_name);
    return is_same;
}

/* ---- Reading ---- */

/* Takes one token into account: which tables there are, and whether another one follows. */
static void note_token(reading *r, piece token) {
    static const char *const before_tables[] = {"FROM",   "JOIN",  "USING",    "INTO",
                                                "UPDATE", "TABLE", "TRUNCATE", NULL};
    static const char *const between[] = {"IF", "NOT", "EXISTS", "ONLY", NULL};
    static const char *const lists_of_tables[] = {"FROM", "JOIN", "TABLE", "TRUNCATE", NULL};
    if (is_one_of(token, before_tables)) {
        r->expects_table = true;
        r->expects_alias = false;
        r->is_in_from = is_one_of(token, lists_of_tables);
    } else if (r->expects_table && is_one_of(token, between)) {
        return;
    } else if (r->expects_table && is_name(token)) {
        r->expects_table = false;
        r->expects_alias = true;
        if (r->relation_count < RELATIONS_MAX) {
            r->relations[r->relation_count++] = (relation){.name = token};
        }
    } else if (r->expects_alias && is(token, "AS")) {
        return;
    } else if (r->expects_alias && is_name(token) && !is_keyword(token)) {
        r->expects_alias = false;
        r->relations[r->relation_count - 1].alias = token;
    } else {
        r->expects_alias = false;
        r->expects_table = r->is_in_from && is(token, ",");
        r->is_in_from = r->is_in_from && !is_keyword(token);
    }
}

/* Whether the string or comment that is all of `p` is still open at its end, as far as matters: the
 * end of a closed string is no place for a word either. */
static bool is_open_text(piece p) {
    bool is_line_comment = p.bytes > 1 && p.data[0] == '-' && p.data[1] == '-';
    bool is_block_comment = p.bytes > 1 && p.data[0] == '/' && p.data[1] == '*';
    bool is_string = p.data[0] == '\'' || p.data[0] == '$' ||
                     (p.bytes > 1 && strchr("eE", p.data[0]) != NULL && p.data[1] == '\'');
    if (is_line_comment) {
        return p.data[p.bytes - 1] != '\n';
    }
    return is_string || (is_block_comment && (p.bytes < 4 || p.data[p.bytes - 1] != '/'));
}

static bool is_space(piece p) {
    return strchr(" \t\r\n\f\v", p.data[0]) != NULL ||
           (p.bytes > 1 && (strncmp(p.data, "--", 2) == 0 || strncmp(p.data, "/*", 2) == 0));
}

/* Reads `text`, whose end is the cursor. */
static void read_to_cursor(const char *text, size_t bytes, reading *r) {
    *r = (reading){.word = {.data = text + bytes}};
    size_t next;
    for (size_t at = 0; at < bytes; at = next) {
        next = nq_statement_skip(text, bytes, at);
        piece token = {.data = text + at, .bytes = next - at};
        if (next == bytes && is_open_text(token)) {
            r->is_in_a_string = true;
        } else if (is_space(token)) {
            continue;
        } else if (next == bytes && is_name(token)) {
            r->word = token;
        } else {
            r->before_2 = r->before;
            r->before = token;
            note_token(r, token);
        }
    }
}

/* The tables of the whole statement: those of a SELECT are named behind its columns. The word at
 * the cursor is none yet. */
static void read_relations(const char *text, size_t bytes, reading *r) {
    reading whole = {.relation_count = 0};
    size_t next;
    for (size_t at = 0; at < bytes; at = next) {
        next = nq_statement_skip(text, bytes, at);
        piece token = {.data = text + at, .bytes = next - at};
        if (!is_space(token) && token.data != r->word.data) {
            note_token(&whole, token);
        }
    }
    memcpy(r->relations, whole.relations, sizeof whole.relations);
    r->relation_count = whole.relation_count;
}

/* ---- Offering ---- */

static bool is_begun_by(const char *candidate, piece prefix) {
    return strncasecmp(candidate, prefix.data, prefix.bytes) == 0;
}

static void offer_keywords(nq_completion *out, piece word, bool only_first_words) {
    bool is_lower = false;
    for (size_t i = 0; i < word.bytes; i++) {
        is_lower = is_lower || (word.data[i] >= 'a' && word.data[i] <= 'z');
    }
    for (size_t i = 0; i < KEYWORD_COUNT; i++) {
        const char *keyword = keywords[i].word;
        if (!is_begun_by(keyword, word) || (only_first_words && !keywords[i].begins_statement)) {
            continue;
        }
        nq_words_add(&out->words, keyword, strlen(keyword));
        for (char *c = out->words.items[out->words.count - 1]; is_lower && *c != '\0'; c++) {
            *c = *c >= 'A' && *c <= 'Z' ? (char)(*c - 'A' + 'a') : *c;
        }
    }
}

static bool needs_quotes(const char *name) {
    static const char plain[] = "abcdefghijklmnopqrstuvwxyz_0123456789";
    bool is_plain = strspn(name, plain) == strlen(name) && !(name[0] >= '0' && name[0] <= '9');
    return !is_plain || is_keyword((piece){.data = name, .bytes = strlen(name)});
}

static void offer_name(nq_completion *out, piece word, const char *name) {
    bool is_quoted = word.bytes > 0 && word.data[0] == '"';
    piece prefix = {.data = word.data + is_quoted, .bytes = word.bytes - is_quoted};
    if (!is_begun_by(name, prefix)) {
        return;
    }
    nq_text text = {0};
    if (is_quoted || needs_quotes(name)) {
        nq_text_append_identifier(&text, name);
    } else {
        nq_text_append_string(&text, name);
    }
    nq_words_add(&out->words, nq_text_string(&text), text.bytes);
    nq_text_deinit(&text);
}

static void offer_names(nq_completion *out, piece word, const nq_words *names) {
    for (size_t i = 0; i < names->count; i++) {
        offer_name(out, word, names->items[i]);
    }
}

static void offer_columns(nq_names *names, nq_completion *out, piece word, piece table) {
    char *name = name_of(table);
    offer_names(out, word, nq_names_columns(names, name));
    free(name);
}

/* Behind `qualifier.`: the columns of the table that it means. */
static void offer_columns_of(nq_names *names, nq_completion *out, const reading *r,
                             piece qualifier) {
    for (size_t i = 0; i < r->relation_count; i++) {
        const relation *one = &r->relations[i];
        if (one->alias.bytes > 0 && is_same_name(one->alias, qualifier)) {
            qualifier = one->name;
            break;
        }
    }
    offer_columns(names, out, r->word, qualifier);
}

static void offer_names_in_scope(nq_names *names, nq_completion *out, const reading *r) {
    for (size_t i = 0; i < r->relation_count; i++) {
        const relation *one = &r->relations[i];
        char *name = name_of(one->alias.bytes > 0 ? one->alias : one->name);
        offer_name(out, r->word, name);
        free(name);
        offer_columns(names, out, r->word, one->name);
    }
}

static void offer_sql(nq_names *names, nq_completion *out, const reading *r) {
    if (r->before.bytes == 0) {
        offer_keywords(out, r->word, true);
        return;
    }
    if (is(r->before, ".")) {
        if (is_name(r->before_2)) {
            offer_columns_of(names, out, r, r->before_2);
        }
        return;
    }
    if (r->expects_table) {
        offer_names(out, r->word, nq_names_tables(names));
    }
    if (out->words.count == 0) {
        offer_names_in_scope(names, out, r);
        offer_keywords(out, r->word, false);
    }
}

static void complete_statement(nq_names *names, const char *text, size_t bytes, size_t cursor,
                               nq_completion *out) {
    size_t start = 0;
    nq_statement_span span = nq_statement_find(text, bytes, start);
    while (span.is_complete && span.next <= cursor) {
        start = span.next;
        span = nq_statement_find(text, bytes, start);
    }
    reading r;
    read_to_cursor(text + start, cursor - start, &r);
    out->start = cursor - r.word.bytes;
    if (r.is_in_a_string) {
        return;
    }
    read_relations(text + start, span.end > start ? span.end - start : 0, &r);
    offer_sql(names, out, &r);
}

/* ---- Backslash commands ---- */

static void offer_word(nq_completion *out, piece word, const char *candidate) {
    if (is_begun_by(candidate, word)) {
        nq_words_add(&out->words, candidate, strlen(candidate));
    }
}

static void offer_command(nq_completion *out, piece word) {
    nq_text command = {0};
    for (size_t i = 0; nq__meta_name(i) != NULL; i++) {
        nq_text_clear(&command);
        nq_text_append_format(&command, "\\%s", nq__meta_name(i));
        offer_word(out, word, nq_text_string(&command));
    }
    nq_text_deinit(&command);
}

/* What may stand behind a command; NULL behind the last. */
static const char *const *choices_of(nq_meta_argument argument) {
    static const char *const switches[] = {"on", "off", NULL};
    static const char *const nothing[] = {NULL};
    return argument == NQ_META_ARGUMENT_SWITCH   ? switches
           : argument == NQ_META_ARGUMENT_FORMAT ? nq_output_format_names()
                                                 : nothing;
}

static void complete_command(nq_names *names, const char *line, size_t cursor, nq_completion *out) {
    size_t name_bytes = strcspn(line, " \t");
    if (cursor <= name_bytes) {
        offer_command(out, (piece){.data = line, .bytes = cursor});
        return;
    }
    out->start = name_bytes + strspn(line + name_bytes, " \t");
    out->start = out->start < cursor ? out->start : cursor;
    piece word = {.data = line + out->start, .bytes = cursor - out->start};
    nq_meta_argument argument = nq__meta_argument(line + 1, name_bytes - 1);
    for (const char *const *choice = choices_of(argument); *choice != NULL; choice++) {
        offer_word(out, word, *choice);
    }
    const nq_words *tables =
        argument == NQ_META_ARGUMENT_TABLE ? nq_names_tables(names) : &(nq_words){0};
    for (size_t i = 0; i < tables->count; i++) {
        offer_word(out, word, tables->items[i]); /* these commands take them as they are */
    }
}

void nq_complete(nq_names *names, const char *text, size_t bytes, size_t cursor,
                 nq_completion *out) {
    *out = (nq_completion){.start = 0};
    if (bytes > 0 && text[0] == '\\') {
        complete_command(names, text, cursor, out);
    } else {
        complete_statement(names, text, bytes, cursor, out);
    }
    nq_words_sort(&out->words);
}
