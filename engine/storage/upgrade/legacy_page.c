/* Legacy page. */
#include "engine/storage/upgrade/legacy_page.h"

#include "engine/ground/simd/crc32c.h"

/* Where page.h has zeros, format 1 had CRC32C of the rest, seeded with the page's number. */
static uint32_t checksum(const nq_page *page, uint32_t id) {
    return nq_crc32c(id, (const uint8_t *)page + sizeof page->zero,
                     NQ_PAGE_BYTES - sizeof page->zero);
}

static const char *broken_rule_of_freelist(const nq_page *page, nq_page_ref ref) {
    bool is_meant = page->magic == NQ_PAGE_MAGIC && page->id == ref.page &&
                    (uint32_t)page->generation == ref.stamp;
    bool is_whole = page->payload_bytes <= NQ_PAGE_BODY_BYTES &&
                    page->payload_bytes % sizeof(nq_legacy_run) == 0;
    return !is_meant ? "it is another page" : is_whole ? NULL : "it holds a part of a run";
}

nq_status nq_legacy_page_check(nq_ctx *ctx, nq_page *page, nq_page_ref ref) {
    uint32_t stored = page->zero;
    const char *rule = NULL;
    if (stored != checksum(page, ref.page)) {
        rule = "its checksum does not match";
    }
    page->zero = 0;
    if (rule == NULL && page->kind == NQ_LEGACY_PAGE_FREELIST) {
        rule = broken_rule_of_freelist(page, ref);
    } else if (rule == NULL) {
        return nq_page_check(ctx, page, ref);
    }
    return rule == NULL ? NQ_OK : nq_fail(ctx, NQ_PAGE_CORRUPT, "page %u: %s", ref.page, rule);
}
