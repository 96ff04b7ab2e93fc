/* Logger: a line is built on the stack and handed to the sink whole.
 *
 * Repetition is counted in a small table indexed by the event name's hash: two names that share a
 * slot take turns in it, which loses a count at worst, never a line that should be written. */
#include "engine/ground/base/logger.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "engine/ground/base/map.h"
#include "engine/ground/base/utf8.h"

enum {
    TAIL_BYTES = 64, /* kept free for suppressed=N, cut=true and the end of the line */
    SLOTS = 64,
    WINDOW_US = 1000000,
};

typedef struct line_buffer {
    char text[NQ_LOG_LINE_BYTES];
    size_t size;
    size_t limit;
    bool is_full; /* something did not fit: whoever put it takes it back */
} line_buffer;

typedef struct repetition {
    uint64_t hash;
    int64_t window_start_us;
    uint64_t written;
    uint64_t suppressed;
} repetition;

_Atomic uint32_t nq__logger_level_min = NQ_LEVEL_INFO;

static nq_logger_options options = {.level_min = NQ_LEVEL_INFO};
static repetition repetitions[SLOTS];
static atomic_flag repetitions_lock = ATOMIC_FLAG_INIT; /* held for a few instructions */

static const char *const LEVEL_NAMES[] = {"debug", "info", "warn", "error", "off"};

void nq_logger_configure(const nq_logger_options *new_options) {
    options = *new_options;
    memset(repetitions, 0, sizeof(repetitions));
    atomic_store(&nq__logger_level_min, (uint32_t)new_options->level_min);
}

bool nq_log_level_parse(const char *name, nq_log_level *out_level) {
    for (uint32_t i = 0; i < sizeof(LEVEL_NAMES) / sizeof(LEVEL_NAMES[0]); i++) {
        if (strcmp(name, LEVEL_NAMES[i]) == 0) {
            *out_level = (nq_log_level)i;
            return true;
        }
    }
    return false;
}

/* ---- Pieces of a line ---- */

static void put(line_buffer *line, const char *text, size_t bytes) {
    if (line->is_full || bytes > line->limit - line->size) {
        line->is_full = true;
        return;
    }
    memcpy(line->text + line->size, text, bytes);
    line->size += bytes;
}

static void put_cstr(line_buffer *line, const char *text) {
    put(line, text, strlen(text));
}

/* The character at `data`, made harmless: escaped as in JSON, U+FFFD for bytes that are not UTF-8.
 */
static size_t put_character(line_buffer *line, const uint8_t *data, size_t size) {
    uint32_t character;
    size_t bytes = nq_utf8_decode(data, size, &character);
    /* C1 controls and the separators U+2028 and U+2029 also end lines or move cursors somewhere. */
    bool is_control = character < 0x20 || (character >= 0x7F && character < 0xA0) ||
                      character == 0x2028 || character == 0x2029;
    char escape[8];
    if (bytes == 0) {
        put_cstr(line, "\xEF\xBF\xBD");
        return 1;
    }
    if (character == '"' || character == '\\') {
        put(line, (char[]){'\\', (char)character}, 2);
    } else if (character == '\n') {
        put_cstr(line, "\\n");
    } else if (is_control) {
        (void)snprintf(escape, sizeof(escape), "\\u%04x", (unsigned)character);
        put_cstr(line, escape);
    } else {
        put(line, (const char *)data, bytes);
    }
    return bytes;
}

/* logfmt leaves a word bare when nothing in it could be taken for something else. */
static bool is_bare_word(nq_bytes text) {
    for (size_t i = 0; i < text.size; i++) {
        uint8_t byte = text.data[i];
        if (byte <= ' ' || byte >= 0x7F || byte == '"' || byte == '=' || byte == '\\') {
            return false;
        }
    }
    return text.size > 0;
}

static void put_text(line_buffer *line, nq_bytes text) {
    if (!options.is_json && is_bare_word(text)) {
        put(line, (const char *)text.data, text.size);
        return;
    }
    put(line, "\"", 1);
    for (size_t at = 0; at < text.size && !line->is_full;) {
        at += put_character(line, text.data + at, text.size - at);
    }
    put(line, "\"", 1);
}

static void put_real(line_buffer *line, double value) {
    char text[40];
    if (isfinite(value)) {
        (void)snprintf(text, sizeof(text), "%.15g", value);
        put_cstr(line, text);
    } else {
        /* JSON has no such numbers: a text in both forms. */
        put_text(line, nq_bytes_of_cstr(isnan(value) ? "NaN"
                                        : value > 0  ? "Infinity"
                                                     : "-Infinity"));
    }
}

static void put_key(line_buffer *line, const char *key) {
    put_cstr(line, options.is_json ? ",\"" : " ");
    put_cstr(line, key);
    put_cstr(line, options.is_json ? "\":" : "=");
}

static void put_value(line_buffer *line, const nq_log_field *field) {
    char text[32];
    switch (field->kind) {
    case NQ_LOG_SIGNED:
        (void)snprintf(text, sizeof(text), "%" PRId64, field->value.as_signed);
        put_cstr(line, text);
        break;
    case NQ_LOG_UNSIGNED:
        (void)snprintf(text, sizeof(text), "%" PRIu64, field->value.as_unsigned);
        put_cstr(line, text);
        break;
    case NQ_LOG_REAL:
        put_real(line, field->value.as_real);
        break;
    case NQ_LOG_BOOLEAN:
        put_cstr(line, field->value.as_boolean ? "true" : "false");
        break;
    case NQ_LOG_TEXT:
        put_text(line, field->value.as_text);
        break;
    }
}

static void put_field(line_buffer *line, const nq_log_field *field) {
    size_t before = line->size;
    put_key(line, field->key);
    put_value(line, field);
    if (line->is_full) {
        line->size = before;
    }
}

/* The civil date from the day number: H. Hinnant, "chrono-compatible low-level date algorithms". */
static void put_time(line_buffer *line, int64_t now_us) {
    int64_t second = now_us / 1000000;
    int64_t day = second / 86400 + 719468; /* since 0000-03-01, where leap days come last */
    int64_t era = day / 146097;
    int64_t day_of_era = day % 146097;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t month_from_march = (5 * day_of_year + 2) / 153;
    int64_t month = month_from_march < 10 ? month_from_march + 3 : month_from_march - 9;
    int64_t year = year_of_era + era * 400 + (month <= 2 ? 1 : 0);
    char text[64];
    (void)snprintf(text, sizeof(text), "%04d-%02d-%02dT%02d:%02d:%02d.%06dZ", (int)year, (int)month,
                   (int)(day_of_year - (153 * month_from_march + 2) / 5 + 1),
                   (int)(second / 3600 % 24), (int)(second / 60 % 60), (int)(second % 60),
                   (int)(now_us % 1000000));
    put_cstr(line, text);
}

/* Time, level and event name. */
static void put_head(line_buffer *line, nq_log_level level, const char *event, int64_t now_us) {
    put_cstr(line, options.is_json ? "{" : "");
    if (now_us >= 0) {
        put_cstr(line, options.is_json ? "\"time\":\"" : "");
        put_time(line, now_us);
        put_cstr(line, options.is_json ? "\"," : " ");
    }
    put_cstr(line, options.is_json ? "\"level\":\"" : "");
    put_cstr(line, LEVEL_NAMES[level]);
    put_cstr(line, options.is_json ? "\",\"event\":" : " ");
    put_text(line, nq_bytes_of_cstr(event));
}

/* ---- Repetition ---- */

/* True: write this one, which stands for *out_suppressed others too. Event names are literals of
 * this program and nobody's input: a fixed key makes their slots the same in every process. */
static bool admit(const char *event, int64_t now_us, uint64_t *out_suppressed) {
    static const uint64_t key[2] = {0, 0};
    uint64_t hash = nq_siphash(nq_bytes_of_cstr(event), key);
    repetition *slot = &repetitions[hash % SLOTS];
    *out_suppressed = 0;
    while (atomic_flag_test_and_set_explicit(&repetitions_lock, memory_order_acquire)) {
    }
    int64_t age_us = now_us - slot->window_start_us;
    if (slot->hash != hash) {
        *slot = (repetition){.hash = hash, .window_start_us = now_us};
    } else if (age_us < 0 || age_us >= WINDOW_US) {
        slot->window_start_us = now_us;
        slot->written = 0;
    }
    bool is_admitted = slot->written < NQ_LOG_REPEATS_MAX;
    if (is_admitted) {
        slot->written++;
        *out_suppressed = slot->suppressed;
        slot->suppressed = 0;
    } else {
        slot->suppressed++;
    }
    atomic_flag_clear_explicit(&repetitions_lock, memory_order_release);
    return is_admitted;
}

void nq_logger_write(nq_log_level level, const char *event, const nq_log_field *fields,
                     size_t field_count) {
    uint64_t suppressed = 0;
    int64_t now_us = options.now_us != NULL ? options.now_us() : -1;
    if (!nq_logger_wants(level) || (now_us >= 0 && !admit(event, now_us, &suppressed))) {
        return;
    }
    line_buffer line;
    line.size = 0;
    line.is_full = false;
    line.limit = NQ_LOG_LINE_BYTES - TAIL_BYTES;
    put_head(&line, level, event, now_us);
    for (size_t i = 0; i < field_count && !line.is_full; i++) {
        put_field(&line, &fields[i]);
    }
    bool is_cut = line.is_full;
    line.is_full = false;
    line.limit = NQ_LOG_LINE_BYTES;
    if (suppressed > 0) {
        put_field(&line,
                  &(nq_log_field){"suppressed", NQ_LOG_UNSIGNED, {.as_unsigned = suppressed}});
    }
    if (is_cut) {
        put_field(&line, &(nq_log_field){"cut", NQ_LOG_BOOLEAN, {.as_boolean = true}});
    }
    put_cstr(&line, options.is_json ? "}\n" : "\n");
    if (options.sink != NULL) {
        options.sink(options.sink_user, line.text, line.size);
    } else {
        (void)fwrite(line.text, 1, line.size, stderr);
    }
}
