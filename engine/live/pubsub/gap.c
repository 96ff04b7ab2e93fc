/* Gap: short lists, searched from the end, where the channel that is losing usually is. */
#include "engine/live/pubsub/gap.h"

#include "engine/ground/base/heap.h"

bool nq_gap_list_add(nq_gap_list *list, const nq_gap *loss) {
    for (uint32_t i = list->count; i > 0; i--) {
        nq_gap *gap = &list->gaps[i - 1];
        if (gap->channel_number == loss->channel_number) {
            gap->count += loss->count;
            gap->first_sequence = loss->first_sequence < gap->first_sequence ? loss->first_sequence
                                                                             : gap->first_sequence;
            gap->last_sequence =
                loss->last_sequence > gap->last_sequence ? loss->last_sequence : gap->last_sequence;
            return true;
        }
    }
    if (list->count == list->capacity) {
        uint32_t capacity = list->capacity == 0 ? 4 : 2 * list->capacity;
        nq_gap *gaps = nq_heap_realloc(list->gaps, capacity * sizeof(*gaps));
        if (gaps == NULL) {
            return false;
        }
        list->gaps = gaps;
        list->capacity = capacity;
    }
    list->gaps[list->count++] = *loss;
    return true;
}

bool nq_gap_list_move(nq_gap_list *target, nq_gap_list *source) {
    while (source->count > 0) {
        if (!nq_gap_list_add(target, &source->gaps[source->count - 1])) {
            return false;
        }
        source->count--;
    }
    nq_gap_list_clear(source);
    return true;
}

void nq_gap_list_clear(nq_gap_list *list) {
    nq_heap_free(list->gaps);
    *list = (nq_gap_list){0};
}
