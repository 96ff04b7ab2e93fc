/* Node: searching, changing, splitting and merging within pages, against a sorted list of keys. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "engine/ground/base/rng.h"
#include "engine/storage/page/node.h"

static nq_bytes key_of(char room[64], unsigned number) {
    return nq_bytes_of(room, (size_t)snprintf(room, 64, "shared/prefix/%05u", number));
}

static void init(nq_page *page) {
    nq_page_init(page, (nq_page_id){7}, 3, NQ_PAGE_LEAF);
}

static bool insert(nq_page *page, nq_bytes key, nq_bytes value) {
    bool is_equal;
    uint16_t slot = nq_node_find(page, key, &is_equal);
    assert_false(is_equal);
    return nq_node_insert(page, slot, key, value, false);
}

/* Fills a page with every third number, in random order; returns how many fit. */
static unsigned fill(nq_page *page, nq_rng *rng) {
    unsigned count = 0;
    for (;;) {
        char room[64];
        nq_bytes key = key_of(room, (unsigned)nq_rng_below(rng, 30000) * 3);
        bool is_equal;
        uint16_t slot = nq_node_find(page, key, &is_equal);
        if (is_equal) {
            continue;
        }
        if (!nq_node_insert(page, slot, key, key, false)) {
            return count;
        }
        count++;
        assert_null(nq_page_broken_rule(page));
    }
}

static void keys_are_found_where_they_were_put(void **state) {
    (void)state;
    nq_rng rng = {1};
    nq_page page;
    init(&page);
    unsigned count = fill(&page, &rng);
    assert_true(count > 150);
    assert_int_equal(page.slot_count, count);
    for (uint16_t slot = 0; slot < page.slot_count; slot++) {
        uint8_t key[NQ_NODE_KEY_BYTES_MAX];
        size_t bytes = nq_node_copy_key(&page, slot, key);
        bool is_equal;
        assert_int_equal(nq_node_find(&page, nq_bytes_of(key, bytes), &is_equal), slot);
        assert_true(is_equal);
        key[bytes - 1]++; /* the number after it is never there */
        assert_int_equal(nq_node_find(&page, nq_bytes_of(key, bytes), &is_equal), slot + 1);
        assert_false(is_equal);
        assert_true(nq_node_compare(&page, slot, nq_bytes_of(key, bytes)) < 0);
    }
}

static void keys_without_the_prefix_stand_at_the_ends(void **state) {
    (void)state;
    nq_rng rng = {2};
    nq_page page;
    init(&page);
    fill(&page, &rng);
    assert_true(page.prefix_bytes >= 13);
    bool is_equal;
    assert_int_equal(nq_node_find(&page, NQ_BYTES_LITERAL("a"), &is_equal), 0);
    assert_int_equal(nq_node_find(&page, NQ_BYTES_LITERAL("shared/pre"), &is_equal), 0);
    assert_int_equal(nq_node_find(&page, (nq_bytes){0}, &is_equal), 0);
    assert_int_equal(nq_node_find(&page, NQ_BYTES_LITERAL("shared/q"), &is_equal), page.slot_count);
    assert_int_equal(nq_node_find(&page, NQ_BYTES_LITERAL("z"), &is_equal), page.slot_count);
}

static void a_foreign_key_shortens_the_prefix_if_there_is_room(void **state) {
    (void)state;
    nq_page page;
    init(&page);
    char room[64];
    for (unsigned i = 0; i < 60; i++) {
        assert_true(insert(&page, key_of(room, i), NQ_BYTES_LITERAL("v")));
    }
    assert_true(insert(&page, NQ_BYTES_LITERAL("a"), NQ_BYTES_LITERAL("v")));
    assert_true(insert(&page, NQ_BYTES_LITERAL("z"), NQ_BYTES_LITERAL("v")));
    assert_null(nq_page_broken_rule(&page));
    assert_int_equal(page.prefix_bytes, 0);
    bool is_equal;
    assert_int_equal(nq_node_find(&page, key_of(room, 30), &is_equal), 31);
    assert_true(is_equal);
}

/* Bytes of a small alphabet, so that keys and heads often agree. */
static void fill_with_nonsense(nq_page *page, nq_rng *rng) {
    uint8_t *bytes = (uint8_t *)page;
    for (size_t i = 0; i < sizeof *page; i++) {
        bytes[i] = (uint8_t)nq_rng_below(rng, 2);
    }
    page->slot_count = (uint16_t)nq_rng_below(rng, UINT16_MAX + 1);
    page->prefix_bytes = (uint16_t)(nq_rng_below(rng, 2) * nq_rng_below(rng, UINT16_MAX + 1));
    for (uint32_t i = 0; i < NQ_PAGE_BODY_BYTES / NQ_NODE_SLOT_BYTES; i++) {
        nq_node_slot slot = {.head = 0x01000000u * (uint32_t)nq_rng_below(rng, 2),
                             .cell = (uint16_t)nq_rng_below(rng, UINT16_MAX + 1),
                             .key_bytes = (uint16_t)nq_rng_below(rng, UINT16_MAX + 1)};
        memcpy(page->body + i * sizeof slot, &slot, sizeof slot);
    }
}

static void keys_that_differ_only_behind_their_heads_are_found(void **state) {
    (void)state;
    nq_page page;
    init(&page);
    /* No prefix is shared, all heads but two are one. */
    assert_true(insert(&page, NQ_BYTES_LITERAL("a"), NQ_BYTES_LITERAL("v")));
    assert_true(insert(&page, NQ_BYTES_LITERAL("\xff\xff\xff\xff\xff"), NQ_BYTES_LITERAL("v")));
    char room[64];
    for (unsigned i = 0; i < 100; i++) {
        assert_true(insert(&page, key_of(room, 2 * i), NQ_BYTES_LITERAL("v")));
    }
    assert_int_equal(page.prefix_bytes, 0);
    bool is_equal;
    for (unsigned i = 0; i < 100; i++) {
        assert_int_equal(nq_node_find(&page, key_of(room, 2 * i), &is_equal), i + 1);
        assert_true(is_equal);
        assert_int_equal(nq_node_find(&page, key_of(room, 2 * i + 1), &is_equal), i + 2);
        assert_false(is_equal);
    }
    assert_int_equal(nq_node_find(&page, NQ_BYTES_LITERAL("\xff\xff\xff\xff"), &is_equal), 101);
    assert_false(is_equal);
    assert_int_equal(nq_node_find(&page, NQ_BYTES_LITERAL("\xff\xff\xff\xff\xff"), &is_equal), 101);
    assert_true(is_equal);
    assert_int_equal(nq_node_find(&page, NQ_BYTES_LITERAL("\xff\xff\xff\xff\xff\1"), &is_equal),
                     102);
}

/* On the heap, so that AddressSanitizer sees a step outside. */
static void a_search_stays_inside_the_page_whatever_the_bytes_are(void **state) {
    (void)state;
    nq_rng rng = {6};
    nq_page *page = malloc(sizeof *page);
    uint8_t key[64];
    for (int round = 0; round < 2000; round++) {
        fill_with_nonsense(page, &rng);
        for (size_t i = 0; i < sizeof key; i++) {
            key[i] = (uint8_t)nq_rng_below(&rng, 2);
        }
        nq_bytes sought = nq_bytes_of(key, nq_rng_below(&rng, sizeof key + 1));
        bool is_equal;
        bool is_overflow;
        nq_bytes payload;
        uint16_t slot = nq_node_find(page, sought, &is_equal);
        if (nq_node_read_payload(page, slot, &payload, &is_overflow)) {
            assert_true(payload.data >= (const uint8_t *)page);
            assert_true(payload.data + payload.size <= (const uint8_t *)(page + 1));
        }
        (void)nq_node_read_child(page, nq_node_find_child(page, sought));
    }
    free(page);
}

/* Lists a filled page in small pieces; returns how many entries came. */
static uint32_t list_all(const nq_page *page, bool is_reverse, size_t room_bytes) {
    enum { AT_ONCE = 7 };
    nq_entry entries[AT_ONCE];
    uint8_t *room = malloc(room_bytes);
    uint32_t listed = 0;
    uint16_t count = page->slot_count;
    while (listed < count) {
        nq_node_list list = {
            .entries = entries, .count_max = AT_ONCE, .room = room, .room_bytes = room_bytes};
        uint16_t from = (uint16_t)(is_reverse ? 0 : listed);
        uint16_t to = (uint16_t)(is_reverse ? count - listed : count);
        nq_node_list_run(&list, page, from, to, is_reverse);
        if (list.count == 0) {
            break;
        }
        for (uint32_t i = 0; i < list.count; i++, listed++) {
            uint16_t slot = (uint16_t)(is_reverse ? count - 1 - listed : listed);
            uint8_t key[NQ_NODE_KEY_BYTES_MAX];
            bool is_overflow;
            size_t key_bytes = nq_node_copy_key(page, slot, key);
            assert_true(nq_bytes_equal(entries[i].key, nq_bytes_of(key, key_bytes)));
            assert_true(
                nq_bytes_equal(entries[i].value, nq_node_payload(page, slot, &is_overflow)));
        }
    }
    free(room);
    return listed;
}

static void entries_are_listed_in_either_direction(void **state) {
    (void)state;
    nq_rng rng = {8};
    nq_page *page = malloc(sizeof *page); /* so that AddressSanitizer sees a step outside */
    init(page);
    fill(page, &rng);
    for (size_t room_bytes = 100; room_bytes < 400; room_bytes += 60) {
        assert_int_equal(list_all(page, false, room_bytes), page->slot_count);
        assert_int_equal(list_all(page, true, room_bytes), page->slot_count);
    }
    assert_int_equal(list_all(page, false, 20), 0); /* no room for one */
    init(page);
    static const uint8_t bytes[NQ_NODE_KEY_BYTES_MAX];
    for (size_t key_bytes = 1; key_bytes < 60; key_bytes++) {
        assert_true(insert(page, nq_bytes_of(bytes, key_bytes), nq_bytes_of(bytes, key_bytes % 3)));
    }
    assert_int_equal(list_all(page, false, 4096), page->slot_count);
    free(page);
}

static void a_copy_holds_what_the_page_does(void **state) {
    (void)state;
    nq_rng rng = {3};
    nq_page page;
    nq_page copy;
    nq_page_init(&page, (nq_page_id){7}, 9, NQ_PAGE_LEAF);
    for (uint64_t i = 0; i < 60; i++) {
        uint64_t key = __builtin_bswap64(i * 3);
        uint8_t value[64];
        memset(value, (int)i, sizeof value);
        size_t bytes = (size_t)nq_rng_below(&rng, sizeof value);
        assert_true(nq_node_insert(&page, (uint16_t)i, nq_bytes_of(&key, sizeof key),
                                   nq_bytes_of(value, bytes), false));
        memset(&copy, 0xEE, sizeof copy);
        nq_page_copy(&copy, &page);
        assert_null(nq_page_broken_rule(&copy));
        assert_int_equal(copy.slot_count, page.slot_count);
        for (uint16_t slot = 0; slot < page.slot_count; slot++) {
            bool is_overflow;
            assert_true(nq_bytes_equal(nq_node_suffix(&copy, slot), nq_node_suffix(&page, slot)));
            assert_true(nq_bytes_equal(nq_node_payload(&copy, slot, &is_overflow),
                                       nq_node_payload(&page, slot, &is_overflow)));
        }
    }
    nq_page_init(&page, (nq_page_id){7}, 9, NQ_PAGE_OVERFLOW);
    page.payload_bytes = 1234;
    memset(page.body, 5, page.payload_bytes);
    nq_page_copy(&copy, &page);
    assert_memory_equal(&copy, &page, NQ_PAGE_HEADER_BYTES + 1234);
}

static void listing_stops_before_a_long_value(void **state) {
    (void)state;
    nq_page page;
    init(&page);
    const nq_overflow_ref ref = {100000, {9, 3}};
    assert_true(insert(&page, NQ_BYTES_LITERAL("a"), NQ_BYTES_LITERAL("1")));
    assert_true(
        nq_node_insert(&page, 1, NQ_BYTES_LITERAL("b"), nq_bytes_of(&ref, sizeof ref), true));
    assert_true(insert(&page, NQ_BYTES_LITERAL("c"), NQ_BYTES_LITERAL("3")));
    nq_entry entries[4];
    uint8_t room[200];
    nq_node_list list = {
        .entries = entries, .count_max = 4, .room = room, .room_bytes = sizeof room};
    nq_node_list_run(&list, &page, 0, 3, false);
    assert_int_equal(list.count, 1);
    assert_true(nq_bytes_equal(entries[0].value, NQ_BYTES_LITERAL("1")));
    list.count = 0;
    nq_node_list_run(&list, &page, 0, 3, true);
    assert_int_equal(list.count, 1);
    assert_true(nq_bytes_equal(entries[0].value, NQ_BYTES_LITERAL("3")));
}

static void splitting_makes_room_for_any_entry(void **state) {
    (void)state;
    nq_rng rng = {3};
    for (int round = 0; round < 400; round++) {
        nq_page left;
        nq_page right;
        init(&left);
        nq_page_init(&right, (nq_page_id){8}, 3, NQ_PAGE_LEAF);
        static uint8_t bytes[NQ_NODE_PAYLOAD_BYTES_MAX];
        uint8_t key[NQ_NODE_KEY_BYTES_MAX];
        nq_bytes value;
        bool is_equal;
        uint16_t slot;
        /* Entries of every size, until one does not fit. */
        do {
            size_t key_bytes = 1 + nq_rng_below(&rng, round % 2 == 0 ? 12 : NQ_NODE_KEY_BYTES_MAX);
            for (size_t i = 0; i < key_bytes; i++) {
                key[i] = (uint8_t)('a' + nq_rng_below(&rng, i < 3 ? 2 : 26));
            }
            value = nq_bytes_of(bytes, nq_rng_below(&rng, NQ_NODE_PAYLOAD_BYTES_MAX + 1));
            slot = nq_node_find(&left, nq_bytes_of(key, key_bytes), &is_equal);
            if (!is_equal &&
                !nq_node_insert(&left, slot, nq_bytes_of(key, key_bytes), value, false)) {
                bool is_left;
                uint16_t count = left.slot_count;
                nq_bytes k = nq_bytes_of(key, key_bytes);
                uint16_t at = nq_node_split_point(&left, slot, k, value.size, &is_left);
                nq_node_split(&left, at, &right);
                nq_page *target = is_left ? &left : &right;
                uint16_t place = (uint16_t)(is_left ? slot : slot - at);
                assert_true(nq_node_insert(target, place, k, value, false));
                assert_int_equal(left.slot_count + right.slot_count, count + 1);
                break;
            }
        } while (true);
        assert_null(nq_page_broken_rule(&left));
        assert_null(nq_page_broken_rule(&right));
        assert_true(left.slot_count != 0 && right.slot_count != 0);
        size_t bytes_of_last = nq_node_copy_key(&left, (uint16_t)(left.slot_count - 1), key);
        assert_true(nq_node_compare(&right, 0, nq_bytes_of(key, bytes_of_last)) > 0);
    }
}

static void appending_splits_leave_the_full_page_alone(void **state) {
    (void)state;
    nq_page page;
    init(&page);
    char room[64];
    unsigned i = 0;
    while (insert(&page, key_of(room, i), NQ_BYTES_LITERAL("0123456789"))) {
        i++;
    }
    bool is_left;
    uint16_t at = nq_node_split_point(&page, page.slot_count, key_of(room, i), 10, &is_left);
    assert_int_equal(at, page.slot_count);
    assert_false(is_left);
}

static void merging_undoes_a_split(void **state) {
    (void)state;
    nq_rng rng = {4};
    nq_page page;
    nq_page right;
    init(&page);
    unsigned count = fill(&page, &rng);
    nq_page_init(&right, (nq_page_id){8}, 3, NQ_PAGE_LEAF);
    nq_node_split(&page, (uint16_t)(count / 3), &right);
    assert_true(nq_node_merge(&page, &right, NQ_BYTES_LITERAL("shared/prefix/")));
    assert_int_equal(page.slot_count, count);
    assert_null(nq_page_broken_rule(&page));
    init(&page);
    fill(&page, &rng);
    nq_page other;
    init(&other);
    char room[64];
    for (unsigned i = 90000; insert(&other, key_of(room, i), NQ_BYTES_LITERAL("v")); i++) {
    }
    nq_page before = page;
    assert_false(nq_node_merge(&page, &other, NQ_BYTES_LITERAL("shared/prefix/90000")));
    assert_memory_equal(&before, &page, sizeof page);
}

static void a_payload_is_replaced_or_left_as_it_was(void **state) {
    (void)state;
    nq_rng rng = {5};
    nq_page page;
    init(&page);
    fill(&page, &rng);
    static uint8_t bytes[NQ_NODE_PAYLOAD_BYTES_MAX];
    memset(bytes, 'x', sizeof bytes);
    assert_true(nq_node_set_payload(&page, 5, nq_bytes_of(bytes, 3), false));
    assert_true(nq_node_set_payload(&page, 5, nq_bytes_of(bytes, 9), false));
    nq_page before = page;
    assert_false(nq_node_set_payload(&page, 5, nq_bytes_of(bytes, sizeof bytes), false));
    assert_memory_equal(&before, &page, sizeof page);
    bool is_overflow;
    assert_int_equal(nq_node_payload(&page, 5, &is_overflow).size, 9);
    while (page.slot_count > 5) {
        nq_node_remove(&page, (uint16_t)nq_rng_below(&rng, page.slot_count));
        assert_null(nq_page_broken_rule(&page));
    }
    assert_true(nq_node_set_payload(&page, 2, nq_bytes_of(bytes, sizeof bytes), false));
    assert_null(nq_page_broken_rule(&page));
}

static void separators_are_as_short_as_they_can_be(void **state) {
    (void)state;
    assert_int_equal(nq_node_separator_bytes(NQ_BYTES_LITERAL("apple"), NQ_BYTES_LITERAL("banana")),
                     1);
    assert_int_equal(
        nq_node_separator_bytes(NQ_BYTES_LITERAL("apple"), NQ_BYTES_LITERAL("applepie")), 6);
    assert_int_equal(nq_node_separator_bytes((nq_bytes){0}, NQ_BYTES_LITERAL("x")), 1);
}

static void a_page_is_refused_where_another_is_meant(void **state) {
    (void)state;
    nq_rng rng = {6};
    nq_ctx ctx;
    nq_ctx_init(&ctx, NULL);
    nq_page page;
    init(&page);
    fill(&page, &rng);
    nq_page_ref ref = nq_page_ref_of(&page);
    assert_int_equal(nq_page_check(&ctx, &page, ref), NQ_OK);
    page.magic++;
    assert_int_equal(nq_page_check(&ctx, &page, ref), NQ_PAGE_CORRUPT);
    page.magic--;
    ref.stamp++;
    assert_int_equal(nq_page_check(&ctx, &page, ref), NQ_PAGE_CORRUPT);
    ref = (nq_page_ref){page.id + 1, (uint32_t)page.generation};
    assert_int_equal(nq_page_check(&ctx, &page, ref), NQ_PAGE_CORRUPT);
}

/* A page that lies must not lead outside itself. */
static void a_lying_page_is_refused_or_harmless(void **state) {
    (void)state;
    nq_rng rng = {7};
    nq_page whole;
    init(&whole);
    fill(&whole, &rng);
    unsigned accepted = 0;
    for (int i = 0; i < 20000; i++) {
        nq_page page = whole;
        for (uint64_t n = 1 + nq_rng_below(&rng, 3); n > 0; n--) {
            uint64_t reach = nq_rng_below(&rng, 2) == 0 ? 40 : NQ_PAGE_BYTES;
            uint64_t at = 16 + nq_rng_below(&rng, reach - 16);
            ((uint8_t *)&page)[at] = (uint8_t)nq_rng_next(&rng);
        }
        bool is_node = page.kind == NQ_PAGE_LEAF || page.kind == NQ_PAGE_INTERNAL;
        if (!is_node || nq_page_broken_rule(&page) != NULL) {
            continue;
        }
        accepted++;
        for (uint16_t slot = 0; slot < page.slot_count; slot++) {
            uint8_t key[NQ_NODE_KEY_BYTES_MAX];
            bool is_equal;
            size_t bytes = nq_node_copy_key(&page, slot, key);
            assert_int_equal(nq_node_find(&page, nq_bytes_of(key, bytes), &is_equal), slot);
        }
    }
    assert_true(accepted > 1000); /* changed payloads */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_are_found_where_they_were_put),
        cmocka_unit_test(keys_without_the_prefix_stand_at_the_ends),
        cmocka_unit_test(a_foreign_key_shortens_the_prefix_if_there_is_room),
        cmocka_unit_test(keys_that_differ_only_behind_their_heads_are_found),
        cmocka_unit_test(a_search_stays_inside_the_page_whatever_the_bytes_are),
        cmocka_unit_test(entries_are_listed_in_either_direction),
        cmocka_unit_test(a_copy_holds_what_the_page_does),
        cmocka_unit_test(listing_stops_before_a_long_value),
        cmocka_unit_test(splitting_makes_room_for_any_entry),
        cmocka_unit_test(appending_splits_leave_the_full_page_alone),
        cmocka_unit_test(merging_undoes_a_split),
        cmocka_unit_test(a_payload_is_replaced_or_left_as_it_was),
        cmocka_unit_test(separators_are_as_short_as_they_can_be),
        cmocka_unit_test(a_page_is_refused_where_another_is_meant),
        cmocka_unit_test(a_lying_page_is_refused_or_harmless),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
