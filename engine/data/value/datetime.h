/* Dates and times: the proleptic Gregorian calendar, and ISO 8601 text.
 *
 * Years run from -4712 (4713 BC, as PostgreSQL's calendar begins) to 9999 in text; BC years are
 * written with a suffix " BC". Arithmetic after Howard Hinnant, "chrono-Compatible Low-Level Date
 * Algorithms". */
#ifndef NQ_DATA_VALUE_DATETIME_H
#define NQ_DATA_VALUE_DATETIME_H

#include "engine/ground/base/bytes.h"

#define NQ_USEC_PER_SECOND INT64_C(1000000)
#define NQ_USEC_PER_DAY    INT64_C(86400000000)

/* The first and last day, in days since 1970-01-01: 4713-01-01 BC (-4712-01-01) and 9999-12-31. */
#define NQ_DATE_MIN      INT64_C(-2440550)
#define NQ_DATE_MAX      INT64_C(2932896)
#define NQ_TIMESTAMP_MIN (NQ_DATE_MIN * NQ_USEC_PER_DAY)
#define NQ_TIMESTAMP_MAX ((NQ_DATE_MAX + 1) * NQ_USEC_PER_DAY - 1)

typedef struct nq_civil {
    int32_t year;       /* astronomical: 0 is 1 BC */
    int32_t month, day; /* from 1 */
} nq_civil;

/* `civil` may be any valid date; no range check. */
int64_t nq_date_from_civil(nq_civil civil);
nq_civil nq_date_to_civil(int64_t days);
int32_t nq_month_days(int32_t year, int32_t month);

/* Splits a timestamp into its day and the microseconds since that midnight. */
int64_t nq_timestamp_day(int64_t timestamp);
int64_t nq_timestamp_time(int64_t timestamp);

typedef enum nq_datetime_result {
    NQ_DATETIME_OK,
    NQ_DATETIME_MALFORMED, /* does not spell one */
    NQ_DATETIME_OUTSIDE,   /* spells one that does not exist or is out of range */
} nq_datetime_result;

/* "2024-02-29", "20240229"; "12:30[:15[.123456]]"; a date, then a blank or T, then a time; a
 * trailing Z or offset (+02, +02:00, +0200) converts to UTC. A timestamp without a time is
 * midnight. */
nq_datetime_result nq_date_parse(nq_bytes text, int64_t *out_days);
nq_datetime_result nq_time_parse(nq_bytes text, int64_t *out_usec);
nq_datetime_result nq_timestamp_parse(nq_bytes text, int64_t *out_timestamp);

/* As psql prints: "2024-02-29", "12:30:15.5", "2024-02-29 12:30:15.5". At most 40 bytes, no NUL. */
size_t nq_date_print(int64_t days, char *out_text);
size_t nq_time_print(int64_t usec, char *out_text);
size_t nq_timestamp_print(int64_t timestamp, char *out_text);

#endif
