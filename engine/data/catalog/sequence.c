/* Sequences: numbers for generated columns, handed out without waiting for anybody's transaction.
 *
 * The tree keeps, for each sequence, the first number not yet reserved. A block is reserved in a
 * transaction of its own, committed lazily: it stands before the user's commit in the log, so
 * whenever that one survives a crash, the reservation has too. A crash skips what was reserved and
 * not used; a clean close gives it back. */
#include "engine/data/catalog/catalog_internal.h"
#include "engine/ground/base/codec.h"
#include "engine/ground/base/heap.h"

enum { SEQUENCE_KEY_BYTES = 7 };

static nq_bytes sequence_key(uint32_t sequence_id, uint32_t column, uint8_t *data) {
    data[0] = NQ__KEY_SEQUENCE;
    nq_store_be32(data + 1, sequence_id);
    nq_store_be16(data + 5, (uint16_t)column);
    return nq_bytes_of(data, SEQUENCE_KEY_BYTES);
}

static int64_t number_max(nq_type_id type) {
    switch (type) {
    case NQ_TYPE_INT16:
        return INT16_MAX;
    case NQ_TYPE_INT32:
        return INT32_MAX;
    default:
        return INT64_MAX - 1;
    }
}

static nq_status read_next(nq_ctx *ctx, nq_txn *txn, nq_bytes key, int64_t *out_next) {
    nq_bytes value;
    *out_next = 1;
    NQ_TRY(nq_txn_find(ctx, txn, NQ_TREE_CATALOG, key, &value));
    if (value.data == NULL) {
        return NQ_OK;
    }
    if (value.size != sizeof *out_next) {
        return nq_fail(ctx, NQ_PAGE_CORRUPT, "the catalog's record of a sequence is damaged");
    }
    *out_next = (int64_t)nq_load_le64(value.data);
    return NQ_OK;
}

static nq_status write_next(nq_ctx *ctx, nq_txn *txn, const nq__sequence *sequence, int64_t next) {
    uint8_t key[SEQUENCE_KEY_BYTES], value[8];
    nq_store_le64(value, (uint64_t)next);
    return nq_txn_put(ctx, txn, NQ_TREE_CATALOG,
                      sequence_key(sequence->sequence_id, sequence->column, key),
                      nq_bytes_of(value, sizeof value));
}

/* Under the sequence mutex. A sequence is read once, when it is first used. */
static nq_status get_sequence(nq_ctx *ctx, nq_catalog *catalog, uint32_t sequence_id,
                              uint32_t column, nq__sequence **out_sequence) {
    nq__sequence *sequence = catalog->sequences;
    while (sequence != NULL &&
           (sequence->sequence_id != sequence_id || sequence->column != column)) {
        sequence = sequence->next_sequence;
    }
    *out_sequence = sequence;
    if (sequence != NULL) {
        return NQ_OK;
    }
    const nq_txn_options options = {.read_only = true};
    uint8_t key[SEQUENCE_KEY_BYTES];
    nq_txn *txn;
    int64_t next;
    NQ_TRY(nq_txn_begin(ctx, catalog->store, &options, &txn));
    nq_status status = read_next(ctx, txn, sequence_key(sequence_id, column, key), &next);
    nq_txn_rollback(txn);
    NQ_TRY(status);
    sequence = nq_heap_calloc(1, sizeof *sequence);
    if (sequence == NULL) {
        return nq_fail_no_memory(ctx, "a sequence");
    }
    *sequence = (nq__sequence){.next_sequence = catalog->sequences,
                               .sequence_id = sequence_id,
                               .column = column,
                               .next = next,
                               .reserved_end = next};
    catalog->sequences = sequence;
    *out_sequence = sequence;
    return NQ_OK;
}

static nq_status reserve(nq_ctx *ctx, nq_catalog *catalog, nq__sequence *sequence, int64_t end) {
    const nq_txn_options options = {.isolation = NQ_READ_COMMITTED};
    const nq_commit_options lazy = {.durability = NQ_LAZY};
    nq_txn *txn;
    NQ_TRY(nq_txn_begin(ctx, catalog->store, &options, &txn));
    nq_status status = write_next(ctx, txn, sequence, end);
    if (status != NQ_OK) {
        nq_txn_rollback(txn);
        return status;
    }
    NQ_TRY(nq_txn_commit(ctx, txn, &lazy, NULL));
    sequence->reserved_end = end;
    return NQ_OK;
}

nq_status nq_data_txn_next_numbers(nq_ctx *ctx, nq_data_txn *txn, const nq_table *table,
                                   uint32_t column, uint32_t count, int64_t *out_first) {
    *out_first = 0;
    nq_catalog *catalog = txn->catalog;
    const nq_column_definition *definition = &table->definition.columns[column];
    nq__sequence *sequence;
    nq_mutex_lock(&catalog->sequence_mutex);
    nq_status status = get_sequence(ctx, catalog, table->sequence_id, column, &sequence);
    if (status == NQ_OK && sequence->next > number_max(definition->type.id) - (int64_t)count + 1) {
        status = nq_fail(ctx, NQ_NUMBER_OUT_OF_RANGE,
                         "the sequence of column \"%.*s\" has reached the maximum of type %s",
                         NQ_BYTES_FORMAT(definition->name), nq_type_name(definition->type.id));
    }
    if (status == NQ_OK && sequence->next + (int64_t)count > sequence->reserved_end) {
        int64_t end = INT64_MAX;
        (void)__builtin_add_overflow(sequence->next + (int64_t)count, NQ__SEQUENCE_BLOCK, &end);
        status = reserve(ctx, catalog, sequence, end > sequence->next ? end : INT64_MAX);
    }
    if (status == NQ_OK) {
        *out_first = sequence->next;
        sequence->next += (int64_t)count;
    }
    nq_mutex_unlock(&catalog->sequence_mutex);
    return status;
}

nq_status nq__sequences_save(nq_ctx *ctx, nq_catalog *catalog) {
    const nq_txn_options options = {.isolation = NQ_READ_COMMITTED};
    const nq_commit_options durable = {.durability = NQ_DURABLE};
    if (catalog->sequences == NULL) {
        return NQ_OK;
    }
    nq_txn *txn;
    NQ_TRY(nq_txn_begin(ctx, catalog->store, &options, &txn));
    for (nq__sequence *sequence = catalog->sequences; sequence != NULL;
         sequence = sequence->next_sequence) {
        nq_status status = write_next(ctx, txn, sequence, sequence->next);
        if (status != NQ_OK) {
            nq_txn_rollback(txn);
            return status;
        }
    }
    return nq_txn_commit(ctx, txn, &durable, NULL);
}

void nq__sequences_destroy(nq_catalog *catalog) {
    while (catalog->sequences != NULL) {
        nq__sequence *sequence = catalog->sequences;
        catalog->sequences = sequence->next_sequence;
        nq_heap_free(sequence);
    }
}
