/* Schedule: see the header. */
#include "tests/engine/storage/support/schedule.h"

#include <stdio.h>
#include <stdlib.h>

#include "tests/engine/storage/support/session.h"

enum { LINE_BYTES_MAX = 200, SESSIONS = 4, LEVELS = 3 };

static const char *const level_names[LEVELS] = {"read-committed", "repeatable-read",
                                                "serializable"};

typedef struct runner {
    nq_store *store;
    nq_isolation level;
    nq_tree_id trees[SESSION_TREES];
    session *sessions[SESSIONS];
    uint32_t waiting_count;
    char name[LINE_BYTES_MAX];
    char line[LINE_BYTES_MAX];
    char failure[700];
} runner;

static void fail(runner *r, const char *got) {
    if (r->failure[0] == 0) {
        snprintf(r->failure, sizeof r->failure, "schedule \"%s\" at %s: \"%s\" answered \"%s\"",
                 r->name, level_names[r->level], r->line, got);
    }
}

/* ---- Lines ---- */

static const char *skip_spaces(const char *text) {
    while (*text == ' ') {
        text++;
    }
    return text;
}

/* Copies [from, to) without the spaces at its ends. */
static void copy_trimmed(const char *from, const char *to, char out[LINE_BYTES_MAX]) {
    from = skip_spaces(from);
    while (to > from && to[-1] == ' ') {
        to--;
    }
    size_t bytes = (size_t)(to - from) < LINE_BYTES_MAX - 1 ? (size_t)(to - from) : 0;
    memcpy(out, from, bytes);
    out[bytes] = 0;
}

/* The answer that a line expects at a level. */
static void expected_at(const char *answers, nq_isolation level, char out[LINE_BYTES_MAX]) {
    if (strchr(answers, '|') == NULL) {
        copy_trimmed(answers, answers + strlen(answers), out);
        return;
    }
    for (int column = 0; column < (int)level; column++) {
        const char *bar = strchr(answers, '|');
        answers = bar == NULL ? "" : bar + 1;
    }
    const char *end = strchr(answers, '|');
    copy_trimmed(answers, end == NULL ? answers + strlen(answers) : end, out);
}

static bool starts_with(const char *line, const char *word, const char **out_rest) {
    size_t bytes = strlen(word);
    if (strncmp(line, word, bytes) != 0 || (line[bytes] != ' ' && line[bytes] != 0)) {
        return false;
    }
    *out_rest = skip_spaces(line + bytes);
    return true;
}

/* ---- Steps ---- */

static session *session_of(runner *r, char letter) {
    if (letter < 'a' || letter >= 'a' + SESSIONS) {
        return NULL;
    }
    session **slot = &r->sessions[letter - 'a'];
    if (*slot == NULL) {
        *slot = session_create(r->store, r->trees, r->level);
    }
    return *slot;
}

static void run_step(runner *r, session *s, const char *step, const char *expected) {
    const char *rest;
    bool is_waking = starts_with(step, "wakes", &rest);
    if (is_waking != session_is_waiting(s)) {
        fail(r, is_waking ? "not waiting" : "still waiting");
        return;
    }
    if (is_waking) {
        r->waiting_count--;
    } else {
        session_begin_step(s, step);
    }
    const char *answer = session_await(s, r->waiting_count);
    if (session_is_waiting(s)) {
        r->waiting_count++;
    }
    if (strcmp(answer, expected) != 0) {
        fail(r, answer);
    }
}

/* "given x=1 u/y=2", "final x=1": a transaction of its own, as session d. */
static void run_given(runner *r, const char *pairs) {
    session *s = session_of(r, 'd');
    run_step(r, s, "begin", "ok");
    char step[LINE_BYTES_MAX];
    while (*pairs != 0 && r->failure[0] == 0) {
        const char *equals = strchr(pairs, '=');
        const char *end = strchr(pairs, ' ');
        end = end == NULL ? pairs + strlen(pairs) : end;
        if (equals == NULL || equals > end) {
            fail(r, "not understood");
            return;
        }
        snprintf(step, sizeof step, "put %.*s %.*s", (int)(equals - pairs), pairs,
                 (int)(end - equals - 1), equals + 1);
        run_step(r, s, step, "ok");
        pairs = skip_spaces(end);
    }
    run_step(r, s, "commit", "ok");
}

static void run_final(runner *r, const char *answers) {
    char expected[LINE_BYTES_MAX];
    expected_at(answers, r->level, expected);
    session *s = session_of(r, 'd');
    run_step(r, s, "begin", "ok");
    run_step(r, s, "scan", expected);
    run_step(r, s, "rollback", "ok");
}

static void run_line(runner *r) {
    const char *rest;
    if (starts_with(r->line, "given", &rest)) {
        run_given(r, rest);
        return;
    }
    if (starts_with(r->line, "final", &rest)) {
        run_final(r, rest);
        return;
    }
    session *s = session_of(r, r->line[0]);
    if (s == NULL || r->line[1] != ' ') {
        fail(r, "not understood");
        return;
    }
    const char *arrow = strstr(r->line, "->");
    char step[LINE_BYTES_MAX];
    char expected[LINE_BYTES_MAX] = "ok";
    copy_trimmed(r->line + 1, arrow == NULL ? r->line + strlen(r->line) : arrow, step);
    if (arrow != NULL) {
        expected_at(arrow + 2, r->level, expected);
    }
    if (strcmp(expected, "-") != 0) {
        run_step(r, s, step, expected);
    }
}

/* ---- Schedules ---- */

static nq_status make_trees(nq_ctx *ctx, runner *r) {
    nq_txn *txn;
    nq_txn_options options = {0};
    nq_commit_options commit = {0};
    NQ_TRY(nq_txn_begin(ctx, r->store, &options, &txn));
    for (int i = 0; i < SESSION_TREES; i++) {
        nq_status status = nq_txn_tree_create(ctx, txn, &r->trees[i]);
        if (status != NQ_OK) {
            nq_txn_rollback(txn);
            return status;
        }
    }
    return nq_txn_commit(ctx, txn, &commit, NULL);
}

/* Reads the next line that says something into r->line; NULL at the end of the text. */
static const char *next_line(runner *r, const char *text) {
    while (*text != 0) {
        const char *end = strchr(text, '\n');
        end = end == NULL ? text + strlen(text) : end;
        copy_trimmed(text, end, r->line);
        text = *end == 0 ? end : end + 1;
        if (r->line[0] != 0 && r->line[0] != '#') {
            return text;
        }
    }
    return NULL;
}

/* Runs the schedule that begins at `text`, behind its first line; returns where the next begins. */
static const char *run_schedule(runner *r, const char *text) {
    const char *rest;
    const char *at = text;
    while ((at = next_line(r, text)) != NULL && !starts_with(r->line, "schedule", &rest)) {
        text = at;
        if (r->failure[0] == 0) {
            run_line(r);
        }
    }
    for (int i = 0; i < SESSIONS; i++) {
        if (r->sessions[i] != NULL && !session_is_idle(r->sessions[i])) {
            snprintf(r->line, sizeof r->line, "%c", 'a' + i);
            fail(r, "not ended");
        }
        if (r->failure[0] == 0) {
            session_destroy(r->sessions[i]);
        }
    }
    return text;
}

static const char *run_all(runner *r, const char *text) {
    const char *at = next_line(r, text);
    while (at != NULL) {
        const char *name;
        if (!starts_with(r->line, "schedule", &name)) {
            fail(r, "no schedule");
            return r->failure;
        }
        snprintf(r->name, sizeof r->name, "%s", name);
        nq_ctx ctx;
        nq_ctx_init(&ctx, NULL);
        memset(r->sessions, 0, sizeof r->sessions);
        r->waiting_count = 0;
        if (make_trees(&ctx, r) != NQ_OK) {
            fail(r, ctx.error.message);
            return r->failure;
        }
        at = run_schedule(r, at);
        if (r->failure[0] != 0) {
            return r->failure; /* with sessions left as they are; the caller is about to end */
        }
        at = next_line(r, at);
    }
    return NULL;
}

const char *schedules_run(nq_store *store, const char *text) {
    static runner r;
    const char *failure = NULL;
    for (int level = 0; level < LEVELS && failure == NULL; level++) {
        r = (runner){.store = store, .level = (nq_isolation)level};
        failure = run_all(&r, text);
    }
    return failure;
}
