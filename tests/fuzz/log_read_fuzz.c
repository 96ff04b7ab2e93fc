/* Fuzz: reading a log that is hostile from end to end. The input says which groups stand where,
 * whom they follow, of which run they are and what they claim was durable; their checksums match.
 * Reading must end, with a status, whatever they say; with two copies also when these differ. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "engine/storage/wal/log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { SALT = 7, SEGMENT_BYTES = 16 << 10, STEP_BYTES = 5, READS_MAX = 4096 };

typedef struct memory_sink {
    nq_log_sink sink;
    uint8_t copies[NQ_LOG_COPIES_MAX][SEGMENT_BYTES];
} memory_sink;

static nq_lsn first(nq_log_sink *sink) {
    (void)sink;
    return (nq_lsn){0};
}

static nq_lsn room_end(nq_log_sink *sink) {
    (void)sink;
    return (nq_lsn){SEGMENT_BYTES};
}

static nq_status read_bytes(nq_ctx *ctx, nq_log_sink *sink, uint32_t copy, nq_lsn lsn,
                            uint8_t *out_bytes, size_t size) {
    (void)ctx;
    if (size > SEGMENT_BYTES || lsn.value > SEGMENT_BYTES - size) {
        abort(); /* outside of the room */
    }
    memcpy(out_bytes, ((memory_sink *)sink)->copies[copy] + lsn.value, size);
    return NQ_OK;
}

static nq_status repair_bytes(nq_ctx *ctx, nq_log_sink *sink, uint32_t copy, nq_lsn lsn,
                              const uint8_t *bytes, size_t size) {
    (void)ctx;
    if (size > SEGMENT_BYTES || lsn.value > SEGMENT_BYTES - size) {
        abort();
    }
    memcpy(((memory_sink *)sink)->copies[copy] + lsn.value, bytes, size);
    return NQ_OK;
}

static void describe(const nq_log_sink *sink, uint32_t copy, nq_lsn lsn, char *out_text,
                     size_t text_bytes) {
    (void)sink;
    (void)copy;
    (void)lsn;
    strncpy(out_text, "memory", text_bytes);
}

static void leave(nq_log_sink *sink) {
    (void)sink;
}

static const nq_log_sink_vtable vtable = {.close = leave,
                                          .first = first,
                                          .room_end = room_end,
                                          .read = read_bytes,
                                          .repair = repair_bytes,
                                          .describe = describe};

/* One group as five bytes of the input say: where, in which copies, after whom, of which run, and
 * how much before it is not durable. */
static void place_group(memory_sink *memory, const uint8_t *step, nq_lsn lsns[256],
                        uint8_t number) {
    nq_log_record record = {.kind = step[3] % 5 == 0 ? NQ_RECORD_START : NQ_RECORD_PUT};
    nq_lsn lsn = {(uint64_t)step[0] * (SEGMENT_BYTES / 256)};
    size_t bytes = nq_record_bytes(&record);
    nq_log_group group = {.lsn = lsn,
                          .previous = lsns[step[2]],
                          .run = step[3],
                          .payload_bytes = (uint32_t)bytes + (step[1] >> 7),
                          .record_count = 1,
                          .unsynced_bytes = step[4] * 64u};
    uint8_t image[NQ_LOG_GROUP_HEADER_BYTES + 64];
    nq_log_group_encode(&group, SALT, image);
    nq_record_encode(&record, (nq_lsn){lsn.value + NQ_LOG_GROUP_HEADER_BYTES},
                     nq_log_key_of(SALT, group.run), image + NQ_LOG_GROUP_HEADER_BYTES);
    size_t size = NQ_LOG_GROUP_HEADER_BYTES + bytes;
    for (uint32_t copy = 0; copy < NQ_LOG_COPIES_MAX; copy++) {
        if ((step[1] >> copy & 1) != 0 && lsn.value + size <= SEGMENT_BYTES) {
            memcpy(memory->copies[copy] + lsn.value, image, size);
        }
    }
    lsns[number] = lsn;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static memory_sink memory;
    nq_lsn lsns[256] = {{0}};
    if (size < 2) {
        return 0;
    }
    memset(&memory, 0, sizeof memory);
    memory.sink = (nq_log_sink){.vtable = &vtable,
                                .segment_bytes = SEGMENT_BYTES,
                                .copy_count = 1 + data[0] % NQ_LOG_COPIES_MAX};
    uint8_t number = 0;
    for (size_t at = 2; at + STEP_BYTES <= size && number < UINT8_MAX; at += STEP_BYTES) {
        place_group(&memory, data + at, lsns, ++number);
    }
    nq_ctx ctx;
    nq_ctx_init(&ctx, NULL);
    nq_log_options options = {.sink = &memory.sink, .salt = SALT, .run = data[1]};
    nq_log *log;
    if (nq_log_open(&ctx, &options, (nq_lsn){0}, &log) != NQ_OK) {
        abort();
    }
    nq_status status = NQ_OK;
    bool is_end = false;
    nq_lsn before = {0};
    for (int reads = 0; status == NQ_OK && !is_end; reads++) {
        nq_log_record record;
        nq_lsn end;
        status = nq_log_read(&ctx, log, &record, &end, &is_end);
        if (status == NQ_OK && !is_end && (end.value <= before.value || reads > READS_MAX)) {
            abort(); /* the log only goes forward */
        }
        before = end;
    }
    if (status != NQ_OK && status != NQ_LOG_CORRUPT) {
        abort();
    }
    nq_log_close(log);
    return 0;
}
