/* Message: what was published, once in memory however many wait for it. Immutable and counted.
 *
 * The engine does not know the wire's form: an encoder given by the host turns a publication into
 * bytes exactly once, when it has its number; subscribers and history share those bytes. */
#ifndef NQ_LIVE_PUBSUB_MESSAGE_H
#define NQ_LIVE_PUBSUB_MESSAGE_H

#include <stdatomic.h>

#include "engine/ground/base/bytes.h"

enum {
    NQ_PRIORITY_LOW = 1,
    NQ_PRIORITY_NORMAL = 2,
    NQ_PRIORITY_HIGH = 3,
    NQ_PRIORITY_CRITICAL = 4
};

/* What a publisher hands in. Borrowed during the call. */
typedef struct nq_publication {
    nq_bytes channel;
    nq_bytes key;
    nq_bytes message_id;
    nq_bytes payload;
    uint8_t priority;       /* NQ_PRIORITY_*; 0: the channel's default */
    const void *attributes; /* the encoder's business */
} nq_publication;

/* What the channel gives it. */
typedef struct nq_message_stamp {
    uint64_t sequence;
    int64_t publish_time_us;
    uint8_t priority;
} nq_message_stamp;

typedef struct nq_message_encoder {
    /* An upper bound of what encode writes. */
    size_t (*bytes_max)(const nq_publication *publication);
    /* Returns the bytes written; the first *out_header_bytes of them are the message without
     * payload. */
    size_t (*encode)(const nq_publication *publication, const nq_message_stamp *stamp,
                     uint8_t *target, size_t *out_header_bytes);
} nq_message_encoder;

typedef struct nq_message {
    _Atomic uint32_t references;
    uint32_t channel_number; /* the hub's: equal for messages of one channel and only for them */
    uint64_t sequence;
    int64_t publish_time_us;
    uint64_t key_hash;        /* 0: no key */
    _Atomic uint64_t *budget; /* the hub's count of bytes, lowered when the last reference goes */
    uint32_t size;            /* of `encoded` */
    uint32_t header_bytes;
    uint32_t charged_bytes;
    uint8_t priority;
    uint8_t encoded[];
} nq_message;

/* Memory for a message, charged to `budget`, with one reference; NULL when the heap is exhausted.
 * Nothing can fail from here on: numbers are only given to messages that will exist. */
nq_message *nq_message_create(const nq_publication *publication, const nq_message_encoder *encoder,
                              _Atomic uint64_t *budget);
/* Encodes it, once, before anybody else sees it. */
void nq_message_seal(nq_message *message, const nq_publication *publication,
                     const nq_message_stamp *stamp, const nq_message_encoder *encoder,
                     uint32_t channel_number);
void nq_message_acquire(nq_message *message);
void nq_message_release(nq_message *message);

/* FNV-1a, never 0 for a non-empty key. */
uint64_t nq_message_key_hash(nq_bytes key);

#endif
