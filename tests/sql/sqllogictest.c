/* A runner of sqllogictest files (sqlite.org/sqllogictest) over engine/api, each file on a new
 * database.
 *
 *     statement ok | statement error [SQLSTATE]        SQL, a blank line
 *     statement count N                                N rows were affected
 *     query TYPES [nosort|rowsort|valuesort] [label]   SQL, ----, one value a line
 *                                                      or "N values hashing to MD5"
 *     skipif ENGINE, onlyif ENGINE, hash-threshold N, halt; a # starts a comment
 *
 * TYPES: I prints an integer, R three decimals, T text. `--update` writes the answers given into
 * the file.
 * `--corpus` is for files made for other engines: what we refuse, as PostgreSQL does, is counted
 * and not held against us, nor is what depends on it; `--known FILE` lists places ("path:line", one
 * a line, # for why) where our answer rightly differs. Our name is qsql. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sql/md5.h"
#include "tests/sql/session.h"

static char *known_places; /* the text of --known, or NULL */

enum { VALUE_BYTES_MAX = 4096, SHOWN_FAILURES_MAX = 100 };

typedef struct counts {
    uint64_t passed, failed, skipped, unsupported;
} counts;

typedef struct file {
    const char *path;
    char **lines;
    size_t line_count, line;
    FILE *updated; /* --update: the file being written anew */
    bool is_corpus;
    bool is_halted;
    uint64_t hash_threshold;
    counts counts;
} file;

/* ---- Answers ---- */

typedef struct answer {
    const char *types;
    char **values;
    size_t count, capacity;
    uint32_t column_count;
} answer;

static void add_value(answer *a, const char *text) {
    if (a->count == a->capacity) {
        a->capacity = a->capacity == 0 ? 64 : a->capacity * 2;
        a->values = realloc(a->values, a->capacity * sizeof *a->values);
    }
    a->values[a->count++] = strdup(text);
}

static double number_of(nq_value value) {
    switch (nq_type_form(value.type)) {
    case NQ_FORM_BOOL:
        return value.boolean;
    case NQ_FORM_INT64:
        return (double)value.integer;
    case NQ_FORM_FLOAT64:
        return value.number;
    default: {
        char text[64];
        (void)snprintf(text, sizeof text, "%.*s", NQ_BYTES_FORMAT(value.bytes));
        return strtod(text, NULL);
    }
    }
}

static void print_text(nq_value value, char *text) {
    nq_ctx ctx;
    nq_arena arena;
    nq_bytes printed = {NULL, 0};
    nq_arena_init(&arena, 64 << 20);
    nq_ctx_init(&ctx, &arena);
    (void)(nq_value_print(&ctx, &arena, value, &printed) == NQ_OK);
    size_t size = 0;
    for (; size < printed.size && size < VALUE_BYTES_MAX - 1; size++) {
        text[size] = printed.data[size] < ' ' ? '@' : (char)printed.data[size];
    }
    text[size] = '\0';
    if (size == 0) {
        (void)strcpy(text, "(empty)");
    }
    nq_arena_deinit(&arena);
}

static void visit_row(void *user, const nq_batch *batch, uint32_t row) {
    answer *a = user;
    a->column_count = batch->column_count;
    for (uint32_t column = 0; column < batch->column_count; column++) {
        char text[VALUE_BYTES_MAX];
        nq_value value = nq_batch_value(batch, column, row);
        char type = column < strlen(a->types) ? a->types[column] : 'T';
        bool is_integer = nq_type_form(value.type) == NQ_FORM_INT64;
        if (value.is_null) {
            (void)strcpy(text, "NULL");
        } else if (type == 'I') {
            (void)snprintf(text, sizeof text, "%lld",
                           is_integer ? (long long)value.integer : (long long)number_of(value));
        } else if (type == 'R') {
            (void)snprintf(text, sizeof text, "%.3f", number_of(value));
        } else {
            print_text(value, text);
        }
        add_value(a, text);
    }
}

static size_t sort_width; /* values compared together; qsort has no context */

static int compare_values(const void *left, const void *right) {
    char *const *l = left, *const *r = right;
    for (size_t i = 0; i < sort_width; i++) {
        int order = strcmp(l[i], r[i]);
        if (order != 0) {
            return order;
        }
    }
    return 0;
}

static void sort_answer(answer *a, const char *mode) {
    sort_width = strcmp(mode, "rowsort") == 0     ? a->column_count
                 : strcmp(mode, "valuesort") == 0 ? 1
                                                  : 0;
    if (sort_width > 0 && a->count > 0) {
        qsort(a->values, a->count / sort_width, sort_width * sizeof *a->values, compare_values);
    }
}

static void hash_answer(const answer *a, char *text, size_t text_bytes) {
    md5 hash;
    char hex[33];
    md5_init(&hash);
    for (size_t i = 0; i < a->count; i++) {
        md5_add(&hash, a->values[i], strlen(a->values[i]));
        md5_add(&hash, "\n", 1);
    }
    md5_finish(&hash, hex);
    (void)snprintf(text, text_bytes, "%zu values hashing to %s", a->count, hex);
}

static void free_answer(answer *a) {
    for (size_t i = 0; i < a->count; i++) {
        free(a->values[i]);
    }
    free(a->values);
}

/* ---- Records ---- */

static const char *current(const file *f) {
    return f->line < f->line_count ? f->lines[f->line] : "";
}

static void keep_line(file *f) {
    if (f->updated != NULL) {
        (void)fprintf(f->updated, "%s\n", current(f));
    }
    f->line++;
}

static bool ends_with(const char *text, const char *end, size_t end_size) {
    size_t size = strlen(text);
    return end_size > 0 && size >= end_size && strncmp(text + size - end_size, end, end_size) == 0;
}

/* Whether --known lists the place, or the whole file. */
static bool is_known(const file *f, size_t line) {
    char place[1024];
    (void)snprintf(place, sizeof place, "%s:%zu", f->path, line + 1);
    for (const char *at = known_places; at != NULL && *at != '\0';) {
        size_t size = strcspn(at, "\n");
        if (ends_with(place, at, size) || ends_with(f->path, at, size)) {
            return true;
        }
        at += size + (at[size] == '\n');
    }
    return false;
}

static void report(file *f, size_t line, const char *sql, const char *what) {
    if (is_known(f, line)) {
        f->counts.unsupported++;
        return;
    }
    f->counts.failed++;
    if (f->counts.failed <= SHOWN_FAILURES_MAX) {
        (void)fprintf(stderr, "%s:%zu: %s\n    %.300s\n", f->path, line + 1, what, sql);
    }
}

/* The lines up to a blank one or "----", joined. */
static char *take_sql(file *f) {
    size_t size = 0;
    char *sql = calloc(1, 1);
    while (f->line < f->line_count && current(f)[0] != '\0' && strcmp(current(f), "----") != 0) {
        size_t line_size = strlen(current(f));
        sql = realloc(sql, size + line_size + 2);
        size += (size_t)sprintf(sql + size, "%s%s", size > 0 ? "\n" : "", current(f));
        keep_line(f);
    }
    return sql;
}

/* In a corpus: not in this version; or refused by PostgreSQL too (a column neither grouped nor
 * aggregated, unary + of a text); or missing because the CREATE that was to make it is one of
 * these. */
static bool is_unsupported(const file *f, nq_status status) {
    return f->is_corpus && (status == NQ_FEATURE_UNSUPPORTED || status == NQ_GROUPING_ERROR ||
                            status == NQ_UNKNOWN_FUNCTION ||
                            (f->counts.unsupported > 0 && status == NQ_TABLE_NOT_FOUND));
}

static void run_statement(file *f, nq_session *s, const char *expectation, const char *argument) {
    char what[512];
    uint64_t affected = 0;
    size_t line = f->line;
    char *sql = take_sql(f);
    nq_status status = session_run(s, nq_bytes_of_cstr(sql), NULL, 0, NULL, NULL, &affected);
    const char *state = nq_status_sqlstate(status);
    if (status != NQ_OK && is_unsupported(f, status)) {
        f->counts.unsupported++;
    } else if (strcmp(expectation, "error") == 0 &&
               (status == NQ_OK || (argument[0] != '\0' && strcmp(argument, state) != 0))) {
        (void)snprintf(what, sizeof what, "%s %s, not %s", state, s->ctx.error.message,
                       argument[0] != '\0' ? argument : "an error");
        report(f, line, sql, status == NQ_OK ? "no error" : what);
    } else if (strcmp(expectation, "error") != 0 && status != NQ_OK) {
        (void)snprintf(what, sizeof what, "%s %s", state, s->ctx.error.message);
        report(f, line, sql, what);
    } else if (strcmp(expectation, "count") == 0 &&
               affected != (uint64_t)strtoull(argument, NULL, 10)) {
        (void)snprintf(what, sizeof what, "%llu rows affected", (unsigned long long)affected);
        report(f, line, sql, what);
    } else {
        f->counts.passed++;
    }
    free(sql);
}

/* Compares with the lines that follow, or writes them. False: `what` says where they part. */
static bool check_answer(file *f, const answer *a, char *what, size_t what_bytes) {
    char hashed[80];
    bool is_equal = true;
    size_t first = f->line;
    hash_answer(a, hashed, sizeof hashed);
    bool is_hash = strstr(current(f), " values hashing to ") != NULL;
    size_t expected = 0;
    while (f->line < f->line_count && current(f)[0] != '\0') {
        expected++;
        f->line++;
    }
    if (f->updated != NULL) {
        bool hashes = f->hash_threshold > 0 && a->count > f->hash_threshold;
        for (size_t i = 0; i < a->count && !hashes; i++) {
            (void)fprintf(f->updated, "%s\n", a->values[i]);
        }
        if (hashes) {
            (void)fprintf(f->updated, "%s\n", hashed);
        }
        return true;
    }
    if (is_hash) {
        is_equal = strcmp(f->lines[first], hashed) == 0;
        (void)snprintf(what, what_bytes, "%s, not %s", hashed, f->lines[first]);
        return is_equal;
    }
    for (size_t i = 0; i < a->count && i < expected && is_equal; i++) {
        is_equal = strcmp(a->values[i], f->lines[first + i]) == 0;
        (void)snprintf(what, what_bytes, "value %zu is %s, not %s", i + 1, a->values[i],
                       f->lines[first + i]);
    }
    if (is_equal && a->count != expected) {
        (void)snprintf(what, what_bytes, "%zu values, not %zu", a->count, expected);
        return false;
    }
    return is_equal;
}

static void run_query(file *f, nq_session *s, const char *types, const char *mode) {
    char what[VALUE_BYTES_MAX * 2 + 64];
    answer a = {.types = types};
    size_t line = f->line;
    char *sql = take_sql(f);
    nq_status status = session_run(s, nq_bytes_of_cstr(sql), NULL, 0, visit_row, &a, NULL);
    bool has_answer = strcmp(current(f), "----") == 0;
    if (has_answer) {
        keep_line(f);
    }
    sort_answer(&a, mode);
    if (status != NQ_OK && is_unsupported(f, status)) {
        f->counts.unsupported++;
    } else if (status != NQ_OK) {
        (void)snprintf(what, sizeof what, "%s %s", nq_status_sqlstate(status),
                       s->ctx.error.message);
        report(f, line, sql, what);
    } else if (a.count > 0 && a.column_count != strlen(types)) {
        (void)snprintf(what, sizeof what, "%u columns, not %zu", a.column_count, strlen(types));
        report(f, line, sql, what);
    } else if (has_answer && !check_answer(f, &a, what, sizeof what)) {
        report(f, line, sql, what);
    } else {
        f->counts.passed++;
    }
    while (f->line < f->line_count && current(f)[0] != '\0') {
        f->line++;
    }
    free_answer(&a);
    free(sql);
}

static void skip_record(file *f) {
    while (f->line < f->line_count && current(f)[0] != '\0') {
        keep_line(f);
    }
    f->counts.skipped++;
}

/* `skipif` and `onlyif` in front of a record: whether it is for us. */
static bool take_conditions(file *f) {
    bool is_ours = true;
    char word[16], engine[64];
    while (sscanf(current(f), "%15s %63s", word, engine) == 2) {
        if (strcmp(word, "skipif") == 0) {
            is_ours &= strcmp(engine, "qsql") != 0;
        } else if (strcmp(word, "onlyif") == 0) {
            is_ours &= strcmp(engine, "qsql") == 0;
        } else {
            break;
        }
        keep_line(f);
    }
    return is_ours;
}

static void run_record(file *f, nq_session *s) {
    char words[4][256] = {"", "", "", ""};
    bool is_ours = take_conditions(f);
    (void)sscanf(current(f), "%255s %255s %255s %255s", words[0], words[1], words[2], words[3]);
    if (!is_ours) {
        skip_record(f);
        return;
    }
    keep_line(f);
    if (strcmp(words[0], "statement") == 0) {
        run_statement(f, s, words[1], words[2]);
    } else if (strcmp(words[0], "query") == 0) {
        run_query(f, s, words[1], words[2]);
    } else if (strcmp(words[0], "hash-threshold") == 0) {
        f->hash_threshold = strtoull(words[1], NULL, 10);
    } else if (strcmp(words[0], "halt") == 0) {
        f->is_halted = true;
    } else if (words[0][0] != '\0' && words[0][0] != '#') {
        report(f, f->line - 1, words[0], "an unknown kind of record");
    }
}

/* ---- Files ---- */

/* The whole file and a NUL, or NULL. */
static char *read_text(const char *path) {
    FILE *in = fopen(path, "rb");
    if (in == NULL) {
        (void)fprintf(stderr, "%s: cannot be read\n", path);
        return NULL;
    }
    (void)fseek(in, 0, SEEK_END);
    size_t size = (size_t)ftell(in);
    rewind(in);
    char *text = malloc(size + 1);
    size = fread(text, 1, size, in);
    text[size] = '\0';
    (void)fclose(in);
    return text;
}

static bool read_lines(file *f, char **out_text) {
    char *text = read_text(f->path);
    size_t size = text != NULL ? strlen(text) : 0, capacity = 0;
    for (char *at = text; at < text + size;) {
        char *end = strchr(at, '\n');
        if (f->line_count == capacity) {
            capacity = capacity == 0 ? 1024 : capacity * 2;
            f->lines = realloc(f->lines, capacity * sizeof *f->lines);
        }
        f->lines[f->line_count++] = at;
        if (end == NULL) {
            break;
        }
        *end = '\0';
        if (end > at && end[-1] == '\r') {
            end[-1] = '\0';
        }
        at = end + 1;
    }
    *out_text = text;
    return text != NULL;
}

static counts run_file(const char *path, bool updates, bool is_corpus) {
    file f = {.path = path, .is_corpus = is_corpus};
    nq_session s;
    char *text;
    if (!read_lines(&f, &text)) {
        return (counts){.failed = 1};
    }
    f.updated = updates ? fopen(path, "wb") : NULL;
    if (session_open(&s) != NQ_OK) {
        report(&f, 0, "", s.ctx.error.message);
    } else {
        while (f.line < f.line_count && !f.is_halted) {
            run_record(&f, &s);
        }
    }
    while (f.line < f.line_count) {
        keep_line(&f);
    }
    session_close(&s);
    if (f.updated != NULL) {
        (void)fclose(f.updated);
    }
    free(f.lines);
    free(text);
    return f.counts;
}

int main(int argc, char **argv) {
    bool updates = false, is_corpus = false;
    counts total = {0};
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--update") == 0) {
            updates = true;
        } else if (strcmp(argv[i], "--corpus") == 0) {
            is_corpus = true;
        } else if (strcmp(argv[i], "--known") == 0 && i + 1 < argc) {
            known_places = read_text(argv[++i]);
        } else {
            counts one = run_file(argv[i], updates, is_corpus);
            (void)printf("%s: %llu passed, %llu failed, %llu unsupported, %llu skipped\n", argv[i],
                         (unsigned long long)one.passed, (unsigned long long)one.failed,
                         (unsigned long long)one.unsupported, (unsigned long long)one.skipped);
            total.passed += one.passed;
            total.failed += one.failed;
            total.unsupported += one.unsupported;
            total.skipped += one.skipped;
        }
    }
    (void)printf("total: %llu passed, %llu failed, %llu unsupported, %llu skipped\n",
                 (unsigned long long)total.passed, (unsigned long long)total.failed,
                 (unsigned long long)total.unsupported, (unsigned long long)total.skipped);
    free(known_places);
    return total.failed == 0 && total.passed > 0 ? 0 : 1;
}
