/* Sealed: a segment as it was written and a second buffer to damage and repair, for tests.
 *
 * The buffer is what a disk would give back: what an earlier life of the place left (noise), and
 * over it the extents that are written. */
#ifndef NQ_TESTS_ENGINE_STORAGE_SEGMENT_SEALED_H
#define NQ_TESTS_ENGINE_STORAGE_SEGMENT_SEALED_H

#include "engine/storage/segment/damage.h"

enum {
    SEALED_NUMBER = 5,
    SEALED_SEQUENCE = 9,
    SEALED_CHECKPOINT = 3,
    SEALED_SALT = 77,
};

typedef struct sealed {
    nq_segment_layout layout;
    uint32_t data_bytes;
    uint8_t *written; /* as on disk */
    uint8_t *read;    /* the same, to damage */
    nq_segment_damage damage;
} sealed;

sealed sealed_of(uint32_t lane_blocks, uint32_t data_bytes);
void sealed_drop(sealed *s);

/* `read` is as written again. */
void sealed_reset(sealed *s);

nq_segment_info sealed_info(uint32_t data_bytes);

/* Checks `read`. */
nq_segment_state sealed_check(sealed *s);

/* Where a block of a lane and row begins. */
uint32_t sealed_offset(const sealed *s, uint32_t lane, uint32_t row);

/* Everything that was written is in `read`. */
bool sealed_is_restored(const sealed *s);

void fill_noise(void *bytes, size_t size, uint64_t seed);

#endif
