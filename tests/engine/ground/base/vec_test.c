/* A vec grows on the heap and on an arena, and survives a lack of memory. */
#include "engine/ground/base/vec.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

typedef struct point {
    int x;
    int y;
} point;

NQ_VEC(point_vec, point)

static void fill_and_check(point_vec *points) {
    for (int i = 0; i < 10000; i++) {
        assert_true(point_vec_push(points, (point){i, -i}));
    }
    assert_int_equal(points->count, 10000);
    for (int i = 0; i < 10000; i++) {
        assert_int_equal(points->items[i].x, i);
        assert_int_equal(points->items[i].y, -i);
    }
    point_vec_deinit(points);
    assert_int_equal(points->count, 0);
}

static void what_was_pushed_stays_in_order_on_heap_and_arena(void **state) {
    (void)state;
    point_vec on_heap = {0};
    fill_and_check(&on_heap);
    nq_arena arena;
    nq_arena_init(&arena, 1 << 20);
    point_vec on_arena = {.arena = &arena};
    fill_and_check(&on_arena);
    nq_arena_deinit(&arena);
}

static void a_lack_of_memory_changes_nothing(void **state) {
    (void)state;
    point_vec points = {0};
    assert_true(point_vec_reserve(&points, 3));
    size_t room = points.room;
    while (points.count < room) {
        assert_true(point_vec_push(&points, (point){1, 2}));
    }
    nq_heap_fail_at(1, true);
    assert_false(point_vec_push(&points, (point){3, 4}));
    (void)nq_heap_fail_never();
    assert_int_equal(points.count, room);
    assert_int_equal(points.items[room - 1].x, 1);
    assert_false(point_vec_reserve(&points, SIZE_MAX / 2));
    assert_true(point_vec_push(&points, (point){3, 4}));
    assert_int_equal(points.items[room].x, 3);
    point_vec_deinit(&points);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_pushed_stays_in_order_on_heap_and_arena),
        cmocka_unit_test(a_lack_of_memory_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
