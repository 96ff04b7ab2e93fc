/* Text: growing buffers, identifiers, counts and display widths. */
#include "sdk/cli/text.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

void *nq_must_resize(void *memory, size_t bytes) {
    void *result = realloc(memory, bytes != 0 ? bytes : 1);
    if (result == NULL) {
        fputs("nq: out of memory\n", stderr);
        exit(1);
    }
    return result;
}

void *nq_must_allocate(size_t bytes) {
    void *memory = nq_must_resize(NULL, bytes);
    memset(memory, 0, bytes);
    return memory;
}

char *nq_must_copy(const char *source, size_t bytes) {
    char *copy = nq_must_resize(NULL, bytes + 1);
    memcpy(copy, source, bytes);
    copy[bytes] = '\0';
    return copy;
}

static void reserve(nq_text *text, size_t bytes) {
    if (text->bytes + bytes + 1 > text->capacity) {
        text->capacity = text->capacity * 2 + bytes + 64;
        text->data = nq_must_resize(text->data, text->capacity);
    }
}

void nq_text_append(nq_text *text, const char *source, size_t bytes) {
    reserve(text, bytes);
    memcpy(text->data + text->bytes, source, bytes);
    text->bytes += bytes;
    text->data[text->bytes] = '\0';
}

void nq_text_append_string(nq_text *text, const char *source) {
    nq_text_append(text, source, strlen(source));
}

void nq_text_append_char(nq_text *text, char c) {
    nq_text_append(text, &c, 1);
}

void nq_text_append_format(nq_text *text, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    int bytes = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    reserve(text, (size_t)bytes);
    va_start(arguments, format);
    vsnprintf(text->data + text->bytes, (size_t)bytes + 1, format, arguments);
    va_end(arguments);
    text->bytes += (size_t)bytes;
}

void nq_text_clear(nq_text *text) {
    text->bytes = 0;
    if (text->data != NULL) {
        text->data[0] = '\0';
    }
}

void nq_text_deinit(nq_text *text) {
    free(text->data);
    *text = (nq_text){0};
}

const char *nq_text_string(const nq_text *text) {
    return text->data != NULL ? text->data : "";
}

void nq_text_append_identifier(nq_text *text, const char *name) {
    nq_text_append_char(text, '"');
    for (; *name != '\0'; name++) {
        if (*name == '"') {
            nq_text_append_char(text, '"');
        }
        nq_text_append_char(text, *name);
    }
    nq_text_append_char(text, '"');
}

void nq_text_append_count(nq_text *text, uint64_t count) {
    char digits[32];
    int length = snprintf(digits, sizeof digits, "%llu", (unsigned long long)count);
    for (int i = 0; i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0) {
            nq_text_append_char(text, ',');
        }
        nq_text_append_char(text, digits[i]);
    }
}

size_t nq_display_width(const char *text, size_t bytes) {
    size_t width = 0;
    mbstate_t state = {0};
    while (bytes > 0) {
        if ((unsigned char)*text < 0x80) {
            width++;
            text++;
            bytes--;
            continue;
        }
        wchar_t wide;
        size_t used = mbrtowc(&wide, text, bytes, &state);
        if (used == 0 || used > bytes) {
            memset(&state, 0, sizeof state);
            used = 1;
            width++;
        } else {
            int cells = wcwidth(wide);
            width += cells > 0 ? (size_t)cells : 0;
        }
        text += used;
        bytes -= used;
    }
    return width;
}
