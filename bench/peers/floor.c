/* Floor: what one durable write costs on this disk whoever makes it — 4 KiB of a file that was
 * written before, overwritten and synced. No engine commits faster with one client. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/peers/trial.h"

enum { BLOCK_BYTES = 4096, FILE_BYTES = 64 << 20, CHUNK_BYTES = 1 << 20 };

static int make_written_file(const bench_trial *trial, const uint8_t *chunk) {
    char path[RUN_PATH_BYTES + 16];
    (void)snprintf(path, sizeof(path), "%s/floor", trial->directory);
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    must(fd >= 0, path);
    for (off_t offset = 0; offset < FILE_BYTES; offset += CHUNK_BYTES) {
        must(pwrite(fd, chunk, CHUNK_BYTES, offset) == CHUNK_BYTES, path);
    }
    must(fsync(fd) == 0, path);
    return fd;
}

void run_sync_floor(const bench_trial *trial) {
    uint8_t *chunk = allocate(CHUNK_BYTES);
    bench_latency *latency = allocate(sizeof(*latency));
    int fd = make_written_file(trial, chunk);
    uint64_t started = now_ns();
    uint64_t end = started + (uint64_t)(trial->settings->seconds * 1e9);
    uint64_t now = started;
    off_t offset = 0;
    while (now < end) {
        uint64_t begun = now;
        memcpy(chunk, &begun, sizeof(begun));
        must(pwrite(fd, chunk, BLOCK_BYTES, offset) == BLOCK_BYTES && fdatasync(fd) == 0, "floor");
        offset = (offset + BLOCK_BYTES) % FILE_BYTES;
        now = now_ns();
        latency_record(latency, now - begun);
    }
    findings_set(trial->findings, METRIC_ops_per_s,
                 (double)latency->count * 1e9 / (double)(now - started));
    trial_set_latencies(trial, latency);
    must(close(fd) == 0, "floor");
    free(chunk);
    free(latency);
}
