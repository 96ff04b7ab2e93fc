/* Order against a plain stable sort, for every direction, place of nulls, LIMIT and OFFSET. */
#include "tests/engine/query/support/sql.h"

enum { ROW_COUNT = 4000 };

typedef struct row {
    int id;
    bool a_is_null;
    int a; /* few values: many ties */
    bool b_is_null;
    char b[12];
} row;

static row rows[ROW_COUNT];

static void fill(sql_fixture *f) {
    enum { ROWS_PER_STATEMENT = 500 };
    nq_rng rng = {5};
    sql_run(f, "CREATE TABLE t (id INT PRIMARY KEY, a INT, b TEXT)");
    for (int first = 0; first < ROW_COUNT; first += ROWS_PER_STATEMENT) {
        char *sql = nq_arena_alloc(&f->results, 1 << 16);
        char *end = sql + sprintf(sql, "INSERT INTO t VALUES ");
        for (int i = first; i < first + ROWS_PER_STATEMENT; i++) {
            row *r = &rows[i];
            *r = (row){.id = i,
                       .a_is_null = nq_rng_below(&rng, 6) == 0,
                       .a = (int)nq_rng_below(&rng, 30) - 15,
                       .b_is_null = nq_rng_below(&rng, 6) == 0};
            /* A shared prefix longer than the sort's 8-byte image. */
            (void)snprintf(r->b, sizeof r->b, "prefix-%03d", (int)nq_rng_below(&rng, 200));
            end += sprintf(end, "%s(%d, ", i > first ? ", " : "", i);
            end += r->a_is_null ? sprintf(end, "NULL, ") : sprintf(end, "%d, ", r->a);
            end += r->b_is_null ? sprintf(end, "NULL)") : sprintf(end, "'%s')", r->b);
        }
        sql_run(f, sql);
    }
}

typedef struct direction {
    const char *sql;
    bool is_descending, nulls_first;
} direction;

static const direction directions[] = {
    {"ASC", false, false},
    {"DESC", true, true},
    {"ASC NULLS FIRST", false, true},
    {"DESC NULLS LAST", true, false},
};

static direction of_a, of_b;

static int compare_part(bool left_is_null, bool right_is_null, int order, direction d) {
    if (left_is_null || right_is_null) {
        if (left_is_null == right_is_null) {
            return 0;
        }
        return left_is_null == d.nulls_first ? -1 : 1;
    }
    return d.is_descending ? -order : order;
}

static int compare_rows(const void *left, const void *right) {
    const row *l = left;
    const row *r = right;
    int order = compare_part(l->a_is_null, r->a_is_null, (l->a > r->a) - (l->a < r->a), of_a);
    if (order == 0) {
        order = compare_part(l->b_is_null, r->b_is_null, strcmp(l->b, r->b), of_b);
    }
    return order != 0 ? order : (l->id > r->id) - (l->id < r->id);
}

static const char *ids(sql_fixture *f, const row *sorted, int offset, int limit) {
    char *text = nq_arena_alloc(&f->results, (size_t)ROW_COUNT * 8);
    char *end = text;
    *text = '\0';
    for (int i = offset; i < ROW_COUNT && i < offset + limit; i++) {
        end += sprintf(end, "%s%d", end > text ? "\n" : "", sorted[i].id);
    }
    return text;
}

static void rows_come_in_the_order_asked_for(void **state) {
    sql_fixture *f = *state;
    static row sorted[ROW_COUNT];
    fill(f);
    for (size_t a = 0; a < 4; a++) {
        for (size_t b = 0; b < 4; b++) {
            of_a = directions[a];
            of_b = directions[b];
            memcpy(sorted, rows, sizeof rows);
            qsort(sorted, ROW_COUNT, sizeof sorted[0], compare_rows);
            const char *base =
                sql_format(f, "SELECT id FROM t ORDER BY a %s, b %s", of_a.sql, of_b.sql);
            sql_expect(f, base, ids(f, sorted, 0, ROW_COUNT));
            static const int limits[][2] = {{0, 1},    {0, 10},    {5, 10},    {0, 700},
                                            {0, 1024}, {1000, 40}, {3990, 50}, {0, 0}};
            for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
                sql_expect(f,
                           sql_format(f, "%s LIMIT %d OFFSET %d", base, limits[i][1], limits[i][0]),
                           ids(f, sorted, limits[i][0], limits[i][1]));
            }
        }
    }
}

static void every_type_has_its_order(void **state) {
    sql_fixture *f = *state;
    sql_expect(f,
               "SELECT x FROM (VALUES (1.5), ('NaN'::double precision), (-1), (NULL), (0), "
               "('-Infinity'::double precision), ('Infinity'::double precision)) v (x) ORDER BY x",
               "-Infinity\n-1\n0\n1.5\nInfinity\nNaN\nNULL");
    sql_expect(f, "SELECT x FROM (VALUES ('b'), (''), ('aa'), ('a'), ('ä')) v (x) ORDER BY x",
               "\na\naa\nb\nä");
    sql_expect(f, "SELECT x FROM (VALUES (TRUE), (NULL), (FALSE)) v (x) ORDER BY x DESC NULLS LAST",
               "true\nfalse\nNULL");
    sql_expect(f,
               "SELECT x FROM (VALUES (9223372036854775807), (-9223372036854775807), (0), "
               "(9223372036854775806)) v (x) ORDER BY x DESC",
               "9223372036854775807\n9223372036854775806\n0\n-9223372036854775807");
    sql_expect(f,
               "SELECT x FROM (VALUES ('prefix-12'), ('prefix-1'), ('prefix-02')) v (x) ORDER BY x",
               "prefix-02\nprefix-1\nprefix-12");
}

static void sorted_and_reversed_input_is_no_worst_case(void **state) {
    sql_fixture *f = *state;
    sql_expect(
        f, "SELECT g FROM (SELECT g FROM generate_series(1, 200000) g ORDER BY g DESC) x LIMIT 2",
        "200000\n199999");
    sql_expect(f,
               "SELECT k FROM (SELECT g / 100000 AS k FROM generate_series(1, 200000) g "
               "ORDER BY 1 DESC) x LIMIT 2",
               "2\n1");
}

static void limits_must_make_sense(void **state) {
    sql_fixture *f = *state;
    sql_expect_error(f, "SELECT id FROM t ORDER BY a LIMIT -1", "2201W");
    sql_expect_error(f, "SELECT id FROM t LIMIT 1 OFFSET -1", "2201W");
    sql_expect(f, "SELECT g FROM generate_series(1, 5) g LIMIT NULL OFFSET 3", "4\n5");
    sql_expect(f, "SELECT g FROM generate_series(1, 5000) g LIMIT 2 OFFSET 4997", "4998\n4999");
    sql_expect(f, "SELECT g FROM generate_series(1, 5) g ORDER BY g LIMIT NULL OFFSET 3", "4\n5");
}

static void series_end_where_they_should(void **state) {
    sql_fixture *f = *state;
    sql_expect(f, "SELECT g FROM generate_series(1, 6, 2) g", "1\n3\n5");
    sql_expect(f, "SELECT g FROM generate_series(3, 1, -1) g", "3\n2\n1");
    sql_expect(f, "SELECT count(*) FROM generate_series(3, 1) g", "0");
    sql_expect(f, "SELECT count(*) FROM generate_series(NULL, 1) g", "0");
    sql_expect_error(f, "SELECT 1 FROM generate_series(1, 2, 0) g", "22023");
    sql_expect(f, "SELECT g FROM generate_series(9223372036854775806, 9223372036854775807) g",
               "9223372036854775806\n9223372036854775807");
    sql_expect(f,
               "SELECT count(*) FROM "
               "generate_series(-9223372036854775807, 9223372036854775807, 4611686018427387904) g",
               "4");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_come_in_the_order_asked_for),
        cmocka_unit_test(every_type_has_its_order),
        cmocka_unit_test(sorted_and_reversed_input_is_no_worst_case),
        cmocka_unit_test(limits_must_make_sense),
        cmocka_unit_test(series_end_where_they_should),
    };
    return cmocka_run_group_tests(tests, sql_setup, sql_teardown);
}
