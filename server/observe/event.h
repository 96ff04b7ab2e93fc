/* Event: one line of the server's own log, on standard error — what happened, with named values.
 *
 *     text   2026-01-31T12:00:00.123456Z WARN slow statement query_id=1a-7 duration_ms=1200
 *     json   {"time":"…","level":"warn","event":"slow
 * statement","query_id":"1a-7","duration_ms":1200}
 *
 * A line is built on the stack and written by one call, so that lines of many threads do not mix
 * and none is lost with the process. Too long a value is cut at a character. */
#ifndef NQ_SERVER_OBSERVE_EVENT_H
#define NQ_SERVER_OBSERVE_EVENT_H

#include "engine/ground/base/bytes.h"
#include "engine/ground/base/status.h"

typedef enum nq_event_level {
    NQ_EVENT_DEBUG,
    NQ_EVENT_INFO,
    NQ_EVENT_WARN,
    NQ_EVENT_ERROR,
} nq_event_level;

enum { NQ_EVENT_BYTES = 2048 };

typedef struct nq_event {
    bool is_written; /* false: below the level, everything is skipped */
    size_t used;
    char text[NQ_EVENT_BYTES];
} nq_event;

/* Before the first event; the values of log.level and log.format. */
void nq_event_configure(const char *level, const char *format);

void nq_event_begin(nq_event *event, nq_event_level level, const char *what);
void nq_event_put_text(nq_event *event, const char *key, nq_bytes value);
void nq_event_put_cstr(nq_event *event, const char *key, const char *value);
void nq_event_put_count(nq_event *event, const char *key, uint64_t value);
void nq_event_put_ms(nq_event *event, const char *key, int64_t duration_ns);
/* The status' name, the message, and the hint if there is one. */
void nq_event_put_error(nq_event *event, const nq_error *error);
void nq_event_end(nq_event *event);

#endif
