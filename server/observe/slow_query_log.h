/* Slow-query log: a line for every statement that took at least log.slow_query. */
#ifndef NQ_SERVER_OBSERVE_SLOW_QUERY_LOG_H
#define NQ_SERVER_OBSERVE_SLOW_QUERY_LOG_H

#include "engine/ground/base/bytes.h"
#include "engine/ground/base/status.h"

typedef struct nq_query_record {
    const char *query_id;
    nq_bytes sql; /* the first NQ_SLOW_QUERY_SQL_BYTES of it are written, on one line */
    nq_bytes tag;
    nq_status outcome;
    int64_t duration_ns;
    uint64_t rows_returned;
    uint64_t rows_examined;
    uint64_t rows_affected;
} nq_query_record;

enum { NQ_SLOW_QUERY_SQL_BYTES = 512 };

/* Writes the line when `threshold_us` is not 0 and was reached. */
void nq_slow_query_log_write(uint64_t threshold_us, const nq_query_record *record);

#endif
