/* Reading ISO 8601 dates and times. A reader walks the text once; every piece says how it failed.
 */
#include "engine/data/value/datetime.h"

typedef struct reader {
    const uint8_t *at;
    const uint8_t *end;
} reader;

static bool is_digit_at(const reader *in) {
    return in->at < in->end && *in->at >= '0' && *in->at <= '9';
}

static bool take(reader *in, uint8_t byte) {
    if (in->at < in->end && *in->at == byte) {
        in->at++;
        return true;
    }
    return false;
}

/* Between `count_min` and `count_max` digits; answers how many there were, 0 when too few. */
static int take_digits(reader *in, int count_min, int count_max, int64_t *out_value) {
    int count = 0;
    *out_value = 0;
    while (count < count_max && is_digit_at(in)) {
        *out_value = *out_value * 10 + (*in->at++ - '0');
        count++;
    }
    return count >= count_min ? count : 0;
}

/* A trailing " BC" belongs to the year, but stands after everything: cut it off first. */
static bool cut_era(nq_bytes *text) {
    if (text->size < 3) {
        return false;
    }
    const uint8_t *era = text->data + text->size - 3;
    if (era[0] != ' ' || (era[1] | 32) != 'b' || (era[2] | 32) != 'c') {
        return false;
    }
    text->size -= 3;
    return true;
}

static nq_datetime_result read_date(reader *in, bool is_bc, int64_t *out_days) {
    int64_t year, month, day;
    const uint8_t *start = in->at;
    int count = take_digits(in, 4, 8, &year);
    if (count == 8) {
        day = year % 100;
        month = year / 100 % 100;
        year /= 10000;
    } else if (count == 0 || count > 6 || !take(in, '-') || take_digits(in, 1, 2, &month) == 0 ||
               !take(in, '-') || take_digits(in, 1, 2, &day) == 0 || is_digit_at(in)) {
        in->at = start;
        return NQ_DATETIME_MALFORMED;
    }
    if (year == 0 || month < 1 || month > 12) {
        return NQ_DATETIME_OUTSIDE;
    }
    nq_civil civil = {(int32_t)(is_bc ? 1 - year : year), (int32_t)month, (int32_t)day};
    if (day < 1 || day > nq_month_days(civil.year, civil.month)) {
        return NQ_DATETIME_OUTSIDE;
    }
    *out_days = nq_date_from_civil(civil);
    return *out_days < NQ_DATE_MIN || *out_days > NQ_DATE_MAX ? NQ_DATETIME_OUTSIDE
                                                              : NQ_DATETIME_OK;
}

/* The digits after the point, rounded to microseconds. */
static bool read_fraction(reader *in, int64_t *out_usec) {
    int64_t usec = 0, unit = 100000;
    if (!is_digit_at(in)) {
        return false;
    }
    for (; is_digit_at(in); in->at++) {
        if (unit > 0) {
            usec += (*in->at - '0') * unit;
            unit /= 10;
        } else if (unit == 0) {
            usec += *in->at >= '5';
            unit = -1; /* Only the seventh digit rounds. */
        }
    }
    *out_usec = usec;
    return true;
}

static nq_datetime_result read_time(reader *in, int64_t *out_usec) {
    int64_t hour, minute, second = 0, fraction = 0;
    if (take_digits(in, 1, 2, &hour) == 0 || !take(in, ':') ||
        take_digits(in, 2, 2, &minute) == 0) {
        return NQ_DATETIME_MALFORMED;
    }
    if (take(in, ':')) {
        if (take_digits(in, 2, 2, &second) == 0 || is_digit_at(in)) {
            return NQ_DATETIME_MALFORMED;
        }
        if (take(in, '.') && !read_fraction(in, &fraction)) {
            return NQ_DATETIME_MALFORMED;
        }
    }
    int64_t usec = ((hour * 60 + minute) * 60 + second) * NQ_USEC_PER_SECOND + fraction;
    /* A leap second and the midnight that ends a day are read, as their successor. */
    if (hour > 24 || minute > 59 || second > 60 || usec > NQ_USEC_PER_DAY) {
        return NQ_DATETIME_OUTSIDE;
    }
    *out_usec = usec;
    return NQ_DATETIME_OK;
}

/* "Z", "+02", "+0200", "+02:00" or nothing: what to subtract to reach UTC. */
static nq_datetime_result read_zone(reader *in, int64_t *out_usec) {
    *out_usec = 0;
    (void)take(in, ' ');
    if (in->at == in->end || take(in, 'Z') || take(in, 'z')) {
        return NQ_DATETIME_OK;
    }
    bool is_west = take(in, '-');
    int64_t hour, minute = 0;
    if ((!is_west && !take(in, '+')) || take_digits(in, 2, 2, &hour) == 0) {
        return NQ_DATETIME_MALFORMED;
    }
    if ((take(in, ':') || is_digit_at(in)) && take_digits(in, 2, 2, &minute) == 0) {
        return NQ_DATETIME_MALFORMED;
    }
    if (hour > 15 || minute > 59) {
        return NQ_DATETIME_OUTSIDE;
    }
    int64_t usec = (hour * 60 + minute) * 60 * NQ_USEC_PER_SECOND;
    *out_usec = is_west ? -usec : usec;
    return NQ_DATETIME_OK;
}

nq_datetime_result nq_timestamp_parse(nq_bytes text, int64_t *out_timestamp) {
    *out_timestamp = 0;
    bool is_bc = cut_era(&text);
    reader in = {text.data, text.data + text.size};
    int64_t days = 0, usec = 0, zone = 0;
    nq_datetime_result result = read_date(&in, is_bc, &days);
    if (result == NQ_DATETIME_OK && in.at < in.end) {
        if (!take(&in, ' ') && !take(&in, 'T') && !take(&in, 't')) {
            return NQ_DATETIME_MALFORMED;
        }
        result = read_time(&in, &usec);
        if (result == NQ_DATETIME_OK) {
            result = read_zone(&in, &zone);
        }
    }
    if (result != NQ_DATETIME_OK) {
        return result;
    }
    if (in.at != in.end) {
        return NQ_DATETIME_MALFORMED;
    }
    int64_t timestamp = days * NQ_USEC_PER_DAY + usec - zone;
    if (timestamp < NQ_TIMESTAMP_MIN || timestamp > NQ_TIMESTAMP_MAX) {
        return NQ_DATETIME_OUTSIDE;
    }
    *out_timestamp = timestamp;
    return NQ_DATETIME_OK;
}

nq_datetime_result nq_date_parse(nq_bytes text, int64_t *out_days) {
    *out_days = 0;
    nq_bytes date = text;
    bool is_bc = cut_era(&date);
    reader in = {date.data, date.data + date.size};
    nq_datetime_result result = read_date(&in, is_bc, out_days);
    if (result != NQ_DATETIME_OK || in.at == in.end) {
        return result;
    }
    /* A whole timestamp is read, and its day taken as written. */
    int64_t timestamp;
    return nq_timestamp_parse(text, &timestamp);
}

nq_datetime_result nq_time_parse(nq_bytes text, int64_t *out_usec) {
    *out_usec = 0;
    reader in = {text.data, text.data + text.size};
    int64_t usec = 0;
    nq_datetime_result result = read_time(&in, &usec);
    if (result != NQ_DATETIME_OK) {
        return result;
    }
    if (in.at != in.end) {
        return NQ_DATETIME_MALFORMED;
    }
    *out_usec = usec;
    return NQ_DATETIME_OK;
}
