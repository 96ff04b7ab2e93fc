/* Snapshots: sorted lists of tables that never change. */
#include <string.h>

#include "engine/data/catalog/catalog_internal.h"
#include "engine/ground/base/codec.h"
#include "engine/ground/base/heap.h"

static const uint64_t private_bit = UINT64_C(1) << 63; /* set in ids of uncommitted changes */

uint64_t nq_catalog_snapshot_id(const nq_catalog_snapshot *snapshot) {
    return snapshot->id;
}

bool nq_catalog_snapshot_is_committed(const nq_catalog_snapshot *snapshot) {
    return (snapshot->id & private_bit) == 0;
}

void nq_catalog_snapshot_acquire(const nq_catalog_snapshot *snapshot) {
    nq_catalog_snapshot *counted = (nq_catalog_snapshot *)(uintptr_t)snapshot;
    (void)atomic_fetch_add_explicit(&counted->reference_count, 1, memory_order_relaxed);
}

void nq_catalog_snapshot_release(const nq_catalog_snapshot *snapshot) {
    nq_catalog_snapshot *counted = (nq_catalog_snapshot *)(uintptr_t)snapshot;
    if (counted == NULL ||
        atomic_fetch_sub_explicit(&counted->reference_count, 1, memory_order_acq_rel) != 1) {
        return;
    }
    for (uint32_t i = 0; i < counted->table_count; i++) {
        nq__table_release(counted->tables[i]);
    }
    nq_heap_free(counted);
}

/* The first table whose name is not below `name`. */
static uint32_t lower_bound(const nq_catalog_snapshot *snapshot, nq_bytes name) {
    uint32_t low = 0, high = snapshot->table_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (nq_bytes_compare(snapshot->tables[middle]->definition.name, name) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

const nq_table *nq_catalog_snapshot_find(const nq_catalog_snapshot *snapshot, nq_bytes name) {
    uint32_t index = lower_bound(snapshot, name);
    if (index == snapshot->table_count ||
        !nq_bytes_equal(snapshot->tables[index]->definition.name, name)) {
        return NULL;
    }
    return snapshot->tables[index];
}

uint32_t nq_catalog_snapshot_table_count(const nq_catalog_snapshot *snapshot) {
    return snapshot->table_count;
}

const nq_table *nq_catalog_snapshot_table(const nq_catalog_snapshot *snapshot, uint32_t index) {
    return snapshot->tables[index];
}

nq_catalog_snapshot *nq__snapshot_create(uint32_t table_count, uint64_t id, uint64_t version) {
    nq_catalog_snapshot *snapshot =
        nq_heap_alloc(sizeof *snapshot + table_count * sizeof snapshot->tables[0]);
    if (snapshot != NULL) {
        atomic_init(&snapshot->reference_count, 1);
        snapshot->id = id;
        snapshot->version = version;
        snapshot->lsn = 0;
        snapshot->table_count = 0;
    }
    return snapshot;
}

nq_catalog_snapshot *nq__snapshot_edit(const nq_catalog_snapshot *snapshot, uint64_t id,
                                       uint64_t version, const nq_table *added,
                                       const nq_table *removed) {
    nq_catalog_snapshot *edited = nq__snapshot_create(snapshot->table_count + 1, id, version);
    if (edited == NULL) {
        return NULL;
    }
    for (uint32_t i = 0; i < snapshot->table_count; i++) {
        const nq_table *table = snapshot->tables[i];
        if (table != removed) {
            nq__table_acquire(table);
            edited->tables[edited->table_count++] = table;
        }
    }
    if (added != NULL) {
        uint32_t index = lower_bound(edited, added->definition.name);
        memmove(&edited->tables[index + 1], &edited->tables[index],
                (edited->table_count - index) * sizeof edited->tables[0]);
        edited->tables[index] = added;
        edited->table_count++;
    }
    return edited;
}

uint64_t nq__catalog_next_private_id(nq_catalog *catalog) {
    return private_bit |
           (atomic_fetch_add_explicit(&catalog->private_id, 1, memory_order_relaxed) + 1);
}

nq_status nq__catalog_read_version(nq_ctx *ctx, nq_txn *txn, uint64_t *out_version) {
    *out_version = 0;
    const uint8_t key = NQ__KEY_VERSION;
    nq_bytes value;
    NQ_TRY(nq_txn_find(ctx, txn, NQ_TREE_CATALOG, nq_bytes_of(&key, 1), &value));
    if (value.data == NULL) {
        return NQ_OK;
    }
    if (value.size != sizeof *out_version) {
        return nq_fail(ctx, NQ_PAGE_CORRUPT, "the catalog's version is damaged");
    }
    *out_version = nq_load_le64(value.data);
    return NQ_OK;
}

/* The tables read so far, in a growing array: they come by name already. */
typedef struct table_list {
    const nq_table **items;
    uint32_t count;
    uint32_t capacity;
} table_list;

static nq_status add_table(nq_ctx *ctx, nq_catalog *catalog, const nq_catalog_snapshot *known,
                           nq_bytes name, nq_bytes record, table_list *list) {
    if (list->count == list->capacity) {
        uint32_t capacity = list->capacity == 0 ? 16 : list->capacity * 2;
        const nq_table **items = nq_heap_realloc(list->items, capacity * sizeof *items);
        if (items == NULL) {
            return nq_fail_no_memory(ctx, "the catalog");
        }
        list->items = items;
        list->capacity = capacity;
    }
    const nq_table *table = known == NULL ? NULL : nq_catalog_snapshot_find(known, name);
    if (table != NULL && nq__table_record_is(table, record)) {
        nq__table_acquire(table);
    } else {
        NQ_TRY(nq__table_record_decode(ctx, catalog, name, record, &table));
    }
    list->items[list->count++] = table;
    return NQ_OK;
}

static nq_status read_tables(nq_ctx *ctx, nq_catalog *catalog, nq_txn *txn,
                             const nq_catalog_snapshot *known, table_list *list) {
    static const uint8_t low = NQ__KEY_TABLE, high = NQ__KEY_TABLE + 1;
    const nq_scan_range range = {.low = {&low, 1}, .high = {&high, 1}};
    nq_scan *scan = NULL;
    nq_status status = nq_scan_open(ctx, txn, NQ_TREE_CATALOG, &range, &scan);
    while (status == NQ_OK) {
        nq_bytes key, record;
        status = nq_scan_next(ctx, scan, &key, &record);
        if (status != NQ_OK || key.data == NULL) {
            break;
        }
        status =
            add_table(ctx, catalog, known, nq_bytes_of(key.data + 1, key.size - 1), record, list);
    }
    if (scan != NULL) {
        nq_scan_close(scan);
    }
    return status;
}

nq_status nq__snapshot_load(nq_ctx *ctx, nq_catalog *catalog, nq_txn *txn, bool is_private,
                            const nq_catalog_snapshot *known, nq_catalog_snapshot **out_snapshot) {
    *out_snapshot = NULL;
    table_list list = {0};
    uint64_t version;
    nq_catalog_snapshot *snapshot = NULL;
    nq_status status = nq__catalog_read_version(ctx, txn, &version);
    if (status == NQ_OK) {
        status = read_tables(ctx, catalog, txn, known, &list);
    }
    if (status == NQ_OK) {
        uint64_t id = is_private ? nq__catalog_next_private_id(catalog) : version;
        snapshot = nq__snapshot_create(list.count, id, version);
        if (snapshot == NULL) {
            status = nq_fail_no_memory(ctx, "the catalog");
        }
    }
    if (snapshot != NULL) {
        if (list.count > 0) {
            memcpy(snapshot->tables, list.items, list.count * sizeof list.items[0]);
        }
        snapshot->table_count = list.count;
        list.count = 0;
        *out_snapshot = snapshot;
    }
    for (uint32_t i = 0; i < list.count; i++) {
        nq__table_release(list.items[i]);
    }
    nq_heap_free(list.items);
    return status;
}
