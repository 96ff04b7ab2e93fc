/* Backend: what the driver asks of one storage engine. An engine joins with one file that fills a
 * `backend` and one line in backends.c.
 *
 * - Every call returns an outcome; nothing ends the process.
 * - A session belongs to one thread; a database may have many sessions.
 * - begin(BACKEND_READ) gives a snapshot that stands until commit or rollback.
 * - What find and scan hand out is valid until the next call on that session.
 * - With is_durable, commit returns when the transaction is on stable storage. Without it, it
 *   returns at once; what a SIGKILL may then cost is reported by the phase kill_lazy. */
#ifndef NQ_BENCH_PEERS_BACKEND_H
#define NQ_BENCH_PEERS_BACKEND_H

#include "engine/ground/base/bytes.h"

typedef enum bench_outcome {
    OUTCOME_DONE,
    OUTCOME_ABSENT, /* no such key */
    OUTCOME_RETRY,  /* a conflict: roll back and run the transaction again */
    OUTCOME_FAILED,
} bench_outcome;

typedef enum bench_access {
    BACKEND_READ,
    BACKEND_WRITE,
} bench_access;

typedef struct bench_backend_options {
    const char *directory; /* there, writable */
    uint64_t cache_bytes;
    uint64_t map_bytes; /* the largest database, for engines that map their file */
    bool is_durable;
} bench_backend_options;

typedef struct bench_damage {
    uint64_t places;    /* damaged ones it noticed */
    uint64_t log_lines; /* it wrote about them */
    uint64_t restored;  /* pages */
} bench_damage;

/* Each backend completes these two in its own file. */
typedef struct bench_database bench_database;
typedef struct bench_session bench_session;

/* One row of a scan; false ends it. */
typedef bool (*bench_row_visitor)(void *user, nq_bytes key, nq_bytes value);
/* The next row of an ascending bulk load; false at the end. */
typedef bool (*bench_row_source)(void *user, nq_bytes *out_key, nq_bytes *out_value);

typedef struct bench_backend {
    const char *name;
    const char *version;
    bench_outcome (*open)(const bench_backend_options *options, bench_database **out_database);
    bench_outcome (*close)(bench_database *database);
    bench_outcome (*session_open)(bench_database *database, bench_session **out_session);
    void (*session_close)(bench_session *session);
    bench_outcome (*begin)(bench_session *session, bench_access access);
    bench_outcome (*put)(bench_session *session, nq_bytes key, nq_bytes value);
    bench_outcome (*find)(bench_session *session, nq_bytes key, nq_bytes *out_value);
    bench_outcome (*remove)(bench_session *session, nq_bytes key);
    /* Ascending from the first key that is not less than `low`, at most `row_count_max`. */
    bench_outcome (*scan)(bench_session *session, nq_bytes low, uint64_t row_count_max,
                          bench_row_visitor visit, void *user, uint64_t *out_row_count);
    bench_outcome (*commit)(bench_session *session);
    void (*rollback)(bench_session *session);
    /* Brings all data to its home place. */
    bench_outcome (*checkpoint)(bench_database *database);
    /* The engine's fastest load of sorted rows into an empty database; NULL: it has none. */
    bench_outcome (*bulk_load)(bench_session *session, bench_row_source next, void *user);
    /* What became of damage since it was opened; NULL: the engine never restores anything. */
    void (*count_damage)(bench_database *database, bench_damage *out_damage);
    /* Whether a file of the directory holds pages (rather than log, locks or notes). */
    bool (*is_data_file)(const char *name);
} bench_backend;

extern const bench_backend backend_ours;
extern const bench_backend backend_lmdb;
extern const bench_backend backend_rocksdb;
extern const bench_backend backend_sqlite;
extern const bench_backend backend_wiredtiger;
extern const bench_backend backend_berkeley;

/* "1.2.3" of three macros. */
#define VERSION_TEXT(major, minor, patch)  VERSION_TEXT_(major, minor, patch)
#define VERSION_TEXT_(major, minor, patch) #major "." #minor "." #patch

/* All of them, ours first; ends with NULL. */
extern const bench_backend *const backends[];

/* NULL when there is none of that name. */
const bench_backend *backend_find(const char *name);

#endif
