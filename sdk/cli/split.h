/* Split: where one SQL statement ends and the next begins.
 *
 * Knows what may hold a semicolon that ends nothing: '…' and "…" with doubled quotes, E'…' with
 * backslashes, $tag$…$tag$, -- to the end of the line, and nested slash-star comments. It does not
 * know SQL. */
#ifndef NQ_SDK_CLI_SPLIT_H
#define NQ_SDK_CLI_SPLIT_H

#include <stdbool.h>
#include <stddef.h>

typedef struct nq_statement_span {
    size_t start;     /* first byte that is neither blank nor comment */
    size_t end;       /* of the text, the semicolon not included */
    size_t next;      /* where to look for the next one */
    bool is_complete; /* a semicolon was found */
    bool is_empty;    /* nothing but blanks and comments */
} nq_statement_span;

/* The first statement at or after `from`. */
nq_statement_span nq_statement_find(const char *sql, size_t bytes, size_t from);

/* Past the blank, comment, string, word or other character that begins at `at` < `bytes`. */
size_t nq_statement_skip(const char *sql, size_t bytes, size_t at);

/* The first word, in upper case, cut to `word_bytes`; "" when there is none. */
void nq_statement_first_word(const char *sql, size_t bytes, char *out_word, size_t word_bytes);
/* Whether the word occurs outside of strings and comments; `word` in upper case. */
bool nq_statement_has_word(const char *sql, size_t bytes, const char *word);

#endif
