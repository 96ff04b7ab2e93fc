/* The proleptic Gregorian calendar, and dates as text. */
#include "engine/data/value/datetime.h"

#include <stdio.h>
#include <string.h>

/* Days from 0000-03-01 to 1970-01-01; years are counted from March so that a leap day comes last.
 */
enum { EPOCH_DAYS = 719468, ERA_DAYS = 146097, ERA_YEARS = 400 };

int64_t nq_date_from_civil(nq_civil civil) {
    int64_t year = (int64_t)civil.year - (civil.month <= 2);
    int64_t era = (year >= 0 ? year : year - (ERA_YEARS - 1)) / ERA_YEARS;
    int64_t year_of_era = year - era * ERA_YEARS;
    int64_t month = civil.month > 2 ? civil.month - 3 : civil.month + 9;
    int64_t day_of_year = (153 * month + 2) / 5 + civil.day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * ERA_DAYS + day_of_era - EPOCH_DAYS;
}

nq_civil nq_date_to_civil(int64_t days) {
    int64_t shifted = days + EPOCH_DAYS;
    int64_t era = (shifted >= 0 ? shifted : shifted - (ERA_DAYS - 1)) / ERA_DAYS;
    int64_t day_of_era = shifted - era * ERA_DAYS;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t month = (5 * day_of_year + 2) / 153;
    nq_civil civil = {
        .month = (int32_t)(month < 10 ? month + 3 : month - 9),
        .day = (int32_t)(day_of_year - (153 * month + 2) / 5 + 1),
    };
    civil.year = (int32_t)(year_of_era + era * ERA_YEARS + (civil.month <= 2));
    return civil;
}

int32_t nq_month_days(int32_t year, int32_t month) {
    static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return days[month - 1] + (month == 2 && is_leap);
}

int64_t nq_timestamp_day(int64_t timestamp) {
    int64_t day = timestamp / NQ_USEC_PER_DAY;
    return day - (timestamp % NQ_USEC_PER_DAY < 0);
}

int64_t nq_timestamp_time(int64_t timestamp) {
    int64_t time = timestamp % NQ_USEC_PER_DAY;
    return time < 0 ? time + NQ_USEC_PER_DAY : time;
}

/* ---- Writing ---- */

static size_t print_padded(int64_t value, int width, char *out_text) {
    for (int i = width - 1; i >= 0; i--) {
        out_text[i] = (char)('0' + value % 10);
        value /= 10;
    }
    return (size_t)width;
}

/* Without the BC suffix, which follows the time of a timestamp. */
static size_t print_civil(nq_civil civil, char *out_text) {
    int64_t year = civil.year > 0 ? civil.year : 1 - (int64_t)civil.year;
    size_t size = print_padded(year, year > 99999 ? 6 : year > 9999 ? 5 : 4, out_text);
    out_text[size++] = '-';
    size += print_padded(civil.month, 2, out_text + size);
    out_text[size++] = '-';
    return size + print_padded(civil.day, 2, out_text + size);
}

static size_t print_era(nq_civil civil, char *out_text) {
    if (civil.year > 0) {
        return 0;
    }
    memcpy(out_text, " BC", 3);
    return 3;
}

size_t nq_date_print(int64_t days, char *out_text) {
    nq_civil civil = nq_date_to_civil(days);
    size_t size = print_civil(civil, out_text);
    return size + print_era(civil, out_text + size);
}

size_t nq_time_print(int64_t usec, char *out_text) {
    int64_t seconds = usec / NQ_USEC_PER_SECOND;
    int64_t fraction = usec % NQ_USEC_PER_SECOND;
    size_t size = print_padded(seconds / 3600, 2, out_text);
    out_text[size++] = ':';
    size += print_padded(seconds / 60 % 60, 2, out_text + size);
    out_text[size++] = ':';
    size += print_padded(seconds % 60, 2, out_text + size);
    if (fraction == 0) {
        return size;
    }
    out_text[size++] = '.';
    size += print_padded(fraction, 6, out_text + size);
    while (out_text[size - 1] == '0') {
        size--;
    }
    return size;
}

size_t nq_timestamp_print(int64_t timestamp, char *out_text) {
    nq_civil civil = nq_date_to_civil(nq_timestamp_day(timestamp));
    size_t size = print_civil(civil, out_text);
    out_text[size++] = ' ';
    size += nq_time_print(nq_timestamp_time(timestamp), out_text + size);
    return size + print_era(civil, out_text + size);
}
