/* Text functions: lengths, cutting, padding, case. Positions and counts are characters, from 1, as
 * in PostgreSQL; text is known to be valid UTF-8, so a character's length is read off its first
 * byte. */
#include <utf8proc.h>

#include "engine/ground/base/utf8.h"
#include "engine/query/eval/kernel_internal.h"

nq_status nq__kernel_char_length(nq_kernel_call *call) {
    for (NQ_ROWS(call, row)) {
        call->result.integers[row] = (int64_t)nq_utf8_count(call->args[0]->bytes[row]);
    }
    return NQ_OK;
}

nq_status nq__kernel_octet_length(nq_kernel_call *call) {
    NQ_FOR_EACH_ROW(call, row,
                    { call->result.integers[row] = (int64_t)call->args[0]->bytes[row].size; });
    return NQ_OK;
}

static nq_bytes skip(nq_bytes text, size_t bytes) {
    return nq_bytes_of(text.data + bytes, text.size - bytes);
}

/* The characters [start, end) of the text, from 0; both may be beyond it. */
static nq_bytes slice(nq_bytes text, int64_t start, int64_t end) {
    if (end <= start || text.size == 0) {
        return nq_bytes_of(text.data, 0);
    }
    nq_bytes rest = start <= 0 ? text : skip(text, nq_utf8_offset(text, (size_t)start));
    int64_t wanted = start < 0 ? end : end - start;
    return nq_bytes_of(rest.data, wanted <= 0 ? 0 : nq_utf8_offset(rest, (size_t)wanted));
}

nq_status nq__kernel_substr(nq_kernel_call *call) {
    bool has_count = call->arg_count == 3;
    for (NQ_ROWS(call, row)) {
        int64_t start = call->args[1]->integers[row] - 1; /* an int32: no overflow */
        int64_t end = INT64_MAX;
        if (has_count) {
            if (call->args[2]->integers[row] < 0) {
                return nq_fail(call->ctx, NQ_INVALID_ARGUMENT,
                               "negative substring length not allowed");
            }
            end = start + call->args[2]->integers[row];
        }
        call->result.bytes[row] = slice(call->args[0]->bytes[row], start < 0 ? 0 : start, end);
    }
    return NQ_OK;
}

/* A negative count means: all but that many at the other end. */
nq_status nq__kernel_left(nq_kernel_call *call) {
    for (NQ_ROWS(call, row)) {
        nq_bytes text = call->args[0]->bytes[row];
        int64_t count = call->args[1]->integers[row];
        int64_t end = count >= 0 ? count : (int64_t)nq_utf8_count(text) + count;
        call->result.bytes[row] = slice(text, 0, end);
    }
    return NQ_OK;
}

nq_status nq__kernel_right(nq_kernel_call *call) {
    for (NQ_ROWS(call, row)) {
        nq_bytes text = call->args[0]->bytes[row];
        int64_t count = call->args[1]->integers[row];
        int64_t start = count >= 0 ? (int64_t)nq_utf8_count(text) - count : -count;
        call->result.bytes[row] = slice(text, start < 0 ? 0 : start, INT64_MAX);
    }
    return NQ_OK;
}

/* The length of the first character of a text that is not empty. */
static size_t first_bytes(nq_bytes text) {
    uint8_t lead = text.data[0];
    return lead < 0x80 ? 1 : (lead < 0xE0 ? 2 : (lead < 0xF0 ? 3 : 4));
}

static size_t last_bytes(nq_bytes text) {
    size_t bytes = 1;
    while (bytes < text.size && (text.data[text.size - bytes] & 0xC0) == 0x80) {
        bytes++;
    }
    return bytes;
}

static bool holds(nq_bytes set, nq_bytes character) {
    while (set.size > 0) {
        size_t bytes = first_bytes(set);
        if (bytes == character.size && memcmp(set.data, character.data, bytes) == 0) {
            return true;
        }
        set = skip(set, bytes);
    }
    return false;
}

static void trim(nq_kernel_call *call, bool at_start, bool at_end) {
    for (NQ_ROWS(call, row)) {
        nq_bytes text = call->args[0]->bytes[row];
        nq_bytes set = call->arg_count == 2 ? call->args[1]->bytes[row] : NQ_BYTES_LITERAL(" ");
        while (at_start && text.size > 0 && holds(set, nq_bytes_of(text.data, first_bytes(text)))) {
            text = skip(text, first_bytes(text));
        }
        while (at_end && text.size > 0) {
            size_t bytes = last_bytes(text);
            if (!holds(set, nq_bytes_of(text.data + text.size - bytes, bytes))) {
                break;
            }
            text.size -= bytes;
        }
        call->result.bytes[row] = text;
    }
}

nq_status nq__kernel_btrim(nq_kernel_call *call) {
    trim(call, true, true);
    return NQ_OK;
}

nq_status nq__kernel_ltrim(nq_kernel_call *call) {
    trim(call, true, false);
    return NQ_OK;
}

nq_status nq__kernel_rtrim(nq_kernel_call *call) {
    trim(call, false, true);
    return NQ_OK;
}

/* Pads on one side to `width` characters; longer text is cut on the right, as PostgreSQL does. */
static nq_status pad(nq_kernel_call *call, uint32_t row, bool at_start) {
    nq_bytes text = call->args[0]->bytes[row];
    nq_bytes fill = call->arg_count == 3 ? call->args[2]->bytes[row] : NQ_BYTES_LITERAL(" ");
    int64_t width = call->args[1]->integers[row];
    size_t length = nq_utf8_count(text);
    if (width <= 0 || (size_t)width <= length || fill.size == 0) {
        call->result.bytes[row] = slice(text, 0, width);
        return NQ_OK;
    }
    size_t missing = (size_t)width - length;
    size_t fill_length = nq_utf8_count(fill);
    size_t whole = missing / fill_length;
    size_t part_bytes = nq_utf8_offset(fill, missing % fill_length);
    size_t fill_bytes = whole * fill.size + part_bytes; /* both factors are below 2^31 */
    uint8_t *out = nq__kernel_alloc(call, text.size + fill_bytes);
    if (out == NULL) {
        return call->ctx->error.code;
    }
    uint8_t *at = out;
    if (!at_start) {
        memcpy(at, text.data, text.size);
        at += text.size;
    }
    for (size_t i = 0; i < whole; i++) {
        memcpy(at, fill.data, fill.size);
        at += fill.size;
    }
    memcpy(at, fill.data, part_bytes);
    at += part_bytes;
    if (at_start && text.size > 0) {
        memcpy(at, text.data, text.size);
    }
    call->result.bytes[row] = nq_bytes_of(out, text.size + fill_bytes);
    return NQ_OK;
}

nq_status nq__kernel_lpad(nq_kernel_call *call) {
    for (NQ_ROWS(call, row)) {
        NQ_TRY(pad(call, row, true));
    }
    return NQ_OK;
}

nq_status nq__kernel_rpad(nq_kernel_call *call) {
    for (NQ_ROWS(call, row)) {
        NQ_TRY(pad(call, row, false));
    }
    return NQ_OK;
}

nq_status nq__kernel_repeat(nq_kernel_call *call) {
    for (NQ_ROWS(call, row)) {
        nq_bytes text = call->args[0]->bytes[row];
        size_t count = call->args[1]->integers[row] > 0 ? (size_t)call->args[1]->integers[row] : 0;
        size_t bytes;
        if (__builtin_mul_overflow(text.size, count, &bytes)) {
            bytes = SIZE_MAX;
        }
        uint8_t *out = nq__kernel_alloc(call, bytes);
        if (out == NULL) {
            return call->ctx->error.code;
        }
        for (size_t i = 0; i < count && text.size > 0; i++) {
            memcpy(out + i * text.size, text.data, text.size);
        }
        call->result.bytes[row] = nq_bytes_of(out, bytes);
    }
    return NQ_OK;
}

nq_status nq__kernel_reverse(nq_kernel_call *call) {
    for (NQ_ROWS(call, row)) {
        nq_bytes text = call->args[0]->bytes[row];
        uint8_t *out = nq__kernel_alloc(call, text.size);
        if (out == NULL) {
            return call->ctx->error.code;
        }
        uint8_t *end = out + text.size;
        for (nq_bytes rest = text; rest.size > 0; rest = skip(rest, first_bytes(rest))) {
            end -= first_bytes(rest);
            memcpy(end, rest.data, first_bytes(rest));
        }
        call->result.bytes[row] = nq_bytes_of(out, text.size);
    }
    return NQ_OK;
}

/* ---- Case: Unicode's simple mappings, one character to one ---- */

/* UnicodeData.txt gives it no upper case; the library offers the capital letter of 2008. */
enum { SHARP_S = 0xDF };

typedef enum letter_case { UPPER, LOWER, TITLE } letter_case;

enum { CHARACTER_BYTES_MAX = 4 };

static utf8proc_int32_t to_case(utf8proc_int32_t character, letter_case target) {
    switch (target) {
    case UPPER:
        return character == SHARP_S ? SHARP_S : utf8proc_toupper(character);
    case LOWER:
        return utf8proc_tolower(character);
    case TITLE:
        break;
    }
    return character == SHARP_S ? SHARP_S : utf8proc_totitle(character);
}

static bool is_alphanumeric(utf8proc_int32_t character) {
    utf8proc_category_t category = utf8proc_category(character);
    return (category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_LO) ||
           (category >= UTF8PROC_CATEGORY_ND && category <= UTF8PROC_CATEGORY_NO);
}

/* `by_word`: the first letter of each word in title case, the rest lower. */
static nq_status change_case(nq_kernel_call *call, uint32_t row, letter_case target, bool by_word) {
    nq_bytes text = call->args[0]->bytes[row];
    /* A simple mapping can lengthen a character: 2 bytes to 3 at most doubles nothing shorter. */
    uint8_t *out = nq__kernel_alloc(call, text.size * 2 + CHARACTER_BYTES_MAX);
    if (out == NULL) {
        return call->ctx->error.code;
    }
    size_t size = 0;
    bool in_word = false;
    for (nq_bytes rest = text; rest.size > 0;) {
        utf8proc_int32_t character;
        utf8proc_ssize_t bytes =
            utf8proc_iterate(rest.data, (utf8proc_ssize_t)first_bytes(rest), &character);
        if (bytes <= 0) {
            return nq_fail(call->ctx, NQ_INVALID_UTF8, "text is not valid UTF-8");
        }
        letter_case wanted = by_word ? (in_word ? LOWER : TITLE) : target;
        size += (size_t)utf8proc_encode_char(to_case(character, wanted), out + size);
        in_word = by_word && is_alphanumeric(character);
        rest = skip(rest, (size_t)bytes);
    }
    call->result.bytes[row] = nq_bytes_of(out, size);
    return NQ_OK;
}

static bool is_ascii(nq_bytes text) {
    uint8_t seen = 0;
    for (size_t i = 0; i < text.size; i++) {
        seen |= text.data[i];
    }
    return seen < 0x80;
}

/* ASCII, the usual case, without a table: `first` .. `first` + 25 flip bit 5. */
static nq_status fold(nq_kernel_call *call, letter_case target) {
    uint8_t first = target == UPPER ? 'a' : 'A';
    for (NQ_ROWS(call, row)) {
        nq_bytes text = call->args[0]->bytes[row];
        if (!is_ascii(text)) {
            NQ_TRY(change_case(call, row, target, false));
            continue;
        }
        uint8_t *out = nq__kernel_alloc(call, text.size);
        if (out == NULL) {
            return call->ctx->error.code;
        }
        for (size_t i = 0; i < text.size; i++) {
            uint8_t byte = text.data[i];
            out[i] = (uint8_t)(byte ^ ((uint8_t)(byte - first) < 26 ? 0x20 : 0));
        }
        call->result.bytes[row] = nq_bytes_of(out, text.size);
    }
    return NQ_OK;
}

nq_status nq__kernel_upper(nq_kernel_call *call) {
    return fold(call, UPPER);
}

nq_status nq__kernel_lower(nq_kernel_call *call) {
    return fold(call, LOWER);
}

nq_status nq__kernel_initcap(nq_kernel_call *call) {
    for (NQ_ROWS(call, row)) {
        NQ_TRY(change_case(call, row, TITLE, true));
    }
    return NQ_OK;
}

/* ---- Characters and their numbers ---- */

nq_status nq__kernel_ascii(nq_kernel_call *call) {
    for (NQ_ROWS(call, row)) {
        nq_bytes text = call->args[0]->bytes[row];
        utf8proc_int32_t character = 0;
        if (text.size > 0) {
            (void)utf8proc_iterate(text.data, (utf8proc_ssize_t)first_bytes(text), &character);
        }
        call->result.integers[row] = character;
    }
    return NQ_OK;
}

nq_status nq__kernel_chr(nq_kernel_call *call) {
    for (NQ_ROWS(call, row)) {
        int64_t number = call->args[0]->integers[row];
        if (number <= 0 || number > 0x10FFFF ||
            !utf8proc_codepoint_valid((utf8proc_int32_t)number)) {
            return nq_fail(call->ctx, NQ_INVALID_ARGUMENT, "no character has the number %lld",
                           (long long)number);
        }
        uint8_t *out = nq__kernel_alloc(call, CHARACTER_BYTES_MAX);
        if (out == NULL) {
            return call->ctx->error.code;
        }
        size_t size = (size_t)utf8proc_encode_char((utf8proc_int32_t)number, out);
        call->result.bytes[row] = nq_bytes_of(out, size);
    }
    return NQ_OK;
}

nq_status nq__kernel_to_hex(nq_kernel_call *call) {
    enum { HEX_DIGITS_MAX = 16 };
    for (NQ_ROWS(call, row)) {
        uint64_t bits = (uint64_t)call->args[0]->integers[row];
        if (call->args[0]->type.id != NQ_TYPE_INT64) {
            bits &= UINT32_MAX;
        }
        uint8_t *out = nq__kernel_alloc(call, HEX_DIGITS_MAX);
        if (out == NULL) {
            return call->ctx->error.code;
        }
        size_t start = HEX_DIGITS_MAX;
        do {
            out[--start] = (uint8_t) "0123456789abcdef"[bits & 0xF];
            bits >>= 4;
        } while (bits != 0);
        call->result.bytes[row] = nq_bytes_of(out + start, HEX_DIGITS_MAX - start);
    }
    return NQ_OK;
}
