/* Sessions. */
#include "tests/sql/session.h"

enum { SESSION_BYTES_MAX = 1 << 30 };

static void init(nq_session *s) {
    *s = (nq_session){0};
    nq_arena_init(&s->arena, SESSION_BYTES_MAX);
    nq_ctx_init(&s->ctx, &s->arena);
}

nq_status session_open(nq_session *s) {
    const nq_sim_options disk_options = {.seed = 1};
    const nq_database_options options = {.checkpoint_log_bytes = 256 << 20};
    init(s);
    NQ_TRY(nq_sim_vfs_create(&s->ctx, &disk_options, &s->disk));
    return nq_database_open(&s->ctx, nq_sim_vfs_as_vfs(s->disk), "db", &options, &s->database);
}

void session_join(nq_session *s, const nq_session *other) {
    init(s);
    s->database = other->database;
}

void session_leave(nq_session *s) {
    if (s->transaction != NULL) {
        nq_transaction_rollback(s->transaction);
        s->transaction = NULL;
    }
    nq_arena_deinit(&s->arena);
}

void session_close(nq_session *s) {
    if (s->transaction != NULL) {
        nq_transaction_rollback(s->transaction);
    }
    if (s->database != NULL) {
        (void)(nq_database_close(&s->ctx, s->database) == NQ_OK);
    }
    nq_sim_vfs_destroy(s->disk);
    nq_arena_deinit(&s->arena);
}

static nq_status begin(nq_session *s, const nq_prepared *prepared) {
    if (s->transaction != NULL) {
        return nq_fail(&s->ctx, NQ_TRANSACTION_ACTIVE, "BEGIN inside a transaction");
    }
    nq_transaction_options options = nq_prepared_transaction_options(prepared);
    return nq_transaction_begin(&s->ctx, s->database, &options, &s->transaction);
}

static nq_status end(nq_session *s, bool commits) {
    nq_transaction *transaction = s->transaction;
    s->transaction = NULL;
    if (commits) {
        return nq_transaction_commit(&s->ctx, transaction, (nq_bytes){NULL, 0}, NULL);
    }
    nq_transaction_rollback(transaction);
    return NQ_OK;
}

static bool is_control(nq_statement_kind kind) {
    return kind >= NQ_STATEMENT_BEGIN && kind <= NQ_STATEMENT_RELEASE;
}

static nq_status control(nq_session *s, const nq_prepared *prepared) {
    nq_statement_kind kind = nq_prepared_kind(prepared);
    nq_bytes name = nq_prepared_savepoint_name(prepared);
    if (kind == NQ_STATEMENT_BEGIN) {
        return begin(s, prepared);
    }
    if (s->transaction == NULL) {
        return nq_fail(&s->ctx, NQ_TRANSACTION_NOT_FOUND, "no transaction is open");
    }
    switch (kind) {
    case NQ_STATEMENT_COMMIT:
        return end(s, true);
    case NQ_STATEMENT_ROLLBACK:
        return end(s, false);
    case NQ_STATEMENT_SAVEPOINT:
        return nq_transaction_savepoint(&s->ctx, s->transaction, name);
    case NQ_STATEMENT_ROLLBACK_TO:
        return nq_transaction_rollback_to(&s->ctx, s->transaction, name);
    default:
        return nq_transaction_release(&s->ctx, s->transaction, name);
    }
}

static nq_status read_rows(nq_session *s, nq_cursor *cursor, session_row visit, void *user,
                           uint64_t *out_affected) {
    nq_batch batch;
    do {
        NQ_TRY(nq_cursor_next(&s->ctx, cursor, s->rows_max, &batch));
        for (uint32_t row = 0; row < batch.row_count && visit != NULL; row++) {
            visit(user, &batch, row);
        }
    } while (batch.row_count > 0);
    if (out_affected != NULL) {
        nq_statement_stats stats;
        nq_cursor_get_stats(cursor, &stats);
        *out_affected = stats.rows_affected;
    }
    return NQ_OK;
}

nq_status session_run(nq_session *s, nq_bytes sql, const nq_parameter *parameters,
                      uint32_t parameter_count, session_row visit, void *user,
                      uint64_t *out_affected) {
    nq_prepared *prepared;
    nq_cursor *cursor;
    nq_arena_reset(&s->arena);
    NQ_TRY(nq_prepare(&s->ctx, s->database, s->transaction, sql, &prepared));
    nq_status status;
    if (is_control(nq_prepared_kind(prepared))) {
        status = control(s, prepared);
        nq_prepared_release(prepared);
        return status;
    }
    status = nq_cursor_open(&s->ctx, s->database, s->transaction, prepared, parameters,
                            parameter_count, (nq_bytes){NULL, 0}, &cursor);
    nq_prepared_release(prepared);
    if (status == NQ_OK) {
        status = read_rows(s, cursor, visit, user, out_affected);
        nq_cursor_close(cursor);
    }
    return status;
}
