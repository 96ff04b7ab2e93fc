/* Booleans, UUIDs and byte strings as text. */
#include <string.h>

#include "engine/data/value/text.h"

static const char hex_digits[] = "0123456789abcdef";

static uint8_t fold(uint8_t byte) {
    return byte >= 'A' && byte <= 'Z' ? (uint8_t)(byte + ('a' - 'A')) : byte;
}

/* `text` is a beginning of `word`, at least `size_min` bytes long. */
static bool is_beginning(nq_bytes text, const char *word, size_t size_min) {
    if (text.size < size_min || text.size > strlen(word)) {
        return false;
    }
    for (size_t i = 0; i < text.size; i++) {
        if (fold(text.data[i]) != (uint8_t)word[i]) {
            return false;
        }
    }
    return true;
}

bool nq_bool_parse(nq_bytes text, bool *out_value) {
    *out_value = is_beginning(text, "true", 1) || is_beginning(text, "yes", 1) ||
                 is_beginning(text, "on", 2) || is_beginning(text, "1", 1);
    return *out_value || is_beginning(text, "false", 1) || is_beginning(text, "no", 1) ||
           is_beginning(text, "off", 2) || is_beginning(text, "0", 1);
}

static int hex_digit(uint8_t byte) {
    if (byte >= '0' && byte <= '9') {
        return byte - '0';
    }
    byte = fold(byte);
    return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : -1;
}

bool nq_uuid_parse(nq_bytes text, uint8_t out_uuid[16]) {
    memset(out_uuid, 0, 16);
    if (text.size >= 2 && text.data[0] == '{' && text.data[text.size - 1] == '}') {
        text = nq_bytes_of(text.data + 1, text.size - 2);
    }
    size_t digits = 0;
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] == '-' && digits > 0 && digits % 4 == 0 && text.data[i - 1] != '-' &&
            i + 1 < text.size) {
            continue;
        }
        int digit = hex_digit(text.data[i]);
        if (digit < 0 || digits == 32) {
            return false;
        }
        out_uuid[digits / 2] = (uint8_t)(out_uuid[digits / 2] << 4 | digit);
        digits++;
    }
    return digits == 32;
}

size_t nq_uuid_print(const uint8_t uuid[16], char *out_text) {
    size_t size = 0;
    for (size_t i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10) {
            out_text[size++] = '-';
        }
        out_text[size++] = hex_digits[uuid[i] >> 4];
        out_text[size++] = hex_digits[uuid[i] & 15];
    }
    return size;
}

static bool parse_hex(nq_bytes text, uint8_t *out_bytes, size_t *out_size) {
    if (text.size % 2 != 0) {
        return false;
    }
    for (size_t i = 0; i < text.size; i += 2) {
        int high = hex_digit(text.data[i]), low = hex_digit(text.data[i + 1]);
        if (high < 0 || low < 0) {
            return false;
        }
        out_bytes[i / 2] = (uint8_t)(high << 4 | low);
    }
    *out_size = text.size / 2;
    return true;
}

/* Three octal digits after a backslash, at most 377; -1 when they are not. */
static int octal_byte(nq_bytes text) {
    if (text.size < 4 || text.data[1] < '0' || text.data[1] > '3') {
        return -1;
    }
    for (size_t i = 2; i < 4; i++) {
        if (text.data[i] < '0' || text.data[i] > '7') {
            return -1;
        }
    }
    return (text.data[1] - '0') << 6 | (text.data[2] - '0') << 3 | (text.data[3] - '0');
}

bool nq_bytes_parse(nq_bytes text, uint8_t *out_bytes, size_t *out_size) {
    *out_size = 0;
    if (text.size >= 2 && text.data[0] == '\\' && fold(text.data[1]) == 'x') {
        return parse_hex(nq_bytes_of(text.data + 2, text.size - 2), out_bytes, out_size);
    }
    size_t size = 0;
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] != '\\') {
            out_bytes[size++] = text.data[i];
            continue;
        }
        nq_bytes rest = nq_bytes_of(text.data + i, text.size - i);
        int byte = octal_byte(rest);
        if (byte >= 0) {
            out_bytes[size++] = (uint8_t)byte;
            i += 3;
        } else if (rest.size > 1 && rest.data[1] == '\\') {
            out_bytes[size++] = '\\';
            i++;
        } else {
            return false;
        }
    }
    *out_size = size;
    return true;
}

size_t nq_bytes_print(nq_bytes bytes, char *out_text) {
    out_text[0] = '\\';
    out_text[1] = 'x';
    for (size_t i = 0; i < bytes.size; i++) {
        out_text[2 + 2 * i] = hex_digits[bytes.data[i] >> 4];
        out_text[3 + 2 * i] = hex_digits[bytes.data[i] & 15];
    }
    return 2 + 2 * bytes.size;
}
