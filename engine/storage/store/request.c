/* Request: commits remember the id of the request they carried out and its result, so that a client
 * whose connection broke can ask again and is not served twice.
 *
 * Two trees: by id, and by time to know what to forget. Each commit with an id forgets up to four
 * old ones, so the trees shrink back as fast as they grew. */
#include "engine/storage/store/store_internal.h"

enum {
    KEEP_COUNT_MAX = 100000,
    FORGET_MAX = 4,
    TIME_BYTES = 8,
};
static const int64_t keep_us = INT64_C(15) * 60 * 1000000;

static uint64_t load_time(const uint8_t *bytes) {
    uint64_t big_endian;
    memcpy(&big_endian, bytes, sizeof big_endian);
    return __builtin_bswap64(big_endian);
}

/* The key of the tree by time: when, then which. */
static nq_bytes time_key(uint8_t *room, int64_t time_us, nq_bytes id) {
    uint64_t big_endian = __builtin_bswap64((uint64_t)time_us);
    memcpy(room, &big_endian, TIME_BYTES);
    if (id.size != 0) {
        memcpy(room + TIME_BYTES, id.data, id.size);
    }
    return nq_bytes_of(room, TIME_BYTES + id.size);
}

nq_status nq__request_find(nq_ctx *ctx, nq_store *store, const nq_version *version, nq_bytes id,
                           int64_t now_us, nq_arena *arena, nq_bytes *out_result,
                           bool *out_exists) {
    *out_exists = false;
    nq_tree tree;
    bool exists;
    NQ_TRY(nq__tree_find(ctx, store, version, NQ__TREE_REQUESTS, &tree, &exists));
    nq_btree_entry entry;
    NQ_TRY(nq_btree_find(ctx, store->pool, &tree, id, &entry));
    nq_status status = NQ_OK;
    if (entry.pin.page != NULL && !entry.is_overflow && entry.payload.size >= TIME_BYTES &&
        (int64_t)load_time(entry.payload.data) > now_us - keep_us) {
        *out_exists = true;
        if (arena != NULL) {
            *out_result = nq_arena_copy(arena, nq_bytes_of(entry.payload.data + TIME_BYTES,
                                                           entry.payload.size - TIME_BYTES));
            if (out_result->data == NULL) {
                status = nq_fail_no_memory(ctx, "a request's result");
            }
        }
    }
    nq_btree_entry_release(store->pool, &entry);
    return status;
}

/* The time keys to forget, oldest first. */
static nq_status list_old(nq_ctx *ctx, nq_apply *apply, int64_t now_us,
                          uint8_t keys[FORGET_MAX][NQ_STORE_KEY_BYTES_MAX], size_t *key_bytes,
                          uint32_t *out_count) {
    *out_count = 0;
    nq_tree tree;
    NQ_TRY(nq__apply_find_tree(ctx, apply, NQ__TREE_REQUEST_TIMES, &tree));
    nq_btree_cursor cursor;
    nq_btree_cursor_init(&cursor, apply->store->pool, &tree);
    nq_status status = nq_btree_cursor_seek(ctx, &cursor, (nq_bytes){0});
    while (status == NQ_OK && cursor.is_at_entry && *out_count < FORGET_MAX) {
        nq_bytes key = nq_btree_cursor_key(&cursor);
        bool is_old = key.size < TIME_BYTES || (int64_t)load_time(key.data) <= now_us - keep_us;
        if (!is_old && tree.entry_count - *out_count < KEEP_COUNT_MAX) {
            break;
        }
        memcpy(keys[*out_count], key.data, key.size);
        key_bytes[(*out_count)++] = key.size;
        status = nq_btree_cursor_next(ctx, &cursor);
    }
    nq_btree_cursor_deinit(&cursor);
    return status;
}

static nq_status remove_one(nq_ctx *ctx, nq_apply *apply, uint32_t tree, nq_bytes key) {
    nq_log_record record = {.kind = NQ_RECORD_REMOVE, .tree = tree, .key = key};
    return nq__apply_record(ctx, apply, &record);
}

/* The time key of an older use of the same id; of no bytes if there is none. */
static nq_status find_same(nq_ctx *ctx, nq_apply *apply, nq_bytes id, uint8_t *room,
                           nq_bytes *out_key) {
    *out_key = (nq_bytes){0};
    nq_tree tree;
    NQ_TRY(nq__apply_find_tree(ctx, apply, NQ__TREE_REQUESTS, &tree));
    nq_btree_entry entry;
    NQ_TRY(nq_btree_find(ctx, apply->store->pool, &tree, id, &entry));
    if (entry.pin.page != NULL) {
        *out_key = time_key(room, (int64_t)load_time(entry.payload.data), id);
        nq_btree_entry_release(apply->store->pool, &entry);
    }
    return NQ_OK;
}

nq_status nq__apply_request(nq_ctx *ctx, nq_apply *apply, nq_bytes id, nq_bytes result,
                            int64_t time_us) {
    uint8_t keys[FORGET_MAX + 1][NQ_STORE_KEY_BYTES_MAX];
    size_t key_bytes[FORGET_MAX + 1];
    uint32_t count;
    nq_bytes same;
    NQ_TRY(list_old(ctx, apply, time_us, keys, key_bytes, &count));
    NQ_TRY(find_same(ctx, apply, id, keys[count], &same));
    for (uint32_t i = 0; i < count; i++) {
        size_t skip = key_bytes[i] < TIME_BYTES ? key_bytes[i] : TIME_BYTES;
        NQ_TRY(remove_one(ctx, apply, NQ__TREE_REQUESTS,
                          nq_bytes_of(keys[i] + skip, key_bytes[i] - skip)));
    }
    uint8_t value[TIME_BYTES + 1024];
    nq_bytes stored = time_key(value, time_us, result);
    nq_log_record put = {
        .kind = NQ_RECORD_PUT, .tree = NQ__TREE_REQUESTS, .key = id, .value = stored};
    NQ_TRY(nq__apply_record(ctx, apply, &put));
    if (same.size != 0) {
        key_bytes[count++] = same.size;
    }
    for (uint32_t i = 0; i < count; i++) {
        NQ_TRY(remove_one(ctx, apply, NQ__TREE_REQUEST_TIMES, nq_bytes_of(keys[i], key_bytes[i])));
    }
    uint8_t room[NQ_STORE_KEY_BYTES_MAX];
    put = (nq_log_record){
        .kind = NQ_RECORD_PUT, .tree = NQ__TREE_REQUEST_TIMES, .key = time_key(room, time_us, id)};
    return nq__apply_record(ctx, apply, &put);
}
