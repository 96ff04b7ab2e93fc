/* Phase: one part of the workload, the same for every engine, each in a process of its own. */
#ifndef NQ_BENCH_PEERS_PHASE_H
#define NQ_BENCH_PEERS_PHASE_H

#include "bench/peers/backend.h"
#include "bench/peers/measures.h"
#include "bench/peers/run.h"
#include "bench/peers/workload.h"

/* The database a phase starts from, made by the phase that loads it. */
typedef enum bench_base {
    BASE_NONE,
    BASE_SCATTERED, /* rows loaded in random key order */
    BASE_ASCENDING,
    BASE_DOUBLE, /* scattered, twice the rows */
    BASE_COUNT,
} bench_base;

typedef enum bench_usage {
    USE_NEW,  /* an empty directory; a phase with a base makes that base */
    USE_READ, /* the base itself, not changed */
    USE_COPY, /* a fresh copy of the base */
} bench_usage;

typedef enum bench_operation {
    OPERATION_INSERT,
    OPERATION_UPDATE,
    OPERATION_REMOVE,
} bench_operation;

typedef struct bench_phase bench_phase;

/* What a phase's process gets. */
typedef struct bench_trial {
    const bench_settings *settings;
    const bench_backend *backend;
    const bench_phase *phase;
    const char *directory; /* of the database */
    uint64_t rows;         /* it was loaded with */
    uint64_t cache_bytes;
    uint64_t seed; /* differs between repetitions */
    bench_findings *findings;
} bench_trial;

struct bench_phase {
    const char *name;
    bench_base base;
    bench_usage usage;
    void (*run)(const bench_trial *trial);
    /* Run before, in a process that it ends itself by SIGKILL. */
    void (*run_until_killed)(const bench_trial *trial);
    bench_operation operation;
    bool is_durable;
    bool is_cold;         /* nothing of the database is cached by the system at first */
    bool is_of_disk;      /* measures the disk, not an engine */
    bool is_confined;     /* to CONFINED_BYTES_A_ROW of memory for each row asked for */
    const char *peers;    /* the engines it is for; NULL: all */
    uint64_t cache_bytes; /* 0: what the settings say */
    uint32_t batch;       /* operations in one transaction */
    uint32_t threads;
    uint32_t
        rows_per_mille; /* of the loaded rows, where a phase writes a fixed number; 0: by time */
};

/* A million rows in 96 MB; an engine's cache gets half of it. */
enum { CONFINED_BYTES_A_ROW = 96, CONFINED_BYTES_MIN = 24 << 20 };

extern const bench_phase phases[];
extern const size_t phase_count;

/* The phase that loads a base. */
const bench_phase *phase_of_base(bench_base base);

/* ---- What the phases are made of; each is in the file named. ---- */

/* memory.c */
void run_memory(const bench_trial *trial);
/* load.c */
void run_load(const bench_trial *trial);
void run_bulk_load(const bench_trial *trial);
/* read.c */
void run_find(const bench_trial *trial);
void run_find_absent(const bench_trial *trial);
void run_find_threads(const bench_trial *trial);
void run_scan(const bench_trial *trial);
/* write.c */
void run_write(const bench_trial *trial);
void run_write_beside_checkpoints(const bench_trial *trial);
void run_mixed(const bench_trial *trial);
void run_churn(const bench_trial *trial);
/* clients.c */
void run_clients(const bench_trial *trial);
void run_read_beside_write(const bench_trial *trial);
/* crash.c */
void run_until_killed(const bench_trial *trial);
void run_reopen(const bench_trial *trial);
/* damage.c */
void run_flipped_bits(const bench_trial *trial);
void run_zeroed_runs(const bench_trial *trial);
/* floor.c */
void run_sync_floor(const bench_trial *trial);

#endif
