/* nq: the command line of NeuroQuantumDB. */
#include <errno.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "neuroquantum/v1/admin.pb-c.h"
#include "neuroquantum/v1/query.pb-c.h"
#include "sdk/cli/channels.h"
#include "sdk/cli/describe.h"
#include "sdk/cli/import.h"
#include "sdk/cli/interrupt.h"
#include "sdk/cli/options.h"
#include "sdk/cli/session.h"
#include "sdk/cli/shell.h"

#define VERSION "0.1.0"

static const char HELP[] =
    "nq " VERSION ": the command line of NeuroQuantumDB\n"
    "\n"
    "  nq [options]                      shell; reads standard input when it is no terminal\n"
    "  nq [options] -c SQL               run statements, then leave\n"
    "  nq [options] -f FILE              run a file, then leave\n"
    "  nq [options] COMMAND ...\n"
    "\n"
    "commands\n"
    "  import FILE --table T             load a CSV file (- standard input; .zst and .gz are "
    "unpacked)\n"
    "      --create                      make the table, with types inferred from the whole file\n"
    "      --key A,B                     primary key of the table that --create makes\n"
    "      --columns A,B,C               names of the file's columns\n"
    "      --types text,double,...       their types, instead of inferring them\n"
    "      --header, --no-header         whether the first line is one; found out by default\n"
    "      --delimiter C                 one character, or tab; default ,\n"
    "      --null TEXT                   what stands for NULL; default: an empty field without "
    "quotes\n"
    "      --upsert                      a row whose primary key exists replaces it\n"
    "      --ingest-id ID                names the load, so that it can go on after a cut; made "
    "from\n"
    "                                    the file and the table by default, \"\" for none\n"
    "      --batch-rows N                rows per transaction; default 65536\n"
    "      --retry SECONDS               how long to wait for a server that went away; default 30\n"
    "  export TABLE|SQL                  write rows; --format csv (default), json or jsonl\n"
    "  pub CHANNEL PAYLOAD               publish; - standard input; --lines each of its lines; "
    "--key K\n"
    "  sub PATTERN...                    receive until Ctrl-C; * one token, ** any number of them\n"
    "      --history N, --all            begin with the last N of each channel, or all that is "
    "kept\n"
    "      --json                        one JSON object per line\n"
    "      --count N, --for SECONDS      stop after so many messages, or so long\n"
    "  channels [PATTERN]                list channels\n"
    "  tables [PATTERN]                  list tables\n"
    "  info                              version, build and limits of the server\n"
    "  health [SERVICE]                  SERVING or not, as grpc.health.v1 says\n"
    "  stats [PATTERN] [--watch S]       counters and gauges\n"
    "  queries                           statements that run now\n"
    "  connections                       who is connected\n"
    "  cancel QUERY-ID                   stop a statement\n"
    "  checkpoint                        write changed pages to their file\n"
    "  drain                             stop the server gracefully\n"
    "\n"
    "options\n"
    "  -s, --server ADDRESS              nq://host:port, host:port or unix:/path; default: the\n"
    "                                    environment's NQ_SERVER_ADDR, or localhost:50051\n"
    "  -F, --format NAME                 table (default), expanded, csv, json, jsonl\n"
    "  -x, --expanded                    one line per value\n"
    "  -o, --output FILE                 where results go\n"
    "      --null-display TEXT           how NULL is shown in tables; default NULL\n"
    "  -t, --tuples-only                 no header and no row count\n"
    "      --timing                      show how long statements take\n"
    "      --timeout SECONDS             of one statement or call; default: none\n"
    "      --keep-going                  do not stop at the first statement that fails\n"
    "  -q, --quiet                       results only\n"
    "  -h, --help   -V, --version\n"
    "\n"
    "exit codes\n"
    "  0 good; 1 a file, the terminal or a record of the input; 2 the command line;\n"
    "  10 + gRPC code when the server refused: 11 cancelled, 13 invalid argument, 14 deadline,\n"
    "  15 not found, 16 already exists, 18 resources, 19 precondition, 20 aborted, 22 "
    "unimplemented,\n"
    "  23 internal, 24 unavailable, 25 data loss; 130 Ctrl-C\n";

/* What every command understands. */
typedef struct common_options {
    const char *server;
    const char *format;
    const char *output;
    const char *null_display;
    const char *command;
    const char *file;
    double timeout_s;
    bool expanded, tuples_only, timing, keep_going, quiet, help, version;
} common_options;

enum { COMMON_COUNT = 14, OWN_MAX = 14 };

static void list_common(common_options *common, nq_option *out_options) {
    const nq_option list[COMMON_COUNT] = {
        {"server", 's', NQ_OPTION_TEXT, &common->server},
        {"format", 'F', NQ_OPTION_TEXT, &common->format},
        {"output", 'o', NQ_OPTION_TEXT, &common->output},
        {"null-display", 0, NQ_OPTION_TEXT, &common->null_display},
        {"command", 'c', NQ_OPTION_TEXT, &common->command},
        {"file", 'f', NQ_OPTION_TEXT, &common->file},
        {"timeout", 0, NQ_OPTION_SECONDS, &common->timeout_s},
        {"expanded", 'x', NQ_OPTION_FLAG, &common->expanded},
        {"tuples-only", 't', NQ_OPTION_FLAG, &common->tuples_only},
        {"timing", 0, NQ_OPTION_FLAG, &common->timing},
        {"keep-going", 0, NQ_OPTION_FLAG, &common->keep_going},
        {"quiet", 'q', NQ_OPTION_FLAG, &common->quiet},
        {"help", 'h', NQ_OPTION_FLAG, &common->help},
        {"version", 'V', NQ_OPTION_FLAG, &common->version},
    };
    memcpy(out_options, list, sizeof list);
}

static int usage(const char *words) {
    fprintf(stderr, "nq: %s; see nq --help\n", words);
    return NQ_EXIT_USAGE;
}

static int open_session(const common_options *common, nq_output_format fallback,
                        nq_session *out_session) {
    const char *server = common->server != NULL ? common->server : getenv("NQ_SERVER_ADDR");
    *out_session = (nq_session){.shows_timing = common->timing, .is_quiet = common->quiet};
    out_session->print = (nq_print_options){.format = fallback,
                                            .null_text = common->null_display,
                                            .no_header = common->tuples_only,
                                            .no_footer = common->tuples_only};
    if (common->format != NULL &&
        !nq_output_format_find(common->format, &out_session->print.format)) {
        return usage("--format takes table, expanded, csv, json or jsonl");
    }
    if (common->expanded) {
        out_session->print.format = NQ_OUTPUT_EXPANDED;
    }
    FILE *output = stdout;
    if (common->output != NULL && (output = fopen(common->output, "w")) == NULL) {
        fprintf(stderr, "nq: %s: %s\n", common->output, strerror(errno));
        return NQ_EXIT_LOCAL;
    }
    int exit_code =
        nq_session_open(out_session, server != NULL && *server != '\0' ? server : "localhost:50051",
                        common->timeout_s);
    out_session->output = output;
    return exit_code;
}

/* ---- Commands: each takes its own options from `words`, opens a session and acts ---- */

typedef struct invocation {
    common_options common;
    nq_option own[OWN_MAX];
    size_t own_count;
    char **words; /* after the command's name */
    int word_count;
} invocation;

/* Parses the words with the common and the command's own options; wants `least` to `most` words to
 * be left. */
static int parse(invocation *call, int least, int most, const char *complaint) {
    nq_option all[COMMON_COUNT + OWN_MAX];
    list_common(&call->common, all);
    memcpy(all + COMMON_COUNT, call->own, call->own_count * sizeof *call->own);
    if (!nq_options_parse(all, COMMON_COUNT + call->own_count, call->words, &call->word_count,
                          false)) {
        return NQ_EXIT_USAGE;
    }
    if (call->common.help) {
        fputs(HELP, stdout);
        exit(NQ_EXIT_OK);
    }
    return call->word_count >= least && call->word_count <= most ? NQ_EXIT_OK : usage(complaint);
}

static void own(invocation *call, const char *name, nq_option_kind kind, void *target) {
    call->own[call->own_count++] = (nq_option){name, 0, kind, target};
}

/* Runs `act` in a session of its own. */
static int with_session(const invocation *call, nq_output_format fallback,
                        int (*act)(nq_session *session, const void *options), const void *options) {
    nq_session session;
    int exit_code = open_session(&call->common, fallback, &session);
    if (exit_code == NQ_EXIT_OK) {
        exit_code = act(&session, options);
    }
    if (session.client != NULL) {
        fflush(session.output);
        nq_session_close(&session);
    }
    return exit_code;
}

static int act_import(nq_session *session, const void *options) {
    return nq_import(session, options);
}

static int command_import(invocation *call) {
    nq_import_options options = {.retry_s = 30};
    own(call, "table", NQ_OPTION_TEXT, &options.table);
    own(call, "columns", NQ_OPTION_TEXT, &options.column_names);
    own(call, "types", NQ_OPTION_TEXT, &options.types);
    own(call, "key", NQ_OPTION_TEXT, &options.key);
    own(call, "ingest-id", NQ_OPTION_TEXT, &options.ingest_id);
    own(call, "delimiter", NQ_OPTION_TEXT, &options.delimiter);
    own(call, "null", NQ_OPTION_TEXT, &options.null_text);
    own(call, "header", NQ_OPTION_FLAG, &options.has_header);
    own(call, "no-header", NQ_OPTION_FLAG, &options.has_no_header);
    own(call, "create", NQ_OPTION_FLAG, &options.create);
    own(call, "upsert", NQ_OPTION_FLAG, &options.upsert);
    own(call, "batch-rows", NQ_OPTION_COUNT, &options.transaction_rows);
    own(call, "retry", NQ_OPTION_SECONDS, &options.retry_s);
    int exit_code = parse(call, 1, 1, "import takes one file");
    if (exit_code != NQ_EXIT_OK) {
        return exit_code;
    }
    options.path = call->words[0];
    if (options.table == NULL) {
        return usage("import needs --table");
    }
    if (options.has_header && options.has_no_header) {
        return usage("--header and --no-header contradict each other");
    }
    if (options.transaction_rows > 1048576) {
        return usage("--batch-rows is at most 1048576");
    }
    return with_session(call, NQ_OUTPUT_TABLE, act_import, &options);
}

static int act_sql(nq_session *session, const void *sql) {
    return nq_session_run_all(session, sql, strlen(sql), false);
}

static int command_export(invocation *call) {
    int exit_code = parse(call, 1, 1, "export takes one table or one query");
    if (exit_code != NQ_EXIT_OK) {
        return exit_code;
    }
    nq_text sql = {0};
    bool is_query = strpbrk(call->words[0], " \t\n(") != NULL;
    if (is_query) {
        nq_text_append_string(&sql, call->words[0]);
    } else {
        nq_text_append_string(&sql, "SELECT * FROM ");
        nq_text_append_identifier(&sql, call->words[0]);
    }
    exit_code = with_session(call, NQ_OUTPUT_CSV, act_sql, nq_text_string(&sql));
    nq_text_deinit(&sql);
    return exit_code;
}

static int act_publish(nq_session *session, const void *options) {
    return nq_publish(session, options);
}

static int command_pub(invocation *call) {
    nq_publish_options options = {0};
    own(call, "key", NQ_OPTION_TEXT, &options.key);
    own(call, "lines", NQ_OPTION_FLAG, &options.by_line);
    int exit_code = parse(call, 1, 2, "pub takes a channel and a payload");
    if (exit_code != NQ_EXIT_OK) {
        return exit_code;
    }
    if ((call->word_count == 1) != options.by_line) {
        return usage("pub takes a channel and a payload, or a channel and --lines");
    }
    options.channel = call->words[0];
    options.payload = call->word_count == 2 ? call->words[1] : "-";
    return with_session(call, NQ_OUTPUT_TABLE, act_publish, &options);
}

static int act_subscribe(nq_session *session, const void *options) {
    return nq_subscribe(session, options);
}

static int command_sub(invocation *call) {
    nq_subscribe_options options = {0};
    own(call, "history", NQ_OPTION_COUNT, &options.history);
    own(call, "all", NQ_OPTION_FLAG, &options.from_earliest);
    own(call, "json", NQ_OPTION_FLAG, &options.as_json);
    own(call, "count", NQ_OPTION_COUNT, &options.count);
    own(call, "for", NQ_OPTION_SECONDS, &options.seconds);
    int exit_code = parse(call, 1, 1000, "sub takes at least one channel or pattern");
    if (exit_code != NQ_EXIT_OK) {
        return exit_code;
    }
    options.patterns = (const char *const *)call->words;
    options.pattern_count = (size_t)call->word_count;
    return with_session(call, NQ_OUTPUT_TABLE, act_subscribe, &options);
}

/* ---- Commands that show one answer ---- */

static int act_channels(nq_session *session, const void *pattern) {
    return nq_describe_channels(session, pattern);
}

static int act_tables(nq_session *session, const void *pattern) {
    return nq_describe_tables(session, pattern);
}

static int act_health(nq_session *session, const void *service) {
    return nq_describe_health(session, service);
}

static int act_info(nq_session *session, const void *nothing) {
    (void)nothing;
    return nq_describe_server(session);
}

static int act_queries(nq_session *session, const void *nothing) {
    (void)nothing;
    return nq_describe_queries(session);
}

static int act_connections(nq_session *session, const void *nothing) {
    (void)nothing;
    return nq_describe_connections(session);
}

static int show(invocation *call, int most, int (*act)(nq_session *, const void *)) {
    int exit_code = parse(call, 0, most, "too many words");
    return exit_code != NQ_EXIT_OK ? exit_code
                                   : with_session(call, NQ_OUTPUT_TABLE, act,
                                                  call->word_count == 1 ? call->words[0] : NULL);
}

static int command_channels(invocation *call) {
    return show(call, 1, act_channels);
}

static int command_tables(invocation *call) {
    return show(call, 1, act_tables);
}

static int command_health(invocation *call) {
    return show(call, 1, act_health);
}

static int command_info(invocation *call) {
    return show(call, 0, act_info);
}

static int command_queries(invocation *call) {
    return show(call, 0, act_queries);
}

static int command_connections(invocation *call) {
    return show(call, 0, act_connections);
}

typedef struct stats_options {
    const char *pattern;
    double watch_s;
} stats_options;

static int act_stats(nq_session *session, const void *given) {
    const stats_options *options = given;
    int exit_code = nq_describe_stats(session, options->pattern);
    while (exit_code == NQ_EXIT_OK && options->watch_s > 0 && !nq_interrupt_pending()) {
        usleep((useconds_t)(options->watch_s * 1e6));
        fputc('\n', session->output);
        exit_code = nq_describe_stats(session, options->pattern);
    }
    return exit_code;
}

static int command_stats(invocation *call) {
    stats_options options = {0};
    own(call, "watch", NQ_OPTION_SECONDS, &options.watch_s);
    int exit_code = parse(call, 0, 1, "stats takes at most one pattern");
    if (exit_code != NQ_EXIT_OK) {
        return exit_code;
    }
    options.pattern = call->word_count == 1 ? call->words[0] : NULL;
    return with_session(call, NQ_OUTPUT_TABLE, act_stats, &options);
}

static int act_cancel(nq_session *session, const void *query_id) {
    Neuroquantum__V1__CancelQueryRequest request = NEUROQUANTUM__V1__CANCEL_QUERY_REQUEST__INIT;
    ProtobufCMessage *message;
    request.query_id = (char *)(uintptr_t)query_id;
    request.reason = (char *)"nq cancel";
    int exit_code =
        nq_session_call(session, "/neuroquantum.v1.QueryService/CancelQuery", &request.base,
                        &neuroquantum__v1__cancel_query_response__descriptor, &message);
    if (exit_code != NQ_EXIT_OK) {
        return exit_code;
    }
    bool found = ((Neuroquantum__V1__CancelQueryResponse *)(void *)message)->found;
    fprintf(session->output, "%s\n", found ? "cancelled" : "no such statement is running");
    protobuf_c_message_free_unpacked(message, NULL);
    return found ? NQ_EXIT_OK : NQ_EXIT_LOCAL;
}

static int command_cancel(invocation *call) {
    int exit_code = parse(call, 1, 1, "cancel takes one query id");
    return exit_code != NQ_EXIT_OK
               ? exit_code
               : with_session(call, NQ_OUTPUT_TABLE, act_cancel, call->words[0]);
}

static int act_checkpoint(nq_session *session, const void *nothing) {
    (void)nothing;
    Neuroquantum__V1__CheckpointRequest request = NEUROQUANTUM__V1__CHECKPOINT_REQUEST__INIT;
    ProtobufCMessage *message;
    int exit_code =
        nq_session_call(session, "/neuroquantum.v1.AdminService/Checkpoint", &request.base,
                        &neuroquantum__v1__checkpoint_response__descriptor, &message);
    if (exit_code == NQ_EXIT_OK) {
        const Neuroquantum__V1__CheckpointResponse *response = (void *)message;
        fprintf(session->output, "%llu pages written, log needed from %llu\n",
                (unsigned long long)response->pages_written, (unsigned long long)response->lsn);
        protobuf_c_message_free_unpacked(message, NULL);
    }
    return exit_code;
}

static int command_checkpoint(invocation *call) {
    return show(call, 0, act_checkpoint);
}

static int act_drain(nq_session *session, const void *nothing) {
    (void)nothing;
    Neuroquantum__V1__DrainRequest request = NEUROQUANTUM__V1__DRAIN_REQUEST__INIT;
    ProtobufCMessage *message;
    int exit_code = nq_session_call(session, "/neuroquantum.v1.AdminService/Drain", &request.base,
                                    &neuroquantum__v1__drain_response__descriptor, &message);
    if (exit_code == NQ_EXIT_OK) {
        const Neuroquantum__V1__DrainResponse *response = (void *)message;
        fprintf(session->output, "the server is stopping; %u calls still run\n",
                (unsigned)response->streams_remaining);
        protobuf_c_message_free_unpacked(message, NULL);
    }
    return exit_code;
}

static int command_drain(invocation *call) {
    return show(call, 0, act_drain);
}

static const struct {
    const char *name;
    int (*run)(invocation *call);
} COMMANDS[] = {
    {"import", command_import},
    {"export", command_export},
    {"pub", command_pub},
    {"sub", command_sub},
    {"channels", command_channels},
    {"tables", command_tables},
    {"info", command_info},
    {"health", command_health},
    {"stats", command_stats},
    {"queries", command_queries},
    {"connections", command_connections},
    {"cancel", command_cancel},
    {"checkpoint", command_checkpoint},
    {"drain", command_drain},
};

/* ---- SQL ---- */

static int run_file(nq_session *session, const common_options *common) {
    if (strcmp(common->file, "-") == 0) {
        return nq_shell_run_file(session, stdin, common->keep_going);
    }
    FILE *file = fopen(common->file, "r");
    if (file == NULL) {
        fprintf(stderr, "nq: %s: %s\n", common->file, strerror(errno));
        return NQ_EXIT_LOCAL;
    }
    int exit_code = nq_shell_run_file(session, file, common->keep_going);
    fclose(file);
    return exit_code;
}

static int act_shell(nq_session *session, const void *given) {
    const common_options *common = given;
    int exit_code = NQ_EXIT_OK;
    if (common->command != NULL) {
        exit_code = nq_shell_run_text(session, common->command, common->keep_going);
    }
    if (common->file != NULL && exit_code == NQ_EXIT_OK) {
        exit_code = run_file(session, common);
    }
    if (common->command != NULL || common->file != NULL) {
        return exit_code;
    }
    return isatty(STDIN_FILENO) ? nq_shell_interact(session)
                                : nq_shell_run_file(session, stdin, common->keep_going);
}

int main(int argc, char **argv) {
    if (setlocale(LC_CTYPE, "") == NULL || MB_CUR_MAX == 1) {
        setlocale(LC_CTYPE, "C.UTF-8");
    }
    nq_interrupt_start();
    invocation call = {.words = argv + 1, .word_count = argc - 1};
    nq_option options[COMMON_COUNT];
    list_common(&call.common, options);
    if (!nq_options_parse(options, COMMON_COUNT, call.words, &call.word_count, true)) {
        return NQ_EXIT_USAGE;
    }
    if (call.common.help || call.common.version) {
        fputs(call.common.help ? HELP : "nq " VERSION "\n", stdout);
        return NQ_EXIT_OK;
    }
    if (call.word_count == 0) {
        return with_session(&call, NQ_OUTPUT_TABLE, act_shell, &call.common);
    }
    const char *name = *call.words++;
    call.word_count--;
    for (size_t i = 0; i < sizeof COMMANDS / sizeof COMMANDS[0]; i++) {
        if (strcmp(COMMANDS[i].name, name) == 0) {
            return COMMANDS[i].run(&call);
        }
    }
    fprintf(stderr, "nq: no command '%s'; see nq --help (SQL goes behind -c)\n", name);
    return NQ_EXIT_USAGE;
}
