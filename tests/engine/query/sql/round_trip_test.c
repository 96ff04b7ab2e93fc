/* Round trip: random statements print to text that parses to the same tree.
 *
 * The texts are made from the grammar with parentheses strewn in, and trees are compared through a
 * dump that shows every node, so that a printer which drops a pair that matters is found out. */
#include "tests/engine/query/sql/fixture.h"

#include "engine/ground/base/rng.h"

/* ---- Dump: the whole tree of an expression, fully bracketed ---- */

typedef struct dump {
    char text[1 << 16];
    size_t size;
} dump;

static void put(dump *out, const char *text, size_t size) {
    assert_true(out->size + size < sizeof(out->text));
    memcpy(out->text + out->size, text, size);
    out->size += size;
    out->text[out->size] = '\0';
}

static void put_format(dump *out, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void put_format(dump *out, const char *format, ...) {
    char text[200];
    va_list args;
    va_start(args, format);
    int size = vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    put(out, text, (size_t)size);
}

static void dump_query(dump *out, const nq_ast_query *query);

static void dump_expr(dump *out, const nq_ast_expr *expr) {
    if (expr == NULL) {
        put(out, "-", 1);
        return;
    }
    put_format(out, "(%d.%d.%d%d ", expr->kind, expr->op, expr->is_negated,
               expr->is_case_insensitive);
    switch ((nq_ast_expr_kind)expr->kind) {
    case NQ_AST_NULL:
    case NQ_AST_DEFAULT:
        break;
    case NQ_AST_BOOLEAN:
        put_format(out, "%d", expr->boolean);
        break;
    case NQ_AST_INTEGER:
        put_format(out, "%lld", (long long)expr->integer);
        break;
    case NQ_AST_NUMBER:
        put_format(out, "%a", expr->number);
        break;
    case NQ_AST_STRING:
    case NQ_AST_BYTES:
        put_format(out, "%zu:%.*s", expr->text.size, NQ_BYTES_FORMAT(expr->text));
        break;
    case NQ_AST_PARAMETER:
        put_format(out, "%u", expr->parameter_index);
        break;
    case NQ_AST_COLUMN:
    case NQ_AST_STAR:
        put_format(out, "%.*s.%.*s", NQ_BYTES_FORMAT(expr->table), NQ_BYTES_FORMAT(expr->name));
        break;
    default: {
        bool has_third = expr->kind == NQ_AST_BETWEEN || expr->kind == NQ_AST_LIKE;
        bool has_query = expr->kind == NQ_AST_IN_QUERY || expr->kind == NQ_AST_EXISTS ||
                         expr->kind == NQ_AST_SUBQUERY;
        dump_expr(out, expr->left);
        dump_expr(out, expr->right);
        if (has_third) {
            dump_expr(out, expr->third);
        } else if (has_query) {
            dump_query(out, expr->query);
        } else {
            for (const nq_ast_expr *each = expr->operands.first; each != NULL; each = each->next) {
                dump_expr(out, each);
            }
        }
        if (expr->kind == NQ_AST_CAST) {
            put_format(out, ":%d.%u", (int)expr->type->type.id, expr->type->type.length_max);
        } else if (expr->kind == NQ_AST_FUNCTION) {
            put_format(out, ":%.*s%d%d%d", NQ_BYTES_FORMAT(expr->call->name.text),
                       expr->call->is_star, expr->call->is_distinct, expr->call->has_no_parens);
            dump_expr(out, expr->call->filter);
        }
    }
    }
    put(out, ")", 1);
}

static void dump_query(dump *out, const nq_ast_query *query) {
    put_format(out, "{%d ", (int)query->kind);
    if (query->kind == NQ_AST_SELECT) {
        put_format(out, "%d%d", query->is_distinct, query->is_grouped);
        for (const nq_ast_item *item = query->items.first; item != NULL; item = item->next) {
            dump_expr(out, item->expr);
            put_format(out, "=%.*s", NQ_BYTES_FORMAT(item->alias.text));
        }
        dump_expr(out, query->where);
        dump_expr(out, query->having);
        for (const nq_ast_expr *each = query->group_by.first; each != NULL; each = each->next) {
            dump_expr(out, each);
        }
        for (const nq_ast_from *from = query->from.first; from != NULL; from = from->next) {
            put_format(out, "from%d.%.*s", (int)from->kind, NQ_BYTES_FORMAT(from->alias.text));
            if (from->kind == NQ_AST_FROM_JOIN) {
                put_format(out, ".%d", (int)from->join);
                dump_expr(out, from->on);
            }
        }
    } else if (query->kind == NQ_AST_VALUES) {
        for (const nq_ast_row *row = query->rows.first; row != NULL; row = row->next) {
            put(out, ";", 1);
            for (const nq_ast_expr *each = row->values.first; each != NULL; each = each->next) {
                dump_expr(out, each);
            }
        }
    } else {
        put_format(out, "%d", query->is_all);
        dump_query(out, query->left);
        if (query->kind != NQ_AST_NESTED) {
            dump_query(out, query->right);
        }
    }
    for (const nq_ast_order *order = query->order_by.first; order != NULL; order = order->next) {
        put_format(out, "order%d%d", order->is_descending, (int)order->nulls);
        dump_expr(out, order->expr);
    }
    dump_expr(out, query->limit);
    dump_expr(out, query->limit_offset);
    put(out, "}", 1);
}

/* ---- Random texts ---- */

typedef struct writer {
    nq_rng rng;
    char text[1 << 15];
    size_t size;
} writer;

static uint32_t roll(writer *w, uint32_t sides) {
    return (uint32_t)(nq_rng_next(&w->rng) % sides);
}

static void say(writer *w, const char *word) {
    size_t size = strlen(word);
    if (w->size + size + 2 < sizeof(w->text)) {
        memcpy(w->text + w->size, word, size);
        w->size += size;
        w->text[w->size++] = ' ';
        w->text[w->size] = '\0';
    }
}

static void say_one_of(writer *w, const char *const *words, uint32_t count) {
    say(w, words[roll(w, count)]);
}

static void write_query(writer *w, uint32_t depth);

static void write_leaf(writer *w) {
    static const char *const leaves[] = {
        "a",
        "t.b",
        "\"Odd name\"",
        "\"select\"",
        "time",
        "level",
        "exists",
        "1",
        "-1",
        "0",
        "2.5",
        "- 7.25",
        "1e300",
        "'text'",
        "'it''s'",
        "X'00ff'",
        "NULL",
        "TRUE",
        "FALSE",
        "$1",
        "$2",
        "current_date",
        "count(*)",
        "date '2024-01-01'",
        "-9223372036854775808",
    };
    say_one_of(w, leaves, sizeof(leaves) / sizeof(leaves[0]));
}

static void write_expr(writer *w, uint32_t depth);

static void write_operand(writer *w, uint32_t depth) {
    bool has_parens = roll(w, 3) == 0;
    say(w, has_parens ? "(" : "");
    write_expr(w, depth - 1);
    say(w, has_parens ? ")" : "");
}

static void write_list(writer *w, uint32_t depth) {
    uint32_t count = 1 + roll(w, 3);
    for (uint32_t i = 0; i < count; i++) {
        say(w, i == 0 ? "" : ",");
        write_expr(w, depth - 1);
    }
}

static void write_binary(writer *w, uint32_t depth) {
    static const char *const signs[] = {"+",
                                        "-",
                                        "*",
                                        "/",
                                        "%",
                                        "^",
                                        "||",
                                        "AND",
                                        "OR",
                                        "&",
                                        "|",
                                        "#",
                                        "<<",
                                        ">>",
                                        "IS DISTINCT FROM",
                                        "IS NOT DISTINCT FROM",
                                        "LIKE",
                                        "NOT ILIKE"};
    write_operand(w, depth);
    say_one_of(w, signs, sizeof(signs) / sizeof(signs[0]));
    write_operand(w, depth);
}

static void write_comparison(writer *w, uint32_t depth) {
    static const char *const signs[] = {"=", "<>", "<", "<=", ">", ">="};
    say(w, "((");
    write_expr(w, depth - 1);
    say(w, ")");
    say_one_of(w, signs, 6);
    write_operand(w, depth);
    say(w, ")");
}

static void write_expr(writer *w, uint32_t depth) {
    static const char *const tests[] = {"IS NULL",      "IS NOT NULL", "IS TRUE",
                                        "IS NOT FALSE", "IS UNKNOWN",  "ISNULL"};
    static const char *const prefixes[] = {"NOT", "-", "+", "~"};
    static const char *const functions[] = {"f(", "sum(DISTINCT", "left(", "coalesce(",
                                            "substring("};
    if (depth == 0) {
        write_leaf(w);
        return;
    }
    switch (roll(w, 13)) {
    case 0:
        write_leaf(w);
        return;
    case 1:
        say_one_of(w, prefixes, 4);
        write_operand(w, depth);
        return;
    case 2:
        write_operand(w, depth);
        say_one_of(w, tests, 6);
        return;
    case 3:
        write_operand(w, depth);
        say(w, roll(w, 2) ? "BETWEEN" : "NOT BETWEEN");
        say(w, "(");
        write_expr(w, depth - 1);
        say(w, ") AND");
        write_operand(w, depth);
        return;
    case 4:
        write_operand(w, depth);
        say(w, roll(w, 2) ? "IN (" : "NOT IN (");
        write_list(w, depth);
        say(w, ")");
        return;
    case 5:
        say(w, "CASE");
        if (roll(w, 2)) {
            write_expr(w, depth - 1);
        }
        say(w, "WHEN");
        write_expr(w, depth - 1);
        say(w, "THEN");
        write_expr(w, depth - 1);
        if (roll(w, 2)) {
            say(w, "ELSE");
            write_expr(w, depth - 1);
        }
        say(w, "END");
        return;
    case 6:
        say(w, "CAST(");
        write_expr(w, depth - 1);
        say(w, "AS varchar(7))");
        return;
    case 7:
        write_operand(w, depth);
        say(w, "::double precision");
        return;
    case 8:
        say_one_of(w, functions, 5);
        write_list(w, depth);
        say(w, ")");
        return;
    case 9:
        say(w, roll(w, 2) ? "EXISTS (" : "(");
        write_query(w, depth - 1);
        say(w, ")");
        return;
    case 10:
        write_comparison(w, depth);
        return;
    default:
        write_binary(w, depth);
        return;
    }
}

static void write_select(writer *w, uint32_t depth) {
    say(w, roll(w, 4) ? "SELECT" : "SELECT DISTINCT");
    write_list(w, depth + 1);
    if (roll(w, 2)) {
        say(w, roll(w, 2) ? "FROM t" : "FROM t x LEFT JOIN u ON");
        if (w->text[w->size - 2] == 'N') {
            write_expr(w, depth);
        }
    }
    if (roll(w, 2)) {
        say(w, "WHERE");
        write_expr(w, depth);
    }
    if (roll(w, 4) == 0) {
        say(w, "GROUP BY");
        write_list(w, depth + 1);
    }
}

static void write_query(writer *w, uint32_t depth) {
    static const char *const operations[] = {"UNION", "UNION ALL", "INTERSECT", "EXCEPT ALL"};
    if (depth > 0 && roll(w, 4) == 0) {
        bool has_parens = roll(w, 2);
        say(w, has_parens ? "(" : "");
        write_query(w, depth - 1);
        say(w, has_parens ? ")" : "");
        if (has_parens) {
            say_one_of(w, operations, 4);
            write_select(w, 0);
        }
        return;
    }
    if (roll(w, 6) == 0) {
        say(w, "VALUES (");
        write_expr(w, depth);
        say(w, ")");
    } else {
        write_select(w, depth);
    }
    if (roll(w, 3) == 0) {
        say(w, "ORDER BY");
        write_expr(w, depth);
        say(w, roll(w, 2) ? "DESC" : "NULLS FIRST");
    }
    if (roll(w, 4) == 0) {
        say(w, "LIMIT 3");
    }
}

static void random_statements_print_to_themselves(void **state) {
    (void)state;
    static writer w;
    static dump first, second;
    uint32_t parsed = 0;
    for (uint64_t seed = 1; seed <= 4000; seed++) {
        fixture f;
        fixture_init(&f);
        w.size = 0;
        w.rng.state = seed;
        write_query(&w, 1 + (uint32_t)(seed % 4));
        nq_ast_statement *statement;
        nq_bytes sql = nq_bytes_of(w.text, w.size);
        if (nq_parse(&f.ctx, &f.arena, sql, &statement) == NQ_OK && w.size < sizeof(w.text) / 2) {
            nq_bytes printed = must_print(&f, statement);
            nq_ast_statement *again = must_parse(&f, printed);
            first.size = second.size = 0;
            dump_query(&first, statement->query);
            dump_query(&second, again->query);
            if (strcmp(first.text, second.text) != 0) {
                fail_msg("seed %llu\n%s\n%.*s\n%s\n%s", (unsigned long long)seed, w.text,
                         NQ_BYTES_FORMAT(printed), first.text, second.text);
            }
            nq_bytes reprinted = must_print(&f, again);
            assert_true(nq_bytes_equal(printed, reprinted));
            parsed++;
        } else if (f.ctx.error.code == NQ_SQL_SYNTAX &&
                   strstr(f.ctx.error.message, "do not chain") == NULL) {
            fail_msg("seed %llu: %s\n%s", (unsigned long long)seed, f.ctx.error.message, w.text);
        }
        fixture_deinit(&f);
    }
    assert_in_range(parsed, 3000, 4000);
}

/* Any prefix, and any text with a byte changed, parses or is refused with a place inside the text.
 */
static void damaged_statements_are_refused_with_a_place(void **state) {
    (void)state;
    static writer w;
    for (uint64_t seed = 1; seed <= 300; seed++) {
        w.size = 0;
        w.rng.state = seed;
        write_query(&w, 2);
        for (uint32_t i = 0; i < 20; i++) {
            fixture f;
            fixture_init(&f);
            size_t size = i % 2 == 0 ? roll(&w, (uint32_t)w.size) : w.size;
            uint32_t place = roll(&w, (uint32_t)w.size);
            char kept = w.text[place];
            w.text[place] = (char)(1 + roll(&w, 127));
            nq_ast_statement *statement;
            if (nq_parse(&f.ctx, &f.arena, nq_bytes_of(w.text, size), &statement) != NQ_OK) {
                assert_null(statement);
                assert_in_range(f.ctx.error.position.line, 1, size + 1);
                assert_in_range(f.ctx.error.position.offset, 0, size);
                assert_true(f.ctx.error.message[0] != '\0');
            }
            w.text[place] = kept;
            fixture_deinit(&f);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_statements_print_to_themselves),
        cmocka_unit_test(damaged_statements_are_refused_with_a_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
