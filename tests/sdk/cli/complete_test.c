/* Complete: what the word at the cursor may become. */
#include "sdk/cli/complete.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sdk/cli/text.h"

/* A server with a few tables, none of which has to be asked for. */
static nq_names *known(void) {
    static nq_names names;
    static const struct {
        const char *table;
        const char *columns[4];
    } tables[] = {
        {"readings", {"sensor", "celsius", "seen_at", NULL}},
        {"rooms", {"id", "name", "Wall Colour", NULL}},
        {"Rare", {"order", NULL}},
        {"größen", {"länge", NULL}},
    };
    enum { TABLES = sizeof tables / sizeof tables[0] };
    if (names.has_tables) {
        return &names;
    }
    names.has_tables = true;
    names.described_count = TABLES;
    names.described = nq_must_allocate(TABLES * sizeof *names.described);
    for (size_t i = 0; i < TABLES; i++) {
        nq_words_add(&names.tables, tables[i].table, strlen(tables[i].table));
        names.described[i].table = nq_must_copy(tables[i].table, strlen(tables[i].table));
        for (const char *const *column = tables[i].columns; *column != NULL; column++) {
            nq_words_add(&names.described[i].columns, *column, strlen(*column));
        }
    }
    return &names;
}

/* `typed` has the cursor as '|' (at its end when there is none); `wanted` is the word that is
 * replaced, a colon, and what is offered for it. */
static void expect(const char *typed, const char *wanted) {
    char text[256];
    char got[8192] = "";
    nq_completion completion;
    const char *bar = strchr(typed, '|');
    size_t cursor = bar != NULL ? (size_t)(bar - typed) : strlen(typed);
    snprintf(text, sizeof text, "%.*s%s", (int)cursor, typed, bar != NULL ? bar + 1 : "");
    nq_complete(known(), text, strlen(text), cursor, &completion);
    size_t used = (size_t)snprintf(got, sizeof got, "%.*s:", (int)(cursor - completion.start),
                                   text + completion.start);
    for (size_t i = 0; i < completion.words.count; i++) {
        used += (size_t)snprintf(got + used, sizeof got - used, " %s", completion.words.items[i]);
    }
    nq_words_deinit(&completion.words);
    assert_string_equal(got, wanted);
}

static void a_statement_begins_with_a_verb(void **state) {
    (void)state;
    expect("S", "S: SAVEPOINT SELECT START");
    expect("SELECT 1; U", "U: UPDATE");
    expect("  \n-- first\nIN", "IN: INSERT");
    expect("WHER", "WHER:");
}

static void keywords_keep_the_case_they_were_begun_in(void **state) {
    (void)state;
    expect("sel", "sel: select");
    expect("SEL", "SEL: SELECT");
    expect("Sel", "Sel: select");
    expect("SELECT sensor FROM readings WHE", "WHE: WHEN WHERE");
}

static void a_tables_place_gets_tables(void **state) {
    (void)state;
    expect("SELECT * FROM r", "r: \"Rare\" readings rooms");
    expect("SELECT * FROM rea", "rea: readings");
    expect("SELECT * FROM REA", "REA: readings");
    expect("SELECT 1 FROM readings, ro", "ro: rooms");
    expect("SELECT 1 FROM readings JOIN ro", "ro: rooms");
    expect("INSERT INTO ro", "ro: rooms");
    expect("UPDATE ro", "ro: rooms");
    expect("DELETE FROM ro", "ro: rooms");
    expect("TRUNCATE TABLE ro", "ro: rooms");
    expect("DROP TABLE IF EXISTS ro", "ro: rooms");
    expect("SELECT * FROM ", ": \"Rare\" \"größen\" readings rooms");
}

static void where_no_table_fits_keywords_do(void **state) {
    (void)state;
    expect("DROP TABLE I", "I: IDENTITY IF ILIKE IN INNER INSERT INTEGER INTERSECT INTO IS ISNULL "
                           "ISOLATION");
}

static void columns_are_those_of_the_statements_tables(void **state) {
    (void)state;
    expect("SELECT sens| FROM readings", "sens: sensor");
    expect("SELECT sens", "sens:");
    expect("SELECT * FROM readings WHERE se", "se: seen_at select sensor serializable set");
    expect("INSERT INTO readings (celsius, sens", "sens: sensor");
    expect("UPDATE readings SET cel", "cel: celsius");
    expect("SELECT na| FROM readings, rooms", "na: name natural");
    expect("SELECT cel| FROM rooms; SELECT 1 FROM readings", "cel:");
}

static void a_qualifier_chooses_the_table(void **state) {
    (void)state;
    expect("SELECT rooms.", ": \"Wall Colour\" id name");
    expect("SELECT r.se| FROM readings AS r JOIN rooms", "se: seen_at sensor");
    expect("SELECT q.n| FROM readings r, rooms q WHERE true", "n: name");
    expect("SELECT ROOMS.na", "na: name");
    expect("SELECT \"Rare\".", ": \"order\"");
    expect("SELECT 1.", ":");
}

static void an_alias_is_offered_in_its_tables_place(void **state) {
    (void)state;
    expect("SELECT * FROM readings AS reading_now WHERE rea", "rea: read reading_now real");
}

static void names_that_need_quotes_get_them(void **state) {
    (void)state;
    expect("SELECT * FROM Rar", "Rar: \"Rare\"");
    expect("SELECT * FROM \"Ra", "\"Ra: \"Rare\"");
    expect("SELECT wal| FROM rooms", "wal: \"Wall Colour\"");
    expect("SELECT \"Wall C| FROM rooms", "\"Wall C:");
    expect("SELECT * FROM rooms WHERE \"Wall C", "\"Wall C: \"Wall Colour\"");
    expect("SELECT ord| FROM \"Rare\"", "ord: \"order\" order");
    expect("SELECT * FROM grö", "grö: \"größen\"");
}

static void strings_and_comments_are_left_alone(void **state) {
    (void)state;
    expect("SELECT 'sel", ":");
    expect("SELECT 'sel'", ":");
    expect("SELECT E'it\\'s sel", ":");
    expect("SELECT $$ sel", ":");
    expect("SELECT 1 -- sel", ":");
    expect("SELECT 1 /* sel", ":");
    expect("SELECT 1 -- sel\nFRO", "FRO: FROM");
    expect("SELECT 1 /* sel */ FRO", "FRO: FROM");
}

static void backslash_commands_are_completed(void **state) {
    (void)state;
    expect("\\d", "\\d: \\d \\dc \\dt");
    expect("\\wa", "\\wa: \\watch");
    expect("\\d re", "re: readings");
    expect("\\d R", "R: Rare readings rooms");
    expect("\\format j", "j: json jsonl");
    expect("\\timing o", "o: off on");
    expect("\\g ", ":");
    expect("\\nothing x", "x:");
    expect("\\",
           "\\: \\? \\conninfo \\d \\dc \\dt \\e \\format \\g \\h \\i \\null \\o \\q \\queries "
           "\\timing \\watch \\x");
}

static void any_text_is_survived(void **state) {
    (void)state;
    static const char alphabet[] = "a\"'$.,;()\\/*-e \n\xc3\xa4 FROM ";
    uint32_t seed = 1;
    for (int round = 0; round < 20000; round++) {
        char text[40];
        size_t bytes = 0;
        for (; bytes < sizeof text; bytes++) {
            seed = seed * 1664525 + 1013904223;
            text[bytes] = alphabet[(seed >> 16) % (sizeof alphabet - 1)];
        }
        char *exact = nq_must_copy(text, bytes);
        nq_completion completion;
        size_t cursor = (seed >> 8) % (bytes + 1);
        nq_complete(known(), exact, bytes, cursor, &completion);
        assert_true(completion.start <= cursor);
        nq_words_deinit(&completion.words);
        free(exact);
    }
}

static int forget(void **state) {
    (void)state;
    nq_names_forget(known());
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_statement_begins_with_a_verb),
        cmocka_unit_test(keywords_keep_the_case_they_were_begun_in),
        cmocka_unit_test(a_tables_place_gets_tables),
        cmocka_unit_test(where_no_table_fits_keywords_do),
        cmocka_unit_test(columns_are_those_of_the_statements_tables),
        cmocka_unit_test(a_qualifier_chooses_the_table),
        cmocka_unit_test(an_alias_is_offered_in_its_tables_place),
        cmocka_unit_test(names_that_need_quotes_get_them),
        cmocka_unit_test(strings_and_comments_are_left_alone),
        cmocka_unit_test(backslash_commands_are_completed),
        cmocka_unit_test(any_text_is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, forget);
}
