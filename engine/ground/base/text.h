/* Text builder: a string that grows on an arena, by pieces and by printf.
 *
 * Running out of memory is remembered, not reported at each piece: append freely, then ask once.
 * What it outgrows stays in the arena until the arena is reset (at most as much again as the
 * result). */
#ifndef NQ_GROUND_BASE_TEXT_H
#define NQ_GROUND_BASE_TEXT_H

#include "engine/ground/base/arena.h"

typedef struct nq_text {
    nq_arena *arena;
    char *data; /* NUL-terminated; NULL while empty */
    size_t size;
    size_t room; /* with the NUL */
    bool has_failed;
} nq_text;

/* Takes nothing from the arena until the first append. */
void nq_text_init(nq_text *text, nq_arena *arena);

void nq_text_append(nq_text *text, nq_bytes bytes);
void nq_text_append_cstr(nq_text *text, const char *words);
void nq_text_append_char(nq_text *text, char character);
void nq_text_append_format(nq_text *text, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Back to `size` bytes, at most what it has: to take a piece back. */
void nq_text_truncate(nq_text *text, size_t size);

/* False when memory ran out; then a part is missing. */
static inline bool nq_text_is_whole(const nq_text *text) {
    return !text->has_failed;
}

/* Valid until the next append, and as long as the arena's memory. */
static inline nq_bytes nq_text_bytes(const nq_text *text) {
    return nq_bytes_of(text->data, text->size);
}

/* The same, NUL-terminated; "" while empty. */
static inline const char *nq_text_cstr(const nq_text *text) {
    return text->data != NULL ? text->data : "";
}

#endif
