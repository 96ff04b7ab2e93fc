/* Explain: the plan as nodes for programs and as indented text for people. */
#include <inttypes.h>
#include <stdio.h>

#include "engine/ground/os/clock.h"
#include "server/service/query_service_internal.h"
#include "server/wire/query_response.h"

enum { LINE_BYTES = 256, DEPTH_MAX = 64, INDENT = 6 };

/* Text that grows in the arena by doubling. */
typedef struct plan_text {
    nq_arena *arena;
    uint8_t *data;
    size_t size, capacity;
} plan_text;

static bool append(plan_text *text, const char *line, size_t bytes) {
    if (text->size + bytes > text->capacity) {
        size_t capacity = text->capacity * 2 > text->size + bytes ? text->capacity * 2
                                                                  : text->size + bytes + 1024;
        uint8_t *grown = nq_arena_alloc(text->arena, capacity);
        if (grown == NULL) {
            return false;
        }
        if (text->size > 0) {
            memcpy(grown, text->data, text->size);
        }
        text->data = grown;
        text->capacity = capacity;
    }
    memcpy(text->data + text->size, line, bytes);
    text->size += bytes;
    return true;
}

static bool append_line(plan_text *text, uint32_t indent, const char *mark, nq_bytes body,
                        const char *tail) {
    char line[LINE_BYTES];
    int bytes = snprintf(line, sizeof line, "%*s%s%.*s%s\n", (int)indent, "", mark,
                         NQ_BYTES_FORMAT(body), tail);
    if (bytes >= (int)sizeof line) {
        bytes = (int)sizeof line - 1;
        line[bytes - 1] = '\n';
    }
    return append(text, line, (size_t)bytes);
}

static uint32_t depth_of(const nq_plan_node_info *nodes, uint32_t index) {
    uint32_t depth = 0;
    for (int32_t at = nodes[index].parent; at >= 0 && depth < DEPTH_MAX; at = nodes[at].parent) {
        depth++;
    }
    return depth;
}

static bool append_details(plan_text *text, uint32_t indent, nq_bytes rest) {
    while (rest.size > 0) {
        const uint8_t *newline = memchr(rest.data, '\n', rest.size);
        size_t line_bytes = newline == NULL ? rest.size : (size_t)(newline - rest.data);
        if (!append_line(text, indent, "", nq_bytes_of(rest.data, line_bytes), "")) {
            return false;
        }
        size_t taken = newline == NULL ? rest.size : line_bytes + 1;
        rest = nq_bytes_of(rest.data + taken, rest.size - taken);
    }
    return true;
}

nq_status nq__explain_print(nq_ctx *ctx, const nq_plan_node_info *nodes, uint32_t node_count,
                            bool analyze, nq_bytes *out_text) {
    plan_text text = {.arena = ctx->scratch};
    for (uint32_t i = 0; i < node_count; i++) {
        const nq_plan_node_info *node = &nodes[i];
        char head[LINE_BYTES], tail[LINE_BYTES];
        uint32_t depth = depth_of(nodes, i);
        uint32_t indent = depth == 0 ? 0 : (depth - 1) * INDENT + 2;
        (void)snprintf(head, sizeof head, "%.*s%s%.*s", NQ_BYTES_FORMAT(node->operator_name),
                       node->target.size > 0 ? " on " : "", NQ_BYTES_FORMAT(node->target));
        if (analyze) {
            (void)snprintf(tail, sizeof tail,
                           "  (rows=%.0f) (actual rows=%" PRIu64 " loops=%" PRIu64 " time=%.3f ms)",
                           node->estimated_rows, node->actual_rows, node->loops,
                           (double)node->actual_ns / 1e6);
        } else {
            (void)snprintf(tail, sizeof tail, "  (rows=%.0f)", node->estimated_rows);
        }
        if (!append_line(&text, indent, depth == 0 ? "" : "->  ", nq_bytes_of_cstr(head), tail) ||
            !append_details(&text, indent + (depth == 0 ? 2 : INDENT), node->details)) {
            return nq_fail_no_memory(ctx, "the plan's text");
        }
    }
    *out_text = nq_bytes_of(text.data, text.size);
    return NQ_OK;
}

static nq_status explain(nq_ctx *ctx, nq_service *service, const nq_explain_request *request,
                         nq_writer *writer) {
    nq_run run;
    nq_run_end end;
    nq_plan_node_info *nodes = NULL;
    uint32_t node_count = 0;
    nq_bytes text = {0};
    NQ_TRY(nq_run_open(ctx, service, &request->statement, &request->selector, &run));
    nq_status status = nq_explain(ctx, service->database, run.transaction, run.prepared,
                                  request->statement.parameters, request->statement.parameter_count,
                                  request->analyze, ctx->scratch, &nodes, &node_count);
    status = nq_run_close(ctx, &run, status, (nq_bytes){0}, &end);
    if (status == NQ_OK) {
        status = nq__explain_print(ctx, nodes, node_count, request->analyze, &text);
    }
    nq_explain_response_write(writer, nodes, node_count, text);
    return status;
}

void nq__query_explain(nq_call *call, nq_bytes message) {
    nq_service *service = nq_call_service(call);
    nq_query_entry entry = {0};
    nq_ctx ctx;
    nq_writer writer;
    nq_explain_request request;
    nq_run_init_ctx(call, service, 0, &ctx);
    if (nq_explain_request_decode(&ctx, message, &request) != NQ_OK) {
        nq_call_fail(call, &ctx.error);
        return;
    }
    nq_query_registry_join(service->queries, &entry, call, request.statement.sql, (nq_bytes){0},
                           nq_clock_monotonic_ns());
    nq_writer_init(&writer, 1024, service->config->limit_response_bytes);
    if (explain(&ctx, service, &request, &writer) == NQ_OK) {
        nq__reply(call, &ctx, &writer);
    } else {
        nq_writer_deinit(&writer);
        nq_run_fail(call, &ctx, &entry);
    }
    nq_query_registry_leave(service->queries, &entry);
}
