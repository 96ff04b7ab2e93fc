/* Search: a key's place in a node, from the slots alone wherever heads can tell.
 *
 * Lower bound over the heads without a branch that depends on the data, then whole suffixes among
 * the slots whose head is the key's: one, mostly. Safe on bytes that change meanwhile
 * (node_internal.h). */
#include "engine/storage/page/node_internal.h"

/* memcmp without a call where it takes a few bytes only. */
static inline int compare_bytes(const uint8_t *left, const uint8_t *right, size_t bytes) {
    enum { FEW = 4 };
    if (bytes > FEW) {
        return memcmp(left, right, bytes);
    }
    int order = 0;
    for (size_t i = 0; i < bytes && order == 0; i++) {
        order = left[i] - right[i];
    }
    return order;
}

int nq__node_compare_to_prefix(const nq_page *page, nq_bytes key, nq_bytes *out_suffix) {
    *out_suffix = key;
    uint32_t prefix_bytes = nq__node_read_u16(&page->prefix_bytes);
    if (prefix_bytes == 0) {
        return 0;
    }
    prefix_bytes = prefix_bytes < NQ_PAGE_BYTES ? prefix_bytes : NQ_PAGE_BYTES;
    const uint8_t *prefix = (const uint8_t *)page + NQ_PAGE_BYTES - prefix_bytes;
    size_t shared = key.size < prefix_bytes ? key.size : prefix_bytes;
    int order = compare_bytes(key.data, prefix, shared);
    if (order != 0 || key.size < prefix_bytes) {
        return order != 0 ? order : -1;
    }
    *out_suffix = nq_bytes_of(key.data + prefix_bytes, key.size - prefix_bytes);
    return 0;
}

/* The first slot of [from, to) whose head is >= `head`; `to` if none. Three heads at a time while
 * there are many: they are waited for together. */
static uint32_t find_head(const nq_page *page, uint32_t from, uint32_t to, uint32_t head) {
    enum { MANY = 8 };
    uint32_t count = to - from;
    while (count > MANY) {
        uint32_t part = count / 4;
        uint32_t parts = (nq__node_slot(page, from + part - 1).head < head ? 1u : 0u) +
                         (nq__node_slot(page, from + 2 * part - 1).head < head ? 1u : 0u) +
                         (nq__node_slot(page, from + 3 * part - 1).head < head ? 1u : 0u);
        from += parts * part;
        count = parts == 3 ? count - 3 * part : part;
    }
    while (count > 1) {
        uint32_t half = count / 2;
        from += nq__node_slot(page, from + half - 1).head < head ? half : 0;
        count -= half;
    }
    return from + (count == 1 && nq__node_slot(page, from).head < head ? 1 : 0);
}

/* The end of the run of slots from `from` on whose head is `head`. */
static uint32_t end_of_head(const nq_page *page, uint32_t from, uint32_t to, uint32_t head) {
    return head == UINT32_MAX ? to : find_head(page, from, to, head + 1);
}

/* The first slot of [from, to), all of one head, whose suffix is >= `suffix`. */
static uint32_t find_suffix(const nq_page *page, uint32_t from, uint32_t to, nq_bytes suffix,
                            bool *out_is_equal) {
    while (from < to) {
        uint32_t middle = (from + to) / 2;
        int order =
            nq_bytes_compare(nq__node_slot_suffix(page, nq__node_slot(page, middle)), suffix);
        if (order == 0) {
            *out_is_equal = true;
            return middle;
        }
        from = order < 0 ? middle + 1 : from;
        to = order < 0 ? to : middle;
    }
    return from;
}

uint16_t nq_node_find(const nq_page *page, nq_bytes key, bool *out_is_equal) {
    *out_is_equal = false;
    uint32_t count = nq__node_slot_count(page);
    nq_bytes suffix;
    int side = nq__node_compare_to_prefix(page, key, &suffix);
    if (side != 0) {
        return (uint16_t)(side < 0 ? 0 : count);
    }
    uint32_t head = nq__node_head(suffix);
    uint32_t slot = find_head(page, 0, count, head);
    if (slot == count || nq__node_slot(page, slot).head != head) {
        return (uint16_t)slot;
    }
    nq__node_prefetch_cell(page, nq__node_slot(page, slot));
    bool is_run = slot + 1 < count && nq__node_slot(page, slot + 1).head == head;
    uint32_t end = is_run ? end_of_head(page, slot, count, head) : slot + 1;
    return (uint16_t)find_suffix(page, slot, end, suffix, out_is_equal);
}

uint16_t nq_node_find_child(const nq_page *page, nq_bytes key) {
    bool is_equal;
    uint16_t slot = nq_node_find(page, key, &is_equal);
    return (uint16_t)(slot + (is_equal ? 1 : 0));
}

int nq_node_compare(const nq_page *page, uint16_t slot, nq_bytes key) {
    nq_bytes suffix;
    int side = nq__node_compare_to_prefix(page, key, &suffix);
    if (side != 0) {
        return -side;
    }
    uint32_t head = nq__node_head(suffix);
    nq_node_slot read = nq__node_slot(page, slot);
    if (read.head != head) {
        return read.head < head ? -1 : 1;
    }
    return nq_bytes_compare(nq__node_slot_suffix(page, read), suffix);
}

bool nq_node_read_payload(const nq_page *page, uint16_t slot, nq_bytes *out_payload,
                          bool *out_is_overflow) {
    *out_payload = (nq_bytes){0};
    *out_is_overflow = false;
    if (slot >= NQ__NODE_SLOTS_MAX) {
        return false;
    }
    nq_node_slot read = nq__node_slot(page, slot);
    if (read.cell > NQ_PAGE_BYTES - NQ_NODE_CELL_HEADER_BYTES) {
        return false;
    }
    uint32_t head = nq__node_cell_head(page, read);
    uint32_t bytes = head & ~(uint32_t)NQ_NODE_IS_OVERFLOW;
    uint32_t start = (uint32_t)read.cell + NQ_NODE_CELL_HEADER_BYTES + read.key_bytes;
    if (start + bytes > NQ_PAGE_BYTES) {
        return false;
    }
    *out_is_overflow = (head & NQ_NODE_IS_OVERFLOW) != 0;
    *out_payload = nq_bytes_of((const uint8_t *)page + start, bytes);
    return true;
}

nq_page_ref nq_node_read_child(const nq_page *page, uint16_t position) {
    nq_page_ref child = page->link;
    if (position == 0) {
        return child;
    }
    nq_bytes payload;
    bool is_overflow;
    if (!nq_node_read_payload(page, (uint16_t)(position - 1), &payload, &is_overflow) ||
        payload.size != sizeof child) {
        return NQ_PAGE_REF_NONE;
    }
    memcpy(&child, payload.data, sizeof child);
    return child;
}
