/* Dedup: a ring of ids with chained buckets over it; forgetting is always from the ring's head. */
#include "engine/live/pubsub/dedup.h"

#include "engine/ground/base/heap.h"
#include "engine/live/pubsub/message.h"

static uint32_t *bucket_of(nq_dedup *dedup, nq_bytes id) {
    return &dedup->buckets[nq_message_key_hash(id) % NQ_DEDUP_IDS_MAX];
}

static void forget_oldest(nq_dedup *dedup) {
    nq_dedup_entry *oldest = &dedup->entries[dedup->head];
    uint32_t *link = bucket_of(dedup, nq_bytes_of(oldest->id, oldest->size));
    while (*link != dedup->head + 1) {
        link = &dedup->entries[*link - 1].next;
    }
    *link = oldest->next;
    dedup->head = (dedup->head + 1) % NQ_DEDUP_IDS_MAX;
    dedup->count--;
}

uint64_t nq_dedup_find(nq_dedup *dedup, nq_bytes id, int64_t now_us, int64_t window_us) {
    while (dedup->count > 0 && now_us - dedup->entries[dedup->head].time_us > window_us) {
        forget_oldest(dedup);
    }
    if (dedup->count == 0) {
        return 0;
    }
    for (uint32_t at = *bucket_of(dedup, id); at != 0; at = dedup->entries[at - 1].next) {
        const nq_dedup_entry *entry = &dedup->entries[at - 1];
        if (nq_bytes_equal(nq_bytes_of(entry->id, entry->size), id)) {
            return entry->sequence;
        }
    }
    return 0;
}

bool nq_dedup_add(nq_dedup *dedup, nq_bytes id, uint64_t sequence, int64_t now_us) {
    if (dedup->entries == NULL) {
        dedup->entries = nq_heap_alloc(NQ_DEDUP_IDS_MAX * sizeof(*dedup->entries));
        dedup->buckets = nq_heap_calloc(NQ_DEDUP_IDS_MAX, sizeof(*dedup->buckets));
        if (dedup->entries == NULL || dedup->buckets == NULL) {
            nq_dedup_clear(dedup);
            return false;
        }
    }
    if (dedup->count == NQ_DEDUP_IDS_MAX) {
        forget_oldest(dedup);
    }
    uint32_t place = (dedup->head + dedup->count) % NQ_DEDUP_IDS_MAX;
    uint32_t *bucket = bucket_of(dedup, id);
    nq_dedup_entry *entry = &dedup->entries[place];
    *entry = (nq_dedup_entry){
        .time_us = now_us, .sequence = sequence, .next = *bucket, .size = (uint8_t)id.size};
    memcpy(entry->id, id.data, id.size);
    *bucket = place + 1;
    dedup->count++;
    return true;
}

void nq_dedup_clear(nq_dedup *dedup) {
    nq_heap_free(dedup->entries);
    nq_heap_free(dedup->buckets);
    *dedup = (nq_dedup){0};
}
