/* What the node's files share: reading a page whose bytes may change under the reader.
 *
 * A view (storage/buffer) shows a page without keeping it there, so a search must end, and stay
 * inside the page, whatever the bytes are and whenever they change (N6). Hence every field that
 * bounds an access is read once, into a variable, and checked there. */
#ifndef NQ_STORAGE_PAGE_NODE_INTERNAL_H
#define NQ_STORAGE_PAGE_NODE_INTERNAL_H

#include "engine/storage/page/node.h"

enum {
    NQ__NODE_SLOTS_MAX = NQ_PAGE_BODY_BYTES / NQ_NODE_SLOT_BYTES,
    NQ__NODE_LINE_BYTES = 64, /* of the processor's cache */
};

static inline uint32_t nq__node_read_u16(const uint16_t *field) {
    return __atomic_load_n(field, __ATOMIC_RELAXED);
}

static inline uint32_t nq__node_slot_count(const nq_page *page) {
    uint32_t count = nq__node_read_u16(&page->slot_count);
    return count < NQ__NODE_SLOTS_MAX ? count : NQ__NODE_SLOTS_MAX;
}

static inline nq_node_slot nq__node_slot(const nq_page *page, uint32_t slot) {
    const uint64_t *words = (const uint64_t *)(const void *)page->body;
    uint64_t word = __atomic_load_n(words + slot, __ATOMIC_RELAXED);
    nq_node_slot read;
    memcpy(&read, &word, sizeof read);
    return read;
}

/* The suffix of a slot that has been read; cut off at the page's end. */
static inline nq_bytes nq__node_slot_suffix(const nq_page *page, nq_node_slot slot) {
    uint32_t start = (uint32_t)slot.cell + NQ_NODE_CELL_HEADER_BYTES;
    start = start < NQ_PAGE_BYTES ? start : NQ_PAGE_BYTES;
    uint32_t room = NQ_PAGE_BYTES - start;
    return nq_bytes_of((const uint8_t *)page + start,
                       slot.key_bytes < room ? slot.key_bytes : room);
}

/* The first two bytes of a cell that lies within the page. */
static inline uint32_t nq__node_cell_head(const nq_page *page, nq_node_slot slot) {
    const volatile uint8_t *cell = (const volatile uint8_t *)page + slot.cell;
    uint32_t low = cell[0];
    uint32_t high = cell[1];
    return low | high << 8;
}

/* Fetches what follows the cell's first line, while that is being waited for. */
static inline void nq__node_prefetch_cell(const nq_page *page, nq_node_slot slot) {
    const uint8_t *cell = (const uint8_t *)page + slot.cell % NQ_PAGE_BYTES;
    __builtin_prefetch(cell);
    __builtin_prefetch(cell + NQ__NODE_LINE_BYTES);
    __builtin_prefetch(cell + 2 * NQ__NODE_LINE_BYTES);
}

/* The first four bytes of a key's suffix as a number that orders likewise. */
static inline uint32_t nq__node_head(nq_bytes suffix) {
    if (suffix.size >= 4) {
        uint32_t head;
        memcpy(&head, suffix.data, sizeof head);
        return __builtin_bswap32(head);
    }
    uint32_t head = 0;
    for (size_t i = 0; i < suffix.size; i++) {
        head |= (uint32_t)suffix.data[i] << (24 - 8 * i);
    }
    return head;
}

/* <0: every key of the page is greater than `key`; >0: every key is smaller; 0: the prefix is
 * shared and *out_suffix is the rest. */
int nq__node_compare_to_prefix(const nq_page *page, nq_bytes key, nq_bytes *out_suffix);

#endif
