/* SQL text over real tables: binding and planning never crash, a plan can be explained, and
 * whatever is refused is refused with a code and words. Statements are planned, not run. */
#include <stdlib.h>

#include "tests/sql/session.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool is_ok) {
    if (!is_ok) {
        abort();
    }
}

static nq_session *open_once(void) {
    static nq_session session;
    static bool is_open;
    static const char *const statements[] = {
        ("CREATE TABLE t (id SERIAL PRIMARY KEY, a INT, b TEXT DEFAULT 'x' || 'y', c BOOLEAN, "
         "d DOUBLE PRECISION CHECK (d > 0), e TIMESTAMP, f BYTEA)"),
        ("CREATE TABLE u (a SMALLINT, b VARCHAR(5), c CHAR(3), v BIGINT NOT NULL, "
         "PRIMARY KEY (a, b))"),
        "CREATE TABLE v (x DATE, y TIME, z UUID, w REAL)",
    };
    if (!is_open) {
        check(session_open(&session) == NQ_OK);
        for (size_t i = 0; i < sizeof(statements) / sizeof(statements[0]); i++) {
            check(session_run(&session, nq_bytes_of_cstr(statements[i]), NULL, 0, NULL, NULL,
                              NULL) == NQ_OK);
        }
        is_open = true;
    }
    return &session;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    nq_session *session = open_once();
    nq_arena arena;
    nq_ctx ctx;
    nq_arena_init(&arena, 256 << 20);
    nq_ctx_init(&ctx, &arena);
    nq_prepared *prepared = NULL;
    nq_status status =
        nq_prepare(&ctx, session->database, NULL, nq_bytes_of(data, size), &prepared);
    if (status == NQ_OK) {
        nq_statement_kind kind = nq_prepared_kind(prepared);
        bool has_plan = kind == NQ_STATEMENT_QUERY || kind == NQ_STATEMENT_WRITE;
        nq_plan_node_info *nodes;
        uint32_t count = 0;
        if (has_plan && nq_prepared_parameter_count(prepared) == 0) {
            status = nq_explain(&ctx, session->database, NULL, prepared, NULL, 0, false, &arena,
                                &nodes, &count);
            check(status != NQ_OK || count > 0);
        }
        nq_prepared_release(prepared);
    } else {
        check(prepared == NULL);
        check(ctx.error.message[0] != '\0');
        check(ctx.error.position.offset <= size);
    }
    check(status != NQ_BUG);
    nq_arena_deinit(&arena);
    return 0;
}
