/* Peers: one workload for our storage engine and five others, in the same run.
 *
 * See USAGE below and README.md; `make bench-storage` builds and runs it. */
#define _GNU_SOURCE
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/peers/driver.h"
#include "bench/peers/files.h"
#include "bench/peers/phase.h"
#include "bench/peers/report.h"

enum { EXIT_USAGE = 2 };

static const char *const USAGE =
    "peers [OPTION]...\n"
    "  --rows N        rows of a loaded database [1000000]\n"
    "  --repeat N      repetitions of every phase [1]; the best counts, unless --median\n"
    "  --median        the median of the repetitions counts\n"
    "  --seconds S     of a timed part [1]\n"
    "  --cache-mb N    page cache of every engine [512]\n"
    "  --only A,B,...  these phases (--list names them)\n"
    "  --peers A,B,... these engines\n"
    "  --dir DIR       where the databases are kept for the next run [a temporary directory]\n"
    "  --results FILE  measures are added to this file, and reported with what it holds\n"
    "  --report FILE   run nothing, report what the file holds\n"
    "  --list          name engines and phases\n";

typedef struct request {
    bench_settings settings;
    const char *results_path;
    bool is_report_only;
    bool keeps_directory;
} request;

static void list(void) {
    for (size_t i = 0; backends[i] != NULL; i++) {
        printf("engine %s %s\n", backends[i]->name, backends[i]->version);
    }
    for (size_t i = 0; i < phase_count; i++) {
        printf("phase %s\n", phases[i].name);
    }
}

static double number_of(const char *text) {
    char *end;
    double value = strtod(text, &end);
    must(*text != '\0' && *end == '\0' && value > 0, "an option wants a number above 0");
    return value;
}

static bool apply(request *self, int option) {
    switch (option) {
    case 'n':
        self->settings.rows = (uint64_t)number_of(optarg);
        return true;
    case 'r':
        self->settings.repeats = (uint32_t)number_of(optarg);
        return true;
    case 'm':
        self->settings.uses_medians = true;
        return true;
    case 's':
        self->settings.seconds = number_of(optarg);
        return true;
    case 'c':
        self->settings.cache_bytes = (uint64_t)(number_of(optarg) * (1 << 20));
        return true;
    case 'o':
        self->settings.only = optarg;
        return true;
    case 'p':
        self->settings.peers = optarg;
        return true;
    case 'd':
        (void)snprintf(self->settings.directory, sizeof(self->settings.directory), "%s", optarg);
        self->keeps_directory = true;
        return true;
    case 'f':
    case 'R':
        self->results_path = optarg;
        self->is_report_only = option == 'R';
        return true;
    default:
        return false;
    }
}

static request parse(int count, char **arguments) {
    static const struct option options[] = {
        {"rows", required_argument, NULL, 'n'},     {"repeat", required_argument, NULL, 'r'},
        {"median", no_argument, NULL, 'm'},         {"seconds", required_argument, NULL, 's'},
        {"cache-mb", required_argument, NULL, 'c'}, {"only", required_argument, NULL, 'o'},
        {"peers", required_argument, NULL, 'p'},    {"dir", required_argument, NULL, 'd'},
        {"results", required_argument, NULL, 'f'},  {"report", required_argument, NULL, 'R'},
        {"list", no_argument, NULL, 'l'},           {NULL, 0, NULL, 0},
    };
    request parsed = {
        .settings = {.rows = 1000000, .cache_bytes = 512 << 20, .seconds = 1, .repeats = 1}};
    int option;
    while ((option = getopt_long(count, arguments, "", options, NULL)) != -1) {
        if (option == 'l') {
            list();
            exit(EXIT_SUCCESS);
        }
        if (!apply(&parsed, option)) {
            (void)fputs(USAGE, stderr);
            exit(EXIT_USAGE);
        }
    }
    if (optind < count) {
        (void)fputs(USAGE, stderr);
        exit(EXIT_USAGE);
    }
    return parsed;
}

/* A misspelt name would silently measure nothing. */
static void must_know(const char *names, bool (*is_known)(const char *name)) {
    char *copy = strdup(names == NULL ? "" : names);
    char *rest = copy;
    char *name;
    must(copy != NULL, "out of memory");
    while ((name = strsep(&rest, ",")) != NULL) {
        if (*name != '\0' && !is_known(name)) {
            (void)fprintf(stderr, "peers: there is no '%s'; see --list\n", name);
            exit(EXIT_USAGE);
        }
    }
    free(copy);
}

static bool is_phase(const char *name) {
    for (size_t i = 0; i < phase_count; i++) {
        if (strcmp(phases[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_engine(const char *name) {
    return backend_find(name) != NULL;
}

static void make_temporary_directory(bench_settings *settings) {
    const char *parent = getenv("TMPDIR");
    (void)snprintf(settings->directory, sizeof(settings->directory), "%s/nq-peers-XXXXXX",
                   parent == NULL ? "/tmp" : parent);
    must(mkdtemp(settings->directory) != NULL, settings->directory);
}

int main(int count, char **arguments) {
    request asked = parse(count, arguments);
    char default_path[RUN_PATH_BYTES + 16];
    must_know(asked.settings.only, is_phase);
    must_know(asked.settings.peers, is_engine);
    if (!asked.is_report_only && !asked.keeps_directory) {
        make_temporary_directory(&asked.settings);
    }
    if (asked.results_path == NULL) {
        (void)snprintf(default_path, sizeof(default_path), "%s/results.tsv",
                       asked.settings.directory);
        asked.results_path = default_path;
    }
    if (asked.keeps_directory && !directory_exists(asked.settings.directory)) {
        directory_make_empty(asked.settings.directory);
    }
    bench_measures *measures = measures_open(asked.results_path);
    if (!asked.is_report_only) {
        driver_run(&asked.settings, measures);
    }
    report_figures(measures, asked.settings.uses_medians);
    printf("\n");
    report_goals(measures, asked.settings.uses_medians);
    printf("\n");
    report_bench_lines(measures, asked.settings.uses_medians);
    measures_close(measures);
    if (!asked.is_report_only && !asked.keeps_directory) {
        directory_remove(asked.settings.directory);
    }
    return EXIT_SUCCESS;
}
