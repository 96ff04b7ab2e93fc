/* Campaign: flipped bits. Each in a clone of its own, which is opened and held against the
 * workload.
 *
 * In the data file one bit costs nothing: parity and the other superblocks make up for it. Where
 * more is lost than parity can restore, and in the log, the store may refuse, but is never wrong.
 */
#include <stdio.h>

#include "engine/ground/os/sim_vfs.h"
#include "engine/storage/pager/superblock.h"
#include "tests/engine/storage/support/campaign.h"
#include "tests/engine/storage/support/workload.h"

enum { COMMITS = 40 };

static char failure[900];

static const char *fail_with(uint64_t seed, const char *where, const char *what) {
    snprintf(failure, sizeof failure, "seed %llu, %s: %s", (unsigned long long)seed, where, what);
    return failure;
}

static bool is_corruption(nq_status status) {
    return status == NQ_PAGE_CORRUPT || status == NQ_LOG_CORRUPT || status == NQ_FILE_FOREIGN;
}

/* ---- What is flipped ---- */

typedef enum target {
    TARGET_DATA,       /* a bit of the data file */
    TARGET_SUPERBLOCK, /* of a superblock's head */
    TARGET_ROW,        /* many in each of three blocks of a row, which parity cannot restore */
    TARGET_LOG,
    TARGET_COUNT,
} target;

typedef struct flip {
    target target;
    char path[64];
    uint64_t offsets[3];
    uint32_t offset_count;
    uint32_t span; /* bytes at each offset, of which the bit is flipped */
    unsigned bit;
} flip;

static uint64_t file_bytes(nq_sim_vfs *disk, const char *path) {
    nq_ctx ctx;
    nq_ctx_init(&ctx, NULL);
    nq_file *file;
    uint64_t bytes = 0;
    if (nq_vfs_open(&ctx, nq_sim_vfs_as_vfs(disk), path, NQ_OPEN_READ_ONLY, &file) == NQ_OK) {
        (void)(nq_file_size(&ctx, file, &bytes) == NQ_OK);
        nq_file_close(file);
    }
    return bytes;
}

/* Where a segment's header says how much data it holds: docs/format/segment.md. */
enum { DATA_BYTES_AT = 24 };

/* A segment that was written at some time; 0: none is. */
static uint64_t choose_segment(nq_sim_vfs *disk, nq_rng *rng, nq_segment_layout layout,
                               uint32_t *out_data_bytes) {
    nq_ctx ctx;
    nq_ctx_init(&ctx, NULL);
    uint64_t count = file_bytes(disk, "db/data.nqdb") / nq_segment_bytes(layout);
    uint64_t first = nq_rng_below(rng, count);
    nq_file *file;
    *out_data_bytes = 0;
    if (nq_vfs_open(&ctx, nq_sim_vfs_as_vfs(disk), "db/data.nqdb", NQ_OPEN_READ_ONLY, &file) !=
        NQ_OK) {
        return 0;
    }
    uint64_t segment = 0;
    for (uint64_t i = 0; i < count && *out_data_bytes == 0; i++) {
        size_t read_bytes;
        segment = (first + i) % count;
        uint64_t at = segment * nq_segment_bytes(layout) + DATA_BYTES_AT;
        if (segment != 0 && nq_file_read_at(&ctx, file, at, out_data_bytes, sizeof *out_data_bytes,
                                            &read_bytes) != NQ_OK) {
            break;
        }
    }
    nq_file_close(file);
    return *out_data_bytes == 0 ? 0 : segment;
}

/* The block of a data lane, P and Q, all of one row of one segment. */
static void aim_at_row(flip *f, nq_rng *rng, nq_segment_layout layout, uint64_t start,
                       uint32_t data_bytes) {
    uint64_t block =
        nq_rng_below(rng, (data_bytes + NQ_SEGMENT_BLOCK_BYTES - 1) / NQ_SEGMENT_BLOCK_BYTES);
    uint64_t row = block % layout.lane_blocks;
    uint64_t within = nq_rng_below(rng, NQ_SEGMENT_BLOCK_BYTES - 16);
    const uint64_t lanes[3] = {block / layout.lane_blocks, NQ_SEGMENT_DATA_LANES,
                               NQ_SEGMENT_DATA_LANES + 1};
    f->offset_count = 3;
    f->span = 16;
    for (int i = 0; i < 3; i++) {
        uint64_t lost = 1 + lanes[i] * layout.lane_blocks + row;
        f->offsets[i] = start + lost * NQ_SEGMENT_BLOCK_BYTES + within;
    }
}

static flip aim(nq_sim_vfs *disk, nq_rng *rng, target what) {
    nq_segment_layout layout = {workload_store_options().lane_blocks};
    flip f = {.target = what, .offset_count = 1, .span = 1, .bit = (unsigned)nq_rng_below(rng, 8)};
    snprintf(f.path, sizeof f.path, "db/data.nqdb");
    uint32_t data_bytes;
    uint64_t start = choose_segment(disk, rng, layout, &data_bytes) * nq_segment_bytes(layout);
    if (what == TARGET_DATA && start != 0) {
        f.offsets[0] = start + nq_rng_below(rng, NQ_SEGMENT_HEADER_BYTES + data_bytes);
    } else if (what == TARGET_SUPERBLOCK) {
        uint32_t copy = (uint32_t)nq_rng_below(rng, NQ_SUPERBLOCK_COPIES);
        f.offsets[0] =
            nq_superblock_offset(layout, copy) + nq_rng_below(rng, NQ_SUPERBLOCK_HEAD_BYTES);
    } else if (what == TARGET_ROW && start != 0) {
        aim_at_row(&f, rng, layout, start, data_bytes);
    } else if (what == TARGET_LOG) {
        uint64_t bytes;
        do {
            snprintf(f.path, sizeof f.path, "db/log/%016llx.log",
                     (unsigned long long)nq_rng_below(rng, 64));
            bytes = file_bytes(disk, f.path);
        } while (bytes == 0);
        f.offsets[0] = nq_rng_below(rng, bytes);
    }
    return f;
}

/* ---- What becomes of it ---- */

typedef struct verdict {
    const char *difference; /* NULL: as it may be */
    bool is_noticed;
    bool is_repaired;
} verdict;

static verdict judge(nq_sim_vfs *disk, const workload *w, const flip *f, size_t lost_max) {
    static nq_ctx ctx; /* its message outlives the call */
    nq_ctx_init(&ctx, NULL);
    bool may_refuse = f->target == TARGET_ROW || f->target == TARGET_LOG;
    nq_store_options options = workload_store_options();
    nq_store *store;
    nq_status status = nq_store_open(&ctx, nq_sim_vfs_as_vfs(disk), "db", &options, &store);
    if (status != NQ_OK) {
        bool is_allowed = may_refuse && is_corruption(status);
        return (verdict){.difference = is_allowed ? NULL : ctx.error.message, .is_noticed = true};
    }
    workload lenient = *w;
    lost_max = f->target == TARGET_LOG ? lost_max : 0;
    lenient.acknowledged -= lost_max < lenient.acknowledged ? lost_max : lenient.acknowledged;
    size_t found;
    verdict v = {.difference = workload_check(store, &lenient, &found)};
    v.is_noticed = v.difference != NULL || found != w->committed;
    if (v.difference != NULL && may_refuse && is_corruption(workload_check_status)) {
        v.difference = NULL;
    }
    nq_store_stats stats;
    nq_store_get_stats(store, &stats);
    v.is_repaired = stats.data_images_repaired != 0;
    status = nq_store_close(&ctx, store);
    if (status != NQ_OK && v.difference == NULL && !(may_refuse && is_corruption(status))) {
        v.difference = ctx.error.message;
    }
    return v;
}

static const char *try_flip(nq_sim_vfs *disk, const workload *w, const flip *f, size_t lost_max,
                            campaign_counts *counts, uint64_t seed) {
    nq_ctx ctx;
    nq_ctx_init(&ctx, NULL);
    nq_sim_vfs *copy;
    if (nq_sim_vfs_clone(&ctx, disk, seed, &copy) != NQ_OK) {
        return "no clone";
    }
    for (uint32_t i = 0; i < f->offset_count * f->span; i++) {
        nq_sim_vfs_flip_bit(copy, f->path, f->offsets[i / f->span] + i % f->span, f->bit);
    }
    verdict v = judge(copy, w, f, lost_max);
    counts->flips++;
    counts->flips_noticed += v.is_noticed ? 1 : 0;
    counts->flips_repaired += v.is_repaired ? 1 : 0;
    nq_sim_vfs_destroy(copy);
    if (v.difference == NULL) {
        return NULL;
    }
    char where[128];
    snprintf(where, sizeof where, "%s offset %llu bit %u", f->path,
             (unsigned long long)f->offsets[0], f->bit);
    return fail_with(seed, where, v.difference);
}

static const char *flip_many(nq_sim_vfs *disk, const workload *w, uint64_t seed,
                             uint64_t flip_count, size_t lost_max, campaign_counts *counts) {
    nq_rng rng = {seed};
    const char *difference = NULL;
    for (uint64_t i = 0; i < flip_count && difference == NULL; i++) {
        flip f = aim(disk, &rng, (target)(i % TARGET_COUNT));
        difference = try_flip(disk, w, &f, lost_max, counts, seed);
    }
    return difference;
}

const char *campaign_bit_flips(uint64_t seed, uint64_t flip_count, campaign_counts *counts) {
    nq_ctx ctx;
    nq_ctx_init(&ctx, NULL);
    nq_sim_options sim = {.seed = seed};
    nq_sim_vfs *disk;
    if (nq_sim_vfs_create(&ctx, &sim, &disk) != NQ_OK) {
        return "no disk";
    }
    workload w;
    workload_init(&w, seed);
    nq_store_options options = workload_store_options();
    nq_store *store;
    if (nq_store_open(&ctx, nq_sim_vfs_as_vfs(disk), "db", &options, &store) != NQ_OK ||
        workload_run(&ctx, &w, store, COMMITS) != NQ_OK) {
        return fail_with(seed, "bit flips", ctx.error.message);
    }
    w.is_durable_only = true;
    if (workload_run(&ctx, &w, store, 2) != NQ_OK) {
        return fail_with(seed, "bit flips", ctx.error.message);
    }
    /* While the log is needed: the newest group, which holds the newest commit alone, cannot be
     * told from an unfinished write. */
    const char *difference = flip_many(disk, &w, seed, flip_count, 1, counts);
    if (nq_store_close(&ctx, store) != NQ_OK && difference == NULL) {
        difference = fail_with(seed, "close", ctx.error.message);
    }
    w.acknowledged = w.committed;
    if (difference == NULL) {
        difference = flip_many(disk, &w, seed + 1, flip_count, 0, counts);
    }
    workload_deinit(&w);
    nq_sim_vfs_destroy(disk);
    return difference;
}
