/* Page: 8 KiB as bytes — the header every page starts with, and refusing what is no page.
 *
 * Fields are little-endian; docs/format/page.md names every byte. A page is written once per
 * generation (copy-on-write), so its generation and the half of it kept in every reference (the
 * stamp) tell an older page from the one that was meant. Its checksum is that of its image, in the
 * page map (segment/place.h). */
#ifndef NQ_STORAGE_PAGE_PAGE_H
#define NQ_STORAGE_PAGE_PAGE_H

#include <assert.h>
#include <stdint.h>

#include "engine/ground/base/bytes.h"
#include "engine/ground/base/ctx.h"

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "pages are stored as the CPU reads them");

enum {
    NQ_PAGE_BYTES = 8192,
    NQ_PAGE_HEADER_BYTES = 40,
    NQ_PAGE_BODY_BYTES = NQ_PAGE_BYTES - NQ_PAGE_HEADER_BYTES,
    NQ_PAGE_MAGIC = 0x514e, /* "NQ" */
    NQ_PAGE_ID_FIRST = 1,
};

/* A page's name; where it stands in the file is the pager's business. 0 is no page. */
typedef struct nq_page_id {
    uint32_t value;
} nq_page_id;

/* A page and which writing of it is meant. */
typedef struct nq_page_ref {
    uint32_t page;
    uint32_t stamp; /* low half of the page's generation */
} nq_page_ref;

#define NQ_PAGE_REF_NONE ((nq_page_ref){0, 0})

typedef enum nq_page_kind {
    NQ_PAGE_LEAF = 1,
    NQ_PAGE_INTERNAL = 2,
    NQ_PAGE_OVERFLOW = 3, /* a piece of a long value */
} nq_page_kind;

typedef struct nq_page {
    uint32_t zero;
    uint32_t id;         /* its own */
    uint64_t generation; /* of the commit that made it */
    uint16_t magic;
    uint8_t kind;
    uint8_t level;          /* 0: leaf; of other kinds than nodes: 0 */
    uint16_t slot_count;    /* nodes */
    uint16_t heap_start;    /* nodes: lowest byte in use by a cell */
    uint16_t dead_bytes;    /* nodes: of removed cells, reclaimed by compaction */
    uint16_t prefix_bytes;  /* nodes: shared by all keys, stored at the page's end */
    nq_page_ref link;       /* internal: leftmost child; overflow: the next page */
    uint32_t payload_bytes; /* overflow: of body in use */
    uint8_t body[NQ_PAGE_BODY_BYTES];
} nq_page;

static_assert(sizeof(nq_page) == NQ_PAGE_BYTES, "a page is exactly its bytes");
static_assert(offsetof(nq_page, body) == NQ_PAGE_HEADER_BYTES, "no padding in the header");

static inline nq_page_ref nq_page_ref_of(const nq_page *page) {
    return (nq_page_ref){page->id, (uint32_t)page->generation};
}

static inline bool nq_page_ref_is_none(nq_page_ref ref) {
    return ref.page == 0;
}

/* Zeroes the page and writes its header. */
void nq_page_init(nq_page *page, nq_page_id id, uint64_t generation, nq_page_kind kind);

/* Copies what the page holds; what it does not use of its bytes is unknown in the copy. */
void nq_page_copy(nq_page *target, const nq_page *source);

/* Checks foreign bytes that should be the page of `ref`: id, stamp, kind and, for nodes, that no
 * field leads outside the page and that keys ascend. Fails with NQ_PAGE_CORRUPT naming page and
 * rule. After it every function of node.h is safe on the page. */
nq_status nq_page_check(nq_ctx *ctx, const nq_page *page, nq_page_ref ref);

/* The structure part of nq_page_check: NULL, or the rule that is broken. */
const char *nq_page_broken_rule(const nq_page *page);

#endif
