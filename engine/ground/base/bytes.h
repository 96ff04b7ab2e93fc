/* Bytes: a borrowed run of memory. Text is the same thing, known to be UTF-8.
 *
 * Never owns; whoever hands one out says until when it is valid. */
#ifndef NQ_GROUND_BASE_BYTES_H
#define NQ_GROUND_BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct nq_bytes {
    const uint8_t *data; /* may be NULL only when size is 0 */
    size_t size;
} nq_bytes;

/* A C string literal as bytes, without its NUL. */
#define NQ_BYTES_LITERAL(literal) ((nq_bytes){(const uint8_t *)("" literal), sizeof(literal) - 1})

/* For printf's "%.*s". */
#define NQ_BYTES_FORMAT(bytes) (int)(bytes).size, (const char *)(bytes).data

static inline nq_bytes nq_bytes_of(const void *data, size_t size) {
    return (nq_bytes){(const uint8_t *)data, size};
}

static inline nq_bytes nq_bytes_of_cstr(const char *text) {
    return (nq_bytes){(const uint8_t *)text, strlen(text)};
}

static inline bool nq_bytes_equal(nq_bytes left, nq_bytes right) {
    return left.size == right.size &&
           (left.size == 0 || memcmp(left.data, right.data, left.size) == 0);
}

/* Unsigned lexicographic order, a prefix first: <0, 0, >0. */
static inline int nq_bytes_compare(nq_bytes left, nq_bytes right) {
    size_t shared = left.size < right.size ? left.size : right.size;
    int order = shared == 0 ? 0 : memcmp(left.data, right.data, shared);
    if (order != 0) {
        return order;
    }
    return (left.size > right.size) - (left.size < right.size);
}

/* ASCII case-insensitive equality with a NUL-terminated word. */
bool nq_bytes_equal_fold(nq_bytes bytes, const char *word);

#endif
