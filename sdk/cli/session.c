/* Session: runs statements and shows what comes back. */
#include "sdk/cli/session.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "sdk/c/rpc.h"
#include "sdk/cli/interrupt.h"
#include "sdk/cli/split.h"

int nq_session_open(nq_session *session, const char *server, double timeout_s) {
    nq_failure failure;
    nq_client_options options = {.user_agent = "nq/0.1"};
    session->timeout_ms = (uint32_t)(timeout_s * 1000);
    options.timeout_ms = session->timeout_ms;
    session->output = stdout;
    if (nq_client_open(server, &options, &session->client, &failure) != NQ_CODE_OK) {
        fprintf(stderr, "nq: %s\n", failure.message);
        return NQ_EXIT_USAGE;
    }
    nq_interrupt_watch(session->client);
    return NQ_EXIT_OK;
}

void nq_session_close(nq_session *session) {
    nq_interrupt_watch(NULL);
    if (session->output != stdout && session->output != NULL) {
        fclose(session->output);
    }
    nq_client_close(session->client);
    session->client = NULL;
}

/* ---- Errors ---- */

/* The line of `sql` that holds byte `offset`, with a caret under it. */
static void show_place(const nq_failure *failure, const char *sql, size_t sql_bytes) {
    enum { WINDOW = 120 };
    size_t offset = failure->offset < sql_bytes ? failure->offset : sql_bytes;
    size_t start = offset;
    while (start > 0 && sql[start - 1] != '\n') {
        start--;
    }
    size_t end = offset;
    while (end < sql_bytes && sql[end] != '\n') {
        end++;
    }
    bool is_cut = offset - start > WINDOW;
    if (is_cut) {
        start = offset - WINDOW / 2;
        while (start < offset && ((unsigned char)sql[start] & 0xc0) == 0x80) {
            start++;
        }
    }
    if (end - start > 2 * WINDOW) {
        end = start + 2 * WINDOW;
    }
    char prefix[48];
    snprintf(prefix, sizeof prefix, "LINE %u: %s", (unsigned)failure->line, is_cut ? "..." : "");
    nq_text line = {0};
    nq_text_append(&line, sql + start, end - start);
    for (size_t i = 0; i < line.bytes; i++) {
        line.data[i] = line.data[i] == '\t' || line.data[i] == '\r' ? ' ' : line.data[i];
    }
    size_t caret = strlen(prefix) + nq_display_width(nq_text_string(&line), offset - start);
    fprintf(stderr, "%s%s\n%*s^\n", prefix, nq_text_string(&line), (int)caret, "");
    nq_text_deinit(&line);
}

/* The message without the place, which the server writes into it for clients that cannot show it.
 */
static size_t message_bytes(const nq_failure *failure, const char *message) {
    if (failure->line == 0) {
        return strlen(message);
    }
    char place[64];
    snprintf(place, sizeof place, " (line %u, column %u)", (unsigned)failure->line,
             (unsigned)failure->column);
    const char *lines = strstr(message, "\nLINE ");
    size_t bytes = lines != NULL ? (size_t)(lines - message) : strlen(message);
    size_t place_bytes = strlen(place);
    bool ends_with_place =
        bytes > place_bytes && strncmp(message + bytes - place_bytes, place, place_bytes) == 0;
    return ends_with_place ? bytes - place_bytes : bytes;
}

int nq_session_report(const nq_failure *failure, const char *sql, size_t sql_bytes) {
    const char *message =
        failure->message[0] != '\0' ? failure->message : nq_code_name(failure->code);
    fflush(stdout);
    fprintf(stderr, "ERROR:  %.*s\n", (int)message_bytes(failure, message), message);
    if (sql != NULL && failure->line != 0) {
        show_place(failure, sql, sql_bytes);
    }
    if (failure->hint[0] != '\0') {
        fprintf(stderr, "HINT:  %s\n", failure->hint);
    }
    fprintf(stderr, "CODE:  %s%s%s%s%s\n", nq_code_name(failure->code),
            failure->reason[0] != '\0' ? " " : "", failure->reason,
            failure->sqlstate[0] != '\0' ? " " : "", failure->sqlstate);
    if (failure->code == NQ_CODE_CANCELLED && nq_interrupt_pending()) {
        return NQ_EXIT_INTERRUPTED;
    }
    return NQ_EXIT_CALL + failure->code;
}

/* ---- Running ---- */

static bool is_one_of(const char *word, const char *const *list) {
    for (; *list != NULL; list++) {
        if (strcmp(word, *list) == 0) {
            return true;
        }
    }
    return false;
}

/* Rows are streamed; everything else is one message there and one back, and so is what opens, ends
 * or names transactions: only Execute tells which one is open afterwards. */
static nq_delivery_mode mode_of(const nq_session *session, const char *word, const char *sql,
                                size_t sql_bytes) {
    static const char *const queries[] = {"SELECT", "WITH", "VALUES", "TABLE", NULL};
    static const char *const writes[] = {"INSERT", "UPDATE", "DELETE", NULL};
    bool has_rows = is_one_of(word, queries) || sql[0] == '(' ||
                    (is_one_of(word, writes) && nq_statement_has_word(sql, sql_bytes, "RETURNING"));
    return has_rows && !session->cannot_stream ? NQ_DELIVERY_STREAM : NQ_DELIVERY_WHOLE;
}

static int print_rows(nq_session *session, nq_rows *rows, nq_failure *failure, bool *out_failed) {
    size_t column_count;
    const nq_column *columns = nq_rows_columns(rows, &column_count);
    nq_printer *printer = column_count != 0 ? nq_printer_create(session->output, &session->print,
                                                                columns, column_count)
                                            : NULL;
    nq_datum *row = nq_must_allocate((column_count + 1) * sizeof *row);
    const nq_row_batch *batch;
    nq_step step;
    while ((step = nq_rows_next(rows, &batch, failure)) == NQ_STEP_ITEM) {
        uint32_t count = printer != NULL ? nq_row_batch_count(batch) : 0;
        for (uint32_t i = 0; i < count; i++) {
            for (size_t j = 0; j < column_count; j++) {
                row[j] = nq_row_batch_get(batch, j, i);
            }
            nq_printer_row(printer, row);
        }
    }
    *out_failed = step == NQ_STEP_FAILED;
    int exit_code = NQ_EXIT_OK;
    if (printer != NULL) {
        if (!nq_printer_finish(printer, step == NQ_STEP_END)) {
            fputs("nq: the output cannot be written\n", stderr);
            exit_code = NQ_EXIT_LOCAL;
        }
        nq_printer_destroy(printer);
    }
    free(row);
    return exit_code;
}

static void keep_transaction(nq_session *session, const nq_rows_summary *summary) {
    session->transaction_failed = false;
    session->transaction_id_bytes = 0;
    if (summary->transaction_id_bytes <= sizeof session->transaction_id) {
        session->transaction_id_bytes = summary->transaction_id_bytes;
        if (summary->transaction_id_bytes != 0) {
            memcpy(session->transaction_id, summary->transaction_id, summary->transaction_id_bytes);
        }
    }
}

/* A transaction that the server no longer has must not be sent again. */
static void note_failure(nq_session *session, const nq_failure *failure) {
    if (session->transaction_id_bytes == 0) {
        return;
    }
    bool is_gone = strcmp(failure->reason, "TRANSACTION_NOT_FOUND") == 0 ||
                   strcmp(failure->reason, "IDLE_TIMEOUT") == 0 ||
                   failure->code == NQ_CODE_UNAVAILABLE;
    if (is_gone) {
        session->transaction_id_bytes = 0;
        fputs("NOTE:  the transaction is gone; what it did is undone\n", stderr);
    }
    session->transaction_failed = !is_gone;
}

/* What psql says after a statement without rows. */
static void print_tag(const nq_session *session, const char *word, const char *sql,
                      size_t sql_bytes, uint64_t rows_affected) {
    static const char *const counted[] = {"UPDATE", "DELETE", "MERGE", NULL};
    static const char *const two_words[] = {"CREATE", "DROP", "ALTER", NULL};
    if (session->is_quiet || session->print.format > NQ_OUTPUT_EXPANDED) {
        return;
    }
    fprintf(session->output, "%s", word);
    if (strcmp(word, "INSERT") == 0) {
        fprintf(session->output, " 0 %llu", (unsigned long long)rows_affected);
    } else if (is_one_of(word, counted)) {
        fprintf(session->output, " %llu", (unsigned long long)rows_affected);
    } else if (is_one_of(word, two_words)) {
        const char *end = sql + sql_bytes;
        const char *second = sql + strlen(word);
        char object[32];
        nq_statement_first_word(second, (size_t)(end - second), object, sizeof object);
        fprintf(session->output, " %s", strcmp(object, "UNIQUE") == 0 ? "INDEX" : object);
    }
    fputc('\n', session->output);
    fflush(session->output);
}

static double seconds_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static nq_code open_rows(nq_session *session, const char *sql, nq_delivery_mode mode,
                         nq_rows **out_rows, nq_failure *failure) {
    nq_query query = {.sql = sql,
                      .transaction_id = session->transaction_id,
                      .transaction_id_bytes = session->transaction_id_bytes,
                      .mode = mode,
                      .timeout_ms = session->timeout_ms};
    nq_code code = nq_client_query(session->client, &query, out_rows, failure);
    if (code == NQ_CODE_UNIMPLEMENTED && mode == NQ_DELIVERY_STREAM &&
        strcmp(failure->reason, "FEATURE_UNSUPPORTED") != 0) {
        session->cannot_stream = true;
        query.mode = NQ_DELIVERY_WHOLE;
        code = nq_client_query(session->client, &query, out_rows, failure);
    }
    return code;
}

int nq_session_run(nq_session *session, const char *sql, size_t sql_bytes) {
    char word[32];
    char *text = nq_must_copy(sql, sql_bytes);
    nq_failure failure;
    nq_rows *rows = NULL;
    bool failed = false;
    int exit_code = NQ_EXIT_OK;
    double started = seconds_now();
    nq_statement_first_word(sql, sql_bytes, word, sizeof word);
    nq_delivery_mode mode = mode_of(session, word, sql, sql_bytes);

    if (open_rows(session, text, mode, &rows, &failure) != NQ_CODE_OK) {
        failed = true;
    } else {
        size_t column_count;
        nq_rows_columns(rows, &column_count);
        exit_code = print_rows(session, rows, &failure, &failed);
        nq_rows_summary summary = nq_rows_get_summary(rows);
        if (!failed && mode == NQ_DELIVERY_WHOLE) {
            keep_transaction(session, &summary);
        }
        if (!failed && column_count == 0) {
            print_tag(session, word, sql, sql_bytes, summary.rows_affected);
        }
    }
    nq_rows_close(rows);
    if (failed) {
        exit_code = nq_session_report(&failure, sql, sql_bytes);
        note_failure(session, &failure);
    }
    if (session->shows_timing) {
        fprintf(session->output, "Time: %.3f ms\n", (seconds_now() - started) * 1e3);
    }
    free(text);
    return exit_code;
}

int nq_session_run_all(nq_session *session, const char *sql, size_t sql_bytes, bool keep_going) {
    int exit_code = NQ_EXIT_OK;
    size_t at = 0;
    while (at < sql_bytes) {
        nq_statement_span span = nq_statement_find(sql, sql_bytes, at);
        at = span.next;
        if (span.is_empty) {
            continue;
        }
        int code = nq_session_run(session, sql + span.start, span.end - span.start);
        exit_code = exit_code == NQ_EXIT_OK ? code : exit_code;
        if (code != NQ_EXIT_OK && (!keep_going || nq_interrupt_pending())) {
            break;
        }
    }
    return exit_code;
}

int nq_session_call(nq_session *session, const char *method, const ProtobufCMessage *request,
                    const ProtobufCMessageDescriptor *response_type,
                    ProtobufCMessage **out_response) {
    nq_failure failure;
    nq_code code = nq_client_call_unary(session->client, method, request, response_type, 0,
                                        out_response, &failure);
    return code == NQ_CODE_OK ? NQ_EXIT_OK : nq_session_report(&failure, NULL, 0);
}
