/* Message: one allocation, encoded in place. */
#include "engine/live/pubsub/message.h"

#include "engine/ground/base/heap.h"

uint64_t nq_message_key_hash(nq_bytes key) {
    uint64_t hash = 0xCBF29CE484222325U;
    for (size_t i = 0; i < key.size; i++) {
        hash = (hash ^ key.data[i]) * 0x100000001B3U;
    }
    return key.size == 0 ? 0 : hash | (uint64_t)(hash == 0);
}

nq_message *nq_message_create(const nq_publication *publication, const nq_message_encoder *encoder,
                              _Atomic uint64_t *budget) {
    size_t bytes = sizeof(nq_message) + encoder->bytes_max(publication);
    nq_message *message = nq_heap_alloc(bytes);
    if (message == NULL) {
        return NULL;
    }
    *message = (nq_message){.references = 1, .budget = budget, .charged_bytes = (uint32_t)bytes};
    atomic_fetch_add_explicit(budget, bytes, memory_order_relaxed);
    return message;
}

void nq_message_seal(nq_message *message, const nq_publication *publication,
                     const nq_message_stamp *stamp, const nq_message_encoder *encoder,
                     uint32_t channel_number) {
    message->channel_number = channel_number;
    message->sequence = stamp->sequence;
    message->publish_time_us = stamp->publish_time_us;
    message->priority = stamp->priority;
    message->key_hash = nq_message_key_hash(publication->key);
    size_t header_bytes = 0;
    message->size = (uint32_t)encoder->encode(publication, stamp, message->encoded, &header_bytes);
    message->header_bytes = (uint32_t)header_bytes;
}

void nq_message_acquire(nq_message *message) {
    atomic_fetch_add_explicit(&message->references, 1, memory_order_relaxed);
}

void nq_message_release(nq_message *message) {
    if (atomic_fetch_sub_explicit(&message->references, 1, memory_order_acq_rel) == 1) {
        atomic_fetch_sub_explicit(message->budget, message->charged_bytes, memory_order_relaxed);
        nq_heap_free(message);
    }
}
