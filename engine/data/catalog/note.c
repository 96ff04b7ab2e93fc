/* Notes on a table's rows. They are named by the tree, so that emptying the table forgets them too.
 */
#include <string.h>

#include "engine/data/catalog/catalog_internal.h"
#include "engine/ground/base/codec.h"

enum { NOTE_HEAD_BYTES = 5 };

typedef struct note_key {
    uint8_t data[NOTE_HEAD_BYTES + NQ_NOTE_NAME_BYTES_MAX];
    size_t size;
} note_key;

static nq_status encode_key(nq_ctx *ctx, const nq_table *table, nq_bytes name, note_key *key) {
    if (name.size > NQ_NOTE_NAME_BYTES_MAX) {
        return nq_fail(ctx, NQ_LIMIT_EXCEEDED, "a name of %zu bytes is longer than %d", name.size,
                       NQ_NOTE_NAME_BYTES_MAX);
    }
    key->data[0] = NQ__KEY_NOTE;
    nq_store_be32(key->data + 1, table->tree.value);
    memcpy(key->data + NOTE_HEAD_BYTES, name.data, name.size);
    key->size = NOTE_HEAD_BYTES + name.size;
    return NQ_OK;
}

nq_status nq_data_txn_find_note(nq_ctx *ctx, nq_data_txn *txn, const nq_table *table, nq_bytes name,
                                nq_bytes *out_value) {
    note_key key;
    *out_value = (nq_bytes){NULL, 0};
    NQ_TRY(encode_key(ctx, table, name, &key));
    return nq_txn_find(ctx, txn->txn, NQ_TREE_CATALOG, nq_bytes_of(key.data, key.size), out_value);
}

nq_status nq_data_txn_put_note(nq_ctx *ctx, nq_data_txn *txn, const nq_table *table, nq_bytes name,
                               nq_bytes value) {
    note_key key;
    NQ_TRY(encode_key(ctx, table, name, &key));
    NQ_TRY(nq_data_txn_claim(ctx, txn, table));
    return nq_txn_put(ctx, txn->txn, NQ_TREE_CATALOG, nq_bytes_of(key.data, key.size), value);
}
