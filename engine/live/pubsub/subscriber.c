/* Subscriber: a ring of entries; see the header for the invariants. */
#include "engine/live/pubsub/subscriber.h"

#include "engine/ground/base/heap.h"
#include "engine/ground/os/mutex.h"
#include "engine/live/pubsub/outstanding.h"
#include "engine/live/pubsub/subscriber_internal.h"

/* A message and what was lost right before it. */
typedef struct queue_entry {
    nq_message *message;
    nq_gap_list gaps;
} queue_entry;

struct nq_subscriber {
    _Atomic uint32_t references;
    nq_subscriber_options options;
    nq__member member;        /* the hub's, under its lock */
    _Atomic bool is_listed;   /* in somebody's wake list, through `wake_next` */
    nq_subscriber *wake_next; /* whoever set is_listed */
    nq_mutex mutex;           /* everything below */
    queue_entry *entries;     /* ring */
    uint32_t capacity;        /* power of two */
    uint32_t head;
    uint32_t count;
    uint64_t bytes;
    uint32_t counts[NQ_PRIORITY_CRITICAL + 1]; /* entries by priority */
    nq_gap_list head_gaps;                     /* before the first entry */
    nq_gap_list tail_gaps;                     /* behind the last entry */
    nq_outstanding outstanding;
    uint64_t next_delivery_id;
    uint64_t granted_through;
    uint64_t dropped_total;
    uint64_t dropped_told; /* as of the last state */
    bool is_paused;
    bool is_closed;
    bool is_disconnected;
    bool is_awake; /* a wake is under way that no take has answered */
};

enum { CAPACITY_FIRST = 16 };

nq_status nq_subscriber_create(nq_ctx *ctx, const nq_subscriber_options *options,
                               nq_subscriber **out_subscriber) {
    *out_subscriber = NULL;
    nq_subscriber *self = nq_heap_calloc(1, sizeof(*self));
    if (self == NULL) {
        return nq_fail_no_memory(ctx, "a subscription");
    }
    self->references = 1;
    self->options = *options;
    nq_subscriber_limits *limits = &self->options.limits;
    if (limits->buffer_bytes == 0 || limits->buffer_bytes > NQ_SUBSCRIBER_BYTES_MAX) {
        limits->buffer_bytes = NQ_SUBSCRIBER_BYTES_MAX;
    }
    if (limits->buffer_messages == 0 || limits->buffer_messages > NQ_SUBSCRIBER_MESSAGES_MAX) {
        limits->buffer_messages = NQ_SUBSCRIBER_MESSAGES_MAX;
    }
    limits->throttle_threshold = limits->throttle_threshold > 0 ? limits->throttle_threshold : 0.7;
    limits->pause_threshold = limits->pause_threshold > 0 ? limits->pause_threshold : 0.9;
    self->next_delivery_id = 1;
    self->granted_through = UINT64_MAX;
    nq_mutex_init(&self->mutex, NQ_LOCK_PUBSUB_SUBSCRIBER);
    *out_subscriber = self;
    return NQ_OK;
}

void nq_subscriber_acquire(nq_subscriber *self) {
    atomic_fetch_add_explicit(&self->references, 1, memory_order_relaxed);
}

static queue_entry *entry_at(nq_subscriber *self, uint32_t place) {
    return &self->entries[(self->head + place) & (self->capacity - 1)];
}

void nq_subscriber_release(nq_subscriber *self) {
    if (self == NULL ||
        atomic_fetch_sub_explicit(&self->references, 1, memory_order_acq_rel) != 1) {
        return;
    }
    for (uint32_t i = 0; i < self->count; i++) {
        nq_message_release(entry_at(self, i)->message);
        nq_gap_list_clear(&entry_at(self, i)->gaps);
    }
    nq_gap_list_clear(&self->head_gaps);
    nq_gap_list_clear(&self->tail_gaps);
    nq_outstanding_deinit(&self->outstanding);
    nq_mutex_deinit(&self->mutex);
    nq_heap_free(self->member.patterns);
    nq_heap_free(self->entries);
    if (self->options.let_go != NULL) {
        self->options.let_go(self->options.user);
    }
    nq_heap_free(self);
}

nq__member *nq__subscriber_member(nq_subscriber *self) {
    return &self->member;
}

nq_drop_policy nq__subscriber_policy(const nq_subscriber *self, nq_drop_policy channel_policy) {
    nq_drop_policy own = self->options.limits.drop_policy;
    return own == NQ_DROP_DEFAULT ? channel_policy : own;
}

/* ---- Losing ---- */

static nq_gap loss_of(const nq_message *message, nq_gap_reason reason) {
    return (nq_gap){.channel_number = message->channel_number,
                    .reason = reason,
                    .first_sequence = message->sequence,
                    .last_sequence = message->sequence,
                    .count = 1};
}

/* Without memory to write a loss down exactly the subscription cannot keep its promise: it ends. */
static void note_loss(nq_subscriber *self, nq_gap_list *place, const nq_gap *loss) {
    self->dropped_total += loss->count;
    if (!nq_gap_list_add(place, loss)) {
        self->is_disconnected = true;
    }
}

/* Removes the entry at `place`; its gaps and itself move before what follows it (I3). */
static void drop_entry(nq_subscriber *self, uint32_t place, nq_gap_reason reason) {
    queue_entry dropped = *entry_at(self, place);
    nq_gap loss = loss_of(dropped.message, reason);
    self->bytes -= dropped.message->charged_bytes;
    self->counts[dropped.message->priority]--;
    for (uint32_t i = place; i + 1 < self->count && place > 0; i++) {
        *entry_at(self, i) = *entry_at(self, i + 1);
    }
    if (place == 0) {
        self->head = (self->head + 1) & (self->capacity - 1);
    }
    self->count--;
    nq_gap_list *target = place == 0            ? &self->head_gaps
                          : place < self->count ? &entry_at(self, place)->gaps
                                                : &self->tail_gaps;
    if (!nq_gap_list_move(target, &dropped.gaps)) {
        self->is_disconnected = true;
        nq_gap_list_clear(&dropped.gaps);
    }
    note_loss(self, target, &loss);
    nq_message_release(dropped.message);
}

static bool has_room(const nq_subscriber *self, size_t bytes) {
    if (self->count == 0) {
        return true; /* I1 */
    }
    const nq_subscriber_limits *limits = &self->options.limits;
    return self->count < limits->buffer_messages && self->bytes + bytes <= limits->buffer_bytes;
}

static uint8_t lowest_priority(const nq_subscriber *self) {
    uint8_t lowest = 0;
    while (self->counts[lowest] == 0) {
        lowest++;
    }
    return lowest;
}

/* With one priority in the queue, as nearly always, the first entry is it. */
static uint32_t oldest_of(nq_subscriber *self, uint8_t priority) {
    uint32_t place = 0;
    while (entry_at(self, place)->message->priority != priority) {
        place++;
    }
    return place;
}

/* The new message itself is lost, behind everything that waits. */
static nq_push_result lose(nq_subscriber *self, const nq_message *message, nq_gap_reason reason) {
    nq_gap loss = loss_of(message, reason);
    note_loss(self, self->count == 0 ? &self->head_gaps : &self->tail_gaps, &loss);
    return NQ_PUSH_LOST;
}

/* The oldest of the lowest priority goes; among what waits and what comes, that may be what comes.
 */
static nq_push_result drop_oldest_until(nq_subscriber *self, const nq_message *message) {
    while (!has_room(self, message->charged_bytes)) {
        uint8_t lowest = lowest_priority(self);
        if (message->priority < lowest) {
            return lose(self, message, NQ_GAP_DROP_OLDEST);
        }
        drop_entry(self, oldest_of(self, lowest), NQ_GAP_DROP_OLDEST);
    }
    return NQ_PUSH_QUEUED;
}

static nq_push_result conflate(nq_subscriber *self, const nq_message *message) {
    for (uint32_t i = 0; i < self->count && message->key_hash != 0; i++) {
        const nq_message *queued = entry_at(self, i)->message;
        if (queued->key_hash == message->key_hash &&
            queued->channel_number == message->channel_number) {
            drop_entry(self, i, NQ_GAP_CONFLATE);
            break;
        }
    }
    return drop_oldest_until(self, message);
}

/* Makes room as the policy says, or not. */
static nq_push_result make_room(nq_subscriber *self, const nq_message *message,
                                nq_drop_policy policy) {
    switch (policy) {
    case NQ_DROP_NEWEST:
        return lose(self, message, NQ_GAP_DROP_NEWEST);
    case NQ_DROP_BLOCK:
        return NQ_PUSH_QUEUED;
    case NQ_DROP_DISCONNECT:
        self->is_disconnected = true;
        return NQ_PUSH_LOST;
    case NQ_DROP_ALL:
        while (self->count > 0) {
            drop_entry(self, 0, NQ_GAP_DROP_ALL);
        }
        return NQ_PUSH_QUEUED;
    case NQ_DROP_CONFLATE:
        return conflate(self, message);
    case NQ_DROP_OLDEST:
    case NQ_DROP_DEFAULT:
        break;
    }
    return drop_oldest_until(self, message);
}

/* ---- Pushing ---- */

static bool reserve(nq_subscriber *self) {
    if (self->count < self->capacity) {
        return true;
    }
    uint32_t capacity = self->capacity == 0 ? CAPACITY_FIRST : 2 * self->capacity;
    queue_entry *entries = nq_heap_calloc(capacity, sizeof(*entries));
    if (entries == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < self->count; i++) {
        entries[i] = *entry_at(self, i);
    }
    nq_heap_free(self->entries);
    self->entries = entries;
    self->capacity = capacity;
    self->head = 0;
    return true;
}

static void append(nq_subscriber *self, nq_message *message) {
    queue_entry *entry = entry_at(self, self->count);
    *entry = (queue_entry){.message = message, .gaps = self->tail_gaps};
    self->tail_gaps = (nq_gap_list){0};
    self->count++;
    self->bytes += message->charged_bytes;
    self->counts[message->priority]++;
    nq_message_acquire(message);
}

static bool has_credit(const nq_subscriber *self) {
    const nq_subscriber_limits *limits = &self->options.limits;
    const nq_outstanding *out = &self->outstanding;
    return self->next_delivery_id <= self->granted_through &&
           (limits->outstanding_messages_max == 0 ||
            out->message_count < limits->outstanding_messages_max) &&
           (limits->outstanding_bytes_max == 0 || out->bytes < limits->outstanding_bytes_max);
}

static bool may_take(const nq_subscriber *self) {
    if (self->is_disconnected) {
        return true; /* whatever else holds it up, its owner must learn of it */
    }
    if (self->is_paused) {
        return false;
    }
    bool has_gaps = self->head_gaps.count > 0 || (self->count == 0 && self->tail_gaps.count > 0);
    return has_gaps || (self->count > 0 && has_credit(self));
}

/* Under the mutex. A listed subscriber will be woken anyway; an awake one has not answered yet. */
static void list_wake(nq_subscriber *self, nq_wake_list *wakes) {
    if (self->is_awake || !may_take(self) || atomic_exchange(&self->is_listed, true)) {
        return;
    }
    self->is_awake = true;
    nq_subscriber_acquire(self);
    self->wake_next = wakes->first;
    wakes->first = self;
}

void nq_wake_list_run(nq_wake_list *wakes) {
    while (wakes->first != NULL) {
        nq_subscriber *self = wakes->first;
        wakes->first = self->wake_next;
        atomic_store(&self->is_listed, false);
        self->options.wake(self->options.user);
        nq_subscriber_release(self);
    }
}

static nq_push_result push_one(nq_subscriber *self, nq_message *message, nq_drop_policy policy) {
    if (message->priority < self->options.priority_min || self->is_closed ||
        self->is_disconnected) {
        return NQ_PUSH_FILTERED;
    }
    nq_push_result result = NQ_PUSH_QUEUED;
    if (policy == NQ_DROP_CONFLATE || !has_room(self, message->charged_bytes)) {
        result = make_room(self, message, policy);
    }
    if (result != NQ_PUSH_QUEUED) {
        return result;
    }
    if (!reserve(self)) {
        return lose(self, message, NQ_GAP_DROP_NEWEST);
    }
    append(self, message);
    return NQ_PUSH_QUEUED;
}

void nq_subscriber_push(nq_subscriber *self, nq_message *const *messages, uint32_t count,
                        nq_drop_policy channel_policy, bool may_block, nq_push_result *out_results,
                        nq_wake_list *wakes) {
    nq_drop_policy policy = nq__subscriber_policy(self, channel_policy);
    if (policy == NQ_DROP_BLOCK && !may_block) {
        policy = NQ_DROP_OLDEST; /* nobody waited for room: I1 comes first */
    }
    nq_mutex_lock(&self->mutex);
    bool was_disconnected = self->is_disconnected;
    for (uint32_t i = 0; i < count; i++) {
        out_results[i] = push_one(self, messages[i], policy);
    }
    if (self->is_disconnected && !was_disconnected) {
        self->is_awake = false; /* an owner that cannot send has not answered, but must hear this */
    }
    list_wake(self, wakes);
    nq_mutex_unlock(&self->mutex);
}

bool nq_subscriber_would_block(nq_subscriber *self, size_t bytes, nq_drop_policy channel_policy) {
    if (nq__subscriber_policy(self, channel_policy) != NQ_DROP_BLOCK) {
        return false;
    }
    nq_mutex_lock(&self->mutex);
    bool is_full = !self->is_closed && !has_room(self, bytes);
    nq_mutex_unlock(&self->mutex);
    return is_full;
}

void nq_subscriber_add_gap(nq_subscriber *self, const nq_gap *gap) {
    nq_mutex_lock(&self->mutex);
    note_loss(self, self->count == 0 ? &self->head_gaps : &self->tail_gaps, gap);
    nq_mutex_unlock(&self->mutex);
}

/* ---- Taking ---- */

static void take_gaps(nq_subscriber *self, nq_taken *taken) {
    nq_gap_list *first = self->count > 0 ? &entry_at(self, 0)->gaps : &self->tail_gaps;
    if (!nq_gap_list_move(&taken->gaps, &self->head_gaps) ||
        !nq_gap_list_move(&taken->gaps, first)) {
        self->is_disconnected = true;
    }
}

static bool take_one(nq_subscriber *self, nq_message **out_message) {
    nq_message *message = entry_at(self, 0)->message;
    if (self->options.ack_mode != NQ_ACK_NONE &&
        !nq_outstanding_add(&self->outstanding, self->next_delivery_id, message->charged_bytes)) {
        self->is_disconnected = true; /* it could not be acknowledged */
        return false;
    }
    self->head = (self->head + 1) & (self->capacity - 1);
    self->count--;
    self->bytes -= message->charged_bytes;
    self->counts[message->priority]--;
    self->next_delivery_id++;
    *out_message = message;
    return true;
}

void nq_subscriber_take(nq_subscriber *self, uint32_t messages_max, size_t bytes_max,
                        nq_message **out_messages, nq_taken *out_taken) {
    *out_taken = (nq_taken){0};
    nq_mutex_lock(&self->mutex);
    self->is_awake = false;
    if (!self->is_paused) {
        take_gaps(self, out_taken);
        size_t bytes = 0;
        uint64_t first = self->next_delivery_id;
        while (self->count > 0 && out_taken->message_count < messages_max && has_credit(self)) {
            const queue_entry *entry = entry_at(self, 0);
            bool is_first = out_taken->message_count == 0;
            if (!is_first && (entry->gaps.count > 0 || bytes + entry->message->size > bytes_max)) {
                break; /* I3: gaps go out at the head of the next take */
            }
            bytes += entry->message->size;
            if (!take_one(self, &out_messages[out_taken->message_count])) {
                break;
            }
            out_taken->message_count++;
        }
        out_taken->first_delivery_id = out_taken->message_count > 0 ? first : 0;
    }
    nq__room *room = out_taken->message_count > 0 ? self->member.room : NULL;
    nq_mutex_unlock(&self->mutex);
    if (room != NULL) {
        nq__room_announce(room);
    }
}

/* ---- Controls ---- */

/* Ends a critical section that may have made work possible. */
static bool finish(nq_subscriber *self) {
    bool can_take = may_take(self);
    nq_mutex_unlock(&self->mutex);
    return can_take;
}

bool nq_subscriber_grant(nq_subscriber *self, uint64_t through_delivery_id) {
    nq_mutex_lock(&self->mutex);
    /* Cumulative: the first grant sets the limit, later ones only raise it. */
    if (self->granted_through == UINT64_MAX || through_delivery_id > self->granted_through) {
        self->granted_through = through_delivery_id;
    }
    return finish(self);
}

bool nq_subscriber_pause(nq_subscriber *self, bool is_paused) {
    nq_mutex_lock(&self->mutex);
    self->is_paused = is_paused;
    return finish(self);
}

bool nq_subscriber_ack_through(nq_subscriber *self, uint64_t delivery_id) {
    nq_mutex_lock(&self->mutex);
    nq_outstanding_remove_through(&self->outstanding, delivery_id);
    return finish(self);
}

bool nq_subscriber_ack(nq_subscriber *self, uint64_t delivery_id, bool *out_is_stale) {
    nq_mutex_lock(&self->mutex);
    *out_is_stale = !nq_outstanding_remove(&self->outstanding, delivery_id);
    return finish(self);
}

void nq_subscriber_wake(nq_subscriber *self) {
    self->options.wake(self->options.user);
}

void nq_subscriber_close(nq_subscriber *self) {
    nq_mutex_lock(&self->mutex);
    self->is_closed = true;
    nq_mutex_unlock(&self->mutex);
}

void nq_subscriber_get_state(nq_subscriber *self, nq_subscriber_state *out_state) {
    nq_mutex_lock(&self->mutex);
    const nq_subscriber_limits *limits = &self->options.limits;
    double by_bytes = (double)self->bytes / (double)limits->buffer_bytes;
    double by_count = (double)self->count / (double)limits->buffer_messages;
    double fill = by_bytes > by_count ? by_bytes : by_count;
    bool can_take = may_take(self);
    nq_flow_state flow = NQ_FLOW_NORMAL;
    if (self->dropped_total > self->dropped_told) {
        flow = NQ_FLOW_DROPPING;
    } else if (self->is_paused || fill >= limits->pause_threshold) {
        flow = NQ_FLOW_PAUSED;
    } else if (self->count > 0 && !can_take) {
        flow = NQ_FLOW_WAITING_CREDIT;
    } else if (fill >= limits->throttle_threshold) {
        flow = NQ_FLOW_THROTTLED;
    }
    self->dropped_told = self->dropped_total;
    *out_state = (nq_subscriber_state){
        .flow_state = flow,
        .fill = fill > 1 ? 1 : fill,
        .pending_messages = self->count,
        .pending_bytes = self->bytes,
        .dropped_total = self->dropped_total,
        .delivered_total = self->next_delivery_id - 1,
        .outstanding_messages = self->outstanding.message_count,
        .is_disconnected = self->is_disconnected,
        .has_work = can_take,
        .is_empty = self->count == 0 && self->head_gaps.count == 0 && self->tail_gaps.count == 0,
    };
    nq_mutex_unlock(&self->mutex);
}
