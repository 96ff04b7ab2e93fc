/* Codec: the one reader that has something to refuse. */
#include "engine/ground/base/codec.h"

size_t nq_load_varint(nq_bytes source, uint64_t *out_value) {
    uint64_t value = 0;
    *out_value = 0;
    for (size_t i = 0; i < source.size && i < NQ_VARINT_BYTES_MAX; i++) {
        uint8_t byte = source.data[i];
        if (i == NQ_VARINT_BYTES_MAX - 1 && byte > 1) {
            return 0; /* the tenth byte holds bit 63 only */
        }
        value |= (uint64_t)(byte & 0x7F) << (7 * i);
        if (byte < 0x80) {
            *out_value = value;
            return i + 1;
        }
    }
    return 0;
}
