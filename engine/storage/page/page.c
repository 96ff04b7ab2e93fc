/* Page: making a page, and refusing what is not the page that was meant. */
#include "engine/storage/page/page.h"

#include "engine/storage/page/node.h"

void nq_page_init(nq_page *page, nq_page_id id, uint64_t generation, nq_page_kind kind) {
    memset(page, 0, sizeof *page);
    page->id = id.value;
    page->generation = generation;
    page->magic = NQ_PAGE_MAGIC;
    page->kind = (uint8_t)kind;
    page->heap_start = NQ_PAGE_BYTES;
}

/* ---- Structure: every field of a hostile page that later code relies on ---- */

static const char *broken_rule_of_cell(const nq_page *page, uint16_t slot) {
    uint32_t cells_end = (uint32_t)NQ_PAGE_BYTES - page->prefix_bytes;
    const nq_node_slot *s = nq_node_slots(page) + slot;
    if (s->cell < page->heap_start ||
        (uint32_t)s->cell + NQ_NODE_CELL_HEADER_BYTES + s->key_bytes > cells_end) {
        return "a cell lies outside the heap";
    }
    if ((uint32_t)page->prefix_bytes + s->key_bytes > NQ_NODE_KEY_BYTES_MAX) {
        return "a key is too long";
    }
    bool is_overflow;
    nq_bytes payload = nq_node_payload(page, slot, &is_overflow);
    if ((size_t)(payload.data - (const uint8_t *)page) + payload.size > cells_end) {
        return "a payload lies outside the heap";
    }
    if (page->kind == NQ_PAGE_INTERNAL) {
        return is_overflow || payload.size != sizeof(nq_page_ref) ? "an entry is not a child"
                                                                  : NULL;
    }
    if (is_overflow) {
        return payload.size != sizeof(nq_overflow_ref) ? "an overflow entry has no reference"
                                                       : NULL;
    }
    return payload.size > NQ_NODE_PAYLOAD_BYTES_MAX ? "a value is too long for its page" : NULL;
}

static const char *broken_rule_of_node(const nq_page *page) {
    uint32_t slots_end = NQ_PAGE_HEADER_BYTES + (uint32_t)page->slot_count * NQ_NODE_SLOT_BYTES;
    if (page->prefix_bytes > NQ_NODE_KEY_BYTES_MAX || slots_end > page->heap_start ||
        page->heap_start > NQ_PAGE_BYTES - page->prefix_bytes) {
        return "slots, heap and prefix overlap";
    }
    if ((page->kind == NQ_PAGE_INTERNAL) != (page->level != 0)) {
        return "kind and level disagree";
    }
    if (page->kind == NQ_PAGE_INTERNAL && nq_page_ref_is_none(page->link)) {
        return "an inner node has no leftmost child";
    }
    uint32_t cells = 0;
    for (uint16_t slot = 0; slot < page->slot_count; slot++) {
        const char *rule = broken_rule_of_cell(page, slot);
        if (rule != NULL) {
            return rule;
        }
        bool is_overflow;
        nq_bytes suffix = nq_node_suffix(page, slot);
        cells += NQ_NODE_CELL_HEADER_BYTES + (uint32_t)suffix.size +
                 (uint32_t)nq_node_payload(page, slot, &is_overflow).size;
        uint8_t head[4] = {0};
        memcpy(head, suffix.data, suffix.size < 4 ? suffix.size : 4);
        uint32_t stored = __builtin_bswap32(nq_node_slots(page)[slot].head);
        if (memcmp(head, &stored, sizeof head) != 0) {
            return "a slot's head is not its key's";
        }
        if (slot != 0 &&
            nq_bytes_compare(nq_node_suffix(page, (uint16_t)(slot - 1)), suffix) >= 0) {
            return "keys do not ascend";
        }
    }
    uint32_t heap = (uint32_t)NQ_PAGE_BYTES - page->prefix_bytes - page->heap_start;
    return cells + page->dead_bytes != heap ? "cells and dead bytes are not the heap" : NULL;
}

const char *nq_page_broken_rule(const nq_page *page) {
    switch (page->kind) {
    case NQ_PAGE_LEAF:
    case NQ_PAGE_INTERNAL:
        return broken_rule_of_node(page);
    case NQ_PAGE_OVERFLOW:
        return page->payload_bytes > NQ_PAGE_BODY_BYTES || page->payload_bytes == 0
                   ? "an overflow page claims more than its body, or nothing"
                   : NULL;
    default:
        return "no such kind of page";
    }
}

void nq_page_copy(nq_page *target, const nq_page *source) {
    if (source->kind == NQ_PAGE_OVERFLOW) {
        memcpy(target, source, NQ_PAGE_HEADER_BYTES + source->payload_bytes);
        return;
    }
    size_t front = NQ_PAGE_HEADER_BYTES + (size_t)source->slot_count * NQ_NODE_SLOT_BYTES;
    memcpy(target, source, front);
    memcpy((uint8_t *)target + source->heap_start, (const uint8_t *)source + source->heap_start,
           NQ_PAGE_BYTES - source->heap_start);
}

nq_status nq_page_check(nq_ctx *ctx, const nq_page *page, nq_page_ref ref) {
    const char *rule = NULL;
    if (page->magic != NQ_PAGE_MAGIC) {
        rule = "it does not begin as a page";
    } else if (page->id != ref.page) {
        rule = "it is another page";
    } else if ((uint32_t)page->generation != ref.stamp) {
        rule = "it is another generation of the page";
    } else {
        rule = nq_page_broken_rule(page);
    }
    if (rule == NULL) {
        return NQ_OK;
    }
    return nq_fail(ctx, NQ_PAGE_CORRUPT, "page %u: %s", ref.page, rule);
}
