/* B+tree: against a sorted array, over many generations, with old versions still readable. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "engine/ground/base/rng.h"
#include "engine/ground/os/sim_vfs.h"
#include "engine/storage/btree/btree.h"
#include "engine/storage/pager/space.h"
#include "tests/engine/storage/pager/pages.h"

enum { KEYS = 3000 };

/* A tree and where its pages come from. Replaced pages are only counted: old versions stay. */
typedef struct fixture {
    nq_ctx ctx;
    nq_sim_vfs *disk;
    nq_pager *pager;
    nq_pool *pool;
    uint32_t next_page;
    uint64_t given;
    nq_page_source source;
    nq_page_sink sink;
    nq_tree tree;
    uint64_t generation;
    bool is_there[KEYS];
    uint8_t tag[KEYS];
} fixture;

static nq_status take(nq_ctx *ctx, void *user, nq_page_id *out_page) {
    (void)ctx;
    fixture *f = user;
    out_page->value = f->next_page++;
    return NQ_OK;
}

static nq_status give(nq_ctx *ctx, void *user, nq_page_id page, uint64_t birth) {
    (void)ctx;
    (void)page;
    fixture *f = user;
    assert_true(birth <= f->generation);
    f->given++;
    return NQ_OK;
}

static nq_status write_page(nq_ctx *ctx, void *user, const nq_page *page) {
    const fixture *f = user;
    return nq_pool_write_past(ctx, f->pool, page);
}

static void set_up(fixture *f) {
    memset(f, 0, sizeof *f);
    nq_ctx_init(&f->ctx, NULL);
    nq_sim_options sim = {.seed = 1};
    assert_int_equal(nq_sim_vfs_create(&f->ctx, &sim, &f->disk), NQ_OK);
    f->pager = pages_make_pager(&f->ctx, f->disk, 7);
    assert_int_equal(
        nq_pool_create(&f->ctx, f->pager, &(nq_pool_options){.cache_bytes = 4 << 20}, &f->pool),
        NQ_OK);
    f->next_page = 4;
    f->source = (nq_page_source){.user = f, .take = take, .give = give};
    f->sink = (nq_page_sink){f, take, write_page};
}

static void tear_down(fixture *f) {
    nq_pool_destroy(f->pool);
    nq_pager_close(f->pager);
    nq_sim_vfs_destroy(f->disk);
}

static nq_bytes key_of(char room[256], uint32_t number) {
    static const char *const forms[] = {"%08u", "a/long/prefix/shared/by/many/%08u"};
    int bytes = snprintf(room, 256, forms[number % 2], number);
    return nq_bytes_of(room, (size_t)bytes);
}

static nq_bytes value_of(uint8_t room[20000], uint32_t number, uint8_t tag) {
    size_t bytes = number % 50 == 0 ? 9000 + number : number % 7 == 0 ? 1500 : number % 60;
    memset(room, tag, bytes);
    return nq_bytes_of(room, bytes);
}

static nq_status visit(nq_ctx *ctx, void *user, nq_page_ref ref) {
    (void)ctx;
    (void)ref;
    ++*(uint64_t *)user;
    return NQ_OK;
}

static void verify(fixture *f) {
    uint64_t page_count = 0;
    nq_status status = nq_btree_verify(&f->ctx, f->pool, &f->tree, visit, &page_count);
    if (status != NQ_OK) {
        fail_msg("%s", f->ctx.error.message);
    }
    assert_int_equal(page_count, f->tree.page_count);
}

/* Every key is found, or absent, as the array says. */
static void compare(fixture *f) {
    static uint8_t expected[20000];
    static uint8_t found[20000];
    uint64_t count = 0;
    for (uint32_t i = 0; i < KEYS; i++) {
        char room[256];
        nq_btree_entry entry;
        assert_int_equal(nq_btree_find(&f->ctx, f->pool, &f->tree, key_of(room, i), &entry), NQ_OK);
        assert_int_equal(entry.pin.page != NULL, f->is_there[i]);
        if (f->is_there[i]) {
            nq_bytes value = value_of(expected, i, f->tag[i]);
            size_t bytes = nq_btree_value_bytes(entry.payload, entry.is_overflow);
            assert_int_equal(bytes, value.size);
            assert_int_equal(
                nq_btree_copy_value(&f->ctx, f->pool, entry.payload, entry.is_overflow, found),
                NQ_OK);
            assert_true(nq_bytes_equal(value, nq_bytes_of(found, bytes)));
            count++;
        }
        nq_btree_entry_release(f->pool, &entry);
    }
    assert_int_equal(f->tree.entry_count, count);
}

static void change(fixture *f, nq_btree_writer *writer, uint32_t number, bool is_put, uint8_t tag) {
    static uint8_t bytes[20000];
    char room[256];
    nq_bytes key = key_of(room, number);
    if (is_put) {
        assert_int_equal(nq_btree_put(&f->ctx, writer, key, value_of(bytes, number, tag)), NQ_OK);
        f->tag[number] = tag;
    } else {
        assert_int_equal(nq_btree_remove(&f->ctx, writer, key), NQ_OK);
    }
    f->is_there[number] = is_put;
}

static void begin(fixture *f, nq_btree_writer *writer) {
    f->generation++;
    nq_btree_writer_init(writer, f->pool, &f->source, f->generation, &f->tree);
}

static void random_changes_over_many_generations(void **state) {
    (void)state;
    static fixture f;
    set_up(&f);
    nq_rng rng = {1};
    for (int round = 0; round < 40; round++) {
        nq_btree_writer writer;
        begin(&f, &writer);
        /* The tree grows, then shrinks again. */
        uint64_t put_percent = round < 20 ? 80 : 25;
        for (int i = 0; i < 400; i++) {
            uint32_t number = (uint32_t)nq_rng_below(&rng, KEYS);
            change(&f, &writer, number, nq_rng_below(&rng, 100) < put_percent, (uint8_t)round);
        }
        nq_btree_writer_deinit(&writer);
        verify(&f);
        if (round % 8 == 7) {
            compare(&f);
        }
    }
    compare(&f);
    tear_down(&f);
}

static void removing_everything_leaves_nothing(void **state) {
    (void)state;
    static fixture f;
    set_up(&f);
    nq_btree_writer writer;
    begin(&f, &writer);
    for (uint32_t i = 0; i < KEYS; i++) {
        change(&f, &writer, i, true, 1);
    }
    nq_btree_writer_deinit(&writer);
    verify(&f);
    assert_true(f.tree.level >= 1);
    begin(&f, &writer);
    for (uint32_t i = 0; i < KEYS; i++) {
        change(&f, &writer, i % 2 == 0 ? i : KEYS - i, false, 0);
    }
    nq_btree_writer_deinit(&writer);
    assert_int_equal(f.tree.page_count, 0);
    assert_int_equal(f.tree.entry_count, 0);
    assert_int_equal(f.tree.root.page, 0);
    assert_int_equal(f.given, f.next_page - 4);
    tear_down(&f);
}

static void dropping_gives_every_page_back(void **state) {
    (void)state;
    static fixture f;
    for (int has_long_values = 0; has_long_values < 2; has_long_values++) {
        set_up(&f);
        nq_btree_writer writer;
        begin(&f, &writer);
        for (uint32_t i = 0; i < KEYS; i++) {
            if (has_long_values || i % 50 != 0) {
                change(&f, &writer, i, true, 1);
            }
        }
        nq_btree_writer_deinit(&writer);
        assert_int_equal(f.tree.overflow_page_count != 0, has_long_values);
        assert_int_equal(nq_btree_drop(&f.ctx, f.pool, &f.source, &f.tree), NQ_OK);
        assert_int_equal(f.given, f.next_page - 4);
        tear_down(&f);
    }
}

static void an_old_version_stays_as_it_was(void **state) {
    (void)state;
    static fixture f;
    set_up(&f);
    nq_btree_writer writer;
    begin(&f, &writer);
    for (uint32_t i = 0; i < KEYS; i += 2) {
        change(&f, &writer, i, true, 1);
    }
    nq_btree_writer_deinit(&writer);
    static fixture old;
    old = f;
    for (int round = 0; round < 5; round++) {
        begin(&f, &writer);
        for (uint32_t i = (uint32_t)round; i < KEYS; i += 3) {
            change(&f, &writer, i, i % 4 != 0, 2);
        }
        nq_btree_writer_deinit(&writer);
    }
    compare(&old);
    compare(&f);
    bool is_equal;
    assert_int_equal(nq_btree_range_is_equal(&f.ctx, f.pool, &old.tree, &f.tree, (nq_bytes){0},
                                             (nq_bytes){0}, &is_equal),
                     NQ_OK);
    assert_false(is_equal);
    tear_down(&f);
}

static void ranges_differ_only_where_something_changed(void **state) {
    (void)state;
    static fixture f;
    set_up(&f);
    nq_btree_writer writer;
    begin(&f, &writer);
    for (uint32_t i = 0; i < KEYS; i++) {
        change(&f, &writer, i, true, 1);
    }
    nq_btree_writer_deinit(&writer);
    nq_tree before = f.tree;
    begin(&f, &writer);
    change(&f, &writer, 1000, true, 2);
    nq_btree_writer_deinit(&writer);
    static const struct {
        uint32_t low, high;
        bool is_equal;
    } ranges[] = {{0, 1000, true},
                  {0, 1002, false},
                  {1002, 2998, true},
                  {1000, 1002, false},
                  {998, 1000, true}};
    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++) {
        char low[256];
        char high[256];
        bool is_equal;
        assert_int_equal(nq_btree_range_is_equal(&f.ctx, f.pool, &before, &f.tree,
                                                 key_of(low, ranges[i].low),
                                                 key_of(high, ranges[i].high), &is_equal),
                         NQ_OK);
        assert_int_equal(is_equal, ranges[i].is_equal);
    }
    tear_down(&f);
}

static void loads_in_order_fill_their_pages(void **state) {
    (void)state;
    static fixture f;
    set_up(&f);
    nq_btree_writer writer;
    begin(&f, &writer);
    enum { ROWS = 20000 };
    for (uint32_t i = 0; i < ROWS; i++) {
        char room[16];
        nq_bytes key = nq_bytes_of(room, (size_t)snprintf(room, 16, "%08u", i));
        assert_int_equal(nq_btree_put(&f.ctx, &writer, key, key), NQ_OK);
    }
    nq_btree_writer_deinit(&writer);
    verify(&f);
    /* 8 bytes of value, at most 8 of key, 10 of overhead. */
    assert_true(f.tree.page_count * NQ_PAGE_BYTES < (uint64_t)ROWS * 26 * 105 / 100);
    tear_down(&f);
}

static uint64_t hints_of_a_walk(fixture *f, uint32_t steps, bool is_forward) {
    nq_pager_stats before;
    nq_pager_stats after;
    nq_pager_get_stats(f->pager, &before);
    nq_btree_cursor cursor;
    nq_btree_cursor_init(&cursor, f->pool, &f->tree);
    assert_int_equal(is_forward ? nq_btree_cursor_seek(&f->ctx, &cursor, (nq_bytes){0})
                                : nq_btree_cursor_seek_before(&f->ctx, &cursor, (nq_bytes){0}),
                     NQ_OK);
    for (uint32_t i = 0; i < steps; i++) {
        assert_int_equal(is_forward ? nq_btree_cursor_next(&f->ctx, &cursor)
                                    : nq_btree_cursor_previous(&f->ctx, &cursor),
                         NQ_OK);
    }
    nq_btree_cursor_deinit(&cursor);
    nq_pager_get_stats(f->pager, &after);
    return after.images_hinted - before.images_hinted;
}

enum { WIDE_ROWS = 20000, WIDE_VALUE_BYTES = 400 };

static nq_bytes wide_key(uint32_t i, char room[16]) {
    return nq_bytes_of(room, (size_t)snprintf(room, 16, "%08u", i));
}

/* A tree of which the budget holds half: its values do not compress. */
static void fill_wide(fixture *f) {
    nq_btree_writer writer;
    begin(f, &writer);
    static uint8_t value[WIDE_VALUE_BYTES];
    nq_rng rng = {1};
    for (uint32_t i = 0; i < WIDE_ROWS; i++) {
        char room[16];
        for (int j = 0; j < WIDE_VALUE_BYTES; j++) {
            value[j] = (uint8_t)nq_rng_next(&rng);
        }
        assert_int_equal(
            nq_btree_put(&f->ctx, &writer, wide_key(i, room), nq_bytes_of(value, WIDE_VALUE_BYTES)),
            NQ_OK);
    }
    nq_btree_writer_deinit(&writer);
}

static void a_walk_asks_for_leaves_before_it_comes_to_them(void **state) {
    (void)state;
    static fixture f;
    set_up(&f);
    fill_wide(&f);
    assert_int_equal(hints_of_a_walk(&f, 5, true), 0);
    assert_int_equal(hints_of_a_walk(&f, 5, false), 0);
    uint64_t hints = hints_of_a_walk(&f, WIDE_ROWS - 10, false);
    assert_true(hints > f.tree.page_count / 4 && hints <= f.tree.page_count);
    tear_down(&f);
}

static void leaves_that_were_warmed_are_there_when_they_are_wanted(void **state) {
    (void)state;
    enum { KEYS_WARMED = 4, APART = 2000 }; /* no more than a probation of few frames takes */
    static fixture f;
    static nq_btree_warmer warmer;
    set_up(&f);
    nq_btree_warmer_init(&warmer, f.pool, &f.tree);
    nq_btree_warm(&f.ctx, &warmer, NQ_BYTES_LITERAL("of an empty tree"));
    nq_btree_warmer_finish(&f.ctx, &warmer);
    fill_wide(&f);
    nq_pool_stats before;
    nq_pool_stats warm;
    nq_pool_stats after;
    nq_pool_get_stats(f.pool, &before);
    nq_btree_warmer_init(&warmer, f.pool, &f.tree);
    for (uint32_t i = 0; i < KEYS_WARMED; i++) {
        char room[16];
        nq_btree_warm(&f.ctx, &warmer, wide_key(i * APART, room));
        nq_btree_warm(&f.ctx, &warmer, wide_key(i * APART, room)); /* is of the same leaf */
    }
    nq_btree_warmer_finish(&f.ctx, &warmer);
    nq_pool_get_stats(f.pool, &warm);
    assert_true(warm.pages_read - before.pages_read >= KEYS_WARMED / 2);
    assert_true(warm.pages_read - before.pages_read <= KEYS_WARMED + 2 * f.tree.level);
    for (uint32_t i = 0; i < KEYS_WARMED; i++) {
        char room[16];
        nq_btree_entry entry;
        assert_int_equal(nq_btree_find(&f.ctx, f.pool, &f.tree, wide_key(i * APART, room), &entry),
                         NQ_OK);
        assert_int_equal(entry.payload.size, WIDE_VALUE_BYTES);
        nq_pool_unpin(f.pool, &entry.pin);
    }
    nq_pool_get_stats(f.pool, &after);
    assert_int_equal(after.pages_read, warm.pages_read);
    tear_down(&f);
}

/* The number whose key is the ith in order: those of one form stand before those of the other. */
static uint32_t number_in_order(uint32_t i) {
    return i < KEYS / 2 ? i * 2 : (i - KEYS / 2) * 2 + 1;
}

static void a_built_tree_holds_what_it_was_given(void **state) {
    (void)state;
    static fixture f;
    static uint8_t bytes[20000];
    static const uint32_t counts[] = {0, 1, 2, 60, 777, KEYS};
    for (size_t c = 0; c < sizeof counts / sizeof counts[0]; c++) {
        set_up(&f);
        f.generation = 5;
        nq_btree_builder *builder;
        assert_int_equal(nq_btree_builder_create(&f.ctx, &f.sink, 5, &builder), NQ_OK);
        for (uint32_t i = 0; i < counts[c]; i++) {
            uint32_t number = number_in_order(i);
            char room[256];
            assert_int_equal(nq_btree_builder_add(&f.ctx, builder, key_of(room, number),
                                                  value_of(bytes, number, 9)),
                             NQ_OK);
            f.is_there[number] = true;
            f.tag[number] = 9;
        }
        assert_int_equal(nq_btree_builder_finish(&f.ctx, builder, &f.tree), NQ_OK);
        nq_btree_builder_destroy(builder);
        verify(&f);
        compare(&f);
        /* And it is a tree like any other. */
        nq_btree_writer writer;
        begin(&f, &writer);
        for (uint32_t i = 0; i < KEYS; i += 3) {
            change(&f, &writer, i, i % 2 == 0, 3);
        }
        nq_btree_writer_deinit(&writer);
        verify(&f);
        compare(&f);
        tear_down(&f);
    }
}

static void a_built_tree_fills_its_pages_but_for_a_twentieth(void **state) {
    (void)state;
    static fixture f;
    set_up(&f);
    nq_btree_builder *builder;
    assert_int_equal(nq_btree_builder_create(&f.ctx, &f.sink, 1, &builder), NQ_OK);
    enum { ROWS = 20000, VALUE_BYTES = 100 };
    static uint8_t value[VALUE_BYTES];
    for (uint32_t i = 0; i < ROWS; i++) {
        char room[32];
        nq_bytes key = nq_bytes_of(room, (size_t)snprintf(room, 32, "%016u", i));
        assert_int_equal(
            nq_btree_builder_add(&f.ctx, builder, key, nq_bytes_of(value, sizeof value)), NQ_OK);
    }
    assert_int_equal(nq_btree_builder_finish(&f.ctx, builder, &f.tree), NQ_OK);
    nq_btree_builder_destroy(builder);
    verify(&f);
    /* A row takes its value, 10 bytes of overhead and what its key does not share. */
    double fill = (double)ROWS * (VALUE_BYTES + 10 + 3) /
                  (double)((f.tree.page_count - 1) * NQ_PAGE_BODY_BYTES);
    assert_true(fill > 0.93 && fill < 0.97);
    tear_down(&f);
}

static void a_builder_refuses_keys_out_of_order(void **state) {
    (void)state;
    static fixture f;
    set_up(&f);
    nq_btree_builder *builder;
    assert_int_equal(nq_btree_builder_create(&f.ctx, &f.sink, 1, &builder), NQ_OK);
    nq_bytes value = NQ_BYTES_LITERAL("v");
    assert_int_equal(nq_btree_builder_add(&f.ctx, builder, NQ_BYTES_LITERAL("b"), value), NQ_OK);
    assert_int_equal(nq_btree_builder_add(&f.ctx, builder, NQ_BYTES_LITERAL("b"), value),
                     NQ_UNIQUE_VIOLATION);
    assert_int_equal(nq_btree_builder_add(&f.ctx, builder, NQ_BYTES_LITERAL("a"), value),
                     NQ_INVALID_ARGUMENT);
    assert_int_equal(nq_btree_builder_add(&f.ctx, builder, NQ_BYTES_LITERAL(""), value),
                     NQ_INVALID_ARGUMENT);
    nq_btree_builder_destroy(builder);
    tear_down(&f);
}

/* Ascending keys: some of those in the tree and some between, all twice. */
enum { LISTED = 2 * KEYS };

static nq_bytes listed_key(const void *user, uint32_t index) {
    static char room[256];
    (void)user;
    uint32_t number = index / 2;
    int bytes = snprintf(room, sizeof room, "%08u%s", number, number % 5 == 0 ? "+" : "");
    return nq_bytes_of(room, (size_t)bytes);
}

static void the_leaves_of_keys_are_listed_where_the_keys_are_found(void **state) {
    (void)state;
    static nq_btree_leaf leaves[LISTED];
    fixture f;
    nq_btree_writer writer;
    set_up(&f);
    nq_btree_keys keys = {.at = listed_key, .count = LISTED};
    uint32_t count;
    assert_int_equal(nq_btree_list_leaves(&f.ctx, f.pool, &f.tree, &keys, leaves, &count), NQ_OK);
    assert_int_equal(count, 0); /* the tree is empty */
    begin(&f, &writer);
    for (uint32_t i = 0; i < KEYS; i++) {
        change(&f, &writer, i, true, 1);
    }
    nq_btree_writer_deinit(&writer);
    assert_true(f.tree.level >= 1);
    assert_int_equal(nq_btree_list_leaves(&f.ctx, f.pool, &f.tree, &keys, leaves, &count), NQ_OK);
    assert_int_equal(leaves[0].first_key, 0);
    for (uint32_t key = 0, leaf = 0; key < LISTED; key++) {
        bool is_first = leaf + 1 < count && leaves[leaf + 1].first_key == key;
        leaf += is_first ? 1 : 0;
        assert_false(is_first && leaves[leaf].ref.page == leaves[leaf - 1].ref.page);
        nq_btree_entry entry;
        nq_bytes bytes = listed_key(NULL, key);
        assert_int_equal(nq_btree_find(&f.ctx, f.pool, &f.tree, bytes, &entry), NQ_OK);
        if (entry.pin.page != NULL) {
            assert_int_equal(entry.pin.page->id, leaves[leaf].ref.page);
        }
        nq_btree_entry_release(f.pool, &entry);
    }
    verify(&f);
    tear_down(&f);
}

static void a_cursor_walks_both_ways(void **state) {
    (void)state;
    static fixture f;
    set_up(&f);
    nq_btree_writer writer;
    begin(&f, &writer);
    for (uint32_t i = 0; i < KEYS; i += 2) {
        change(&f, &writer, i, true, 1);
    }
    nq_btree_writer_deinit(&writer);
    nq_btree_cursor cursor;
    nq_btree_cursor_init(&cursor, f.pool, &f.tree);
    assert_int_equal(nq_btree_cursor_seek(&f.ctx, &cursor, NQ_BYTES_LITERAL("00000777")), NQ_OK);
    char room[256];
    assert_true(nq_bytes_equal(nq_btree_cursor_key(&cursor), key_of(room, 778)));
    assert_int_equal(nq_btree_cursor_previous(&f.ctx, &cursor), NQ_OK);
    assert_true(nq_bytes_equal(nq_btree_cursor_key(&cursor), key_of(room, 776)));
    nq_btree_cursor_park(&cursor);
    assert_int_equal(nq_btree_cursor_next(&f.ctx, &cursor), NQ_OK);
    assert_true(nq_bytes_equal(nq_btree_cursor_key(&cursor), key_of(room, 778)));
    uint32_t steps = 0;
    while (cursor.is_at_entry) {
        assert_int_equal(nq_btree_cursor_previous(&f.ctx, &cursor), NQ_OK);
        steps++;
    }
    assert_int_equal(steps, 778 / 2 + 1);
    nq_btree_cursor_deinit(&cursor);
    tear_down(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_changes_over_many_generations),
        cmocka_unit_test(removing_everything_leaves_nothing),
        cmocka_unit_test(dropping_gives_every_page_back),
        cmocka_unit_test(an_old_version_stays_as_it_was),
        cmocka_unit_test(ranges_differ_only_where_something_changed),
        cmocka_unit_test(loads_in_order_fill_their_pages),
        cmocka_unit_test(a_walk_asks_for_leaves_before_it_comes_to_them),
        cmocka_unit_test(leaves_that_were_warmed_are_there_when_they_are_wanted),
        cmocka_unit_test(a_built_tree_holds_what_it_was_given),
        cmocka_unit_test(a_built_tree_fills_its_pages_but_for_a_twentieth),
        cmocka_unit_test(a_builder_refuses_keys_out_of_order),
        cmocka_unit_test(the_leaves_of_keys_are_listed_where_the_keys_are_found),
        cmocka_unit_test(a_cursor_walks_both_ways),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
