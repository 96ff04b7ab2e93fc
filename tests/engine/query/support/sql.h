/* SQL for tests: a database on a simulated disk, statements as text, results as text.
 *
 * A result is its rows joined by newlines, its values by "|", nulls as "NULL". */
#ifndef NQ_TESTS_QUERY_SUPPORT_SQL_H
#define NQ_TESTS_QUERY_SUPPORT_SQL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine/api/database.h"
#include "engine/ground/base/rng.h"
#include "engine/ground/os/sim_vfs.h"

typedef struct sql_fixture {
    nq_ctx ctx;
    nq_arena scratch;
    nq_arena results; /* texts handed out; emptied by nothing: tests are short */
    nq_sim_vfs *disk;
    nq_database *database;
} sql_fixture;

/* `statement_bytes_max` 0: the default. */
void sql_open(sql_fixture *f, uint64_t statement_bytes_max);
void sql_close(sql_fixture *f);

/* Runs to the end; on success *out_text is the result. */
nq_status sql_try(sql_fixture *f, const char *sql, const char **out_text);

/* Both fail the test with the statement and what came instead. */
void sql_expect(sql_fixture *f, const char *sql, const char *expected);
void sql_expect_error(sql_fixture *f, const char *sql, const char *sqlstate);

/* Runs statements that must succeed. */
void sql_run(sql_fixture *f, const char *sql);
const char *sql_result(sql_fixture *f, const char *sql);
char *sql_format(sql_fixture *f, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* For cmocka's group set-up and tear-down: *state is a sql_fixture. */
int sql_setup(void **state);
int sql_teardown(void **state);

#endif
