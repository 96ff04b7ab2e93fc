/* Campaign: the log alone. A run appends numbered records, writes and syncs them, now and then in
 * the middle of a sync, recycles and archives; every third run keeps a copy, on a disk on which a
 * power cut also damages what lies near the write in flight. Before each I/O the power fails or the
 * process ends on a clone of the disk. What is then read back must be a run of records without a
 * gap that holds what was promised, also after a second life that was interrupted in turn; and what
 * is no longer there must be in the archive. */
#include <stdio.h>
#include <stdlib.h>

#include "engine/ground/base/rng.h"
#include "engine/ground/os/sim_vfs.h"
#include "engine/ground/os/thread.h"
#include "engine/storage/wal/log.h"
#include "engine/storage/wal/log_mirror.h"
#include "engine/storage/wal/log_segment.h"
#include "tests/engine/storage/support/campaign.h"

enum {
    SEGMENT_BYTES = 64 << 10,
    SALT = 77,
    STEPS = 60,
    STEPS_AFTER_MAX = 6,
    RECORDS_MAX = 2000,
    VALUE_BYTES_MAX = 3000,
    PROCESS_END_EVERY = 5,
    SEED_STRIDE = 1000003,
};

/* A record's number and whose it is; its value repeats them. */
typedef struct stamp {
    uint32_t number;
    uint32_t life;
} stamp;

typedef struct log_run log_run;

/* Takes what it is given unless it is not in the mood; the next segment in line only. */
typedef struct moody_archive {
    nq_log_archive archive;
    nq_rng rng;
    uint64_t next; /* segments before are taken */
    bool has_gap;
} moody_archive;

/* Passes everything on, after a word with the run. */
typedef struct busy_sink {
    nq_log_sink sink;
    nq_log_sink *inner;
    log_run *run;
} busy_sink;

struct log_run {
    nq_ctx ctx;
    nq_sim_vfs *disk;
    nq_log *log;
    nq_rng rng;
    uint64_t seed;
    bool has_copy;
    moody_archive archive;
    uint32_t life;               /* 1, then 2 after a recovery */
    uint32_t lives[RECORDS_MAX]; /* by number: which life appended it */
    nq_lsn ends[RECORDS_MAX];    /* by number */
    uint32_t appended;           /* the newest number */
    uint32_t written;            /* the newest that must survive the end of the process */
    uint32_t durable;            /* the newest that must survive a power cut */
    nq_lsn start;                /* where the log begins */
    uint32_t start_run;          /* which run got there */
    uint32_t before;             /* the newest number before `start` */
    bool is_power_cut;
    char when[80];
    char failure[400];
    campaign_counts *counts;
};

static bool fail_run(log_run *run, const char *when, const char *what) {
    if (run->failure[0] == 0) {
        snprintf(run->failure, sizeof run->failure, "log, seed %llu%s: %s",
                 (unsigned long long)run->seed, when, what);
    }
    return false;
}

/* ---- The archive ---- */

static nq_status take(nq_ctx *ctx, nq_log_archive *base, const nq_log_segment_view *segment) {
    moody_archive *archive = (moody_archive *)base;
    static uint8_t bytes[SEGMENT_BYTES];
    if (nq_rng_below(&archive->rng, 3) == 0) {
        return nq_fail(ctx, NQ_IO_ERROR, "the archive is not in the mood");
    }
    NQ_TRY(nq_log_segment_view_read(ctx, segment, 0, bytes, sizeof bytes));
    archive->has_gap = archive->has_gap || segment->number > archive->next;
    archive->next = segment->number < archive->next ? archive->next : segment->number + 1;
    return NQ_OK;
}

static const nq_log_archive_vtable archive_vtable = {.take = take};

/* ---- A sink in which something happens beside a sync ---- */

static nq_status write_something(log_run *run);

static void busy_close(nq_log_sink *sink) {
    nq_log_sink_close(((busy_sink *)sink)->inner);
    free(sink);
}
static nq_lsn busy_first(nq_log_sink *sink) {
    return nq_log_sink_first(((busy_sink *)sink)->inner);
}
static nq_lsn busy_room_end(nq_log_sink *sink) {
    return nq_log_sink_room_end(((busy_sink *)sink)->inner);
}
static nq_status busy_extend(nq_ctx *ctx, nq_log_sink *sink, nq_lsn end) {
    return nq_log_sink_extend(ctx, ((busy_sink *)sink)->inner, end);
}
static nq_status busy_read(nq_ctx *ctx, nq_log_sink *sink, uint32_t copy, nq_lsn lsn,
                           uint8_t *out_bytes, size_t size) {
    return nq_log_sink_read(ctx, ((busy_sink *)sink)->inner, copy, lsn, out_bytes, size);
}
static nq_status busy_write(nq_ctx *ctx, nq_log_sink *sink, nq_lsn lsn, const uint8_t *bytes,
                            size_t size) {
    return nq_log_sink_write(ctx, ((busy_sink *)sink)->inner, lsn, bytes, size);
}
static nq_status busy_repair(nq_ctx *ctx, nq_log_sink *sink, uint32_t copy, nq_lsn lsn,
                             const uint8_t *bytes, size_t size) {
    return nq_log_sink_repair(ctx, ((busy_sink *)sink)->inner, copy, lsn, bytes, size);
}
static nq_status busy_start(nq_ctx *ctx, nq_log_sink *sink, nq_lsn from, nq_lsn end) {
    return nq_log_sink_start(ctx, ((busy_sink *)sink)->inner, from, end);
}
static nq_status busy_sync(nq_ctx *ctx, nq_log_sink *sink, nq_lsn from, nq_lsn to) {
    log_run *run = ((busy_sink *)sink)->run;
    if (run->log != NULL && to.value - from.value < SEGMENT_BYTES &&
        nq_rng_below(&run->rng, 3) == 0) {
        NQ_TRY(write_something(run));
    }
    return nq_log_sink_sync(ctx, ((busy_sink *)sink)->inner, from, to);
}
static nq_status busy_recycle(nq_ctx *ctx, nq_log_sink *sink, nq_lsn needed, nq_lsn spare_end) {
    return nq_log_sink_recycle(ctx, ((busy_sink *)sink)->inner, needed, spare_end);
}
static nq_status busy_trim(nq_ctx *ctx, nq_log_sink *sink, nq_lsn end) {
    return nq_log_sink_trim(ctx, ((busy_sink *)sink)->inner, end);
}
static void busy_describe(const nq_log_sink *sink, uint32_t copy, nq_lsn lsn, char *out_text,
                          size_t text_bytes) {
    nq_log_sink_describe(((const busy_sink *)sink)->inner, copy, lsn, out_text, text_bytes);
}

static const nq_log_sink_vtable busy_vtable = {
    .close = busy_close,
    .first = busy_first,
    .room_end = busy_room_end,
    .extend = busy_extend,
    .read = busy_read,
    .write = busy_write,
    .repair = busy_repair,
    .start = busy_start,
    .sync = busy_sync,
    .recycle = busy_recycle,
    .trim = busy_trim,
    .describe = busy_describe,
};

static nq_log_sink *make_busy(log_run *run, nq_log_sink *inner) {
    busy_sink *busy = malloc(sizeof *busy);
    if (busy == NULL) {
        abort();
    }
    *busy = (busy_sink){*inner, inner, run};
    busy->sink.vtable = &busy_vtable;
    return &busy->sink;
}

/* ---- Steps of a run ---- */

static nq_status append(log_run *run, size_t value_bytes) {
    static uint8_t values[2][1 << 21]; /* a life may begin in the middle of the other's append */
    uint8_t *value = values[run->life - 1];
    stamp s = {run->appended + 1, run->life};
    memcpy(value, &s, sizeof s);
    nq_log_record record = {.kind = NQ_RECORD_PUT,
                            .tree = 1,
                            .key = NQ_BYTES_LITERAL("k"),
                            .value = nq_bytes_of(value, sizeof s + value_bytes)};
    size_t bytes = nq_record_bytes(&record);
    NQ_TRY(nq_log_reserve(&run->ctx, run->log, bytes, bytes));
    run->appended++;
    run->lives[run->appended] = run->life;
    return nq_log_append(&run->ctx, run->log, &record, 1, &run->ends[run->appended]);
}

static nq_status append_some(log_run *run) {
    for (uint64_t i = 1 + nq_rng_below(&run->rng, 3); i > 0; i--) {
        bool is_big = nq_rng_below(&run->rng, 40) == 0;
        NQ_TRY(append(run, is_big ? (1 << 20) + 100 : nq_rng_below(&run->rng, VALUE_BYTES_MAX)));
    }
    return NQ_OK;
}

static nq_status write_something(log_run *run) {
    uint32_t durable = run->durable;
    NQ_TRY(append(run, nq_rng_below(&run->rng, VALUE_BYTES_MAX)));
    NQ_TRY(nq_log_write(&run->ctx, run->log, run->ends[run->appended]));
    run->written = run->appended;
    run->durable = durable;
    return NQ_OK;
}

static nq_status sync_all(log_run *run) {
    uint32_t number = run->appended;
    NQ_TRY(nq_log_sync(&run->ctx, run->log, run->ends[number]));
    run->durable = number;
    run->written = run->written > number ? run->written : number;
    return NQ_OK;
}

static nq_status recycle(log_run *run) {
    NQ_TRY(sync_all(run));
    run->start = nq_log_durable_end(run->log);
    run->start_run = nq_log_run(run->log);
    run->before = run->durable;
    return nq_log_recycle(&run->ctx, run->log, run->start, 4 * SEGMENT_BYTES);
}

static nq_status step(log_run *run) {
    uint64_t dice = nq_rng_below(&run->rng, 100);
    nq_ctx forgiving;
    nq_ctx_init(&forgiving, NULL);
    (void)nq_log_archive_next(&forgiving, run->log);
    if (dice < 5) {
        return recycle(run);
    }
    NQ_TRY(append_some(run));
    if (dice < 50) {
        return sync_all(run);
    }
    if (dice < 90) {
        NQ_TRY(nq_log_write(&run->ctx, run->log, run->ends[run->appended]));
        run->written = run->appended;
    }
    return NQ_OK;
}

static nq_status run_steps(log_run *run, int count) {
    for (int i = 0; i < count && run->appended + 8 < RECORDS_MAX; i++) {
        NQ_TRY(step(run));
    }
    return NQ_OK;
}

/* ---- Opening and checking ---- */

static nq_status open_sink(log_run *run, nq_log_sink **out_sink) {
    nq_log_segment_options segments = {
        .vfs = nq_sim_vfs_as_vfs(run->disk), .directory = "log", .segment_bytes = SEGMENT_BYTES};
    NQ_TRY(nq_log_segments_open(&run->ctx, &segments, run->start, out_sink));
    if (!run->has_copy) {
        return NQ_OK;
    }
    nq_log_sink *first = *out_sink;
    nq_log_sink *copy;
    segments.directory = "copy";
    nq_status status = nq_log_segments_open_copy(&run->ctx, &segments, run->start, &copy);
    if (status != NQ_OK) {
        nq_log_sink_close(first);
        return status;
    }
    return nq_log_mirror_create(&run->ctx, first, copy, out_sink);
}

static nq_status open_log(log_run *run, nq_log **out_log) {
    nq_log_options options = {.salt = SALT,
                              .run = run->start_run,
                              .archive = &run->archive.archive,
                              .archive_bytes_max = UINT64_MAX};
    nq_log_sink *inner;
    NQ_TRY(open_sink(run, &inner));
    options.sink = make_busy(run, inner);
    return nq_log_open(&run->ctx, &options, run->start, out_log);
}

/* What the disk no longer holds is in the archive, without a gap. */
static bool check_archive(log_run *run, const char *when) {
    nq_log_segment_options segments = {
        .vfs = nq_sim_vfs_as_vfs(run->disk), .directory = "log", .segment_bytes = SEGMENT_BYTES};
    nq_log_sink *sink;
    if (nq_log_segments_open(&run->ctx, &segments, run->start, &sink) != NQ_OK) {
        return fail_run(run, when, run->ctx.error.message);
    }
    uint64_t oldest = nq_log_sink_first(sink).value / SEGMENT_BYTES;
    nq_log_sink_close(sink);
    if (run->archive.next < oldest || run->archive.has_gap) {
        return fail_run(run, when, "a segment is neither on the disk nor in the archive");
    }
    return true;
}

static bool check_record(log_run *run, const char *when, const nq_log_record *record,
                         uint32_t number) {
    stamp s;
    memcpy(&s, record->value.data, sizeof s);
    if (s.number != number || number > run->appended || s.life != run->lives[number]) {
        char words[120];
        snprintf(words, sizeof words, "record %u of life %u where %u of life %u belongs", s.number,
                 s.life, number, number <= run->appended ? run->lives[number] : 0);
        return fail_run(run, when, words);
    }
    return true;
}

/* Opens, reads everything and starts; at least the first `least` records must be there. */
static bool reopen(log_run *run, const char *when, uint32_t least) {
    if (!check_archive(run, when)) {
        return false;
    }
    uint32_t number = run->before;
    nq_log *log = NULL;
    nq_status status = open_log(run, &log);
    for (bool is_end = false; status == NQ_OK && !is_end;) {
        nq_log_record record;
        nq_lsn end;
        status = nq_log_read(&run->ctx, log, &record, &end, &is_end);
        bool is_ours = status == NQ_OK && !is_end && record.kind != NQ_RECORD_START;
        if (is_ours && !check_record(run, when, &record, ++number)) {
            nq_log_close(log);
            return false;
        }
    }
    uint64_t cut_bytes;
    if (status == NQ_OK) {
        status = nq_log_start(&run->ctx, log, &cut_bytes);
    }
    if (status != NQ_OK || number < least) {
        char words[200];
        snprintf(words, sizeof words, "records to %u found, %u promised: %s", number, least,
                 status == NQ_OK ? "" : run->ctx.error.message);
        nq_log_close(log);
        return fail_run(run, when, words);
    }
    run->log = log;
    run->appended = number;
    run->written = number;
    run->durable = number;
    return true;
}

/* A second life on what the first has left, up to its own power cut. */
static bool live_again(log_run *run, const char *when) {
    run->life = 2;
    nq_status status = run_steps(run, (int)nq_rng_below(&run->rng, STEPS_AFTER_MAX));
    nq_sim_vfs_cut_power(run->disk);
    nq_error error = run->ctx.error;
    nq_log_close(run->log);
    run->log = NULL;
    nq_sim_vfs_restart(run->disk);
    if (status != NQ_OK) {
        return fail_run(run, when, error.message);
    }
    return reopen(run, when, run->durable);
}

/* On a thread of its own: the run it interrupts holds locks. */
static void recover(void *argument) {
    log_run *after = argument;
    if (reopen(after, after->when, after->is_power_cut ? after->durable : after->written) &&
        live_again(after, after->when)) {
        nq_log_close(after->log);
    }
}

static void interrupt(log_run *run, uint64_t io, bool is_power_cut) {
    static log_run after; /* too large for a stack */
    nq_thread thread;
    after = *run;
    after.log = NULL;
    after.rng = (nq_rng){run->seed * SEED_STRIDE + io};
    after.is_power_cut = is_power_cut;
    snprintf(after.when, sizeof after.when, ", %s before I/O %llu",
             is_power_cut ? "power cut" : "end of the process", (unsigned long long)io);
    if (nq_sim_vfs_clone(&after.ctx, run->disk, after.rng.state, &after.disk) != NQ_OK) {
        fail_run(run, after.when, after.ctx.error.message);
        return;
    }
    if (is_power_cut) {
        nq_sim_vfs_crash(after.disk);
    }
    if (nq_thread_start(&after.ctx, &thread, "recovery", recover, &after) == NQ_OK) {
        nq_thread_join(&thread);
    } else {
        fail_run(&after, after.when, after.ctx.error.message);
    }
    nq_sim_vfs_destroy(after.disk);
    memcpy(run->failure, after.failure, sizeof run->failure);
    run->counts->log_crashes++;
}

static void crash_here(void *user, uint64_t io) {
    log_run *run = user;
    if (run->log == NULL || run->failure[0] != 0) {
        return;
    }
    interrupt(run, io, true);
    if (run->failure[0] == 0 && io % PROCESS_END_EVERY == 0) {
        interrupt(run, io, false);
    }
}

static nq_status make_log(log_run *run) {
    nq_log_segment_options segments = {
        .vfs = nq_sim_vfs_as_vfs(run->disk), .directory = "log", .segment_bytes = SEGMENT_BYTES};
    NQ_TRY(nq_vfs_make_dir(&run->ctx, segments.vfs, "log"));
    NQ_TRY(nq_vfs_make_dir(&run->ctx, segments.vfs, "copy"));
    NQ_TRY(nq_vfs_sync_dir(&run->ctx, segments.vfs, "."));
    return nq_log_segments_create(&run->ctx, &segments, (nq_lsn){0});
}

const char *campaign_log(uint64_t seed, campaign_counts *counts) {
    static log_run run;
    run = (log_run){.seed = seed,
                    .rng = {seed},
                    .has_copy = seed % 3 == 0,
                    .archive = {.archive = {&archive_vtable}, .rng = {seed}},
                    .life = 1,
                    .counts = counts};
    nq_ctx_init(&run.ctx, NULL);
    nq_sim_options sim = {.seed = seed, .writeback_ppm = 100000, .collateral_damage = run.has_copy};
    if (nq_sim_vfs_create(&run.ctx, &sim, &run.disk) != NQ_OK) {
        return "no disk";
    }
    if (make_log(&run) != NQ_OK) {
        fail_run(&run, "", run.ctx.error.message);
    } else if (reopen(&run, "", 0)) {
        nq_sim_vfs_set_observer(run.disk, crash_here, &run);
        if (run_steps(&run, STEPS) != NQ_OK) {
            fail_run(&run, "", run.ctx.error.message);
        }
        nq_log_close(run.log);
    }
    nq_sim_vfs_destroy(run.disk);
    return run.failure[0] == 0 ? NULL : run.failure;
}
