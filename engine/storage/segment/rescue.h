/* Rescue: one image out of a segment whose two headers are both lost.
 *
 * Without a header nothing says which blocks are bad, nor how far the data goes. But the image's
 * own checksum is in the page map: it tells when a guess at the image's blocks was right, and the
 * parity of undamaged rows tells how many lanes were in use. So every block of the image is tried
 * as it was read and as the row's parity makes it, with each other block of the row as the second
 * bad one. */
#ifndef NQ_STORAGE_SEGMENT_RESCUE_H
#define NQ_STORAGE_SEGMENT_RESCUE_H

#include "engine/storage/segment/place.h"

/* Restores the blocks of the image at `place` (valid, not none) of page `page_id` in the buffer of
 * a whole segment, when no row of them has lost more than two blocks. False: no guess has the
 * image's checksum, and nothing is changed. Tries at most a few thousand guesses: up to a tenth of
 * a second on a fast machine. */
bool nq_segment_rescue_image(nq_segment_layout layout, uint32_t page_id, nq_place place,
                             uint8_t *segment);

#endif
