/* Aggregates against sums done by hand, on random groups with nulls. */
#include <math.h>

#include "tests/engine/query/support/sql.h"

enum { ROW_COUNT = 5000, GROUP_COUNT = 23 };

typedef struct row {
    int group; /* -1: null */
    bool is_null;
    int whole;
    double real;
} row;

static row rows[ROW_COUNT];

static void fill(sql_fixture *f) {
    enum { ROWS_PER_STATEMENT = 500 };
    nq_rng rng = {11};
    sql_run(f, "CREATE TABLE t (id INT PRIMARY KEY, g INT, n INT, x DOUBLE PRECISION, s TEXT)");
    for (int first = 0; first < ROW_COUNT; first += ROWS_PER_STATEMENT) {
        char *sql = nq_arena_alloc(&f->results, 1 << 16);
        char *end = sql + sprintf(sql, "INSERT INTO t VALUES ");
        for (int i = first; i < first + ROWS_PER_STATEMENT; i++) {
            rows[i] = (row){.group = (int)nq_rng_below(&rng, GROUP_COUNT + 1) - 1,
                            .is_null = nq_rng_below(&rng, 5) == 0,
                            .whole = (int)nq_rng_below(&rng, 2000) - 1000,
                            .real = (double)nq_rng_below(&rng, 1000000) / 997};
            char group[16] = "NULL";
            if (rows[i].group >= 0) {
                (void)snprintf(group, sizeof group, "%d", rows[i].group);
            }
            end += sprintf(end, "%s(%d, %s, ", i > first ? ", " : "", i, group);
            end += rows[i].is_null ? sprintf(end, "NULL, NULL, NULL)")
                                   : sprintf(end, "%d, %.17g, 's%d')", rows[i].whole, rows[i].real,
                                             rows[i].whole);
        }
        sql_run(f, sql);
    }
}

typedef struct sums {
    int rows, values;
    long long whole;
    double real;
    int least, greatest;
} sums;

static sums sum_up(int group) {
    sums s = {0};
    for (int i = 0; i < ROW_COUNT; i++) {
        if (rows[i].group != group) {
            continue;
        }
        s.rows++;
        if (rows[i].is_null) {
            continue;
        }
        s.least = s.values == 0 || rows[i].whole < s.least ? rows[i].whole : s.least;
        s.greatest = s.values == 0 || rows[i].whole > s.greatest ? rows[i].whole : s.greatest;
        s.values++;
        s.whole += rows[i].whole;
        s.real += rows[i].real; /* in row order, so the very same double */
    }
    return s;
}

static void groups_add_up(void **state) {
    sql_fixture *f = *state;
    fill(f);
    for (int group = -1; group < GROUP_COUNT; group++) {
        sums s = sum_up(group);
        char condition[32] = "g IS NULL";
        if (group >= 0) {
            (void)snprintf(condition, sizeof condition, "g = %d", group);
        }
        nq_bytes real;
        nq_bytes mean;
        assert_int_equal(nq_value_print(&f->ctx, &f->results, NQ_VALUE_FLOAT64(s.real), &real),
                         NQ_OK);
        assert_int_equal(nq_value_print(&f->ctx, &f->results,
                                        NQ_VALUE_FLOAT64((double)s.whole / s.values), &mean),
                         NQ_OK);
        const char *expected =
            sql_format(f, "%d|%d|%lld|%.*s|%d|%d|%.*s", s.rows, s.values, s.whole,
                       NQ_BYTES_FORMAT(real), s.least, s.greatest, NQ_BYTES_FORMAT(mean));
        const char *calls = "count(*), count(n), sum(n), sum(x), min(n), max(n), avg(n)";
        sql_expect(f, sql_format(f, "SELECT %s FROM t WHERE %s", calls, condition), expected);
        sql_expect(f, sql_format(f, "SELECT %s FROM t GROUP BY g HAVING %s", calls, condition),
                   expected);
    }
}

static void groups_come_out_in_order_of_appearance(void **state) {
    sql_fixture *f = *state;
    sql_expect(f, "SELECT x FROM (VALUES (3), (1), (3), (NULL), (2), (1)) v (x) GROUP BY x",
               "3\n1\nNULL\n2");
}

static void nothing_sums_to_null_and_counts_to_zero(void **state) {
    sql_fixture *f = *state;
    const char *calls = "count(*), count(n), sum(n), avg(x), min(s), max(s), stddev(x), "
                        "bool_and(n > 0), string_agg(s, ',')";
    sql_expect(f, sql_format(f, "SELECT %s FROM t WHERE id < 0", calls),
               "0|0|NULL|NULL|NULL|NULL|NULL|NULL|NULL");
    sql_expect(f, sql_format(f, "SELECT %s FROM t WHERE id < 0 GROUP BY g", calls), "");
    sql_expect(f, "SELECT count(*), sum(x) FROM (VALUES (NULL::int)) v (x)", "1|NULL");
}

static void distinct_counts_each_value_once(void **state) {
    sql_fixture *f = *state;
    sql_expect(f,
               "SELECT count(DISTINCT x), sum(DISTINCT x), count(x), avg(DISTINCT x) "
               "FROM (VALUES (1), (2), (2), (NULL), (3), (1)) v (x)",
               "3|6|5|2");
    sql_expect(f,
               "SELECT g, count(DISTINCT x) FROM (VALUES ('a', 1), ('b', 1), ('a', 1), ('a', 2)) "
               "v (g, x) GROUP BY g ORDER BY g",
               "a|2\nb|1");
    sql_expect(f, "SELECT count(DISTINCT g) FROM t", "23");
}

static void filters_choose_the_rows_of_one_call(void **state) {
    sql_fixture *f = *state;
    sql_expect(f,
               "SELECT count(*), count(*) FILTER (WHERE x > 1), sum(x) FILTER (WHERE x < 3), "
               "count(DISTINCT y) FILTER (WHERE x > 1) "
               "FROM (VALUES (1, 1), (2, 1), (3, 1), (NULL, 2)) v (x, y)",
               "4|2|3|1");
    /* The argument is not evaluated where the filter is not true. */
    sql_expect(f, "SELECT sum(6 / x) FILTER (WHERE x <> 0) FROM (VALUES (0), (2), (3)) v (x)", "5");
}

static void sums_of_integers_overflow_only_at_the_end(void **state) {
    sql_fixture *f = *state;
    sql_expect(f, "SELECT sum(x) FROM (VALUES (9223372036854775807), (1), (-10)) v (x)",
               "9223372036854775798");
    sql_expect_error(f, "SELECT sum(x) FROM (VALUES (9223372036854775807), (1)) v (x)", "22003");
    sql_expect(f, "SELECT avg(x) FROM (VALUES (9223372036854775807), (1)) v (x)",
               "4.611686018427388e+18");
    sql_expect_error(f, "SELECT sum(x) FROM (VALUES (1e308), (1e308)) v (x)", "22003");
}

static void spread_is_measured_stably(void **state) {
    sql_fixture *f = *state;
    sql_expect(f,
               "SELECT var_pop(x), var_samp(x), stddev_pop(x), stddev_samp(x) "
               "FROM (VALUES (2), (4), (4), (4), (5), (5), (7), (9)) v (x)",
               "4|4.571428571428571|2|2.138089935299395");
    sql_expect(f, "SELECT var_pop(x), var_samp(x) FROM (VALUES (5)) v (x)", "0|NULL");
    /* The textbook formula loses every digit here. */
    sql_expect(f, "SELECT var_samp(1e9 + x) FROM (VALUES (4), (7), (13), (16)) v (x)", "30");
}

static void extremes_and_joined_texts(void **state) {
    sql_fixture *f = *state;
    sql_expect(f,
               "SELECT min(s), max(s), string_agg(s, '-'), bool_and(b), bool_or(b) "
               "FROM (VALUES ('b', TRUE), (NULL, NULL), ('abc', FALSE), ('', TRUE)) v (s, b)",
               "|b|b-abc-|false|true");
    sql_expect(f,
               "SELECT max(d), min(d) FROM (VALUES (DATE '2024-01-02'), (DATE '1999-12-31')) v (d)",
               "2024-01-02|1999-12-31");
    sql_expect(f, "SELECT max(x) FROM (VALUES (1.5), ('NaN'::double precision)) v (x)", "NaN");
    sql_expect(f, "SELECT length(string_agg('ab', '')) FROM generate_series(1, 5000) g", "10000");
}

static void many_groups_grow_the_table(void **state) {
    sql_fixture *f = *state;
    sql_expect(
        f,
        "SELECT count(*), sum(n), min(n), max(n) FROM "
        "(SELECT g % 20011 AS k, count(*) AS n FROM generate_series(1, 60033) g GROUP BY 1) x",
        "20011|60033|3|3");
    sql_expect(
        f, "SELECT count(*) FROM (SELECT DISTINCT g % 20011 FROM generate_series(1, 60033) g) x",
        "20011");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(groups_add_up),
        cmocka_unit_test(groups_come_out_in_order_of_appearance),
        cmocka_unit_test(nothing_sums_to_null_and_counts_to_zero),
        cmocka_unit_test(distinct_counts_each_value_once),
        cmocka_unit_test(filters_choose_the_rows_of_one_call),
        cmocka_unit_test(sums_of_integers_overflow_only_at_the_end),
        cmocka_unit_test(spread_is_measured_stably),
        cmocka_unit_test(extremes_and_joined_texts),
        cmocka_unit_test(many_groups_grow_the_table),
    };
    return cmocka_run_group_tests(tests, sql_setup, sql_teardown);
}
