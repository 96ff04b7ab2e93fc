/* Event. */
#include "server/observe/event.h"

#include <inttypes.h>
#include <stdio.h>

#include "engine/ground/base/utf8.h"
#include "engine/ground/os/clock.h"

/* Set once, before there are threads to race with. */
static nq_event_level level_min = NQ_EVENT_INFO;
static bool is_json;

static const char *const level_names[] = {"debug", "info", "warn", "error"};
static const char *const level_labels[] = {"DEBUG", "INFO", "WARN", "ERROR"};

enum {
    TAIL_BYTES = 4,         /* always kept free for the end of the line */
    VALUE_BYTES_MAX = 1024, /* of one text */
};

void nq_event_configure(const char *level, const char *format) {
    for (size_t i = 0; i < sizeof level_names / sizeof level_names[0]; i++) {
        if (strcmp(level, level_names[i]) == 0) {
            level_min = (nq_event_level)i;
        }
    }
    is_json = strcmp(format, "json") == 0;
}

static void put_raw(nq_event *event, const char *text, size_t bytes) {
    if (event->used + bytes <= NQ_EVENT_BYTES - TAIL_BYTES) {
        memcpy(event->text + event->used, text, bytes);
        event->used += bytes;
    }
}

static void put_plain(nq_event *event, const char *text) {
    put_raw(event, text, strlen(text));
}

/* Control characters, quotes and backslashes escaped, as JSON wants it; the text form uses the
 * same. */
static void put_escaped(nq_event *event, nq_bytes value) {
    for (size_t i = 0; i < value.size; i++) {
        uint8_t byte = value.data[i];
        char escape[8];
        if (byte == '"' || byte == '\\') {
            put_raw(event, (char[]){'\\', (char)byte}, 2);
        } else if (byte >= 0x20) {
            put_raw(event, (const char *)&byte, 1);
        } else {
            (void)snprintf(escape, sizeof escape, "\\u%04x", byte);
            put_plain(event, escape);
        }
    }
}

static void put_key(nq_event *event, const char *key) {
    put_plain(event, is_json ? ",\"" : " ");
    put_plain(event, key);
    put_plain(event, is_json ? "\":" : "=");
}

/* "2026-01-31T12:00:00.123456Z"; the civil date from days by Howard Hinnant's algorithm. */
static void put_time(nq_event *event, int64_t time_us) {
    int64_t days = time_us / INT64_C(86400000000), rest_us = time_us % INT64_C(86400000000);
    int64_t z = days + 719468, era = z / 146097, day_of_era = z % 146097;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t shifted_month = (5 * day_of_year + 2) / 153;
    int64_t day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    int64_t month = shifted_month < 10 ? shifted_month + 3 : shifted_month - 9;
    int64_t year = year_of_era + era * 400 + (month <= 2);
    char text[64];
    (void)snprintf(text, sizeof text,
                   "%04" PRId64 "-%02" PRId64 "-%02" PRId64 "T%02" PRId64 ":%02" PRId64
                   ":%02" PRId64 ".%06" PRId64 "Z",
                   year, month, day, rest_us / INT64_C(3600000000),
                   rest_us / INT64_C(60000000) % 60, rest_us / 1000000 % 60, rest_us % 1000000);
    put_plain(event, text);
}

void nq_event_begin(nq_event *event, nq_event_level level, const char *what) {
    event->is_written = level >= level_min;
    event->used = 0;
    if (!event->is_written) {
        return;
    }
    put_plain(event, is_json ? "{\"time\":\"" : "");
    put_time(event, nq_clock_realtime_us());
    put_plain(event, is_json ? "\",\"level\":\"" : " ");
    put_plain(event, is_json ? level_names[level] : level_labels[level]);
    put_plain(event, is_json ? "\",\"event\":\"" : " ");
    put_plain(event, what);
    put_plain(event, is_json ? "\"" : "");
}

void nq_event_put_text(nq_event *event, const char *key, nq_bytes value) {
    if (!event->is_written || value.size == 0) {
        return;
    }
    size_t room = NQ_EVENT_BYTES - TAIL_BYTES - event->used;
    size_t most = room / 8 < VALUE_BYTES_MAX ? room / 8 : VALUE_BYTES_MAX;
    /* Escaping may make six bytes of one; most texts need none, so try the generous cut first. */
    size_t generous = room > 128 ? room - 128 : 0;
    generous = generous < VALUE_BYTES_MAX ? generous : VALUE_BYTES_MAX;
    nq_bytes cut = nq_utf8_truncate(value, value.size < generous ? value.size : generous);
    size_t escapes = 0;
    for (size_t i = 0; i < cut.size; i++) {
        escapes += cut.data[i] < 0x20 || cut.data[i] == '"' || cut.data[i] == '\\';
    }
    if (cut.size + 5 * escapes > generous) {
        cut = nq_utf8_truncate(value, value.size < most ? value.size : most);
    }
    bool is_quoted = is_json || escapes > 0 || memchr(cut.data, ' ', cut.size) != NULL;
    put_key(event, key);
    put_plain(event, is_quoted ? "\"" : "");
    put_escaped(event, cut);
    put_plain(event, is_quoted ? "\"" : "");
}

void nq_event_put_cstr(nq_event *event, const char *key, const char *value) {
    nq_event_put_text(event, key, nq_bytes_of_cstr(value));
}

void nq_event_put_count(nq_event *event, const char *key, uint64_t value) {
    char text[24];
    if (event->is_written) {
        (void)snprintf(text, sizeof text, "%" PRIu64, value);
        put_key(event, key);
        put_plain(event, text);
    }
}

void nq_event_put_ms(nq_event *event, const char *key, int64_t duration_ns) {
    char text[32];
    if (event->is_written) {
        (void)snprintf(text, sizeof text, "%.3f", (double)duration_ns / 1e6);
        put_key(event, key);
        put_plain(event, text);
    }
}

void nq_event_put_error(nq_event *event, const nq_error *error) {
    nq_event_put_cstr(event, "reason", nq_status_name(error->code));
    nq_event_put_cstr(event, "message", error->message);
    nq_event_put_cstr(event, "hint", error->hint);
}

void nq_event_end(nq_event *event) {
    if (!event->is_written) {
        return;
    }
    /* put_raw has kept TAIL_BYTES free. */
    if (is_json) {
        event->text[event->used++] = '}';
    }
    event->text[event->used++] = '\n';
    (void)!fwrite(event->text, 1, event->used, stderr);
}
