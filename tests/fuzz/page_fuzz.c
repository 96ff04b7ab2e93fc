/* Fuzz: a page from a hostile file. What nq_page_check accepts must be safe to search and to
 * change. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "engine/storage/page/node.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void use_node(nq_page *page) {
    for (uint16_t slot = 0; slot < page->slot_count; slot++) {
        uint8_t key[NQ_NODE_KEY_BYTES_MAX];
        bool is_equal;
        bool is_overflow;
        size_t bytes = nq_node_copy_key(page, slot, key);
        nq_node_payload(page, slot, &is_overflow);
        if (nq_node_find(page, nq_bytes_of(key, bytes), &is_equal) != slot || !is_equal) {
            abort();
        }
    }
    if (page->kind == NQ_PAGE_INTERNAL) {
        for (uint32_t i = 0; i <= page->slot_count; i++) {
            nq_node_child(page, (uint16_t)i);
        }
        return;
    }
    bool is_equal;
    nq_bytes key = NQ_BYTES_LITERAL("fuzz");
    uint16_t slot = nq_node_find(page, key, &is_equal);
    if (!is_equal && nq_node_insert(page, slot, key, key, false) &&
        nq_page_broken_rule(page) != NULL) {
        abort();
    }
    while (page->slot_count != 0) {
        nq_node_remove(page, (uint16_t)(page->slot_count / 2));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static nq_page page;
    memset(&page, 0, sizeof page);
    memcpy(&page, data, size < sizeof page ? size : sizeof page);
    page.magic = NQ_PAGE_MAGIC;
    nq_ctx ctx;
    nq_ctx_init(&ctx, NULL);
    if (nq_page_check(&ctx, &page, nq_page_ref_of(&page)) != NQ_OK) {
        return 0;
    }
    if (page.kind == NQ_PAGE_LEAF || page.kind == NQ_PAGE_INTERNAL) {
        use_node(&page);
    }
    return 0;
}
