/* Flip: the single bit that explains a block's wrong checksum.
 *
 * A CRC is linear: what one flipped bit changes in it depends on the bit's place only, and no two
 * places of a block change the same (CRC32C tells up to three wrong bits in 4 KiB apart from none).
 * The change that the last bit makes is the polynomial; each bit before it is one more step of the
 * shift register. So the places are tried from the end. */
#include "engine/storage/segment/segment_internal.h"

uint32_t nq__flipped_bit(uint32_t crc_found, uint32_t crc_expected) {
    enum { BLOCK_BITS = NQ_SEGMENT_BLOCK_BYTES * 8 };
    const uint32_t polynomial = 0x82f63b78; /* of CRC32C, reflected */
    uint32_t wanted = crc_found ^ crc_expected;
    uint32_t change = polynomial;
    for (uint32_t bit = BLOCK_BITS; bit > 0; bit--) {
        if (change == wanted) {
            return bit - 1;
        }
        change = (change >> 1) ^ ((change & 1) != 0 ? polynomial : 0);
    }
    return NQ__NO_BIT;
}
