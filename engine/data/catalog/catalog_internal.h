/* What the files of this room share: the objects behind the handles.
 *
 * One mutex (NQ_LOCK_CATALOG) guards the list of versions and the registry of table states; a
 * second (NQ_LOCK_SEQUENCE) guards counters, because they read and write the store. Reference
 * counts are atomic, so that a plan may drop its snapshot without either; the mutex is never held
 * while a reference is dropped. */
#ifndef NQ_DATA_CATALOG_CATALOG_INTERNAL_H
#define NQ_DATA_CATALOG_CATALOG_INTERNAL_H

#include <stdatomic.h>

#include "engine/data/catalog/catalog.h"
#include "engine/data/catalog/data_txn.h"
#include "engine/ground/os/mutex.h"

enum {
    NQ__CATALOG_RECENT_COUNT = 8,  /* versions kept decoded beside the current one */
    NQ__STATE_BUCKET_COUNT = 1024, /* of the registry; a power of two */
    NQ__SEQUENCE_BLOCK = 32,       /* numbers a crash may skip */
};

/* Keys of the catalog tree, by their first byte. */
enum {
    NQ__KEY_FORMAT = 'F',   /* → u32, NQ__CATALOG_FORMAT */
    NQ__KEY_VERSION = 'V',  /* → u64: how many transactions have changed what exists */
    NQ__KEY_TABLE = 'T',    /* + name → table record */
    NQ__KEY_SEQUENCE = 'S', /* + u32 sequence id, u16 column (big-endian) → i64 not yet reserved */
    NQ__KEY_NOTE = 'N',     /* + u32 tree (big-endian), name → whatever the noter wrote */
};
enum { NQ__CATALOG_FORMAT = 1 };

/* Of one tree of rows, whatever versions name it. Guarded by the catalog's mutex but for the row
 * id. */
struct nq_table_state {
    nq_table_state *next; /* in its bucket */
    nq_catalog *catalog;
    uint32_t tree;
    uint32_t reference_count;
    _Atomic uint64_t next_row_id; /* 0: not read from the tree yet */
};

/* Of one generated column. Guarded by the sequence mutex. */
typedef struct nq__sequence {
    struct nq__sequence *next_sequence;
    uint32_t sequence_id;
    uint32_t column;
    int64_t next;
    int64_t reserved_end; /* numbers below are ours without asking the store */
} nq__sequence;

/* A table and the arena it lives in. */
typedef struct nq__table_object {
    nq_table table; /* first */
    _Atomic uint32_t reference_count;
    nq_arena arena;
} nq__table_object;

struct nq_catalog_snapshot {
    _Atomic uint32_t reference_count;
    uint64_t id;
    uint64_t version; /* as in the tree */
    uint64_t lsn;     /* of the commit that made it current; only of published ones */
    uint32_t table_count;
    const nq_table *tables[]; /* by name */
};

struct nq_catalog {
    nq_store *store;
    int64_t (*wall_us)(void);
    _Atomic uint64_t private_id; /* of the last snapshot made for uncommitted changes */
    nq_mutex mutex;
    nq_catalog_snapshot *current;
    nq_catalog_snapshot *recent[NQ__CATALOG_RECENT_COUNT]; /* older ones, a ring */
    uint32_t recent_next;
    uint32_t publishing_count; /* commits of DDL under way */
    nq_table_state *states[NQ__STATE_BUCKET_COUNT];
    nq_mutex sequence_mutex;
    nq__sequence *sequences;
};

struct nq_data_txn {
    nq_catalog *catalog;
    nq_txn *txn;
    bool is_read_only;
    bool repeats_reads;
    bool has_written;
    bool has_ddl; /* wrote the catalog, perhaps rolled back since */
    uint64_t written_bytes;
    nq_catalog_snapshot *seen; /* NULL: look it up */
};

/* table_record.c: a table as bytes, and back. The record is allocated from `arena`. */
nq_status nq__table_record_encode(nq_ctx *ctx, nq_arena *arena, const nq_table *table,
                                  nq_bytes *out_record);
/* A new object with one reference. */
nq_status nq__table_record_decode(nq_ctx *ctx, nq_catalog *catalog, nq_bytes name, nq_bytes record,
                                  const nq_table **out_table);
/* The tree and sequence of a record, to find an object that is it already. */
bool nq__table_record_is(const nq_table *table, nq_bytes record);
void nq__table_acquire(const nq_table *table);
void nq__table_release(const nq_table *table);

/* snapshot.c */
nq_catalog_snapshot *nq__snapshot_create(uint32_t table_count, uint64_t id, uint64_t version);
/* A copy with `added` in (its reference moves) or `removed` out, or both; NULL: no memory. */
nq_catalog_snapshot *nq__snapshot_edit(const nq_catalog_snapshot *snapshot, uint64_t id,
                                       uint64_t version, const nq_table *added,
                                       const nq_table *removed);
/* Everything the transaction sees, read from the tree; tables of `known` are used again. */
nq_status nq__snapshot_load(nq_ctx *ctx, nq_catalog *catalog, nq_txn *txn, bool is_private,
                            const nq_catalog_snapshot *known, nq_catalog_snapshot **out_snapshot);
nq_status nq__catalog_read_version(nq_ctx *ctx, nq_txn *txn, uint64_t *out_version);
uint64_t nq__catalog_next_private_id(nq_catalog *catalog);

/* state.c */
nq_table_state *nq__table_state_acquire(nq_catalog *catalog, nq_tree_id tree);
void nq__table_state_release(nq_table_state *state);

/* claim.c: waits until nobody else writes to the table, and keeps it so. */
nq_status nq__claim_alone(nq_ctx *ctx, nq_data_txn *txn, const nq_table *table);

/* sequence.c */
nq_status nq__sequences_save(nq_ctx *ctx, nq_catalog *catalog);
void nq__sequences_destroy(nq_catalog *catalog);

/* purge.c: forgets the sequences and notes of tables that are gone. */
nq_status nq__catalog_purge(nq_ctx *ctx, nq_catalog *catalog);

#endif
