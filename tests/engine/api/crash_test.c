/* Crashes through the front door: power is cut in the middle of random I/Os, and what was
 * acknowledged must be there, whole, while what was not is there whole or not at all.
 *
 * The workload keeps two tables that every transaction changes together, so that half a transaction
 * shows; loads rows under an ingest id; and now and then creates, empties or drops a table.
 * NQ_CRASH_SEEDS sets how many seeds are tried. */
#include "engine/ground/base/rng.h"
#include "tests/engine/api/fixture.h"

enum { ROUNDS_DEFAULT = 25, STEP_COUNT = 60, LOAD_BATCH_ROWS = 50 };

/* What the workload knows to be durable, and what it may have reached. */
typedef struct model {
    int64_t transfers_acked, transfers_tried;
    uint64_t loaded_acked, loaded_tried;
    int64_t generation_acked, generation_tried; /* how often table g was created anew */
} model;

static nq_status try_run(nq_session *s, const char *sql) {
    return session_run(s, sql_of(sql), NULL, 0, NULL, NULL, NULL);
}

static nq_status transfer(nq_session *s, model *m) {
    char sql[128];
    m->transfers_tried = m->transfers_acked + 1;
    (void)snprintf(sql, sizeof sql, "INSERT INTO ledger VALUES (%lld, 'transfer')",
                   (long long)m->transfers_tried);
    nq_status status = try_run(s, "BEGIN");
    status = status == NQ_OK ? try_run(s, "UPDATE account SET v = v + 1 WHERE id = 1") : status;
    status = status == NQ_OK ? try_run(s, sql) : status;
    status = status == NQ_OK ? try_run(s, "UPDATE account SET v = v - 1 WHERE id = 2") : status;
    status = status == NQ_OK ? try_run(s, "COMMIT") : status;
    if (s->transaction != NULL) {
        nq_transaction_rollback(s->transaction);
        s->transaction = NULL;
    }
    if (status == NQ_OK) {
        m->transfers_acked = m->transfers_tried;
    }
    return status;
}

static nq_status load(nq_session *s, model *m) {
    nq_ingest *ingest;
    uint64_t lsn;
    int64_t numbers[LOAD_BATCH_ROWS];
    nq_status status = nq_ingest_open(&s->ctx, s->database, NQ_BYTES_LITERAL("loaded"), NULL, 0,
                                      NQ_BYTES_LITERAL("the load"), false, &ingest);
    if (status != NQ_OK) {
        return status;
    }
    assert_int_equal(nq_ingest_offset(ingest), m->loaded_acked);
    for (int batch = 0; batch < 2 && status == NQ_OK; batch++) {
        for (int i = 0; i < LOAD_BATCH_ROWS; i++) {
            numbers[i] = (int64_t)nq_ingest_offset(ingest) + i;
        }
        const nq_vector column = {.type = NQ_TYPE(NQ_TYPE_INT64), .integers = numbers};
        const nq_batch rows = {LOAD_BATCH_ROWS, 1, &column};
        status = nq_ingest_append(&s->ctx, ingest, &rows);
    }
    m->loaded_tried = m->loaded_acked + 2 * LOAD_BATCH_ROWS;
    status = status == NQ_OK ? nq_ingest_commit(&s->ctx, ingest, &lsn) : status;
    nq_ingest_close(ingest);
    if (status == NQ_OK) {
        m->loaded_acked = m->loaded_tried;
    }
    return status;
}

/* Drops and creates a table in one transaction. */
static nq_status regenerate(nq_session *s, model *m) {
    char sql[128];
    m->generation_tried = m->generation_acked + 1;
    (void)snprintf(sql, sizeof sql, "INSERT INTO g VALUES (%lld)", (long long)m->generation_tried);
    nq_status status = try_run(s, "BEGIN");
    status = status == NQ_OK ? try_run(s, "DROP TABLE IF EXISTS g") : status;
    status = status == NQ_OK ? try_run(s, "CREATE TABLE g (v BIGINT PRIMARY KEY)") : status;
    status = status == NQ_OK ? try_run(s, sql) : status;
    status = status == NQ_OK ? try_run(s, "COMMIT") : status;
    if (s->transaction != NULL) {
        nq_transaction_rollback(s->transaction);
        s->transaction = NULL;
    }
    if (status == NQ_OK) {
        m->generation_acked = m->generation_tried;
    }
    return status;
}

static nq_status step(nq_session *s, model *m, nq_rng *rng) {
    uint64_t lsn, pages;
    switch (nq_rng_below(rng, 8)) {
    case 0:
        return regenerate(s, m);
    case 1:
    case 2:
        return load(s, m);
    case 3:
        return nq_database_checkpoint(&s->ctx, s->database, &lsn, &pages);
    default:
        return transfer(s, m);
    }
}

static int64_t number(nq_session *s, const char *sql) {
    static rows_text rows;
    rows = (rows_text){0};
    nq_status status = session_run(s, sql_of(sql), NULL, 0, append_row, &rows, NULL);
    if (status != NQ_OK) {
        fail_msg("%s: %s", sql, s->ctx.error.message);
    }
    return strtoll(rows.text, NULL, 10);
}

/* What is there is what was acknowledged, or that and the one step that was under way. */
static void check(nq_session *s, model *m) {
    int64_t transfers = number(s, "SELECT count(*) FROM ledger");
    assert_in_range(transfers, m->transfers_acked, m->transfers_tried);
    assert_int_equal(number(s, "SELECT v FROM account WHERE id = 1"), transfers);
    assert_int_equal(number(s, "SELECT v FROM account WHERE id = 2"), -transfers);
    assert_int_equal(number(s, "SELECT coalesce(max(id), 0) FROM ledger"), transfers);
    m->transfers_acked = m->transfers_tried = transfers;

    int64_t loaded = number(s, "SELECT count(*) FROM loaded");
    assert_true((uint64_t)loaded == m->loaded_acked || (uint64_t)loaded == m->loaded_tried);
    assert_int_equal(number(s, "SELECT coalesce(sum(v), 0) FROM loaded"),
                     loaded * (loaded - 1) / 2);
    m->loaded_acked = m->loaded_tried = (uint64_t)loaded;

    bool has_generation = m->generation_acked > 0;
    if (!has_generation) {
        nq_table_detail detail;
        has_generation = nq_database_get_table(&s->ctx, s->database, NQ_BYTES_LITERAL("g"),
                                               &s->arena, &detail) == NQ_OK;
    }
    int64_t generation = has_generation ? number(s, "SELECT v FROM g") : 0;
    assert_in_range(generation, m->generation_acked, m->generation_tried);
    m->generation_acked = m->generation_tried = generation;
}

static void open_disk(nq_session *s) {
    const nq_database_options options = {.checkpoint_log_bytes = 256 << 10};
    nq_status status =
        nq_database_open(&s->ctx, nq_sim_vfs_as_vfs(s->disk), "db", &options, &s->database);
    if (status != NQ_OK) {
        fail_msg("%s: %s", nq_status_name(status), s->ctx.error.message);
    }
}

static void crash_round(uint64_t seed) {
    const nq_sim_options options = {.seed = seed, .writeback_ppm = 20000};
    nq_session s = {0};
    nq_rng rng = {seed};
    model m = {0};
    nq_arena_init(&s.arena, 1 << 30);
    nq_ctx_init(&s.ctx, &s.arena);
    assert_int_equal(nq_sim_vfs_create(&s.ctx, &options, &s.disk), NQ_OK);
    open_disk(&s);
    run(&s, "CREATE TABLE account (id INT PRIMARY KEY, v BIGINT)");
    run(&s, "CREATE TABLE ledger (id BIGINT PRIMARY KEY, what TEXT)");
    run(&s, "CREATE TABLE loaded (v BIGINT)");
    run(&s, "INSERT INTO account VALUES (1, 0), (2, 0)");
    for (int life = 0; life < 4; life++) {
        nq_sim_vfs_fault_at(s.disk, NQ_SIM_POWER_CUT, 1 + nq_rng_below(&rng, 150));
        for (int i = 0; i < STEP_COUNT && step(&s, &m, &rng) == NQ_OK; i++) {
        }
        nq_sim_vfs_fault_at(s.disk, NQ_SIM_POWER_CUT, 0);
        nq_sim_vfs_cut_power(s.disk);
        (void)(nq_database_close(&s.ctx, s.database) == NQ_OK);
        nq_sim_vfs_restart(s.disk);
        open_disk(&s);
        check(&s, &m);
    }
    assert_int_equal(nq_database_close(&s.ctx, s.database), NQ_OK);
    nq_sim_vfs_destroy(s.disk);
    nq_arena_deinit(&s.arena);
}

static void nothing_acknowledged_is_lost_and_nothing_is_half_done(void **state) {
    (void)state;
    const char *wanted = getenv("NQ_CRASH_SEEDS");
    uint64_t rounds = wanted != NULL ? strtoull(wanted, NULL, 10) : ROUNDS_DEFAULT;
    for (uint64_t seed = 1; seed <= rounds; seed++) {
        crash_round(seed);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_acknowledged_is_lost_and_nothing_is_half_done),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
