/* JSON: strings and datums (RFC 8259). */
#include <math.h>
#include <stdint.h>

#include "sdk/cli/literal.h"
#include "sdk/cli/printer.h"

/* Bytes of the UTF-8 character at `text`; 0: it is none. */
static size_t character_bytes(const unsigned char *text, size_t bytes) {
    unsigned char lead = text[0];
    size_t length = lead < 0x80                   ? 1
                    : lead >= 0xc2 && lead < 0xe0 ? 2
                    : (lead & 0xf0) == 0xe0       ? 3
                    : lead >= 0xf0 && lead < 0xf5 ? 4
                                                  : 0;
    if (length == 0 || length > bytes) {
        return 0;
    }
    for (size_t i = 1; i < length; i++) {
        if ((text[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    bool is_overlong = (lead == 0xe0 && text[1] < 0xa0) || (lead == 0xf0 && text[1] < 0x90);
    bool is_outside = (lead == 0xed && text[1] >= 0xa0) || (lead == 0xf4 && text[1] >= 0x90);
    return is_overlong || is_outside ? 0 : length;
}

static void append_escaped(nq_text *text, unsigned char c) {
    switch (c) {
    case '"':
        nq_text_append_string(text, "\\\"");
        break;
    case '\\':
        nq_text_append_string(text, "\\\\");
        break;
    case '\n':
        nq_text_append_string(text, "\\n");
        break;
    case '\r':
        nq_text_append_string(text, "\\r");
        break;
    case '\t':
        nq_text_append_string(text, "\\t");
        break;
    default:
        nq_text_append_format(text, "\\u%04x", (unsigned)c);
        break;
    }
}

void nq_json_append_string(nq_text *text, const char *source, size_t bytes) {
    nq_text_append_char(text, '"');
    size_t at = 0;
    while (at < bytes) {
        size_t run = at;
        while (run < bytes && (unsigned char)source[run] >= 0x20 && source[run] != '"' &&
               source[run] != '\\' && source[run] != 0x7f && (unsigned char)source[run] < 0x80) {
            run++;
        }
        nq_text_append(text, source + at, run - at);
        at = run;
        if (at == bytes) {
            break;
        }
        unsigned char c = (unsigned char)source[at];
        size_t length = character_bytes((const unsigned char *)source + at, bytes - at);
        if (c < 0x80) {
            append_escaped(text, c);
            length = 1;
        } else if (length == 0) {
            nq_text_append_string(text, "\xef\xbf\xbd");
            length = 1;
        } else {
            nq_text_append(text, source + at, length);
        }
        at += length;
    }
    nq_text_append_char(text, '"');
}

void nq_json_append_datum(nq_text *text, const nq_datum *datum) {
    if (datum->is_null) {
        nq_text_append_string(text, "null");
    } else if (datum->type == NQ_DATA_BOOL) {
        nq_text_append_string(text, datum->boolean ? "true" : "false");
    } else if (datum->type == NQ_DATA_TEXT || datum->type == NQ_DATA_UNKNOWN) {
        nq_json_append_string(text, datum->text, datum->text_bytes);
    } else if (nq_data_type_is_number(datum->type) &&
               ((datum->type != NQ_DATA_FLOAT32 && datum->type != NQ_DATA_FLOAT64) ||
                isfinite(datum->number))) {
        nq_literal_write(text, datum);
    } else {
        nq_text plain = {0};
        nq_literal_write(&plain, datum);
        nq_json_append_string(text, nq_text_string(&plain), plain.bytes);
        nq_text_deinit(&plain);
    }
}
