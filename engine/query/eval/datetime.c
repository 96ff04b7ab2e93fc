/* Dates and times: arithmetic in days, fields, truncation, and the statement's own time.
 *
 * A timestamp is microseconds since 1970 without a zone; now() is the statement's time in UTC and
 * does not move while the statement runs. Intervals are not a type yet: two dates differ by days,
 * and timestamps are taken apart with extract. */
#include "engine/data/value/datetime.h"

#include "engine/query/eval/kernel_internal.h"

enum { SECONDS_PER_MINUTE = 60, SECONDS_PER_HOUR = 3600, DAYS_PER_WEEK = 7 };

static nq_status fail_range(nq_ctx *ctx, const char *what) {
    return nq_fail(ctx, NQ_DATETIME_OUT_OF_RANGE, "%s out of range", what);
}

static nq_status date_shift(nq_kernel_call *call, const int64_t *dates, const int64_t *days,
                            int64_t sign) {
    for (NQ_ROWS(call, row)) {
        int64_t date = dates[row] + sign * days[row]; /* days is an int32 */
        if (date < NQ_DATE_MIN || date > NQ_DATE_MAX) {
            return fail_range(call->ctx, "date");
        }
        call->result.integers[row] = date;
    }
    return NQ_OK;
}

nq_status nq__kernel_date_add(nq_kernel_call *call) {
    return date_shift(call, call->args[0]->integers, call->args[1]->integers, 1);
}

nq_status nq__kernel_add_date(nq_kernel_call *call) {
    return date_shift(call, call->args[1]->integers, call->args[0]->integers, 1);
}

nq_status nq__kernel_date_subtract(nq_kernel_call *call) {
    return date_shift(call, call->args[0]->integers, call->args[1]->integers, -1);
}

nq_status nq__kernel_date_difference(nq_kernel_call *call) {
    for (NQ_ROWS(call, row)) {
        call->result.integers[row] = call->args[0]->integers[row] - call->args[1]->integers[row];
    }
    return NQ_OK;
}

nq_status nq__kernel_date_time(nq_kernel_call *call) {
    for (NQ_ROWS(call, row)) {
        int64_t timestamp =
            call->args[0]->integers[row] * NQ_USEC_PER_DAY + call->args[1]->integers[row];
        if (timestamp > NQ_TIMESTAMP_MAX) {
            return fail_range(call->ctx, "timestamp");
        }
        call->result.integers[row] = timestamp;
    }
    return NQ_OK;
}

/* ---- The statement's time ---- */

static nq_status fill(nq_kernel_call *call, int64_t value) {
    for (NQ_ROWS(call, row)) {
        call->result.integers[row] = value;
    }
    return NQ_OK;
}

nq_status nq__kernel_now(nq_kernel_call *call) {
    return fill(call, call->env->now_us);
}

nq_status nq__kernel_current_date(nq_kernel_call *call) {
    return fill(call, nq_timestamp_day(call->env->now_us));
}

nq_status nq__kernel_current_time(nq_kernel_call *call) {
    return fill(call, nq_timestamp_time(call->env->now_us));
}

/* ---- Fields ---- */

typedef enum field {
    FIELD_MICROSECONDS,
    FIELD_MILLISECONDS,
    FIELD_SECOND,
    FIELD_MINUTE,
    FIELD_HOUR,
    FIELD_DAY,
    FIELD_WEEK,
    FIELD_MONTH,
    FIELD_QUARTER,
    FIELD_YEAR,
    FIELD_DECADE,
    FIELD_CENTURY,
    FIELD_MILLENNIUM,
    FIELD_ISOYEAR,
    FIELD_DOW,
    FIELD_ISODOW,
    FIELD_DOY,
    FIELD_EPOCH,
    FIELD_COUNT,
} field;

static const char *const field_names[FIELD_COUNT] = {
    "microseconds", "milliseconds", "second",  "minute", "hour",   "day",
    "week",         "month",        "quarter", "year",   "decade", "century",
    "millennium",   "isoyear",      "dow",     "isodow", "doy",    "epoch",
};

static nq_status find_field(nq_ctx *ctx, nq_bytes name, field *out_field) {
    for (field f = 0; f < FIELD_COUNT; f++) {
        nq_bytes wanted = nq_bytes_of_cstr(field_names[f]);
        bool is_plural = f >= FIELD_SECOND && name.size == wanted.size + 1 &&
                         (name.data[wanted.size] | 0x20) == 's';
        nq_bytes head = is_plural ? nq_bytes_of(name.data, wanted.size) : name;
        if (nq_bytes_equal_fold(head, field_names[f])) {
            *out_field = f;
            return NQ_OK;
        }
    }
    return nq_fail(ctx, NQ_INVALID_ARGUMENT, "\"%.*s\" is not a field of a date or time",
                   NQ_BYTES_FORMAT(name));
}

/* Monday 1 .. Sunday 7; 1970-01-01 was a Thursday. */
static int64_t iso_weekday(int64_t days) {
    int64_t from_monday = (days + 3) % DAYS_PER_WEEK;
    return (from_monday < 0 ? from_monday + DAYS_PER_WEEK : from_monday) + 1;
}

static int64_t year_start(int32_t year) {
    return nq_date_from_civil((nq_civil){.year = year, .month = 1, .day = 1});
}

/* ISO 8601: a week belongs to the year of its Thursday. */
static int64_t iso_week(int64_t days, int32_t *out_year) {
    int64_t thursday = days - iso_weekday(days) + 4;
    *out_year = nq_date_to_civil(thursday).year;
    return (thursday - year_start(*out_year)) / DAYS_PER_WEEK + 1;
}

/* Years have no zero outside astronomy: 1 BC is -1, as PostgreSQL counts. */
static int64_t historical(int64_t year) {
    return year > 0 ? year : year - 1;
}

static int64_t period_of(int64_t year, int64_t length) {
    return year > 0 ? (year + length - 1) / length : -((length - year) / length);
}

static int32_t quarter_of(int32_t month) {
    return (month + 2) / 3;
}

static double date_field(field f, int64_t days) {
    nq_civil civil = nq_date_to_civil(days);
    int32_t year_of_week;
    switch (f) {
    case FIELD_DAY:
        return civil.day;
    case FIELD_WEEK:
        return (double)iso_week(days, &year_of_week);
    case FIELD_MONTH:
        return civil.month;
    case FIELD_QUARTER:
        return quarter_of(civil.month);
    case FIELD_YEAR:
        return (double)historical(civil.year);
    case FIELD_DECADE:
        return (double)(civil.year >= 0 ? civil.year / 10 : -((9 - civil.year) / 10));
    case FIELD_CENTURY:
        return (double)period_of(civil.year, 100);
    case FIELD_MILLENNIUM:
        return (double)period_of(civil.year, 1000);
    case FIELD_ISOYEAR:
        (void)iso_week(days, &year_of_week);
        return (double)historical(year_of_week);
    case FIELD_DOW:
        return (double)(iso_weekday(days) % DAYS_PER_WEEK);
    case FIELD_ISODOW:
        return (double)iso_weekday(days);
    default: /* FIELD_DOY */
        return (double)(days - year_start(civil.year) + 1);
    }
}

static int32_t minute_of(int64_t seconds) {
    return (int32_t)(seconds / SECONDS_PER_MINUTE % SECONDS_PER_MINUTE);
}

/* Microseconds are whole, so the division is the only rounding. */
static double time_field(field f, int64_t usec) {
    int64_t seconds = usec / NQ_USEC_PER_SECOND;
    double in_minute = (double)(usec % (SECONDS_PER_MINUTE * NQ_USEC_PER_SECOND));
    switch (f) {
    case FIELD_MICROSECONDS:
        return in_minute;
    case FIELD_MILLISECONDS:
        return in_minute / 1e3;
    case FIELD_SECOND:
        return in_minute / 1e6;
    case FIELD_MINUTE:
        return minute_of(seconds);
    default: /* FIELD_HOUR */
        return (int32_t)(seconds / SECONDS_PER_HOUR);
    }
}

static bool is_time_field(field f) {
    return f <= FIELD_HOUR;
}

/* extract(field, timestamp): a date comes as its midnight. */
nq_status nq__kernel_extract(nq_kernel_call *call) {
    nq_bytes last_name = {NULL, 0};
    field f = FIELD_COUNT;
    for (NQ_ROWS(call, row)) {
        nq_bytes name = call->args[0]->bytes[row];
        int64_t timestamp = call->args[1]->integers[row];
        if (name.data != last_name.data || name.size != last_name.size || f == FIELD_COUNT) {
            NQ_TRY(find_field(call->ctx, name, &f));
            last_name = name;
        }
        double value;
        if (f == FIELD_EPOCH) {
            value = (double)timestamp / 1e6;
        } else if (is_time_field(f)) {
            value = time_field(f, nq_timestamp_time(timestamp));
        } else {
            value = date_field(f, nq_timestamp_day(timestamp));
        }
        call->result.numbers[row] = value;
    }
    return NQ_OK;
}

nq_status nq__kernel_extract_time(nq_kernel_call *call) {
    for (NQ_ROWS(call, row)) {
        field f;
        int64_t usec = call->args[1]->integers[row];
        NQ_TRY(find_field(call->ctx, call->args[0]->bytes[row], &f));
        if (f != FIELD_EPOCH && !is_time_field(f)) {
            return nq_fail(call->ctx, NQ_INVALID_ARGUMENT, "a time has no %s", field_names[f]);
        }
        call->result.numbers[row] = f == FIELD_EPOCH ? (double)usec / 1e6 : time_field(f, usec);
    }
    return NQ_OK;
}

#define FIELD_KERNEL(name, expression)                          \
    nq_status nq__kernel_##name(nq_kernel_call *call) {         \
        for (NQ_ROWS(call, row)) {                              \
            int64_t timestamp = call->args[0]->integers[row];   \
            call->result.integers[row] = (int64_t)(expression); \
        }                                                       \
        return NQ_OK;                                           \
    }

FIELD_KERNEL(year, date_field(FIELD_YEAR, nq_timestamp_day(timestamp)))
FIELD_KERNEL(quarter, date_field(FIELD_QUARTER, nq_timestamp_day(timestamp)))
FIELD_KERNEL(month, date_field(FIELD_MONTH, nq_timestamp_day(timestamp)))
FIELD_KERNEL(week, date_field(FIELD_WEEK, nq_timestamp_day(timestamp)))
FIELD_KERNEL(day, date_field(FIELD_DAY, nq_timestamp_day(timestamp)))
FIELD_KERNEL(day_of_week, date_field(FIELD_DOW, nq_timestamp_day(timestamp)) + 1)
FIELD_KERNEL(day_of_year, date_field(FIELD_DOY, nq_timestamp_day(timestamp)))
FIELD_KERNEL(hour, time_field(FIELD_HOUR, nq_timestamp_time(timestamp)))
FIELD_KERNEL(minute, time_field(FIELD_MINUTE, nq_timestamp_time(timestamp)))
FIELD_KERNEL(second, time_field(FIELD_SECOND, nq_timestamp_time(timestamp)))

/* ---- Truncation ---- */

static int64_t truncate_date(field f, int64_t days) {
    nq_civil civil = nq_date_to_civil(days);
    int32_t year = civil.year;
    switch (f) {
    case FIELD_DAY:
        return days;
    case FIELD_WEEK:
        return days - iso_weekday(days) + 1;
    case FIELD_MONTH:
        return days - civil.day + 1;
    case FIELD_QUARTER:
        return nq_date_from_civil(
            (nq_civil){.year = year, .month = (civil.month - 1) / 3 * 3 + 1, .day = 1});
    case FIELD_YEAR:
        return year_start(year);
    case FIELD_DECADE:
        return year_start(year - (int32_t)(((year % 10) + 10) % 10));
    case FIELD_CENTURY: /* the first century began in year 1 */
        return year_start(year - (int32_t)((((year - 1) % 100) + 100) % 100));
    default: /* FIELD_MILLENNIUM */
        return year_start(year - (int32_t)((((year - 1) % 1000) + 1000) % 1000));
    }
}

static int64_t time_unit_us(field f) {
    switch (f) {
    case FIELD_MICROSECONDS:
        return 1;
    case FIELD_MILLISECONDS:
        return NQ_USEC_PER_SECOND / 1000;
    case FIELD_SECOND:
        return NQ_USEC_PER_SECOND;
    case FIELD_MINUTE:
        return NQ_USEC_PER_SECOND * SECONDS_PER_MINUTE;
    default: /* FIELD_HOUR */
        return NQ_USEC_PER_SECOND * SECONDS_PER_HOUR;
    }
}

nq_status nq__kernel_date_trunc(nq_kernel_call *call) {
    for (NQ_ROWS(call, row)) {
        field f;
        int64_t timestamp = call->args[1]->integers[row];
        NQ_TRY(find_field(call->ctx, call->args[0]->bytes[row], &f));
        if (f > FIELD_MILLENNIUM) {
            return nq_fail(call->ctx, NQ_INVALID_ARGUMENT, "cannot truncate to %s", field_names[f]);
        }
        int64_t day = nq_timestamp_day(timestamp);
        if (is_time_field(f)) {
            int64_t usec = nq_timestamp_time(timestamp);
            timestamp = day * NQ_USEC_PER_DAY + usec - usec % time_unit_us(f);
        } else {
            timestamp = truncate_date(f, day) * NQ_USEC_PER_DAY;
        }
        if (timestamp < NQ_TIMESTAMP_MIN) {
            return fail_range(call->ctx, "timestamp");
        }
        call->result.integers[row] = timestamp;
    }
    return NQ_OK;
}

/* ---- Making them ---- */

nq_status nq__kernel_make_date(nq_kernel_call *call) {
    for (NQ_ROWS(call, row)) {
        int64_t year = call->args[0]->integers[row];
        int64_t month = call->args[1]->integers[row];
        int64_t day = call->args[2]->integers[row];
        int64_t astronomical = year < 0 ? year + 1 : year;
        if (year == 0 || astronomical < -4712 || astronomical > 9999 || month < 1 || month > 12 ||
            day < 1 || day > nq_month_days((int32_t)astronomical, (int32_t)month)) {
            return nq_fail(call->ctx, NQ_DATETIME_OUT_OF_RANGE,
                           "there is no date %lld-%02lld-%02lld", (long long)year, (long long)month,
                           (long long)day);
        }
        call->result.integers[row] = nq_date_from_civil((nq_civil){
            .year = (int32_t)astronomical, .month = (int32_t)month, .day = (int32_t)day});
    }
    return NQ_OK;
}

/* Seconds since 1970, with a fraction. */
nq_status nq__kernel_to_timestamp(nq_kernel_call *call) {
    for (NQ_ROWS(call, row)) {
        double usec = __builtin_rint(call->args[0]->numbers[row] * 1e6);
        if (!(usec >= (double)NQ_TIMESTAMP_MIN && usec <= (double)NQ_TIMESTAMP_MAX)) {
            return fail_range(call->ctx, "timestamp");
        }
        call->result.integers[row] = (int64_t)usec;
    }
    return NQ_OK;
}
