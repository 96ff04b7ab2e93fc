/* Plan cache: prepared handles by the exact text of their statement, the least recently used out
 * first. A handle made under another version of the catalog is no answer, and is replaced. */
#include "engine/api/api_internal.h"

uint64_t nq__sql_hash(nq_bytes sql) {
    return nq_value_hash(NQ_VALUE_TEXT(sql));
}

static nq_prepared **bucket_of(nq__plan_cache *cache, uint64_t hash) {
    return &cache->buckets[hash & (NQ__PLAN_CACHE_BUCKET_COUNT - 1)];
}

static void unlink_age(nq__plan_cache *cache, nq_prepared *prepared) {
    *(prepared->newer != NULL ? &prepared->newer->older : &cache->newest) = prepared->older;
    *(prepared->older != NULL ? &prepared->older->newer : &cache->oldest) = prepared->newer;
}

static void link_newest(nq__plan_cache *cache, nq_prepared *prepared) {
    prepared->newer = NULL;
    prepared->older = cache->newest;
    *(cache->newest != NULL ? &cache->newest->newer : &cache->oldest) = prepared;
    cache->newest = prepared;
}

static size_t plan_bytes(const nq_prepared *prepared) {
    return prepared->first->arena.taken_bytes;
}

static void take_out(nq__plan_cache *cache, nq_prepared *prepared) {
    nq_prepared **link = bucket_of(cache, prepared->hash);
    while (*link != prepared) {
        link = &(*link)->bucket_next;
    }
    *link = prepared->bucket_next;
    unlink_age(cache, prepared);
    prepared->is_cached = false;
    cache->count--;
    cache->bytes -= plan_bytes(prepared);
}

static nq_prepared *find_text(nq__plan_cache *cache, nq_bytes sql, uint64_t hash) {
    nq_prepared *prepared = *bucket_of(cache, hash);
    while (prepared != NULL &&
           (prepared->hash != hash || !nq_bytes_equal(prepared->first->statement->sql, sql))) {
        prepared = prepared->bucket_next;
    }
    return prepared;
}

static bool describes(const nq__binding *binding, uint64_t snapshot_id) {
    return binding->snapshot == NULL || nq_catalog_snapshot_id(binding->snapshot) == snapshot_id;
}

nq_prepared *nq__plan_cache_find(nq__plan_cache *cache, nq_bytes sql, uint64_t hash,
                                 uint64_t snapshot_id) {
    nq_prepared *prepared = find_text(cache, sql, hash);
    if (prepared == NULL || !describes(prepared->first, snapshot_id)) {
        cache->misses++;
        return NULL;
    }
    cache->hits++;
    if (cache->newest != prepared) {
        unlink_age(cache, prepared);
        link_newest(cache, prepared);
    }
    nq_prepared_acquire(prepared);
    return prepared;
}

nq_prepared *nq__plan_cache_add(nq__plan_cache *cache, nq_prepared *prepared) {
    nq_prepared *replaced = find_text(cache, prepared->first->statement->sql, prepared->hash);
    if (replaced != NULL) {
        take_out(cache, replaced);
        replaced->older = NULL;
    }
    nq_prepared_acquire(prepared);
    prepared->is_cached = true;
    nq_prepared **bucket = bucket_of(cache, prepared->hash);
    prepared->bucket_next = *bucket;
    *bucket = prepared;
    link_newest(cache, prepared);
    cache->count++;
    cache->bytes += plan_bytes(prepared);
    nq_prepared *out = replaced;
    while (cache->count > NQ__PLAN_CACHE_COUNT_MAX || cache->bytes > NQ__PLAN_CACHE_BYTES_MAX) {
        nq_prepared *oldest = cache->oldest;
        take_out(cache, oldest);
        oldest->older = out;
        out = oldest;
    }
    return out;
}

nq_prepared *nq__plan_cache_pop(nq__plan_cache *cache) {
    nq_prepared *oldest = cache->oldest;
    if (oldest != NULL) {
        take_out(cache, oldest);
    }
    return oldest;
}
