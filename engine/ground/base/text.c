/* Text builder: doubles its room; when it stands at the arena's end, that is the only copy made. */
#include "engine/ground/base/text.h"

#include <stdarg.h>
#include <stdio.h>

enum { ROOM_BYTES_FIRST = 64 };

void nq_text_init(nq_text *text, nq_arena *arena) {
    *text = (nq_text){.arena = arena};
}

/* Makes room for `bytes` more and the NUL. */
static bool reserve(nq_text *text, size_t bytes) {
    if (text->has_failed) {
        return false;
    }
    if (bytes < text->room - text->size) {
        return true;
    }
    size_t need;
    if (__builtin_add_overflow(text->size + 1, bytes, &need)) {
        text->has_failed = true;
        return false;
    }
    size_t room = text->room > 0 ? text->room : ROOM_BYTES_FIRST / 2;
    room = room <= SIZE_MAX / 2 && need < room * 2 ? room * 2 : need;
    char *data = nq_arena_alloc(text->arena, room);
    if (data == NULL) {
        text->has_failed = true;
        return false;
    }
    if (text->size > 0) {
        memcpy(data, text->data, text->size);
    }
    data[text->size] = '\0';
    text->data = data;
    text->room = room;
    return true;
}

void nq_text_append(nq_text *text, nq_bytes bytes) {
    if (bytes.size == 0 || !reserve(text, bytes.size)) {
        return;
    }
    memcpy(text->data + text->size, bytes.data, bytes.size);
    text->size += bytes.size;
    text->data[text->size] = '\0';
}

void nq_text_append_cstr(nq_text *text, const char *words) {
    nq_text_append(text, nq_bytes_of_cstr(words));
}

void nq_text_append_char(nq_text *text, char character) {
    nq_text_append(text, nq_bytes_of(&character, 1));
}

void nq_text_append_format(nq_text *text, const char *format, ...) {
    va_list arguments;
    va_list again;
    va_start(arguments, format);
    va_copy(again, arguments);
    size_t room = text->room - text->size;
    int wanted = vsnprintf(room > 0 ? text->data + text->size : NULL, room, format, arguments);
    if (wanted < 0) {
        text->has_failed = true;
    } else if ((size_t)wanted < room && !text->has_failed) {
        text->size += (size_t)wanted;
    } else if (reserve(text, (size_t)wanted)) {
        (void)vsnprintf(text->data + text->size, (size_t)wanted + 1, format, again);
        text->size += (size_t)wanted;
    }
    if (text->data != NULL) {
        text->data[text->size] = '\0';
    }
    va_end(again);
    va_end(arguments);
}

void nq_text_truncate(nq_text *text, size_t size) {
    if (size < text->size) {
        text->size = size;
        text->data[size] = '\0';
    }
}
