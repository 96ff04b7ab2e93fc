/* Shell: gathers lines until a statement is whole, then runs it. */
#include "sdk/cli/shell.h"

#include <errno.h>
#include <histedit.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sdk/cli/interrupt.h"
#include "sdk/cli/meta_internal.h"
#include "sdk/cli/names.h"
#include "sdk/cli/split.h"
#include "sdk/cli/tab.h"

enum { HISTORY_ENTRIES = 10000 };

/* What has been read and not run, and what was run last. */
typedef struct shell {
    nq_session *session;
    nq_text pending;
    nq_text last_sql;
    nq_names names;
    int exit_code; /* the first failure's */
    bool keep_going;
    bool is_done;
    bool line_was_cancelled; /* Ctrl-C at the prompt */
} shell;

static void deinit_shell(shell *sh) {
    nq_text_deinit(&sh->pending);
    nq_text_deinit(&sh->last_sql);
    nq_names_forget(&sh->names);
}

static void note_exit_code(shell *sh, int exit_code) {
    if (exit_code != NQ_EXIT_OK) {
        sh->exit_code = sh->exit_code == NQ_EXIT_OK ? exit_code : sh->exit_code;
        sh->is_done = sh->is_done || !sh->keep_going;
    }
}

static bool is_pending(const shell *sh) {
    return !nq_statement_find(nq_text_string(&sh->pending), sh->pending.bytes, 0).is_empty;
}

/* Runs every whole statement that is pending; at the end of the input also one without its
 * semicolon. */
static void run_pending(shell *sh, bool at_end) {
    size_t at = 0;
    while (!sh->is_done && at < sh->pending.bytes) {
        const char *text = nq_text_string(&sh->pending);
        nq_statement_span span = nq_statement_find(text, sh->pending.bytes, at);
        if (!span.is_complete && !at_end) {
            break;
        }
        at = span.next;
        if (span.is_empty) {
            continue;
        }
        nq_text_clear(&sh->last_sql);
        nq_text_append(&sh->last_sql, text + span.start, span.end - span.start);
        note_exit_code(sh, nq_session_run(sh->session, text + span.start, span.end - span.start));
    }
    memmove(sh->pending.data, sh->pending.data + at, sh->pending.bytes - at);
    sh->pending.bytes -= at;
    sh->pending.data[sh->pending.bytes] = '\0';
    if (!is_pending(sh)) {
        nq_text_clear(&sh->pending);
    }
}

static void take_line(shell *sh, const char *line, size_t bytes) {
    const char *text = line + strspn(line, " \t");
    if (*text == '\\' && !is_pending(sh)) {
        nq_text command = {0};
        int exit_code;
        nq_text_append(&command, text, strcspn(text, "\r\n"));
        if (nq__meta_run(sh->session, nq_text_string(&command), &sh->last_sql, &exit_code) ==
            NQ_META_QUIT) {
            sh->is_done = true;
        }
        note_exit_code(sh, exit_code);
        nq_text_deinit(&command);
        return;
    }
    nq_text_append(&sh->pending, line, bytes);
    run_pending(sh, false);
}

int nq_shell_run_file(nq_session *session, FILE *file, bool keep_going) {
    shell sh = {.session = session, .keep_going = keep_going};
    char *line = NULL;
    size_t capacity = 0;
    ssize_t bytes;
    while (!sh.is_done && (bytes = getline(&line, &capacity, file)) > 0) {
        take_line(&sh, line, (size_t)bytes);
    }
    if (!sh.is_done && sh.pending.bytes != 0) {
        run_pending(&sh, true);
    }
    if (ferror(file)) {
        fprintf(stderr, "nq: the input cannot be read: %s\n", strerror(errno));
        note_exit_code(&sh, NQ_EXIT_LOCAL);
    }
    free(line);
    int exit_code = sh.exit_code;
    deinit_shell(&sh);
    return exit_code;
}

int nq_shell_run_text(nq_session *session, const char *text, bool keep_going) {
    shell sh = {.session = session, .keep_going = keep_going};
    nq_text line = {0};
    nq_text_append_string(&line, text);
    take_line(&sh, nq_text_string(&line), line.bytes);
    if (!sh.is_done && sh.pending.bytes != 0) {
        run_pending(&sh, true);
    }
    nq_text_deinit(&line);
    int exit_code = sh.exit_code;
    deinit_shell(&sh);
    return exit_code;
}

/* ---- A person ---- */

static char *prompt(EditLine *editor) {
    static char text[24];
    shell *sh;
    el_get(editor, EL_CLIENTDATA, &sh);
    const char *transaction = sh->session->transaction_id_bytes == 0 ? ""
                              : sh->session->transaction_failed      ? "!"
                                                                     : "*";
    snprintf(text, sizeof text, "nq%s%s ", transaction, is_pending(sh) ? "->" : ">");
    return text;
}

/* Ctrl-C at the prompt: forget what was typed. */
static unsigned char cancel_line(EditLine *editor, int key) {
    shell *sh;
    (void)key;
    el_get(editor, EL_CLIENTDATA, &sh);
    sh->line_was_cancelled = true;
    fputs("^C\n", stdout);
    return CC_NEWLINE;
}

static unsigned char complete_word(EditLine *editor, int key) {
    shell *sh;
    (void)key;
    el_get(editor, EL_CLIENTDATA, &sh);
    return nq_tab_press(editor, &sh->pending, &sh->names);
}

static char *history_path(void) {
    const char *home = getenv("HOME");
    if (home == NULL || *home == '\0') {
        return NULL;
    }
    nq_text path = {0};
    nq_text_append_format(&path, "%s/.nq_history", home);
    return path.data;
}

static EditLine *open_editor(shell *sh, History *past) {
    EditLine *editor = el_init("nq", stdin, stdout, stderr);
    if (editor == NULL) {
        return NULL;
    }
    el_set(editor, EL_CLIENTDATA, sh);
    el_set(editor, EL_PROMPT, prompt);
    el_set(editor, EL_EDITOR, "emacs");
    el_set(editor, EL_HIST, history, past);
    el_set(editor, EL_ADDFN, "nq-cancel-line", "forget the line", cancel_line);
    el_set(editor, EL_BIND, "^C", "nq-cancel-line", NULL);
    el_set(editor, EL_ADDFN, "nq-complete-word", "complete the word", complete_word);
    el_set(editor, EL_BIND, "^I", "nq-complete-word", NULL);
    el_set(editor, EL_BIND, "^R", "em-inc-search-prev", NULL);
    /* ^C is a key while a line is edited, and a signal while a statement runs. */
    el_set(editor, EL_SETTY, "-d", "-isig", NULL);
    el_source(editor, NULL);
    return editor;
}

/* One entry per statement: lines are joined by blanks unless a comment would swallow the rest. */
static void remember(History *past, const char *path, const nq_text *entry) {
    HistEvent event;
    nq_text line = {0};
    nq_text_append(&line, nq_text_string(entry), entry->bytes);
    bool has_comment = strstr(nq_text_string(&line), "--") != NULL;
    while (line.bytes > 0 && strchr("\r\n ", line.data[line.bytes - 1]) != NULL) {
        line.data[--line.bytes] = '\0';
    }
    for (size_t i = 0; i < line.bytes && !has_comment; i++) {
        line.data[i] = line.data[i] == '\n' ? ' ' : line.data[i];
    }
    if (line.bytes != 0 && line.data[0] != ' ') {
        history(past, &event, H_ENTER, line.data);
        if (path != NULL) {
            mode_t mask = umask(077);
            history(past, &event, H_SAVE, path);
            umask(mask);
        }
    }
    nq_text_deinit(&line);
}

static void edit_lines(shell *sh, EditLine *editor, History *past, const char *path) {
    nq_text entry = {0};
    int bytes;
    const char *line;
    while (!sh->is_done && (line = el_gets(editor, &bytes)) != NULL && bytes > 0) {
        if (sh->line_was_cancelled) {
            sh->line_was_cancelled = false;
            nq_text_clear(&sh->pending);
            nq_text_clear(&entry);
            continue;
        }
        nq_text_append(&entry, line, (size_t)bytes);
        char *copy = nq_must_copy(line, (size_t)bytes);
        nq_interrupt_clear();
        nq_interrupt_set_mode(NQ_INTERRUPT_BUSY);
        take_line(sh, copy, (size_t)bytes);
        nq_interrupt_set_mode(NQ_INTERRUPT_PROMPT);
        free(copy);
        if (sh->pending.bytes == 0) {
            remember(past, path, &entry);
            nq_text_clear(&entry);
            nq_names_forget(&sh->names);
        }
    }
    nq_text_deinit(&entry);
}

int nq_shell_interact(nq_session *session) {
    shell sh = {.session = session, .keep_going = true, .names.client = session->client};
    HistEvent event;
    char *path = history_path();
    History *past = history_init();
    EditLine *editor = past != NULL ? open_editor(&sh, past) : NULL;
    if (editor == NULL) {
        free(path);
        return nq_shell_run_file(session, stdin, true);
    }
    history(past, &event, H_SETSIZE, (int)HISTORY_ENTRIES);
    history(past, &event, H_SETUNIQUE, 1);
    if (path != NULL) {
        history(past, &event, H_LOAD, path);
    }
    if (!session->is_quiet) {
        printf("nq: %s. \\? for help, \\q to quit.\n", nq_client_target(session->client));
    }
    nq_interrupt_set_mode(NQ_INTERRUPT_PROMPT);
    edit_lines(&sh, editor, past, path);
    nq_interrupt_set_mode(NQ_INTERRUPT_SCRIPT);
    if (!sh.is_done) {
        putchar('\n');
    }
    el_end(editor);
    history_end(past);
    free(path);
    deinit_shell(&sh);
    return NQ_EXIT_OK;
}
