/* Words: a growing list of strings. */
#ifndef NQ_SDK_CLI_WORDS_H
#define NQ_SDK_CLI_WORDS_H

#include <stddef.h>

typedef struct nq_words {
    char **items; /* owned */
    size_t count;
    size_t capacity;
} nq_words;

/* Copies the word. */
void nq_words_add(nq_words *words, const char *word, size_t bytes);
/* In byte order, each once. */
void nq_words_sort(nq_words *words);
/* How many leading bytes all have in common; never a part of a UTF-8 character. 0 for none. */
size_t nq_words_common_bytes(const nq_words *words);
void nq_words_deinit(nq_words *words);

#endif
