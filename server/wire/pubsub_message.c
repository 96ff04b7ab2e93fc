/* PubSub message: the body of a Message, written once per publish whoever receives it.
 *
 * The payload goes last although its number is in the middle (any order is legal): what lies before
 * it is then the message without payload. */
#include <neuroquantum/v1/pubsub.pb-c.h>

#include "server/wire/pubsub_message_internal.h"

enum {
    FIELD_CHANNEL = 1,
    FIELD_SEQUENCE,
    FIELD_PUBLISH_TIME,
    FIELD_PAYLOAD,
    FIELD_KEY,
    FIELD_ATTRIBUTES,
    FIELD_PRIORITY,
    FIELD_MESSAGE_ID = 9,
    WIRE_VARINT = 0,
    WIRE_FIXED64 = 1,
    WIRE_LENGTH = 2,
    /* A tag below 16 and a length: more than any one field here needs beside its bytes. */
    FIELD_OVERHEAD = 12,
    FIXED_FIELDS_BYTES = 8 * FIELD_OVERHEAD,
};

static size_t message_bytes_max(const nq_publication *publication) {
    const nq_message_attributes *attributes = publication->attributes;
    size_t bytes = FIXED_FIELDS_BYTES + publication->channel.size + publication->key.size +
                   publication->message_id.size + publication->payload.size;
    for (uint32_t i = 0; attributes != NULL && i < attributes->count; i++) {
        bytes +=
            3 * FIELD_OVERHEAD + attributes->pairs[i].name.size + attributes->pairs[i].value.size;
    }
    return bytes;
}

static uint8_t *put_bytes(uint8_t *at, uint32_t field, nq_bytes value) {
    *at++ = (uint8_t)(field << 3 | WIRE_LENGTH);
    at = nq_varint_put(at, value.size);
    if (value.size > 0) {
        memcpy(at, value.data, value.size);
    }
    return at + value.size;
}

static uint8_t *put_text(uint8_t *at, uint32_t field, nq_bytes value) {
    return value.size == 0 ? at : put_bytes(at, field, value);
}

static size_t text_bytes(nq_bytes value) {
    return value.size == 0 ? 0 : 1 + nq_varint_bytes(value.size) + value.size;
}

static uint8_t *put_attribute(uint8_t *at, const nq_message_attribute *pair) {
    *at++ = FIELD_ATTRIBUTES << 3 | WIRE_LENGTH;
    at = nq_varint_put(at, text_bytes(pair->name) + text_bytes(pair->value));
    at = put_text(at, 1, pair->name);
    return put_text(at, 2, pair->value);
}

static size_t message_encode(const nq_publication *publication, const nq_message_stamp *stamp,
                             uint8_t *target, size_t *out_header_bytes) {
    const nq_message_attributes *attributes = publication->attributes;
    uint8_t *at = put_bytes(target, FIELD_CHANNEL, publication->channel);
    *at++ = FIELD_SEQUENCE << 3 | WIRE_VARINT;
    at = nq_varint_put(at, stamp->sequence);
    *at++ = FIELD_PUBLISH_TIME << 3 | WIRE_FIXED64;
    memcpy(at, &stamp->publish_time_us, sizeof stamp->publish_time_us);
    at += sizeof stamp->publish_time_us;
    at = put_text(at, FIELD_KEY, publication->key);
    for (uint32_t i = 0; attributes != NULL && i < attributes->count; i++) {
        at = put_attribute(at, &attributes->pairs[i]);
    }
    *at++ = FIELD_PRIORITY << 3 | WIRE_VARINT;
    at = nq_varint_put(at, stamp->priority);
    at = put_text(at, FIELD_MESSAGE_ID, publication->message_id);
    *out_header_bytes = (size_t)(at - target);
    at = put_text(at, FIELD_PAYLOAD, publication->payload);
    return (size_t)(at - target);
}

const nq_message_encoder nq_message_wire_encoder = {
    .bytes_max = message_bytes_max,
    .encode = message_encode,
};
