/* Logger: what happened, one line per event, as logfmt or JSON.
 *
 *     NQ_LOG(NQ_LEVEL_INFO, "store recovered", NQ_FIELD("records", count), NQ_FIELD("path", path));
 *
 *     2026-01-31T12:00:00.123456Z info "store recovered" records=812 path=data/log
 *     {"time":"2026-01-31T12:00:00.123456Z","level":"info","event":"store
 * recovered","records":812,…}
 *
 * A line is always one line and valid UTF-8, whatever the values hold. One longer than
 * NQ_LOG_LINE_BYTES loses its last fields, never the half of one, and says so with cut=true.
 *
 * Repetition. Of one event name at most NQ_LOG_REPEATS_MAX lines a second are written; the next one
 * written says how many were left out: suppressed=N. So an event's name says what happened and its
 * fields to what.
 *
 * Threads: any. Nothing is allocated, no lock is held while the sink writes. Until it is
 * configured, lines from info upwards go to stderr as logfmt without a time. */
#ifndef NQ_GROUND_BASE_LOGGER_H
#define NQ_GROUND_BASE_LOGGER_H

#include <stdatomic.h>

#include "engine/ground/base/bytes.h"

enum { NQ_LOG_LINE_BYTES = 4096, NQ_LOG_REPEATS_MAX = 20 };

typedef enum nq_log_level {
    NQ_LEVEL_DEBUG,
    NQ_LEVEL_INFO,
    NQ_LEVEL_WARN,
    NQ_LEVEL_ERROR,
    NQ_LEVEL_OFF,
} nq_log_level;

typedef struct nq_logger_options {
    nq_log_level level_min;
    bool is_json;
    int64_t (*now_us)(void); /* since 1970; NULL: no time is shown and nothing is suppressed */
    /* Takes one line with its '\n', from any thread. NULL: stderr, in one write. */
    void (*sink)(void *user, const char *line, size_t bytes);
    void *sink_user;
} nq_logger_options;

/* Call before there are other threads. */
void nq_logger_configure(const nq_logger_options *options);

/* "debug", "info", "warn", "error", "off"; false: none of these. */
bool nq_log_level_parse(const char *name, nq_log_level *out_level);

typedef enum nq_log_kind {
    NQ_LOG_SIGNED,
    NQ_LOG_UNSIGNED,
    NQ_LOG_REAL,
    NQ_LOG_BOOLEAN,
    NQ_LOG_TEXT,
} nq_log_kind;

typedef struct nq_log_field {
    const char *key; /* letters, digits, '_' and '.' */
    nq_log_kind kind;
    union {
        int64_t as_signed;
        uint64_t as_unsigned;
        double as_real;
        bool as_boolean;
        nq_bytes as_text; /* any bytes */
    } value;
} nq_log_field;

/* A field of whatever type the value has: integers, double, bool (which in C17 the literals true
 * and false are not), C strings, nq_bytes. */
#define NQ_FIELD(key, value) \
    _Generic((value),                          \
        bool: nq_log_field_of_boolean,         \
        int: nq_log_field_of_signed,           \
        long: nq_log_field_of_signed,          \
        long long: nq_log_field_of_signed,     \
        unsigned: nq_log_field_of_unsigned,    \
        unsigned long: nq_log_field_of_unsigned, \
        unsigned long long: nq_log_field_of_unsigned, \
        unsigned short: nq_log_field_of_unsigned, \
        unsigned char: nq_log_field_of_unsigned, \
        double: nq_log_field_of_real,          \
        float: nq_log_field_of_real,           \
        char *: nq_log_field_of_cstr,          \
        const char *: nq_log_field_of_cstr,    \
        nq_bytes: nq_log_field_of_text)(key, value)

/* At least one field; nq_logger_write for an event without. */
#define NQ_LOG(level, event, ...)                                        \
    do {                                                                 \
        if (nq_logger_wants(level)) {                                    \
            const nq_log_field nq_fields_[] = {__VA_ARGS__};             \
            nq_logger_write((level), (event), nq_fields_,                \
                            sizeof(nq_fields_) / sizeof(nq_fields_[0])); \
        }                                                                \
    } while (0)

extern _Atomic uint32_t nq__logger_level_min;

static inline bool nq_logger_wants(nq_log_level level) {
    return (uint32_t)level >= atomic_load_explicit(&nq__logger_level_min, memory_order_relaxed);
}

/* `fields` may be NULL when there are none. */
void nq_logger_write(nq_log_level level, const char *event, const nq_log_field *fields,
                     size_t field_count);

static inline nq_log_field nq_log_field_of_signed(const char *key, int64_t value) {
    return (nq_log_field){.key = key, .kind = NQ_LOG_SIGNED, .value.as_signed = value};
}

static inline nq_log_field nq_log_field_of_unsigned(const char *key, uint64_t value) {
    return (nq_log_field){.key = key, .kind = NQ_LOG_UNSIGNED, .value.as_unsigned = value};
}

static inline nq_log_field nq_log_field_of_real(const char *key, double value) {
    return (nq_log_field){.key = key, .kind = NQ_LOG_REAL, .value.as_real = value};
}

static inline nq_log_field nq_log_field_of_boolean(const char *key, bool value) {
    return (nq_log_field){.key = key, .kind = NQ_LOG_BOOLEAN, .value.as_boolean = value};
}

static inline nq_log_field nq_log_field_of_text(const char *key, nq_bytes value) {
    return (nq_log_field){.key = key, .kind = NQ_LOG_TEXT, .value.as_text = value};
}

/* NULL is shown as an empty text. */
static inline nq_log_field nq_log_field_of_cstr(const char *key, const char *value) {
    return nq_log_field_of_text(key, nq_bytes_of_cstr(value != NULL ? value : ""));
}

#endif
