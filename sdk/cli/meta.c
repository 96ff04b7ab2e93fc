/* Meta: the backslash commands, one table. */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "sdk/cli/describe.h"
#include "sdk/cli/interrupt.h"
#include "sdk/cli/meta_internal.h"
#include "sdk/cli/shell.h"
#include "sdk/cli/spawn.h"

typedef struct command_input {
    nq_session *session;
    const char *argument; /* NULL: none */
    nq_text *last_sql;
    int exit_code;
} command_input;

typedef struct command {
    const char *name;
    const char *argument; /* for help; "" none */
    const char *help;
    nq_meta_outcome (*run)(command_input *input);
    nq_meta_argument choices; /* for its argument */
} command;

static nq_meta_outcome after_call(command_input *input, int exit_code) {
    input->exit_code = exit_code;
    return exit_code == NQ_EXIT_OK ? NQ_META_DONE : NQ_META_FAILED;
}

static nq_meta_outcome refuse(command_input *input, const char *words) {
    fprintf(stderr, "nq: %s\n", words);
    input->exit_code = NQ_EXIT_USAGE;
    return NQ_META_FAILED;
}

static nq_meta_outcome run_describe(command_input *input) {
    return after_call(input, input->argument != NULL
                                 ? nq_describe_table(input->session, input->argument)
                                 : nq_describe_tables(input->session, NULL));
}

static nq_meta_outcome run_tables(command_input *input) {
    return after_call(input, nq_describe_tables(input->session, input->argument));
}

static nq_meta_outcome run_channels(command_input *input) {
    return after_call(input, nq_describe_channels(input->session, input->argument));
}

static nq_meta_outcome run_conninfo(command_input *input) {
    return after_call(input, nq_describe_server(input->session));
}

static nq_meta_outcome run_queries(command_input *input) {
    return after_call(input, nq_describe_queries(input->session));
}

static void say(const command_input *input, const char *format, const char *word) {
    if (!input->session->is_quiet) {
        fprintf(input->session->output, format, word);
    }
}

/* on, off, or the other one. */
static bool take_switch(command_input *input, bool *io_value) {
    if (input->argument == NULL) {
        *io_value = !*io_value;
    } else if (strcmp(input->argument, "on") == 0) {
        *io_value = true;
    } else if (strcmp(input->argument, "off") == 0) {
        *io_value = false;
    } else {
        return false;
    }
    return true;
}

static nq_meta_outcome run_timing(command_input *input) {
    if (!take_switch(input, &input->session->shows_timing)) {
        return refuse(input, "\\timing takes on or off");
    }
    say(input, "Timing is %s.\n", input->session->shows_timing ? "on" : "off");
    return NQ_META_DONE;
}

static nq_meta_outcome run_expanded(command_input *input) {
    bool is_expanded = input->session->print.format == NQ_OUTPUT_EXPANDED;
    if (!take_switch(input, &is_expanded)) {
        return refuse(input, "\\x takes on or off");
    }
    input->session->print.format = is_expanded ? NQ_OUTPUT_EXPANDED : NQ_OUTPUT_TABLE;
    say(input, "Expanded display is %s.\n", is_expanded ? "on" : "off");
    return NQ_META_DONE;
}

static nq_meta_outcome run_format(command_input *input) {
    if (input->argument == NULL ||
        !nq_output_format_find(input->argument, &input->session->print.format)) {
        return refuse(input, "\\format takes table, expanded, csv, json or jsonl");
    }
    return NQ_META_DONE;
}

static nq_meta_outcome run_null(command_input *input) {
    static char null_text[64]; /* lives as long as the session that points to it */
    snprintf(null_text, sizeof null_text, "%s", input->argument != NULL ? input->argument : "");
    input->session->print.null_text = null_text;
    return NQ_META_DONE;
}

static nq_meta_outcome run_output(command_input *input) {
    nq_session *session = input->session;
    FILE *file = stdout;
    if (input->argument != NULL && (file = fopen(input->argument, "w")) == NULL) {
        fprintf(stderr, "nq: %s: %s\n", input->argument, strerror(errno));
        input->exit_code = NQ_EXIT_LOCAL;
        return NQ_META_FAILED;
    }
    if (session->output != stdout) {
        fclose(session->output);
    }
    session->output = file;
    return NQ_META_DONE;
}

static nq_meta_outcome run_include(command_input *input) {
    if (input->argument == NULL) {
        return refuse(input, "\\i takes a file");
    }
    FILE *file = fopen(input->argument, "r");
    if (file == NULL) {
        fprintf(stderr, "nq: %s: %s\n", input->argument, strerror(errno));
        input->exit_code = NQ_EXIT_LOCAL;
        return NQ_META_FAILED;
    }
    int exit_code = nq_shell_run_file(input->session, file, false);
    fclose(file);
    return after_call(input, exit_code);
}

static nq_meta_outcome run_again(command_input *input) {
    if (input->last_sql->bytes == 0) {
        return refuse(input, "there is no statement to run again");
    }
    return after_call(input, nq_session_run_all(input->session, nq_text_string(input->last_sql),
                                                input->last_sql->bytes, false));
}

static bool write_file(int file, const char *text, size_t bytes) {
    return bytes == 0 || write(file, text, bytes) == (ssize_t)bytes;
}

static bool edit_file(const char *path) {
    const char *editor = getenv("EDITOR");
    nq_text words = {0};
    nq_text_append_format(&words, "%s \"$1\"", editor != NULL && *editor != '\0' ? editor : "vi");
    char *arguments[] = {(char *)"sh",
                         (char *)"-c",
                         (char *)(uintptr_t)words.data,
                         (char *)"edit",
                         (char *)(uintptr_t)path,
                         NULL};
    pid_t child;
    bool good = nq_spawn(arguments, -1, &child) == 0 && nq_spawn_wait(child) == 0;
    nq_text_deinit(&words);
    return good;
}

static bool read_file(const char *path, nq_text *out_text) {
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        return false;
    }
    char buffer[4096];
    size_t bytes;
    nq_text_clear(out_text);
    while ((bytes = fread(buffer, 1, sizeof buffer, file)) > 0) {
        nq_text_append(out_text, buffer, bytes);
    }
    fclose(file);
    return true;
}

static nq_meta_outcome run_edit(command_input *input) {
    char path[] = "/tmp/nq-edit-XXXXXX.sql";
    int file = mkstemps(path, 4);
    bool good =
        file >= 0 && write_file(file, nq_text_string(input->last_sql), input->last_sql->bytes);
    if (file >= 0) {
        close(file);
    }
    good = good && edit_file(path) && read_file(path, input->last_sql);
    unlink(path);
    if (!good) {
        return refuse(input, "the editor (EDITOR, or vi) did not finish; nothing was run");
    }
    fprintf(input->session->output, "%s\n", nq_text_string(input->last_sql));
    return run_again(input);
}

/* False: Ctrl-C. */
static bool wait_seconds(double seconds) {
    for (double waited = 0; waited < seconds && !nq_interrupt_pending(); waited += 0.05) {
        struct timespec step = {.tv_nsec = 50 * 1000 * 1000};
        nanosleep(&step, NULL);
    }
    return !nq_interrupt_pending();
}

static nq_meta_outcome run_watch(command_input *input) {
    double seconds = input->argument != NULL ? strtod(input->argument, NULL) : 2;
    if (!(seconds > 0)) {
        return refuse(input, "\\watch takes a number of seconds");
    }
    nq_meta_outcome outcome;
    do {
        time_t now = time(NULL);
        char stamp[32];
        struct tm local;
        strftime(stamp, sizeof stamp, "%F %T", localtime_r(&now, &local));
        fprintf(input->session->output, "%s (every %gs)\n\n", stamp, seconds);
        outcome = run_again(input);
    } while (outcome == NQ_META_DONE && wait_seconds(seconds));
    nq_interrupt_clear();
    return outcome;
}

static nq_meta_outcome run_quit(command_input *input) {
    (void)input;
    return NQ_META_QUIT;
}

static nq_meta_outcome run_help(command_input *input);

static const command COMMANDS[] = {
    {"?", "", "this list", run_help, NQ_META_ARGUMENT_OTHER},
    {"h", "", "this list", run_help, NQ_META_ARGUMENT_OTHER},
    {"q", "", "quit", run_quit, NQ_META_ARGUMENT_OTHER},
    {"d", "[table]", "describe a table, or list them", run_describe, NQ_META_ARGUMENT_TABLE},
    {"dt", "[pattern]", "list tables", run_tables, NQ_META_ARGUMENT_TABLE},
    {"dc", "[pattern]", "list channels", run_channels, NQ_META_ARGUMENT_OTHER},
    {"conninfo", "", "the server: address, version, limits", run_conninfo, NQ_META_ARGUMENT_OTHER},
    {"queries", "", "statements that run now", run_queries, NQ_META_ARGUMENT_OTHER},
    {"timing", "[on|off]", "show how long statements take", run_timing, NQ_META_ARGUMENT_SWITCH},
    {"x", "[on|off]", "one line per value", run_expanded, NQ_META_ARGUMENT_SWITCH},
    {"format", "name", "table, expanded, csv, json, jsonl", run_format, NQ_META_ARGUMENT_FORMAT},
    {"null", "[text]", "how NULL is shown in tables", run_null, NQ_META_ARGUMENT_OTHER},
    {"o", "[file]", "write results to a file, or back to the screen", run_output,
     NQ_META_ARGUMENT_OTHER},
    {"i", "file", "run a file", run_include, NQ_META_ARGUMENT_OTHER},
    {"g", "", "run the last statement again", run_again, NQ_META_ARGUMENT_OTHER},
    {"e", "", "edit the last statement, then run it", run_edit, NQ_META_ARGUMENT_OTHER},
    {"watch", "[seconds]", "run the last statement again and again until Ctrl-C", run_watch,
     NQ_META_ARGUMENT_OTHER},
};

static nq_meta_outcome run_help(command_input *input) {
    for (size_t i = 0; i < sizeof COMMANDS / sizeof COMMANDS[0]; i++) {
        fprintf(input->session->output, "  \\%-9s %-11s %s\n", COMMANDS[i].name,
                COMMANDS[i].argument, COMMANDS[i].help);
    }
    fputs("  Statements end with a semicolon. Ctrl-C stops the one that runs.\n",
          input->session->output);
    return NQ_META_DONE;
}

static const command *find_command(const char *name, size_t name_bytes) {
    for (size_t i = 0; i < sizeof COMMANDS / sizeof COMMANDS[0]; i++) {
        if (strlen(COMMANDS[i].name) == name_bytes &&
            strncmp(COMMANDS[i].name, name, name_bytes) == 0) {
            return &COMMANDS[i];
        }
    }
    return NULL;
}

const char *nq__meta_name(size_t index) {
    return index < sizeof COMMANDS / sizeof COMMANDS[0] ? COMMANDS[index].name : NULL;
}

nq_meta_argument nq__meta_argument(const char *name, size_t name_bytes) {
    const command *found = find_command(name, name_bytes);
    return found != NULL ? found->choices : NQ_META_ARGUMENT_OTHER;
}

nq_meta_outcome nq__meta_run(nq_session *session, const char *line, nq_text *last_sql,
                             int *out_exit_code) {
    char *copy = nq_must_copy(line + 1, strlen(line + 1));
    size_t end = strlen(copy);
    while (end > 0 && (isspace((unsigned char)copy[end - 1]) || copy[end - 1] == ';')) {
        copy[--end] = '\0';
    }
    size_t name_bytes = strcspn(copy, " \t");
    char *argument = copy + name_bytes;
    argument += strspn(argument, " \t");
    command_input input = {.session = session,
                           .argument = *argument != '\0' ? argument : NULL,
                           .last_sql = last_sql,
                           .exit_code = NQ_EXIT_OK};
    nq_meta_outcome outcome = NQ_META_FAILED;
    const command *found = find_command(copy, name_bytes);
    if (found == NULL) {
        fprintf(stderr, "nq: no command \\%.*s; try \\?\n", (int)name_bytes, copy);
        input.exit_code = NQ_EXIT_USAGE;
    } else if (input.argument != NULL && found->argument[0] == '\0') {
        fprintf(stderr, "nq: \\%s takes no argument\n", found->name);
        input.exit_code = NQ_EXIT_USAGE;
    } else {
        outcome = found->run(&input);
    }
    fflush(session->output);
    *out_exit_code = input.exit_code;
    free(copy);
    return outcome;
}
