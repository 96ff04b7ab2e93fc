/* Codec: integers as bytes. Little-endian is the order of disk and wire; big-endian sorts; a varint
 * (7 bits a byte, least significant first, as in protobuf) is short for small numbers.
 *
 * Loads and stores of fixed width need no alignment and check nothing; whoever calls knows that the
 * bytes are there. Varints check. */
#ifndef NQ_GROUND_BASE_CODEC_H
#define NQ_GROUND_BASE_CODEC_H

#include "engine/ground/base/bytes.h"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the formats are little-endian and so is every machine we run on"
#endif

#define NQ_CODEC_PAIR(bits)                                                    \
    static inline uint##bits##_t nq_load_le##bits(const void *source) {        \
        uint##bits##_t value;                                                  \
        memcpy(&value, source, sizeof(value));                                 \
        return value;                                                          \
    }                                                                          \
    static inline void nq_store_le##bits(void *target, uint##bits##_t value) { \
        memcpy(target, &value, sizeof(value));                                 \
    }                                                                          \
    static inline uint##bits##_t nq_load_be##bits(const void *source) {        \
        return __builtin_bswap##bits(nq_load_le##bits(source));                \
    }                                                                          \
    static inline void nq_store_be##bits(void *target, uint##bits##_t value) { \
        nq_store_le##bits(target, __builtin_bswap##bits(value));               \
    }

NQ_CODEC_PAIR(16)
NQ_CODEC_PAIR(32)
NQ_CODEC_PAIR(64)

#undef NQ_CODEC_PAIR

enum { NQ_VARINT_BYTES_MAX = 10 };

/* Writes `value` to `target`, which has room for 10 bytes; returns how many it took. */
static inline size_t nq_store_varint(void *target, uint64_t value) {
    uint8_t *at = (uint8_t *)target;
    size_t size = 0;
    for (; value >= 0x80; value >>= 7) {
        at[size++] = (uint8_t)(value | 0x80);
    }
    at[size++] = (uint8_t)value;
    return size;
}

/* Reads the number at the start of `source`; returns its bytes, or 0 (and *out_value 0) when it is
 * cut short or larger than 64 bits. Padded forms of small numbers are accepted, as in protobuf. */
size_t nq_load_varint(nq_bytes source, uint64_t *out_value);

/* Signed numbers as unsigned ones, so that small magnitudes are small: 0, -1, 1, -2 … → 0, 1, 2, 3
 * … */
static inline uint64_t nq_zigzag_encode(int64_t value) {
    return ((uint64_t)value << 1) ^ (uint64_t)(value >> 63);
}

static inline int64_t nq_zigzag_decode(uint64_t value) {
    return (int64_t)((value >> 1) ^ (0 - (value & 1)));
}

#endif
