/* Literals: reading and writing values as text.
 *
 * Dates use the proleptic Gregorian calendar by day numbers (Howard Hinnant, "chrono-Compatible
 * Low-Level Date Algorithms"). Doubles are written as the shortest text that reads back to the same
 * bits, in PostgreSQL's choice of notation. */
#include "sdk/cli/literal.h"

#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const int64_t US_PER_SECOND = 1000000;
static const int64_t US_PER_DAY = 86400 * INT64_C(1000000);

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

bool nq_literal_read_int(const char *text, size_t bytes, int64_t *out_value, bool *out_is_exact) {
    size_t i = bytes > 0 && (text[0] == '-' || text[0] == '+') ? 1 : 0;
    bool is_negative = i == 1 && text[0] == '-';
    size_t digits = bytes - i;
    if (digits == 0) {
        return false;
    }
    *out_is_exact =
        (bytes == digits || is_negative) && (text[i] != '0' || (digits == 1 && !is_negative));
    /* Counts down, because the negative range is the larger one. */
    int64_t value = 0;
    for (; i < bytes; i++) {
        if (!is_digit(text[i]) || __builtin_mul_overflow(value, 10, &value) ||
            __builtin_sub_overflow(value, text[i] - '0', &value)) {
            return false;
        }
    }
    if (!is_negative && value == INT64_MIN) {
        return false;
    }
    *out_value = is_negative ? value : -value;
    return true;
}

/* The parts of a decimal number that decide whether a double can hold it. */
typedef struct decimal_shape {
    size_t significant; /* digits from the first to the last that is not 0 */
    bool has_point_or_exponent;
    bool has_leading_zeros;
    bool is_zero;
} decimal_shape;

static size_t skip_digits(const char *text, size_t bytes, size_t i) {
    while (i < bytes && is_digit(text[i])) {
        i++;
    }
    return i;
}

static bool read_shape(const char *text, size_t bytes, decimal_shape *out_shape) {
    decimal_shape shape = {.is_zero = true};
    size_t i = bytes > 0 && (text[0] == '-' || text[0] == '+') ? 1 : 0;
    size_t whole = i;
    i = skip_digits(text, bytes, i);
    size_t digits = i - whole;
    shape.has_leading_zeros = digits > 1 && text[whole] == '0';
    if (i < bytes && text[i] == '.') {
        size_t fraction = ++i;
        i = skip_digits(text, bytes, i);
        digits += i - fraction;
        shape.has_point_or_exponent = true;
    }
    size_t mantissa_end = i;
    if (digits == 0) {
        return false;
    }
    if (i < bytes && (text[i] == 'e' || text[i] == 'E')) {
        i += i + 1 < bytes && (text[i + 1] == '-' || text[i + 1] == '+') ? 2 : 1;
        size_t exponent = i;
        i = skip_digits(text, bytes, i);
        if (i == exponent) {
            return false;
        }
        shape.has_point_or_exponent = true;
    }
    size_t trailing_zeros = 0;
    for (size_t j = whole; j < mantissa_end; j++) {
        if (!is_digit(text[j])) {
            continue;
        }
        shape.is_zero = shape.is_zero && text[j] == '0';
        trailing_zeros = text[j] == '0' ? trailing_zeros + 1 : 0;
        shape.significant += shape.is_zero ? 0 : 1;
    }
    shape.significant -= shape.is_zero ? 0 : trailing_zeros;
    *out_shape = shape;
    return i == bytes;
}

static bool equals(const char *text, size_t bytes, const char *word) {
    return bytes == strlen(word) && strncasecmp(text, word, bytes) == 0;
}

/* Whether a whole number survives being a double. */
static bool is_same_integer(const char *text, size_t bytes, double value) {
    int64_t integer;
    bool is_exact;
    return nq_literal_read_int(text, bytes, &integer, &is_exact) && fabs(value) < 0x1p63 &&
           (int64_t)value == integer;
}

bool nq_literal_read_double(const char *text, size_t bytes, double *out_value, bool *out_is_exact) {
    char copy[512];
    decimal_shape shape;
    *out_is_exact = true;
    if (equals(text, bytes, "NaN")) {
        *out_value = (double)NAN;
        return true;
    }
    if (equals(text, bytes, "Infinity") || equals(text, bytes, "-Infinity")) {
        *out_value = text[0] == '-' ? -(double)INFINITY : (double)INFINITY;
        return true;
    }
    if (bytes >= sizeof copy || !read_shape(text, bytes, &shape)) {
        return false;
    }
    memcpy(copy, text, bytes);
    copy[bytes] = '\0';
    double value = strtod(copy, NULL);
    *out_is_exact = shape.significant <= 17 && !shape.has_leading_zeros && text[0] != '+' &&
                    isfinite(value) && (value != 0 || shape.is_zero) &&
                    (shape.has_point_or_exponent || is_same_integer(text, bytes, value));
    *out_value = value;
    return isfinite(value);
}

bool nq_literal_read_bool(const char *text, size_t bytes, bool *out_value, bool *out_is_exact) {
    static const struct {
        const char *word;
        bool value;
    } words[] = {
        {"true", true}, {"false", false}, {"t", true}, {"f", false},
        {"yes", true},  {"no", false},    {"y", true}, {"n", false},
        {"on", true},   {"off", false},   {"1", true}, {"0", false},
    };
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (equals(text, bytes, words[i].word)) {
            *out_value = words[i].value;
            *out_is_exact = i < 2;
            return true;
        }
    }
    return false;
}

/* ---- Dates ---- */

static int64_t days_from_civil(int64_t year, int64_t month, int64_t day) {
    year -= month <= 2 ? 1 : 0;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t year_of_era = year - era * 400;
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

static void civil_from_days(int64_t days, int64_t *out_year, int64_t *out_month, int64_t *out_day) {
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    int64_t day_of_era = days - era * 146097;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t shifted_month = (5 * day_of_year + 2) / 153;
    *out_day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    *out_month = shifted_month < 10 ? shifted_month + 3 : shifted_month - 9;
    *out_year = year_of_era + era * 400 + (*out_month <= 2 ? 1 : 0);
}

/* Exactly `digits` digits at text[*io_at]. */
static bool read_number(const char *text, size_t bytes, size_t digits, size_t *io_at,
                        int64_t *out_value) {
    if (*io_at + digits > bytes) {
        return false;
    }
    *out_value = 0;
    for (size_t i = 0; i < digits; i++) {
        char c = text[*io_at + i];
        if (!is_digit(c)) {
            return false;
        }
        *out_value = *out_value * 10 + (c - '0');
    }
    *io_at += digits;
    return true;
}

static bool read_char(const char *text, size_t bytes, size_t *io_at, char wanted) {
    if (*io_at >= bytes || text[*io_at] != wanted) {
        return false;
    }
    ++*io_at;
    return true;
}

static bool read_date_at(const char *text, size_t bytes, size_t *io_at, int64_t *out_days) {
    static const int days_of_month[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int64_t year, month, day;
    if (!read_number(text, bytes, 4, io_at, &year) || !read_char(text, bytes, io_at, '-') ||
        !read_number(text, bytes, 2, io_at, &month) || !read_char(text, bytes, io_at, '-') ||
        !read_number(text, bytes, 2, io_at, &day)) {
        return false;
    }
    bool is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    if (year < 1 || month < 1 || month > 12 || day < 1 || day > days_of_month[month - 1] ||
        (month == 2 && day == 29 && !is_leap)) {
        return false;
    }
    *out_days = days_from_civil(year, month, day);
    return true;
}

bool nq_literal_read_date(const char *text, size_t bytes, int64_t *out_days) {
    size_t at = 0;
    return read_date_at(text, bytes, &at, out_days) && at == bytes;
}

/* HH:MM[:SS[.ffffff]] */
static bool read_clock_at(const char *text, size_t bytes, size_t *io_at, int64_t *out_us) {
    int64_t hour, minute, second = 0, fraction = 0;
    if (!read_number(text, bytes, 2, io_at, &hour) || !read_char(text, bytes, io_at, ':') ||
        !read_number(text, bytes, 2, io_at, &minute)) {
        return false;
    }
    if (read_char(text, bytes, io_at, ':')) {
        if (!read_number(text, bytes, 2, io_at, &second)) {
            return false;
        }
        if (read_char(text, bytes, io_at, '.')) {
            size_t digits = skip_digits(text, bytes, *io_at) - *io_at;
            if (digits == 0 || digits > 6 || !read_number(text, bytes, digits, io_at, &fraction)) {
                return false;
            }
            for (; digits < 6; digits++) {
                fraction *= 10;
            }
        }
    }
    if (hour > 23 || minute > 59 || second > 59) {
        return false;
    }
    *out_us = (hour * 3600 + minute * 60 + second) * US_PER_SECOND + fraction;
    return true;
}

/* Z, +HH, +HHMM, +HH:MM or nothing, to the end of the text. */
static bool read_zone_at(const char *text, size_t bytes, size_t at, int64_t *io_us,
                         nq_literal_zone *out_zone) {
    int64_t hours, minutes = 0;
    *out_zone = NQ_ZONE_NONE;
    if (at == bytes) {
        return true;
    }
    if (text[at] == 'Z' && at + 1 == bytes) {
        *out_zone = NQ_ZONE_UTC;
        return true;
    }
    if (text[at] != '+' && text[at] != '-') {
        return false;
    }
    int64_t sign = text[at++] == '-' ? -1 : 1;
    if (!read_number(text, bytes, 2, &at, &hours)) {
        return false;
    }
    if (at < bytes) {
        read_char(text, bytes, &at, ':');
        if (!read_number(text, bytes, 2, &at, &minutes)) {
            return false;
        }
    }
    *out_zone = hours == 0 && minutes == 0 ? NQ_ZONE_UTC : NQ_ZONE_OFFSET;
    *io_us -= sign * (hours * 60 + minutes) * 60 * US_PER_SECOND;
    return at == bytes && hours <= 15 && minutes <= 59;
}

bool nq_literal_read_timestamp(const char *text, size_t bytes, int64_t *out_us,
                               nq_literal_zone *out_zone) {
    size_t at = 0;
    int64_t days, clock_us = 0;
    *out_zone = NQ_ZONE_NONE;
    if (!read_date_at(text, bytes, &at, &days)) {
        return false;
    }
    *out_us = days * US_PER_DAY;
    if (at == bytes) {
        return true;
    }
    if (!read_char(text, bytes, &at, ' ') && !read_char(text, bytes, &at, 'T')) {
        return false;
    }
    if (!read_clock_at(text, bytes, &at, &clock_us)) {
        return false;
    }
    *out_us += clock_us;
    return read_zone_at(text, bytes, at, out_us, out_zone);
}

/* ---- Writing ---- */

/* The shortest digits that read back to `value`, as d.ddde[+-]xx. */
static int shortest_scientific(double value, bool is_single, char *out_text, size_t text_bytes) {
    int digits_max = is_single ? 9 : 17;
    /* So many digits always survive in a normal number; subnormal ones have fewer. */
    bool is_subnormal = fabs(value) < (is_single ? (double)FLT_MIN : DBL_MIN);
    for (int digits = is_subnormal ? 1 : is_single ? 6 : 15;; digits++) {
        snprintf(out_text, text_bytes, "%.*e", digits - 1, value);
        bool is_same =
            is_single ? strtof(out_text, NULL) == (float)value : strtod(out_text, NULL) == value;
        if (is_same || digits == digits_max) {
            return digits;
        }
    }
}

static void write_double(nq_text *text, double value, bool is_single) {
    if (isnan(value)) {
        nq_text_append_string(text, "NaN");
        return;
    }
    if (isinf(value)) {
        nq_text_append_string(text, value < 0 ? "-Infinity" : "Infinity");
        return;
    }
    char scientific[40];
    int digits = shortest_scientific(value, is_single, scientific, sizeof scientific);
    int exponent = (int)strtol(strchr(scientific, 'e') + 1, NULL, 10);
    if (exponent < -4 || exponent >= (is_single ? 6 : 15)) {
        char *mark = strchr(scientific, 'e');
        char *end = mark;
        while (digits > 1 && end[-1] == '0') {
            end--;
        }
        end -= end[-1] == '.' ? 1 : 0;
        nq_text_append(text, scientific, (size_t)(end - scientific));
        nq_text_append_string(text, mark);
    } else {
        char fixed[64];
        int decimals = digits - 1 - exponent;
        int length = snprintf(fixed, sizeof fixed, "%.*f", decimals > 0 ? decimals : 0, value);
        while (decimals > 0 && length > 0 && fixed[length - 1] == '0') {
            length--;
        }
        if (decimals > 0 && length > 0 && fixed[length - 1] == '.') {
            length--;
        }
        nq_text_append(text, fixed, (size_t)length);
    }
}

static void write_date(nq_text *text, int64_t days) {
    int64_t year, month, day;
    civil_from_days(days, &year, &month, &day);
    nq_text_append_format(text, "%04" PRId64 "-%02" PRId64 "-%02" PRId64 "%s",
                          year > 0 ? year : 1 - year, month, day, year > 0 ? "" : " BC");
}

static void write_clock(nq_text *text, int64_t us) {
    int64_t seconds = us / US_PER_SECOND;
    nq_text_append_format(text, "%02" PRId64 ":%02" PRId64 ":%02" PRId64, seconds / 3600,
                          seconds / 60 % 60, seconds % 60);
    int64_t fraction = us % US_PER_SECOND;
    if (fraction != 0) {
        char digits[8];
        snprintf(digits, sizeof digits, "%06d", (int)fraction);
        size_t length = 6;
        while (digits[length - 1] == '0') {
            length--;
        }
        nq_text_append_char(text, '.');
        nq_text_append(text, digits, length);
    }
}

static void write_timestamp(nq_text *text, int64_t us) {
    int64_t days = us / US_PER_DAY;
    int64_t clock_us = us % US_PER_DAY;
    if (clock_us < 0) {
        clock_us += US_PER_DAY;
        days--;
    }
    write_date(text, days);
    nq_text_append_char(text, ' ');
    write_clock(text, clock_us);
}

static void write_hex(nq_text *text, const char *data, size_t bytes) {
    for (size_t i = 0; i < bytes; i++) {
        nq_text_append_format(text, "%02x", (unsigned)(unsigned char)data[i]);
    }
}

static void write_uuid(nq_text *text, const char *data) {
    static const size_t groups[] = {4, 2, 2, 2, 6};
    for (size_t i = 0; i < sizeof groups / sizeof groups[0]; i++) {
        if (i > 0) {
            nq_text_append_char(text, '-');
        }
        write_hex(text, data, groups[i]);
        data += groups[i];
    }
}

void nq_literal_write(nq_text *text, const nq_datum *datum) {
    switch (datum->type) {
    case NQ_DATA_BOOL:
        nq_text_append_char(text, datum->boolean ? 't' : 'f');
        break;
    case NQ_DATA_INT16:
    case NQ_DATA_INT32:
    case NQ_DATA_INT64:
        nq_text_append_format(text, "%" PRId64, datum->integer);
        break;
    case NQ_DATA_FLOAT32:
    case NQ_DATA_FLOAT64:
        write_double(text, datum->number, datum->type == NQ_DATA_FLOAT32);
        break;
    case NQ_DATA_TIMESTAMP:
        write_timestamp(text, datum->integer);
        break;
    case NQ_DATA_DATE:
        write_date(text, datum->integer);
        break;
    case NQ_DATA_TIME:
        write_clock(text, datum->integer);
        break;
    case NQ_DATA_BYTES:
        nq_text_append_string(text, "\\x");
        write_hex(text, datum->text, datum->text_bytes);
        break;
    case NQ_DATA_UUID:
        write_uuid(text, datum->text);
        break;
    default:
        nq_text_append(text, datum->text, datum->text_bytes);
        break;
    }
}

/* ---- Types ---- */

static const struct {
    nq_data_type type;
    const char *name; /* the first of each type is the one that is written */
} TYPE_NAMES[] = {
    {NQ_DATA_BOOL, "boolean"},    {NQ_DATA_BOOL, "bool"},
    {NQ_DATA_INT16, "smallint"},  {NQ_DATA_INT16, "int2"},
    {NQ_DATA_INT32, "integer"},   {NQ_DATA_INT32, "int"},
    {NQ_DATA_INT32, "int4"},      {NQ_DATA_INT64, "bigint"},
    {NQ_DATA_INT64, "int8"},      {NQ_DATA_FLOAT32, "real"},
    {NQ_DATA_FLOAT32, "float4"},  {NQ_DATA_FLOAT64, "double precision"},
    {NQ_DATA_FLOAT64, "double"},  {NQ_DATA_FLOAT64, "float"},
    {NQ_DATA_FLOAT64, "float8"},  {NQ_DATA_DECIMAL, "numeric"},
    {NQ_DATA_DECIMAL, "decimal"}, {NQ_DATA_TEXT, "text"},
    {NQ_DATA_TEXT, "varchar"},    {NQ_DATA_BYTES, "bytea"},
    {NQ_DATA_BYTES, "blob"},      {NQ_DATA_TIMESTAMP, "timestamp"},
    {NQ_DATA_DATE, "date"},       {NQ_DATA_TIME, "time"},
    {NQ_DATA_UUID, "uuid"},
};

const char *nq_data_type_sql(nq_data_type type) {
    for (size_t i = 0; i < sizeof TYPE_NAMES / sizeof TYPE_NAMES[0]; i++) {
        if (TYPE_NAMES[i].type == type) {
            return TYPE_NAMES[i].name;
        }
    }
    return "unknown";
}

nq_data_type nq_data_type_find(const char *name, size_t bytes) {
    for (size_t i = 0; i < sizeof TYPE_NAMES / sizeof TYPE_NAMES[0]; i++) {
        if (equals(name, bytes, TYPE_NAMES[i].name)) {
            return TYPE_NAMES[i].type;
        }
    }
    return NQ_DATA_UNKNOWN;
}

bool nq_data_type_is_number(nq_data_type type) {
    return type >= NQ_DATA_INT16 && type <= NQ_DATA_DECIMAL;
}
