/* Node: a page of ordered entries — the leaf and the inner node of a B+tree.
 *
 * Slots grow up behind the header, cells grow down from the end. A slot carries the first four
 * bytes of its key, so a search mostly stays in the slots. The bytes all keys share are stored once
 * (the prefix, chosen whenever a node is rebuilt); a slot's key is the rest.
 *
 * An inner node of n entries has n + 1 children: child 0 is the header's link, child i + 1 is entry
 * i's payload and holds the keys >= key i.
 *
 * Functions that change a page expect it to be privately owned. None allocates or fails for another
 * reason than room, and a refused change leaves the page as it was. */
#ifndef NQ_STORAGE_PAGE_NODE_H
#define NQ_STORAGE_PAGE_NODE_H

#include "engine/storage/page/entry.h"
#include "engine/storage/page/page.h"

enum {
    NQ_NODE_KEY_BYTES_MAX = 1024,
    NQ_NODE_PAYLOAD_BYTES_MAX = 2032, /* longer values go to overflow pages */
    NQ_NODE_SLOT_BYTES = 8,
    NQ_NODE_CELL_HEADER_BYTES = 2,
    NQ_NODE_IS_OVERFLOW = 0x8000, /* in a cell's header, beside the payload's size */
};

/* Two largest entries and a slot's worth of slack fit one page, so every split succeeds. */
static_assert(2 * (NQ_NODE_SLOT_BYTES + NQ_NODE_CELL_HEADER_BYTES + NQ_NODE_KEY_BYTES_MAX +
                   NQ_NODE_PAYLOAD_BYTES_MAX) <
                  NQ_PAGE_BODY_BYTES,
              "a split must always fit");

typedef struct nq_node_slot {
    uint32_t head;      /* the first bytes of the key after the prefix, big-endian, zero-padded */
    uint16_t cell;      /* offset in the page */
    uint16_t key_bytes; /* after the prefix */
} nq_node_slot;

/* How long a value is and where its pages begin; the payload of an overflow entry. */
typedef struct nq_overflow_ref {
    uint32_t value_bytes;
    nq_page_ref first;
} nq_overflow_ref;

static_assert(sizeof(nq_overflow_ref) == 12, "stored as is");

static inline const nq_node_slot *nq_node_slots(const nq_page *page) {
    return (const nq_node_slot *)(const void *)page->body;
}

/* The bytes shared by all keys. */
static inline nq_bytes nq_node_prefix(const nq_page *page) {
    return nq_bytes_of((const uint8_t *)page + NQ_PAGE_BYTES - page->prefix_bytes,
                       page->prefix_bytes);
}

/* The key of a slot after the prefix. */
static inline nq_bytes nq_node_suffix(const nq_page *page, uint16_t slot) {
    const nq_node_slot *s = nq_node_slots(page) + slot;
    return nq_bytes_of((const uint8_t *)page + s->cell + NQ_NODE_CELL_HEADER_BYTES, s->key_bytes);
}

/* An entry's payload; *out_is_overflow says that it is an nq_overflow_ref. */
static inline nq_bytes nq_node_payload(const nq_page *page, uint16_t slot, bool *out_is_overflow) {
    const nq_node_slot *s = nq_node_slots(page) + slot;
    const uint8_t *cell = (const uint8_t *)page + s->cell;
    uint16_t head;
    memcpy(&head, cell, sizeof head);
    *out_is_overflow = (head & NQ_NODE_IS_OVERFLOW) != 0;
    return nq_bytes_of(cell + NQ_NODE_CELL_HEADER_BYTES + s->key_bytes,
                       head & ~(uint32_t)NQ_NODE_IS_OVERFLOW);
}

/* Child `position` of an inner node, 0 <= position <= slot_count. */
static inline nq_page_ref nq_node_child(const nq_page *page, uint16_t position) {
    if (position == 0) {
        return page->link;
    }
    bool is_overflow;
    nq_page_ref ref;
    memcpy(&ref, nq_node_payload(page, (uint16_t)(position - 1), &is_overflow).data, sizeof ref);
    return ref;
}

/* Copies the whole key of a slot to `out_key` (NQ_NODE_KEY_BYTES_MAX of room); returns its size. */
size_t nq_node_copy_key(const nq_page *page, uint16_t slot, uint8_t *out_key);

/* ---- Search ----
 *
 * These may be called on a page seen through a view (storage/buffer), whose bytes may turn into
 * another page's meanwhile: they end and stay inside the page whatever they read, and the answer is
 * worth something only once the view has proved good. */

/* Fetches what a search of a leaf reads first, all at once. */
static inline void nq_node_prefetch(const nq_page *page) {
    enum { LINE_BYTES = 64, LINES = 6 }; /* the header and some forty slots */
    const uint8_t *bytes = (const uint8_t *)page;
    for (int line = 0; line < LINES; line++) {
        __builtin_prefetch(bytes + line * LINE_BYTES);
    }
    __builtin_prefetch(bytes + NQ_PAGE_BYTES - 1); /* the prefix */
}

/* The first slot whose key is >= `key` (slot_count if none); *out_is_equal: that key is `key`. */
uint16_t nq_node_find(const nq_page *page, nq_bytes key, bool *out_is_equal);

/* The position of the child that holds `key`. */
uint16_t nq_node_find_child(const nq_page *page, nq_bytes key);

/* As nq_node_child; none if the page is no inner node or has no such child. */
nq_page_ref nq_node_read_child(const nq_page *page, uint16_t position);

/* As nq_node_payload; false if the cell is not inside the page. */
bool nq_node_read_payload(const nq_page *page, uint16_t slot, nq_bytes *out_payload,
                          bool *out_is_overflow);

/* <0, 0, >0: the key of `slot` against `key`. */
int nq_node_compare(const nq_page *page, uint16_t slot, nq_bytes key);

/* ---- Listing ---- */

/* Where entries are listed to, some at a time. */
typedef struct nq_node_list {
    nq_entry *entries;
    uint32_t count_max;
    uint32_t count;
    uint8_t *room; /* for the keys; a few bytes more than they have are needed */
    size_t room_bytes;
    size_t room_used;
    const uint8_t *ahead; /* fetched meanwhile, up to its end */
    const uint8_t *ahead_end;
    uint32_t ahead_lines; /* with each entry */
} nq_node_list;

/* Has the page after `page` in the scan fetched while `page` is being listed; NULL: none. */
void nq_node_list_ahead(nq_node_list *list, const nq_page *page, const nq_page *next);

/* Lists entries [from, to) of a leaf, in either direction, as far as there is room and none is an
 * overflow entry. Values are borrowed from the page, keys from the list's room. */
void nq_node_list_run(nq_node_list *list, const nq_page *page, uint16_t from, uint16_t to,
                      bool is_reverse);

/* ---- Change ---- */

/* Puts an entry at `slot`, where nq_node_find said it belongs. False: it does not fit. */
bool nq_node_insert(nq_page *page, uint16_t slot, nq_bytes key, nq_bytes payload, bool is_overflow);

/* Replaces an entry's payload. False: it does not fit, and the entry is unchanged. */
bool nq_node_set_payload(nq_page *page, uint16_t slot, nq_bytes payload, bool is_overflow);

void nq_node_set_child(nq_page *page, uint16_t position, nq_page_ref child);
void nq_node_remove(nq_page *page, uint16_t slot);

/* Removes child `position` of an inner node with at least one entry. */
void nq_node_remove_child(nq_page *page, uint16_t position);

/* Bytes its slots, cells and prefix take: of NQ_PAGE_BODY_BYTES. */
uint32_t nq_node_used_bytes(const nq_page *page);

/* Gives an empty node its prefix in advance; a key without it may still come. */
void nq_node_start(nq_page *page, nq_bytes prefix);

/* Gives the node its best prefix, and drops dead bytes. */
void nq_node_tighten(nq_page *page);

/* Moves the entries from `slot` on to `right`, an initialised empty node, and gives both their best
 * prefix. */
void nq_node_split(nq_page *page, uint16_t slot, nq_page *right);

/* The slot at which to split a full node so that a new entry (`key` and `payload_bytes`, belonging
 * at `slot`) fits one side, which *out_is_left names: two sides of nearly equal bytes, but for an
 * entry at the end (sequential loads leave full pages behind) and for a key without the prefix
 * (which is kept apart, so that the others keep theirs). */
uint16_t nq_node_split_point(const nq_page *page, uint16_t slot, nq_bytes key, size_t payload_bytes,
                             bool *out_is_left);

/* Appends all entries of `right`, whose keys are greater, to `left`. False: they do not fit. For
 * inner nodes `separator` is the parent's key between them, which comes down. */
bool nq_node_merge(nq_page *left, const nq_page *right, nq_bytes separator);

/* The shortest key that is > `left` and <= `right`: how many bytes of `right`. */
size_t nq_node_separator_bytes(nq_bytes left, nq_bytes right);

#endif
