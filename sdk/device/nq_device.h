/* nq_device: NeuroQuantumDB for small devices. Publishes a reading, runs a small statement, asks
 * whether the server is well; one call at a time, in memory that is all known beforehand.
 *
 *     static nq_device device;                       everything it will ever need
 *     nq_device_open(&device, &transport, "db:50051", 5000);
 *     nq_device_publish(&device, &message, 5000, NULL);
 *     nq_device_close(&device);
 *
 * It speaks gRPC over HTTP/2 in the clear, through a transport of two functions and a clock that
 * the port supplies (nq_device_posix.h is one). A device struct belongs to one thread at a time.
 * The server pings a silent connection every 30 s and closes it when no answer comes within 10 s:
 * between calls either run nq_device_poll every few seconds, or close, and open for each reading.
 */
#ifndef NQ_DEVICE_H
#define NQ_DEVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Limits ---- */

/* The longest that fits, in bytes, NUL not counted. Those of messages are also in device.options:
 * change them there as well, the compiler sees to it. */
enum {
    NQ_DEVICE_CHANNEL_BYTES_MAX = 63,
    NQ_DEVICE_PAYLOAD_BYTES_MAX = 256,
    NQ_DEVICE_KEY_BYTES_MAX = 31,
    NQ_DEVICE_ID_BYTES_MAX = 64, /* message_id, request_id */
    NQ_DEVICE_SQL_BYTES_MAX = 255,
    NQ_DEVICE_VALUE_BYTES_MAX = 63, /* a text; bytes: one more */
    NQ_DEVICE_PARAMETERS_MAX = 8,
    NQ_DEVICE_COLUMNS_MAX = 8,
    NQ_DEVICE_AUTHORITY_BYTES_MAX = 63,
    NQ_DEVICE_ERROR_BYTES = 128, /* of a message for people, with its NUL; longer ones are cut */
    /* One request, then its reply. */
    NQ_DEVICE_BUFFER_BYTES = 1024,
    /* Read from the transport at once. */
    NQ_DEVICE_INPUT_BYTES = 256,
    /* What HTTP/2 allocates from; see nq_device_pool_bytes_used. */
    NQ_DEVICE_POOL_BYTES = 32768,
};

/* ---- Failures ---- */

typedef enum nq_device_code {
    NQ_DEVICE_OK,
    NQ_DEVICE_TOO_LONG,        /* an argument does not fit its limit; nothing was sent */
    NQ_DEVICE_REFUSED,         /* the server answered with a status: see server_code */
    NQ_DEVICE_REPLY_TOO_LARGE, /* the request was carried out, its answer does not fit here */
    NQ_DEVICE_BAD_REPLY,       /* the peer does not keep to gRPC or to the protos */
    NQ_DEVICE_TIMEOUT,         /* whether it was carried out is not known */
    NQ_DEVICE_CLOSED,          /* the connection is gone: close, and open again */
    NQ_DEVICE_NO_MEMORY,       /* the pool is too small; the connection is gone */
} nq_device_code;

typedef struct nq_device_error {
    nq_device_code code;
    uint32_t server_code; /* REFUSED: a google.rpc.Code, 3 for INVALID_ARGUMENT … */
    char message[NQ_DEVICE_ERROR_BYTES];
} nq_device_error;

/* ---- The transport ---- */

/* A connected byte stream, the port's own. `self` comes back in every call. */
typedef struct nq_device_transport {
    void *self;
    /* Takes up to `bytes`; how many it took, 0 when it cannot now, below 0 when the stream is
     * broken. */
    int (*send)(void *self, const uint8_t *data, size_t bytes);
    /* Waits up to `timeout_ms` for something to read; how many bytes came, 0 when none did, below 0
     * when the stream has ended. */
    int (*receive)(void *self, uint8_t *room, size_t bytes, uint32_t timeout_ms);
    /* Milliseconds since some moment; may wrap around. */
    uint32_t (*now_ms)(void *self);
} nq_device_transport;

/* ---- A connection ---- */

/* A block allocator's state; see pool.c. */
typedef struct nq_device_pool {
    size_t used_bytes;
    size_t used_bytes_max; /* up to the end of the last block in use, ever */
    union {
        max_align_t aligned;
        uint8_t memory[NQ_DEVICE_POOL_BYTES];
    };
} nq_device_pool;

/* Everything a connection needs. Its fields are the library's. */
typedef struct nq_device {
    nq_device_transport transport;
    struct nghttp2_session *session; /* in the pool; NULL: not open */
    struct nq_device_call *call;     /* the one under way, on its caller's stack */
    bool is_broken;
    nq_device_error error;
    char authority[NQ_DEVICE_AUTHORITY_BYTES_MAX + 1];
    uint8_t buffer[NQ_DEVICE_BUFFER_BYTES];
    uint8_t input[NQ_DEVICE_INPUT_BYTES];
    nq_device_pool pool;
} nq_device;

/* Begins HTTP/2 on a connected transport and waits for the server's greeting. `authority` is the
 * server's "host:port". A device that was closed, or never opened (all zeros), may be opened. */
nq_device_code nq_device_open(nq_device *device, const nq_device_transport *transport,
                              const char *authority, uint32_t timeout_ms);

/* Says goodbye, as far as the transport takes it at once, and forgets everything. The transport's
 * own connection is the port's to close. */
void nq_device_close(nq_device *device);

/* Reads and answers what has come, pings above all, for up to `wait_ms`. */
nq_device_code nq_device_poll(nq_device *device, uint32_t wait_ms);

/* What the last call that did not return NQ_DEVICE_OK had to say. Valid until the next call. */
const nq_device_error *nq_device_last_error(const nq_device *device);

/* How much of the pool has been needed so far: to choose NQ_DEVICE_POOL_BYTES by. */
size_t nq_device_pool_bytes_used(const nq_device *device);

/* ---- Calls ---- */

/* `timeout_ms` goes to the server as well, which stops working for a call that is given up. */

typedef struct nq_device_message {
    const char *channel; /* "sensors.kitchen" */
    const void *payload;
    size_t payload_bytes;
    const char *key;        /* may be NULL */
    const char *message_id; /* may be NULL; sent again within the channel's dedup_window, it is not
                               published twice */
} nq_device_message;

typedef struct nq_device_published {
    uint64_t sequence;
    uint32_t receivers;
    bool is_duplicate;
} nq_device_published;

/* `out_published` may be NULL. */
nq_device_code nq_device_publish(nq_device *device, const nq_device_message *message,
                                 uint32_t timeout_ms, nq_device_published *out_published);

typedef enum nq_device_kind {
    NQ_DEVICE_NULL,
    NQ_DEVICE_BOOL,   /* boolean */
    NQ_DEVICE_INT,    /* integer: SMALLINT, INTEGER, BIGINT */
    NQ_DEVICE_DOUBLE, /* number: REAL, DOUBLE PRECISION */
    NQ_DEVICE_TEXT,   /* bytes: UTF-8 without U+0000; as a parameter also any other type's text */
    NQ_DEVICE_BYTES,  /* bytes: BYTEA */
    NQ_DEVICE_TIMESTAMP, /* integer: microseconds since 1970-01-01T00:00:00 */
    NQ_DEVICE_DATE,      /* integer: days since 1970-01-01 */
    NQ_DEVICE_TIME,      /* integer: microseconds since midnight */
    NQ_DEVICE_UUID,      /* bytes: 16 */
} nq_device_kind;

typedef struct nq_device_value {
    nq_device_kind kind;
    union {
        bool boolean;
        int64_t integer;
        double number;
        struct {
            const void *data;
            size_t size;
        } bytes;
    };
} nq_device_value;

typedef struct nq_device_statement {
    const char *sql;
    const nq_device_value *parameters; /* for $1, $2 … */
    size_t parameter_count;
    const char
        *request_id; /* may be NULL; sent again with the same statement, a write happens once */
    /* Called for each row, within nq_device_execute; the values are valid until it returns. NULL:
     * rows are passed over. Should the reply turn out malformed, some rows have come already. */
    void (*on_row)(void *user, const nq_device_value *values, size_t value_count);
    void *user;
} nq_device_statement;

/* One statement, its own transaction. The reply must fit NQ_DEVICE_BUFFER_BYTES: ask for little
 * (LIMIT). `out_rows_affected` may be NULL. */
nq_device_code nq_device_execute(nq_device *device, const nq_device_statement *statement,
                                 uint32_t timeout_ms, uint64_t *out_rows_affected);

/* Whether the server takes requests. */
nq_device_code nq_device_check_health(nq_device *device, uint32_t timeout_ms, bool *out_is_serving);

#ifdef __cplusplus
}
#endif

#endif
