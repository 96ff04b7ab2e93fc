/* Slow-query log. */
#include "server/observe/slow_query_log.h"

#include "server/observe/event.h"

void nq_slow_query_log_write(uint64_t threshold_us, const nq_query_record *record) {
    if (threshold_us == 0 || record->duration_ns < (int64_t)threshold_us * 1000) {
        return;
    }
    nq_event event;
    nq_bytes sql = record->sql;
    sql.size = sql.size < NQ_SLOW_QUERY_SQL_BYTES ? sql.size : NQ_SLOW_QUERY_SQL_BYTES;
    nq_event_begin(&event, NQ_EVENT_WARN, "slow statement");
    nq_event_put_cstr(&event, "query_id", record->query_id);
    nq_event_put_ms(&event, "duration_ms", record->duration_ns);
    nq_event_put_cstr(&event, "outcome", nq_status_name(record->outcome));
    nq_event_put_count(&event, "rows_returned", record->rows_returned);
    nq_event_put_count(&event, "rows_examined", record->rows_examined);
    nq_event_put_count(&event, "rows_affected", record->rows_affected);
    nq_event_put_text(&event, "tag", record->tag);
    nq_event_put_text(&event, "sql", sql);
    nq_event_end(&event);
}
