/* CRC32C: the processor's instruction where there is one, eight tables otherwise.
 *
 * The instruction has a latency of three cycles and a throughput of one: three independent streams
 * keep it busy, and their remainders are joined by multiplying with a power of x (Gopal et al.,
 * Intel 2011). The join here is by table, so that it is the same code everywhere. */
#include "engine/ground/simd/crc32c.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>

#if defined(__x86_64__)
#include <nmmintrin.h>
#elif defined(__aarch64__)
#include <arm_acle.h>
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

static const uint32_t POLYNOMIAL_REVERSED = 0x82F63B78;

#define STREAM_BYTES ((size_t)1024)

typedef struct crc_tables {
    uint32_t slice[8][256]; /* slice[k][b]: b followed by k zero bytes */
    uint32_t shift[4][256]; /* a CRC followed by STREAM_BYTES zero bytes, byte by byte */
} crc_tables;

static crc_tables tables;
static _Atomic(nq_crc32c_kernel) chosen;

static uint32_t step(uint32_t crc, uint8_t byte) {
    return tables.slice[0][(crc ^ byte) & 0xFF] ^ (crc >> 8);
}

static void make_tables(void) {
    for (uint32_t byte = 0; byte < 256; byte++) {
        uint32_t crc = byte;
        for (int bit = 0; bit < 8; bit++) {
            crc = (crc >> 1) ^ ((crc & 1) != 0 ? POLYNOMIAL_REVERSED : 0);
        }
        tables.slice[0][byte] = crc;
    }
    for (unsigned k = 1; k < 8; k++) {
        for (unsigned byte = 0; byte < 256; byte++) {
            tables.slice[k][byte] = step(tables.slice[k - 1][byte], 0);
        }
    }
    /* Appending zeros is linear: the shifts of the 32 single bits make up all others. */
    for (unsigned bit = 0; bit < 32; bit++) {
        uint32_t crc = UINT32_C(1) << bit;
        for (unsigned i = 0; i < STREAM_BYTES; i++) {
            crc = step(crc, 0);
        }
        for (unsigned byte = 0; byte < 256; byte++) {
            if ((byte >> (bit % 8) & 1) != 0) {
                tables.shift[bit / 8][byte] ^= crc;
            }
        }
    }
}

static uint32_t run_scalar(uint32_t seed, const void *data, size_t bytes) {
    const uint8_t *at = data;
    uint32_t crc = ~seed;
    for (; bytes >= 8; bytes -= 8, at += 8) {
        uint64_t word;
        memcpy(&word, at, sizeof(word));
        word ^= crc;
        crc = tables.slice[7][word & 0xFF] ^ tables.slice[6][word >> 8 & 0xFF] ^
              tables.slice[5][word >> 16 & 0xFF] ^ tables.slice[4][word >> 24 & 0xFF] ^
              tables.slice[3][word >> 32 & 0xFF] ^ tables.slice[2][word >> 40 & 0xFF] ^
              tables.slice[1][word >> 48 & 0xFF] ^ tables.slice[0][word >> 56];
    }
    for (; bytes > 0; bytes--, at++) {
        crc = step(crc, *at);
    }
    return ~crc;
}

/* What `crc` becomes when a stream's length of zeros follows it. */
static inline uint32_t shift_stream(uint32_t crc) {
    return tables.shift[0][crc & 0xFF] ^ tables.shift[1][(crc >> 8) & 0xFF] ^
           tables.shift[2][(crc >> 16) & 0xFF] ^ tables.shift[3][crc >> 24];
}

static inline uint64_t load_word(const uint8_t *at) {
    uint64_t word;
    memcpy(&word, at, sizeof(word));
    return word;
}

/* One body for every instruction set that has "CRC of 8 bytes" and "CRC of 1 byte". */
#define DEFINE_HARDWARE(name, attribute, crc_word, crc_byte)                             \
    attribute static uint32_t name(uint32_t seed, const void *data, size_t bytes) {      \
        const uint8_t *at = data;                                                        \
        uint32_t crc = ~seed;                                                            \
        for (; bytes >= 3 * STREAM_BYTES; bytes -= 3 * STREAM_BYTES) {                   \
            uint32_t second = 0;                                                         \
            uint32_t third = 0;                                                          \
            for (size_t i = 0; i < STREAM_BYTES; i += 8) {                               \
                crc = (uint32_t)crc_word(crc, load_word(at + i));                        \
                second = (uint32_t)crc_word(second, load_word(at + STREAM_BYTES + i));   \
                third = (uint32_t)crc_word(third, load_word(at + 2 * STREAM_BYTES + i)); \
            }                                                                            \
            crc = shift_stream(shift_stream(crc) ^ second) ^ third;                      \
            at += 3 * STREAM_BYTES;                                                      \
        }                                                                                \
        for (; bytes >= 8; bytes -= 8, at += 8) {                                        \
            crc = (uint32_t)crc_word(crc, load_word(at));                                \
        }                                                                                \
        for (; bytes > 0; bytes--, at++) {                                               \
            crc = crc_byte(crc, *at);                                                    \
        }                                                                                \
        return ~crc;                                                                     \
    }

#if defined(__x86_64__)
DEFINE_HARDWARE(run_sse42, __attribute__((target("sse4.2"))), _mm_crc32_u64, _mm_crc32_u8)
static nq_crc32c_variant hardware(void) {
    return (nq_crc32c_variant){"sse4.2", __builtin_cpu_supports("sse4.2") ? run_sse42 : NULL};
}
#elif defined(__aarch64__)
DEFINE_HARDWARE(run_armv8, __attribute__((target("+crc"))), __crc32cd, __crc32cb)
static nq_crc32c_variant hardware(void) {
    bool has_it = (getauxval(AT_HWCAP) & HWCAP_CRC32) != 0;
    return (nq_crc32c_variant){"armv8-crc", has_it ? run_armv8 : NULL};
}
#else
static nq_crc32c_variant hardware(void) {
    return (nq_crc32c_variant){"none", NULL};
}
#endif

/* A constructor, so that no first use can race and no later one has to ask. */
__attribute__((constructor)) static void choose(void) {
    make_tables();
    nq_crc32c_kernel kernel = hardware().kernel;
    atomic_store_explicit(&chosen, kernel != NULL ? kernel : run_scalar, memory_order_release);
}

uint32_t nq_crc32c(uint32_t seed, const void *data, size_t bytes) {
    return atomic_load_explicit(&chosen, memory_order_relaxed)(seed, data, bytes);
}

nq_crc32c_variant nq_crc32c_variant_get(unsigned index) {
    return index == 0 ? (nq_crc32c_variant){"scalar", run_scalar} : hardware();
}
