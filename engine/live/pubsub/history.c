/* History: a growing ring of references. */
#include "engine/live/pubsub/history.h"

#include "engine/ground/base/heap.h"

static nq_message *at(const nq_history *history, uint32_t place) {
    return history->messages[(history->head + place) & (history->capacity - 1)];
}

static void drop_first(nq_history *history) {
    nq_message *message = at(history, 0);
    history->bytes -= message->size;
    history->head = (history->head + 1) & (history->capacity - 1);
    history->count--;
    nq_message_release(message);
}

static bool reserve(nq_history *history) {
    if (history->count < history->capacity) {
        return true;
    }
    uint32_t capacity = history->capacity == 0 ? 8 : 2 * history->capacity;
    nq_message **messages = nq_heap_alloc(capacity * sizeof(nq_message *));
    if (messages == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < history->count; i++) {
        messages[i] = at(history, i);
    }
    nq_heap_free(history->messages);
    history->messages = messages;
    history->capacity = capacity;
    history->head = 0;
    return true;
}

bool nq_history_append(nq_history *history, nq_message *message, const nq_history_limits *limits) {
    if (limits->messages_max == 0) {
        nq_history_clear(history);
        return true;
    }
    if (!reserve(history)) {
        /* A hole would break the numbering: what came before goes too. */
        nq_history_clear(history);
        return false;
    }
    history->messages[(history->head + history->count) & (history->capacity - 1)] = message;
    history->count++;
    history->bytes += message->size;
    nq_message_acquire(message);
    nq_history_trim(history, limits, message->publish_time_us);
    return true;
}

void nq_history_trim(nq_history *history, const nq_history_limits *limits, int64_t now_us) {
    while (history->count > 0 &&
           (history->count > limits->messages_max || history->bytes > limits->bytes_max ||
            (limits->ttl_us > 0 && now_us - at(history, 0)->publish_time_us > limits->ttl_us))) {
        drop_first(history);
    }
}

void nq_history_clear(nq_history *history) {
    while (history->count > 0) {
        drop_first(history);
    }
    nq_heap_free(history->messages);
    *history = (nq_history){0};
}

uint64_t nq_history_first(const nq_history *history) {
    return history->count == 0 ? 0 : at(history, 0)->sequence;
}

nq_message *nq_history_find(const nq_history *history, uint64_t sequence) {
    uint64_t first = nq_history_first(history);
    return first == 0 || sequence < first || sequence - first >= history->count
               ? NULL
               : at(history, (uint32_t)(sequence - first));
}

uint64_t nq_history_find_time(const nq_history *history, int64_t time_us) {
    /* Invariant: everything below `low` is older than the time, everything from `high` on is not.
     * The clock may step back between two messages; the first place that fits is then one of
     * several. */
    uint32_t low = 0;
    uint32_t high = history->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (at(history, middle)->publish_time_us < time_us) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low == history->count ? 0 : at(history, low)->sequence;
}
