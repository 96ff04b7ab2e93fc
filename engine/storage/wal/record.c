/* Record: encoding and decoding of records and group headers. Decoding trusts nothing. */
#include "engine/storage/wal/record.h"

#include "engine/ground/base/assert.h"
#include "engine/ground/simd/crc32c.h"
#include "engine/storage/page/bug.h"

#include <assert.h>

enum { LOG_MAGIC = 0x474c514e, LOG_VERSION_FIRST = 1, LOG_VERSION = 2 };

/* As on disk, little-endian. */
typedef struct group_bytes {
    uint32_t crc; /* CRC32C of everything after it, seeded with position and key */
    uint32_t magic;
    uint32_t format_version;
    uint32_t payload_bytes;
    uint64_t lsn;
    uint64_t previous;
    union {
        uint64_t salt; /* version 1 */
        struct {
            uint32_t run;
            uint32_t zero;
        };
    };
    uint32_t record_count;
    uint32_t unsynced_bytes; /* version 1: zero, for every group was synced before the next */
} group_bytes;

typedef struct record_bytes {
    uint32_t crc;   /* CRC32C of everything after it, seeded with position and key */
    uint32_t bytes; /* of the record, this header included */
    uint8_t kind;
    uint8_t zero;
    uint16_t key_bytes;
} record_bytes;

typedef struct commit_bytes {
    uint64_t generation;
    int64_t time_us;
} commit_bytes;

static_assert(sizeof(group_bytes) == NQ_LOG_GROUP_HEADER_BYTES, "no padding");
static_assert(sizeof(record_bytes) == NQ_LOG_RECORD_HEADER_BYTES, "no padding");

nq_log_key nq_log_key_of(uint64_t salt, uint32_t run) {
    return (nq_log_key){salt ^ run * UINT64_C(0xd6e8feb86659fd93)};
}

static uint32_t seed_of(nq_lsn lsn, nq_log_key key) {
    uint64_t mixed = (lsn.value ^ key.value) * 0x9e3779b97f4a7c15u;
    return (uint32_t)(mixed >> 32);
}

static uint32_t checksum(const void *bytes, size_t size, nq_lsn lsn, nq_log_key key) {
    return nq_crc32c(seed_of(lsn, key), (const uint8_t *)bytes + sizeof(uint32_t),
                     size - sizeof(uint32_t));
}

/* The bytes of a kind between its header and its key. */
static size_t fixed_bytes(nq_record_kind kind) {
    switch (kind) {
    case NQ_RECORD_COMMIT:
        return sizeof(commit_bytes);
    case NQ_RECORD_START:
        return 0;
    default:
        return sizeof(uint32_t);
    }
}

size_t nq_record_bytes(const nq_log_record *record) {
    return NQ_LOG_RECORD_HEADER_BYTES + fixed_bytes(record->kind) + record->key.size +
           record->value.size;
}

void nq_record_encode(const nq_log_record *record, nq_lsn lsn, nq_log_key key, uint8_t *out_bytes) {
    size_t size = nq_record_bytes(record);
    NQ_ASSERT(size <= NQ_LOG_RECORD_BYTES_MAX && record->key.size <= UINT16_MAX);
    record_bytes header = {
        .bytes = (uint32_t)size,
        .kind = (uint8_t)record->kind,
        .key_bytes = (uint16_t)record->key.size,
    };
    memcpy(out_bytes, &header, sizeof header);
    uint8_t *next = out_bytes + sizeof header;
    if (record->kind == NQ_RECORD_COMMIT) {
        commit_bytes commit = {record->generation, record->time_us};
        memcpy(next, &commit, sizeof commit);
    } else if (record->kind != NQ_RECORD_START) {
        memcpy(next, &record->tree, sizeof record->tree);
    }
    next += fixed_bytes(record->kind);
    if (record->key.size != 0) {
        memcpy(next, record->key.data, record->key.size);
    }
    if (record->value.size != 0) {
        memcpy(next + record->key.size, record->value.data, record->value.size);
    }
    uint32_t crc = checksum(out_bytes, size, lsn, key);
    memcpy(out_bytes, &crc, sizeof crc);
}

/* Whether sizes fit the kind: what encode could have written. */
static bool is_well_formed(const record_bytes *header) {
    if (header->zero != 0 || header->bytes > NQ_LOG_RECORD_BYTES_MAX) {
        return false;
    }
    size_t rest;
    switch (header->kind) {
    case NQ_RECORD_PUT:
    case NQ_RECORD_REMOVE:
    case NQ_RECORD_TREE_CREATE:
    case NQ_RECORD_TREE_DROP:
    case NQ_RECORD_COMMIT:
    case NQ_RECORD_START:
        rest = NQ_LOG_RECORD_HEADER_BYTES + fixed_bytes((nq_record_kind)header->kind) +
               header->key_bytes;
        break;
    default:
        return false;
    }
    bool has_value = header->kind == NQ_RECORD_PUT || header->kind == NQ_RECORD_COMMIT;
    return has_value ? header->bytes >= rest : header->bytes == rest;
}

bool nq_record_decode(nq_bytes bytes, nq_lsn lsn, nq_log_key key, nq_log_record *out_record,
                      size_t *out_size) {
    memset(out_record, 0, sizeof *out_record);
    *out_size = 0;
    record_bytes header;
    if (bytes.size < sizeof header) {
        return false;
    }
    memcpy(&header, bytes.data, sizeof header);
    if (!is_well_formed(&header) || header.bytes > bytes.size ||
        (header.crc != checksum(bytes.data, header.bytes, lsn, key) &&
         !NQ_HAS_BUG(RECORD_CHECKSUM_IGNORED))) {
        return false;
    }
    out_record->kind = (nq_record_kind)header.kind;
    const uint8_t *next = bytes.data + sizeof header;
    if (header.kind == NQ_RECORD_COMMIT) {
        commit_bytes commit;
        memcpy(&commit, next, sizeof commit);
        out_record->generation = commit.generation;
        out_record->time_us = commit.time_us;
    } else if (header.kind != NQ_RECORD_START) {
        memcpy(&out_record->tree, next, sizeof out_record->tree);
    }
    next += fixed_bytes(out_record->kind);
    out_record->key = nq_bytes_of(next, header.key_bytes);
    next += header.key_bytes;
    out_record->value = nq_bytes_of(next, (size_t)(bytes.data + header.bytes - next));
    *out_size = header.bytes;
    return true;
}

void nq_log_group_encode(const nq_log_group *group, uint64_t salt, uint8_t *out_bytes) {
    group_bytes bytes = {
        .magic = LOG_MAGIC,
        .format_version = LOG_VERSION,
        .payload_bytes = group->payload_bytes,
        .lsn = group->lsn.value,
        .previous = group->previous.value,
        .run = group->run,
        .record_count = group->record_count,
        .unsynced_bytes = group->unsynced_bytes,
    };
    bytes.crc = checksum(&bytes, sizeof bytes, group->lsn, nq_log_key_of(salt, group->run));
    memcpy(out_bytes, &bytes, sizeof bytes);
}

/* Which run wrote the header; false: it is of no known version. */
static bool run_of(const group_bytes *g, uint64_t salt, uint32_t *out_run) {
    bool is_first = g->format_version == LOG_VERSION_FIRST && g->salt == salt;
    *out_run = is_first ? 0 : g->run;
    return is_first || g->format_version == LOG_VERSION;
}

bool nq_log_group_decode(const uint8_t *bytes, nq_lsn lsn, uint64_t salt, nq_log_group *out_group) {
    memset(out_group, 0, sizeof *out_group);
    group_bytes g;
    uint32_t run;
    memcpy(&g, bytes, sizeof g);
    if (g.magic != LOG_MAGIC || g.lsn != lsn.value || !run_of(&g, salt, &run) ||
        g.crc != checksum(&g, sizeof g, lsn, nq_log_key_of(salt, run)) ||
        g.payload_bytes > NQ_LOG_GROUP_BYTES_MAX || g.previous > g.lsn ||
        g.unsynced_bytes > g.lsn) {
        return false;
    }
    *out_group = (nq_log_group){.lsn = lsn,
                                .previous = {g.previous},
                                .run = run,
                                .payload_bytes = g.payload_bytes,
                                .record_count = g.record_count,
                                .unsynced_bytes = g.unsynced_bytes};
    return true;
}

bool nq_log_group_is_valid(const nq_log_group *group, nq_bytes payload, uint64_t salt) {
    if (payload.size < group->payload_bytes) {
        return false;
    }
    if (NQ_HAS_BUG(GROUP_NOT_VALIDATED)) {
        return true;
    }
    nq_log_key key = nq_log_key_of(salt, group->run);
    size_t offset = 0;
    for (uint32_t i = 0; i < group->record_count; i++) {
        nq_log_record record;
        size_t size;
        nq_lsn lsn = {group->lsn.value + NQ_LOG_GROUP_HEADER_BYTES + offset};
        nq_bytes rest = nq_bytes_of(payload.data + offset, group->payload_bytes - offset);
        if (!nq_record_decode(rest, lsn, key, &record, &size)) {
            return false;
        }
        offset += size;
    }
    return offset == group->payload_bytes;
}
