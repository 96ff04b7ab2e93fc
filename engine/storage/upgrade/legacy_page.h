/* Legacy page: a page of a file of format 1. Nodes and overflow pages are today's but for a
 * checksum of their own in the first four bytes; pages of the freelist exist no more. */
#ifndef NQ_STORAGE_UPGRADE_LEGACY_PAGE_H
#define NQ_STORAGE_UPGRADE_LEGACY_PAGE_H

#include "engine/storage/page/page.h"

enum { NQ_LEGACY_PAGE_FREELIST = 4 };

/* A run of free pages, in the body of a freelist's page. */
typedef struct nq_legacy_run {
    uint32_t first;
    uint32_t count;
} nq_legacy_run;

/* Checks bytes that should be the page of `ref`, its checksum first, and makes them a page as
 * node.h knows it. Fails with NQ_PAGE_CORRUPT naming page and rule. */
nq_status nq_legacy_page_check(nq_ctx *ctx, nq_page *page, nq_page_ref ref);

#endif
