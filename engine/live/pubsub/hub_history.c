/* Hub history: reading back what channels keep, and what gaps refer to. */
#include "engine/live/pubsub/hub_internal.h"

static nq__channel *find_number(const nq_hub *hub, uint32_t number) {
    for (uint32_t i = 0; i < hub->capacity; i++) {
        nq__channel *channel = nq__hub_slot(hub, i);
        if (channel != NULL && channel->number == number) {
            return channel;
        }
    }
    return NULL;
}

nq_bytes nq_hub_channel_name(nq_hub *hub, uint32_t channel_number, nq_arena *arena) {
    nq_mutex_lock(&hub->mutex);
    const nq__channel *channel = find_number(hub, channel_number);
    nq_bytes name =
        channel == NULL ? (nq_bytes){0} : nq_arena_copy(arena, nq_bytes_of_cstr(channel->name));
    nq_mutex_unlock(&hub->mutex);
    return name;
}

bool nq_hub_gap_is_recoverable(nq_hub *hub, const nq_gap *gap) {
    nq_mutex_lock(&hub->mutex);
    nq__channel *channel = find_number(hub, gap->channel_number);
    bool is_kept = false;
    if (channel != NULL) {
        nq_mutex_lock(&channel->mutex);
        uint64_t first = nq_history_first(&channel->history);
        is_kept = first != 0 && gap->first_sequence >= first;
        nq_mutex_unlock(&channel->mutex);
    }
    nq_mutex_unlock(&hub->mutex);
    return is_kept;
}

static nq_status first_wanted(nq_ctx *ctx, const nq__channel *channel, const nq_start *start,
                              uint64_t *out_sequence) {
    uint64_t kept = nq_history_first(&channel->history);
    uint64_t next = channel->last_sequence + 1;
    uint64_t oldest = kept == 0 ? next : kept;
    *out_sequence = oldest;
    switch (start->kind) {
    case NQ_START_NEW:
        *out_sequence = next;
        break;
    case NQ_START_EARLIEST:
        break;
    case NQ_START_LAST:
        *out_sequence = start->sequence < next - oldest ? next - start->sequence : oldest;
        break;
    case NQ_START_TIME: {
        uint64_t found = nq_history_find_time(&channel->history, start->time_us);
        *out_sequence = found == 0 ? next : found;
        break;
    }
    case NQ_START_SEQUENCE:
        *out_sequence = start->sequence == 0 ? 1 : start->sequence;
        break;
    }
    if (*out_sequence >= oldest) {
        return NQ_OK;
    }
    nq_status status = nq_fail(
        ctx, NQ_HISTORY_TRIMMED, "channel \"%s\" keeps messages from number %llu on, not from %llu",
        channel->name, (unsigned long long)oldest, (unsigned long long)*out_sequence);
    nq_error_set_hint(&ctx->error, "Start at %llu, or at the earliest.",
                      (unsigned long long)oldest);
    return status;
}

/* Under the channel's lock. */
static nq_status read_page(nq_ctx *ctx, nq__channel *channel, const nq_start *start,
                           uint64_t resume, bool is_reverse, uint32_t count_max, nq_arena *arena,
                           nq_history_page *page) {
    uint64_t floor;
    NQ_TRY(first_wanted(ctx, channel, start, &floor));
    uint64_t first = nq_history_first(&channel->history);
    uint64_t end = channel->last_sequence + 1;
    page->first_available_sequence = first;
    page->last_sequence = channel->last_sequence;
    if (first == 0 || floor >= end) {
        return NQ_OK;
    }
    if (!is_reverse && resume > floor) {
        floor = resume < first ? first : resume;
    }
    uint64_t ceiling = is_reverse && resume != 0 && resume < end ? resume + 1 : end;
    uint64_t available = ceiling > floor ? ceiling - floor : 0;
    uint32_t count = available < count_max ? (uint32_t)available : count_max;
    page->messages = nq_arena_calloc(arena, count, sizeof(nq_message *));
    if (page->messages == NULL) {
        return nq_fail_no_memory(ctx, "a page of history");
    }
    for (uint32_t i = 0; i < count; i++) {
        uint64_t sequence = is_reverse ? ceiling - 1 - i : floor + i;
        page->messages[i] = nq_history_find(&channel->history, sequence);
        nq_message_acquire(page->messages[i]);
    }
    page->message_count = count;
    if (count < available) {
        page->next_sequence = is_reverse ? ceiling - 1 - count : floor + count;
    }
    return NQ_OK;
}

nq_status nq_hub_read_history(nq_ctx *ctx, nq_hub *hub, nq_bytes name, const nq_start *start,
                              uint64_t resume, bool is_reverse, uint32_t count_max, nq_arena *arena,
                              nq_history_page *out_page) {
    *out_page = (nq_history_page){0};
    nq_pattern parsed;
    NQ_TRY(nq_channel_name_parse(ctx, name, &parsed));
    nq_mutex_lock(&hub->mutex);
    nq__channel *channel = nq__hub_find(hub, name);
    if (channel != NULL) {
        nq__channel_acquire(channel);
    }
    nq_mutex_unlock(&hub->mutex);
    if (channel == NULL) {
        return nq_fail(ctx, NQ_CHANNEL_NOT_FOUND, "there is no channel \"%.*s\"",
                       NQ_BYTES_FORMAT(name));
    }
    nq_mutex_lock(&channel->mutex);
    nq_history_limits limits = nq__channel_history_limits(channel);
    nq_history_trim(&channel->history, &limits, hub->options.now_us());
    nq_status status =
        read_page(ctx, channel, start, resume, is_reverse, count_max, arena, out_page);
    nq_mutex_unlock(&channel->mutex);
    nq__channel_release(channel);
    return status;
}
