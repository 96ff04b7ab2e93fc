/* PubSub message internals: the attributes of a publication, between decoder and encoder. */
#ifndef NQ_WIRE_PUBSUB_MESSAGE_INTERNAL_H
#define NQ_WIRE_PUBSUB_MESSAGE_INTERNAL_H

#include "server/wire/pubsub_wire.h"

typedef struct nq_message_attribute {
    nq_bytes name;
    nq_bytes value;
} nq_message_attribute;

/* What nq_publication.attributes points to. */
typedef struct nq_message_attributes {
    const nq_message_attribute *pairs;
    uint32_t count;
} nq_message_attributes;

#endif
