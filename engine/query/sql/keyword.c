/* Keyword: which words the grammar knows, and what messages call a token. */
#include "engine/query/sql/sql_internal.h"

#include "engine/query/sql/grammar.h"

typedef struct keyword {
    char word[20]; /* capitals, as in messages */
    uint8_t size;
    uint8_t class;
    uint16_t code;
} keyword;

/* Sorted by the words in small letters. */
static const keyword keywords[] = {
#define NQ_KEYWORD(word, class) {#word, sizeof(#word) - 1, NQ__KEYWORD_##class, NQ_TOKEN_##word},
#include "engine/query/sql/keywords.def"
#undef NQ_KEYWORD
};

enum { KEYWORD_COUNT = sizeof(keywords) / sizeof(keywords[0]), WORD_BYTES_MAX = 17 };

static uint8_t fold(uint8_t letter) {
    return letter >= 'A' && letter <= 'Z' ? (uint8_t)(letter + ('a' - 'A')) : letter;
}

static int compare_folded(nq_bytes word, const keyword *candidate) {
    size_t shared = word.size < candidate->size ? word.size : candidate->size;
    for (size_t i = 0; i < shared; ++i) {
        int order = (int)fold(word.data[i]) - (int)fold((uint8_t)candidate->word[i]);
        if (order != 0) {
            return order;
        }
    }
    return (word.size > candidate->size) - (word.size < candidate->size);
}

int nq__keyword_find(nq_bytes word) {
    if (word.size > WORD_BYTES_MAX) {
        return 0;
    }
    uint32_t low = 0, high = KEYWORD_COUNT;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        int order = compare_folded(word, &keywords[middle]);
        if (order == 0) {
            return keywords[middle].code;
        }
        if (order < 0) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return 0;
}

/* Only errors ask, so a scan will do. */
static const keyword *find_by_code(int code) {
    for (uint32_t i = 0; i < KEYWORD_COUNT; ++i) {
        if (keywords[i].code == code) {
            return &keywords[i];
        }
    }
    return NULL;
}

nq__keyword_class nq__keyword_get_class(int code) {
    const keyword *found = find_by_code(code);
    return found == NULL ? NQ__KEYWORD_NONE : (nq__keyword_class)found->class;
}

static const struct {
    int code;
    const char *text;
} signs[] = {
    {0, "the end of the statement"},
    {NQ_TOKEN_ID, "a name"},
    {NQ_TOKEN_STRING, "a string"},
    {NQ_TOKEN_INTEGER, "an integer"},
    {NQ_TOKEN_NUMBER, "a number"},
    {NQ_TOKEN_BYTES, "bytes"},
    {NQ_TOKEN_PARAMETER, "a parameter"},
    {NQ_TOKEN_LP, "\"(\""},
    {NQ_TOKEN_RP, "\")\""},
    {NQ_TOKEN_COMMA, "\",\""},
    {NQ_TOKEN_DOT, "\".\""},
    {NQ_TOKEN_SEMICOLON, "\";\""},
    {NQ_TOKEN_STAR, "\"*\""},
    {NQ_TOKEN_EQ, "\"=\""},
    {NQ_TOKEN_PLUS, "\"+\""},
    {NQ_TOKEN_MINUS, "\"-\""},
    {NQ_TOKEN_COLON_COLON, "\"::\""},
    {NQ_TOKEN_NOT_INFIX, "NOT"},
};

const char *nq__token_describe(int code) {
    for (size_t i = 0; i < sizeof(signs) / sizeof(signs[0]); ++i) {
        if (signs[i].code == code) {
            return signs[i].text;
        }
    }
    const keyword *found = find_by_code(code);
    return found == NULL ? "an operator" : found->word;
}
