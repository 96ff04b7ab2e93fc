/* Segments: which of them hold what is needed, and which may be written. */
#include "engine/ground/base/assert.h"
#include "engine/ground/base/heap.h"
#include "engine/storage/page/bug.h"
#include "engine/storage/pager/pager_internal.h"

nq_status nq__segments_reserve(nq_ctx *ctx, nq_pager *pager, uint32_t count) {
    nq__segment_table *table = &pager->segments;
    if (count <= table->room) {
        return NQ_OK;
    }
    uint32_t room = table->room * 2 > count ? table->room * 2 : count;
    nq__segment *items = nq_heap_realloc(table->items, room * sizeof *items);
    if (items == NULL) {
        return nq_fail_no_memory(ctx, "the table of segments");
    }
    memset(items + table->room, 0, (room - table->room) * sizeof *items);
    table->items = items;
    table->room = room;
    return NQ_OK;
}

static bool is_unused(const nq__segment *s) {
    bool is_led_to = s->led_bytes != 0 && !NQ_HAS_BUG(LED_SEGMENT_REUSED);
    return !s->is_buffered && s->live_bytes == 0 && !is_led_to && s->pins == 0; /* D1 */
}

/* It may have become free. */
static void notice_change(nq_pager *pager, uint32_t segment) {
    nq__segment_table *table = &pager->segments;
    nq__segment *s = &table->items[segment];
    if (s->is_free || s->is_hole || !is_unused(s)) {
        return;
    }
    s->is_free = true;
    s->is_damaged = false;
    s->has_losses = false;
    table->free_count++;
    table->lowest_free = segment < table->lowest_free ? segment : table->lowest_free;
}

void nq__segments_set_count(nq_pager *pager, uint32_t count) {
    nq__segment_table *table = &pager->segments;
    for (uint32_t segment = count; segment < table->count; segment++) {
        const nq__segment *s = &table->items[segment];
        NQ_ASSERT(s->is_free || s->is_hole);
        table->free_count -= s->is_free;
        table->hole_count -= s->is_hole;
        table->items[segment] = (nq__segment){0};
    }
    uint32_t before = table->count;
    table->count = count;
    for (uint32_t segment = before; segment < count; segment++) {
        notice_change(pager, segment);
    }
}

uint32_t nq__segments_take(nq_pager *pager) {
    nq__segment_table *table = &pager->segments;
    while (!table->items[table->lowest_free].is_free) {
        table->lowest_free++;
        NQ_ASSERT(table->lowest_free < table->count);
    }
    nq__segment *s = &table->items[table->lowest_free];
    NQ_ASSERT(is_unused(s)); /* D1 */
    s->is_free = false;
    table->free_count--;
    return table->lowest_free++;
}

void nq__segments_add(nq_pager *pager, nq_place place) {
    if (!nq_place_is_none(place)) {
        nq__segment *s = &pager->segments.items[place.segment];
        NQ_ASSERT(!s->is_free);
        s->live_bytes += nq_place_aligned_bytes(place);
    }
}

static void subtract(nq_pager *pager, nq_place place) {
    nq__segment *s = &pager->segments.items[place.segment];
    NQ_ASSERT(s->live_bytes >= nq_place_aligned_bytes(place));
    s->live_bytes -= nq_place_aligned_bytes(place);
}

void nq__segments_drop(nq_pager *pager, nq_place place) {
    if (!nq_place_is_none(place)) {
        subtract(pager, place);
        notice_change(pager, place.segment);
    }
}

void nq__segments_lead_away(nq_pager *pager, nq_place place) {
    if (!nq_place_is_none(place)) {
        subtract(pager, place);
        pager->segments.items[place.segment].led_bytes += nq_place_aligned_bytes(place);
        if (NQ_HAS_BUG(LED_SEGMENT_REUSED)) {
            notice_change(pager, place.segment);
        }
    }
}

void nq__segments_release(nq_pager *pager) {
    for (uint32_t segment = 1; segment < pager->segments.count; segment++) {
        nq__segment *s = &pager->segments.items[segment];
        if (s->led_bytes != 0) {
            s->led_bytes = 0;
            notice_change(pager, segment);
        }
    }
}

void nq__segments_settle(nq_pager *pager) {
    for (uint32_t segment = 1; segment < pager->segments.count; segment++) {
        nq__segment *s = &pager->segments.items[segment];
        s->is_hole = is_unused(s);
        pager->segments.hole_count += s->is_hole;
    }
}

uint32_t nq__segments_give_up(nq_pager *pager) {
    nq__segment_table *table = &pager->segments;
    uint32_t segment = table->count - 1;
    while (!table->items[segment].is_free) {
        segment--;
        NQ_ASSERT(segment != 0);
    }
    table->items[segment].is_free = false;
    table->items[segment].is_hole = true;
    table->free_count--;
    table->hole_count++;
    return segment;
}

uint32_t nq__segments_find_hole(const nq_pager *pager, uint32_t segment) {
    const nq__segment_table *table = &pager->segments;
    while (segment < table->count && !table->items[segment].is_hole) {
        segment++;
    }
    return segment;
}

void nq__segments_fill(nq_pager *pager, uint32_t hole) {
    NQ_ASSERT(pager->segments.items[hole].is_hole);
    pager->segments.items[hole].is_hole = false;
    pager->segments.hole_count--;
    notice_change(pager, hole);
}

void nq__segment_written(nq_pager *pager, uint32_t segment) {
    pager->segments.items[segment].is_buffered = false;
    notice_change(pager, segment);
}

void nq__segment_pin(nq_pager *pager, uint32_t segment) {
    NQ_ASSERT(!pager->segments.items[segment].is_free);
    pager->segments.items[segment].pins++;
}

void nq__segment_unpin(nq_pager *pager, uint32_t segment) {
    pager->segments.items[segment].pins--;
    notice_change(pager, segment);
}
