/* UTF-8: the fast path, the walk, the repair and the cut must agree about any bytes. */
#include <stdlib.h>
#include <string.h>

#include "engine/ground/base/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int is_true) {
    if (!is_true) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0) {
        return 0;
    }
    nq_bytes text = nq_bytes_of(data, size);
    size_t at = 0;
    size_t count = 0;
    bool has_nul = false;
    while (at < size) {
        uint32_t character;
        uint8_t again[NQ_UTF8_BYTES_MAX];
        size_t bytes = nq_utf8_decode(data + at, size - at, &character);
        if (bytes == 0) {
            break;
        }
        check(nq_utf8_encode(character, again) == bytes && memcmp(again, data + at, bytes) == 0);
        has_nul |= character == 0;
        at += bytes;
        count++;
    }
    check(nq_utf8_valid_prefix(text) == at);
    check(nq_utf8_is_valid(text) == (at == size));
    check(nq_utf8_is_text(text) == (at == size && !has_nul));
    nq_bytes prefix = nq_bytes_of(data, at);
    check(nq_utf8_count(prefix) == count);
    check(nq_utf8_offset(prefix, count) == at);
    nq_bytes cut = nq_utf8_truncate(prefix, data[0]);
    check(cut.size <= data[0] && nq_utf8_is_valid(cut));

    char *copy = malloc(size);
    check(copy != NULL);
    memcpy(copy, data, size);
    nq_utf8_repair(copy, size);
    check(nq_utf8_is_valid(nq_bytes_of(copy, size)) && memcmp(copy, data, at) == 0);
    free(copy);
    return 0;
}
