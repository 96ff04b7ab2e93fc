/* Smoke: import, query, stream and fan-out through the server's API, each beside SQLite or Redis in
 * the same run, alternating.
 *
 *   smoke SERVER REDIS-PORT SQLITE-FILE CSV [PART…]     (CSV: series,timestamp,value)
 *
 * and the fan-out beside itself with subscribers that do not read. Parts: rows, fanout, stalled.
 *
 * SQLite runs inside this process: it pays no network, we pay gRPC on loopback. That is what a user
 * who chooses between them gets. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench/workload/measure.h"

double seconds_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static int compare(const void *left, const void *right) {
    double a = *(const double *)left;
    double b = *(const double *)right;
    return (a > b) - (a < b);
}

double median(double *values, size_t count) {
    qsort(values, count, sizeof(*values), compare);
    return values[count / 2];
}

void bench_line(const char *name, double ours, double peer, double ratio_gate) {
    double ratio = ours / peer;
    printf("BENCH %s ours=%.0f peer=%.0f ratio=%.2f gate=%.2f %s\n", name, ours, peer, ratio,
           ratio_gate, ratio >= ratio_gate ? "ok" : "short");
    fflush(stdout);
}

void die(const char *what, const char *why) {
    fprintf(stderr, "smoke: %s: %s\n", what, why);
    exit(1);
}

void check(nq_code code, const char *what, const nq_failure *failure) {
    if (code != NQ_CODE_OK) {
        die(what, failure->message);
    }
}

static int64_t parse_time(const char *text) {
    struct tm tm = {0};
    if (sscanf(text, "%d-%d-%d %d:%d:%d", &tm.tm_year, &tm.tm_mon, &tm.tm_mday, &tm.tm_hour,
               &tm.tm_min, &tm.tm_sec) < 3) {
        die("csv", text);
    }
    tm.tm_year -= 1900;
    tm.tm_mon -= 1;
    return (int64_t)timegm(&tm) * 1000000;
}

/* Fields of this data set are never quoted. */
static data_set read_csv(const char *path) {
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        die("cannot open", path);
    }
    data_set data = {0};
    size_t capacity = 0;
    const char *last_series = "";
    char line[512];
    while (fgets(line, sizeof(line), file) != NULL) {
        char *time = strchr(line, ',');
        char *value = time == NULL ? NULL : strchr(time + 1, ',');
        if (value == NULL) {
            die("csv", line);
        }
        *time++ = '\0';
        *value++ = '\0';
        if (data.count == capacity) {
            capacity = capacity == 0 ? 1024 : 2 * capacity;
            data.rows = realloc(data.rows, capacity * sizeof(*data.rows));
            if (data.rows == NULL) {
                die("csv", "out of memory");
            }
        }
        if (strcmp(last_series, line) != 0) {
            last_series = strdup(line);
        }
        data.rows[data.count++] = (reading){last_series, parse_time(time), strtod(value, NULL)};
    }
    fclose(file);
    return data;
}

static void bench_data(const char *server, const char *csv, const char *sqlite_path) {
    nq_client *client;
    nq_failure failure;
    data_set data = read_csv(csv);
    printf("%zu rows; medians of %d alternating rounds\n", data.count, ROUNDS);
    check(nq_client_open(server, NULL, &client, &failure), "connect", &failure);
    bench_rows(client, &data, sqlite_path);
    nq_client_close(client);
}

/* Whether the words after the fourth name the part, or there are none. */
static bool is_wanted(char **words, const char *part) {
    bool is_named = words[5] == NULL;
    for (char **word = words + 5; *word != NULL; word++) {
        is_named = is_named || strcmp(*word, part) == 0;
    }
    return is_named;
}

int main(int argc, char **argv) {
    if (argc < 5) {
        fprintf(stderr,
                "usage: smoke SERVER REDIS-PORT SQLITE-FILE CSV [rows|fanout|stalled]...\n");
        return 2;
    }
    if (is_wanted(argv, "rows")) {
        bench_data(argv[1], argv[4], argv[3]);
    }
    if (is_wanted(argv, "fanout")) {
        bench_fanout(argv[1], atoi(argv[2]));
    }
    if (is_wanted(argv, "stalled")) {
        bench_stalled(argv[1]);
    }
    return 0;
}
