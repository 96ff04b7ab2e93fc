/* Trace: unpack, parse, number. */
#include "tests/engine/storage/cache/trace.h"

#include <math.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/ground/base/rng.h"
#include "engine/ground/simd/hash.h"

extern char **environ;

const trace_file trace_files[] = {
    {"OLTP", "OLTP.lis.zst"},
    {"P3", "P3.lis.zst"},
    {"P6", "P6.lis.zst"},
    {"orm-busy", "cache2k_orm-busy.trace.xz"},
    {"web12", "cache2k_web12.trace.xz"},
    {"cs", "lirs_cs.trace.gz"},
    {"gli", "lirs_gli.trace.gz"},
    {"loop", "lirs_loop.trace.gz"},
    {"multi1", "lirs_multi1.trace.gz"},
    {"multi2", "lirs_multi2.trace.gz"},
    {"multi3", "lirs_multi3.trace.gz"},
};
const size_t trace_file_count = sizeof trace_files / sizeof trace_files[0];

static void die(const char *what, const char *path) {
    fprintf(stderr, "%s: %s\n", path, what);
    exit(1);
}

static void *must(void *memory) {
    if (memory == NULL) {
        die("no memory", "trace");
    }
    return memory;
}

static bool ends_in(const char *text, const char *end) {
    size_t length = strlen(text);
    return length >= strlen(end) && strcmp(text + length - strlen(end), end) == 0;
}

/* ---- Unpacking ---- */

static FILE *unpack(const char *path, pid_t *out_child) {
    const char *command = ends_in(path, ".zst") ? "zstd" : ends_in(path, ".xz") ? "xz" : "gzip";
    int pipe_ends[2];
    posix_spawn_file_actions_t actions;
    if (pipe(pipe_ends) != 0 || posix_spawn_file_actions_init(&actions) != 0) {
        die("no pipe", path);
    }
    posix_spawn_file_actions_adddup2(&actions, pipe_ends[1], STDOUT_FILENO);
    posix_spawn_file_actions_addclose(&actions, pipe_ends[0]);
    posix_spawn_file_actions_addclose(&actions, pipe_ends[1]);
    char *arguments[] = {(char *)command, "-dc", (char *)path, NULL};
    if (posix_spawnp(out_child, command, &actions, NULL, arguments, environ) != 0) {
        die("cannot be unpacked here", path);
    }
    posix_spawn_file_actions_destroy(&actions);
    close(pipe_ends[1]);
    return must(fdopen(pipe_ends[0], "r"));
}

/* ---- Numbers as they come ---- */

typedef struct raw_ids {
    uint64_t *items;
    size_t count, room;
} raw_ids;

static void push(raw_ids *ids, uint64_t id) {
    if (ids->count == ids->room) {
        ids->room = ids->room == 0 ? 1 << 16 : ids->room * 2;
        ids->items = must(realloc(ids->items, ids->room * sizeof *ids->items));
    }
    ids->items[ids->count++] = id;
}

static void parse_line(const char *path, const char *line, raw_ids *ids) {
    uint64_t first;
    uint64_t count = 1;
    if (ends_in(path, ".lis.zst")) {
        if (sscanf(line, "%lu %lu", &first, &count) != 2) {
            die(line, path);
        }
    } else if (line[0] == '*' || line[0] == '\n') {
        return;
    } else if (sscanf(line, "%lu", &first) != 1) {
        die(line, path);
    }
    for (uint64_t i = 0; i < count; i++) {
        push(ids, first + i);
    }
}

static void parse(const char *path, FILE *input, raw_ids *ids) {
    if (ends_in(path, ".trace.xz")) {
        uint8_t word[4];
        while (fread(word, sizeof word, 1, input) == 1) {
            push(ids, (uint32_t)word[0] << 24 | word[1] << 16 | word[2] << 8 | word[3]);
        }
        return;
    }
    char line[256];
    while (fgets(line, sizeof line, input) != NULL) {
        parse_line(path, line, ids);
    }
}

/* ---- Dense ids ---- */

typedef struct numbering {
    uint64_t *raw;
    uint32_t *dense; /* 0: the place is free */
    size_t room;
} numbering;

static uint32_t number_of(numbering *n, uint64_t raw, uint32_t next) {
    size_t place = nq_hash64_word(raw, 0) & (n->room - 1);
    while (n->dense[place] != 0 && n->raw[place] != raw) {
        place = (place + 1) & (n->room - 1);
    }
    if (n->dense[place] == 0) {
        n->raw[place] = raw;
        n->dense[place] = next;
    }
    return n->dense[place];
}

static trace make_dense(const raw_ids *raw) {
    numbering n = {.room = 1};
    while (n.room < 2 * raw->count) {
        n.room *= 2;
    }
    n.raw = must(calloc(n.room, sizeof *n.raw));
    n.dense = must(calloc(n.room, sizeof *n.dense));
    trace t = {.ids = must(calloc(raw->count + 1, sizeof *t.ids)), .count = raw->count};
    for (size_t i = 0; i < raw->count; i++) {
        t.ids[i] = number_of(&n, raw->items[i], t.id_count + 1);
        t.id_count = t.ids[i] > t.id_count ? t.ids[i] : t.id_count;
    }
    free(n.raw);
    free(n.dense);
    return t;
}

/* ---- Files ---- */

static bool find(const char *file, char *path, size_t path_bytes) {
    const char *corpora = getenv("NQ_CORPORA");
    static const char *const folders[] = {"", "/traces"};
    for (size_t i = 0; corpora != NULL && corpora[0] != 0 && i < 2; i++) {
        snprintf(path, path_bytes, "%s%s/%s", corpora, folders[i], file);
        if (access(path, R_OK) == 0) {
            return true;
        }
    }
    return false;
}

bool trace_load(const trace_file *file, trace *out_trace) {
    char path[1024];
    if (!find(file->file, path, sizeof path)) {
        return false;
    }
    pid_t child;
    FILE *input = unpack(path, &child);
    raw_ids raw = {0};
    parse(path, input, &raw);
    fclose(input);
    int status;
    if (waitpid(child, &status, 0) != child || status != 0 || raw.count == 0) {
        die("damaged", path);
    }
    *out_trace = make_dense(&raw);
    free(raw.items);
    return true;
}

void trace_free(trace *t) {
    free(t->ids);
    *t = (trace){0};
}

void trace_say_missing(void) {
    printf("NQ_CORPORA names no directory with recorded traces: they were not run\n");
}

/* ---- Made up ---- */

trace trace_zipf(uint32_t id_count, double theta, size_t count, uint64_t seed) {
    double *sums = must(calloc(id_count, sizeof *sums));
    uint32_t *ids = must(calloc(id_count, sizeof *ids));
    nq_rng rng = {seed};
    double sum = 0;
    for (uint32_t rank = 0; rank < id_count; rank++) {
        sums[rank] = sum += pow(rank + 1, -theta);
        uint32_t other = (uint32_t)nq_rng_below(&rng, rank + 1);
        ids[rank] = ids[other];
        ids[other] = rank + 1;
    }
    trace t = {.ids = must(calloc(count, sizeof *t.ids)), .count = count, .id_count = id_count};
    for (size_t i = 0; i < count; i++) {
        double wanted = nq_rng_unit(&rng) * sum;
        uint32_t low = 0;
        for (uint32_t high = id_count - 1; low < high;) {
            uint32_t middle = low + (high - low) / 2;
            *(sums[middle] > wanted ? &high : &low) = sums[middle] > wanted ? middle : middle + 1;
        }
        t.ids[i] = ids[low];
    }
    free(sums);
    free(ids);
    return t;
}
