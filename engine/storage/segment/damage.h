/* Damage: which blocks of a segment are not what was written, and their repair from parity.
 *
 * Works on a buffer into which the whole segment was read; blocks that could not be read must hold
 * anything but what was written (zeros will do). Repair changes the buffer only: damaged places are
 * not written again, their live data is moved (ADR 0007). */
#ifndef NQ_STORAGE_SEGMENT_DAMAGE_H
#define NQ_STORAGE_SEGMENT_DAMAGE_H

#include "engine/storage/segment/segment.h"

enum { NQ_SEGMENT_BITMAP_WORDS = (NQ_SEGMENT_CHECKED_BLOCKS_MAX + 63) / 64 };

typedef enum nq_segment_state {
    NQ_SEGMENT_WHOLE,
    NQ_SEGMENT_DAMAGED,  /* parity can restore all of it */
    NQ_SEGMENT_BROKEN,   /* some row has lost more than parity can restore */
    NQ_SEGMENT_HEADLESS, /* neither copy of the header is valid: nothing is known of the blocks */
} nq_segment_state;

typedef struct nq_segment_damage {
    nq_segment_state state;
    nq_segment_verdict headers[2]; /* of the copies */
    nq_segment_info info;          /* of the newer valid copy; all zero when headless */
    uint32_t header_offset;        /* where that copy is in the buffer */
    uint32_t bad_block_count;      /* of data and parity blocks in use */
    uint32_t lost_row_count;       /* rows with more bad blocks than parity can restore */
    uint32_t first_lost_row;       /* when there are any */
    uint64_t bad_blocks[NQ_SEGMENT_BITMAP_WORDS]; /* bit i: data block i, P and Q behind them */
} nq_segment_damage;

/* Compares every block in use with its checksum. */
nq_segment_state nq_segment_check(nq_segment_layout layout, uint64_t salt, uint32_t number,
                                  const uint8_t *segment, nq_segment_damage *out_damage);

/* Restores the bad blocks of every row that has lost at most two, and a bad copy of the header. Of
 * a row that has lost more, all but two may have one flipped bit each, which their checksums name;
 * those two prove it right. Each restored block has its checksum. What cannot be restored is left
 * as it is, and so is everything when headless. *damage becomes what is left. True: nothing is. */
bool nq_segment_repair(nq_segment_layout layout, nq_segment_damage *damage, uint8_t *segment);

#endif
