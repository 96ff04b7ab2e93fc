/* Bytes: the comparisons that are too long to be inline. */
#include "engine/ground/base/bytes.h"

static uint8_t fold(uint8_t byte) {
    return byte >= 'A' && byte <= 'Z' ? (uint8_t)(byte + ('a' - 'A')) : byte;
}

bool nq_bytes_equal_fold(nq_bytes bytes, const char *word) {
    for (size_t i = 0; i < bytes.size; i++) {
        /* A NUL in `bytes` must not walk past the word's own. */
        if (word[i] == '\0' || fold(bytes.data[i]) != fold((uint8_t)word[i])) {
            return false;
        }
    }
    return word[bytes.size] == '\0';
}
