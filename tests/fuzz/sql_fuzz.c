/* SQL text: parsing never crashes, and what parses prints to text that parses and prints the same.
 */
#include <stdlib.h>

#include "engine/query/sql/parse.h"
#include "engine/query/sql/print.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool is_ok) {
    if (!is_ok) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    nq_arena arena;
    nq_ctx ctx;
    nq_arena_init(&arena, 64 << 20);
    nq_ctx_init(&ctx, &arena);
    nq_ast_statement *first, *second;
    nq_bytes sql = nq_bytes_of(data, size), once, twice;
    if (nq_parse(&ctx, &arena, sql, &first) == NQ_OK) {
        check(nq_ast_print(&ctx, &arena, first, &once) == NQ_OK);
        nq_status status = nq_parse(&ctx, &arena, once, &second);
        /* The text with all its parentheses may pass a limit that the shorter one did not. */
        bool is_limit = status == NQ_STATEMENT_TOO_COMPLEX || status == NQ_LIMIT_EXCEEDED ||
                        status == NQ_MEMORY_LIMIT;
        check(status == NQ_OK || is_limit);
        if (status == NQ_OK) {
            check(nq_ast_print(&ctx, &arena, second, &twice) == NQ_OK);
            check(nq_bytes_equal(once, twice));
        }
    } else {
        char caret[300];
        check(first == NULL);
        check(ctx.error.position.offset <= size);
        (void)nq_sql_caret(sql, ctx.error.position, caret, sizeof(caret));
    }
    nq_arena_deinit(&arena);
    return 0;
}
