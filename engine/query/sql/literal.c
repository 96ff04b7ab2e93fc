/* Literal: what a name, a string or a byte string token stands for.
 *
 * Most need no decoding and are borrowed from the statement's text; the rest are copied once. */
#include "engine/ground/base/utf8.h"
#include "engine/query/sql/sql_internal.h"

static bool has_capitals(nq_bytes text) {
    for (size_t i = 0; i < text.size; ++i) {
        if (text.data[i] >= 'A' && text.data[i] <= 'Z') {
            return true;
        }
    }
    return false;
}

/* Between quotes at both ends, doubled ones halved. */
static nq_bytes undouble(nq_parser *p, nq_bytes quoted) {
    uint8_t quote = quoted.data[0];
    nq_bytes inner = {quoted.data + 1, quoted.size - 2};
    if (inner.size == 0 || memchr(inner.data, quote, inner.size) == NULL) {
        return inner;
    }
    uint8_t *copy = nq__parser_alloc(p, inner.size);
    if (copy == NULL) {
        return (nq_bytes){0};
    }
    size_t size = 0;
    for (size_t i = 0; i < inner.size; ++i) {
        copy[size++] = inner.data[i];
        i += inner.data[i] == quote; /* the tokenizer saw to it that a second one follows */
    }
    return (nq_bytes){copy, size};
}

nq_bytes nq__parser_identifier(nq_parser *p, nq_sql_token token) {
    nq_bytes text = nq__parser_text(p, token);
    if (p->status != NQ_OK) {
        return (nq_bytes){0};
    }
    if (text.data[0] == '"') {
        text = undouble(p, text);
        if (text.size == 0) {
            nq__parser_fail(p, token.offset, NQ_SQL_SYNTAX, "a quoted name is empty");
        }
    } else if (has_capitals(text)) {
        uint8_t *copy = nq__parser_alloc(p, text.size);
        if (copy == NULL) {
            return (nq_bytes){0};
        }
        for (size_t i = 0; i < text.size; ++i) {
            uint8_t letter = text.data[i];
            copy[i] = letter >= 'A' && letter <= 'Z' ? letter | 0x20 : letter;
        }
        text.data = copy;
    }
    if (text.size > NQ_SQL_NAME_BYTES_MAX) {
        nq__parser_fail(p, token.offset, NQ_NAME_TOO_LONG,
                        "the name has %zu bytes; at most %d can be", text.size,
                        NQ_SQL_NAME_BYTES_MAX);
        return (nq_bytes){0};
    }
    return text;
}

static int hex_digit(uint8_t byte) {
    if (byte >= '0' && byte <= '9') {
        return byte - '0';
    }
    byte |= 0x20;
    return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : -1;
}

/* Up to `digits_max` digits of a base that is 8 or 16; answers how many there were. */
static uint32_t read_digits(nq_bytes text, size_t at, uint32_t base, uint32_t digits_max,
                            uint32_t *out_value) {
    uint32_t count = 0;
    *out_value = 0;
    while (count < digits_max && at + count < text.size) {
        int digit = hex_digit(text.data[at + count]);
        if (digit < 0 || (uint32_t)digit >= base) {
            break;
        }
        *out_value = *out_value * base + (uint32_t)digit;
        ++count;
    }
    return count;
}

/* One escape sequence after its backslash. A character may be given by its code point or, below
 * 128, by octal or hexadecimal digits; bytes of longer characters may not be given singly, so that
 * the result is UTF-8 by construction. Answers what was read; 0 after a failure. */
static size_t decode_escape(nq_parser *p, nq_bytes text, size_t at, uint32_t offset, uint8_t *out,
                            size_t *out_size) {
    static const char plain[] = "b\bf\fn\nr\rt\t";
    uint8_t letter = text.data[at];
    for (size_t i = 0; i < sizeof(plain) - 1; i += 2) {
        if (letter == (uint8_t)plain[i]) {
            *out = (uint8_t)plain[i + 1];
            *out_size = 1;
            return 1;
        }
    }
    uint32_t point = 0, digits = 0, prefix = 1, point_max = 0x10ffff;
    bool is_complete = true;
    if (letter == 'u' || letter == 'U') {
        uint32_t wanted = letter == 'u' ? 4 : 8;
        digits = read_digits(text, at + 1, 16, wanted, &point);
        is_complete = digits == wanted;
    } else if (letter == 'x') {
        digits = read_digits(text, at + 1, 16, 2, &point);
        is_complete = digits > 0;
        point_max = 0x7f;
    } else if (letter >= '0' && letter <= '7') {
        digits = read_digits(text, at, 8, 3, &point);
        prefix = 0;
        point_max = 0x7f;
    } else {
        out[0] = letter; /* a backslash before anything else stands for nothing */
        *out_size = 1;
        return 1;
    }
    if (!is_complete || point == 0 || point > point_max || (point >= 0xd800 && point < 0xe000)) {
        nq__parser_fail(p, offset, NQ_INVALID_ESCAPE,
                        "\"\\%c\" is not followed by the digits of a character other than U+0000",
                        (char)letter);
        return 0;
    }
    *out_size = nq_utf8_encode(point, out);
    return prefix + digits;
}

static nq_bytes decode_escapes(nq_parser *p, nq_sql_token token) {
    nq_bytes whole = nq__parser_text(p, token);
    nq_bytes text = {whole.data + 2, whole.size - 3};
    uint8_t *copy = nq__parser_alloc(p, text.size + 1);
    if (copy == NULL) {
        return (nq_bytes){0};
    }
    size_t size = 0;
    for (size_t i = 0; i < text.size;) {
        uint8_t byte = text.data[i++];
        if (byte == '\'') {
            ++i; /* its double */
        } else if (byte == '\\') {
            size_t written = 0;
            size_t read =
                decode_escape(p, text, i, token.offset + 1 + (uint32_t)i, copy + size, &written);
            if (read == 0) {
                return (nq_bytes){0};
            }
            i += read;
            size += written;
            continue;
        }
        copy[size++] = byte;
    }
    return (nq_bytes){copy, size};
}

nq_bytes nq__parser_string(nq_parser *p, nq_sql_token token) {
    nq_bytes text = nq__parser_text(p, token);
    if (p->status != NQ_OK) {
        return (nq_bytes){0};
    }
    if (text.data[0] == '\'') {
        return undouble(p, text);
    }
    if (text.data[0] == '$') {
        const uint8_t *body = (const uint8_t *)memchr(text.data + 1, '$', text.size - 1) + 1;
        size_t tag_size = (size_t)(body - text.data);
        return (nq_bytes){body, text.size - 2 * tag_size};
    }
    return decode_escapes(p, token);
}

nq_bytes nq__parser_hex(nq_parser *p, nq_sql_token token) {
    nq_bytes whole = nq__parser_text(p, token);
    nq_bytes text = {whole.data + 2, whole.size - 3};
    uint8_t *copy = nq__parser_alloc(p, text.size / 2 + 1);
    if (copy == NULL) {
        return (nq_bytes){0};
    }
    for (size_t i = 0; i < text.size; i += 2) {
        uint32_t value;
        if (read_digits(text, i, 16, 2, &value) != 2) {
            nq__parser_fail(p, token.offset, NQ_INVALID_TEXT_VALUE,
                            "X'..' needs an even number of hexadecimal digits");
            return (nq_bytes){0};
        }
        copy[i / 2] = (uint8_t)value;
    }
    return (nq_bytes){copy, text.size / 2};
}
