/* Import: sends the file's records as a load, shows how far it is, and takes it up again after a
 * cut.
 *
 * The server keeps the number of durable rows with them, under the ingest id. Whatever happened —
 * this program killed, the server killed, the cable pulled — the load goes on at that row. */
#include "sdk/cli/import.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "sdk/cli/import_internal.h"
#include "sdk/cli/infer.h"
#include "sdk/cli/interrupt.h"
#include "sdk/cli/literal.h"

typedef struct import_run {
    nq_session *session;
    const nq_import_options *options;
    nq_import_plan plan;
    nq_import_source source;
    nq_load load;
    uint64_t rows_before; /* durable before this command */
    uint64_t rows_total;  /* durable, of the whole load */
    bool has_begun;
    bool shows_progress;
    double started;
    double shown; /* when the progress was last drawn */
} import_run;

static double seconds_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void pause_briefly(void) {
    struct timespec pause = {.tv_nsec = 200 * 1000 * 1000};
    nanosleep(&pause, NULL);
}

static void draw_progress(import_run *run, uint64_t rows, bool is_last) {
    enum { BAR = 30 };
    double now = seconds_now();
    if (!run->shows_progress || (!is_last && now - run->shown < 0.1)) {
        return;
    }
    run->shown = now;
    if (is_last) {
        fputs("\r\033[K", stderr);
        return;
    }
    nq_text line = {0};
    double fraction = run->plan.record_count != 0 ? (double)rows / (double)run->plan.record_count
                                                  : nq__import_source_fraction(&run->source);
    nq_text_append_string(&line, "\r\033[K");
    if (fraction >= 0) {
        int filled = (int)(fraction * BAR);
        nq_text_append_char(&line, '[');
        for (int i = 0; i < BAR; i++) {
            nq_text_append_char(&line, i < filled ? '#' : '.');
        }
        nq_text_append_format(&line, "] %3.0f%% ", fraction * 100);
    }
    nq_text_append_count(&line, rows);
    nq_text_append_string(&line, " rows, ");
    nq_text_append_count(&line, (uint64_t)((double)rows / (now - run->started + 1e-9)));
    nq_text_append_string(&line, "/s");
    fputs(nq_text_string(&line), stderr);
    nq_text_deinit(&line);
}

static int bad_value(const import_run *run, const nq_csv_reader *reader, size_t column) {
    const nq_csv_field *field = &reader->fields[column];
    fprintf(stderr, "nq: line %" PRIu64 ", column \"%s\": '%.*s' is no %s\n", reader->line,
            run->plan.names[column], (int)(field->bytes < 80 ? field->bytes : 80), field->text,
            nq_data_type_sql(run->plan.types[column]));
    return NQ_EXIT_LOCAL;
}

/* One record into a row. */
static int convert(const import_run *run, const nq_csv_reader *reader, nq_datum *row) {
    size_t count = run->plan.column_count;
    if (reader->field_count != count) {
        fprintf(stderr, "nq: line %" PRIu64 ": %zu fields where %zu were expected\n", reader->line,
                reader->field_count, count);
        return NQ_EXIT_LOCAL;
    }
    for (size_t i = 0; i < count; i++) {
        if (!nq_datum_from_field(&reader->fields[i], run->plan.types[i], run->options->null_text,
                                 &row[i])) {
            return bad_value(run, reader, i);
        }
    }
    return NQ_EXIT_OK;
}

/* Sends every record from row `offset` on. A failed call is left in `failure`. */
static int send_records(import_run *run, nq_csv_reader *reader, nq_loader *loader, uint64_t offset,
                        nq_failure *failure) {
    nq_datum *row = nq_must_allocate(run->plan.column_count * sizeof *row);
    uint64_t seen = 0;
    int exit_code = NQ_EXIT_OK;
    bool skip_header = run->plan.has_header;
    nq_csv_step step;
    while (exit_code == NQ_EXIT_OK && (step = nq_csv_reader_next(reader)) != NQ_CSV_END) {
        if (step == NQ_CSV_ERROR) {
            fprintf(stderr, "nq: line %" PRIu64 ": %s\n", reader->line, reader->error);
            exit_code = NQ_EXIT_LOCAL;
        } else if (skip_header) {
            skip_header = false;
        } else if (seen++ >= offset) {
            exit_code = convert(run, reader, row);
            if (exit_code == NQ_EXIT_OK) {
                nq_code code = nq_loader_append(loader, row, failure);
                exit_code = code == NQ_CODE_OK ? NQ_EXIT_OK : NQ_EXIT_CALL + code;
            }
            if ((seen & 1023) == 0) {
                draw_progress(run, seen, false);
            }
        }
    }
    free(row);
    return exit_code;
}

/* One call, from the stored offset to the end. NQ_EXIT_CALL + code: see `failure`. */
static int run_once(import_run *run, nq_failure *failure) {
    nq_client *client = run->session->client;
    uint64_t offset = 0;
    nq_loader *loader = NULL;
    nq_code code = NQ_CODE_OK;
    if (run->load.ingest_id != NULL) {
        code = nq_client_load_offset(client, &run->load, &offset, failure);
    }
    if (code == NQ_CODE_OK) {
        run->rows_total = offset;
        run->rows_before = run->has_begun ? run->rows_before : offset;
        run->has_begun = true;
        code = nq_client_load(client, &run->load, offset, &loader, failure);
    }
    if (code != NQ_CODE_OK) {
        return NQ_EXIT_CALL + code;
    }
    if (offset != 0 && !run->session->is_quiet) {
        fprintf(stderr, "nq: %" PRIu64 " rows are there already; going on behind them\n", offset);
    }
    int exit_code = nq__import_source_open(&run->source);
    if (exit_code == NQ_EXIT_OK) {
        nq_csv_reader reader;
        nq_csv_reader_init(&reader, run->source.file, run->plan.delimiter);
        exit_code = send_records(run, &reader, loader, offset, failure);
        nq_csv_reader_deinit(&reader);
        int close_code = nq__import_source_close(&run->source);
        exit_code = exit_code == NQ_EXIT_OK ? close_code : exit_code;
    }
    if (exit_code == NQ_EXIT_OK) {
        nq_load_result result;
        code = nq_loader_finish(loader, &result, failure);
        exit_code = code == NQ_CODE_OK ? NQ_EXIT_OK : NQ_EXIT_CALL + code;
        run->rows_total = result.next_offset;
    }
    nq_loader_close(loader);
    return exit_code;
}

/* Whether the same call may succeed when the server is back, and there is a place to go on from. */
static bool may_retry(const import_run *run, int exit_code, const nq_failure *failure) {
    return exit_code >= NQ_EXIT_CALL && failure->code == NQ_CODE_UNAVAILABLE &&
           run->load.ingest_id != NULL && !nq_interrupt_pending();
}

static int run_until_done(import_run *run) {
    nq_failure failure = {0};
    double waiting_since = 0;
    bool is_waiting = false;
    for (;;) {
        uint64_t before = run->rows_total;
        int exit_code = run_once(run, &failure);
        draw_progress(run, 0, true);
        double now = seconds_now();
        if (run->rows_total != before || waiting_since == 0) {
            waiting_since = now;
            is_waiting = false;
        }
        if (!may_retry(run, exit_code, &failure) || now - waiting_since >= run->options->retry_s) {
            if (exit_code >= NQ_EXIT_CALL) {
                exit_code = nq_session_report(&failure, NULL, 0);
                fputs(run->load.ingest_id != NULL
                          ? "nq: the load was cut; the same command goes on where it ended\n"
                          : "nq: the load was cut; rows of finished transactions stay\n",
                      stderr);
            }
            return exit_code;
        }
        if (!run->session->is_quiet && !is_waiting) {
            fprintf(stderr, "nq: the server is away; waiting for it\n");
        }
        is_waiting = true;
        pause_briefly();
    }
}

static void print_summary(const import_run *run) {
    double seconds = seconds_now() - run->started;
    nq_text line = {0};
    uint64_t imported = run->rows_total - run->rows_before;
    if (imported == 0 && run->rows_total != 0) {
        nq_text_append_format(
            &line,
            "nothing to do: the server has all %" PRIu64
            " rows of this load (ingest id %s); --ingest-id with a new name loads "
            "them once more",
            run->rows_total, run->plan.ingest_id);
    } else {
        nq_text_append_count(&line, imported);
        nq_text_append_format(&line, " rows into %s in %.2f s (", run->options->table, seconds);
        nq_text_append_count(&line, (uint64_t)((double)imported / seconds));
        nq_text_append_string(&line, " rows/s)");
    }
    fprintf(stderr, "%s\n", nq_text_string(&line));
    nq_text_deinit(&line);
}

static void print_plan(const import_run *run) {
    fprintf(stderr, "%s: %s, columns", run->options->path,
            run->plan.has_header ? "first line is a header" : "no header line");
    for (size_t i = 0; i < run->plan.column_count; i++) {
        fprintf(stderr, "%s %s %s", i > 0 ? "," : "", run->plan.names[i],
                nq_data_type_sql(run->plan.types[i]));
    }
    fputc('\n', stderr);
}

/* The plan, and a table to carry it out on. */
static int prepare(import_run *run) {
    int exit_code = nq__import_plan_make(run->session, run->options, &run->source, &run->plan);
    if (exit_code == NQ_EXIT_OK && !run->session->is_quiet) {
        print_plan(run);
    }
    if (exit_code == NQ_EXIT_OK && !run->plan.table_exists) {
        exit_code = nq__import_create_table(run->session, run->options, &run->plan);
    }
    return exit_code;
}

/* A table whose creation was cut may exist or not: preparing anew finds out. */
static int prepare_until_done(import_run *run) {
    double since = seconds_now();
    for (;;) {
        int exit_code = prepare(run);
        if (exit_code != NQ_EXIT_CALL + NQ_CODE_UNAVAILABLE || nq_interrupt_pending() ||
            seconds_now() - since >= run->options->retry_s) {
            return exit_code;
        }
        nq__import_plan_deinit(&run->plan);
        pause_briefly();
    }
}

int nq_import(nq_session *session, const nq_import_options *options) {
    import_run run = {.session = session, .options = options, .started = seconds_now()};
    run.shows_progress = isatty(STDERR_FILENO) && !session->is_quiet;
    int exit_code = nq__import_source_init(&run.source, options->path);
    if (exit_code == NQ_EXIT_OK) {
        exit_code = prepare_until_done(&run);
    }
    if (exit_code == NQ_EXIT_OK) {
        run.load = (nq_load){
            .table = options->table,
            .column_names = (const char *const *)run.plan.names,
            .column_types = run.plan.types,
            .column_count = run.plan.column_count,
            .ingest_id = run.plan.ingest_id[0] != '\0' ? run.plan.ingest_id : NULL,
            .upsert = options->upsert,
            .rows_per_transaction = (uint32_t)options->transaction_rows,
        };
        exit_code = run_until_done(&run);
    }
    if (exit_code == NQ_EXIT_OK && !session->is_quiet) {
        print_summary(&run);
    }
    nq__import_plan_deinit(&run.plan);
    nq__import_source_deinit(&run.source);
    return exit_code;
}
