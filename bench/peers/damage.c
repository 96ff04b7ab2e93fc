/* Damage: the data files are spoilt behind the engine's back, then every row is read and compared
 * byte by byte. A row is right, wrong (handed out as good), missing, or refused; rows that were not
 * read because the engine gave up or died count as refused. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench/peers/trial.h"

enum {
    FLIPPED_BITS = 200,
    ZEROED_BYTES = 256 << 10,
    ZEROED_EVERY_BYTES = 4 << 20, /* one run in each part of this size */
    FILES_MAX = 256,
    ROWS_A_SNAPSHOT = 1000,
    PATIENCE_S = 30, /* what was not read by then counts as refused */
};

typedef struct data_file {
    int fd;
    uint64_t bytes;
} data_file;

typedef struct data_files {
    data_file files[FILES_MAX];
    size_t count;
    uint64_t bytes;
} data_files;

static void open_data_files(const bench_trial *trial, data_files *out_files) {
    DIR *directory = opendir(trial->directory);
    must(directory != NULL, trial->directory);
    *out_files = (data_files){0};
    struct dirent *entry;
    while ((entry = readdir(directory)) != NULL && out_files->count < FILES_MAX) {
        struct stat stat;
        if (!trial->backend->is_data_file(entry->d_name)) {
            continue;
        }
        int fd = openat(dirfd(directory), entry->d_name, O_RDWR | O_CLOEXEC);
        must(fd >= 0 && fstat(fd, &stat) == 0, entry->d_name);
        out_files->files[out_files->count++] = (data_file){fd, (uint64_t)stat.st_size};
        out_files->bytes += (uint64_t)stat.st_size;
    }
    closedir(directory);
    must(out_files->bytes > 0, "no data file");
}

static void close_data_files(const data_files *files) {
    for (size_t i = 0; i < files->count; i++) {
        must(close(files->files[i].fd) == 0, "data file");
    }
}

static void flip_bit(const data_files *files, nq_rng *rng) {
    uint64_t offset = nq_rng_below(rng, files->bytes);
    size_t index = 0;
    uint8_t byte;
    while (offset >= files->files[index].bytes) {
        offset -= files->files[index++].bytes;
    }
    int fd = files->files[index].fd;
    must(pread(fd, &byte, 1, (off_t)offset) == 1, "data file");
    byte ^= (uint8_t)(1u << nq_rng_below(rng, 8));
    must(pwrite(fd, &byte, 1, (off_t)offset) == 1, "data file");
}

static void zero_runs(const data_file *file, nq_rng *rng) {
    static const uint8_t zeros[ZEROED_BYTES];
    for (uint64_t start = 0; start + ZEROED_BYTES <= file->bytes; start += ZEROED_EVERY_BYTES) {
        uint64_t left = file->bytes - start;
        uint64_t span = left < ZEROED_EVERY_BYTES ? left : ZEROED_EVERY_BYTES;
        uint64_t offset = start + nq_rng_below(rng, span - ZEROED_BYTES + 1);
        must(pwrite(file->fd, zeros, ZEROED_BYTES, (off_t)offset) == ZEROED_BYTES, "data file");
    }
}

/* The running counts stay in the findings, where they outlive this process: a row counts as refused
 * until it has been read. */
static void count_row(bench_findings *findings, bench_metric metric) {
    findings->values[METRIC_rows_refused]--;
    findings->values[metric]++;
    findings->values[METRIC_rows_not_right] -= metric == METRIC_rows_right;
}

static bench_metric read_row(const bench_trial *trial, bench_session *session, uint64_t id) {
    bench_row row;
    nq_bytes value;
    nq_bytes wanted = row_value(&row, id, 0);
    bench_outcome found = trial->backend->find(session, row_key(&row, KEYS_SCATTERED, id), &value);
    if (found == OUTCOME_DONE) {
        return nq_bytes_equal(value, wanted) ? METRIC_rows_right : METRIC_rows_wrong;
    }
    return found == OUTCOME_ABSENT ? METRIC_rows_missing : METRIC_rows_refused;
}

/* Some engines describe every damaged byte on stderr; some take minutes to find nothing. */
static void lose_patience(void) {
    must(freopen("/dev/null", "w", stderr) != NULL, "/dev/null");
    (void)alarm(PATIENCE_S);
}

static void report_damage(const bench_trial *trial, bench_database *database) {
    if (trial->backend->count_damage == NULL) {
        return;
    }
    bench_damage damage;
    trial->backend->count_damage(database, &damage);
    uint64_t unlogged =
        damage.places - (damage.log_lines < damage.places ? damage.log_lines : damage.places);
    findings_set(trial->findings, METRIC_damage_noticed, (double)damage.places);
    findings_set(trial->findings, METRIC_damage_not_logged, (double)unlogged);
    findings_set(trial->findings, METRIC_pages_restored, (double)damage.restored);
}

static void compare_all_rows(const bench_trial *trial) {
    lose_patience();
    findings_set(trial->findings, METRIC_rows_right, 0);
    findings_set(trial->findings, METRIC_rows_wrong, 0);
    findings_set(trial->findings, METRIC_rows_missing, 0);
    findings_set(trial->findings, METRIC_rows_refused, (double)trial->rows);
    findings_set(trial->findings, METRIC_rows_not_right, (double)trial->rows);
    bench_database *database = trial_open(trial);
    bench_session *session = trial_session_open(trial, database);
    for (uint64_t id = 0; id < trial->rows; id++) {
        if (id % ROWS_A_SNAPSHOT == 0) {
            trial_begin(trial, session, BACKEND_READ);
        }
        count_row(trial->findings, read_row(trial, session, id));
        if (id % ROWS_A_SNAPSHOT == ROWS_A_SNAPSHOT - 1) {
            (void)trial->backend->commit(session);
        }
    }
    report_damage(trial, database);
    _exit(0); /* closing a damaged database is not what is measured */
}

void run_flipped_bits(const bench_trial *trial) {
    data_files files;
    nq_rng rng = {trial->seed};
    open_data_files(trial, &files);
    for (int i = 0; i < FLIPPED_BITS; i++) {
        flip_bit(&files, &rng);
    }
    close_data_files(&files);
    compare_all_rows(trial);
}

void run_zeroed_runs(const bench_trial *trial) {
    data_files files;
    nq_rng rng = {trial->seed};
    open_data_files(trial, &files);
    for (size_t i = 0; i < files.count; i++) {
        zero_runs(&files.files[i], &rng);
    }
    close_data_files(&files);
    compare_all_rows(trial);
}
