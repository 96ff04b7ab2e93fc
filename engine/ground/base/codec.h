/* Codec: integers as bytes. Little-endian is the order of disk and wire; big-endian sorts. */
#ifndef NQ_GROUND_BASE_CODEC_H
#define NQ_GROUND_BASE_CODEC_H

#include <stdint.h>
#include <string.h>

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

#endif
