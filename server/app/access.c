/* Access: a call's report as the log's record. */
#include "server/app/access.h"

#include "server/observe/access_log.h"

static void on_finish(void *self, nq_call *call, const nq_call_report *report) {
    (void)self;
    const nq_access_record record = {
        .method = nq_call_method(call)->path,
        .peer = nq_call_peer(call),
        .request_id = nq_call_metadata(call, "x-request-id"),
        .user_agent = nq_call_metadata(call, "user-agent"),
        .code = report->code,
        .text = report->text,
        .duration_ns = report->done_ns - report->opened_ns,
        .messages_received = report->messages_received,
        .messages_sent = report->messages_sent,
        .bytes_received = report->bytes_received,
        .bytes_sent = report->bytes_sent,
    };
    nq_access_log_write(&record);
}

nq_interceptor nq_access_interceptor(void) {
    return (nq_interceptor){.name = "access log", .on_finish = on_finish};
}
