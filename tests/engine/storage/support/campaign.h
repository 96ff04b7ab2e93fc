/* Campaigns: what is done to a store to find out whether it keeps its promises. Each returns NULL,
 * or what broke (static storage), so that the same campaign proves the store right and proves
 * itself able to find planted bugs. */
#ifndef NQ_TESTS_STORAGE_SUPPORT_CAMPAIGN_H
#define NQ_TESTS_STORAGE_SUPPORT_CAMPAIGN_H

#include <stdint.h>

typedef struct campaign_counts {
    uint64_t crashes;    /* I/Os at which a run was interrupted */
    uint64_t power_cuts; /* there, inside recovery, and after some more commits */
    uint64_t cuts_in_recovery;
    uint64_t log_crashes;
    uint64_t flips;
    uint64_t flips_noticed;  /* the store refused to open, to read, or to verify, or cut the log */
    uint64_t flips_repaired; /* it restored pages from parity */
} campaign_counts;

/* The power fails before every I/O of a seeded run of the log alone, and the process ends. */
const char *campaign_log(uint64_t seed, campaign_counts *counts);

/* The power fails before every I/O of a seeded run, again inside the recovery from it, and after
 * some more commits; every other time one of the superblocks is lost as well. Or the process ends.
 */
const char *campaign_crashes(uint64_t seed, campaign_counts *counts);

/* The same with a copy of the log, on a disk on which a power cut also damages what was synced long
 * ago near the writes in flight. */
const char *campaign_damage(uint64_t seed, campaign_counts *counts);

/* The same with segments of the product's size and damage of 64 KiB, after each write while
 * something of the data file awaits a sync. */
const char *campaign_neighbours(uint64_t seed, campaign_counts *counts);

/* Bits of the files flip while nobody looks. */
const char *campaign_bit_flips(uint64_t seed, uint64_t flip_count, campaign_counts *counts);

/* I/O errors, a full disk, failing syncs: the store goes on or turns read-only, and after a restart
 * it holds what it acknowledged. */
const char *campaign_faults(uint64_t seed);

/* Interleaved transactions, and what each isolation level promises. */
const char *campaign_isolation(void);

#endif
