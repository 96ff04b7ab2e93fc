/* Joins against the definition: every pair, tried one by one in the test. Equal keys are joined by
 * hashing, other conditions by the nested loop, primary keys by looking them up. */
#include "tests/engine/query/support/sql.h"

enum { LEFT_ROWS = 137, RIGHT_ROWS = 91, KEY_RANGE = 40, LINES_MAX = 20000 };

typedef struct row {
    bool is_null; /* the key */
    int key;
    int id;
} row;

typedef struct tables {
    row left[LEFT_ROWS];
    row right[RIGHT_ROWS];
} tables;

static void fill(sql_fixture *f, nq_rng *rng, const char *name, row *rows, int count) {
    sql_run(f, sql_format(f, "CREATE TABLE %s (id INT PRIMARY KEY, k INT)", name));
    for (int i = 0; i < count; i++) {
        rows[i] = (row){.is_null = nq_rng_below(rng, 8) == 0,
                        .key = (int)nq_rng_below(rng, KEY_RANGE),
                        .id = i};
        char key[16] = "NULL";
        if (!rows[i].is_null) {
            (void)snprintf(key, sizeof key, "%d", rows[i].key);
        }
        sql_run(f, sql_format(f, "INSERT INTO %s VALUES (%d, %s)", name, i, key));
    }
}

static tables *set_up_tables(sql_fixture *f) {
    static tables t;
    static bool is_filled = false;
    nq_rng rng = {7};
    if (!is_filled) {
        fill(f, &rng, "l", t.left, LEFT_ROWS);
        fill(f, &rng, "r", t.right, RIGHT_ROWS);
        is_filled = true;
    }
    return &t;
}

static int compare_lines(const void *left, const void *right) {
    return strcmp(*(char *const *)left, *(char *const *)right);
}

static char *sorted(sql_fixture *f, const char *text) {
    static char *lines[LINES_MAX];
    size_t size = strlen(text);
    char *copy = sql_format(f, "%s", text);
    char *out = sql_format(f, "%s ", text);
    size_t count = 0;
    for (char *line = strtok(copy, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        lines[count++] = line;
    }
    qsort(lines, count, sizeof lines[0], compare_lines);
    out[0] = '\0';
    char *end = out;
    for (size_t i = 0; i < count; i++) {
        end += sprintf(end, "%s%s", i > 0 ? "\n" : "", lines[i]);
    }
    assert_true((size_t)(end - out) <= size);
    return out;
}

/* The pairs for which keys are `equal` (or left's is less) and, with `has_rest`, the ids differ in
 * parity; then what an outer join adds. */
static char *expected_pairs(sql_fixture *f, const tables *t, bool equal, bool has_rest,
                            bool keeps_left, bool keeps_right) {
    char *text = nq_arena_alloc(&f->results, 1 << 20);
    char *end = text;
    bool right_matched[RIGHT_ROWS] = {false};
    *text = '\0';
    for (int i = 0; i < LEFT_ROWS; i++) {
        bool is_matched = false;
        for (int j = 0; j < RIGHT_ROWS; j++) {
            const row *l = &t->left[i];
            const row *r = &t->right[j];
            bool holds = !l->is_null && !r->is_null && (equal ? l->key == r->key : l->key < r->key);
            if (holds && (!has_rest || (l->id + r->id) % 2 == 1)) {
                end += sprintf(end, "%d|%d\n", l->id, r->id);
                is_matched = true;
                right_matched[j] = true;
            }
        }
        if (!is_matched && keeps_left) {
            end += sprintf(end, "%d|NULL\n", t->left[i].id);
        }
    }
    for (int j = 0; j < RIGHT_ROWS && keeps_right; j++) {
        if (!right_matched[j]) {
            end += sprintf(end, "NULL|%d\n", t->right[j].id);
        }
    }
    return sorted(f, text);
}

static void joins_return_the_pairs_that_satisfy_on(void **state) {
    sql_fixture *f = *state;
    const tables *t = set_up_tables(f);
    static const struct {
        const char *name;
        bool keeps_left, keeps_right;
    } kinds[] = {{"JOIN", false, false},
                 {"LEFT JOIN", true, false},
                 {"RIGHT JOIN", false, true},
                 {"FULL JOIN", true, true}};
    for (size_t k = 0; k < 4; k++) {
        for (int variant = 0; variant < 4; variant++) {
            bool equal = variant < 2;
            bool has_rest = variant % 2 == 1;
            const char *sql =
                sql_format(f, "SELECT l.id, r.id FROM l %s r ON l.k %s r.k%s", kinds[k].name,
                           equal ? "=" : "<", has_rest ? " AND (l.id + r.id) % 2 = 1" : "");
            char *expected =
                expected_pairs(f, t, equal, has_rest, kinds[k].keeps_left, kinds[k].keeps_right);
            char *found = sorted(f, sql_result(f, sql));
            if (strcmp(found, expected) != 0) {
                fail_msg("%s differs from the definition", sql);
            }
        }
    }
}

static void a_left_join_keeps_the_order_of_its_left_rows(void **state) {
    sql_fixture *f = *state;
    (void)set_up_tables(f);
    const char *plain = sql_result(f, "SELECT id FROM l");
    sql_expect(f, "SELECT l.id FROM l LEFT JOIN r ON r.id = l.id + 1000", plain);
    sql_expect(f, "SELECT l.id FROM l LEFT JOIN r ON r.k = l.k + 1000", plain);
    sql_expect(f, "SELECT l.id FROM l LEFT JOIN r ON r.k > l.k + 1000", plain);
}

static void a_primary_key_is_looked_up(void **state) {
    sql_fixture *f = *state;
    (void)set_up_tables(f);
    sql_expect(f, "SELECT count(*), sum(r.id) FROM l JOIN r ON r.id = l.id", "91|4095");
    sql_expect(f, "SELECT count(*), count(r.id) FROM l LEFT JOIN r ON r.id = l.id", "137|91");
    sql_expect(f, "SELECT count(*), count(r.id) FROM l LEFT JOIN r ON r.id = l.id AND r.id < 10",
               "137|10");
}

/* `wanted` tells which left rows the query must return. */
static void check_left_rows(sql_fixture *f, const char *sql, bool (*wanted)(const row *l)) {
    const tables *t = set_up_tables(f);
    char *text = nq_arena_alloc(&f->results, 1 << 16);
    char *end = text;
    *text = '\0';
    for (int i = 0; i < LEFT_ROWS; i++) {
        if (wanted(&t->left[i])) {
            end += sprintf(end, "%s%d", end > text ? "\n" : "", t->left[i].id);
        }
    }
    sql_expect(f, sql, text);
}

static bool right_has(int key, bool below_twenty_only) {
    const tables *t = set_up_tables(NULL);
    for (int j = 0; j < RIGHT_ROWS; j++) {
        const row *r = &t->right[j];
        if (!r->is_null && r->key == key && (!below_twenty_only || r->id < 20)) {
            return true;
        }
    }
    return false;
}

static bool is_in(const row *l) {
    return !l->is_null && right_has(l->key, false);
}

static bool is_not_in_the_first_without_nulls(const row *l) {
    return !l->is_null && !right_has(l->key, true);
}

static bool never(const row *l) {
    (void)l;
    return false;
}

static bool always(const row *l) {
    (void)l;
    return true;
}

static void in_and_not_in_follow_three_valued_logic(void **state) {
    sql_fixture *f = *state;
    check_left_rows(f, "SELECT id FROM l WHERE k IN (SELECT k FROM r)", is_in);
    /* A null on the right makes NOT IN unknown for every row. */
    check_left_rows(f, "SELECT id FROM l WHERE k NOT IN (SELECT k FROM r)", never);
    check_left_rows(f,
                    "SELECT id FROM l WHERE k NOT IN "
                    "(SELECT k FROM r WHERE k IS NOT NULL AND id < 20)",
                    is_not_in_the_first_without_nulls);
    /* Nothing on the right: NOT IN is true even of a null. */
    check_left_rows(f, "SELECT id FROM l WHERE k NOT IN (SELECT k FROM r WHERE id < 0)", always);
}

static void cross_joins_of_nothing_are_nothing(void **state) {
    sql_fixture *f = *state;
    (void)set_up_tables(f);
    sql_expect(f, "SELECT count(*) FROM l, r", "12467");
    sql_expect(f, "SELECT count(*) FROM l, (SELECT * FROM r WHERE id < 0) x", "0");
    sql_expect(f, "SELECT count(*) FROM (SELECT * FROM l WHERE id < 0) x CROSS JOIN r", "0");
    sql_expect(f, "SELECT count(*) FROM l a, l b, r WHERE a.id = b.id AND b.id = r.id", "91");
}

static void conditions_raise_errors_for_pairs_only(void **state) {
    sql_fixture *f = *state;
    /* Left rows without a partner are no pairs. */
    sql_expect(
        f,
        "SELECT a.x, b.y FROM (VALUES (1), (2)) a (x) LEFT JOIN (SELECT 0 AS y WHERE FALSE) b "
        "ON a.x / coalesce(b.y, 0) = 1",
        "1|NULL\n2|NULL");
    sql_expect_error(f, "SELECT 1 FROM (VALUES (1)) a (x) JOIN (VALUES (0)) b (y) ON a.x / b.y = 1",
                     "22012");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(joins_return_the_pairs_that_satisfy_on),
        cmocka_unit_test(a_left_join_keeps_the_order_of_its_left_rows),
        cmocka_unit_test(a_primary_key_is_looked_up),
        cmocka_unit_test(in_and_not_in_follow_three_valued_logic),
        cmocka_unit_test(cross_joins_of_nothing_are_nothing),
        cmocka_unit_test(conditions_raise_errors_for_pairs_only),
    };
    return cmocka_run_group_tests(tests, sql_setup, sql_teardown);
}
