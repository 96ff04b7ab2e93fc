/* Completing rows: casts, defaults, generated numbers, checks.
 *
 * Defaults are evaluated by the engine itself, once for each batch, as the query
 *
 *     SELECT (default), (default) FROM generate_series(1, $1)
 *
 * and checks come bound from the plan of an INSERT into the table, whose meaning they must share.
 */
#include <string.h>

#include "engine/api/ingest_internal.h"
#include "engine/ground/base/utf8.h"
#include "engine/ground/os/clock.h"
#include "engine/ground/os/entropy.h"

enum { SOURCE_MISSING = -1 };

struct nq__ingest_filler {
    nq_database *database;
    const nq_table *table;
    int32_t *sources;    /* for each of the table's columns: the given one, or SOURCE_MISSING */
    nq_type *types;      /* of the table */
    uint32_t *defaulted; /* columns that take their default */
    uint32_t defaulted_count;
    nq_prepared *defaults; /* NULL: none */
    nq_prepared *insert;   /* owns the checks; NULL: there are none */
    nq_program *check_program;
    const nq_plan_insert *checks;
    nq_eval_env env;
    nq_rng rng;
};

/* ---- Making SQL ---- */

typedef struct text_builder {
    nq_arena *arena;
    uint8_t *data; /* NULL while only measuring */
    size_t size;
} text_builder;

static void add(text_builder *text, nq_bytes piece) {
    if (text->data != NULL && piece.size > 0) {
        memcpy(text->data + text->size, piece.data, piece.size);
    }
    text->size += piece.size;
}

static void add_quoted(text_builder *text, nq_bytes name) {
    add(text, NQ_BYTES_LITERAL("\""));
    for (size_t i = 0; i < name.size; i++) {
        add(text, nq_bytes_of(name.data + i, 1));
        if (name.data[i] == '"') {
            add(text, NQ_BYTES_LITERAL("\""));
        }
    }
    add(text, NQ_BYTES_LITERAL("\""));
}

static void write_defaults(text_builder *text, const nq__ingest_filler *filler) {
    add(text, NQ_BYTES_LITERAL("SELECT "));
    for (uint32_t i = 0; i < filler->defaulted_count; i++) {
        add(text, i == 0 ? NQ_BYTES_LITERAL("(") : NQ_BYTES_LITERAL(", ("));
        add(text, filler->table->definition.columns[filler->defaulted[i]].default_sql);
        add(text, NQ_BYTES_LITERAL(")"));
    }
    add(text, NQ_BYTES_LITERAL(" FROM generate_series(1, $1)"));
}

/* INSERT INTO t (a, b) VALUES (NULL, NULL): only its checks are wanted. */
static void write_insert(text_builder *text, const nq__ingest_filler *filler) {
    const nq_table_definition *definition = &filler->table->definition;
    add(text, NQ_BYTES_LITERAL("INSERT INTO "));
    add_quoted(text, definition->name);
    for (uint32_t pass = 0; pass < 2; pass++) {
        bool is_first = true;
        add(text, pass == 0 ? NQ_BYTES_LITERAL(" (") : NQ_BYTES_LITERAL(") VALUES ("));
        for (uint32_t i = 0; i < definition->column_count; i++) {
            if (definition->columns[i].generation == NQ_GENERATED_ALWAYS) {
                continue;
            }
            if (!is_first) {
                add(text, NQ_BYTES_LITERAL(", "));
            }
            is_first = false;
            if (pass == 0) {
                add_quoted(text, definition->columns[i].name);
            } else {
                add(text, NQ_BYTES_LITERAL("NULL"));
            }
        }
    }
    add(text, NQ_BYTES_LITERAL(")"));
}

static nq_status prepare_text(nq_ctx *ctx, const nq__ingest_filler *filler, nq_arena *arena,
                              void (*write)(text_builder *text, const nq__ingest_filler *filler),
                              nq_prepared **out_prepared) {
    text_builder text = {.arena = arena};
    write(&text, filler);
    text = (text_builder){.arena = arena, .data = nq_arena_alloc(arena, text.size)};
    if (text.data == NULL) {
        return nq_fail_no_memory(ctx, "a bulk load");
    }
    write(&text, filler);
    return nq_prepare(ctx, filler->database, NULL, nq_bytes_of(text.data, text.size), out_prepared);
}

/* ---- Creating ---- */

static nq_status compile_checks(nq_ctx *ctx, nq__ingest_filler *filler, nq_arena *arena) {
    NQ_TRY(prepare_text(ctx, filler, arena, write_insert, &filler->insert));
    const nq_plan_insert *insert = &filler->insert->first->plan->root->insert;
    const nq_expr **conditions = nq_arena_calloc(arena, insert->check_count, sizeof *conditions);
    if (conditions == NULL) {
        return nq_fail_no_memory(ctx, "a bulk load");
    }
    for (uint32_t i = 0; i < insert->check_count; i++) {
        conditions[i] = insert->checks[i].condition;
    }
    filler->checks = insert;
    filler->rng.state = nq_entropy_seed();
    filler->env = (nq_eval_env){.rng = &filler->rng};
    return nq_program_create(ctx, arena, &filler->env, conditions, insert->check_count,
                             &filler->check_program);
}

nq_status nq__ingest_filler_create(nq_ctx *ctx, nq_database *database, nq_arena *arena,
                                   const nq_table *table, const uint32_t *targets,
                                   uint32_t target_count, nq__ingest_filler **out_filler) {
    uint32_t column_count = table->definition.column_count;
    nq__ingest_filler *filler = nq_arena_calloc(arena, 1, sizeof *filler);
    int32_t *sources = nq_arena_calloc(arena, column_count, sizeof *sources);
    uint32_t *defaulted = nq_arena_calloc(arena, column_count, sizeof *defaulted);
    *out_filler = filler;
    if (filler == NULL || sources == NULL || defaulted == NULL) {
        return nq_fail_no_memory(ctx, "a bulk load");
    }
    filler->database = database;
    filler->table = table;
    filler->types = table->column_types;
    filler->sources = sources;
    filler->defaulted = defaulted;
    for (uint32_t i = 0; i < column_count; i++) {
        sources[i] = SOURCE_MISSING;
    }
    for (uint32_t i = 0; i < target_count; i++) {
        sources[targets[i]] = (int32_t)i;
    }
    for (uint32_t i = 0; i < column_count; i++) {
        const nq_column_definition *column = &table->definition.columns[i];
        if (sources[i] == SOURCE_MISSING && column->default_sql.size > 0) {
            defaulted[filler->defaulted_count++] = i;
        }
    }
    if (filler->defaulted_count > 0) {
        NQ_TRY(prepare_text(ctx, filler, arena, write_defaults, &filler->defaults));
    }
    return table->definition.check_count > 0 ? compile_checks(ctx, filler, arena) : NQ_OK;
}

void nq__ingest_filler_destroy(nq__ingest_filler *filler) {
    if (filler != NULL) {
        nq_prepared_release(filler->defaults);
        nq_prepared_release(filler->insert);
    }
}

/* ---- Filling ---- */

static bool is_widening(nq_type_id source, nq_type_id target) {
    return nq_type_is_integer(source) && nq_type_is_integer(target) && source <= target;
}

/* Whether every value of the one type is already a value of the other, held alike. */
static bool passes_through(nq_type source, nq_type target) {
    if (target.id == NQ_TYPE_TEXT) {
        return source.id == NQ_TYPE_TEXT && target.length_max == 0;
    }
    return source.id == target.id || is_widening(source.id, target.id) ||
           (source.id == NQ_TYPE_FLOAT32 && target.id == NQ_TYPE_FLOAT64);
}

static nq_status check_text(nq_ctx *ctx, const nq_vector *column, uint32_t row_count) {
    for (uint32_t i = 0; i < row_count; i++) {
        if ((column->nulls == NULL || column->nulls[i] == 0) &&
            !nq_utf8_is_text(column->bytes[i])) {
            return nq_fail(ctx, NQ_INVALID_UTF8, "a text in row %u of a batch is not valid UTF-8",
                           i);
        }
    }
    return NQ_OK;
}

static nq_status cast_cell(nq_ctx *ctx, nq_arena *arena, nq_value value, nq_type target,
                           nq_batch_builder *builder, uint32_t row) {
    /* A text takes the type of its column, as a literal would. */
    value.type = value.type == NQ_TYPE_TEXT ? NQ_TYPE_UNKNOWN : value.type;
    nq_value cast;
    NQ_TRY(nq_value_cast(ctx, arena, value, target, true, &cast));
    builder->row_count = row;
    return nq_batch_builder_set(ctx, builder, 0, cast);
}

static nq_status cast_column(nq_ctx *ctx, nq_arena *arena, const nq_batch *source, uint32_t column,
                             nq_type target, nq_vector *out_vector) {
    nq_batch_builder builder;
    NQ_TRY(nq_batch_builder_init(ctx, &builder, arena, NULL, &target, 1, source->row_count));
    for (uint32_t row = 0; row < source->row_count; row++) {
        NQ_TRY(cast_cell(ctx, arena, nq_batch_value(source, column, row), target, &builder, row));
    }
    *out_vector = nq_batch_builder_batch(&builder).columns[0];
    return NQ_OK;
}

static nq_status fill_given(nq_ctx *ctx, const nq__ingest_filler *filler, nq_arena *arena,
                            const nq_batch *given, uint32_t column, nq_vector *out_vector) {
    uint32_t source = (uint32_t)filler->sources[column];
    nq_type target = filler->types[column];
    const nq_vector *vector = &given->columns[source];
    if (vector->type.id == NQ_TYPE_TEXT) {
        NQ_TRY(check_text(ctx, vector, given->row_count));
    }
    if (!passes_through(vector->type, target)) {
        return cast_column(ctx, arena, given, source, target, out_vector);
    }
    *out_vector = *vector;
    out_vector->type = target;
    return NQ_OK;
}

static nq_status fill_null(nq_ctx *ctx, nq_arena *arena, uint32_t row_count, nq_type type,
                           nq_vector *out_vector) {
    uint8_t *nulls = nq_arena_alloc(arena, row_count);
    void *values = nq_arena_calloc(arena, row_count, nq_form_bytes(nq_type_form(type.id)));
    if (nulls == NULL || values == NULL) {
        return nq_fail_no_memory(ctx, "a batch");
    }
    memset(nulls, 1, row_count);
    *out_vector = (nq_vector){.type = type, .nulls = nulls, .values = values};
    return NQ_OK;
}

static nq_status fill_numbers(nq_ctx *ctx, const nq__ingest_filler *filler, nq_data_txn *txn,
                              nq_arena *arena, uint32_t row_count, uint32_t column,
                              nq_vector *out_vector) {
    int64_t first;
    int64_t *numbers = nq_arena_calloc(arena, row_count, sizeof *numbers);
    if (numbers == NULL) {
        return nq_fail_no_memory(ctx, "a batch");
    }
    NQ_TRY(nq_data_txn_next_numbers(ctx, txn, filler->table, column, row_count, &first));
    for (uint32_t i = 0; i < row_count; i++) {
        numbers[i] = first + i;
    }
    *out_vector = (nq_vector){.type = filler->types[column], .integers = numbers};
    return NQ_OK;
}

static nq_status fill_defaults(nq_ctx *ctx, const nq__ingest_filler *filler, nq_arena *arena,
                               uint32_t row_count, nq_vector *vectors) {
    const nq_parameter count = {.position = 1, .value = NQ_VALUE_INT64(row_count)};
    nq_cursor *cursor;
    nq_batch batch;
    NQ_TRY(nq_cursor_open(ctx, filler->database, NULL, filler->defaults, &count, 1,
                          (nq_bytes){NULL, 0}, &cursor));
    nq_status status = nq_cursor_next(ctx, cursor, row_count, &batch);
    if (status == NQ_OK && batch.row_count != row_count) {
        status = nq_fail(ctx, NQ_BUG, "%u defaults for %u rows", batch.row_count, row_count);
    }
    /* Cast even where the types agree: the copy outlives the cursor. */
    for (uint32_t i = 0; status == NQ_OK && i < filler->defaulted_count; i++) {
        uint32_t column = filler->defaulted[i];
        nq__kept_rows kept = {0};
        const nq_batch one = {row_count, 1, &batch.columns[i]};
        status = nq__rows_keep(ctx, arena, &kept, &one);
        if (status == NQ_OK) {
            status = cast_column(ctx, arena, &kept.first->batch, 0, filler->types[column],
                                 &vectors[column]);
        }
    }
    nq_cursor_close(cursor);
    return status;
}

static nq_status run_checks(nq_ctx *ctx, nq__ingest_filler *filler, nq_arena *arena,
                            const nq_batch *rows) {
    const nq_vector *results;
    filler->env.now_us = nq_clock_realtime_us();
    NQ_TRY(nq_program_run(ctx, filler->check_program, arena, rows, &results));
    for (uint32_t i = 0; i < filler->checks->check_count; i++) {
        for (uint32_t row = 0; row < rows->row_count; row++) {
            bool is_null = results[i].nulls != NULL && results[i].nulls[row] != 0;
            if (is_null || results[i].booleans[row] != 0) {
                continue;
            }
            nq_bytes name = filler->checks->checks[i].name;
            nq_status status =
                nq_fail(ctx, NQ_CHECK_VIOLATION,
                        "new row for table \"%.*s\" violates check constraint \"%.*s\"",
                        NQ_BYTES_FORMAT(filler->table->definition.name), NQ_BYTES_FORMAT(name));
            nq_error_set_object(&ctx->error, (const char *)name.data, name.size);
            return status;
        }
    }
    return NQ_OK;
}

nq_status nq__ingest_fill(nq_ctx *ctx, nq__ingest_filler *filler, nq_data_txn *txn, nq_arena *arena,
                          const nq_batch *given, nq_batch *out_rows) {
    const nq_table_definition *definition = &filler->table->definition;
    nq_vector *vectors = nq_arena_calloc(arena, definition->column_count, sizeof *vectors);
    *out_rows = (nq_batch){0};
    if (vectors == NULL) {
        return nq_fail_no_memory(ctx, "a batch");
    }
    if (given->row_count > NQ_BATCH_ROWS_MAX) {
        return nq_fail(ctx, NQ_INVALID_ARGUMENT, "a batch has at most %d rows", NQ_BATCH_ROWS_MAX);
    }
    for (uint32_t i = 0; i < definition->column_count; i++) {
        if (filler->sources[i] != SOURCE_MISSING) {
            NQ_TRY(fill_given(ctx, filler, arena, given, i, &vectors[i]));
        } else if (definition->columns[i].generation != NQ_GENERATED_NEVER) {
            NQ_TRY(fill_numbers(ctx, filler, txn, arena, given->row_count, i, &vectors[i]));
        } else if (definition->columns[i].default_sql.size == 0) {
            NQ_TRY(fill_null(ctx, arena, given->row_count, filler->types[i], &vectors[i]));
        }
    }
    if (filler->defaults != NULL) {
        NQ_TRY(fill_defaults(ctx, filler, arena, given->row_count, vectors));
    }
    *out_rows = (nq_batch){given->row_count, definition->column_count, vectors};
    return filler->check_program != NULL ? run_checks(ctx, filler, arena, out_rows) : NQ_OK;
}
