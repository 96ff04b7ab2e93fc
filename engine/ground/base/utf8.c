/* UTF-8: eight ASCII bytes at a time, the rest character by character after Table 3-7 of the
 * Unicode standard. */
#include "engine/ground/base/utf8.h"

static const uint64_t high_bits = 0x8080808080808080U;
static const uint64_t low_bits = 0x0101010101010101U;

static bool is_continuation(uint8_t byte) {
    return (byte & 0xC0U) == 0x80U;
}

size_t nq_utf8_size(const uint8_t *data, size_t size) {
    if (size == 0) {
        return 0;
    }
    uint8_t lead = data[0];
    if (lead < 0x80) {
        return 1;
    }
    if (lead < 0xC2 || lead > 0xF4) {
        return 0;
    }
    size_t length = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    if (size < length) {
        return 0;
    }
    /* The second byte's range is narrower after four leads: overlongs, surrogates, beyond U+10FFFF.
     */
    uint8_t low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
    uint8_t high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
    if (data[1] < low || data[1] > high) {
        return 0;
    }
    for (size_t i = 2; i < length; i++) {
        if (!is_continuation(data[i])) {
            return 0;
        }
    }
    return length;
}

static bool is_valid(nq_bytes bytes, bool refuse_nul) {
    const uint8_t *at = bytes.data;
    size_t left = bytes.size;
    while (left > 0) {
        while (left >= 8) {
            uint64_t word;
            memcpy(&word, at, sizeof(word));
            /* The second term has a high bit where a byte is zero (no byte has bit 7 set by then).
             */
            if ((word & high_bits) != 0 || (refuse_nul && ((word - low_bits) & high_bits) != 0)) {
                break;
            }
            at += 8;
            left -= 8;
        }
        if (left == 0) {
            return true;
        }
        size_t size = nq_utf8_size(at, left);
        if (size == 0 || (refuse_nul && *at == 0)) {
            return false;
        }
        at += size;
        left -= size;
    }
    return true;
}

bool nq_utf8_is_valid(nq_bytes bytes) {
    return is_valid(bytes, false);
}

bool nq_utf8_is_text(nq_bytes bytes) {
    return is_valid(bytes, true);
}

size_t nq_utf8_count(nq_bytes bytes) {
    size_t count = 0;
    for (size_t i = 0; i < bytes.size; i++) {
        count += !is_continuation(bytes.data[i]);
    }
    return count;
}

size_t nq_utf8_cut(nq_bytes bytes, size_t size_max) {
    size_t size = bytes.size < size_max ? bytes.size : size_max;
    /* Step back over a character whose end is beyond the cut. */
    for (size_t start = size; start > 0 && size - start < 4;) {
        start--;
        if (!is_continuation(bytes.data[start])) {
            return nq_utf8_size(bytes.data + start, size - start) == 0 ? start : size;
        }
    }
    return size;
}
