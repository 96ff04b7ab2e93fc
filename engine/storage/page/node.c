/* Node: change, split and merge within pages.
 *
 * Space is never searched for: cells are taken from heap_start downwards, and when the gap is too
 * small the node is rebuilt from a copy on the stack, which drops dead bytes and chooses the
 * longest prefix anew. Because keys that share a prefix are adjacent, a key without the prefix
 * always belongs at one of the ends; splitting there keeps the others as they are. */
#include "engine/storage/page/node.h"

#include "engine/ground/base/assert.h"
#include "engine/storage/page/node_internal.h"

static size_t shared_bytes(nq_bytes left, nq_bytes right) {
    size_t limit = left.size < right.size ? left.size : right.size;
    size_t shared = 0;
    while (shared < limit && left.data[shared] == right.data[shared]) {
        shared++;
    }
    return shared;
}

static nq_node_slot *slots_of(nq_page *page) {
    return (nq_node_slot *)(void *)page->body;
}

static uint32_t slots_end(const nq_page *page) {
    return NQ_PAGE_HEADER_BYTES + (uint32_t)page->slot_count * NQ_NODE_SLOT_BYTES;
}

static uint32_t cell_bytes(const nq_page *page, uint16_t slot) {
    bool is_overflow;
    nq_bytes payload = nq_node_payload(page, slot, &is_overflow);
    return NQ_NODE_CELL_HEADER_BYTES + nq_node_slots(page)[slot].key_bytes + (uint32_t)payload.size;
}

uint32_t nq_node_used_bytes(const nq_page *page) {
    return (uint32_t)page->slot_count * NQ_NODE_SLOT_BYTES + (NQ_PAGE_BYTES - page->heap_start) -
           page->dead_bytes;
}

size_t nq_node_copy_key(const nq_page *page, uint16_t slot, uint8_t *out_key) {
    nq_bytes prefix = nq_node_prefix(page);
    nq_bytes suffix = nq_node_suffix(page, slot);
    memcpy(out_key, prefix.data, prefix.size);
    memcpy(out_key + prefix.size, suffix.data, suffix.size);
    return prefix.size + suffix.size;
}

size_t nq_node_separator_bytes(nq_bytes left, nq_bytes right) {
    return shared_bytes(left, right) + 1;
}

/* ---- Rebuilding ---- */

/* Empties a node, keeping its header but for what describes the entries. */
static void clear(nq_page *page, nq_bytes prefix) {
    page->slot_count = 0;
    page->dead_bytes = 0;
    page->prefix_bytes = (uint16_t)prefix.size;
    page->heap_start = (uint16_t)(NQ_PAGE_BYTES - prefix.size);
    if (prefix.size != 0) {
        memcpy((uint8_t *)page + page->heap_start, prefix.data, prefix.size);
    }
}

/* Writes a cell, whose key comes in two parts, and its slot; the caller knows that they fit. */
static void place(nq_page *page, uint16_t slot, nq_bytes first, nq_bytes rest, nq_bytes payload,
                  bool is_overflow) {
    size_t key_bytes = first.size + rest.size;
    size_t bytes = NQ_NODE_CELL_HEADER_BYTES + key_bytes + payload.size;
    NQ_ASSERT(slots_end(page) + NQ_NODE_SLOT_BYTES + bytes <= page->heap_start);
    page->heap_start = (uint16_t)(page->heap_start - bytes);
    uint8_t *cell = (uint8_t *)page + page->heap_start;
    uint16_t head = (uint16_t)(payload.size | (is_overflow ? NQ_NODE_IS_OVERFLOW : 0));
    memcpy(cell, &head, sizeof head);
    uint8_t *key = cell + NQ_NODE_CELL_HEADER_BYTES;
    if (first.size != 0) {
        memcpy(key, first.data, first.size);
    }
    if (rest.size != 0) {
        memcpy(key + first.size, rest.data, rest.size);
    }
    if (payload.size != 0) {
        memcpy(key + key_bytes, payload.data, payload.size);
    }
    nq_node_slot *slots = slots_of(page);
    memmove(slots + slot + 1, slots + slot, (size_t)(page->slot_count - slot) * NQ_NODE_SLOT_BYTES);
    slots[slot] = (nq_node_slot){nq__node_head(nq_bytes_of(key, key_bytes)), page->heap_start,
                                 (uint16_t)key_bytes};
    page->slot_count++;
}

/* Appends entries [from, to) of `source`, all of which have the target's prefix. */
static void append_range(nq_page *page, const nq_page *source, uint16_t from, uint16_t to) {
    nq_bytes prefix = nq_node_prefix(source);
    size_t drop = page->prefix_bytes;
    nq_bytes first = {0};
    size_t drop_of_suffix = 0;
    if (drop < prefix.size) {
        first = nq_bytes_of(prefix.data + drop, prefix.size - drop);
    } else {
        drop_of_suffix = drop - prefix.size;
    }
    for (uint16_t slot = from; slot < to; slot++) {
        nq_bytes suffix = nq_node_suffix(source, slot);
        nq_bytes rest = nq_bytes_of(suffix.data + drop_of_suffix, suffix.size - drop_of_suffix);
        bool is_overflow;
        nq_bytes payload = nq_node_payload(source, slot, &is_overflow);
        place(page, page->slot_count, first, rest, payload, is_overflow);
    }
}

/* The longest prefix of entries [from, to), written to `out_prefix`. One entry keeps the page's:
 * its own key would shut out its neighbours-to-be. */
static size_t best_prefix(const nq_page *page, uint16_t from, uint16_t to, uint8_t *out_prefix) {
    nq_bytes prefix = nq_node_prefix(page);
    if (from >= to) {
        return 0;
    }
    memcpy(out_prefix, prefix.data, prefix.size);
    if (to - from == 1) {
        return prefix.size;
    }
    nq_bytes first = nq_node_suffix(page, from);
    size_t more = shared_bytes(first, nq_node_suffix(page, (uint16_t)(to - 1)));
    memcpy(out_prefix + prefix.size, first.data, more);
    return prefix.size + more;
}

/* What the node would use under a prefix of another length. */
static uint32_t used_under_prefix(const nq_page *page, size_t prefix_bytes) {
    int64_t change = (int64_t)page->prefix_bytes - (int64_t)prefix_bytes;
    int64_t used = (int64_t)nq_node_used_bytes(page) + change * (page->slot_count - 1);
    return (uint32_t)used;
}

static void rebuild(nq_page *page, nq_bytes prefix) {
    nq_page copy;
    memcpy(&copy, page, sizeof copy);
    clear(page, prefix);
    append_range(page, &copy, 0, copy.slot_count);
}

void nq_node_start(nq_page *page, nq_bytes prefix) {
    NQ_ASSERT(page->slot_count == 0);
    clear(page, prefix);
}

void nq_node_tighten(nq_page *page) {
    uint8_t prefix[NQ_NODE_KEY_BYTES_MAX];
    size_t prefix_bytes = best_prefix(page, 0, page->slot_count, prefix);
    if (prefix_bytes != page->prefix_bytes || page->dead_bytes != 0) {
        rebuild(page, nq_bytes_of(prefix, prefix_bytes));
    }
}

/* ---- Change ---- */

bool nq_node_insert(nq_page *page, uint16_t slot, nq_bytes key, nq_bytes payload,
                    bool is_overflow) {
    nq_bytes suffix;
    uint32_t fixed = NQ_NODE_SLOT_BYTES + NQ_NODE_CELL_HEADER_BYTES + (uint32_t)payload.size;
    if (nq__node_compare_to_prefix(page, key, &suffix) == 0 &&
        slots_end(page) + fixed + suffix.size <= page->heap_start) {
        place(page, slot, suffix, (nq_bytes){0}, payload, is_overflow);
        return true;
    }
    if (page->slot_count == 0) {
        clear(page, (nq_bytes){0});
        place(page, 0, key, (nq_bytes){0}, payload, is_overflow);
        return true;
    }
    uint8_t prefix[NQ_NODE_KEY_BYTES_MAX];
    size_t prefix_bytes = best_prefix(page, 0, page->slot_count, prefix);
    prefix_bytes = shared_bytes(key, nq_bytes_of(prefix, prefix_bytes));
    uint32_t entry = fixed + (uint32_t)(key.size - prefix_bytes);
    if (used_under_prefix(page, prefix_bytes) + entry > NQ_PAGE_BODY_BYTES) {
        return false;
    }
    rebuild(page, nq_bytes_of(prefix, prefix_bytes));
    suffix = nq_bytes_of(key.data + prefix_bytes, key.size - prefix_bytes);
    place(page, slot, suffix, (nq_bytes){0}, payload, is_overflow);
    return true;
}

bool nq_node_set_payload(nq_page *page, uint16_t slot, nq_bytes payload, bool is_overflow) {
    nq_node_slot *s = slots_of(page) + slot;
    bool was_overflow;
    size_t old_bytes = nq_node_payload(page, slot, &was_overflow).size;
    if (payload.size <= old_bytes) {
        uint8_t *cell = (uint8_t *)page + s->cell;
        uint16_t head = (uint16_t)(payload.size | (is_overflow ? NQ_NODE_IS_OVERFLOW : 0));
        memcpy(cell, &head, sizeof head);
        if (payload.size != 0) {
            memmove(cell + NQ_NODE_CELL_HEADER_BYTES + s->key_bytes, payload.data, payload.size);
        }
        page->dead_bytes = (uint16_t)(page->dead_bytes + (old_bytes - payload.size));
        return true;
    }
    if (nq_node_used_bytes(page) + (payload.size - old_bytes) > NQ_PAGE_BODY_BYTES) {
        return false;
    }
    uint8_t key[NQ_NODE_KEY_BYTES_MAX];
    size_t key_bytes = nq_node_copy_key(page, slot, key);
    nq_node_remove(page, slot);
    bool fits = nq_node_insert(page, slot, nq_bytes_of(key, key_bytes), payload, is_overflow);
    NQ_ASSERT(fits);
    return fits;
}

void nq_node_set_child(nq_page *page, uint16_t position, nq_page_ref child) {
    if (position == 0) {
        page->link = child;
        return;
    }
    bool is_overflow;
    nq_bytes payload = nq_node_payload(page, (uint16_t)(position - 1), &is_overflow);
    memcpy((uint8_t *)page + (payload.data - (const uint8_t *)page), &child, sizeof child);
}

void nq_node_remove(nq_page *page, uint16_t slot) {
    NQ_ASSERT(slot < page->slot_count);
    page->dead_bytes = (uint16_t)(page->dead_bytes + cell_bytes(page, slot));
    nq_node_slot *slots = slots_of(page);
    page->slot_count--;
    memmove(slots + slot, slots + slot + 1, (size_t)(page->slot_count - slot) * NQ_NODE_SLOT_BYTES);
}

void nq_node_remove_child(nq_page *page, uint16_t position) {
    if (position == 0) {
        page->link = nq_node_child(page, 1);
        nq_node_remove(page, 0);
        return;
    }
    nq_node_remove(page, (uint16_t)(position - 1));
}

/* ---- Split and merge ---- */

void nq_node_split(nq_page *page, uint16_t slot, nq_page *right) {
    if (slot == page->slot_count) {
        /* What comes next in a sorted load will most likely share the prefix. */
        clear(right, nq_node_prefix(page));
        return;
    }
    nq_page copy;
    memcpy(&copy, page, sizeof copy);
    uint8_t prefix[NQ_NODE_KEY_BYTES_MAX];
    size_t prefix_bytes = best_prefix(&copy, slot, copy.slot_count, prefix);
    clear(right, nq_bytes_of(prefix, prefix_bytes));
    append_range(right, &copy, slot, copy.slot_count);
    prefix_bytes = best_prefix(&copy, 0, slot, prefix);
    clear(page, nq_bytes_of(prefix, prefix_bytes));
    append_range(page, &copy, 0, slot);
}

uint16_t nq_node_split_point(const nq_page *page, uint16_t slot, nq_bytes key, size_t payload_bytes,
                             bool *out_is_left) {
    nq_bytes suffix;
    *out_is_left = slot == 0;
    if (slot == page->slot_count || nq__node_compare_to_prefix(page, key, &suffix) != 0) {
        NQ_ASSERT(slot == 0 || slot == page->slot_count);
        return slot;
    }
    uint32_t entry =
        (uint32_t)(NQ_NODE_SLOT_BYTES + NQ_NODE_CELL_HEADER_BYTES + suffix.size + payload_bytes);
    uint32_t total = nq_node_used_bytes(page) + entry;
    uint32_t left = 0;
    /* Walks the entries as if the new one stood before `slot`; `left` are the bytes passed. */
    for (uint16_t i = 0; i < page->slot_count; i++) {
        if (i == slot) {
            if (2 * left + entry >= total) {
                *out_is_left = i == 0;
                return i;
            }
            left += entry;
        }
        uint32_t bytes = NQ_NODE_SLOT_BYTES + cell_bytes(page, i);
        if (2 * left + bytes >= total && (i != 0 || slot == 0)) {
            *out_is_left = i >= slot;
            return i;
        }
        left += bytes;
    }
    /* The last entry always ends beyond the middle. */
    NQ_ASSERT(false);
    return page->slot_count;
}

bool nq_node_merge(nq_page *left, const nq_page *right, nq_bytes separator) {
    uint8_t low[NQ_NODE_KEY_BYTES_MAX];
    uint8_t high[NQ_NODE_KEY_BYTES_MAX];
    bool is_inner = left->kind == NQ_PAGE_INTERNAL;
    size_t low_bytes = separator.size;
    size_t high_bytes = separator.size;
    if (left->slot_count != 0) {
        low_bytes = nq_node_copy_key(left, 0, low);
    } else if (is_inner) {
        memcpy(low, separator.data, separator.size);
    } else if (right->slot_count != 0) {
        low_bytes = nq_node_copy_key(right, 0, low);
    }
    if (right->slot_count != 0) {
        high_bytes = nq_node_copy_key(right, (uint16_t)(right->slot_count - 1), high);
    } else if (is_inner) {
        memcpy(high, separator.data, separator.size);
    } else {
        return true;
    }
    size_t prefix_bytes = shared_bytes(nq_bytes_of(low, low_bytes), nq_bytes_of(high, high_bytes));
    uint32_t used = used_under_prefix(right, prefix_bytes);
    if (left->slot_count != 0) {
        used += used_under_prefix(left, prefix_bytes) - (uint32_t)prefix_bytes;
    }
    if (is_inner) {
        used += (uint32_t)(NQ_NODE_SLOT_BYTES + NQ_NODE_CELL_HEADER_BYTES + separator.size +
                           sizeof(nq_page_ref));
    }
    if (used > NQ_PAGE_BODY_BYTES) {
        return false;
    }
    rebuild(left, nq_bytes_of(low, prefix_bytes));
    if (is_inner) {
        nq_bytes rest = nq_bytes_of(separator.data + prefix_bytes, separator.size - prefix_bytes);
        nq_bytes child = nq_bytes_of(&right->link, sizeof right->link);
        place(left, left->slot_count, rest, (nq_bytes){0}, child, false);
    }
    append_range(left, right, 0, right->slot_count);
    return true;
}
