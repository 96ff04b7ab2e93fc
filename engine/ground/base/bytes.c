/* Bytes: what is too long for the header. */
#include "engine/ground/base/bytes.h"

static uint8_t fold(uint8_t byte) {
    return byte >= 'A' && byte <= 'Z' ? (uint8_t)(byte + ('a' - 'A')) : byte;
}

bool nq_bytes_equal_fold(nq_bytes bytes, const char *word) {
    size_t i = 0;
    for (; i < bytes.size && word[i] != '\0'; i++) {
        if (fold(bytes.data[i]) != fold((uint8_t)word[i])) {
            return false;
        }
    }
    return i == bytes.size && word[i] == '\0';
}
