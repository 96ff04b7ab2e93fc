/* RocksDB through its C API: a log-structured merge tree. A write transaction is a WriteBatch;
 * bloom filters of 10 bits a key, no compression (its library's default here is none as well). */
#include <rocksdb/c.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/peers/backend.h"
#include "bench/peers/run.h"

enum {
    PATH_BYTES = 600,
    BLOOM_BITS = 10,
    THREADS = 2,
    SMALL_CACHE_BYTES = 256 << 20, /* below it, memtables and indexes count against the budget */
};

struct bench_database {
    rocksdb_t *rocksdb;
    rocksdb_options_t *options;
    rocksdb_block_based_table_options_t *table;
    rocksdb_writeoptions_t *write;
    char directory[PATH_BYTES];
};

struct bench_session {
    bench_database *database;
    rocksdb_writebatch_t *batch;
    rocksdb_pinnableslice_t *found;
    rocksdb_readoptions_t *read;
    const rocksdb_snapshot_t *snapshot;
    bench_access access;
};

static bench_outcome outcome_of(char *words) {
    if (words == NULL) {
        return OUTCOME_DONE;
    }
    complain("rocksdb", words);
    rocksdb_free(words);
    return OUTCOME_FAILED;
}

static void keep_small(bench_database *self, uint64_t cache_bytes) {
    rocksdb_options_set_write_buffer_size(self->options, cache_bytes / 4);
    rocksdb_block_based_options_set_cache_index_and_filter_blocks(self->table, 1);
}

static bench_outcome rocksdb_backend_open(const bench_backend_options *options,
                                          bench_database **out_database) {
    char *words = NULL;
    bench_database *self = allocate(sizeof(*self));
    (void)snprintf(self->directory, sizeof(self->directory), "%s", options->directory);
    self->options = rocksdb_options_create();
    rocksdb_options_set_create_if_missing(self->options, 1);
    rocksdb_options_increase_parallelism(self->options, THREADS);
    rocksdb_options_set_compression(self->options, rocksdb_no_compression);
    self->table = rocksdb_block_based_options_create();
    rocksdb_block_based_options_set_block_cache(self->table,
                                                rocksdb_cache_create_lru(options->cache_bytes));
    rocksdb_block_based_options_set_filter_policy(
        self->table, rocksdb_filterpolicy_create_bloom_full(BLOOM_BITS));
    if (options->cache_bytes < SMALL_CACHE_BYTES) {
        keep_small(self, options->cache_bytes);
    }
    rocksdb_options_set_block_based_table_factory(self->options, self->table);
    self->write = rocksdb_writeoptions_create();
    rocksdb_writeoptions_set_sync(self->write, options->is_durable);
    self->rocksdb = rocksdb_open(self->options, options->directory, &words);
    *out_database = self;
    return outcome_of(words);
}

static bench_outcome rocksdb_backend_close(bench_database *self) {
    rocksdb_close(self->rocksdb);
    rocksdb_writeoptions_destroy(self->write);
    rocksdb_block_based_options_destroy(self->table);
    rocksdb_options_destroy(self->options);
    free(self);
    return OUTCOME_DONE;
}

static bench_outcome rocksdb_session_open(bench_database *database, bench_session **out_session) {
    bench_session *self = allocate(sizeof(*self));
    self->database = database;
    self->batch = rocksdb_writebatch_create();
    self->read = rocksdb_readoptions_create();
    *out_session = self;
    return OUTCOME_DONE;
}

static void forget_found(bench_session *self) {
    if (self->found != NULL) {
        rocksdb_pinnableslice_destroy(self->found);
        self->found = NULL;
    }
}

static void rocksdb_session_close(bench_session *self) {
    forget_found(self);
    rocksdb_writebatch_destroy(self->batch);
    rocksdb_readoptions_destroy(self->read);
    free(self);
}

static bench_outcome rocksdb_begin(bench_session *self, bench_access access) {
    self->access = access;
    if (access == BACKEND_WRITE) {
        rocksdb_writebatch_clear(self->batch);
        return OUTCOME_DONE;
    }
    self->snapshot = rocksdb_create_snapshot(self->database->rocksdb);
    rocksdb_readoptions_set_snapshot(self->read, self->snapshot);
    return OUTCOME_DONE;
}

static bench_outcome rocksdb_backend_put(bench_session *self, nq_bytes key, nq_bytes value) {
    rocksdb_writebatch_put(self->batch, (const char *)key.data, key.size, (const char *)value.data,
                           value.size);
    return OUTCOME_DONE;
}

static bench_outcome rocksdb_find(bench_session *self, nq_bytes key, nq_bytes *out_value) {
    char *words = NULL;
    size_t size = 0;
    forget_found(self);
    self->found = rocksdb_get_pinned(self->database->rocksdb, self->read, (const char *)key.data,
                                     key.size, &words);
    if (words != NULL) {
        return outcome_of(words);
    }
    if (self->found == NULL) {
        return OUTCOME_ABSENT;
    }
    const char *data = rocksdb_pinnableslice_value(self->found, &size);
    *out_value = nq_bytes_of(data, size);
    return OUTCOME_DONE;
}

static bench_outcome rocksdb_remove(bench_session *self, nq_bytes key) {
    rocksdb_writebatch_delete(self->batch, (const char *)key.data, key.size);
    return OUTCOME_DONE;
}

static bench_outcome rocksdb_scan(bench_session *self, nq_bytes low, uint64_t row_count_max,
                                  bench_row_visitor visit, void *user, uint64_t *out_row_count) {
    char *words = NULL;
    rocksdb_iterator_t *iterator = rocksdb_create_iterator(self->database->rocksdb, self->read);
    *out_row_count = 0;
    if (low.size > 0) {
        rocksdb_iter_seek(iterator, (const char *)low.data, low.size);
    } else {
        rocksdb_iter_seek_to_first(iterator);
    }
    while (rocksdb_iter_valid(iterator) && *out_row_count < row_count_max) {
        nq_bytes key;
        nq_bytes value;
        key.data = (const uint8_t *)rocksdb_iter_key(iterator, &key.size);
        value.data = (const uint8_t *)rocksdb_iter_value(iterator, &value.size);
        ++*out_row_count;
        if (!visit(user, key, value)) {
            break;
        }
        rocksdb_iter_next(iterator);
    }
    rocksdb_iter_get_error(iterator, &words);
    rocksdb_iter_destroy(iterator);
    return outcome_of(words);
}

static void forget_snapshot(bench_session *self) {
    rocksdb_readoptions_set_snapshot(self->read, NULL);
    rocksdb_release_snapshot(self->database->rocksdb, self->snapshot);
}

static bench_outcome rocksdb_commit(bench_session *self) {
    char *words = NULL;
    if (self->access == BACKEND_READ) {
        forget_snapshot(self);
        return OUTCOME_DONE;
    }
    rocksdb_write(self->database->rocksdb, self->database->write, self->batch, &words);
    return outcome_of(words);
}

static void rocksdb_rollback(bench_session *self) {
    if (self->access == BACKEND_READ) {
        forget_snapshot(self);
    }
}

static bench_outcome rocksdb_checkpoint(bench_database *self) {
    char *words = NULL;
    rocksdb_flushoptions_t *options = rocksdb_flushoptions_create();
    rocksdb_flushoptions_set_wait(options, 1);
    rocksdb_flush(self->rocksdb, options, &words);
    rocksdb_flushoptions_destroy(options);
    return outcome_of(words);
}

static char *write_table(rocksdb_sstfilewriter_t *writer, bench_row_source next, void *user) {
    char *words = NULL;
    nq_bytes key;
    nq_bytes value;
    while (words == NULL && next(user, &key, &value)) {
        rocksdb_sstfilewriter_put(writer, (const char *)key.data, key.size,
                                  (const char *)value.data, value.size, &words);
    }
    if (words == NULL) {
        rocksdb_sstfilewriter_finish(writer, &words);
    }
    return words;
}

/* Writes one sorted table beside the database and moves it in. */
static bench_outcome rocksdb_bulk_load(bench_session *self, bench_row_source next, void *user) {
    char path[PATH_BYTES + 16];
    char *words = NULL;
    (void)snprintf(path, sizeof(path), "%s.bulk.sst", self->database->directory);
    rocksdb_envoptions_t *env = rocksdb_envoptions_create();
    rocksdb_sstfilewriter_t *writer = rocksdb_sstfilewriter_create(env, self->database->options);
    rocksdb_sstfilewriter_open(writer, path, &words);
    if (words == NULL) {
        words = write_table(writer, next, user);
    }
    rocksdb_sstfilewriter_destroy(writer);
    rocksdb_envoptions_destroy(env);
    if (words == NULL) {
        const char *const paths[] = {path};
        rocksdb_ingestexternalfileoptions_t *options = rocksdb_ingestexternalfileoptions_create();
        rocksdb_ingestexternalfileoptions_set_move_files(options, 1);
        rocksdb_ingest_external_file(self->database->rocksdb, paths, 1, options, &words);
        rocksdb_ingestexternalfileoptions_destroy(options);
    }
    (void)unlink(path);
    return outcome_of(words);
}

static bool rocksdb_is_data_file(const char *name) {
    return strstr(name, ".sst") != NULL;
}

const bench_backend backend_rocksdb = {
    .name = "rocksdb",
    .version = "of this system", /* the C API does not say which */
    .open = rocksdb_backend_open,
    .close = rocksdb_backend_close,
    .session_open = rocksdb_session_open,
    .session_close = rocksdb_session_close,
    .begin = rocksdb_begin,
    .put = rocksdb_backend_put,
    .find = rocksdb_find,
    .remove = rocksdb_remove,
    .scan = rocksdb_scan,
    .commit = rocksdb_commit,
    .rollback = rocksdb_rollback,
    .checkpoint = rocksdb_checkpoint,
    .bulk_load = rocksdb_bulk_load,
    .is_data_file = rocksdb_is_data_file,
};
