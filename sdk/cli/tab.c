/* Tab. */
#include "sdk/cli/tab.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "sdk/cli/complete.h"

enum {
    SHOWN_MAX = 200, /* more than anybody reads */
    GAP_CELLS = 2,
    WIDTH_CELLS = 80, /* of a terminal that does not say */
};

static size_t terminal_width(void) {
    struct winsize size;
    bool is_known = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
    return is_known ? size.ws_col : WIDTH_CELLS;
}

static void show(const nq_words *words) {
    size_t shown = words->count < SHOWN_MAX ? words->count : SHOWN_MAX;
    size_t widest = 0;
    for (size_t i = 0; i < shown; i++) {
        size_t width = nq_display_width(words->items[i], strlen(words->items[i]));
        widest = width > widest ? width : widest;
    }
    size_t columns = terminal_width() / (widest + GAP_CELLS);
    columns = columns > 0 ? columns : 1;
    for (size_t i = 0; i < shown; i++) {
        const char *word = words->items[i];
        size_t width = nq_display_width(word, strlen(word));
        printf("%s%s%*s", i % columns == 0 ? "\n" : "", word, (int)(widest + GAP_CELLS - width),
               "");
    }
    if (shown < words->count) {
        printf("\n(and %zu more)", words->count - shown);
    }
    putchar('\n');
    fflush(stdout);
}

static int characters_in(const char *text, size_t bytes) {
    int count = 0;
    for (size_t i = 0; i < bytes; i++) {
        count += ((unsigned char)text[i] & 0xc0) != 0x80;
    }
    return count;
}

/* False: the line is as long as it may get. */
static bool replace(EditLine *editor, const char *typed, size_t typed_bytes, const char *text) {
    el_deletestr(editor, characters_in(typed, typed_bytes));
    return el_insertstr(editor, text) == 0;
}

static unsigned char apply(EditLine *editor, const char *typed, size_t typed_bytes,
                           const nq_words *words) {
    size_t common = nq_words_common_bytes(words);
    if (words->count == 0) {
        return CC_ERROR;
    }
    bool is_only = words->count == 1;
    bool says_more = common > typed_bytes ||
                     (common == typed_bytes && memcmp(words->items[0], typed, common) != 0);
    if (!is_only && !says_more) {
        show(words);
        return CC_REDISPLAY;
    }
    nq_text text = {0};
    nq_text_append(&text, words->items[0], common);
    nq_text_append_string(&text, is_only ? " " : "");
    bool fits = replace(editor, typed, typed_bytes, nq_text_string(&text));
    nq_text_deinit(&text);
    return fits ? CC_REFRESH : CC_ERROR;
}

unsigned char nq_tab_press(EditLine *editor, const nq_text *pending, nq_names *names) {
    const LineInfo *line = el_line(editor);
    nq_text text = {0};
    nq_completion completion;
    nq_text_append(&text, nq_text_string(pending), pending->bytes);
    nq_text_append(&text, line->buffer, (size_t)(line->lastchar - line->buffer));
    size_t cursor = pending->bytes + (size_t)(line->cursor - line->buffer);
    nq_complete(names, nq_text_string(&text), text.bytes, cursor, &completion);
    /* A quoted name may have begun on an earlier line, which is out of reach. */
    unsigned char code = completion.start < pending->bytes
                             ? CC_ERROR
                             : apply(editor, text.data + completion.start,
                                     cursor - completion.start, &completion.words);
    nq_words_deinit(&completion.words);
    nq_text_deinit(&text);
    return code;
}
