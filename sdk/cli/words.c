/* Words. */
#include "sdk/cli/words.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "sdk/cli/text.h"

void nq_words_add(nq_words *words, const char *word, size_t bytes) {
    if (words->count == words->capacity) {
        words->capacity = words->capacity * 2 + 16;
        words->items = nq_must_resize(words->items, words->capacity * sizeof *words->items);
    }
    words->items[words->count++] = nq_must_copy(word, bytes);
}

static int compare(const void *left, const void *right) {
    return strcmp(*(char *const *)left, *(char *const *)right);
}

void nq_words_sort(nq_words *words) {
    size_t kept = 0;
    if (words->count == 0) {
        return;
    }
    qsort(words->items, words->count, sizeof *words->items, compare);
    for (size_t i = 1; i < words->count; i++) {
        if (strcmp(words->items[kept], words->items[i]) == 0) {
            free(words->items[i]);
        } else {
            words->items[++kept] = words->items[i];
        }
    }
    words->count = kept + 1;
}

static bool all_have(const nq_words *words, size_t at, char c) {
    for (size_t i = 0; i < words->count; i++) {
        if (words->items[i][at] != c) {
            return false;
        }
    }
    return true;
}

size_t nq_words_common_bytes(const nq_words *words) {
    size_t common = 0;
    if (words->count == 0) {
        return 0;
    }
    const char *first = words->items[0];
    while (first[common] != '\0' && all_have(words, common, first[common])) {
        common++;
    }
    while (common > 0 && ((unsigned char)first[common] & 0xc0) == 0x80) {
        common--;
    }
    return common;
}

void nq_words_deinit(nq_words *words) {
    for (size_t i = 0; i < words->count; i++) {
        free(words->items[i]);
    }
    free(words->items);
    *words = (nq_words){0};
}
