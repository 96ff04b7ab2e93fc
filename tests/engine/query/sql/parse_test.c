/* Parse: what the grammar takes and how it understands it, read off the canonical text. */
#include "tests/engine/query/sql/fixture.h"

typedef struct sample {
    const char *sql;
    const char *canonical; /* NULL: the same */
} sample;

static void assert_all_parse(const sample *samples, size_t count) {
    for (size_t i = 0; i < count; i++) {
        assert_parses(samples[i].sql, samples[i].canonical);
    }
}

#define ASSERT_ALL(samples) assert_all_parse(samples, sizeof(samples) / sizeof((samples)[0]))

static void literals_keep_their_values(void **state) {
    (void)state;
    static const sample samples[] = {
        {"select 1, -1, +1, 0x1F, 007", "SELECT 1, -1, +(1), 31, 7"},
        {"SELECT 9223372036854775807, -9223372036854775808", NULL},
        {"SELECT 1.5, .5, 1., 1e5, 1.25E-3, -0.0", "SELECT 1.5, 0.5, 1.0, 100000.0, 0.00125, -0.0"},
        {"SELECT 'it''s', '', 'C:\\dir', 'two\nlines'", NULL},
        {"SELECT E'a\\tb\\n\\'\\\\\\u00e4\\x41\\101'", "SELECT 'a\tb\n''\\\303\244AA'"},
        {"SELECT $$a'b$$, $tag$x $$ y$tag$, $$$$", "SELECT 'a''b', 'x $$ y', ''"},
        {"SELECT X'0aFF', x''", "SELECT X'0aff', X''"},
        {"SELECT TRUE, false, NULL", "SELECT TRUE, FALSE, NULL"},
        {"SELECT DATE '2024-02-29', timestamp without time zone '2024-01-01 00:00'",
         "SELECT CAST('2024-02-29' AS date), CAST('2024-01-01 00:00' AS timestamp)"},
        {"SELECT double precision '1.5', uuid 'x'",
         "SELECT CAST('1.5' AS double precision), CAST('x' AS uuid)"},
    };
    ASSERT_ALL(samples);
}

static void names_fold_unless_quoted(void **state) {
    (void)state;
    static const sample samples[] = {
        {"SELECT Foo, \"Foo\", \"foo\", \"a\"\"b\", \"order\" FROM \"Select\"",
         "SELECT foo, \"Foo\", foo, \"a\"\"b\", \"order\" FROM \"Select\""},
        {"SELECT stra\303\237e, x$1, _a FROM t", NULL},
        {"SELECT T.A FROM T", "SELECT t.a FROM t"},
    };
    ASSERT_ALL(samples);
}

static void operators_bind_as_in_postgresql(void **state) {
    (void)state;
    static const sample samples[] = {
        {"SELECT 1 + 2 * 3 ^ 4 ^ 5", NULL},
        {"SELECT (1 + 2) * 3, (2 ^ 3) ^ 4, 2 ^ (3 ^ 4)",
         "SELECT (1 + 2) * 3, 2 ^ 3 ^ 4, 2 ^ (3 ^ 4)"},
        {"SELECT 1 - (2 - 3), (1 - 2) - 3", "SELECT 1 - (2 - 3), 1 - 2 - 3"},
        {"SELECT -a ^ 2, -(a ^ 2), - -a, -(-5), - 5, -(5)",
         "SELECT -a ^ 2, -(a ^ 2), -(-a), -(-5), -5, -(5)"},
        {"SELECT -1::text, (-1)::text", "SELECT -CAST(1 AS text), CAST(-1 AS text)"},
        {"SELECT a OR b AND NOT c = d", NULL},
        {"SELECT (a OR b) AND c, a OR (b OR c), (a AND b) AND c", NULL},
        {"SELECT NOT a IS NULL, (NOT a) IS NULL", NULL},
        {"SELECT a < b NOT LIKE c", NULL},
        {"SELECT a + b LIKE c || d", NULL},
        {"SELECT x BETWEEN 1 AND 2 AND y BETWEEN 3 AND 4 + 5", NULL},
        {"SELECT x NOT BETWEEN 1 AND 2 OR y", NULL},
        {"SELECT a || b || c, a & b | c # d << 1 >> 2, ~a + b",
         "SELECT a || b || c, a & b | c # d << 1 >> 2, ~(a + b)"},
        {"SELECT a IS DISTINCT FROM b AND a IS NOT DISTINCT FROM b", NULL},
        {"SELECT a = b IS TRUE, a <> b IS NOT FALSE, a IS UNKNOWN, a ISNULL, a NOTNULL",
         "SELECT a = b IS TRUE, a <> b IS NOT FALSE, a IS UNKNOWN, a IS NULL, a IS NOT NULL"},
        {"SELECT a != b", "SELECT a <> b"},
        {"SELECT a%b*c/d", "SELECT a % b * c / d"},
        {"SELECT 5--comment\n+1", "SELECT 5 + 1"},
    };
    ASSERT_ALL(samples);
}

static void expressions_have_all_their_forms(void **state) {
    (void)state;
    static const sample samples[] = {
        {"SELECT CASE WHEN a THEN 1 END, CASE a WHEN 1 THEN 'x' WHEN 2 THEN 'y' ELSE 'z' END",
         NULL},
        {"SELECT a IN (1, 2), a NOT IN (1), a IN (SELECT 1), a NOT IN ((SELECT 1))",
         "SELECT a IN (1, 2), a NOT IN (1), a IN (SELECT 1), a NOT IN (SELECT 1)"},
        {"SELECT a LIKE 'x%', a NOT LIKE 'x!%' ESCAPE '!', a ILIKE 'X', a NOT ILIKE 'y'", NULL},
        {"SELECT CAST(a AS int), a::varchar(5), a::char, a::character varying(7)::text",
         "SELECT CAST(a AS integer), CAST(a AS varchar(5)), CAST(a AS char(1)), "
         "CAST(CAST(a AS varchar(7)) AS text)"},
        {"SELECT count(*), count(ALL a), sum(DISTINCT b) FILTER (WHERE b > 1), f()",
         "SELECT count(*), count(a), sum(DISTINCT b) FILTER (WHERE b > 1), f()"},
        {"SELECT EXISTS (SELECT 1), (SELECT 1), ((SELECT 1)) + 1",
         "SELECT EXISTS (SELECT 1), (SELECT 1), (SELECT 1) + 1"},
        {"SELECT extract(YEAR FROM a), EXTRACT('dow' FROM b)",
         "SELECT EXTRACT('year' FROM a), EXTRACT('dow' FROM b)"},
        {"SELECT substring(a FROM 2), substring(a FROM 2 FOR 3), substring(a, 1)",
         "SELECT substring(a, 2), substring(a, 2, 3), substring(a, 1)"},
        {"SELECT trim(a), trim(both 'x' from a), trim(leading from a), trim(trailing 'y' from a), "
         "trim('z' from a), trim(a, 'q')",
         "SELECT btrim(a), btrim(a, 'x'), ltrim(a), rtrim(a, 'y'), btrim(a, 'z'), btrim(a, 'q')"},
        {"SELECT left(a, 1), right(a, 2), current_date, CURRENT_TIMESTAMP, localtime",
         "SELECT left(a, 1), right(a, 2), current_date, current_timestamp, localtime"},
        {"SELECT coalesce(a, b), nullif(a, 1), greatest(1, 2)", NULL},
        {"SELECT $1, $3 + $1, a = :name AND b = :Other FROM t WHERE FALSE", NULL},
    };
    for (size_t i = 0; i + 1 < sizeof(samples) / sizeof(samples[0]); i++) {
        assert_parses(samples[i].sql, samples[i].canonical);
    }
    assert_refused(samples[11].sql, NQ_SQL_SYNTAX, 1, 25, "not both");
}

static void queries_have_all_their_clauses(void **state) {
    (void)state;
    static const sample samples[] = {
        {"SELECT DISTINCT a x, b AS y, t.*, * FROM t",
         "SELECT DISTINCT a AS x, b AS y, t.*, * FROM t"},
        {"SELECT ALL a FROM t u, v AS w WHERE a = b GROUP BY a, 2 HAVING count(*) > 1",
         "SELECT a FROM t AS u, v AS w WHERE a = b GROUP BY a, 2 HAVING count(*) > 1"},
        {"SELECT a FROM t ORDER BY a ASC, b DESC, c NULLS FIRST, d DESC NULLS LAST LIMIT 5 OFFSET "
         "2",
         "SELECT a FROM t ORDER BY a, b DESC, c NULLS FIRST, d DESC NULLS LAST LIMIT 5 OFFSET 2"},
        {"SELECT a FROM t OFFSET 2 ROWS FETCH FIRST 3 ROWS ONLY",
         "SELECT a FROM t LIMIT 3 OFFSET 2"},
        {"SELECT a FROM t FETCH NEXT ROW ONLY", "SELECT a FROM t LIMIT 1"},
        {"SELECT a FROM t LIMIT ALL", "SELECT a FROM t LIMIT NULL"},
        {"SELECT * FROM a JOIN b ON a.x = b.x LEFT OUTER JOIN c USING (x, y) CROSS JOIN d",
         "SELECT * FROM a JOIN b ON a.x = b.x LEFT JOIN c USING (x, y) CROSS JOIN d"},
        {"SELECT * FROM a INNER JOIN (b RIGHT JOIN c ON b.x = c.x) ON a.x = b.x",
         "SELECT * FROM a JOIN (b RIGHT JOIN c ON b.x = c.x) ON a.x = b.x"},
        {"SELECT * FROM a NATURAL JOIN b NATURAL FULL JOIN c", NULL},
        {"SELECT * FROM (SELECT 1) AS s (x), (VALUES (1, 2), (3, 4)) AS v (a, b)", NULL},
        {"SELECT * FROM generate_series(1, 10, 2) AS g (n)", NULL},
        {"VALUES (1, 'a'), (2, 'b') ORDER BY 1 LIMIT 1", NULL},
        {"SELECT 1 UNION ALL SELECT 2 UNION DISTINCT SELECT 3",
         "(SELECT 1 UNION ALL SELECT 2) UNION SELECT 3"},
        {"SELECT 1 UNION SELECT 2 INTERSECT SELECT 3 EXCEPT ALL SELECT 4",
         "(SELECT 1 UNION (SELECT 2 INTERSECT SELECT 3)) EXCEPT ALL SELECT 4"},
        {"(SELECT 1 LIMIT 1) UNION (SELECT 2 ORDER BY 1) ORDER BY 1 LIMIT 2", NULL},
        {"(SELECT a FROM t LIMIT 5) ORDER BY a", NULL},
        {"((SELECT 1))", "SELECT 1"},
        {"WITH a AS (SELECT 1), b (x) AS (SELECT 2) SELECT * FROM a, b", NULL},
        {"SELECT 1;", "SELECT 1"},
        {"/* a /* nested */ comment */ SELECT 1 -- and another", "SELECT 1"},
    };
    ASSERT_ALL(samples);
}

static void writes_have_all_their_clauses(void **state) {
    (void)state;
    static const sample samples[] = {
        {"INSERT INTO t VALUES (1, DEFAULT), (2, 'x')", NULL},
        {"INSERT INTO t (a, b) SELECT a, b FROM u RETURNING *", NULL},
        {"INSERT INTO t DEFAULT VALUES", NULL},
        {"INSERT INTO t (SELECT 1)", "INSERT INTO t SELECT 1"},
        {"INSERT INTO t AS x (a) VALUES (1) ON CONFLICT (a) DO UPDATE SET b = excluded.b, c = "
         "DEFAULT "
         "WHERE x.d > 1 RETURNING a AS z",
         NULL},
        {"INSERT INTO t VALUES (1) ON CONFLICT DO NOTHING", NULL},
        {"UPDATE t SET a = a - 1, b = DEFAULT WHERE c RETURNING a, b", NULL},
        {"UPDATE t x SET a = 1", "UPDATE t AS x SET a = 1"},
        {"DELETE FROM t AS x WHERE x.a = 1 RETURNING *", NULL},
        {"DELETE FROM t", NULL},
        {"TRUNCATE a, b RESTART IDENTITY CASCADE", "TRUNCATE TABLE a, b RESTART IDENTITY"},
        {"truncate table a continue identity", "TRUNCATE TABLE a"},
    };
    ASSERT_ALL(samples);
}

static void definitions_have_all_their_clauses(void **state) {
    (void)state;
    static const sample samples[] = {
        {"CREATE TABLE t (a INT PRIMARY KEY, b VARCHAR(10) NOT NULL DEFAULT 'x' || 'y', c REAL "
         "NULL)",
         "CREATE TABLE t (a integer PRIMARY KEY, b varchar(10) NOT NULL DEFAULT 'x' || 'y', c real "
         "NULL)"},
        {"CREATE TABLE IF NOT EXISTS t (a serial, b bigserial, c smallserial)", NULL},
        {"CREATE TABLE t (a INT AUTO_INCREMENT PRIMARY KEY, b INT GENERATED ALWAYS AS IDENTITY)",
         "CREATE TABLE t (a integer GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, "
         "b integer GENERATED ALWAYS AS IDENTITY)"},
        {"CREATE TABLE t (a int CHECK (a > 0), b int, PRIMARY KEY (a, b), CONSTRAINT c CHECK (a < "
         "b))",
         "CREATE TABLE t (a integer, b integer, PRIMARY KEY (a, b), CHECK (a > 0), "
         "CONSTRAINT c CHECK (a < b))"},
        {"CREATE TABLE t (a int CONSTRAINT k PRIMARY KEY)",
         "CREATE TABLE t (a integer CONSTRAINT k PRIMARY KEY)"},
        {"CREATE TABLE t (a float(24), b float(25), c float, d timestamp(6), e char(3), f bytea)",
         "CREATE TABLE t (a real, b double precision, c double precision, d timestamp, e char(3), "
         "f bytea)"},
        {"DROP TABLE a, b", NULL},
        {"DROP TABLE IF EXISTS a RESTRICT", "DROP TABLE IF EXISTS a"},
    };
    ASSERT_ALL(samples);
}

static void transactions_have_all_their_words(void **state) {
    (void)state;
    static const sample samples[] = {
        {"BEGIN", NULL},
        {"BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY",
         "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"},
        {"START TRANSACTION READ WRITE ISOLATION LEVEL SERIALIZABLE",
         "BEGIN ISOLATION LEVEL SERIALIZABLE"},
        {"BEGIN ISOLATION LEVEL READ UNCOMMITTED", "BEGIN ISOLATION LEVEL READ COMMITTED"},
        {"COMMIT WORK", "COMMIT"},
        {"END", "COMMIT"},
        {"ROLLBACK TRANSACTION", "ROLLBACK"},
        {"ABORT", "ROLLBACK"},
        {"SAVEPOINT Here", "SAVEPOINT here"},
        {"ROLLBACK TO SAVEPOINT a", "ROLLBACK TO a"},
        {"RELEASE SAVEPOINT a", "RELEASE a"},
        {"EXPLAIN SELECT 1", NULL},
        {"EXPLAIN ANALYZE DELETE FROM t", NULL},
    };
    ASSERT_ALL(samples);
}

static void parameters_are_listed_once_each(void **state) {
    (void)state;
    fixture f;
    fixture_init(&f);
    nq_ast_statement *statement =
        must_parse(&f, NQ_BYTES_LITERAL("SELECT :b, :a, :b FROM t WHERE x = :C"));
    assert_int_equal(statement->parameter_count, 3);
    assert_bytes(statement->parameters[0].name, "b");
    assert_bytes(statement->parameters[1].name, "a");
    assert_bytes(statement->parameters[2].name, "c");
    assert_int_equal(statement->parameters[0].offset, 7);
    statement = must_parse(&f, NQ_BYTES_LITERAL("SELECT $2, $5, $2"));
    assert_int_equal(statement->parameter_count, 5);
    assert_int_equal(statement->parameters[1].position, 2);
    assert_int_equal(statement->parameters[1].offset, 7);
    assert_int_equal(statement->parameters[0].offset, UINT32_MAX);
    fixture_deinit(&f);
}

/* The word list is the grammar's own: a FREE word must be a name, a RESERVED one must not. */
static void every_word_is_a_name_or_is_not_as_its_class_says(void **state) {
    (void)state;
    enum { RESERVED, FREE, FOREIGN, FOREIGN_RESERVED };
    static const struct {
        const char *word;
        int class;
    } words[] = {
#define NQ_KEYWORD(word, class) {#word, class},
#include "engine/query/sql/keywords.def"
#undef NQ_KEYWORD
    };
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        fixture f;
        fixture_init(&f);
        char sql[200];
        nq_ast_statement *statement;
        bool is_name = words[i].class == FREE || words[i].class == FOREIGN;
        bool is_values = strcmp(words[i].word, "VALUES") == 0;
        snprintf(sql, sizeof(sql), "SELECT t.%s AS %s FROM %s AS %s WHERE x.%s = 1", words[i].word,
                 words[i].word, words[i].word, words[i].word, words[i].word);
        nq_status status = nq_parse(&f.ctx, &f.arena, nq_bytes_of_cstr(sql), &statement);
        if ((status == NQ_OK) != is_name) {
            fail_msg("%s: %s", sql, f.ctx.error.message);
        }
        if (is_name && !is_values) {
            snprintf(sql, sizeof(sql), "UPDATE t SET %s = %s + 1 WHERE (%s) > 1", words[i].word,
                     words[i].word, words[i].word);
            (void)must_print(&f, must_parse(&f, nq_bytes_of_cstr(sql)));
            snprintf(sql, sizeof(sql), "CREATE TABLE IF NOT EXISTS %s (a int, %s int)",
                     words[i].word, words[i].word);
            (void)must_parse(&f, nq_bytes_of_cstr(sql));
        }
        fixture_deinit(&f);
    }
}

static void a_thousand_conditions_are_one_shallow_node(void **state) {
    (void)state;
    fixture f;
    fixture_init(&f);
    static char sql[64 << 10];
    size_t size = (size_t)snprintf(sql, sizeof(sql), "SELECT a = 0");
    for (int i = 1; i < 3000; i++) {
        size += (size_t)snprintf(sql + size, sizeof(sql) - size, " OR a = %d", i);
    }
    nq_ast_statement *statement = must_parse(&f, nq_bytes_of(sql, size));
    const nq_ast_expr *expr = statement->query->items.first->expr;
    assert_int_equal(expr->kind, NQ_AST_OR);
    assert_int_equal(expr->operands.count, 3000);
    assert_int_equal(expr->height, 3);
    fixture_deinit(&f);
}

static void stored_expressions_parse_alone(void **state) {
    (void)state;
    fixture f;
    fixture_init(&f);
    nq_ast_expr *expr;
    nq_bytes text;
    assert_int_equal(nq_parse_expression(&f.ctx, &f.arena, NQ_BYTES_LITERAL("a > 1 AND b"), &expr),
                     NQ_OK);
    assert_int_equal(nq_ast_print_expr(&f.ctx, &f.arena, expr, &text), NQ_OK);
    assert_bytes(text, "a > 1 AND b");
    assert_int_equal(nq_parse_expression(&f.ctx, &f.arena, NQ_BYTES_LITERAL("$1"), &expr),
                     NQ_SQL_SYNTAX);
    assert_int_equal(nq_parse_expression(&f.ctx, &f.arena, NQ_BYTES_LITERAL("1, 2"), &expr),
                     NQ_SQL_SYNTAX);
    fixture_deinit(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(literals_keep_their_values),
        cmocka_unit_test(names_fold_unless_quoted),
        cmocka_unit_test(operators_bind_as_in_postgresql),
        cmocka_unit_test(expressions_have_all_their_forms),
        cmocka_unit_test(queries_have_all_their_clauses),
        cmocka_unit_test(writes_have_all_their_clauses),
        cmocka_unit_test(definitions_have_all_their_clauses),
        cmocka_unit_test(transactions_have_all_their_words),
        cmocka_unit_test(parameters_are_listed_once_each),
        cmocka_unit_test(every_word_is_a_name_or_is_not_as_its_class_says),
        cmocka_unit_test(a_thousand_conditions_are_one_shallow_node),
        cmocka_unit_test(stored_expressions_parse_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
