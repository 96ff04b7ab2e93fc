/* Bulk load: casts, defaults, checks, resuming. */
#include "tests/engine/api/fixture.h"

static nq_ingest *open_ingest(nq_session *s, const char *table, const nq_bytes *columns,
                              uint32_t count, const char *id, bool upsert) {
    nq_ingest *ingest = NULL;
    nq_status status = nq_ingest_open(&s->ctx, s->database, nq_bytes_of_cstr(table), columns, count,
                                      nq_bytes_of_cstr(id), upsert, &ingest);
    if (status != NQ_OK) {
        fail_msg("%s: %s", nq_status_name(status), s->ctx.error.message);
    }
    return ingest;
}

static nq_status append_numbers(nq_session *s, nq_ingest *ingest, int64_t first, uint32_t count) {
    int64_t numbers[NQ_BATCH_ROWS_MAX];
    for (uint32_t i = 0; i < count; i++) {
        numbers[i] = first + i;
    }
    const nq_vector column = {.type = NQ_TYPE(NQ_TYPE_INT64), .integers = numbers};
    const nq_batch batch = {count, 1, &column};
    return nq_ingest_append(&s->ctx, ingest, &batch);
}

static nq_status append_texts(nq_session *s, nq_ingest *ingest, const char *const *texts,
                              uint32_t column_count) {
    nq_bytes cells[8];
    uint8_t nulls[8];
    nq_vector columns[8];
    for (uint32_t i = 0; i < column_count; i++) {
        nulls[i] = texts[i] == NULL;
        cells[i] = texts[i] == NULL ? (nq_bytes){NULL, 0} : nq_bytes_of_cstr(texts[i]);
        columns[i] =
            (nq_vector){.type = NQ_TYPE(NQ_TYPE_TEXT), .nulls = &nulls[i], .bytes = &cells[i]};
    }
    const nq_batch batch = {1, column_count, columns};
    return nq_ingest_append(&s->ctx, ingest, &batch);
}

static void texts_are_read_as_the_columns_types(void **state) {
    nq_session *s = *state;
    uint64_t lsn;
    run(s, "CREATE TABLE t (at TIMESTAMP, v REAL, ok BOOLEAN, n SMALLINT, id UUID, w VARCHAR(3))");
    nq_ingest *ingest = open_ingest(s, "t", NULL, 0, "", false);
    const char *const good[] = {
        "2014-04-10 07:15:00", "0.1", "t", "-7", "a0eebc999c0b4ef8bb6d6bb9bd380a11", "abc"};
    const char *const nothing[] = {NULL, NULL, NULL, NULL, NULL, NULL};
    assert_int_equal(append_texts(s, ingest, good, 6), NQ_OK);
    assert_int_equal(append_texts(s, ingest, nothing, 6), NQ_OK);
    assert_int_equal(nq_ingest_commit(&s->ctx, ingest, &lsn), NQ_OK);
    assert_true(lsn > 0);
    nq_ingest_close(ingest);
    assert_rows(s, "SELECT * FROM t",
                "2014-04-10 07:15:00|0.1|true|-7|a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11|abc "
                "null|null|null|null|null|null ");
}

static void a_value_that_does_not_fit_ends_the_load_and_keeps_what_was_committed(void **state) {
    nq_session *s = *state;
    uint64_t lsn;
    run(s, "CREATE TABLE t (v SMALLINT)");
    nq_ingest *ingest = open_ingest(s, "t", NULL, 0, "load", false);
    assert_int_equal(append_numbers(s, ingest, 1, 2), NQ_OK);
    assert_int_equal(nq_ingest_commit(&s->ctx, ingest, &lsn), NQ_OK);
    assert_int_equal(append_numbers(s, ingest, 3, 1), NQ_OK);
    assert_int_equal(append_numbers(s, ingest, 40000, 1), NQ_NUMBER_OUT_OF_RANGE);
    assert_int_equal(append_numbers(s, ingest, 4, 1), NQ_TRANSACTION_FAILED);
    assert_int_equal(nq_ingest_commit(&s->ctx, ingest, &lsn), NQ_TRANSACTION_FAILED);
    nq_ingest_close(ingest);
    assert_rows(s, "SELECT * FROM t", "1 2 ");
    ingest = open_ingest(s, "t", NULL, 0, "load", false);
    assert_int_equal(nq_ingest_offset(ingest), 2);
    nq_ingest_close(ingest);
}

static void columns_left_out_get_numbers_defaults_and_null(void **state) {
    nq_session *s = *state;
    uint64_t lsn;
    const nq_bytes columns[] = {NQ_BYTES_LITERAL("v")};
    run(s, "CREATE TABLE t (id SERIAL PRIMARY KEY, v BIGINT, w TEXT DEFAULT 'x' || 'y', "
           "n BIGINT DEFAULT 6 * 7, at TIMESTAMP DEFAULT now(), nothing DATE)");
    nq_ingest *ingest = open_ingest(s, "t", columns, 1, "", false);
    assert_int_equal(append_numbers(s, ingest, 10, 3), NQ_OK);
    assert_int_equal(nq_ingest_commit(&s->ctx, ingest, &lsn), NQ_OK);
    nq_ingest_close(ingest);
    assert_rows(s, "SELECT id, v, w, n, nothing, at > '2020-01-01' FROM t",
                "1|10|xy|42|null|true 2|11|xy|42|null|true 3|12|xy|42|null|true ");
}

static void checks_and_constraints_hold(void **state) {
    nq_session *s = *state;
    run(s, "CREATE TABLE t (v BIGINT PRIMARY KEY CHECK (v % 2 = 0 OR v > 100))");
    nq_ingest *ingest = open_ingest(s, "t", NULL, 0, "", false);
    assert_int_equal(append_numbers(s, ingest, 101, 50), NQ_OK);
    assert_int_equal(append_numbers(s, ingest, 2, 2), NQ_CHECK_VIOLATION);
    assert_string_equal(s->ctx.error.object, "t_v_check");
    nq_ingest_close(ingest);
    ingest = open_ingest(s, "t", NULL, 0, "", false);
    assert_int_equal(append_numbers(s, ingest, 101, 50), NQ_OK);
    assert_int_equal(append_numbers(s, ingest, 120, 2), NQ_UNIQUE_VIOLATION);
    nq_ingest_close(ingest);
    assert_rows(s, "SELECT count(*) FROM t", "0 ");
}

static void upsert_replaces(void **state) {
    nq_session *s = *state;
    uint64_t lsn;
    const nq_bytes columns[] = {NQ_BYTES_LITERAL("id"), NQ_BYTES_LITERAL("w")};
    run(s, "CREATE TABLE t (id INT PRIMARY KEY, w TEXT)");
    run(s, "INSERT INTO t VALUES (1, 'old')");
    nq_ingest *ingest = open_ingest(s, "t", columns, 2, "", true);
    const char *const one[] = {"1", "new"}, *const two[] = {"2", "two"};
    assert_int_equal(append_texts(s, ingest, one, 2), NQ_OK);
    assert_int_equal(append_texts(s, ingest, two, 2), NQ_OK);
    assert_int_equal(nq_ingest_commit(&s->ctx, ingest, &lsn), NQ_OK);
    nq_ingest_close(ingest);
    assert_rows(s, "SELECT * FROM t", "1|new 2|two ");
}

static void what_cannot_be_loaded_into_is_refused_at_once(void **state) {
    nq_session *s = *state;
    nq_ingest *ingest;
    const nq_bytes none = NQ_BYTES_LITERAL(""), t = NQ_BYTES_LITERAL("t");
    const nq_bytes unknown[] = {NQ_BYTES_LITERAL("zz")};
    const nq_bytes twice[] = {NQ_BYTES_LITERAL("v"), NQ_BYTES_LITERAL("v")};
    const nq_bytes always[] = {NQ_BYTES_LITERAL("id")};
    run(s, "CREATE TABLE t (id INT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, v INT)");
    assert_int_equal(nq_ingest_open(&s->ctx, s->database, NQ_BYTES_LITERAL("nope"), NULL, 0, none,
                                    false, &ingest),
                     NQ_TABLE_NOT_FOUND);
    assert_null(ingest);
    assert_int_equal(nq_ingest_open(&s->ctx, s->database, t, unknown, 1, none, false, &ingest),
                     NQ_UNKNOWN_COLUMN);
    assert_int_equal(nq_ingest_open(&s->ctx, s->database, t, twice, 2, none, false, &ingest),
                     NQ_DUPLICATE_COLUMN);
    assert_int_equal(nq_ingest_open(&s->ctx, s->database, t, always, 1, none, false, &ingest),
                     NQ_INVALID_COLUMN_REFERENCE);
}

static void a_load_resumes_where_its_last_commit_ended(void **state) {
    nq_session *s = *state;
    uint64_t lsn;
    run(s, "CREATE TABLE t (v BIGINT)");
    nq_ingest *ingest = open_ingest(s, "t", NULL, 0, "load", false);
    assert_int_equal(nq_ingest_offset(ingest), 0);
    assert_int_equal(append_numbers(s, ingest, 0, 1000), NQ_OK);
    assert_int_equal(append_numbers(s, ingest, 1000, 500), NQ_OK);
    assert_int_equal(nq_ingest_commit(&s->ctx, ingest, &lsn), NQ_OK);
    assert_int_equal(append_numbers(s, ingest, 1500, 700), NQ_OK);
    nq_ingest_close(ingest); /* Never committed. */
    reopen(s);
    ingest = open_ingest(s, "t", NULL, 0, "load", false);
    assert_int_equal(nq_ingest_offset(ingest), 1500);
    assert_int_equal(append_numbers(s, ingest, 1500, 1), NQ_OK);
    assert_int_equal(nq_ingest_commit(&s->ctx, ingest, &lsn), NQ_OK);
    nq_ingest_close(ingest);
    assert_rows(s, "SELECT count(*), min(v), max(v) FROM t", "1501|0|1500 ");
    ingest = open_ingest(s, "t", NULL, 0, "another", false);
    assert_int_equal(nq_ingest_offset(ingest), 0);
    nq_ingest_close(ingest);
    run(s, "TRUNCATE t");
    ingest = open_ingest(s, "t", NULL, 0, "load", false);
    assert_int_equal(nq_ingest_offset(ingest), 0);
    nq_ingest_close(ingest);
}

static void two_loads_of_one_id_do_not_interleave(void **state) {
    nq_session *s = *state;
    uint64_t lsn;
    run(s, "CREATE TABLE t (v BIGINT)");
    nq_ingest *first = open_ingest(s, "t", NULL, 0, "load", false);
    nq_ingest *second = open_ingest(s, "t", NULL, 0, "load", false);
    assert_int_equal(append_numbers(s, first, 0, 10), NQ_OK);
    assert_int_equal(nq_ingest_commit(&s->ctx, first, &lsn), NQ_OK);
    assert_int_equal(append_numbers(s, second, 0, 10), NQ_WRITE_CONFLICT);
    nq_ingest_close(first);
    nq_ingest_close(second);
    assert_rows(s, "SELECT count(*) FROM t", "10 ");
}

static void rows_come_back_in_the_order_they_were_loaded(void **state) {
    nq_session *s = *state;
    uint64_t lsn;
    run(s, "CREATE TABLE t (v BIGINT)");
    nq_ingest *ingest = open_ingest(s, "t", NULL, 0, "", false);
    for (int64_t i = 5; i > 0; i--) {
        assert_int_equal(append_numbers(s, ingest, i * 10, 2), NQ_OK);
    }
    assert_int_equal(nq_ingest_commit(&s->ctx, ingest, &lsn), NQ_OK);
    nq_ingest_close(ingest);
    assert_rows(s, "SELECT v FROM t", "50 51 40 41 30 31 20 21 10 11 ");
}

static void a_table_dropped_during_the_load_ends_it(void **state) {
    nq_session *s = *state;
    uint64_t lsn;
    run(s, "CREATE TABLE t (v BIGINT)");
    nq_ingest *ingest = open_ingest(s, "t", NULL, 0, "", false);
    assert_int_equal(append_numbers(s, ingest, 0, 10), NQ_OK);
    assert_int_equal(nq_ingest_commit(&s->ctx, ingest, &lsn), NQ_OK);
    run(s, "DROP TABLE t");
    run(s, "CREATE TABLE t (v BIGINT)");
    assert_int_equal(append_numbers(s, ingest, 0, 10), NQ_WRITE_CONFLICT);
    nq_ingest_close(ingest);
    assert_rows(s, "SELECT count(*) FROM t", "0 ");
}

static void invalid_utf8_is_refused(void **state) {
    nq_session *s = *state;
    run(s, "CREATE TABLE t (w TEXT)");
    nq_ingest *ingest = open_ingest(s, "t", NULL, 0, "", false);
    const char *const bad[] = {"a\xc0\x80"};
    assert_int_equal(append_texts(s, ingest, bad, 1), NQ_INVALID_UTF8);
    nq_ingest_close(ingest);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        in_session(texts_are_read_as_the_columns_types),
        in_session(a_value_that_does_not_fit_ends_the_load_and_keeps_what_was_committed),
        in_session(columns_left_out_get_numbers_defaults_and_null),
        in_session(checks_and_constraints_hold),
        in_session(upsert_replaces),
        in_session(what_cannot_be_loaded_into_is_refused_at_once),
        in_session(a_load_resumes_where_its_last_commit_ended),
        in_session(two_loads_of_one_id_do_not_interleave),
        in_session(rows_come_back_in_the_order_they_were_loaded),
        in_session(a_table_dropped_during_the_load_ends_it),
        in_session(invalid_utf8_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
