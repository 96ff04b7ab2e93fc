/* UTF-8: eight ASCII bytes at a time; everything else by table 3-7's ranges for the second byte. */
#include "engine/ground/base/utf8.h"

static const uint64_t HIGH_BITS = 0x8080808080808080u;
static const uint64_t LOW_BITS = 0x0101010101010101u;

static uint64_t load_word(const uint8_t *data) {
    uint64_t word;
    memcpy(&word, data, sizeof(word));
    return word;
}

static bool is_continuation(uint8_t byte) {
    return (byte & 0xC0) == 0x80;
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
    if (lead < 0xE0) {
        return size >= 2 && is_continuation(data[1]) ? 2 : 0;
    }
    /* The second byte's range excludes overlong forms, surrogates and what is too large. */
    uint8_t low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
    uint8_t high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
    if (size < 3 || data[1] < low || data[1] > high || !is_continuation(data[2])) {
        return 0;
    }
    if (lead < 0xF0) {
        return 3;
    }
    return size >= 4 && is_continuation(data[3]) ? 4 : 0;
}

size_t nq_utf8_decode(const uint8_t *data, size_t size, uint32_t *out_character) {
    size_t bytes = nq_utf8_size(data, size);
    uint32_t character = 0;
    if (bytes > 0) {
        static const uint8_t LEAD_BITS[5] = {0, 0x7F, 0x1F, 0x0F, 0x07};
        character = data[0] & LEAD_BITS[bytes];
        for (size_t i = 1; i < bytes; i++) {
            character = character << 6 | (data[i] & 0x3F);
        }
    }
    *out_character = character;
    return bytes;
}

size_t nq_utf8_encode(uint32_t character, uint8_t *out_data) {
    if (character < 0x80) {
        out_data[0] = (uint8_t)character;
        return 1;
    }
    if (character < 0x800) {
        out_data[0] = (uint8_t)(0xC0 | character >> 6);
        out_data[1] = (uint8_t)(0x80 | (character & 0x3F));
        return 2;
    }
    if (character < 0x10000) {
        if (character >= 0xD800 && character <= 0xDFFF) {
            return 0;
        }
        out_data[0] = (uint8_t)(0xE0 | character >> 12);
        out_data[1] = (uint8_t)(0x80 | (character >> 6 & 0x3F));
        out_data[2] = (uint8_t)(0x80 | (character & 0x3F));
        return 3;
    }
    if (character > 0x10FFFF) {
        return 0;
    }
    out_data[0] = (uint8_t)(0xF0 | character >> 18);
    out_data[1] = (uint8_t)(0x80 | (character >> 12 & 0x3F));
    out_data[2] = (uint8_t)(0x80 | (character >> 6 & 0x3F));
    out_data[3] = (uint8_t)(0x80 | (character & 0x3F));
    return 4;
}

/* Skips ASCII from `at` on, most of it a word at a time. */
static size_t skip_ascii(nq_bytes text, size_t at) {
    while (text.size - at >= 16 &&
           ((load_word(text.data + at) | load_word(text.data + at + 8)) & HIGH_BITS) == 0) {
        at += 16;
    }
    while (at < text.size && text.data[at] < 0x80) {
        at++;
    }
    return at;
}

size_t nq_utf8_valid_prefix(nq_bytes text) {
    size_t at = skip_ascii(text, 0);
    while (at < text.size) {
        /* Two-byte characters, most of what European text adds to ASCII, without a call. */
        if (text.data[at] >= 0xC2 && text.data[at] < 0xE0 && text.size - at >= 2 &&
            is_continuation(text.data[at + 1])) {
            at += 2;
        } else {
            size_t bytes = nq_utf8_size(text.data + at, text.size - at);
            if (bytes == 0) {
                break;
            }
            at += bytes;
        }
        if (at < text.size && text.data[at] < 0x80) {
            at = skip_ascii(text, at);
        }
    }
    return at;
}

bool nq_utf8_is_valid(nq_bytes text) {
    return nq_utf8_valid_prefix(text) == text.size;
}

bool nq_utf8_is_text(nq_bytes text) {
    return nq_utf8_is_valid(text) && (text.size == 0 || memchr(text.data, '\0', text.size) == NULL);
}

size_t nq_utf8_count(nq_bytes text) {
    size_t continuations = 0;
    size_t at = 0;
    for (; text.size - at >= 8; at += 8) {
        uint64_t word = load_word(text.data + at);
        /* Bit 7 set and bit 6 clear, one bit per byte. */
        uint64_t marks = (word >> 7) & ~(word >> 6) & LOW_BITS;
        continuations += (size_t)__builtin_popcountll(marks);
    }
    for (; at < text.size; at++) {
        continuations += is_continuation(text.data[at]);
    }
    return text.size - continuations;
}

size_t nq_utf8_offset(nq_bytes text, size_t index) {
    for (size_t at = 0; at < text.size; at++) {
        if (is_continuation(text.data[at])) {
            continue;
        }
        if (index == 0) {
            return at;
        }
        index--;
    }
    return text.size;
}

nq_bytes nq_utf8_truncate(nq_bytes text, size_t bytes_max) {
    if (text.size <= bytes_max) {
        return text;
    }
    size_t cut = bytes_max;
    while (cut > 0 && is_continuation(text.data[cut])) {
        cut--;
    }
    return nq_bytes_of(text.data, cut);
}

void nq_utf8_repair(char *text, size_t size) {
    uint8_t *data = (uint8_t *)text;
    size_t at = nq_utf8_valid_prefix(nq_bytes_of(data, size));
    while (at < size) {
        size_t bytes = nq_utf8_size(data + at, size - at);
        if (bytes == 0) {
            data[at] = '?';
            bytes = 1;
        }
        at += bytes;
    }
}
