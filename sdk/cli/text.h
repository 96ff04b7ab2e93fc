/* Text: a growing, always terminated buffer of characters. Out of memory ends the program: the
 * shell has nothing better to do. */
#ifndef NQ_SDK_CLI_TEXT_H
#define NQ_SDK_CLI_TEXT_H

#include <stddef.h>
#include <stdint.h>

typedef struct nq_text {
    char *data; /* NULL until something was appended */
    size_t bytes;
    size_t capacity;
} nq_text;

void nq_text_append(nq_text *text, const char *source, size_t bytes);
void nq_text_append_string(nq_text *text, const char *source);
void nq_text_append_char(nq_text *text, char c);
void nq_text_append_format(nq_text *text, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Keeps the memory. */
void nq_text_clear(nq_text *text);
void nq_text_deinit(nq_text *text);
/* "" when nothing was appended. */
const char *nq_text_string(const nq_text *text);

/* malloc and friends that end the program when there is no memory. */
void *nq_must_allocate(size_t bytes);
void *nq_must_resize(void *memory, size_t bytes);
char *nq_must_copy(const char *source, size_t bytes);

/* A name as an SQL identifier: "quoted" unless it can go without. */
void nq_text_append_identifier(nq_text *text, const char *name);
/* 1234567 as "1,234,567". */
void nq_text_append_count(nq_text *text, uint64_t count);

/* Cells the text takes on a terminal. */
size_t nq_display_width(const char *text, size_t bytes);

#endif
