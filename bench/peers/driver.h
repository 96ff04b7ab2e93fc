/* Driver: runs phases for engines and collects what they find. For every phase, every repetition,
 * every engine in turn: what is compared was measured seconds apart. */
#ifndef NQ_BENCH_PEERS_DRIVER_H
#define NQ_BENCH_PEERS_DRIVER_H

#include "bench/peers/measures.h"
#include "bench/peers/run.h"

/* The name under which a phase of the disk, not of an engine, is kept. */
#define ENGINE_DISK "disk"

void driver_run(const bench_settings *settings, bench_measures *measures);

#endif
