/* Session: see the header. */
#include "tests/engine/storage/support/session.h"

#include <stdio.h>
#include <stdlib.h>

#include "engine/ground/os/clock.h"
#include "engine/ground/os/mutex.h"
#include "engine/ground/os/thread.h"

enum { WORDS_MAX = 4, SAVEPOINTS_MAX = 8, STEP_BYTES_MAX = 200, ANSWER_BYTES_MAX = 400 };

static const int64_t lock_wait_ns = INT64_C(5000000000); /* only a circle not found waits so long */
static const int64_t look_ns = 500000;

typedef struct named_savepoint {
    char name[16];
    nq_savepoint mark;
} named_savepoint;

struct session {
    nq_store *store;
    nq_tree_id trees[SESSION_TREES];
    nq_isolation level;
    nq_thread thread;
    nq_mutex mutex;
    nq_cond changed;
    bool is_stopping;
    bool is_running; /* a step is under way */
    bool is_waiting; /* as the other side was told */
    char step[STEP_BYTES_MAX];
    char answer[ANSWER_BYTES_MAX];
    /* The thread's own. */
    nq_ctx ctx;
    nq_txn *txn;
    named_savepoint savepoints[SAVEPOINTS_MAX];
    uint32_t savepoint_count;
};

/* ---- Answers ---- */

static const char *name_of(nq_status status) {
    switch (status) {
    case NQ_OK:
        return "ok";
    case NQ_WRITE_CONFLICT:
        return "conflict";
    case NQ_DEADLOCK:
        return "deadlock";
    case NQ_UNIQUE_VIOLATION:
        return "exists";
    case NQ_TABLE_NOT_FOUND:
        return "no-table";
    case NQ_READ_ONLY_TRANSACTION:
        return "read-only";
    default:
        return nq_status_name(status);
    }
}

static void answer(session *s, const char *text) {
    snprintf(s->answer, sizeof s->answer, "%s", text);
}

static void answer_status(session *s, nq_status status) {
    answer(s, name_of(status));
}

/* ---- Steps ---- */

static nq_tree_id tree_of(const session *s, const char **key) {
    bool is_second = strncmp(*key, "u/", 2) == 0;
    *key += is_second ? 2 : 0;
    return s->trees[is_second ? 1 : 0];
}

static void step_begin(session *s, char *const words[WORDS_MAX]) {
    nq_txn_options options = {.isolation = s->level, .lock_wait_ns = lock_wait_ns};
    options.read_only = strcmp(words[1], "read-only") == 0;
    if (strcmp(words[1], "read-committed") == 0) {
        options.isolation = NQ_READ_COMMITTED;
    }
    s->savepoint_count = 0;
    answer_status(s, nq_txn_begin(&s->ctx, s->store, &options, &s->txn));
}

static void step_statement(session *s, char *const words[WORDS_MAX]) {
    (void)words;
    answer_status(s, nq_txn_statement_begin(&s->ctx, s->txn));
}

static void step_get(session *s, char *const words[WORDS_MAX]) {
    const char *key = words[1];
    nq_tree_id tree = tree_of(s, &key);
    nq_bytes value;
    nq_status status = nq_txn_find(&s->ctx, s->txn, tree, nq_bytes_of_cstr(key), &value);
    if (status != NQ_OK) {
        answer_status(s, status);
    } else if (value.data == NULL) {
        answer(s, "none");
    } else {
        snprintf(s->answer, sizeof s->answer, "%.*s", NQ_BYTES_FORMAT(value));
    }
}

static void step_scan(session *s, char *const words[WORDS_MAX]) {
    nq_scan_range range = {0};
    if (words[1][0] != 0) {
        range.low = nq_bytes_of_cstr(words[1]);
        range.high = nq_bytes_of_cstr(words[2]);
    }
    nq_scan *scan;
    nq_status status = nq_scan_open(&s->ctx, s->txn, s->trees[0], &range, &scan);
    if (status != NQ_OK) {
        answer_status(s, status);
        return;
    }
    nq_bytes key;
    nq_bytes value;
    size_t size = 0;
    answer(s, "none");
    while ((status = nq_scan_next(&s->ctx, scan, &key, &value)) == NQ_OK && key.data != NULL) {
        size +=
            (size_t)snprintf(s->answer + size, sizeof s->answer - size, "%s%.*s=%.*s",
                             size == 0 ? "" : " ", NQ_BYTES_FORMAT(key), NQ_BYTES_FORMAT(value));
    }
    nq_scan_close(scan);
    if (status != NQ_OK) {
        answer_status(s, status);
    }
}

static void step_put(session *s, char *const words[WORDS_MAX]) {
    const char *key = words[1];
    nq_tree_id tree = tree_of(s, &key);
    answer_status(
        s, nq_txn_put(&s->ctx, s->txn, tree, nq_bytes_of_cstr(key), nq_bytes_of_cstr(words[2])));
}

/* Writes more than a transaction may keep in memory (workload_store_options). */
static void step_fill(session *s, char *const words[WORDS_MAX]) {
    enum { ROWS = 60 };
    static const uint8_t value[1000];
    nq_tree_id tree = s->trees[words[1][0] == 'u' ? 1 : 0];
    nq_status status = NQ_OK;
    for (int row = 0; row < ROWS && status == NQ_OK; row++) {
        char key[16];
        size_t bytes = (size_t)snprintf(key, sizeof key, "fill%03d", row);
        status = nq_txn_put(&s->ctx, s->txn, tree, nq_bytes_of(key, bytes),
                            nq_bytes_of(value, sizeof value));
    }
    answer_status(s, status);
}

static void step_insert(session *s, char *const words[WORDS_MAX]) {
    const char *key = words[1];
    nq_tree_id tree = tree_of(s, &key);
    answer_status(
        s, nq_txn_insert(&s->ctx, s->txn, tree, nq_bytes_of_cstr(key), nq_bytes_of_cstr(words[2])));
}

static void step_remove(session *s, char *const words[WORDS_MAX]) {
    const char *key = words[1];
    nq_tree_id tree = tree_of(s, &key);
    bool was_present;
    nq_status status = nq_txn_remove(&s->ctx, s->txn, tree, nq_bytes_of_cstr(key), &was_present);
    answer(s, status == NQ_OK && !was_present ? "absent" : name_of(status));
}

static void step_savepoint(session *s, char *const words[WORDS_MAX]) {
    named_savepoint *savepoint = &s->savepoints[s->savepoint_count++ % SAVEPOINTS_MAX];
    snprintf(savepoint->name, sizeof savepoint->name, "%.15s", words[1]);
    answer_status(s, nq_txn_savepoint(&s->ctx, s->txn, &savepoint->mark));
}

static nq_savepoint find_savepoint(const session *s, const char *name) {
    nq_savepoint found = {UINT64_MAX};
    for (uint32_t i = 0; i < s->savepoint_count; i++) {
        if (strcmp(s->savepoints[i].name, name) == 0) {
            found = s->savepoints[i].mark;
        }
    }
    return found;
}

static void step_rollback_to(session *s, char *const words[WORDS_MAX]) {
    answer_status(s, nq_txn_rollback_to(&s->ctx, s->txn, find_savepoint(s, words[1])));
}

static void step_release(session *s, char *const words[WORDS_MAX]) {
    nq_txn_release(s->txn, find_savepoint(s, words[1]));
    answer(s, "ok");
}

static void step_lock_alone(session *s, char *const words[WORDS_MAX]) {
    nq_tree_id tree = s->trees[words[1][0] == 'u' ? 1 : 0];
    answer_status(s, nq_txn_tree_lock(&s->ctx, s->txn, tree, NQ_TREE_ALONE));
}

static void step_drop(session *s, char *const words[WORDS_MAX]) {
    nq_tree_id tree = s->trees[words[1][0] == 'u' ? 1 : 0];
    answer_status(s, nq_txn_tree_drop(&s->ctx, s->txn, tree));
}

static void step_commit(session *s, char *const words[WORDS_MAX]) {
    (void)words;
    nq_commit_options options = {0};
    nq_txn *txn = s->txn;
    s->txn = NULL;
    answer_status(s, nq_txn_commit(&s->ctx, txn, &options, NULL));
}

static void step_rollback(session *s, char *const words[WORDS_MAX]) {
    (void)words;
    nq_txn_rollback(s->txn);
    s->txn = NULL;
    answer(s, "ok");
}

/* Parts the words of a line at its spaces. */
static void split(char *line, char *words[WORDS_MAX]) {
    char *at = line;
    for (int i = 0; i < WORDS_MAX && *at != 0; i++) {
        words[i] = at;
        at += strcspn(at, " ");
        if (*at != 0) {
            *at++ = 0;
            at += strspn(at, " ");
        }
    }
}

static void run_step(session *s) {
    static const struct {
        const char *name;
        void (*run)(session *s, char *const words[WORDS_MAX]);
    } steps[] = {
        {"begin", step_begin},
        {"statement", step_statement},
        {"get", step_get},
        {"scan", step_scan},
        {"put", step_put},
        {"insert", step_insert},
        {"remove", step_remove},
        {"savepoint", step_savepoint},
        {"rollback-to", step_rollback_to},
        {"release", step_release},
        {"fill", step_fill},
        {"lock-alone", step_lock_alone},
        {"drop", step_drop},
        {"commit", step_commit},
        {"rollback", step_rollback},
    };
    char *words[WORDS_MAX] = {"", "", "", ""};
    split(s->step, words);
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        if (strcmp(steps[i].name, words[0]) == 0) {
            steps[i].run(s, words);
            return;
        }
    }
    answer(s, "no such step");
}

/* ---- The thread ---- */

static void run_session(void *argument) {
    session *s = argument;
    nq_mutex_lock(&s->mutex);
    while (!s->is_stopping) {
        if (!s->is_running) {
            nq_cond_wait(&s->changed, &s->mutex);
            continue;
        }
        nq_mutex_unlock(&s->mutex);
        run_step(s);
        nq_mutex_lock(&s->mutex);
        s->is_running = false;
        nq_cond_broadcast(&s->changed);
    }
    nq_mutex_unlock(&s->mutex);
}

session *session_create(nq_store *store, const nq_tree_id *trees, nq_isolation level) {
    session *s = calloc(1, sizeof *s);
    if (s == NULL) {
        abort();
    }
    s->store = store;
    s->level = level;
    memcpy(s->trees, trees, sizeof s->trees);
    nq_ctx_init(&s->ctx, NULL);
    nq_mutex_init(&s->mutex, NQ_LOCK_SERVICE_ALARM);
    nq_cond_init(&s->changed);
    if (nq_thread_start(&s->ctx, &s->thread, "session", run_session, s) != NQ_OK) {
        abort();
    }
    return s;
}

void session_destroy(session *s) {
    if (s == NULL) {
        return;
    }
    nq_mutex_lock(&s->mutex);
    s->is_stopping = true;
    nq_cond_broadcast(&s->changed);
    nq_mutex_unlock(&s->mutex);
    nq_thread_join(&s->thread);
    nq_cond_deinit(&s->changed);
    nq_mutex_deinit(&s->mutex);
    free(s);
}

void session_begin_step(session *s, const char *step) {
    nq_mutex_lock(&s->mutex);
    snprintf(s->step, sizeof s->step, "%s", step);
    s->is_running = true;
    nq_cond_broadcast(&s->changed);
    nq_mutex_unlock(&s->mutex);
}

const char *session_await(session *s, uint32_t waiting_count) {
    nq_mutex_lock(&s->mutex);
    s->is_waiting = false;
    while (s->is_running && !s->is_waiting) {
        nq_cond_wait_until(&s->changed, &s->mutex, nq_clock_monotonic_ns() + look_ns);
        nq_store_stats stats;
        nq_store_get_stats(s->store, &stats);
        s->is_waiting = s->is_running && stats.waiting_txns > waiting_count;
    }
    const char *said = s->is_waiting ? "waits" : s->answer;
    nq_mutex_unlock(&s->mutex);
    return said;
}

bool session_is_waiting(const session *s) {
    return s->is_waiting;
}

bool session_is_idle(const session *s) {
    return s->txn == NULL;
}
