/* Record: one change as bytes of the log, and the group of records that is written at once.
 *
 * Every checksum is seeded with the position it is meant for and a key made of the store's salt and
 * the run (from one start of the log to its end), so stale bytes of a recycled segment or of a run
 * that a crash cut short, and another store's log, never verify. docs/format/log.md names every
 * byte. Pure bytes: files and flushing are log.h's. */
#ifndef NQ_STORAGE_WAL_RECORD_H
#define NQ_STORAGE_WAL_RECORD_H

#include "engine/ground/base/bytes.h"
#include "engine/storage/wal/lsn.h"

enum {
    NQ_LOG_BLOCK_BYTES = 4096, /* a block that was synced is not written again */
    NQ_LOG_GROUP_ALIGN = 8,    /* where groups may start in a block that was not */
    NQ_LOG_GROUP_HEADER_BYTES = 48,
    NQ_LOG_RECORD_HEADER_BYTES = 12,
    NQ_LOG_RECORD_BYTES_MAX = (16 << 20) + 4096,
    NQ_LOG_GROUP_BYTES_MAX = 2 * NQ_LOG_RECORD_BYTES_MAX,
};

typedef enum nq_record_kind {
#define NQ_RECORD(name, number, meaning) NQ_RECORD_##name = number,
#include "engine/storage/wal/record_kinds.def"
#undef NQ_RECORD
} nq_record_kind;

/* One record; fields its kind does not have are zero. Bytes are borrowed. */
typedef struct nq_log_record {
    nq_record_kind kind;
    uint32_t tree;
    nq_bytes key;        /* PUT, REMOVE; COMMIT: the request id */
    nq_bytes value;      /* PUT; COMMIT: the request's result */
    uint64_t generation; /* COMMIT */
    int64_t time_us;     /* COMMIT: since 1970, UTC */
} nq_log_record;

/* What checksums are seeded with beside the position. */
typedef struct nq_log_key {
    uint64_t value;
} nq_log_key;

nq_log_key nq_log_key_of(uint64_t salt, uint32_t run);

/* How many bytes the record takes. */
size_t nq_record_bytes(const nq_log_record *record);

/* Writes it to `out_bytes` (nq_record_bytes of room), for position `lsn`. */
void nq_record_encode(const nq_log_record *record, nq_lsn lsn, nq_log_key key, uint8_t *out_bytes);

/* Reads the record at the start of `bytes`; *out_size is what it takes. False: there is no whole,
 * valid record for position `lsn`. */
bool nq_record_decode(nq_bytes bytes, nq_lsn lsn, nq_log_key key, nq_log_record *out_record,
                      size_t *out_size);

typedef struct nq_log_group {
    nq_lsn lsn;             /* where its header stands */
    nq_lsn previous;        /* the group before it; 0: unknown */
    uint32_t run;           /* counts the starts of the log */
    uint32_t payload_bytes; /* of records after the header */
    uint32_t record_count;
    uint32_t unsynced_bytes; /* before it, not known to be durable when it was written */
} nq_log_group;

/* Everything before was durable when the group was written. */
static inline nq_lsn nq_log_group_durable(const nq_log_group *group) {
    return (nq_lsn){group->lsn.value - group->unsynced_bytes};
}

void nq_log_group_encode(const nq_log_group *group, uint64_t salt, uint8_t *out_bytes);

/* False: there is no valid group header for position `lsn`. */
bool nq_log_group_decode(const uint8_t *bytes, nq_lsn lsn, uint64_t salt, nq_log_group *out_group);

/* Whether every record of a group is whole and valid; `payload` begins after the header. */
bool nq_log_group_is_valid(const nq_log_group *group, nq_bytes payload, uint64_t salt);

static inline uint64_t nq_log_group_align(uint64_t bytes) {
    return (bytes + NQ_LOG_GROUP_ALIGN - 1) & ~(uint64_t)(NQ_LOG_GROUP_ALIGN - 1);
}

static inline uint64_t nq_log_block_align(uint64_t bytes) {
    return (bytes + NQ_LOG_BLOCK_BYTES - 1) & ~(uint64_t)(NQ_LOG_BLOCK_BYTES - 1);
}

#endif
