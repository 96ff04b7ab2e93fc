/* EXPLAIN: the plan as nodes for programs, and as indented lines for people. With ANALYZE the
 * statement runs to its end under measurement, and whatever it wrote is rolled back. */
#include <stdarg.h>
#include <stdio.h>

#include "engine/api/api_internal.h"
#include "engine/ground/os/clock.h"
#include "engine/ground/os/entropy.h"
#include "engine/query/plan/explain.h"

const nq_column_info nq__explain_column = {
    .name = {(const uint8_t *)"QUERY PLAN", sizeof "QUERY PLAN" - 1},
    .type = {.id = NQ_TYPE_TEXT},
};

typedef struct explanation {
    nq_plan_node_info *nodes;
    uint32_t node_count;
} explanation;

static nq_status describe(nq_ctx *ctx, nq_arena *arena, const nq_plan *plan,
                          const nq_execution *execution, explanation *out) {
    nq_plan_line *lines;
    uint32_t line_count;
    NQ_TRY(nq_plan_describe(ctx, arena, plan, &lines, &line_count));
    nq_plan_node_info *nodes = nq_arena_calloc(arena, line_count, sizeof *nodes);
    if (nodes == NULL) {
        return nq_fail_no_memory(ctx, "a plan's description");
    }
    uint32_t measured_count = execution != NULL ? nq_exec_node_count(execution) : 0;
    for (uint32_t i = 0; i < line_count; i++) {
        nodes[i] = (nq_plan_node_info){
            .parent = lines[i].parent,
            .operator_name = lines[i].operator_name,
            .target = lines[i].target,
            .details = lines[i].details,
            .estimated_rows = lines[i].node->estimated_rows,
        };
        for (uint32_t j = 0; j < measured_count; j++) {
            nq_exec_node_stats stats;
            nq_exec_get_node_stats(execution, j, &stats);
            if (stats.node == lines[i].node) {
                nodes[i].actual_rows = stats.rows;
                nodes[i].actual_ns = stats.total_ns;
                nodes[i].loops = stats.loops;
            }
        }
    }
    *out = (explanation){nodes, line_count};
    return NQ_OK;
}

static nq_status analyze_plan(nq_ctx *ctx, const nq__run *run, nq_data_txn *txn,
                              const nq__binding *binding, nq_arena *arena, explanation *out) {
    nq_value *values;
    nq_execution *execution;
    NQ_TRY(nq__parameters_cast(ctx, run->arena, binding, run->parameters, run->parameter_count,
                               &values));
    const nq_exec_options options = {
        .txn = txn,
        .parameters = values,
        .now_us = nq_clock_realtime_us(),
        .random_seed = nq_entropy_seed(),
        .memory_bytes_max = run->database->statement_bytes_max,
        .measure = true,
    };
    NQ_TRY(nq_exec_open(ctx, binding->plan, &options, &execution));
    nq_status status = nq_exec_run(ctx, execution);
    if (status == NQ_OK) {
        status = describe(ctx, arena, binding->plan, execution, out);
    }
    nq_exec_close(execution);
    return status;
}

static nq_status explain_in(nq_ctx *ctx, const nq__run *run, nq_data_txn *txn, bool analyze,
                            nq_arena *arena, explanation *out) {
    nq__binding *binding;
    NQ_TRY(nq__prepared_bind(ctx, run->prepared, txn, &binding));
    nq_status status;
    if (binding->plan == NULL) {
        status = nq_fail(ctx, NQ_INVALID_ARGUMENT, "transaction control has no plan");
    } else if (analyze) {
        status = analyze_plan(ctx, run, txn, binding, arena, out);
    } else {
        status = describe(ctx, arena, binding->plan, NULL, out);
    }
    nq__binding_release(binding);
    return status;
}

static nq_status explain(nq_ctx *ctx, const nq__run *run, nq_transaction *transaction, bool analyze,
                         nq_arena *arena, explanation *out) {
    nq_data_txn *txn;
    if (transaction == NULL) {
        const nq_txn_options options = {.isolation = NQ_REPEATABLE_READ, .read_only = !analyze};
        NQ_TRY(nq_data_txn_begin(ctx, run->database->catalog, &options, &txn));
        nq_status status = explain_in(ctx, run, txn, analyze, arena, out);
        nq_data_txn_rollback(txn);
        return status;
    }
    txn = transaction->txn;
    nq_savepoint savepoint;
    NQ_TRY(nq_data_txn_statement_begin(ctx, txn));
    if (transaction->is_read_only) {
        return explain_in(ctx, run, txn, analyze, arena, out);
    }
    NQ_TRY(nq_data_txn_savepoint(ctx, txn, &savepoint));
    NQ_TRY(explain_in(ctx, run, txn, analyze, arena, out));
    NQ_TRY(nq_data_txn_rollback_to(ctx, txn, savepoint));
    nq_data_txn_release(txn, savepoint);
    return NQ_OK;
}

nq_status nq_explain(nq_ctx *ctx, nq_database *database, nq_transaction *transaction,
                     nq_prepared *prepared, const nq_parameter *parameters,
                     uint32_t parameter_count, bool analyze, nq_arena *arena,
                     nq_plan_node_info **out_nodes, uint32_t *out_node_count) {
    *out_nodes = NULL;
    *out_node_count = 0;
    explanation out = {0};
    const nq__run run = {
        .database = database,
        .prepared = prepared,
        .parameters = parameters,
        .parameter_count = parameter_count,
        .arena = arena,
    };
    nq_status status = transaction != NULL ? nq__transaction_enter(ctx, transaction) : NQ_OK;
    if (status != NQ_OK) {
        return status;
    }
    status = explain(ctx, &run, transaction, analyze || prepared->first->is_analyze, arena, &out);
    if (transaction != NULL) {
        nq__transaction_leave(transaction, status);
    }
    *out_nodes = out.nodes;
    *out_node_count = out.node_count;
    return status;
}

/* ---- Lines ---- */

enum { LINE_BYTES_MAX = 4096 };

typedef struct line_list {
    nq_bytes *items;
    uint32_t count;
    uint32_t capacity;
} line_list;

static nq_status add_line(nq_ctx *ctx, nq_arena *arena, line_list *list, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

static nq_status add_line(nq_ctx *ctx, nq_arena *arena, line_list *list, const char *format, ...) {
    char text[LINE_BYTES_MAX];
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (list->count == list->capacity) {
        uint32_t capacity = list->capacity == 0 ? 32 : list->capacity * 2;
        nq_bytes *items = nq_arena_calloc(arena, capacity, sizeof *items);
        if (items == NULL) {
            return nq_fail_no_memory(ctx, "a plan's description");
        }
        for (uint32_t i = 0; i < list->count; i++) {
            items[i] = list->items[i];
        }
        list->items = items;
        list->capacity = capacity;
    }
    size_t kept = (size_t)size < sizeof text ? (size_t)size : sizeof text - 1;
    nq_bytes copy = nq_arena_copy(arena, nq_bytes_of(text, kept));
    if (copy.data == NULL) {
        return nq_fail_no_memory(ctx, "a plan's description");
    }
    list->items[list->count++] = copy;
    return NQ_OK;
}

static int depth_of(const explanation *plan, uint32_t node) {
    int depth = 0;
    for (int32_t parent = plan->nodes[node].parent; parent >= 0;
         parent = plan->nodes[parent].parent) {
        depth++;
    }
    return depth;
}

static nq_status add_details(nq_ctx *ctx, nq_arena *arena, line_list *list, nq_bytes details,
                             int indent) {
    while (details.size > 0) {
        const uint8_t *end = memchr(details.data, '\n', details.size);
        size_t size = end != NULL ? (size_t)(end - details.data) : details.size;
        NQ_TRY(add_line(ctx, arena, list, "%*s%.*s", indent, "", (int)size,
                        (const char *)details.data));
        size += end != NULL;
        details = nq_bytes_of(details.data + size, details.size - size);
    }
    return NQ_OK;
}

static nq_status add_node(nq_ctx *ctx, nq_arena *arena, line_list *list, const explanation *plan,
                          uint32_t index, bool analyze) {
    const nq_plan_node_info *node = &plan->nodes[index];
    int indent = depth_of(plan, index) * 4;
    char actual[96] = "";
    if (analyze) {
        (void)snprintf(actual, sizeof actual, " (actual rows=%llu loops=%llu time=%.3f ms)",
                       (unsigned long long)node->actual_rows, (unsigned long long)node->loops,
                       (double)node->actual_ns / 1e6);
    }
    NQ_TRY(add_line(ctx, arena, list, "%*s%.*s%s%.*s  (rows=%.0f)%s", indent, "",
                    NQ_BYTES_FORMAT(node->operator_name), node->target.size > 0 ? " on " : "",
                    NQ_BYTES_FORMAT(node->target), node->estimated_rows, actual));
    return add_details(ctx, arena, list, node->details, indent + 2);
}

nq_status nq__explain_rows(nq_ctx *ctx, const nq__run *run, nq_transaction *transaction,
                           nq__run_result *out_result) {
    *out_result = (nq__run_result){0};
    bool analyze = run->prepared->first->is_analyze;
    explanation plan = {0};
    line_list list = {0};
    NQ_TRY(explain(ctx, run, transaction, analyze, run->arena, &plan));
    for (uint32_t i = 0; i < plan.node_count; i++) {
        NQ_TRY(add_node(ctx, run->arena, &list, &plan, i, analyze));
    }
    out_result->column_count = 1;
    out_result->columns = &nq__explain_column;
    for (uint32_t i = 0; i < list.count; i += NQ_BATCH_ROWS_MAX) {
        uint32_t left = list.count - i;
        const nq_vector column = {.type = NQ_TYPE(NQ_TYPE_TEXT), .bytes = list.items + i};
        const nq_batch batch = {left < NQ_BATCH_ROWS_MAX ? left : NQ_BATCH_ROWS_MAX, 1, &column};
        NQ_TRY(nq__rows_keep(ctx, run->arena, &out_result->rows, &batch));
    }
    return NQ_OK;
}
