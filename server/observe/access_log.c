/* Access log. */
#include "server/observe/access_log.h"

#include "server/observe/event.h"

void nq_access_log_write(const nq_access_record *record) {
    nq_event event;
    nq_event_begin(&event, NQ_EVENT_INFO, "call");
    nq_event_put_cstr(&event, "method", record->method);
    nq_event_put_count(&event, "code", (uint64_t)record->code);
    nq_event_put_ms(&event, "duration_ms", record->duration_ns);
    nq_event_put_cstr(&event, "peer", record->peer);
    nq_event_put_count(&event, "messages_received", record->messages_received);
    nq_event_put_count(&event, "messages_sent", record->messages_sent);
    nq_event_put_count(&event, "bytes_received", record->bytes_received);
    nq_event_put_count(&event, "bytes_sent", record->bytes_sent);
    nq_event_put_text(&event, "request_id", record->request_id);
    nq_event_put_text(&event, "user_agent", record->user_agent);
    if (record->code != NQ_RPC_OK) {
        nq_event_put_cstr(&event, "message", record->text);
    }
    nq_event_end(&event);
}
