/* List: a run of a leaf's entries as keys and payloads, for scans.
 *
 * Payloads are pointed at; keys are put together in the caller's room, since a page keeps only what
 * comes after the prefix. Nearly all parts are short, so they are copied sixteen bytes at a time
 * wherever there are sixteen to read and room for sixteen to write, and what is too much is
 * overwritten by what follows. */
#include "engine/storage/page/node_internal.h"

enum { CHUNK_BYTES = 16 };

/* Copies `bytes` of them; may write up to CHUNK_BYTES beyond, and read as many if `has_slack`. */
static inline void copy_part(uint8_t *to, const uint8_t *from, size_t bytes, bool has_slack) {
    if (bytes <= CHUNK_BYTES && has_slack) {
        memcpy(to, from, CHUNK_BYTES);
        return;
    }
    memcpy(to, from, bytes);
}

static inline void prefetch_ahead(nq_node_list *list) {
    if (list->ahead == list->ahead_end) {
        return;
    }
    for (uint32_t line = 0; line < list->ahead_lines && list->ahead < list->ahead_end; line++) {
        __builtin_prefetch(list->ahead);
        list->ahead += NQ__NODE_LINE_BYTES;
    }
}

void nq_node_list_ahead(nq_node_list *list, const nq_page *page, const nq_page *next) {
    const uint8_t *bytes = (const uint8_t *)next;
    uint32_t lines = NQ_PAGE_BYTES / NQ__NODE_LINE_BYTES;
    list->ahead = bytes;
    list->ahead_end = next == NULL ? NULL : bytes + NQ_PAGE_BYTES;
    list->ahead_lines = lines / (page->slot_count + 1u) + 1;
}

/* Lists the entry; false: it is long, or its key finds no room. */
static inline bool list_one(nq_node_list *list, const nq_page *page, uint32_t slot,
                            nq_bytes prefix) {
    const nq_node_slot *s = nq_node_slots(page) + slot;
    size_t key_bytes = prefix.size + s->key_bytes;
    uint32_t start = (uint32_t)s->cell + NQ_NODE_CELL_HEADER_BYTES;
    const uint8_t *suffix = (const uint8_t *)page + start;
    uint16_t head;
    memcpy(&head, (const uint8_t *)page + s->cell, sizeof head);
    if ((head & NQ_NODE_IS_OVERFLOW) != 0 ||
        key_bytes + 2 * CHUNK_BYTES > list->room_bytes - list->room_used) {
        return false;
    }
    uint8_t *key = list->room + list->room_used;
    copy_part(key, prefix.data, prefix.size, true);
    copy_part(key + prefix.size, suffix, s->key_bytes, start <= NQ_PAGE_BYTES - CHUNK_BYTES);
    list->entries[list->count++] =
        (nq_entry){nq_bytes_of(key, key_bytes), nq_bytes_of(suffix + s->key_bytes, head)};
    list->room_used += key_bytes;
    return true;
}

void nq_node_list_run(nq_node_list *list, const nq_page *page, uint16_t from, uint16_t to,
                      bool is_reverse) {
    uint8_t first[CHUNK_BYTES] = {0}; /* the prefix with sixteen bytes to read */
    nq_bytes prefix = nq_node_prefix(page);
    if (prefix.size <= CHUNK_BYTES) {
        memcpy(first, prefix.data, prefix.size);
        prefix.data = first;
    }
    uint32_t count = (uint32_t)(to - from);
    uint32_t room = list->count_max - list->count;
    count = count < room ? count : room;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t slot = is_reverse ? to - 1 - i : from + i;
        if (!list_one(list, page, slot, prefix)) {
            return;
        }
        prefetch_ahead(list);
    }
}
